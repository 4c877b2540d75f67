//! Logouts: who is in a session, who is told, and that nobody is told twice.

use std::time::Duration;

use fedbridge_contract::ids::{AppId, LogoutId, SessionId};
use fedbridge_contract::logout::{Participant, Told};
use fedbridge_hub::ports::{Command, LogoutOutbox as _, LogoutStore as _, NewLogout, NewSession, StoredSession};
use fedbridge_keys::OpensslRng;
use serde_json::json;

use crate::support::{Database, Login, World, at};

fn participant(app: AppId, key: &str, index: Option<&str>) -> Participant {
    Participant { app, key: key.into(), index: index.map(str::to_owned), memory: json!({"name_id": key}) }
}

fn join(login: &Login, participant: &Participant) -> Command {
    Command::Join { session: login.session, expires: at(3600), participant: participant.clone() }
}

fn ids(sessions: &[StoredSession]) -> Vec<SessionId> {
    sessions.iter().map(|session| session.id).collect()
}

async fn end(world: &World, sessions: &[SessionId]) -> LogoutId {
    let id = LogoutId::at(at(1), &OpensslRng);
    let new = NewLogout { id, sessions: sessions.to_vec(), expires: at(900), sealed: b"record".to_vec() };
    let ends = sessions.iter().map(|session| Command::EndSession(*session));
    world.commit(ends.chain([Command::OpenLogout(new)]).collect()).await.unwrap();
    id
}

pub async fn sessions_are_found_by_what_peers_call_them(database: Database) {
    let store = database.open().await;
    let (world, other) = (World::new(&store, "acme").await, World::new(&store, "globex").await);
    let (tenant, wiki) = (world.tenant, AppId::random(&OpensslRng));
    let (ada, again) = (world.login("ada", &[]).await, world.login("ada too", &[]).await);
    world.commit(vec![join(&ada, &participant(wiki, "ada", Some("one")))]).await.unwrap();
    world.commit(vec![join(&again, &participant(wiki, "ada", Some("two")))]).await.unwrap();

    let named = async |key: &str, indexes: &[&str], now| {
        let indexes: Vec<String> = indexes.iter().map(|&index| index.to_owned()).collect();
        ids(&store.sessions_of_participant(tenant, wiki, key, &indexes, at(now)).await.unwrap())
    };
    assert_eq!(named("ada", &[], 1).await.len(), 2);
    assert_eq!(named("ada", &["two", "three"], 1).await, [again.session]);
    assert_eq!(named("ada", &["three"], 1).await, []);
    assert_eq!(named("grace", &[], 1).await, []);
    assert_eq!(named("ada", &[], 3601).await, [], "a session that is over is not found");
    // A second login of the same app renews its part.
    world.commit(vec![join(&again, &participant(wiki, "renamed", None))]).await.unwrap();
    assert_eq!(named("ada", &[], 1).await, [ada.session]);
    assert_eq!(named("renamed", &[], 1).await, [again.session]);

    let upstream = Some(("ada@idp".to_owned(), Some("s1".to_owned())));
    let renewed = NewSession { upstream, ..world.session(&ada) };
    world.commit(vec![Command::RenewSession(renewed)]).await.unwrap();
    let of_upstream = async |key: &str, indexes: &[String]| {
        ids(&store.sessions_of_upstream(tenant, world.connection, key, indexes, at(1)).await.unwrap())
    };
    assert_eq!(of_upstream("ada@idp", &[]).await, [ada.session]);
    assert_eq!(of_upstream("ada@idp", &["s1".into()]).await, [ada.session]);
    assert_eq!(of_upstream("ada@idp", &["s2".into()]).await, []);
    assert_eq!(of_upstream("grace@idp", &[]).await, []);

    assert_eq!(store.session_by_id(tenant, ada.session, at(1)).await.unwrap().unwrap().person, ada.person);
    assert_eq!(store.session_by_id(other.tenant, ada.session, at(1)).await.unwrap(), None);
    assert_eq!(store.sessions_of_participant(other.tenant, wiki, "ada", &[], at(1)).await.unwrap(), []);
    assert_eq!(store.sessions_of_upstream(other.tenant, world.connection, "ada@idp", &[], at(1)).await.unwrap(), []);
}

