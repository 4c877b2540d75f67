//! Tokens of upstreams: who asks with them, and who gives them up.

use std::sync::Arc;

use fedbridge_contract::epoch::Killed;
use fedbridge_contract::ids::{ConnectionId, GrantId};
use fedbridge_contract::services::{Grants as _, RefreshLifetimes};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{Command, EpochStore as _, KeptTokens, Turn, UpstreamTokenStore as _};
use fedbridge_keys::OpensslRng;
use fedbridge_store::Store;

use crate::contention::{race, two};
use crate::support::{Database, Login, World, at, kept_tokens, seconds};

pub async fn tokens_are_asked_with_in_turns(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let second = world.another_connection("second").await;
    let login = world.login("ada", &["openid"]).await;
    let turn = async |connection, now, lease| turn(&store, &world, &login, connection, now, lease).await;
    assert_eq!(turn(world.connection, 100, 110).await, Turn::Nothing);
    let (first, other) =
        (kept_tokens(login.person, world.connection, "r-0", 100), kept_tokens(login.person, second, "s-0", 400));
    world.commit(vec![keep(&login, &first), keep(&login, &other)]).await.unwrap();
    assert_eq!(turn(world.connection, 99, 110).await, Turn::NotDue(first.clone()));
    assert_eq!(turn(world.connection, 100, 110).await, Turn::Yours(first.clone()));
    assert_eq!(turn(world.connection, 109, 119).await, Turn::Taken);
    assert_eq!(turn(second, 109, 119).await, Turn::NotDue(other.clone()), "each upstream has its own");

    let renewed = kept_tokens(login.person, world.connection, "r-1", 200);
    assert!(!store.keep(world.tenant, login.session, at(111), &renewed).await.unwrap(), "not this turn");
    assert!(store.keep(world.tenant, login.session, at(110), &renewed).await.unwrap());
    assert!(!store.keep(world.tenant, login.session, at(110), &first).await.unwrap(), "a turn ends once");
    assert_eq!(turn(world.connection, 199, 210).await, Turn::NotDue(renewed.clone()));
    assert_eq!(turn(world.connection, 200, 210).await, Turn::Yours(renewed.clone()));
    // Its node dies: the next one takes the turn, and what the first one says later counts no more.
    assert_eq!(turn(world.connection, 210, 220).await, Turn::Yours(renewed.clone()));
    assert!(!store.keep(world.tenant, login.session, at(210), &first).await.unwrap());
    assert!(store.keep(world.tenant, login.session, at(220), &renewed).await.unwrap());
    assert_eq!(turn(second, 400, 410).await, Turn::Yours(other));
    assert_eq!(turn(world.connection, 5000, 5010).await, Turn::Nothing, "what has expired is not asked with");
}

pub async fn one_of_many_takes_the_turn(database: Database) {
    let (world, stores) = two(&database).await;
    let login = world.login("ada", &["openid"]).await;
    for round in 0..3 {
        let now = 100 + round * 100;
        let kept = kept_tokens(login.person, world.connection, &format!("r-{round}"), now);
        world.commit(vec![keep(&login, &kept)]).await.unwrap();
        let all = race(&stores, {
            let (world, login) = (Arc::clone(&world), login.clone());
            move |store| {
                let (world, login) = (Arc::clone(&world), login.clone());
                async move { turn(&store, &world, &login, world.connection, now, now + 10).await }
            }
        })
        .await;
        assert_eq!(all.iter().filter(|one| **one == Turn::Yours(kept.clone())).count(), 1);
        assert_eq!(all.iter().filter(|one| **one == Turn::Taken).count(), all.len() - 1);
    }
}

pub async fn a_new_login_ends_the_turn(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let login = world.login("ada", &["openid"]).await;
    let [old, renewed, new] = ["old", "renewed", "new"].map(|it| kept_tokens(login.person, world.connection, it, 0));
    world.commit(vec![keep(&login, &old)]).await.unwrap();
    assert_eq!(turn(&store, &world, &login, world.connection, 1, 10).await, Turn::Yours(old));
    world.commit(vec![keep(&login, &new)]).await.unwrap();
    assert!(!store.keep(world.tenant, login.session, at(10), &renewed).await.unwrap());
    assert_eq!(turn(&store, &world, &login, world.connection, 2, 20).await, Turn::Yours(new));
}

pub async fn tokens_outlive_their_session_for_offline_access(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let second = world.another_connection("second").await;
    let (offline, plain) = (world.login("ada", &["offline_access"]).await, world.login("bob", &["openid"]).await);
    let refresh = RefreshLifetimes { idle: seconds(1000), absolute_expires: at(2000) };
    for login in [&offline, &plain] {
        let kept = |connection| keep(login, &kept_tokens(login.person, connection, "r", 0));
        world.commit(vec![kept(world.connection), kept(second)]).await.unwrap();
        store.redeem(world.tenant, login.grant, Some(refresh), at(1)).await.unwrap();
    }
    let give_up = async |login: &Login, now| {
        let mut kept = store.give_up(world.tenant, login.session, at(now)).await.unwrap();
        kept.sort_by_key(|kept| kept.connection == second);
        kept.into_iter().map(|kept| (kept.person, kept.connection)).collect::<Vec<_>>()
    };
    let both = |login: &Login| [(login.person, world.connection), (login.person, second)];
    assert_eq!(give_up(&plain, 1).await, [], "the session lives");
    for login in [&offline, &plain] {
        world.commit(vec![Command::EndSession(login.session)]).await.unwrap();
    }
    assert_eq!(give_up(&plain, 1).await, both(&plain));
    assert_eq!(give_up(&plain, 1).await, [], "they are gone");
    assert_eq!(give_up(&offline, 1000).await, [], "a grant needs them");
    store.revoke(world.tenant, offline.grant, at(1)).await.unwrap();
    assert_eq!(give_up(&offline, 1001).await, both(&offline));
    assert_eq!(database.count("upstream_tokens").await, 0);

    // A session that expires is over too, a refresh family that nobody used for too long, and a code.
    for (n, redeemed, needed_until) in [(0, true, 1001), (1, false, 60)] {
        let login = world.login(&format!("late {n}"), &["offline_access"]).await;
        world.commit(vec![keep(&login, &kept_tokens(login.person, second, "r", 0))]).await.unwrap();
        if redeemed {
            store.redeem(world.tenant, login.grant, Some(refresh), at(1)).await.unwrap();
        }
        let over = Command::TouchSession { session: login.session, idle_expires: at(1) };
        world.commit(vec![over]).await.unwrap();
        assert_eq!(give_up(&login, needed_until - 1).await, []);
        assert_eq!(give_up(&login, needed_until).await, [(login.person, second)]);
    }
}

