//! Handles and persistent identifiers.

use fedbridge_contract::downstream::NewNameId;
use fedbridge_contract::services::{Handles as _, NameIds};
use fedbridge_hub::ports::{Command, GuardFailed, UnitError};

use crate::support::{Database, World, at};

pub async fn a_handle_is_taken_once(database: Database) {
    let store = database.open().await;
    let (world, other) = (World::new(&store, "acme").await, World::new(&store, "globex").await);
    let tenant = world.tenant;
    store.put(tenant, "saml.request", "h1", b"canary value", at(600)).await.unwrap();
    assert_eq!(store.peek(tenant, "saml.request", "h1", at(1)).await.unwrap().as_deref(), Some(&b"canary value"[..]));
    for (whose, purpose, handle, now) in [
        (other.tenant, "saml.request", "h1", 1),
        (tenant, "saml.artifact", "h1", 1),
        (tenant, "saml.request", "h2", 1),
        (tenant, "saml.request", "h1", 600),
    ] {
        assert_eq!(store.peek(whose, purpose, handle, at(now)).await.unwrap(), None);
        assert_eq!(store.take(whose, purpose, handle, at(now)).await.unwrap(), None);
    }
    let takes = (0..8).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.take(tenant, "saml.request", "h1", at(1)).await.unwrap() })
    });
    let mut taken = 0;
    for take in takes.collect::<Vec<_>>() {
        taken += usize::from(take.await.unwrap().is_some());
    }
    assert_eq!(taken, 1);
    store.put(tenant, "saml.request", "h3", b"late", at(10)).await.unwrap();
    assert_eq!(store.system().janitor(at(11), at(0)).await.unwrap().handles, 1);
}

pub async fn a_persistent_identifier_stays(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let login = world.login("ada", &[]).await;
    let keep = |value: &str| {
        let new = NewNameId { qualifier: "https://wiki.example".into(), person: login.person, value: value.into() };
        vec![Command::KeepNameId(new)]
    };
    assert_eq!(store.find(world.tenant, "https://wiki.example", login.person).await.unwrap(), None);
    world.commit(keep("first")).await.unwrap();
    let again = world.commit(keep("second")).await;
    assert!(matches!(again, Err(UnitError::Guard(GuardFailed::NameIdExists))), "{again:?}");
    let found = async |qualifier: &str| NameIds::find(&store, world.tenant, qualifier, login.person).await.unwrap();
    assert_eq!(found("https://wiki.example").await.as_deref(), Some("first"));
    assert_eq!(found("https://mail.example").await, None);
    // Of somebody who is seen for the first time in the same unit.
    let plan = world.plan();
    let new = NewNameId { qualifier: "https://wiki.example".into(), person: plan.person, value: "third".into() };
    let unit = vec![Command::CreatePerson(world.link(plan.person, "grace")), Command::KeepNameId(new)];
    world.commit(unit).await.unwrap();
    assert_eq!(database.count("name_ids").await, 2);
}