pub async fn a_session_is_found_by_each_of_its_upstreams(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let (tenant, first) = (world.tenant, world.connection);
    let [second, third] = [world.another_connection("second").await, world.another_connection("third").await];
    let (ada, bob) = (world.login("ada", &[]).await, world.login("bob", &[]).await);
    let own = |login: &Login, connection, key: &str, index: &str| NewSession {
        connection,
        upstream: Some((key.to_owned(), Some(index.to_owned()))),
        ..world.session(login)
    };
    let also = |connection, key: Option<&str>, index: Option<&str>| Command::AlsoUpstream {
        session: ada.session,
        connection,
        key: key.map(str::to_owned),
        index: index.map(str::to_owned),
        expires: at(3600),
    };
    let by_key = async |connection, key: &str, indexes: &[&str]| {
        let indexes: Vec<String> = indexes.iter().map(|&index| index.to_owned()).collect();
        ids(&store.sessions_of_upstream(tenant, connection, key, &indexes, at(1)).await.unwrap())
    };
    let by_index = async |connection, index: &str, now| {
        ids(&store.sessions_of_upstream_index(tenant, connection, index, at(now)).await.unwrap())
    };
    // Ada came by the first, then by the second too. The newest stands in the session's own row.
    world.commit(vec![Command::RenewSession(own(&bob, first, "bob", "s-bob"))]).await.unwrap();
    let renew = Command::RenewSession(own(&ada, second, "ada@second", "s-2"));
    world.commit(vec![renew, also(first, Some("ada"), Some("s-1"))]).await.unwrap();
    for (connection, key, index) in [(first, "ada", "s-1"), (second, "ada@second", "s-2")] {
        assert_eq!(by_key(connection, key, &[]).await, [ada.session]);
        assert_eq!(by_key(connection, key, &[index]).await, [ada.session]);
        assert_eq!(by_key(connection, key, &["other"]).await, []);
        assert_eq!(by_index(connection, index, 1).await, [ada.session]);
        assert_eq!(by_index(connection, "other", 1).await, []);
        assert_eq!(by_index(connection, index, 3600).await, [], "a session that is over is not found");
    }
    assert_eq!(by_key(third, "ada", &[]).await, []);
    assert_eq!(by_key(first, "ada@second", &[]).await, []);
    assert_eq!(by_index(second, "s-1", 1).await, [], "an index is of its connection");
    assert_eq!(by_index(first, "s-bob", 1).await, [bob.session]);
    let other = World::new(&store, "globex").await.tenant;
    assert_eq!(store.sessions_of_upstream_index(other, first, "s-1", at(1)).await.unwrap(), []);

    // By the same upstream again: the newest counts, and the session comes once.
    world.commit(vec![also(first, Some("ada"), Some("s-3"))]).await.unwrap();
    assert_eq!((by_index(first, "s-1", 1).await, by_index(first, "s-3", 1).await), (vec![], vec![ada.session]));
    world.commit(vec![Command::RenewSession(own(&ada, first, "ada", "s-3"))]).await.unwrap();
    assert_eq!(by_key(first, "ada", &[]).await, [ada.session]);
    assert_eq!(by_index(first, "s-3", 1).await, [ada.session]);
    world.commit(vec![also(third, None, None)]).await.unwrap();
    assert_eq!(by_key(third, "", &[]).await, [], "an upstream that can't log out is not found by nothing");

    world.commit(vec![Command::EndSession(ada.session)]).await.unwrap();
    assert_eq!(by_index(first, "s-3", 1).await, []);
    assert_eq!(database.count("session_upstreams").await, 0);
}

pub async fn what_upstreams_were_told_is_noted(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let (tenant, app) = (world.tenant, AppId::random(&OpensslRng));
    let second = world.another_connection("second").await;
    let login = world.login("ada", &[]).await;
    world.commit(vec![join(&login, &participant(app, "ada", None))]).await.unwrap();
    let id = end(&world, &[login.session]).await;
    let note = async |connection, told| store.note_upstream(tenant, id, connection, told, at(2)).await.unwrap();
    note(world.connection, Told::Silent).await;
    note(second, Told::Done).await;
    note(world.connection, Told::Partial).await;
    let notices = store.spread(tenant, id, None, at(3)).await.unwrap();
    assert_eq!(notices.len(), 1, "an upstream is no participant");
    let logout = store.logout(tenant, id).await.unwrap().unwrap();
    assert_eq!(logout.notices, notices);
    let mut told = logout.upstreams;
    told.sort_by_key(|(connection, _)| *connection != world.connection);
    assert_eq!(told, [(world.connection, Told::Partial), (second, Told::Done)], "the last word counts");
    let claimed = store.system().claim(at(60), Duration::from_secs(5), 10).await.unwrap();
    assert_eq!(claimed.iter().map(|notice| notice.participant.app).collect::<Vec<_>>(), [app]);
    assert_eq!(store.system().janitor(at(9000), at(0)).await.unwrap().logout_notices, 3);
}

