#![allow(clippy::unwrap_used, clippy::panic)]
//! A keeper over a store in memory, a scripted partner and a clock that stands.

use std::collections::VecDeque;
use std::sync::Mutex;

use async_trait::async_trait;
use bytes::Bytes;
use fedbridge_contract::config::{Connection, Tenant};
use fedbridge_contract::documents::{Drift, DriftEffect, Examined, PartnerDocuments};
use fedbridge_contract::factory::{AdapterFactory, Field, Open};
use fedbridge_contract::ids::{ConnectionId, TenantId};
use fedbridge_contract::keys::KeyRing;
use fedbridge_contract::logout::Party;
use fedbridge_contract::services::{Clock, Egress, EgressError, EgressPost, Fetched, Rng, TraceEvent, TraceSink};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::{Outcome, Step};
use fedbridge_contract::upstream::Adapter;
use fedbridge_hub::ports::{ApplyError, Changed, ConfigStore, DocumentStanding, KeyOpener};
use fedbridge_hub::run::{Builder, OpenConnection, Refreshed, Refresher, Snapshot, TenantSnapshot};
use fedbridge_hub::spec::{ConfigChange, Configuration, PeopleSpec, StoredKey};
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::bridge::offline;
use crate::documents::{LookOnDemand, gauges};

const DAY: Duration = Duration::from_secs(86_400);

const URL: &str = "https://idp.example/metadata";

/// A document says what examining it finds: `weaker` waits, `broken` can't be used.
struct Reader;

impl PartnerDocuments for Reader {
    fn setting(&self) -> &'static str {
        "idp_metadata"
    }

    fn outlasts(&self) -> Option<Duration> {
        Some(DAY)
    }

    fn examine(
        &self,
        _: &Value,
        before: Option<&str>,
        fetched: &str,
        now: Timestamp,
    ) -> Result<Examined, Vec<Complaint>> {
        if fetched.contains("slow") {
            std::thread::sleep(Duration::from_secs(1));
        }
        if fetched.contains("broken") {
            return Err(vec![Complaint::new("idp_metadata", "is broken")]);
        }
        let drift = |effect| Drift { what: "key".into(), before: None, after: None, effect };
        let drift = match before {
            Some(before) if before == fetched => Vec::new(),
            Some(before) if fetched.strip_suffix(", same") == Some(before) => Vec::new(),
            // A new document is compared with the one that waits, too.
            Some(before) if before.contains("weaker") && fetched.contains("weaker") => Vec::new(),
            _ if fetched.contains("weaker") => vec![drift(DriftEffect::Weakens)],
            _ => vec![drift(DriftEffect::Adds)],
        };
        Ok(Examined { valid_until: Some(now + Duration::from_secs(86_400)), cache: None, drift })
    }
}

impl AdapterFactory for Reader {
    fn kind(&self) -> &'static str {
        "saml"
    }

    fn can_log_in(&self) -> bool {
        true
    }

    fn fields(&self) -> &'static [Field] {
        &[]
    }

    fn documents(&self) -> Option<&dyn PartnerDocuments> {
        Some(self)
    }

    fn open(&self, _: Open<'_>) -> Result<Adapter, Vec<Complaint>> {
        Ok(Adapter::default())
    }
}

#[derive(Default)]
struct Partner {
    answers: Mutex<VecDeque<Result<Fetched, EgressError>>>,
    /// The tags that it was asked with.
    tags: Mutex<Vec<Option<String>>>,
    /// Where it is slow: answers wait until so many people ask at once.
    barrier: Mutex<Option<Arc<tokio::sync::Barrier>>>,
}

impl Partner {
    fn says(&self, status: u16, etag: Option<&str>, body: &str) {
        let body = Bytes::from(body.to_owned());
        let fetched = Fetched { status, content_type: None, etag: etag.map(str::to_owned), max_age: None, body };
        self.answers.lock().unwrap().push_back(Ok(fetched));
    }

    fn answer(&self, tag: Option<&str>) -> Result<Fetched, EgressError> {
        self.tags.lock().unwrap().push(tag.map(str::to_owned));
        let silent = EgressError { url: URL.into(), cause: "no answer".into(), silent: true };
        self.answers.lock().unwrap().pop_front().unwrap_or(Err(silent))
    }
}

