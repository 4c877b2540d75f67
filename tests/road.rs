//! The hub's road with the fake adapter: no HTTP, no XML, a clock that the test moves.

mod account;
mod between;
mod binds;
mod collision;
mod consent;
mod dress;
mod factors;
mod guesses;
mod kills;
mod links;
mod logout;
mod nodes;
mod passwords;
mod people;
mod push;
mod pushed;
mod pushed_claims;
mod records;
mod revalidate;
mod signals;
mod sync;
mod unsolicited;
mod upstreams;

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use fedbridge::Foundation;
use fedbridge::settings::Settings;
use fedbridge::wiring::{Wired, wire};
use fedbridge_contract::config::AppKind;
use fedbridge_contract::factory::Registry;
use fedbridge_contract::http::{HttpInput, Method, Reply, ReplyKind};
use fedbridge_contract::ids::{AppId, ConnectionId, TenantId};
use fedbridge_contract::logout::{Channel, Told};
use fedbridge_contract::page::OwnForm;
use fedbridge_contract::services::{Clock, Counters, Egress};
use fedbridge_contract::time::Timestamp;
use fedbridge_fake::{FakeDownstream, FakeFactory};
use fedbridge_hub::ports::{ConfigStore as _, TraceFilter, TraceStore as _};
use fedbridge_hub::run::{Builder, Hub, HubPushDesk, Observer, Recorder, Snapshot, Snapshots, Target};
use fedbridge_hub::spec::{
    AppSpec, ConfigChange, ConnectionSpec, Managed, MappingSpec, PeopleSpec, StoredApp, StoredConnection, StoredTenant,
    SubjectType, TenantExtras, TenantSpec,
};
use fedbridge_keys::{TenantName, initial_keys};
use fedbridge_scim::ScimFactory;
use serde_json::{Value, json};
use url::Url;

use crate::support::Scratch;
use crate::support::scripted::CHALLENGE;

const BASE: &str = "http://127.0.0.1:8080/";
const REDIRECT: &str = "http://127.0.0.1:9/callback";

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

struct Silent;

impl Counters for Silent {
    fn token_issued(&self, _: &'static str) {}
    fn refused(&self, _: &'static str, _: &'static str) {}
    fn refresh_reused(&self) {}
}

impl Observer for Silent {
    fn login(&self, _: &str, _: &str, _: &'static str, _: f64) {}
    fn logout_notice(&self, _: Channel, _: Told) {}
}

struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

struct World {
    hub: Arc<Hub>,
    recorder: Recorder,
    foundation: Foundation,
    clock: Arc<TestClock>,
    cookies: Vec<(String, String)>,
    /// What the browser says about where a form comes from.
    origin: Option<String>,
    peer: IpAddr,
    wired: Rewired,
    push_desk: Arc<HubPushDesk>,
    _scratch: Scratch,
}

/// What a test needs to change the configuration under way.
struct Rewired {
    builder: Arc<Builder>,
    snapshots: Arc<Snapshots>,
}

fn id<T: std::str::FromStr<Err: std::fmt::Debug>>(last: u8) -> T {
    format!("{last:032x}").parse().unwrap()
}

fn connection(number: u8, slug: &str, settings: Value, mapping: Value) -> ConfigChange {
    connection_of(number, slug, settings, mapping, PeopleSpec::default())
}

/// With what it says about people.
fn connection_of(number: u8, slug: &str, settings: Value, mapping: Value, people: PeopleSpec) -> ConfigChange {
    ConfigChange::PutConnection(StoredConnection {
        tenant: id::<TenantId>(1),
        id: id::<ConnectionId>(number),
        managed: Managed::Elsewhere,
        spec: ConnectionSpec {
            slug: slug.into(),
            protocol: "fake".into(),
            display_name: None,
            enabled: true,
            domains: vec!["acme.example".into()],
            mapping: serde_json::from_value::<MappingSpec>(mapping).unwrap(),
            people,
            settings,
        },
    })
}

/// An app of the fake downstream.
fn app(number: u8, name: &str, settings: Value) -> ConfigChange {
    ConfigChange::PutApp(StoredApp {
        tenant: id::<TenantId>(1),
        id: id::<AppId>(number),
        managed: Managed::Elsewhere,
        spec: AppSpec {
            kind: AppKind::SamlSp,
            name: name.into(),
            protocol_name: None,
            display_name: name.into(),
            enabled: true,
            connections: None,
            release: vec![],
            claims: Default::default(),
            subject_type: SubjectType::Public,
            groups: vec![],
            settings,
        },
    })
}

impl World {
    async fn new(connections: Vec<ConfigChange>, subject_type: SubjectType) -> Self {
        Self::with(connections, subject_type, |_| {}, None).await
    }

