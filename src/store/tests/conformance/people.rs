//! What hangs on a person: sessions, apps, consents, addresses.

use fedbridge_contract::ids::AppId;
use fedbridge_contract::services::{Grants as _, RefreshLifetimes};
use fedbridge_hub::ports::{
    Command, Consent, GuardFailed, LoginStore as _, NewLink, NewSession, PeopleStore, Unit, UnitError,
};
use fedbridge_keys::OpensslRng;

use crate::contention::two;
use crate::support::{Database, Login, World, at, hash, seconds};

pub async fn sessions_and_grants_of_a_person(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let (ada, bob) = (world.login("ada", &["openid"]).await, world.login("bob", &["openid"]).await);
    // The same person in another browser, with offline access, and with a code that nobody redeems.
    let [offline, unused] = [(); 2].map(|()| Login { person: ada.person, ..world.plan() });
    let newer = NewSession { idle_expires: at(2000), ..world.session(&offline) };
    world
        .commit(vec![
            Command::StartSession(newer),
            Command::InsertGrant(world.grant(&offline, &["openid", "offline_access"])),
            Command::InsertGrant(world.grant(&unused, &["openid"])),
        ])
        .await
        .unwrap();
    let refresh = RefreshLifetimes { idle: seconds(5000), absolute_expires: at(9000) };
    for login in [&ada, &offline, &bob] {
        store.redeem(world.tenant, login.grant, Some(refresh), at(1)).await.unwrap();
    }
    let sessions = async |now| {
        let found = PeopleStore::sessions(&store, world.tenant, ada.person, at(now)).await.unwrap();
        found.iter().map(|session| session.id).collect::<Vec<_>>()
    };
    let mut both = vec![ada.session, offline.session];
    both.sort();
    both.reverse();
    assert_eq!(sessions(1).await, both, "newest first");
    assert_eq!(sessions(1900).await, [offline.session]);
    assert_eq!(sessions(2000).await, []);

    let grants = async |now| {
        let found = PeopleStore::grants(&store, world.tenant, ada.person, at(now)).await.unwrap();
        found.iter().inspect(|(_, app)| assert_eq!(*app, world.app)).map(|(grant, _)| *grant).collect::<Vec<_>>()
    };
    let mut refreshable = vec![ada.grant, offline.grant];
    refreshable.sort();
    refreshable.reverse();
    assert_eq!(grants(2).await, refreshable);
    let unrevoked = async |now| {
        let mut found = store.unrevoked(world.tenant, ada.person, at(now)).await.unwrap();
        found.sort();
        found
    };
    let mut all = vec![ada.grant, offline.grant, unused.grant];
    all.sort();
    assert_eq!(unrevoked(2).await, all, "a code that waits is one of them");
    assert_eq!(grants(1800).await, [offline.grant], "the other one's session is over");
    assert_eq!(grants(5001).await, [], "nobody has refreshed it for too long");

    assert_eq!(store.revoke_app(world.tenant, ada.person, another_app(), at(3)).await.unwrap(), 0);
    assert_eq!(store.revoke_app(world.tenant, ada.person, world.app, at(3)).await.unwrap(), 3);
    assert_eq!(store.revoke_app(world.tenant, ada.person, world.app, at(3)).await.unwrap(), 0);
    assert_eq!(grants(4).await, []);
    assert_eq!(unrevoked(4).await, []);
    for login in [&ada, &offline, &unused] {
        assert!(store.find(world.tenant, login.grant, None, at(4)).await.unwrap().unwrap().standing.revoked);
    }
    assert!(!store.find(world.tenant, bob.grant, None, at(4)).await.unwrap().unwrap().standing.revoked);
}

pub async fn consents_are_kept_and_forgotten(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let (ada, bob) = (world.login("ada", &[]).await, world.login("bob", &[]).await);
    let consent = |items: &[&str], when| Consent {
        app: world.app,
        items: items.iter().map(|item| (*item).to_owned()).collect(),
        at: at(when),
    };
    let kept = async || store.consent(world.tenant, ada.person, world.app).await.unwrap();
    let keep = |consent| Command::KeepConsent { person: ada.person, consent };
    assert_eq!(kept().await, None);
    world.commit(vec![keep(consent(&["email", "openid"], 1))]).await.unwrap();
    assert_eq!(kept().await, Some(consent(&["email", "openid"], 1)));
    world.commit(vec![keep(consent(&["\"odd\", \\ ü"], 2))]).await.unwrap();
    assert_eq!(store.consents(world.tenant, ada.person).await.unwrap(), [consent(&["\"odd\", \\ ü"], 2)]);
    assert_eq!(store.consents(world.tenant, bob.person).await.unwrap(), []);
    let forget = |person| Command::ForgetConsent { person, app: world.app };
    world.commit(vec![forget(bob.person)]).await.unwrap();
    assert!(kept().await.is_some());
    world.commit(vec![forget(ada.person)]).await.unwrap();
    assert_eq!(kept().await, None);
    let nobody = Command::KeepConsent { person: world.plan().person, consent: consent(&[], 1) };
    assert!(world.commit(vec![nobody]).await.is_err(), "there is no such person");
    let no_app = Consent { app: another_app(), ..consent(&[], 1) };
    assert!(world.commit(vec![keep(no_app)]).await.is_err(), "there is no such app");

    // With the person that it is of, in one unit.
    let plan = world.plan();
    let created = Command::CreatePerson(world.link(plan.person, "new"));
    let first = Command::KeepConsent { person: plan.person, consent: consent(&["openid"], 3) };
    world.commit(vec![created, first]).await.unwrap();
    assert_eq!(store.consents(world.tenant, plan.person).await.unwrap().len(), 1);
}