#[async_trait]
impl Egress for Partner {
    async fn get(&self, _: &str, _: EgressLimits) -> Result<Fetched, EgressError> {
        let barrier = self.barrier.lock().unwrap().clone();
        if let Some(barrier) = barrier {
            barrier.wait().await;
        }
        self.answer(None)
    }

    async fn get_if_changed(&self, _: &str, etag: &str, _: EgressLimits) -> Result<Fetched, EgressError> {
        self.answer(Some(etag))
    }

    async fn post(&self, _: &EgressPost, _: EgressLimits) -> Result<Fetched, EgressError> {
        panic!("nobody posts here")
    }
}

/// One document, and a version that adopting raises.
struct Memory(Mutex<StoredDocument>, Mutex<i64>);

impl Memory {
    fn now(&self) -> StoredDocument {
        self.0.lock().unwrap().clone()
    }
}

#[async_trait]
impl DocumentStore for Memory {
    async fn claim_due(&self, _: Timestamp, _: Duration, _: u32) -> Result<Vec<StoredDocument>, StoreError> {
        Ok(Vec::new())
    }

    async fn standings(&self) -> Result<Vec<DocumentStanding>, StoreError> {
        let StoredDocument { tenant, party, last_look: confirmed, failures, .. } = self.now();
        Ok(vec![DocumentStanding { tenant, party, confirmed, failures, held: false }])
    }

    async fn document(&self, _: TenantId, party: Party) -> Result<Option<StoredDocument>, StoreError> {
        Ok(Some(self.now()).filter(|document| document.party == party))
    }

    async fn looked(&self, _: TenantId, _: Party, look: Look) -> Result<(), StoreError> {
        let mut document = self.0.lock().unwrap();
        document.next_look = look.next;
        match look.result {
            Ok(etag) => {
                document.last_look = look.at;
                (document.failures, document.last_failure) = (0, None);
                document.current.etag = etag;
            }
            Err(failure) => {
                document.failures += 1;
                document.last_failure = Some(failure);
            }
        }
        Ok(())
    }

    async fn adopt(&self, _: TenantId, _: Party, expected: &[u8; 32], new: &NewDocument) -> Result<bool, StoreError> {
        let mut document = self.0.lock().unwrap();
        let same = sha256(document.current.xml.as_bytes()) == *expected;
        if same {
            document.current = new.clone();
            document.held = None;
            *self.1.lock().unwrap() += 1;
        }
        Ok(same)
    }

    async fn hold(&self, _: TenantId, _: Party, held: &HeldDocument) -> Result<(), StoreError> {
        self.0.lock().unwrap().held = Some(held.clone());
        Ok(())
    }

    async fn release(&self, _: TenantId, _: Party) -> Result<bool, StoreError> {
        Ok(self.0.lock().unwrap().held.take().is_some())
    }
}

#[async_trait]
impl ConfigStore for Memory {
    async fn version(&self) -> Result<i64, StoreError> {
        Ok(*self.1.lock().unwrap())
    }

    async fn load(&self) -> Result<Configuration, StoreError> {
        Ok(Configuration::default())
    }

    async fn load_since(&self, _: i64) -> Result<Changed, StoreError> {
        let existing = vec![TenantId::from_uuid(Uuid::nil())];
        Ok(Changed { version: *self.1.lock().unwrap(), existing, ..Changed::default() })
    }

    async fn apply(&self, _: i64, _: &[ConfigChange]) -> Result<i64, ApplyError> {
        Err(ApplyError::Conflict)
    }

    async fn people(&self, _: TenantId, _: Option<ConnectionId>) -> Result<u64, StoreError> {
        Ok(0)
    }
}

struct NoKeys;

impl KeyOpener for NoKeys {
    fn ring(&self, _: &[StoredKey]) -> Result<Arc<KeyRing>, String> {
        Ok(Arc::default())
    }

    fn digest(&self, octets: &[u8]) -> [u8; 32] {
        openssl::sha::sha256(octets)
    }
}

/// A clock that is set, and randomness in the middle.
#[derive(Default)]
struct Still(Mutex<i64>);

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(*self.0.lock().unwrap())
    }
}

struct Middle;