pub async fn a_logout_tells_everybody_but_its_asker_once(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let tenant = world.tenant;
    let login = world.login("ada", &[]).await;
    let [wiki, mail, asker] = [(); 3].map(|()| AppId::random(&OpensslRng));
    let told_wiki = participant(wiki, "ada", Some("one"));
    for new in [&told_wiki, &participant(mail, "ada", None), &participant(asker, "ada", None)] {
        world.commit(vec![join(&login, new)]).await.unwrap();
    }
    let id = end(&world, &[login.session]).await;
    let notices = store.spread(tenant, id, Some(asker), at(1)).await.unwrap();
    assert_eq!(notices.len(), 2);
    let notice = notices.iter().find(|notice| notice.participant.app == wiki).unwrap();
    assert_eq!((&notice.participant, notice.session, notice.told), (&told_wiki, login.session, None));
    assert_eq!(store.spread(tenant, id, None, at(2)).await.unwrap(), notices, "a second time does nothing more");
    assert_eq!(database.count("participants").await, 0);

    assert!(store.settle(tenant, id, wiki, Told::Partial, at(2)).await.unwrap());
    assert!(!store.settle(tenant, id, wiki, Told::Done, at(2)).await.unwrap(), "the first answer stays");
    assert!(!store.settle(tenant, id, asker, Told::Done, at(2)).await.unwrap());
    let logout = store.logout(tenant, id).await.unwrap().unwrap();
    assert_eq!((logout.started, logout.sealed.as_slice()), (at(0), b"record".as_slice()));
    let told = |app| logout.notices.iter().find(|notice| notice.participant.app == app).unwrap().told;
    assert_eq!((told(wiki), told(mail)), (Some(Told::Partial), None));
    let other = World::new(&store, "globex").await.tenant;
    assert_eq!(store.logout(other, id).await.unwrap(), None);
    assert_eq!(store.spread(other, id, None, at(2)).await.unwrap(), []);
    assert!(!store.settle(other, id, mail, Told::Done, at(2)).await.unwrap());
}

pub async fn the_outbox_leases_and_gives_up(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let (tenant, app) = (world.tenant, AppId::random(&OpensslRng));
    let (told, left) = (world.login("ada", &[]).await, world.login("grace", &[]).await);
    for login in [&told, &left] {
        world.commit(vec![join(login, &participant(app, "key", None))]).await.unwrap();
    }
    let first = end(&world, &[told.session]).await;
    store.spread(tenant, first, None, at(1)).await.unwrap();
    // Its node dies before it spreads this one.
    let second = end(&world, &[left.session]).await;

    let outbox = store.system();
    let claim = async |now| {
        let claimed = outbox.claim(at(now), Duration::from_secs(5), 10).await.unwrap();
        let mut logouts: Vec<_> = claimed.into_iter().map(|notice| notice.logout).collect();
        logouts.sort();
        logouts
    };
    assert_eq!(claim(5).await, [], "the node that carries the logout comes first");
    assert_eq!(claim(12).await, [first]);
    assert_eq!(claim(13).await, [], "leased");
    assert_eq!(claim(18).await, [first], "the lease is over");
    store.put_off(tenant, first, app, at(60)).await.unwrap();
    assert_eq!(claim(30).await, [second], "spread by the outbox");
    store.settle(tenant, second, app, Told::Done, at(30)).await.unwrap();
    assert_eq!(claim(61).await, [first]);
    store.put_off(tenant, first, app, at(200)).await.unwrap();
    let notice = store.logout(tenant, first).await.unwrap().unwrap().notices.remove(0);
    assert_eq!((notice.told, notice.attempts), (Some(Told::Silent), 2));
    assert_eq!(claim(300).await, []);

    let swept = outbox.janitor(at(901), at(0)).await.unwrap();
    assert_eq!((swept.logouts, swept.logout_notices), (2, 0));
    let swept = outbox.janitor(at(5000), at(0)).await.unwrap();
    assert_eq!((swept.logout_notices, swept.more), (2, false));
}