/// A session that nobody ends, and a grant that is revoked when its session is long over: nobody gives up their
/// tokens, and yet they don't stay.
pub async fn tokens_that_nobody_needs_are_swept(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let (offline, plain) = (world.login("ada", &["offline_access"]).await, world.login("bob", &["openid"]).await);
    let refresh = RefreshLifetimes { idle: seconds(100_000), absolute_expires: at(100_000) };
    for login in [&offline, &plain] {
        let kept = kept_tokens(login.person, world.connection, "r", 0);
        let kept = KeptTokens { expires: at(1_000_000), ..kept };
        world.commit(vec![keep(login, &kept)]).await.unwrap();
        store.redeem(world.tenant, login.grant, Some(refresh), at(1)).await.unwrap();
    }
    let short = world.login("eve", &["openid"]).await;
    let expires = KeptTokens { expires: at(100), ..kept_tokens(short.person, world.connection, "r", 0) };
    world.commit(vec![keep(&short, &expires)]).await.unwrap();
    let swept = async |now| store.system().janitor(at(now), at(0)).await.unwrap().upstream_tokens;
    assert_eq!(swept(100).await, 0);
    assert_eq!(swept(101).await, 1, "it has expired itself");
    assert_eq!(swept(3600).await, 0, "the sessions may still be there for a node whose clock is late");
    assert_eq!(swept(3601).await, 1, "one has expired, and nothing hangs on it");
    assert_eq!(swept(50_000).await, 0, "a grant needs the other's");
    store.revoke(world.tenant, offline.grant, at(50_000)).await.unwrap();
    assert_eq!(swept(50_001).await, 1);
}

pub async fn a_killed_person_gives_up_all(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let second = world.another_connection("second").await;
    let (ada, bob) = (world.login("ada", &["offline_access"]).await, world.login("bob", &[]).await);
    let ended = Login { person: ada.person, grant: GrantId::random(&OpensslRng), ..world.plan() };
    world.commit(vec![Command::StartSession(world.session(&ended))]).await.unwrap();
    let kept = |login: &Login, connection| keep(login, &kept_tokens(login.person, connection, "r", 0));
    world.commit(vec![kept(&ada, world.connection), kept(&ada, second)]).await.unwrap();
    world.commit(vec![kept(&ended, second), kept(&bob, second)]).await.unwrap();
    world.commit(vec![Command::EndSession(ended.session)]).await.unwrap();
    store.system().kill(Killed::Person(world.tenant, ada.person), at(1)).await.unwrap().unwrap();
    assert_eq!(store.give_up_all(world.tenant, ada.person).await.unwrap().len(), 3);
    assert_eq!(store.give_up_all(world.tenant, ada.person).await.unwrap(), []);
    assert_eq!(database.count("upstream_tokens").await, 1, "other people's stay");
}

/// Two nodes end one session, while a third one renews its tokens: each token is given to one of them, and
/// nothing is kept for a session that is over.
pub async fn each_token_is_given_up_to_one_caller(database: Database) {
    let (world, stores) = two(&database).await;
    let login = world.login("ada", &["openid"]).await;
    let old = kept_tokens(login.person, world.connection, "old", 0);
    world.commit(vec![keep(&login, &old)]).await.unwrap();
    assert_eq!(turn(&stores[0], &world, &login, world.connection, 1, 10).await, Turn::Yours(old.clone()));
    world.commit(vec![Command::EndSession(login.session)]).await.unwrap();
    let new = kept_tokens(login.person, world.connection, "new", 500);
    let count = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let all = race(&stores, {
        let (world, login, new) = (Arc::clone(&world), login.clone(), new.clone());
        move |store| {
            let (world, login, new) = (Arc::clone(&world), login.clone(), new.clone());
            let renews = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) == 1;
            async move {
                if renews {
                    let kept = store.keep(world.tenant, login.session, at(10), &new).await.unwrap();
                    return (kept, Vec::new());
                }
                (false, store.give_up(world.tenant, login.session, at(2)).await.unwrap())
            }
        }
    })
    .await;
    let renewed = all.iter().any(|(kept, _)| *kept);
    let given: Vec<KeptTokens> = all.into_iter().flat_map(|(_, given)| given).collect();
    assert_eq!(given, [if renewed { new } else { old }]);
    assert_eq!(database.count("upstream_tokens").await, 0);
}

async fn turn(store: &Store, world: &World, login: &Login, connection: ConnectionId, now: i64, lease: i64) -> Turn {
    let [now, lease]: [Timestamp; 2] = [at(now), at(lease)];
    store.take_turn(world.tenant, login.session, connection, now, lease).await.unwrap()
}

fn keep(login: &Login, kept: &KeptTokens) -> Command {
    Command::KeepUpstreamTokens { session: login.session, kept: Box::new(kept.clone()) }
}
