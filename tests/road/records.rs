//! What is left of a request for whoever looks for it afterwards: one record, with one result, in plain words.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{AppId, ConnectionId, LogoutId, PersonId, SessionId, TenantId, TraceId};
use fedbridge_contract::logout::Told;
use fedbridge_contract::services::{TraceEvent, TraceSink as _};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::{MAX_STEPS, Outcome, Step, TraceLog};
use fedbridge_hub::ports::{
    LogoutStore, StoredLogout, StoredNotice, StoredSession, TraceFilter, TraceStore as _, TraceSummary,
};
use fedbridge_hub::run::{Hub, TracePayload, trace_place};
use fedbridge_hub::spec::SubjectType;

use super::logout::{Calls, by, goes_to, id_token, status_of, upstream, world};
use super::{BASE, World, app, id};

/// Everything that was recorded, newest first.
pub async fn records(world: &World) -> Vec<(TraceSummary, Vec<Step>)> {
    world.recorder.flush().await;
    let filter = TraceFilter { limit: 100, ..TraceFilter::default() };
    let mut records = Vec::new();
    for summary in world.foundation.system.list(&filter).await.unwrap() {
        let sealed = world.foundation.system.find(summary.id).await.unwrap().unwrap().sealed;
        let plain = world.foundation.sealer.open(&trace_place(summary.tenant, summary.id), &sealed).unwrap();
        records.push((summary, serde_json::from_slice::<TracePayload>(&plain).unwrap().steps));
    }
    records
}

/// Outcomes of all decisions of this name, whichever record they stand in, the oldest first.
pub async fn decisions(world: &World, wanted: &str) -> Vec<String> {
    let mut records = records(world).await;
    records.reverse();
    let steps = records.into_iter().flat_map(|(_, steps)| steps);
    steps
        .filter_map(|step| match step {
            Step::Decision { what, outcome, .. } if what == wanted => Some(outcome),
            _ => None,
        })
        .collect()
}

/// The source of the newest check of this name, and whether it passed.
async fn newest_check(world: &World, wanted: &str) -> Option<(String, bool)> {
    records(world).await.remove(0).1.into_iter().find_map(|step| match step {
        Step::Check { name, source, passed, .. } if name == wanted => Some((source, passed)),
        _ => None,
    })
}

#[tokio::test]
async fn every_record_ends_with_its_one_result() {
    let (mut world, _) = world(vec![upstream("back")], &[("wiki", by("back"))]).await;
    world.authorize("").await;
    world.authorize("&prompt=everything").await;
    world.post(&format!("{BASE}t/acme/token"), "client_id=app&grant_type=none".into()).await;
    assert_eq!(status_of(&world.step(&format!("{BASE}t/acme/fake/login?app=nobody")).await), 400);
    let sub = world.log_in("wiki").await;
    world.step(&format!("{BASE}t/acme/fake/slo?app=wiki&key={sub}&back=1")).await;
    // A log without room left.
    let mut steps = TraceLog::new();
    (0..=MAX_STEPS).for_each(|_| {
        steps.decide("again", "and again", true);
    });
    world.recorder.record(TraceEvent {
        tenant: id::<TenantId>(1),
        id: id::<TraceId>(99),
        at: world.now(),
        kind: "metadata",
        app: None,
        connection: None,
        person: None,
        peer: None,
        outcome: Outcome::Success,
        cause: String::new(),
        steps,
    });
    let records = records(&world).await;
    for (summary, steps) in &records {
        let results: Vec<_> = steps.iter().filter(|step| matches!(step, Step::Result { .. })).collect();
        assert_eq!(results.len(), 1, "{}: {steps:?}", summary.kind);
        let Some(Step::Result { outcome, cause, .. }) = steps.last() else { panic!("{}: {steps:?}", summary.kind) };
        assert_eq!((*outcome, cause), (summary.outcome, &summary.cause));
    }
    let mut kinds: Vec<_> = records.iter().map(|(summary, _)| summary.kind.as_str()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["authorize", "login", "login", "logout", "metadata", "sso", "token"]);
    let cause = |kind: &str| records.iter().find(|(summary, _)| summary.kind == kind).unwrap().0.cause.as_str();
    assert_eq!(cause("sso"), "a known app: expected its name, got unknown");
    assert!(cause("authorize").starts_with("invalid_request: "), "{}", cause("authorize"));
    assert!(cause("token").starts_with("unsupported_grant_type: "), "{}", cause("token"));
}

#[tokio::test]
async fn what_was_checked_of_a_persons_wish_stands_in_the_record_of_the_logout() {
    let (mut world, _) = world(vec![upstream("back")], &[]).await;
    let hint = id_token(&mut world).await;
    world.step(&format!("{BASE}t/acme/logout?id_token_hint={hint}")).await;
    assert!(!world.has_session());
    let source = "RP-Initiated Logout 1.0, 2".to_owned();
    assert_eq!(newest_check(&world, "id_token_hint").await, Some((source, true)));
}

