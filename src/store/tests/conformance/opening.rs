//! Opening: a new database, an existing one, several processes at once, and
//! addresses that don't work.

use std::process::{Command, Stdio};
use std::time::Duration;

use fedbridge_hub::ports::ConfigStore as _;
use fedbridge_store::{OpenError, Store, StoreOptions};

use crate::support::{Database, SERVER_FOLDER, World, sealer};

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

/// Runs this very program for one test on PostgreSQL, and looks at what is left of it.
#[test]
fn a_run_leaves_no_server_behind() {
    let folder = |pid: u32| std::env::temp_dir().join(format!("{SERVER_FOLDER}{pid}"));
    // No process has so high a number: one that was killed long ago.
    let killed = folder(u32::MAX);
    std::fs::create_dir_all(killed.join("peer/data")).unwrap();
    let test = "run::opening::postgres::many_open_a_new_database_together";
    let mut run =
        Command::new(std::env::current_exe().unwrap()).args(["--exact", test]).stdout(Stdio::null()).spawn().unwrap();
    let own = folder(run.id());
    let mut seen = false;
    while run.try_wait().unwrap().is_none() {
        seen |= own.join("peer/data").exists();
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(run.wait().unwrap().success() && seen);
    assert!(!killed.exists(), "what a killed run leaves is swept");
    let gone = (0..500).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        !own.exists()
    });
    assert!(gone, "{} is still there", own.display());
}
