//! Kills: numbered in the order in which they can be seen, and told to whoever listens.

use std::time::Duration;

use fedbridge_contract::epoch::{Epoch, Killed};
use fedbridge_contract::ids::PersonId;
use fedbridge_contract::services::Grants as _;
use fedbridge_hub::ports::{ConfigStore as _, EpochStore as _, LoginStore as _, LogoutStore as _, Signals};
use fedbridge_hub::spec::ConfigChange;
use fedbridge_keys::OpensslRng;
use sea_orm::ConnectionTrait as _;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::support::{Database, World, at};

pub async fn kills_are_numbered_and_found(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let system = store.system();
    let before = system.versions().await.unwrap();
    assert_eq!((before.epoch, before.configuration), (Epoch(0), system.version().await.unwrap()));
    let (tenant, connection, app) = (world.tenant, world.connection, world.app);
    let kills = [Killed::App(tenant, app), Killed::Connection(tenant, connection), Killed::Tenant(tenant)];
    for (number, kill) in (1..).zip(kills) {
        assert_eq!(system.kill(kill, at(0)).await.unwrap(), Some(Epoch(number)));
    }
    let mut found = system.epochs_since(Epoch(0)).await.unwrap();
    found.sort_by_key(|(_, epoch)| *epoch);
    assert_eq!(found, kills.into_iter().zip((1..).map(Epoch)).collect::<Vec<_>>());
    assert_eq!(system.kill(kills[0], at(1)).await.unwrap(), Some(Epoch(4)), "again, with a new number");
    assert_eq!(system.epochs_since(Epoch(3)).await.unwrap(), [(kills[0], Epoch(4))]);
    // What is not there, or belongs to another tenant, takes no number.
    let other = World::new(&store, "globex").await;
    for kill in [
        Killed::App(tenant, other.app),
        Killed::Connection(tenant, other.connection),
        Killed::Tenant(fedbridge_contract::ids::TenantId::random(&OpensslRng)),
        Killed::Person(tenant, PersonId::random(&OpensslRng)),
    ] {
        assert_eq!(system.kill(kill, at(1)).await.unwrap(), None, "{kill:?}");
    }
    let after = system.versions().await.unwrap();
    assert_eq!(after.epoch, Epoch(4));
    assert_eq!(after.configuration, before.configuration + 1, "a kill is no change of the configuration");
}

pub async fn a_killed_person_keeps_nothing(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let system = store.system();
    let (login, other) = (world.login("ada", &["openid", "offline_access"]).await, world.login("bob", &[]).await);
    system.kill(Killed::Tenant(world.tenant), at(0)).await.unwrap();
    let kill = Killed::Person(world.tenant, login.person);
    assert_eq!(system.kill(kill, at(1)).await.unwrap(), Some(Epoch(2)));
    assert_eq!(system.versions().await.unwrap().epoch, Epoch(2));
    let of_people: Vec<_> = system.epochs_since(Epoch(1)).await.unwrap();
    assert_eq!(of_people, [], "it stands in the person's row");
    let standing = async |grant| store.find(world.tenant, grant, None, at(2)).await.unwrap().unwrap().standing;
    let dead = standing(login.grant).await;
    assert!(dead.revoked && dead.person_epoch == Epoch(2), "{dead:?}");
    let alive = standing(other.grant).await;
    assert!(!alive.revoked && alive.person_epoch == Epoch(0), "{alive:?}");
    let by_code = store.by_code(world.tenant, login.grant, &login.code, at(2)).await.unwrap().unwrap();
    assert_eq!(by_code.standing, dead);
    let session = store.session(world.tenant, login.session, &login.cookie, at(2)).await.unwrap().unwrap();
    assert_eq!(session.person_epoch, Epoch(2));
    let linked = store.linked_person(world.tenant, world.connection, "ada").await.unwrap().unwrap();
    assert_eq!((linked.person, linked.epoch, linked.disabled), (login.person, Epoch(2), false));
    let sessions = store.sessions_of_person(world.tenant, login.person, at(2)).await.unwrap();
    assert_eq!(sessions.iter().map(|session| session.id).collect::<Vec<_>>(), [login.session]);
    assert_eq!(store.sessions_of_person(world.tenant, login.person, at(99_999)).await.unwrap(), []);
    let stranger = World::new(&store, "globex").await;
    assert_eq!(store.sessions_of_person(stranger.tenant, login.person, at(2)).await.unwrap(), []);
}

