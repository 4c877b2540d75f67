//! The port of traces.

use fedbridge_contract::ids::{TenantId, TraceId};
use fedbridge_contract::trace::Outcome;
use fedbridge_hub::ports::{RecordedTrace, TraceFilter, TraceStore as _, TraceSummary};
use fedbridge_keys::OpensslRng;

use crate::support::{Database, World, at};

pub async fn traces_are_listed_and_found(database: Database) {
    let store = database.open().await;
    let (ours, theirs) = (World::new(&store, "ours").await, World::new(&store, "theirs").await);
    let traces = store.system();
    // More than one statement holds, and a rest.
    let mut batch: Vec<_> = (0..40).map(|n| trace(ours.tenant, n, "Ada Lovelace", Outcome::Success)).collect();
    batch.push(trace(theirs.tenant, 100, "Émile 100%_\\", Outcome::Refused));
    traces.append(&batch).await.unwrap();
    traces.append(&[]).await.unwrap();

    let list = async |filter: TraceFilter| traces.list(&TraceFilter { limit: 100, ..filter }).await.unwrap();
    let all = list(TraceFilter::default()).await;
    assert_eq!(all.len(), 41);
    assert!(all.windows(2).all(|pair| pair[0].at >= pair[1].at), "newest first");
    assert_eq!(all[0], batch[40].summary);
    assert_eq!(traces.list(&TraceFilter { limit: 7, ..TraceFilter::default() }).await.unwrap().len(), 7);
    let count = async |filter| list(filter).await.len();
    let of_one = list(TraceFilter { tenant: Some(ours.tenant), ..TraceFilter::default() }).await;
    assert_eq!(of_one.len(), 40);
    assert!(of_one.windows(2).all(|pair| pair[0].at >= pair[1].at), "newest first");
    assert_eq!(count(TraceFilter { outcome: Some(Outcome::Refused), ..TraceFilter::default() }).await, 1);
    assert_eq!(count(TraceFilter { outcome: Some(Outcome::Error), ..TraceFilter::default() }).await, 0);
    assert_eq!(count(TraceFilter { connection: Some("idp".into()), ..TraceFilter::default() }).await, 41);
    assert_eq!(count(TraceFilter { kind: Some("login".into()), ..TraceFilter::default() }).await, 41);
    assert_eq!(count(TraceFilter { kind: Some("token".into()), ..TraceFilter::default() }).await, 0);
    assert_eq!(count(TraceFilter { app: Some("other".into()), ..TraceFilter::default() }).await, 0);
    let since = TraceFilter { since: Some(at(10)), until: Some(at(20)), ..TraceFilter::default() };
    assert_eq!(count(since).await, 10);
    for (part, found) in [("aDA", 40), ("émile", 1), ("100%_\\", 1), ("%", 1), ("_", 1), ("a_a", 0), ("'", 0)] {
        assert_eq!(count(TraceFilter { person: Some(part.into()), ..TraceFilter::default() }).await, found, "{part}");
    }

    let one = &batch[40];
    assert_eq!(traces.find(one.summary.id).await.unwrap().as_ref(), Some(one));
    assert_eq!(traces.find(TraceId::random(&OpensslRng)).await.unwrap(), None);
    traces.append(&batch[..1]).await.expect("a batch may come again");
    assert_eq!(database.count("traces").await, 41);
}

pub async fn traces_are_forgotten(database: Database) {
    let store = database.open().await;
    let world = World::new(&store, "acme").await;
    let traces = store.system();
    let batch: Vec<_> = (0..600).map(|n| trace(world.tenant, n, "Ada", Outcome::Error)).collect();
    traces.append(&batch).await.unwrap();
    assert_eq!(traces.janitor(at(0), at(550)).await.unwrap().traces, 550);
    assert_eq!(traces.janitor(at(0), at(560)).await.unwrap().traces, 10);
    assert_eq!(database.count("traces").await, 40);
}

fn trace(tenant: TenantId, second: i64, person: &str, outcome: Outcome) -> RecordedTrace {
    RecordedTrace {
        summary: TraceSummary {
            tenant,
            id: TraceId::at(at(second), &OpensslRng),
            at: at(second),
            kind: "login".into(),
            connection: Some("idp".into()),
            app: None,
            person: Some(person.into()),
            outcome,
            cause: "it was so".into(),
        },
        sealed: vec![1, 2, 3],
    }
}
