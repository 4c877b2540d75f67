//! How far a sync has got, and whose turn it is.

use std::sync::Arc;

use fedbridge_contract::directory::SyncCookie;
use fedbridge_hub::ports::{SyncState, SyncStore as _};
use serde_json::json;

use crate::contention::{race, two};
use crate::support::{Database, World, at};

pub async fn a_sync_goes_on_where_it_ended(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let (tenant, connection) = (world.tenant, world.connection);
    let take = async |now, lease| store.take_sync_turn(tenant, connection, at(now), at(lease)).await.unwrap();
    assert_eq!(store.sync_state(tenant, connection).await.unwrap(), SyncState::default());
    let first = take(0, 60).await.unwrap();
    assert_eq!(first, SyncState { sweep: 1, ..SyncState::default() });
    assert_eq!(take(59, 120).await, None, "somebody has the turn");
    assert!(store.extend_sync_turn(tenant, connection, at(60), at(90)).await.unwrap());
    assert!(!store.extend_sync_turn(tenant, connection, at(60), at(99)).await.unwrap());
    assert_eq!(take(89, 120).await, None);

    let done = SyncState {
        cookie: Some(SyncCookie(json!({"usn": 42, "dc": "dc1.canary.example"}))),
        full_at: Some(at(0)),
        delta_at: Some(at(0)),
        stopped: Some("too many are missing".into()),
        ..first
    };
    assert!(!store.end_sync_turn(tenant, connection, at(60), &done).await.unwrap(), "not this turn");
    assert!(store.end_sync_turn(tenant, connection, at(90), &done).await.unwrap());
    assert!(!store.end_sync_turn(tenant, connection, at(90), &done).await.unwrap(), "a turn ends once");
    assert_eq!(take(90, 150).await, Some(SyncState { sweep: 2, ..done.clone() }));
    // Its node dies, and what it says later counts no more.
    assert_eq!(take(150, 210).await.unwrap().sweep, 3);
    assert!(!store.end_sync_turn(tenant, connection, at(150), &done).await.unwrap());
    let anew = SyncState { sweep: 3, ..SyncState::default() };
    assert!(store.end_sync_turn(tenant, connection, at(210), &anew).await.unwrap());
    assert_eq!(store.sync_state(tenant, connection).await.unwrap(), anew);
}

pub async fn one_of_many_syncs(database: Database) {
    let (world, stores) = two(&database).await;
    for round in 0..3 {
        let now = round * 100;
        let all = race(&stores, {
            let world = Arc::clone(&world);
            move |store| {
                let world = Arc::clone(&world);
                async move {
                    let turn = store.take_sync_turn(world.tenant, world.connection, at(now), at(now + 50)).await;
                    turn.unwrap().map(|state| state.sweep)
                }
            }
        })
        .await;
        let taken: Vec<_> = all.into_iter().flatten().collect();
        assert_eq!(taken, [round + 1]);
    }
}
