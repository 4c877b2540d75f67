//! Documents of partners, as a part of the configuration.

use fedbridge_contract::documents::{Drift, DriftEffect};
use fedbridge_contract::logout::Party;
use std::time::Duration;

use fedbridge_hub::ports::{
    ConfigStore as _, DocumentStanding, DocumentStore as _, HeldDocument, Look, NewDocument, StoredDocument,
};
use fedbridge_hub::spec::ConfigChange;
use fedbridge_store::{Store, SystemStore};

use crate::support::{Database, World, at};

pub async fn documents_come_with_the_configuration(database: Database) {
    let store = database.open().await;
    let (world, other) = (World::new(&store, "acme").await, World::new(&store, "globex").await);
    let system = store.system();
    let drift = Drift { what: "host".into(), before: Some("a".into()), after: None, effect: DriftEffect::Weakens };
    let current = NewDocument {
        xml: "<EntityDescriptor/>".into(),
        etag: Some("\"1\"".into()),
        valid_until: Some(at(9000)),
        fetched: at(1),
        next_look: at(600),
    };
    let of_connection = StoredDocument {
        tenant: world.tenant,
        party: Party::Connection(world.connection),
        url: "https://idp.example/metadata".into(),
        current,
        last_look: at(2),
        next_look: at(600),
        failures: 3,
        last_failure: Some("no answer".into()),
        held: Some(HeldDocument { xml: "<other/>".into(), drift: vec![drift], since: at(3) }),
    };
    let of_app =
        StoredDocument { party: Party::App(world.app), held: None, last_failure: None, ..of_connection.clone() };
    let apply = async |changes: &[ConfigChange]| {
        system.apply(system.version().await.unwrap(), changes).await.unwrap();
        let mut documents = system.load().await.unwrap().tenants.remove(&world.tenant).unwrap().documents;
        documents.sort_by_key(|document| document.party);
        documents
    };
    let put = [ConfigChange::PutDocument(of_connection.clone()), ConfigChange::PutDocument(of_app.clone())];
    assert_eq!(apply(&put).await, [of_app.clone(), of_connection.clone()]);
    assert!(system.load().await.unwrap().tenants[&other.tenant].documents.is_empty());

    let moved =
        StoredDocument { url: "https://idp.example/new".into(), held: None, failures: 0, ..of_connection.clone() };
    assert_eq!(apply(&[ConfigChange::PutDocument(moved.clone())]).await, [of_app.clone(), moved.clone()]);
    let foreign = ConfigChange::DeleteDocument { tenant: other.tenant, party: of_app.party };
    assert_eq!(apply(&[foreign]).await.len(), 2);
    let delete = ConfigChange::DeleteDocument { tenant: world.tenant, party: of_app.party };
    assert_eq!(apply(&[delete]).await, [moved]);
    let gone = ConfigChange::DeleteConnection { tenant: world.tenant, id: world.connection, with_people: true };
    assert_eq!(apply(&[gone]).await, [], "a document goes with its connection");
}

/// A tenant whose connection has a document that is due at 600.
async fn fetched(store: &Store) -> (World, SystemStore) {
    let world = World::new(store, "acme").await;
    let system = store.system();
    let current =
        NewDocument { xml: "<first/>".into(), etag: None, valid_until: None, fetched: at(1), next_look: at(600) };
    let document = StoredDocument {
        tenant: world.tenant,
        party: Party::Connection(world.connection),
        url: "https://idp.example/metadata".into(),
        current,
        last_look: at(1),
        next_look: at(600),
        failures: 0,
        last_failure: None,
        held: None,
    };
    system.apply(system.version().await.unwrap(), &[ConfigChange::PutDocument(document)]).await.unwrap();
    (world, system)
}

