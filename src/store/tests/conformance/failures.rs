//! Wrong passwords that nodes tell each other of, and from where accounts were logged in with.

use std::sync::atomic::{AtomicUsize, Ordering};

use fedbridge_hub::ports::{DeviceStore as _, FailureCount, FailureStore as _};
use fedbridge_store::{Store, Swept};

use crate::contention::{MANY, race, two};
use crate::support::made::{count, device};
use crate::support::{Database, World, at, hash};

const HOUR: i64 = 3600;

pub async fn nodes_add_up(database: Database) {
    let store = database.open().await;
    let (acme, other) = (World::new(&store, "acme").await.tenant, World::new(&store, "other").await.tenant);
    let system = store.system();
    let since = async |when| sorted(system.since(at(when)).await.unwrap());
    assert_eq!(since(-9).await, []);
    let counts = [count(acme, "ada", 0, 2), count(acme, "ada", 10, 1), count(acme, "eve", 0, 1)];
    system.add(&counts, at(1)).await.unwrap();
    // The same key at another tenant is another one.
    system.add(&[count(other, "ada", 0, 7), count(acme, "ada", 0, 3)], at(5)).await.unwrap();
    let changed = sorted(vec![count(other, "ada", 0, 7), count(acme, "ada", 0, 5)]);
    assert_eq!(since(2).await, changed, "what has changed, with all that was counted before");
    assert_eq!(since(5).await, changed, "at that time too: it may have been read before the last of them was written");
    assert_eq!(since(6).await, []);
    let all = [changed, vec![count(acme, "ada", 10, 1), count(acme, "eve", 0, 1)]].concat();
    assert_eq!(since(1).await, sorted(all));

    // More than one transaction writes, and one key twice in a batch.
    let many: Vec<_> = (0..1201).map(|n| count(acme, &format!("name {n}"), 0, 1)).collect();
    system.add(&[many.clone(), many[..2].to_vec()].concat(), at(9)).await.unwrap();
    let found = system.since(at(9)).await.unwrap();
    assert_eq!((found.len(), found.iter().map(|it| it.count).sum::<u32>()), (1201, 1203));
}

pub async fn no_count_is_lost(database: Database) {
    let (world, stores) = two(&database).await;
    let turn = AtomicUsize::new(0);
    race(&stores, |store: Store| {
        // All write the same rows, not all in one order.
        let mut rows = ["ada", "eve", "all"].map(|whose| count(world.tenant, whose, 0, 1));
        rows.rotate_left(turn.fetch_add(1, Ordering::Relaxed) % 3);
        async move { store.system().add(&rows, at(1)).await.unwrap() }
    })
    .await;
    let found = stores[1].system().since(at(0)).await.unwrap();
    let many = u32::try_from(MANY).unwrap();
    assert_eq!(found.iter().map(|it| it.count).collect::<Vec<_>>(), [many; 3]);
}

pub async fn a_device_is_known_for_its_time(database: Database) {
    let store = database.open().await;
    let (acme, other) = (World::new(&store, "acme").await.tenant, World::new(&store, "other").await.tenant);
    let system = store.system();
    let knows = async |tenant, what: &str, now| system.knows(tenant, &hash(what), at(now)).await.unwrap();
    assert!(!knows(acme, "laptop", 0).await);
    system.know(&[device(acme, "laptop", at(100)), device(acme, "phone", at(50))]).await.unwrap();
    assert!(knows(acme, "laptop", 99).await && !knows(acme, "laptop", 100).await);
    assert!(!knows(acme, "tablet", 0).await);
    assert!(!knows(other, "laptop", 0).await, "each tenant has its own");
    // Again, and for longer.
    system.know(&[device(acme, "phone", at(80))]).await.unwrap();
    assert!(knows(acme, "phone", 79).await && !knows(acme, "phone", 80).await);
    let many: Vec<_> = (0..1201).map(|n| device(acme, &format!("device {n}"), at(9))).collect();
    system.know(&many).await.unwrap();
    assert_eq!(database.count("known_devices").await, 1203);
}

pub async fn what_counts_no_more_goes(database: Database) {
    let store = database.open().await;
    let acme = World::new(&store, "acme").await.tenant;
    let system = store.system();
    // More windows of one account than the janitor looks at in one stretch.
    let run: Vec<_> = (0..1200).map(|n| count(acme, "ada", n * 10, 1)).collect();
    system.add(&run, at(0)).await.unwrap();
    system.add(&[count(acme, "eve", 0, 1), run[7]], at(100)).await.unwrap();
    system.know(&[device(acme, "laptop", at(3 * HOUR)), device(acme, "phone", at(HOUR))]).await.unwrap();

    let swept = async |when| system.janitor(at(when), at(0)).await.unwrap();
    assert_eq!(swept(HOUR).await, Swept::default(), "what may count for somebody stays");
    assert_eq!(swept(2 * HOUR).await, Swept { known_devices: 1, ..Swept::default() });
    assert_eq!(swept(2 * HOUR + 1).await, Swept { failures: 1199, ..Swept::default() });
    assert_eq!(
        sorted(system.since(at(0)).await.unwrap()),
        sorted(vec![count(acme, "eve", 0, 1), count(acme, "ada", 70, 2)])
    );
    assert_eq!(swept(3 * HOUR + 1).await, Swept { failures: 2, known_devices: 1, ..Swept::default() });
    for table in ["failures", "known_devices"] {
        assert_eq!(database.count(table).await, 0, "{table}");
    }
}

fn sorted(mut counts: Vec<FailureCount>) -> Vec<FailureCount> {
    counts.sort_by_key(|it| (it.tenant, it.key, it.window));
    counts
}