pub async fn a_consent_is_held_as_it_was_read(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let (ada, bob) = (world.login("ada", &[]).await, world.login("bob", &[]).await);
    let consent = |when| Consent { app: world.app, items: vec!["openid".into()], at: at(when) };
    let keep = async |when| {
        world.commit(vec![Command::KeepConsent { person: ada.person, consent: consent(when) }]).await.unwrap();
    };
    // Beside a grant, which is there only if the consent held.
    let hold = async |person, app, when| {
        let login = Login { person, ..world.plan() };
        let held = Command::HoldConsent { person, app, at: at(when) };
        let done = world.commit(vec![held, Command::InsertGrant(world.grant(&login, &["openid"]))]).await;
        let granted = store.find(world.tenant, login.grant, None, at(5)).await.unwrap().is_some();
        assert_eq!(granted, done.is_ok(), "whole or not at all");
        match done {
            Ok(()) => true,
            Err(UnitError::Guard(GuardFailed::ConsentChanged)) => false,
            Err(other) => panic!("{other:?}"),
        }
    };
    assert!(!hold(ada.person, world.app, 1).await, "nothing was allowed");
    keep(1).await;
    assert!(hold(ada.person, world.app, 1).await);
    assert!(hold(ada.person, world.app, 1).await, "it stays as it is");
    assert_eq!(store.consent(world.tenant, ada.person, world.app).await.unwrap(), Some(consent(1)));
    assert!(!hold(bob.person, world.app, 1).await, "it is somebody else's");
    assert!(!hold(ada.person, another_app(), 1).await, "it is for another app");
    // Forgotten and given again is another one.
    world.commit(vec![Command::ForgetConsent { person: ada.person, app: world.app }]).await.unwrap();
    assert!(!hold(ada.person, world.app, 1).await);
    keep(2).await;
    assert!(!hold(ada.person, world.app, 1).await);
    assert!(hold(ada.person, world.app, 2).await);
}

/// A person takes back what an app may have, and then what it got, while it gets something on another node: no
/// grant is left.
pub async fn no_login_outruns_a_forgotten_consent(database: Database) {
    let (world, stores) = two(&database).await;
    let ada = world.login("ada", &[]).await;
    let (person, app) = (ada.person, world.app);
    let unit = |commands| Unit { commands, now: at(1) };
    for round in 0..20 {
        let consent = Consent { app, items: vec!["openid".into()], at: at(round) };
        world.commit(vec![Command::KeepConsent { person, consent }]).await.unwrap();
        let late = Login { person, ..world.plan() };
        let logs_in = async {
            let hold = Command::HoldConsent { person, app, at: at(round) };
            let commands = vec![hold, Command::InsertGrant(world.grant(&late, &["openid"]))];
            stores[0].commit(world.tenant, unit(commands)).await
        };
        let forgets = async {
            stores[1].commit(world.tenant, unit(vec![Command::ForgetConsent { person, app }])).await.unwrap();
            stores[1].revoke_app(world.tenant, person, app, at(1)).await.unwrap();
        };
        let (logged_in, ()) = futures_util::future::join(logs_in, forgets).await;
        let found = stores[0].find(world.tenant, late.grant, None, at(1)).await.unwrap();
        match logged_in {
            Ok(()) => assert!(found.unwrap().standing.revoked, "round {round}"),
            Err(UnitError::Guard(GuardFailed::ConsentChanged)) => assert!(found.is_none(), "round {round}"),
            Err(other) => panic!("{other:?}"),
        }
    }
}

pub async fn an_address_is_found_by_its_hash(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let second = world.another_connection("second").await;
    let (shared, own) = (hash("shared@example.org"), hash("own@example.org"));
    let person = async |subject: &str, email| {
        let person = world.plan().person;
        let link = NewLink { email, ..world.link(person, subject) };
        world.commit(vec![Command::CreatePerson(link)]).await.unwrap();
        person
    };
    let by_email = async |email| store.by_email(world.tenant, email).await.unwrap();
    person("nobody", None).await;
    assert_eq!(by_email(&shared).await, []);
    let ada = person("ada", Some(shared)).await;
    let bob = person("bob", Some(own)).await;
    let link = NewLink { connection: second, email: Some(shared), ..world.link(bob, "bob@second") };
    world.commit(vec![Command::LinkIdentity(link)]).await.unwrap();
    let mut people: Vec<_> = by_email(&shared).await.iter().map(|it| (it.connection, it.person)).collect();
    people.sort_by_key(|(connection, _)| *connection == second);
    assert_eq!(people, [(world.connection, ada), (second, bob)]);
    assert_eq!(by_email(&own).await.len(), 1);
    for n in 0..10 {
        person(&format!("crowd {n}"), Some(hash("crowd"))).await;
    }
    assert_eq!(by_email(&hash("crowd")).await.len(), 5);
    // Of one connection, and all of them: whoever is to lose what they hold must not hide in a crowd.
    let crowd = hash("crowd");
    let people = async |connection, email| store.people_by_email(world.tenant, connection, email).await.unwrap();
    assert_eq!(people(world.connection, &crowd).await.len(), 10);
    assert_eq!(people(second, &crowd).await, []);
    assert_eq!(people(world.connection, &shared).await, [ada]);
    assert_eq!(people(second, &shared).await, [bob]);
}

fn another_app() -> AppId {
    AppId::random(&OpensslRng)
}
