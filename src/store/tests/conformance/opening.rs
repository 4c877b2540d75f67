//! Opening: a new database, an existing one, several processes at once, and
//! addresses that don't work.

use fedbridge_hub::ports::ConfigStore as _;
use fedbridge_store::{OpenError, Store, StoreOptions};

use crate::support::{Database, World, sealer};

pub async fn many_open_a_new_database_together(database: Database) {
    let url = database.url();
    let tasks: Vec<_> = (0..6)
        .map(|_| {
            let url = url.clone();
            tokio::spawn(async move { Store::open(&url, sealer(), StoreOptions::default()).await })
        })
        .collect();
    for task in tasks {
        let store = task.await.unwrap().unwrap();
        assert_eq!(store.system().version().await.unwrap(), 0);
        store.system().ping().await.unwrap();
    }
    assert_eq!(database.count("installation").await, 2);
}

pub async fn an_existing_database_is_found_again(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    store.close().await.unwrap();
    assert!(store.system().ping().await.is_err(), "it is closed");
    let again = database.open().await;
    assert!(again.system().load().await.unwrap().tenants.contains_key(&world.tenant));
    let db = database.raw().await;
    let status = fedbridge_migrations::status(&db).await.unwrap();
    assert!(!status.is_empty() && status.iter().all(|(_, applied)| *applied));
}

#[tokio::test]
async fn a_useless_address_is_refused_without_repeating_it() {
    let open = async |url: &str| Store::open(url, sealer(), StoreOptions::default()).await.err().unwrap();
    assert!(matches!(open("mysql://hunter2@x/y").await, OpenError::UnknownScheme));
    assert!(matches!(open("sqlite://").await, OpenError::NoFile));
    assert!(matches!(open("sqlite::memory:").await, OpenError::NoFile));
    assert!(matches!(open("sqlite:///dev/null/x.db").await, OpenError::File(_)));
    for url in ["postgres://u:hunter2@127.0.0.1:1/x", "postgres://u:hunter2@127.0.0.1:port/x"] {
        let cause = open(url).await.to_string();
        assert!(!cause.contains("hunter2"), "{cause}");
    }
}
