//! What partners have seen of our keys, and rollovers under way.

use fedbridge_contract::ids::ConnectionId;
use fedbridge_contract::keys::KeyPurpose;
use fedbridge_contract::logout::Party;
use fedbridge_contract::sightings::Sighting;
use fedbridge_hub::ports::{
    ApplyError, ConfigStore as _, NewSighting, Rollover, RolloverPhase, RolloverStore as _, StoredSighting,
};
use fedbridge_hub::spec::ConfigChange;
use fedbridge_keys::OpensslRng;

use crate::support::{Database, World, at};

fn new(world: &World, party: Party, kid: &str, how: Sighting, seconds: i64) -> NewSighting {
    NewSighting { tenant: world.tenant, party, kid: kid.into(), how, at: at(seconds) }
}

pub async fn sightings_keep_the_first_and_the_last_time(database: Database) {
    let store = database.open().await;
    let (ours, theirs) = (World::new(&store, "ours").await, World::new(&store, "theirs").await);
    let system = store.system();
    let (connection, app) = (Party::Connection(ours.connection), Party::App(ours.app));
    system.note_sightings(&[]).await.unwrap();
    let batch = [
        new(&ours, connection, "k1", Sighting::Published, 20),
        new(&ours, connection, "k1", Sighting::Published, 10),
        new(&ours, connection, "k1", Sighting::Published, 15),
        new(&ours, connection, "k1", Sighting::EncryptedTo, 11),
        new(&ours, connection, "k2", Sighting::Verified, 12),
        new(&ours, app, "k1", Sighting::Confirmed, 13),
        new(&theirs, Party::App(theirs.app), "k1", Sighting::Published, 14),
    ];
    system.note_sightings(&batch).await.unwrap();
    system.note_sightings(&[new(&ours, connection, "k1", Sighting::EncryptedTo, 90)]).await.unwrap();
    let stored = |party, kid: &str, how, first, last| StoredSighting {
        party,
        kid: kid.into(),
        how,
        first: at(first),
        last: at(last),
    };
    let mut expected = vec![
        stored(app, "k1", Sighting::Confirmed, 13, 13),
        stored(connection, "k1", Sighting::EncryptedTo, 11, 90),
        stored(connection, "k1", Sighting::Published, 10, 20),
        stored(connection, "k2", Sighting::Verified, 12, 12),
    ];
    let order = |seen: &StoredSighting| (seen.party, seen.kid.clone(), seen.how);
    expected.sort_by_key(order);
    let mut found = system.sightings(ours.tenant).await.unwrap();
    found.sort_by_key(order);
    assert_eq!(found, expected);
    let last =
        async |world: &World, party, kid, how| system.last_sighting(world.tenant, party, kid, how).await.unwrap();
    assert_eq!(last(&ours, connection, "k1", Sighting::EncryptedTo).await, Some(at(90)));
    assert_eq!(last(&ours, connection, "k1", Sighting::Presented).await, None);
    assert_eq!(last(&theirs, connection, "k1", Sighting::EncryptedTo).await, None);
    assert_eq!(
        system.sightings(theirs.tenant).await.unwrap(),
        [stored(Party::App(theirs.app), "k1", Sighting::Published, 14, 14)]
    );
}

/// A batch crosses tenants and comes late: who is gone by then must not undo it, and leaves nothing behind.
pub async fn a_partner_that_is_gone_is_left_out(database: Database) {
    let store = database.open().await;
    let (ours, theirs) = (World::new(&store, "ours").await, World::new(&store, "theirs").await);
    let system = store.system();
    let there = new(&ours, Party::App(ours.app), "k1", Sighting::Published, 1);
    let batch = [
        new(&ours, Party::Connection(ConnectionId::random(&OpensslRng)), "k1", Sighting::Published, 1),
        new(&ours, Party::Connection(theirs.connection), "k1", Sighting::Published, 1),
        there.clone(),
    ];
    system.note_sightings(&batch).await.unwrap();
    let found = system.sightings(ours.tenant).await.unwrap();
    assert_eq!(found.iter().map(|seen| seen.party).collect::<Vec<_>>(), [there.party]);
    assert_eq!(system.sightings(theirs.tenant).await.unwrap(), []);

    let gone = ConfigChange::DeleteApp { tenant: ours.tenant, id: ours.app };
    system.apply(system.version().await.unwrap(), &[gone]).await.unwrap();
    system.note_sightings(&[there]).await.unwrap();
    assert_eq!(system.sightings(ours.tenant).await.unwrap(), []);
}

pub async fn rollovers_change_with_the_configuration(database: Database) {
    let store = database.open().await;
    let (ours, theirs) = (World::new(&store, "ours").await, World::new(&store, "theirs").await);
    let system = store.system();
    let announced = Rollover {
        tenant: ours.tenant,
        purpose: KeyPurpose::SamlSigning,
        phase: RolloverPhase::Announced,
        started: at(1),
        switch_at: Some(at(500)),
        switched: None,
        retire_at: None,
        forced: true,
    };
    let other = Rollover { purpose: KeyPurpose::SamlDecryption, switch_at: None, ..announced.clone() };
    let foreign = Rollover { tenant: theirs.tenant, forced: false, ..announced.clone() };
    let version = system.version().await.unwrap();
    let put = [&announced, &other, &foreign].map(|it| ConfigChange::PutRollover(it.clone()));
    let raised = system.apply(version, &put).await.unwrap();
    assert!(raised > version);
    assert_eq!(system.rollovers(Some(ours.tenant)).await.unwrap(), [other.clone(), announced.clone()]);
    assert_eq!(system.rollovers(Some(theirs.tenant)).await.unwrap(), std::slice::from_ref(&foreign));
    assert_eq!(system.rollovers(None).await.unwrap().len(), 3);
    let changed = system.load_since(version).await.unwrap().tenants;
    assert_eq!(changed.len(), 2, "other nodes hear of it");

    let switched = Rollover {
        phase: RolloverPhase::Switched,
        switch_at: None,
        switched: Some(at(500)),
        retire_at: Some(at(900)),
        forced: false,
        ..announced
    };
    let stale = system.apply(version, &[ConfigChange::PutRollover(switched.clone())]).await;
    assert!(matches!(stale, Err(ApplyError::Conflict)), "of two nodes one switches");
    let raised = system.apply(raised, &[ConfigChange::PutRollover(switched.clone())]).await.unwrap();
    assert_eq!(system.rollovers(Some(ours.tenant)).await.unwrap(), [other.clone(), switched]);

    let end = ConfigChange::EndRollover { tenant: ours.tenant, purpose: KeyPurpose::SamlSigning };
    let raised = system.apply(raised, &[end]).await.unwrap();
    assert_eq!(system.rollovers(None).await.unwrap().len(), 2);
    assert_eq!(system.rollovers(Some(ours.tenant)).await.unwrap(), [other]);
    let gone = ConfigChange::DeleteTenant { id: ours.tenant, with_people: true };
    system.apply(raised, &[gone]).await.unwrap();
    assert_eq!(system.rollovers(None).await.unwrap(), [foreign], "a rollover goes with its tenant");
}
