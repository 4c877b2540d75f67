//! Signals, their streams, and the outbox.

use fedbridge_contract::ids::SignalId;
use fedbridge_contract::signals::{Delivery, Signal, SignalQueue as _, Stream, StreamStatus};
use fedbridge_hub::ports::{
    Command, GuardFailed, LoginStore as _, NewSignal, SignalOutbox as _, TakenReceiver, Unit, UnitError,
};
use fedbridge_keys::OpensslRng;
use serde_json::json;

use crate::support::{Database, World, at, hash, seconds};

fn signal(made: i64) -> Signal {
    Signal {
        id: SignalId::at(at(made), &OpensslRng),
        made: at(made),
        txn: "txn".into(),
        event: "https://event.example/canary-event".into(),
        claims: json!({}),
        subject: json!({ "format": "email", "email": "canary@acme.example" }),
    }
}

fn told(world: &World, signal: &Signal, subject: &str) -> Command {
    let new = NewSignal { app: world.app, subject: hash(subject), expires: at(1000), signal: signal.clone() };
    Command::Signal(Box::new(new))
}

fn stream() -> Stream {
    Stream {
        id: "s".into(),
        delivery: Delivery::Push {
            url: "https://rp.example/events".into(),
            authorization: Some("canary-secret".into()),
        },
        requested: vec!["e".into()],
        status: StreamStatus::Paused,
        reason: None,
        description: None,
    }
}

pub async fn a_signal_is_made_with_its_unit(database: Database) {
    let store = database.open().await;
    let (world, other) = (World::new(&store, "acme").await, World::new(&store, "globex").await);
    let (tenant, app) = (world.tenant, world.app);
    let [first, second, third] = [1, 2, 3].map(signal);
    world.commit(vec![told(&world, &second, "ada"), told(&world, &first, "ada")]).await.unwrap();
    let undone = vec![
        told(&world, &third, "ada"),
        Command::FinishTransaction(fedbridge_contract::ids::TransactionId::random(&OpensslRng)),
    ];
    let refused = world.commit(undone).await;
    assert!(matches!(refused, Err(UnitError::Guard(GuardFailed::TransactionGone))), "{refused:?}");
    let waiting = async |most| store.waiting(tenant, app, most, at(5)).await.unwrap();
    assert_eq!(waiting(10).await, [first.clone(), second.clone()], "the oldest first");
    assert_eq!(waiting(1).await, std::slice::from_ref(&first));

    // Of somebody whom the receiver does not want to hear of, and for a receiver that is gone.
    store.mute(tenant, app, hash("bob"), true).await.unwrap();
    store.mute(tenant, app, hash("bob"), true).await.unwrap();
    world.commit(vec![told(&world, &third, "bob")]).await.unwrap();
    let gone = NewSignal { app: other.app, subject: hash("ada"), expires: at(1000), signal: third.clone() };
    world.commit(vec![Command::Signal(Box::new(gone))]).await.unwrap();
    assert_eq!((waiting(10).await.len(), database.count("signals").await), (2, 2));
    store.mute(tenant, app, hash("bob"), false).await.unwrap();
    world.commit(vec![told(&world, &third, "bob")]).await.unwrap();
    assert_eq!(waiting(10).await.len(), 3);

    // Another tenant finds nothing by our ids, and takes nothing away.
    assert_eq!(store.waiting(other.tenant, app, 10, at(5)).await.unwrap(), []);
    assert_eq!(store.settle(other.tenant, app, &[first.id]).await.unwrap(), 0);
    store.commit(other.tenant, Unit { commands: vec![told(&world, &signal(4), "ada")], now: at(4) }).await.unwrap();
    assert_eq!(waiting(10).await.len(), 3);

    assert_eq!(store.settle(tenant, app, &[first.id, first.id, second.id]).await.unwrap(), 2);
    assert_eq!(waiting(10).await, [third]);
    assert_eq!(store.waiting(tenant, app, 10, at(1000)).await.unwrap(), [], "too old");
    assert_eq!(store.system().janitor(at(1001), at(0)).await.unwrap().signals, 0, "clocks differ");
    assert_eq!(store.system().janitor(at(1001 + 3600), at(0)).await.unwrap().signals, 1);
}

pub async fn a_receiver_is_served_by_one(database: Database) {
    let store = database.open().await;
    let (world, other) = (World::new(&store, "acme").await, World::new(&store, "globex").await);
    let system = store.system();
    let take = async |now| system.take(at(now), seconds(60), 10).await.unwrap();
    assert_eq!(take(0).await, []);
    world.commit(vec![told(&world, &signal(1), "ada")]).await.unwrap();
    store.add(other.tenant, other.app, &signal(1), at(1000)).await.unwrap();
    let takes = (0..8).map(|_| {
        let system = store.system();
        tokio::spawn(async move { system.take(at(1), seconds(60), 10).await.unwrap() })
    });
    let mut taken = Vec::new();
    for take in takes.collect::<Vec<_>>() {
        taken.extend(take.await.unwrap());
    }
    taken.sort_by_key(|taken| taken.tenant);
    let receiver = |world: &World, failures| TakenReceiver { tenant: world.tenant, app: world.app, failures };
    let mut both = [receiver(&world, 0), receiver(&other, 0)];
    both.sort_by_key(|taken| taken.tenant);
    assert_eq!(taken, both, "each once");

    // Its node is gone: another one takes it when its time is over. A failure is remembered.
    assert_eq!(take(60).await.len(), 0);
    assert_eq!(take(61).await.len(), 2);
    system.give_back(receiver(&world, 3), at(100)).await.unwrap();
    system.drop_waiting(receiver(&other, 0), None).await.unwrap();
    assert_eq!(take(99).await, []);
    assert_eq!(take(200).await, [receiver(&world, 3)]);

    // What polls fetch is not pushed, until the stream says otherwise.
    system.park(receiver(&world, 0)).await.unwrap();
    assert_eq!(take(300).await, []);
    assert_eq!(store.waiting(world.tenant, world.app, 10, at(5)).await.unwrap().len(), 1);
    store.keep_stream(world.tenant, world.app, &stream()).await.unwrap();
    assert_eq!(take(300).await, [receiver(&world, 0)]);
    assert_eq!(system.drop_waiting(receiver(&world, 0), Some(at(999))).await.unwrap(), 0);
    assert_eq!(system.drop_waiting(receiver(&world, 0), Some(at(1000))).await.unwrap(), 1);
}

pub async fn a_stream_is_its_receivers(database: Database) {
    let store = database.open().await;
    let (world, other) = (World::new(&store, "acme").await, World::new(&store, "globex").await);
    let (tenant, app) = (world.tenant, world.app);
    assert_eq!(store.stream(tenant, app).await.unwrap(), None);
    store.keep_stream(tenant, app, &stream()).await.unwrap();
    let changed = Stream { status: StreamStatus::Enabled, ..stream() };
    store.keep_stream(tenant, app, &changed).await.unwrap();
    assert_eq!(store.stream(tenant, app).await.unwrap(), Some(changed));
    assert_eq!(store.stream(other.tenant, app).await.unwrap(), None);
    store.forget_stream(other.tenant, app).await.unwrap();
    world.commit(vec![told(&world, &signal(1), "ada")]).await.unwrap();
    store.mute(tenant, app, hash("bob"), true).await.unwrap();
    assert_eq!(database.count("signal_streams").await, 1);
    store.forget_stream(tenant, app).await.unwrap();
    for table in ["signals", "signal_streams", "signal_mutes"] {
        assert_eq!(database.count(table).await, 0, "{table}");
    }
}
