//! Documents of partners, as a part of the configuration.

use fedbridge_contract::documents::{Drift, DriftEffect};
use fedbridge_contract::logout::Party;
use fedbridge_hub::ports::{ConfigStore as _, HeldDocument, NewDocument, StoredDocument};
use fedbridge_hub::spec::ConfigChange;

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