impl Rng for Middle {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(0x80);
    }
}

/// Keeps what is recorded.
#[derive(Default)]
struct Traces(Mutex<Vec<TraceEvent>>);

impl TraceSink for Traces {
    fn record(&self, event: TraceEvent) {
        self.0.lock().unwrap().push(event);
    }
}

struct World {
    traces: Arc<Traces>,
    keeper: Arc<Keeper>,
    asked: LookOnDemand,
    partner: Arc<Partner>,
    store: Arc<Memory>,
    clock: Arc<Still>,
}

impl World {
    fn new() -> Self {
        Self::with("first")
    }

    /// An address that came into force a moment ago.
    fn unread() -> Self {
        Self::with("")
    }

    fn with(text: &str) -> Self {
        let (partner, clock) = (Arc::new(Partner::default()), Arc::new(Still::default()));
        let traces = Arc::new(Traces::default());
        let services = offline::services(Arc::clone(&clock) as _, Arc::new(Middle), Arc::clone(&partner) as _);
        let services = Services { traces: Arc::clone(&traces) as _, ..services };
        let party = Party::Connection(ConnectionId::from_uuid(Uuid::nil()));
        let start = Timestamp::from_seconds(0);
        let current = NewDocument { xml: text.into(), etag: None, valid_until: None, fetched: start, next_look: start };
        let document = StoredDocument {
            tenant: TenantId::from_uuid(Uuid::nil()),
            party,
            url: URL.into(),
            current,
            last_look: start,
            next_look: start,
            failures: 0,
            last_failure: None,
            held: None,
        };
        let store = Arc::new(Memory(Mutex::new(document), Mutex::new(0)));
        let registry = Registry::default().with(Arc::new(Reader));
        let builder = Builder {
            base_url: String::new(),
            registry: registry.clone(),
            services: services.clone(),
            keys: Arc::new(NoKeys),
        };
        let snapshots = Arc::new(Snapshots::default());
        let setting = match text {
            "" => json!({ "url": URL }),
            text => json!({ "url": URL, "xml": text }),
        };
        snapshots.replace(snapshot_of(setting));
        let follower = Arc::new(Follower {
            store: Arc::clone(&store) as _,
            builder: Arc::new(builder),
            snapshots: Arc::clone(&snapshots),
            turn: Default::default(),
            taken_over: Default::default(),
        });
        let keeper = Arc::new(Keeper {
            store: Arc::clone(&store) as _,
            registry,
            downstreams: Vec::new(),
            services,
            snapshots,
            follower,
            unbounded: false,
            reading: Default::default(),
        });
        let asked = LookOnDemand::new(Arc::clone(&keeper));
        Self { traces, keeper, asked, partner, store, clock }
    }

    async fn look(&self) -> Seen {
        self.keeper.look(&self.store.now(), Trigger::Schedule).await
    }

    /// What every node does from time to time; then, since when the document counts for nothing, if it does not.
    async fn lapsed(&self) -> Option<Timestamp> {
        let standings = self.store.standings().await.unwrap();
        gauges::take_over(&self.keeper, &standings, &mut Default::default());
        let document = self.store.now();
        self.keeper.snapshots.lapsed(document.tenant, document.party)
    }

    /// What was recorded since the last question: how it ended, its one line, and its steps.
    fn told(&self) -> Vec<(Outcome, String, Vec<Step>)> {
        let events = std::mem::take(&mut *self.traces.0.lock().unwrap());
        let of = |event: TraceEvent| {
            assert_eq!((event.kind, event.connection.as_deref()), ("metadata", Some("okta")));
            (event.outcome, event.cause, event.steps.into_steps())
        };
        events.into_iter().map(of).collect()
    }
}

pub fn snapshot() -> Snapshot {
    snapshot_of(json!({ "url": URL, "xml": "first" }))
}