#[tokio::test]
async fn a_replay_is_told_in_words_and_by_no_standard_of_another_protocol() {
    let (mut world, _) = world(vec![upstream("back")], &[("wiki", by("back"))]).await;
    let asks = format!("{BASE}t/acme/fake/login?app=wiki&id=r1");
    world.visit(&asks).await;
    assert_eq!(status_of(&world.visit(&asks).await), 400);
    assert_eq!(newest_check(&world, "used once").await, Some((String::new(), false)));
    let sub = world.log_in("wiki").await;
    let asks = format!("{BASE}t/acme/fake/slo?app=wiki&key={sub}&back=1&id=r2");
    world.step(&asks).await;
    assert_eq!(goes_to(&world.step(&asks).await), "http://wiki.example/out?end=Refused");
    assert_eq!(newest_check(&world, "used once").await, Some((String::new(), false)));
    assert_eq!(world.newest_cause().await.1, "a replay: it was used before (fake.request)");
}

#[tokio::test]
async fn a_logout_that_the_store_cuts_short_is_recorded_wherever_it_does() {
    let breaks = Arc::new(Breaks::default());
    let own = Arc::clone(&breaks);
    let change = move |hub: &mut Hub| {
        hub.logouts = Arc::new(Breaking { inner: Arc::clone(&hub.logouts), breaks: own });
    };
    let apps = vec![upstream("back"), app(20, "asker", by("back")), app(21, "wiki", by("back"))];
    let calls = Some(Arc::new(Calls::default()) as _);
    let mut world = World::with(apps, SubjectType::Public, change, calls).await;
    let mut count = 0;
    for step in [&breaks.spreading, &breaks.settling] {
        for (how, ends) in [("&back=1", true), ("", false)] {
            world.log_in("asker").await;
            let sub = world.log_in("wiki").await;
            step.store(true, Ordering::Relaxed);
            let reply = world.step(&format!("{BASE}t/acme/fake/slo?app=asker&key={sub}{how}")).await;
            step.store(false, Ordering::Relaxed);
            if ends {
                assert_eq!(goes_to(&reply), "http://asker.example/out?end=Partial");
            } else {
                assert_eq!(status_of(&reply), 503);
            }
            count += 1;
            let records = records(&world).await;
            let logouts: Vec<_> = records.iter().filter(|(summary, _)| summary.kind == "logout").collect();
            assert_eq!(logouts.len(), count, "one for each");
            let (summary, steps) = logouts[0];
            let expected = (Outcome::Error, "not told: whoever is left, until the store answers again");
            assert_eq!((summary.outcome, summary.cause.as_str()), expected);
            let why = "the store did not answer: it gave way";
            assert!(steps.iter().any(|step| matches!(step, Step::Decision { outcome, .. } if outcome == why)));
        }
    }
}

/// What of a logout fails at the moment.
#[derive(Default)]
struct Breaks {
    spreading: AtomicBool,
    settling: AtomicBool,
}

fn unless(broken: &AtomicBool) -> Result<(), StoreError> {
    if broken.load(Ordering::Relaxed) { Err(StoreError("it gave way".into())) } else { Ok(()) }
}

struct Breaking {
    inner: Arc<dyn LogoutStore>,
    breaks: Arc<Breaks>,
}

#[async_trait]
impl LogoutStore for Breaking {
    async fn session_by_id(
        &self,
        tenant: TenantId,
        session: SessionId,
        now: Timestamp,
    ) -> Result<Option<StoredSession>, StoreError> {
        self.inner.session_by_id(tenant, session, now).await
    }

    async fn sessions_of_participant(
        &self,
        tenant: TenantId,
        app: AppId,
        key: &str,
        indexes: &[String],
        now: Timestamp,
    ) -> Result<Vec<StoredSession>, StoreError> {
        self.inner.sessions_of_participant(tenant, app, key, indexes, now).await
    }

    async fn sessions_of_upstream(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
        key: &str,
        indexes: &[String],
        now: Timestamp,
    ) -> Result<Vec<StoredSession>, StoreError> {
        self.inner.sessions_of_upstream(tenant, connection, key, indexes, now).await
    }

    async fn sessions_of_upstream_index(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
        index: &str,
        now: Timestamp,
    ) -> Result<Vec<StoredSession>, StoreError> {
        self.inner.sessions_of_upstream_index(tenant, connection, index, now).await
    }

    async fn sessions_of_person(
        &self,
        tenant: TenantId,
        person: PersonId,
        now: Timestamp,
    ) -> Result<Vec<StoredSession>, StoreError> {
        self.inner.sessions_of_person(tenant, person, now).await
    }

    async fn spread(
        &self,
        tenant: TenantId,
        logout: LogoutId,
        asker: Option<AppId>,
        now: Timestamp,
    ) -> Result<Vec<StoredNotice>, StoreError> {
        unless(&self.breaks.spreading)?;
        self.inner.spread(tenant, logout, asker, now).await
    }

    async fn logout(&self, tenant: TenantId, logout: LogoutId) -> Result<Option<StoredLogout>, StoreError> {
        self.inner.logout(tenant, logout).await
    }

    async fn settle(
        &self,
        tenant: TenantId,
        logout: LogoutId,
        app: AppId,
        told: Told,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        unless(&self.breaks.settling)?;
        self.inner.settle(tenant, logout, app, told, now).await
    }

    async fn note_upstream(
        &self,
        tenant: TenantId,
        logout: LogoutId,
        connection: ConnectionId,
        told: Told,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.inner.note_upstream(tenant, logout, connection, told, now).await
    }

    async fn put_off(
        &self,
        tenant: TenantId,
        logout: LogoutId,
        app: AppId,
        next_attempt: Timestamp,
    ) -> Result<(), StoreError> {
        self.inner.put_off(tenant, logout, app, next_attempt).await
    }
}