/// Whoever reads a number must find every kill up to it: a node that has heard of 7 and not of 6 would stamp
/// 7 on what 6 has killed.
pub async fn no_number_is_seen_before_those_below_it(database: Database) {
    const WORLDS: usize = 12;
    let store = database.open().await;
    let mut objects = Vec::new();
    for number in 0..WORLDS {
        let world = World::new(&store, &format!("tenant-{number}")).await;
        objects.extend([
            Killed::Tenant(world.tenant),
            Killed::Connection(world.tenant, world.connection),
            Killed::App(world.tenant, world.app),
        ]);
    }
    let count = objects.len();
    let mut kills = JoinSet::new();
    for object in objects {
        let system = store.system();
        kills.spawn(async move { system.kill(object, at(0)).await.unwrap().unwrap() });
    }
    let system = store.system();
    loop {
        let newest = system.versions().await.unwrap().epoch;
        let mut found: Vec<_> = system.epochs_since(Epoch(0)).await.unwrap().iter().map(|(_, e)| e.0).collect();
        found.sort_unstable();
        let whole: Vec<_> = (1..=found.len() as i64).collect();
        assert_eq!(found, whole, "a number was seen before one below it");
        assert!(found.len() as i64 >= newest.0);
        if newest.0 == count as i64 {
            break;
        }
    }
    let numbers: std::collections::BTreeSet<_> = kills.join_all().await.into_iter().collect();
    assert_eq!(numbers.len(), count, "each kill has a number of its own");
}

/// PostgreSQL tells; on SQLite there is one process, and the poll serves.
pub async fn changes_are_told_at_once(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let node = database.open().await;
    let Some(mut signals) = node.system().signals().await.unwrap() else {
        assert!(matches!(database, Database::Sqlite(_)));
        return;
    };
    let silent = timeout(Duration::from_millis(200), signals.next()).await;
    assert!(silent.is_err(), "nothing has happened");
    world.login("ada", &["openid"]).await;
    assert!(timeout(Duration::from_millis(200), signals.next()).await.is_err(), "a login tells nobody");
    let heard = async |signals: &mut Box<dyn Signals>| timeout(Duration::from_secs(5), signals.next()).await.unwrap();
    let system = store.system();
    system.kill(Killed::App(world.tenant, world.app), at(0)).await.unwrap();
    heard(&mut signals).await.unwrap();
    let version = system.version().await.unwrap();
    system.apply(version, &[ConfigChange::PutApp(world.app_named("renamed"))]).await.unwrap();
    heard(&mut signals).await.unwrap();
    assert_eq!(system.apply(version, &[ConfigChange::PutApp(world.app_named("late"))]).await.ok(), None);
    system.kill(Killed::Person(world.tenant, PersonId::random(&OpensslRng)), at(0)).await.unwrap();
    let undone = timeout(Duration::from_millis(200), signals.next()).await;
    assert!(undone.is_err(), "what is undone tells nobody");
    // A connection that breaks says so, and another one can be had.
    let db = database.raw().await;
    let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'LISTEN%' \
               AND datname = current_database()";
    db.execute_unprepared(cut).await.unwrap();
    assert!(heard(&mut signals).await.is_err());
    let mut signals = node.system().signals().await.unwrap().unwrap();
    system.kill(Killed::App(world.tenant, world.app), at(0)).await.unwrap();
    heard(&mut signals).await.unwrap();
    drop(signals);
    timeout(Duration::from_secs(5), node.close()).await.unwrap().unwrap();
}

pub async fn kills_go_with_what_they_killed(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let (system, tenant) = (store.system(), world.tenant);
    for kill in [Killed::Tenant(tenant), Killed::App(tenant, world.app), Killed::Connection(tenant, world.connection)] {
        system.kill(kill, at(0)).await.unwrap();
    }
    let delete = async |change| {
        let version = system.version().await.unwrap();
        system.apply(version, &[change]).await.unwrap();
        database.count("epochs").await
    };
    assert_eq!(delete(ConfigChange::DeleteApp { tenant, id: world.app }).await, 2);
    let id = world.connection;
    assert_eq!(delete(ConfigChange::DeleteConnection { tenant, id, with_people: false }).await, 1);
    assert_eq!(delete(ConfigChange::DeleteTenant { id: tenant, with_people: false }).await, 0);
    assert_eq!(system.versions().await.unwrap().epoch, Epoch(3), "the number never goes back");
}