fn snapshot_of(setting: Value) -> Snapshot {
    let id = ConnectionId::from_uuid(Uuid::nil());
    let view = Arc::new(Connection {
        id,
        slug: "okta".into(),
        display_name: "okta".into(),
        protocol: "saml".into(),
        enabled: true,
        domains: Vec::new(),
    });
    let settings = json!({ "idp_metadata": setting });
    let people = PeopleSpec::default();
    let view_of = Arc::clone(&view);
    let open = OpenConnection { view: view_of, can_log_in: true, people, settings, state: Err(Vec::new()) };
    let tenant = Tenant::new(
        TenantId::from_uuid(Uuid::nil()),
        "acme".into(),
        "acme".into(),
        true,
        "",
        vec![view],
        Vec::new(),
        Arc::default(),
    );
    let tenant = TenantSnapshot {
        view: Arc::new(tenant),
        domains: Vec::new(),
        connections: [(id, Arc::new(open))].into(),
        apps: Default::default(),
    };
    Snapshot::new(0, [Arc::new(tenant)])
}

#[tokio::test]
async fn what_adds_flows_and_the_tag_spares_the_next_fetch() {
    let world = World::new();
    world.partner.says(200, Some("tag"), "second");
    assert_eq!(world.look().await, Seen::Adopted);
    let document = world.store.now();
    assert_eq!((document.current.xml.as_str(), document.current.etag.as_deref()), ("second", Some("tag")));
    assert!(document.current.valid_until.is_some());
    world.partner.says(304, None, "");
    assert_eq!(world.look().await, Seen::Unchanged);
    assert_eq!(*world.partner.tags.lock().unwrap(), [None, Some("tag".to_owned())]);
    assert_eq!(world.store.now().current.etag.as_deref(), Some("tag"), "the tag stays");
    world.partner.says(200, Some("other"), "second");
    assert_eq!(world.look().await, Seen::Unchanged);
    assert_eq!(*world.store.1.lock().unwrap(), 1, "the same text changes nothing");
}

#[tokio::test]
async fn what_weakens_waits_until_it_is_gone_or_approved() {
    let world = World::new();
    world.partner.says(200, Some("tag"), "weaker");
    assert_eq!(world.look().await, Seen::Held);
    let document = world.store.now();
    assert_eq!((document.current.xml.as_str(), document.current.etag), ("first", None), "the last good one stays");
    let held = document.held.unwrap();
    assert_eq!((held.xml.as_str(), held.drift[0].effect), ("weaker", DriftEffect::Weakens));
    *world.clock.0.lock().unwrap() = 500;
    world.partner.says(200, None, "weaker");
    assert_eq!(world.look().await, Seen::Held);
    assert_eq!(world.store.now().held.unwrap().since, held.since, "it waits since then");
    world.partner.says(200, None, "third");
    assert_eq!(world.look().await, Seen::Adopted);
    assert_eq!(world.store.now().held, None, "what came later takes its place");
}

#[tokio::test]
async fn every_failure_keeps_the_last_good_one_and_backs_off() {
    let world = World::new();
    world.partner.says(500, None, "");
    world.partner.says(200, None, "broken");
    for (want, pause) in [("answered with status 500", 60), ("idp_metadata", 300), ("no answer", 900)] {
        let Seen::Failed(cause) = world.look().await else { panic!("{want}") };
        assert!(cause.contains(want), "{cause}");
        let document = world.store.now();
        assert_eq!(document.current.xml, "first");
        let next = document.next_look.seconds();
        assert!((pause - 2..=pause + 2).contains(&next), "{next} is not about {pause}");
    }
    assert_eq!(world.store.now().failures, 3);
    world.partner.says(200, None, "first");
    assert_eq!(world.look().await, Seen::Unchanged);
    assert_eq!((world.store.now().failures, world.store.now().last_failure), (0, None));
}

#[tokio::test]
async fn a_document_that_nobody_can_confirm_lapses_after_a_day() {
    let world = World::new();
    let day = i64::try_from(DAY.as_secs()).unwrap();
    *world.clock.0.lock().unwrap() = day * 2;
    assert_eq!(world.lapsed().await, None, "nobody has looked, so nothing has failed");
    *world.clock.0.lock().unwrap() = day - 1;
    assert!(matches!(world.look().await, Seen::Failed(_)));
    assert_eq!(world.lapsed().await, None);
    *world.clock.0.lock().unwrap() = day;
    let confirmed = Timestamp::from_seconds(0);
    assert_eq!(world.lapsed().await, Some(confirmed));
    let document = world.store.now();
    assert_eq!(document.current.xml, "first", "what comes next is still compared with it");
    // Logins wait for it, so they may look often; and the first good look helps at once.
    for _ in 0..2 {
        world.asked.refresh(document.tenant, document.party).await;
        assert!(world.keeper.snapshots.lapsed(document.tenant, document.party).is_some());
        *world.clock.0.lock().unwrap() += 11;
    }
    assert_eq!(world.store.now().failures, 3);
    world.partner.says(200, None, "first");
    world.asked.refresh(document.tenant, document.party).await;
    assert_eq!(world.keeper.snapshots.lapsed(document.tenant, document.party), None);
    assert_eq!(world.lapsed().await, None);
}