pub async fn one_of_two_nodes_looks(database: Database) {
    let store = database.open().await;
    let (world, system) = fetched(&store).await;
    let other = database.open().await.system();
    let lease = Duration::from_secs(120);
    assert_eq!(system.claim_due(at(599), lease, 10).await.unwrap(), []);
    let (one, two) = tokio::join!(system.claim_due(at(600), lease, 10), other.claim_due(at(600), lease, 10));
    assert_eq!(one.unwrap().len() + two.unwrap().len(), 1);
    assert_eq!(system.claim_due(at(719), lease, 10).await.unwrap(), [], "the lease holds");
    assert_eq!(other.claim_due(at(720), lease, 10).await.unwrap().len(), 1, "who died is followed");

    let party = Party::Connection(world.connection);
    let version = system.version().await.unwrap();
    let look = |result| Look { at: at(730), next: at(800), result };
    system.looked(world.tenant, party, look(Err("no answer".into()))).await.unwrap();
    system.looked(world.tenant, party, look(Err("no answer".into()))).await.unwrap();
    let seen = system.document(world.tenant, party).await.unwrap().unwrap();
    assert_eq!((seen.failures, seen.last_failure.as_deref(), seen.next_look), (2, Some("no answer"), at(800)));
    assert_eq!(seen.current.xml, "<first/>", "the last good one stays");
    assert_eq!(seen.last_look, at(1), "a failed look confirms nothing");
    let standing = DocumentStanding { tenant: world.tenant, party, confirmed: at(1), failures: 2, held: false };
    assert_eq!(system.standings().await.unwrap(), [standing]);
    system.looked(world.tenant, party, look(Ok(Some("tag".into())))).await.unwrap();
    let seen = system.document(world.tenant, party).await.unwrap().unwrap();
    assert_eq!((seen.failures, seen.last_failure, seen.current.etag.as_deref()), (0, None, Some("tag")));
    let drift = Drift { what: "host".into(), before: None, after: None, effect: DriftEffect::Weakens };
    let held = HeldDocument { xml: "<other/>".into(), drift: vec![drift], since: at(740) };
    system.hold(world.tenant, party, &held).await.unwrap();
    let standing = DocumentStanding { confirmed: at(730), failures: 0, held: true, ..standing };
    assert_eq!(system.standings().await.unwrap(), [standing]);
    assert!(system.release(world.tenant, party).await.unwrap());
    assert_eq!(system.version().await.unwrap(), version, "a look changes nothing that counts");
}

pub async fn a_document_is_put_in_force_once(database: Database) {
    let store = database.open().await;
    let (world, system) = fetched(&store).await;
    let party = Party::Connection(world.connection);
    let version = system.version().await.unwrap();
    let first = openssl::sha::sha256(b"<first/>");
    let new = |xml: &str| NewDocument {
        xml: xml.to_owned(),
        etag: None,
        valid_until: Some(at(9000)),
        fetched: at(700),
        next_look: at(900),
    };
    let (second, third) = (new("<second/>"), new("<third/>"));
    let (one, two) = tokio::join!(
        system.adopt(world.tenant, party, &first, &second),
        system.adopt(world.tenant, party, &first, &third)
    );
    assert!(one.unwrap() != two.unwrap(), "one of the two wins");
    assert_eq!(system.version().await.unwrap(), version + 1);
    let changed = system.load_since(version).await.unwrap().tenants;
    assert_eq!(changed.len(), 1, "every node takes it over");
    assert_ne!(changed[0].documents[0].current.xml, "<first/>");
    let foreign = Party::App(world.app);
    assert!(!system.adopt(world.tenant, foreign, &first, &second).await.unwrap());
}

pub async fn what_waits_stays_beside(database: Database) {
    let store = database.open().await;
    let (world, system) = fetched(&store).await;
    let party = Party::Connection(world.connection);
    let drift = Drift { what: "host".into(), before: Some("a".into()), after: None, effect: DriftEffect::Weakens };
    let held = HeldDocument { xml: "<evil/>".into(), drift: vec![drift], since: at(3) };
    system.hold(world.tenant, party, &held).await.unwrap();
    let seen = system.document(world.tenant, party).await.unwrap().unwrap();
    assert_eq!((seen.held, seen.current.xml.as_str()), (Some(held), "<first/>"));
    assert!(system.release(world.tenant, party).await.unwrap());
    assert!(!system.release(world.tenant, party).await.unwrap(), "nothing waits any more");
}