    /// Beside the OpenID Connect client, apps of the fake downstream, and the way out that calls take.
    async fn with(
        connections: Vec<ConfigChange>,
        subject_type: SubjectType,
        change: impl FnOnce(&mut Hub),
        egress: Option<Arc<dyn Egress>>,
    ) -> Self {
        let scratch = Scratch::new("road");
        let database = format!("sqlite://{}", scratch.path().join("road.db").display());
        Self::on(scratch, &database, connections, subject_type, change, egress).await
    }

    /// On a database that is there; the master key stands in `scratch`.
    async fn on(
        scratch: Scratch,
        database: &str,
        connections: Vec<ConfigChange>,
        subject_type: SubjectType,
        change: impl FnOnce(&mut Hub),
        egress: Option<Arc<dyn Egress>>,
    ) -> Self {
        let mut foundation = foundation(&scratch, database).await;
        let clock = Arc::new(TestClock(AtomicI64::new(1_800_000_000_000)));
        foundation.clock = Arc::clone(&clock) as _;
        if let Some(egress) = egress {
            foundation.egress = egress;
        }
        let tenant = id::<TenantId>(1);
        let mut changes = vec![ConfigChange::PutTenant(StoredTenant {
            id: tenant,
            managed: Managed::Elsewhere,
            spec: TenantSpec {
                slug: "acme".into(),
                display_name: "Acme".into(),
                parent: None,
                domains: vec!["acme.example".into()],
                enabled: true,
                extras: TenantExtras::default(),
            },
        })];
        changes.extend(connections);
        changes.push(ConfigChange::PutApp(StoredApp {
            tenant,
            id: id::<AppId>(9),
            managed: Managed::Elsewhere,
            spec: AppSpec {
                kind: AppKind::OidcClient,
                name: "app".into(),
                protocol_name: None,
                display_name: "App".into(),
                enabled: true,
                connections: None,
                release: vec![],
                claims: Default::default(),
                subject_type,
                groups: vec![],
                settings: json!({
                    "public": true,
                    "redirect_uris": [REDIRECT],
                    "scopes": ["openid", "email", "profile", "groups"],
                    "subject_type": if subject_type == SubjectType::Pairwise { "pairwise" } else { "public" },
                }),
            },
        }));
        let keys = initial_keys(TenantName { id: tenant, slug: "acme" }, clock.now(), foundation.sealer.as_ref());
        changes.extend(keys.unwrap().into_iter().map(ConfigChange::PutKey));
        let version = foundation.system.version().await.unwrap();
        foundation.system.apply(version, &changes).await.unwrap();
        let Wired { mut hub, builder, snapshots, recorder, push_desk, .. } = scripted(&foundation).await;
        change(Arc::get_mut(&mut hub).unwrap());
        let wired = Rewired { builder, snapshots };
        let (cookies, origin, peer) = (Vec::new(), None, HERE);
        Self { hub, recorder, foundation, clock, cookies, origin, peer, wired, push_desk, _scratch: scratch }
    }

    /// Follows our own addresses until something else comes.
    async fn visit(&mut self, url: &str) -> Reply {
        let mut url = url.to_owned();
        loop {
            let reply = self.step(&url).await;
            match &reply.kind {
                ReplyKind::Redirect(location) if location.starts_with(BASE) => url = location.clone(),
                _ => return reply,
            }
        }
    }

    /// One request.
    async fn step(&mut self, url: &str) -> Reply {
        self.request(Method::Get, url, String::new()).await
    }