#[tokio::test]
async fn a_document_that_was_never_read_is_not_called_old() {
    let world = World::unread();
    world.look().await;
    *world.clock.0.lock().unwrap() = 2 * 86_400;
    assert_eq!(world.lapsed().await, None);
}

#[tokio::test]
async fn an_unknown_key_makes_us_look_but_not_often() {
    let world = World::new();
    let document = world.store.now();
    let ask = async || world.asked.refresh(document.tenant, document.party).await;
    world.partner.says(200, None, "second");
    assert_eq!(ask().await, Refreshed::Changed);
    assert_eq!(story(&world.told()[0].2).0, because("a message signed with a key that is not known"));
    assert_eq!(ask().await, Refreshed::Limited);
    *world.clock.0.lock().unwrap() = 299;
    assert_eq!(ask().await, Refreshed::Limited);
    *world.clock.0.lock().unwrap() = 300;
    world.partner.says(200, None, "second");
    assert_eq!(ask().await, Refreshed::Unchanged);
    assert_eq!(world.partner.tags.lock().unwrap().len(), 2);
}

#[tokio::test]
async fn an_address_that_nothing_was_read_from_is_tried_again_soon() {
    let world = World::unread();
    let document = world.store.now();
    for pause in [10, 60, 300, 300] {
        let Seen::Failed(_) = world.look().await else { panic!("nobody answers") };
        let next = world.store.now().next_look.seconds();
        assert!((pause - 6..=pause + 6).contains(&next), "{next} is not about {pause}");
    }
    let told = world.told();
    let [(Outcome::Error, cause, _)] = told.as_slice() else { panic!("{told:?}") };
    assert!(cause.starts_with("could not be fetched; there is none in force yet"), "{cause}");
    // A login that waits makes us look, more often than one with an unknown key.
    let ask = async || world.asked.refresh(document.tenant, document.party).await;
    assert_eq!(ask().await, Refreshed::Unchanged);
    *world.clock.0.lock().unwrap() = 9;
    assert_eq!(ask().await, Refreshed::Limited);
    *world.clock.0.lock().unwrap() = 10;
    world.partner.says(200, None, "second");
    assert_eq!(ask().await, Refreshed::Changed);
    let told = world.told();
    let [(Outcome::Success, _, steps)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(story(steps).0, because("a login that waits for it"));
    assert_eq!(world.store.now().current.xml, "second");
}

#[tokio::test]
async fn the_answer_says_how_long_it_may_be_kept() {
    let world = World::new();
    for (status, max_age, want) in
        [(200, 7200, 7200), (304, 3 * 3600, 3 * 3600), (200, 0, 3600), (200, 1 << 30, 24 * 3600)]
    {
        let max_age = Some(Duration::from_secs(max_age));
        let body = Bytes::from_static(b"first");
        let fetched = Fetched { status, content_type: None, etag: Some("tag".into()), max_age, body };
        world.partner.answers.lock().unwrap().push_back(Ok(fetched));
        assert_eq!(world.look().await, Seen::Unchanged);
        let next = world.store.now().next_look.seconds();
        assert!((want * 98 / 100..=want * 102 / 100).contains(&next), "{next} is not about {want}");
    }
}

/// The address and the reason that the first step of a trace names, and the changes behind it.
fn story(steps: &[Step]) -> (Vec<(String, String)>, Vec<DriftEffect>) {
    let Some(Step::Received { facts, .. }) = steps.first() else { panic!("{steps:?}") };
    let changes = steps.iter().filter_map(|step| match step {
        Step::Change { effect, .. } => Some(*effect),
        _ => None,
    });
    (facts.iter().take(2).cloned().collect(), changes.collect())
}

fn because(text: &str) -> Vec<(String, String)> {
    vec![("address".into(), URL.into()), ("because of".into(), text.into())]
}

#[tokio::test]
async fn what_is_new_leaves_a_trace_with_its_differences_and_what_is_not_leaves_none() {
    let world = World::new();
    world.partner.says(200, None, "second");
    world.look().await;
    let told = world.told();
    let [(Outcome::Success, cause, steps)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(cause, "in force, because nothing in it is weaker: + key");
    assert_eq!(story(steps), (because("the schedule"), vec![DriftEffect::Adds]));
    world.partner.says(200, None, "second");
    world.partner.says(304, None, "");
    for _ in 0..2 {
        assert_eq!(world.look().await, Seen::Unchanged);
    }
    assert_eq!(world.told(), []);
    // Only written anew: the text is another one, and the meaning is the same.
    world.partner.says(200, None, "second, same");
    assert_eq!(world.look().await, Seen::Adopted);
    assert_eq!(world.told(), []);
}

#[tokio::test]
async fn what_waits_and_what_comes_of_it_is_told_once_each() {
    let world = World::new();
    let command = |name| Trigger::Command(name);
    for _ in 0..2 {
        world.partner.says(200, None, "weaker");
        assert_eq!(world.look().await, Seen::Held);
    }
    let told = world.told();
    let [(Outcome::Refused, cause, steps)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(cause, "waits for approval; the last one stays in force: ! key (needs approval)");
    assert_eq!(story(steps).1, [DriftEffect::Weakens]);

    assert!(world.keeper.reject(&world.store.now(), command("connections reject")).await.unwrap());
    assert!(!world.keeper.reject(&world.store.now(), command("connections reject")).await.unwrap());
    let told = world.told();
    let [(Outcome::Refused, cause, steps)] = told.as_slice() else { panic!("{told:?}") };
    assert!(cause.starts_with("rejected; the last one stays in force"), "{cause}");
    let rejected = (because("the command `fedbridge connections reject`"), vec![DriftEffect::Weakens]);
    assert_eq!(story(steps), rejected);

    world.partner.says(200, None, "weaker");
    world.look().await;
    let document = world.store.now();
    let held = document.held.clone().unwrap();
    assert_eq!(world.keeper.approve(&document, &held, command("connections approve")).await, Ok(true));
    assert_eq!(world.keeper.approve(&document, &held, command("connections approve")).await, Ok(false));
    let told = world.told();
    let [(Outcome::Refused, ..), (Outcome::Success, cause, _)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(cause, "approved, and in force: ! key (needs approval)");
}

#[tokio::test]
async fn a_failure_is_told_once_with_its_reason() {
    let world = World::new();
    for _ in 0..2 {
        world.partner.says(200, None, "broken");
        world.look().await;
    }
    let told = world.told();
    let [(Outcome::Refused, cause, steps)] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!(cause, "can't be used; the last one stays in force: idp_metadata: is broken");
    let said = |step: &Step| {
        matches!(step, Step::Decision { what, outcome, allowed: false }
            if what == "idp_metadata" && outcome == "is broken")
    };
    assert!(steps.iter().any(said), "{steps:?}");
    assert!(matches!(steps[0], Step::Received { verified: false, .. }));
    for _ in 0..2 {
        world.look().await;
    }
    let told = world.told();
    let [(Outcome::Error, cause, _)] = told.as_slice() else { panic!("{told:?}") };
    assert!(cause.contains("no answer"), "{cause}");
}

/// Whoever held the partner's address for a while shall not be approved after he was thrown out.
#[tokio::test]
async fn what_is_not_published_any_more_does_not_wait_any_longer() {
    let world = World::new();
    world.partner.says(200, None, "weaker");
    assert_eq!(world.look().await, Seen::Held);
    world.told();
    world.partner.says(200, None, "first");
    assert_eq!(world.look().await, Seen::Unchanged);
    assert_eq!(world.store.now().held, None);
    let told = world.told();
    let [(Outcome::Refused, cause, _)] = told.as_slice() else { panic!("{told:?}") };
    assert!(cause.starts_with("is not published any more"), "{cause}");
}

#[tokio::test]
async fn what_waits_is_compared_with_what_is_published() {
    let world = World::new();
    world.partner.says(200, None, "weaker");
    world.look().await;
    let (document, held) = (world.store.now(), world.store.now().held.unwrap());
    for (now, want) in [
        ("weaker", Published::Same),
        ("weaker, written anew", Published::Same),
        ("first", Published::Other),
        ("third", Published::Other),
        ("broken", Published::Other),
    ] {
        world.partner.says(200, None, now);
        assert_eq!(world.keeper.published(&document, &held).await, Ok(want), "{now}");
    }
    world.partner.says(500, None, "");
    for _ in 0..2 {
        assert!(world.keeper.published(&document, &held).await.is_err(), "nobody knows");
    }
    assert_eq!(world.store.now(), document, "it changes nothing");
}

#[tokio::test]
async fn a_look_goes_on_when_the_login_gives_up() {
    let world = World::new();
    let document = world.store.now();
    let slow = Arc::new(tokio::sync::Barrier::new(2));
    *world.partner.barrier.lock().unwrap() = Some(Arc::clone(&slow));
    world.partner.says(200, None, "second");
    let ask = || world.asked.refresh(document.tenant, document.party);
    let short = Duration::from_millis(50);
    assert!(tokio::time::timeout(short, ask()).await.is_err(), "the partner is slow");
    // Now it answers: the next login waits for the same look, and does not start another one.
    slow.wait().await;
    assert_eq!(tokio::time::timeout(Duration::from_secs(5), ask()).await, Ok(Refreshed::Limited));
    assert_eq!(world.store.now().current.xml, "second");
}

/// A node that is new to a provider: nobody has read anything of it, and everybody begins at once.
#[tokio::test]
async fn a_thousand_logins_that_wait_for_a_document_read_it_once() {
    let world = World::unread();
    let document = world.store.now();
    let slow = Arc::new(tokio::sync::Barrier::new(2));
    *world.partner.barrier.lock().unwrap() = Some(Arc::clone(&slow));
    world.partner.says(200, None, "first");
    let logins = (0..1000).map(|_| world.asked.refresh(document.tenant, document.party));
    let all = async { tokio::join!(futures_util::future::join_all(logins), slow.wait()).0 };
    let seen = tokio::time::timeout(Duration::from_secs(10), all).await.unwrap();
    assert_eq!(world.partner.tags.lock().unwrap().len(), 1);
    assert_eq!(seen.iter().filter(|&&seen| seen == Refreshed::Limited).count(), 999, "the others waited for it");
    assert_eq!(world.store.now().current.xml, "first");
}

#[tokio::test]
async fn reading_a_document_holds_up_nobody() {
    let world = World::new();
    world.partner.says(200, None, "slow");
    tokio::select! {
        biased;
        seen = world.look() => panic!("requests waited for it: {seen:?}"),
        () = tokio::time::sleep(Duration::from_millis(100)) => {}
    }
}

#[tokio::test]
async fn several_documents_are_looked_at_side_by_side() {
    let world = World::new();
    *world.partner.barrier.lock().unwrap() = Some(Arc::new(tokio::sync::Barrier::new(SIDE_BY_SIDE)));
    for _ in 0..SIDE_BY_SIDE {
        world.partner.says(200, None, "second");
    }
    let looks = world.keeper.look_at_all(vec![world.store.now(); SIDE_BY_SIDE]);
    tokio::time::timeout(Duration::from_secs(5), looks).await.unwrap();
    assert_eq!(world.partner.tags.lock().unwrap().len(), SIDE_BY_SIDE);
}

#[tokio::test]
async fn a_partners_words_make_no_lines_of_their_own() {
    let world = World::new();
    let cause = "no answer\n2026-11-22 INFO all is well\u{9b}2J\u{202e}".to_owned();
    world.partner.answers.lock().unwrap().push_back(Err(EgressError { url: URL.into(), cause, silent: true }));
    let Seen::Failed(cause) = world.look().await else { panic!("it failed") };
    assert!(cause.contains("no answer\u{fffd}2026") && cause.ends_with("2J\u{fffd}"), "{cause:?}");
    assert_eq!(world.store.now().last_failure, Some(cause));
}