    /// A form sent.
    async fn post(&mut self, url: &str, form: String) -> Reply {
        self.request(Method::Post, url, form).await
    }

    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn request(&mut self, method: Method, url: &str, form: String) -> Reply {
        let (target, input) = self.prepared(method, url, form);
        let reply = self.hub.handle(target, input).await;
        for cookie in &reply.cookies {
            self.cookies.retain(|(name, _)| *name != cookie.name);
            if !cookie.value.is_empty() {
                self.cookies.push((cookie.name.clone(), cookie.value.clone()));
            }
        }
        reply
    }

    /// A request of this browser as the hub gets it.
    fn prepared(&self, method: Method, url: &str, form: String) -> (Target, HttpInput) {
        // No two things happen in the same millisecond, so that the newest trace is one.
        self.clock.0.fetch_add(1, Ordering::Relaxed);
        let url = Url::parse(url).unwrap();
        let rest = url.path().strip_prefix("/t/acme/").unwrap().to_owned();
        let resolved = match rest.strip_prefix("connections/") {
            Some(below) => {
                let (slug, route) = below.split_once('/').unwrap();
                self.hub.connection_route("acme", slug, route)
            }
            None => self.hub.tenant_route("acme", &rest),
        };
        let resolved = resolved.unwrap_or_else(|| panic!("nothing at {url}"));
        let input = HttpInput {
            method,
            route: resolved.route.path,
            rest: resolved.rest,
            query: url.query().unwrap_or_default().to_owned(),
            body: form.into(),
            content_type: (method == Method::Post).then(|| "application/x-www-form-urlencoded".to_owned()),
            authorization: None,
            origin: self.origin.clone().filter(|_| method == Method::Post),
            accept_language: None,
            if_match: None,
            if_none_match: None,
            prefer: None,
            cookies: self.cookies.clone(),
            peer: self.peer,
        };
        (resolved.target, input)
    }

    /// A form of ours, with what a button adds.
    async fn send(&mut self, form: &OwnForm, more: &[(&str, &str)]) -> Reply {
        let body = body_of(form, more);
        self.post(&form.action, body).await
    }

    async fn authorize(&mut self, more: &str) -> Reply {
        self.authorize_for("app", "openid%20email%20groups", more).await
    }

    async fn authorize_for(&mut self, client: &str, scope: &str, more: &str) -> Reply {
        let url = format!(
            "http://127.0.0.1:8080/t/acme/authorize?client_id={client}&response_type=code&redirect_uri={REDIRECT}\
             &scope={scope}&state=s&code_challenge={CHALLENGE}&code_challenge_method=S256{more}"
        );
        self.visit(&url).await
    }

    /// Applies a change, and puts it in force as a reload would.
    async fn apply(&self, changes: &[ConfigChange]) {
        let system = &self.foundation.system;
        system.apply(system.version().await.unwrap(), changes).await.unwrap();
        let configuration = system.load().await.unwrap();
        let tenant = self.wired.builder.tenant(&configuration.tenants[&id::<TenantId>(1)]).unwrap();
        self.wired.snapshots.replace(Snapshot::new(configuration.version, [Arc::new(tenant)]));
    }

    async fn newest_cause(&self) -> (String, String) {
        self.recorder.flush().await;
        let filter = TraceFilter { limit: 1, ..TraceFilter::default() };
        let newest = self.foundation.system.list(&filter).await.unwrap().remove(0);
        (format!("{:?}", newest.outcome), newest.cause)
    }
}

async fn foundation(scratch: &Scratch, database: &str) -> Foundation {
    let env = [
        ("FEDBRIDGE_DATABASE_URL", database.to_owned()),
        ("FEDBRIDGE_MASTER_KEY_FILE", scratch.path().join("master.key").display().to_string()),
    ];
    let env = env.map(|(name, value)| (name.to_owned(), value));
    Foundation::open(&Settings::read(None, env, &[]).unwrap()).await.unwrap()
}

/// A hub whose SAML sides are the fakes.
async fn scripted(foundation: &Foundation) -> Wired {
    let registry = Registry::default().with(Arc::new(FakeFactory)).with(Arc::new(ScimFactory));
    let mut wired = wire(foundation, registry, Arc::new(Silent)).await.unwrap();
    let own = Arc::get_mut(&mut wired.hub).unwrap();
    own.downstreams.retain(|downstream| downstream.kind() != AppKind::SamlSp);
    own.downstreams.push(Arc::new(FakeDownstream::new(Arc::clone(&own.services.traces))));
    wired
}

fn body_of(form: &OwnForm, more: &[(&str, &str)]) -> String {
    let own = form.fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(own.chain(more.iter().copied())).finish()
}

/// A further OpenID Connect client.
fn client(number: u8, name: &str, more: Value) -> ConfigChange {
    let mut settings = json!({
        "public": true,
        "redirect_uris": [REDIRECT],
        "scopes": ["openid", "email", "profile", "groups"],
    });
    settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let ConfigChange::PutApp(mut stored) = app(number, name, settings) else { unreachable!() };
    stored.spec.kind = AppKind::OidcClient;
    ConfigChange::PutApp(stored)
}

fn param(reply: &Reply, name: &str) -> Option<String> {
    let ReplyKind::Redirect(location) = &reply.kind else { panic!("no redirect: {reply:?}") };
    Url::parse(location).unwrap().query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

fn alice() -> Value {
    json!({ "subject": "alice", "attributes": { "email": ["alice@acme.example"] } })
}

#[tokio::test]
async fn a_login_ends_with_a_code_and_the_session_serves_the_next() {
    let mut world = World::new(vec![connection(2, "one", alice(), json!({}))], SubjectType::Public).await;
    let first = world.authorize("").await;
    assert!(param(&first, "code").is_some());
    assert_eq!(world.newest_cause().await, ("Success".into(), String::new()));
    let again = world.authorize("&prompt=none").await;
    assert!(param(&again, "code").is_some());
}

#[tokio::test]
async fn a_session_ends_when_idle_or_too_old() {
    let mut world = World::new(vec![connection(2, "one", alice(), json!({}))], SubjectType::Public).await;
    world.authorize("").await;
    // Used every 7 hours it is never idle; after 24 hours it is over all the same.
    for _ in 0..3 {
        world.clock.0.fetch_add(Duration::from_secs(7 * 3600).as_millis() as i64, Ordering::Relaxed);
        let before = world.cookies.clone();
        assert!(param(&world.authorize("").await, "code").is_some());
        assert_eq!(world.cookies, before, "the session was to serve this login");
    }
    world.clock.0.fetch_add(Duration::from_secs(4 * 3600).as_millis() as i64, Ordering::Relaxed);
    let before = world.cookies.clone();
    assert!(param(&world.authorize("").await, "code").is_some());
    assert_ne!(world.cookies, before, "after 24 hours the upstream was to be asked");
}

#[tokio::test]
async fn max_age_asks_the_upstream_again() {
    let mut world = World::new(vec![connection(2, "one", alice(), json!({}))], SubjectType::Public).await;
    world.authorize("").await;
    let before = world.cookies.clone();
    world.clock.0.fetch_add(61_000, Ordering::Relaxed);
    world.authorize("&max_age=60").await;
    assert_ne!(world.cookies, before);
}

#[tokio::test]
async fn a_denied_login_is_told_to_the_app_without_its_reason() {
    let mapping = json!({ "deny_when": [{ "cel": "true", "reason": "closed on Sundays" }] });
    let mut world = World::new(vec![connection(2, "one", alice(), mapping)], SubjectType::Public).await;
    let reply = world.authorize("").await;
    assert_eq!(param(&reply, "error").as_deref(), Some("access_denied"));
    assert!(!param(&reply, "error_description").unwrap().contains("Sundays"));
    let (outcome, cause) = world.newest_cause().await;
    assert_eq!((outcome.as_str(), cause.as_str()), ("Refused", "deny_when: closed on Sundays"));
}

#[tokio::test]
async fn the_upstreams_refusal_reaches_the_app() {
    for (refuse, error) in [("login_required", "login_required"), ("denied", "access_denied")] {
        let mut settings = alice();
        settings["refuse"] = json!(refuse);
        let mut world = World::new(vec![connection(2, "one", settings, json!({}))], SubjectType::Public).await;
        assert_eq!(param(&world.authorize("").await, "error").as_deref(), Some(error));
    }
}

#[tokio::test]
async fn a_broken_answer_is_a_page_and_never_reaches_the_app() {
    let mut settings = alice();
    settings["refuse"] = json!("broken");
    let mut world = World::new(vec![connection(2, "one", settings, json!({}))], SubjectType::Public).await;
    let reply = world.authorize("").await;
    assert!(matches!(reply.kind, ReplyKind::Page(_)), "{reply:?}");
    assert_eq!(world.newest_cause().await.1, "the answer is sound: expected sound, got broken");
}

/// A refused answer ends its login: no second one is looked at, and each has its own record.
#[tokio::test]
async fn a_refused_login_is_over() {
    let mut settings = alice();
    settings["refuse"] = json!("broken");
    let mut world = World::new(vec![connection(2, "one", settings, json!({}))], SubjectType::Public).await;
    // The fake sends the browser back at once, so the handle is in what it was sent.
    let started = world.step("http://127.0.0.1:8080/t/acme/connections/one/login").await;
    let ReplyKind::Redirect(answer) = &started.kind else { panic!("{started:?}") };
    let cookies = world.cookies.clone();
    assert!(matches!(world.step(answer).await.kind, ReplyKind::Page(_)));
    world.cookies = cookies;
    assert!(matches!(world.step(answer).await.kind, ReplyKind::Page(_)));
    world.recorder.flush().await;
    let filter = TraceFilter { limit: 10, ..TraceFilter::default() };
    let causes: Vec<_> =
        world.foundation.system.list(&filter).await.unwrap().into_iter().map(|trace| trace.cause).collect();
    assert_eq!(causes.len(), 2, "{causes:?}");
    assert!(causes.iter().any(|cause| cause.contains("the answer is sound")), "{causes:?}");
    assert!(causes.iter().any(|cause| cause.contains("no login under way")), "{causes:?}");
}

/// Being refused again and again fills no store.
#[tokio::test]
async fn refusals_of_one_address_shrink_to_a_count() {
    let mut world = World::new(vec![connection(2, "one", alice(), json!({}))], SubjectType::Public).await;
    for _ in 0..300 {
        world.step("http://127.0.0.1:8080/t/acme/connections/one/fake/answer?handle=guess").await;
    }
    world.recorder.flush().await;
    let filter = TraceFilter { limit: 1000, ..TraceFilter::default() };
    let kept = world.foundation.system.list(&filter).await.unwrap();
    assert!((120..=130).contains(&kept.len()), "{} traces", kept.len());
    assert!(kept.iter().any(|trace| trace.cause.contains("more ended so")), "nothing says how many were left out");
}

/// The same e-mail from two connections is two people.
#[tokio::test]
async fn an_email_address_links_nobody() {
    let connections = vec![connection(2, "one", alice(), json!({})), connection(3, "two", alice(), json!({}))];
    let mut world = World::new(connections, SubjectType::Public).await;
    let mut people = Vec::new();
    for slug in ["one", "two", "one"] {
        world.cookies.clear();
        assert!(param(&world.authorize(&format!("&connection={slug}")).await, "code").is_some());
        let link = world.foundation.store.as_ref();
        let key = "alice";
        let number = if slug == "one" { 2 } else { 3 };
        use fedbridge_hub::ports::LoginStore as _;
        let linked = link.linked_person(id::<TenantId>(1), id::<ConnectionId>(number), key).await.unwrap().unwrap();
        people.push(linked.person);
    }
    assert_ne!(people[0], people[1]);
    assert_eq!(people[0], people[2]);
}

#[tokio::test]
async fn a_disabled_person_is_refused_at_login_and_in_a_session() {
    use fedbridge_hub::ports::LoginStore as _;
    let mut world = World::new(vec![connection(2, "one", alice(), json!({}))], SubjectType::Public).await;
    world.authorize("").await;
    let store = Arc::clone(&world.foundation.store);
    let (tenant, one) = (id::<TenantId>(1), id::<ConnectionId>(2));
    let linked = store.linked_person(tenant, one, "alice").await.unwrap().unwrap();
    store.set_person_disabled(tenant, linked.person, true, world.clock.now()).await.unwrap();
    assert_eq!(param(&world.authorize("").await, "error").as_deref(), Some("access_denied"));
    assert!(world.newest_cause().await.1.contains("person is disabled"));
}
