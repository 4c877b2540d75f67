//! Single logout with scripted parties: who is told, in what order, and who can't hold the others up.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use fedbridge_contract::http::{Reply, ReplyKind};
use fedbridge_contract::ids::{AppId, TenantId};
use fedbridge_contract::page::{LoggingOutPage, Page};
use fedbridge_contract::services::{Egress, EgressError, EgressLimits, EgressPost, Fetched};
use fedbridge_hub::ports::{Command, LogoutStore as _, TraceFilter, TraceStore as _, Unit};
use fedbridge_hub::spec::{ConfigChange, SubjectType};
use serde_json::{Value, json};

use super::between::{Between, Meddler};
use super::{BASE, TestClock, World, app, connection, id, param};
use crate::support::in_time;

/// Calls that were made, fetches apart. Hosts that begin with `dead` never answer, `flaky` ones answer the second time.
#[derive(Default)]
pub struct Calls {
    made: Mutex<Vec<EgressPost>>,
    flaky: AtomicU32,
    upstream_is_dead: AtomicBool,
    clock: Mutex<Option<Arc<TestClock>>>,
    fetched: Mutex<Vec<String>>,
}

impl Calls {
    pub fn upstreams_die(&self) {
        self.upstream_is_dead.store(true, Ordering::Relaxed);
    }

    /// Hosts that were asked for a document, in their order.
    pub fn fetched(&self) -> Vec<String> {
        let fetched = self.fetched.lock().unwrap();
        fetched.iter().map(|url| url.split('/').nth(2).unwrap().to_owned()).collect()
    }

    /// Nobody answers for as long as the caller waits.
    async fn silence(&self, url: &str, limits: EgressLimits) -> EgressError {
        tokio::time::sleep(limits.timeout).await;
        if let Some(clock) = self.clock.lock().unwrap().as_ref() {
            clock.0.fetch_add(i64::try_from(limits.timeout.as_millis()).unwrap(), Ordering::Relaxed);
        }
        EgressError { url: url.to_owned(), cause: "no answer in time".into(), silent: true }
    }

    pub fn hosts(&self) -> Vec<String> {
        let made = self.made.lock().unwrap();
        let mut hosts: Vec<_> = made.iter().map(|post| post.url.split('/').nth(2).unwrap().to_owned()).collect();
        hosts.sort();
        hosts
    }

    /// What was posted to addresses that end so.
    pub fn bodies(&self, end: &str) -> Vec<String> {
        let made = self.made.lock().unwrap();
        made.iter().filter(|post| post.url.ends_with(end)).map(|post| post.body.clone()).collect()
    }
}

#[async_trait]
impl Egress for Calls {
    async fn get(&self, url: &str, limits: EgressLimits) -> Result<Fetched, EgressError> {
        self.fetched.lock().unwrap().push(url.to_owned());
        if self.upstream_is_dead.load(Ordering::Relaxed) || url.contains("//dead") {
            return Err(self.silence(url, limits).await);
        }
        Ok(Fetched { status: 404, content_type: None, etag: None, max_age: None, body: Default::default() })
    }

    async fn get_if_changed(&self, url: &str, _: &str, limits: EgressLimits) -> Result<Fetched, EgressError> {
        self.get(url, limits).await
    }

    async fn post(&self, request: &EgressPost, limits: EgressLimits) -> Result<Fetched, EgressError> {
        self.made.lock().unwrap().push(request.clone());
        if request.url.ends_with("/fake/token") {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        let dead_upstream = self.upstream_is_dead.load(Ordering::Relaxed) && request.url.contains("/connections/");
        if dead_upstream || request.url.contains("//dead") {
            return Err(self.silence(&request.url, limits).await);
        }
        let status = match request.url.contains("//flaky") && self.flaky.fetch_add(1, Ordering::Relaxed) == 0 {
            true => 503,
            false => 200,
        };
        Ok(Fetched { status, content_type: None, etag: None, max_age: None, body: Default::default() })
    }
}

/// Who logs in at connection `one`, with how that connection hears of a logout.
pub fn upstream(logout: &str) -> ConfigChange {
    connection(2, "one", json!({ "subject": "alice", "logout": logout }), json!({}))
}

pub async fn world(mut changes: Vec<ConfigChange>, apps: &[(&str, Value)]) -> (World, Arc<Calls>) {
    for (number, (name, settings)) in apps.iter().enumerate() {
        changes.push(app(20 + u8::try_from(number).unwrap(), name, settings.clone()));
    }
    let calls = Arc::new(Calls::default());
    let world = World::with(changes, SubjectType::Public, |_| {}, Some(Arc::clone(&calls) as _)).await;
    *calls.clock.lock().unwrap() = Some(Arc::clone(&world.clock));
    (world, calls)
}

pub fn by(notice: &str) -> Value {
    json!({ "notice": notice })
}

impl World {
    pub async fn log_in(&mut self, app: &str) -> String {
        let reply = self.visit(&format!("{BASE}t/acme/fake/login?app={app}")).await;
        assert!(goes_to(&reply).starts_with(&format!("http://{app}.example/in")), "{reply:?}");
        param(&reply, "sub").unwrap()
    }

    pub fn has_session(&self) -> bool {
        self.cookies.iter().any(|(name, _)| name.ends_with("-s"))
    }

    pub fn wait(&self, time: Duration) {
        self.clock.0.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::Relaxed);
    }

    async fn causes(&self) -> Vec<String> {
        self.recorder.flush().await;
        let filter = TraceFilter { limit: 100, ..TraceFilter::default() };
        let all = self.foundation.system.list(&filter).await.unwrap();
        all.into_iter().filter(|trace| trace.kind == "logout").map(|trace| trace.cause).collect()
    }
}

pub fn goes_to(reply: &Reply) -> &str {
    let ReplyKind::Redirect(location) = &reply.kind else { panic!("no redirect: {reply:?}") };
    location
}

fn frames_of(reply: &Reply) -> &LoggingOutPage {
    let ReplyKind::Page(Page::LoggingOut(page)) = &reply.kind else { panic!("no frames: {reply:?}") };
    page
}

pub fn status_of(reply: &Reply) -> u16 {
    match &reply.kind {
        ReplyKind::Body(body) => body.status,
        ReplyKind::Page(Page::Error(page)) => page.status,
        other => panic!("{other:?}"),
    }
}

/// What a living app does in its frame: it answers the notice's id.
async fn answer_frame(world: &mut World, frame: &str) {
    let reply = world.step(frame).await;
    let id = match &reply.kind {
        ReplyKind::Redirect(_) => param(&reply, "id").unwrap(),
        ReplyKind::Page(Page::NoticeForm(form)) => form.fields[0].1.clone(),
        other => panic!("{other:?}"),
    };
    let reply = world.step(&format!("{BASE}t/acme/fake/slo?answer={id}&told=done")).await;
    assert!(matches!(reply.kind, ReplyKind::Page(Page::Noticed(_))), "{reply:?}");
}

#[tokio::test]
async fn one_logout_ends_six_and_two_dead_ones_stall_nobody() {
    in_time(Duration::from_secs(5), async || ((), six_end().await)).await;
}

/// Gives how long a person waits.
async fn six_end() -> Duration {
    let apps = [
        ("asker", by("front")),
        ("wiki", by("back")),
        ("mail", by("back")),
        ("dead-pay", by("back")),
        ("plan", by("front")),
        ("shop", by("post")),
        ("dead-game", by("front")),
        ("local", json!({})),
    ];
    let (mut world, calls) = world(vec![upstream("front")], &apps).await;
    let mut sub = String::new();
    for (name, _) in &apps {
        sub = world.log_in(name).await;
    }
    let started = Instant::now();
    let reply = world.visit(&format!("{BASE}t/acme/fake/slo?app=asker&key={sub}&id=lr1")).await;
    assert!(!world.has_session(), "the own session ends first");
    assert_eq!(calls.hosts(), ["dead-pay.example", "mail.example", "wiki.example"]);
    let page = frames_of(&reply).clone();
    assert_eq!(page.frames.len(), 3, "{page:?}");
    let waits = started.elapsed() + Duration::from_secs(page.wait_seconds.into());

    // The living two answer in their frames; the third frame's app does not.
    let mut dead = None;
    for frame in &page.frames {
        let game = format!("app={}", id::<AppId>(26));
        if frame.ends_with(&game) {
            dead = Some(frame.clone())
        } else {
            answer_frame(&mut world, frame).await
        }
        assert_eq!(status_of(&world.step(&page.poll).await), 202, "the dead one is waited for");
    }
    assert!(goes_to(&world.step(&dead.unwrap()).await).starts_with("http://dead-game.example/slo?id=_a"));
    let reply = world.visit(&page.next).await;
    assert_eq!(goes_to(&reply), "http://asker.example/out?end=Partial");
    let causes = world.causes().await;
    assert!(causes.contains(&"not told: dead-game, dead-pay".to_owned()), "{causes:?}");

    // Nothing of it is left: the old cookies lead to a new login.
    let tenant = id::<TenantId>(1);
    let left = world.foundation.store.sessions_of_participant(tenant, id::<AppId>(21), &sub, &[], world.now()).await;
    assert_eq!(left.unwrap(), []);
    let again = world.visit(&format!("{BASE}t/acme/fake/slo?app=asker&key={sub}&id=lr1")).await;
    assert_eq!(status_of(&again), 400, "a logout request counts once");
    waits
}

#[tokio::test]
async fn nobody_is_waited_for_when_all_have_answered() {
    let (mut world, _) =
        world(vec![upstream("back")], &[("asker", by("front")), ("plan", by("front")), ("ads", by("frame"))]).await;
    let mut sub = String::new();
    for name in ["asker", "plan", "ads"] {
        sub = world.log_in(name).await;
    }
    let reply = world.visit(&format!("{BASE}t/acme/fake/slo?app=asker&key={sub}")).await;
    let page = frames_of(&reply).clone();
    let ads = format!("app={}", id::<AppId>(22));
    for frame in &page.frames {
        if frame.ends_with(&ads) {
            assert!(goes_to(&world.step(frame).await).starts_with("http://ads.example/slo"));
        } else {
            answer_frame(&mut world, frame).await;
        }
    }
    assert_eq!(status_of(&world.step(&page.poll).await), 204);
    assert_eq!(goes_to(&world.visit(&page.next).await), "http://asker.example/out?end=Complete");
    assert_eq!(world.newest_cause().await, ("Success".into(), String::new()));
    // Whoever knows the logout's id alone sees nothing of it.
    for address in [&page.frames[0], &page.poll, &page.next] {
        let (before, after) = address.split_once("key=").unwrap();
        let forged = format!("{before}key={}{}", "0".repeat(32), &after[32..]);
        assert_eq!(status_of(&world.step(&forged).await), 404, "{forged}");
    }
}

/// Whoever sends an upstream's answer again gets the same page, and fills no table.
#[tokio::test]
async fn an_upstreams_answer_is_written_down_once() {
    let (mut world, _) = world(vec![upstream("front")], &[("asker", by("front"))]).await;
    let sub = world.log_in("asker").await;
    let reply = world.step(&format!("{BASE}t/acme/fake/slo?app=asker&key={sub}")).await;
    let answer = goes_to(&reply).to_owned();
    assert!(answer.contains("/fake/logout?answer="), "{answer}");
    let out = world.step(&answer).await;
    assert_eq!(goes_to(&out), "http://asker.example/out?end=Complete");
    let records = world.causes().await.len();
    for told in ["done", "done", "refused"] {
        let again = answer.replace("told=done", &format!("told={told}"));
        assert_eq!(goes_to(&world.step(&again).await), "http://asker.example/out?end=Complete", "the first one counts");
    }
    assert_eq!(world.causes().await.len(), records);
}

/// An upstream that was given up may still answer.
#[tokio::test]
async fn a_late_answer_of_an_upstream_counts() {
    let (mut world, _) = world(vec![upstream("front")], &[("asker", by("front"))]).await;
    let sub = world.log_in("asker").await;
    let reply = world.step(&format!("{BASE}t/acme/fake/slo?app=asker&key={sub}")).await;
    let answer = goes_to(&reply).to_owned();
    let silent = world.step(&answer.replace("told=done", "told=silent")).await;
    assert_eq!(goes_to(&silent), "http://asker.example/out?end=Partial");
    assert_eq!(goes_to(&world.step(&answer).await), "http://asker.example/out?end=Complete");
}

#[tokio::test]
async fn a_call_of_an_apps_server_needs_no_browser_and_reaches_those_with_addresses() {
    for (other, end) in [("back", "Complete"), ("front", "Partial"), ("nothing", "Partial")] {
        let (mut world, calls) = world(vec![upstream("back")], &[("asker", by("back")), ("other", by(other))]).await;
        world.log_in("asker").await;
        let sub = world.log_in("other").await;
        world.cookies.clear();
        let reply = world.visit(&format!("{BASE}t/acme/fake/slo?app=asker&key={sub}&back=1")).await;
        assert_eq!(goes_to(&reply), format!("http://asker.example/out?end={end}"), "{other}");
        let told = if other == "back" { vec!["127.0.0.1:8080", "other.example"] } else { vec!["127.0.0.1:8080"] };
        assert_eq!(calls.hosts(), told, "the upstream hears of it too");
        let again = world.visit(&format!("{BASE}t/acme/fake/slo?app=asker&key={sub}&back=1")).await;
        assert_eq!(goes_to(&again), "http://asker.example/out?end=NoSession");
    }
}

#[tokio::test]
async fn a_dead_app_and_a_dead_upstream_together_take_five_seconds_at_most() {
    let apps = [("asker", by("back")), ("dead", by("back")), ("wiki", by("back"))];
    let log_out = async || {
        let (mut world, calls) = world(vec![upstream("back")], &apps).await;
        calls.upstream_is_dead.store(true, Ordering::Relaxed);
        let mut sub = String::new();
        for (name, _) in &apps {
            sub = world.log_in(name).await;
        }
        let started = Instant::now();
        let reply = world.visit(&format!("{BASE}t/acme/fake/slo?app=asker&key={sub}&back=1")).await;
        let took = started.elapsed();
        assert_eq!(goes_to(&reply), "http://asker.example/out?end=Partial");
        assert_eq!(world.newest_cause().await, ("Error".into(), "not told: dead, one".into()));
        ((), took)
    };
    in_time(Duration::from_secs(5), log_out).await;
}

#[tokio::test]
async fn an_upstreams_logout_ends_every_session_of_that_person_and_no_other() {
    let bob = connection(3, "two", json!({ "subject": "bob", "logout": "front" }), json!({}));
    let (mut world, calls) = world(vec![upstream("front"), bob], &[("wiki", by("back"))]).await;
    let alice = format!("{BASE}t/acme/fake/login?app=wiki&connection=one");
    for browser in [&alice, &alice, &format!("{BASE}t/acme/fake/login?app=wiki&connection=two")] {
        world.cookies.clear();
        world.visit(browser).await;
    }
    // In the third browser somebody else is logged in, and stays.
    let asks = format!("{BASE}t/acme/connections/one/fake/logout?logout=alice&framed_by=https://idp.example");
    let reply = world.visit(&asks).await;
    assert_eq!(goes_to(&reply), "http://idp.example/out?for=upstream&end=Complete");
    assert!(world.has_session());
    let made = calls.made.lock().unwrap().clone();
    assert_eq!(made.len(), 2, "one notice for each session, and none to who asked");
    assert_ne!(made[0].url, made[1].url, "each under an ID of its own");
    let reply = world.visit(&asks).await;
    assert_eq!(goes_to(&reply), "http://idp.example/out?for=upstream&end=NoSession");
}

#[tokio::test]
async fn the_outbox_tells_who_did_not_answer_and_who_was_left() {
    let bob = connection(3, "two", json!({ "subject": "bob" }), json!({}));
    let apps = [("asker", by("back")), ("flaky", by("back")), ("wiki", by("back"))];
    let (mut world, calls) = world(vec![upstream("back"), bob], &apps).await;
    let system = Arc::clone(&world.foundation.system);
    world.visit(&format!("{BASE}t/acme/fake/login?app=asker&connection=one")).await;
    let sub = world.visit(&format!("{BASE}t/acme/fake/login?app=flaky&connection=one")).await;
    let sub = param(&sub, "sub").unwrap();
    let reply = world.visit(&format!("{BASE}t/acme/fake/slo?app=asker&key={sub}&back=1")).await;
    assert_eq!(goes_to(&reply), "http://asker.example/out?end=Partial");
    assert_eq!(world.hub.deliver_notices(system.as_ref()).await.unwrap(), 0, "not yet");
    world.wait(Duration::from_secs(2));
    assert_eq!(world.hub.deliver_notices(system.as_ref()).await.unwrap(), 1);
    world.wait(Duration::from_secs(60));
    assert_eq!(world.hub.deliver_notices(system.as_ref()).await.unwrap(), 0, "told, so told no more");
    assert_eq!(calls.hosts().iter().filter(|host| *host == "flaky.example").count(), 2);

    // Another person logs in in the same browser: the session ends, and nobody carries its logout.
    world.cookies.clear();
    world.visit(&format!("{BASE}t/acme/fake/login?app=wiki&connection=one")).await;
    world.visit(&format!("{BASE}t/acme/fake/login?app=asker&connection=two")).await;
    assert!(!calls.hosts().contains(&"wiki.example".to_owned()));
    world.wait(Duration::from_secs(11));
    world.hub.deliver_notices(system.as_ref()).await.unwrap();
    world.wait(Duration::from_secs(11));
    world.hub.deliver_notices(system.as_ref()).await.unwrap();
    assert_eq!(calls.hosts().iter().filter(|host| *host == "wiki.example").count(), 1);
}

#[tokio::test]
async fn an_openid_connect_logout_tells_the_others_too() {
    let (mut world, calls) = world(vec![upstream("back")], &[("wiki", by("back")), ("plan", by("front"))]).await;
    world.authorize("").await;
    world.log_in("wiki").await;
    world.log_in("plan").await;
    let reply = world.step(&format!("{BASE}t/acme/logout")).await;
    let ReplyKind::Page(Page::ConfirmLogout(confirm)) = &reply.kind else { panic!("{reply:?}") };
    let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&confirm.fields).finish();
    let reply = world.post(&format!("{BASE}t/acme/logout"), form).await;
    assert!(!world.has_session());
    let page = frames_of(&reply).clone();
    assert_eq!((page.frames.len(), calls.hosts()), (1, vec!["wiki.example".to_owned()]));
    let reply = world.visit(&page.next).await;
    let ReplyKind::Page(Page::LoggedOut(out)) = &reply.kind else { panic!("{reply:?}") };
    assert_eq!(out.not_told, ["plan"]);
}

#[tokio::test]
async fn a_request_is_answered_once_however_it_ends() {
    let denied = connection(3, "two", json!({ "subject": "bob", "refuse": "denied" }), json!({}));
    let (mut world, _) = world(vec![upstream("back"), denied], &[("wiki", json!({}))]).await;
    for (connection, ends) in [("one", "in?"), ("one", "in?"), ("two", "refused?kind=AccessDenied")] {
        world.clock.0.fetch_add(1000, Ordering::Relaxed);
        let key = world.now().millis();
        let url = format!("{BASE}t/acme/fake/login?app=wiki&connection={connection}&id=r{key}");
        let reply = world.visit(&url).await;
        assert!(goes_to(&reply).starts_with(&format!("http://wiki.example/{ends}")), "{reply:?}");
        let again = world.visit(&url).await;
        assert_eq!(status_of(&again), 400, "{again:?}");
        let ReplyKind::Page(Page::Error(page)) = &again.kind else { panic!("{again:?}") };
        assert_eq!(page.way_back, None, "the same request would be refused once more");
    }
}

/// The store gives way while sessions end: after so many units with the end of one.
struct Brittle(Arc<AtomicU32>);

impl Meddler for Brittle {
    fn loses(&self, unit: &Unit) -> bool {
        let ends = unit.commands.iter().any(|command| matches!(command, Command::EndSession(_)));
        let one_less = |left: u32| left.checked_sub(1);
        ends && self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less).is_err()
    }
}

async fn brittle(apps: &[(&str, Value)]) -> (World, Arc<AtomicU32>) {
    let left = Arc::new(AtomicU32::new(u32::MAX));
    let mut changes = vec![upstream("back")];
    for (number, (name, settings)) in apps.iter().enumerate() {
        changes.push(app(20 + u8::try_from(number).unwrap(), name, settings.clone()));
    }
    let own = Arc::clone(&left);
    let change = move |hub: &mut fedbridge_hub::run::Hub| {
        hub.store = Arc::new(Between { inner: Arc::clone(&hub.store), meddler: Arc::new(Brittle(own)) });
    };
    let world = World::with(changes, SubjectType::Public, change, Some(Arc::new(Calls::default()) as _)).await;
    (world, left)
}

#[tokio::test]
async fn a_server_that_asks_gets_an_answer_of_the_protocol_whatever_happens() {
    let (mut world, left) = brittle(&[("asker", by("back"))]).await;
    let sub = world.log_in("asker").await;
    let asks = |id: &str| format!("{BASE}t/acme/fake/slo?app=asker&key={sub}&back=1&id={id}");
    left.store(0, Ordering::Relaxed);
    assert_eq!(goes_to(&world.visit(&asks("a")).await), "http://asker.example/out?end=Failed");
    left.store(u32::MAX, Ordering::Relaxed);
    assert_eq!(goes_to(&world.visit(&asks("a")).await), "http://asker.example/out?end=Complete", "it was not used up");
    assert_eq!(goes_to(&world.visit(&asks("a")).await), "http://asker.example/out?end=Refused");
    assert_eq!(world.newest_cause().await.0, "Refused");
    assert_eq!(goes_to(&world.visit(&asks("b")).await), "http://asker.example/out?end=NoSession");
    world.log_in("asker").await;
    assert_eq!(goes_to(&world.visit(&asks("b")).await), "http://asker.example/out?end=Refused");
    assert!(world.has_session(), "what was used up ends nothing");
}

#[tokio::test]
async fn sessions_that_could_not_be_ended_are_told_of_and_end_by_the_next_request() {
    let (mut world, left) = brittle(&[("asker", by("back"))]).await;
    let mut sub = String::new();
    for _ in 0..18 {
        world.cookies.clear();
        sub = world.log_in("asker").await;
    }
    let asks = |id: &str| format!("{BASE}t/acme/fake/slo?app=asker&key={sub}&back=1&id={id}");
    left.store(1, Ordering::Relaxed);
    assert_eq!(goes_to(&world.visit(&asks("a")).await), "http://asker.example/out?end=Partial");
    let (_, cause) = world.newest_cause().await;
    assert!(cause.contains("2 sessions elsewhere, which go on"), "{cause}");
    left.store(u32::MAX, Ordering::Relaxed);
    assert_eq!(goes_to(&world.visit(&asks("a")).await), "http://asker.example/out?end=Refused");
    assert_eq!(goes_to(&world.visit(&asks("b")).await), "http://asker.example/out?end=Complete");
    assert_eq!(goes_to(&world.visit(&asks("c")).await), "http://asker.example/out?end=NoSession");
}

#[tokio::test]
async fn a_browser_goes_on_after_the_frames_a_few_times() {
    let apps = [("asker", by("front")), ("plan", by("front"))];
    let (mut world, calls) = world(vec![upstream("back")], &apps).await;
    world.log_in("asker").await;
    let sub = world.log_in("plan").await;
    let reply = world.visit(&format!("{BASE}t/acme/fake/slo?app=asker&key={sub}")).await;
    let page = frames_of(&reply).clone();
    for _ in 0..3 {
        assert_eq!(goes_to(&world.visit(&page.next).await), "http://asker.example/out?end=Partial");
    }
    assert_eq!(status_of(&world.visit(&page.next).await), 404);
    assert_eq!(calls.hosts().len(), 1, "the upstream is told once");
}

/// Logs in to the OpenID Connect client, and fetches its ID token.
pub async fn id_token(world: &mut World) -> String {
    let code = param(&world.authorize("").await, "code").unwrap();
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", "app"),
        ("code", &code),
        ("redirect_uri", super::REDIRECT),
        ("code_verifier", crate::support::scripted::VERIFIER),
    ];
    let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let ReplyKind::Body(body) = world.post(&format!("{BASE}t/acme/token"), form).await.kind else {
        panic!("no tokens")
    };
    let tokens: Value = serde_json::from_slice(&body.bytes).unwrap();
    tokens["id_token"].as_str().unwrap().to_owned()
}

/// An ID token is no proof of who is at the browser (RP-Initiated Logout 1.0 section 2).
#[tokio::test]
async fn a_hint_ends_the_session_of_another_browser_when_the_person_says_so() {
    let (mut world, _) = world(vec![upstream("back")], &[("wiki", by("back"))]).await;
    let hint = id_token(&mut world).await;
    let out = format!("{BASE}t/acme/logout?id_token_hint={hint}");
    let own = std::mem::take(&mut world.cookies);

    let reply = world.step(&out).await;
    let ReplyKind::Page(Page::ConfirmLogout(confirm)) = &reply.kind else { panic!("{reply:?}") };
    let asked = std::mem::take(&mut world.cookies);
    let mut forged = confirm.fields.clone();
    forged.last_mut().unwrap().1 = "0".repeat(64);
    let sent = |fields: &[(String, String)]| {
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
    };
    // The page is of the browser that was asked: whoever fetched it elsewhere has no button for anybody to press.
    for (fields, cookies) in [(&forged, &asked), (&confirm.fields, &Vec::new())] {
        world.cookies.clone_from(cookies);
        let reply = world.post(&format!("{BASE}t/acme/logout"), sent(fields)).await;
        assert!(matches!(reply.kind, ReplyKind::Page(Page::ConfirmLogout(_))), "{reply:?}");
    }
    // It still goes on where it lives, and there the hint is enough.
    world.cookies = own.clone();
    assert!(param(&world.authorize("&prompt=none").await, "code").is_some());
    world.cookies = asked;
    let reply = world.post(&format!("{BASE}t/acme/logout"), sent(&confirm.fields)).await;
    assert!(matches!(reply.kind, ReplyKind::Page(Page::LoggedOut(_))), "{reply:?}");
    assert_eq!(world.cookies, [], "what the page left is gone");
    world.cookies = own;
    world.authorize("").await;
    assert!(!world.cookies.is_empty());
    assert!(matches!(world.step(&out).await.kind, ReplyKind::Page(Page::ConfirmLogout(_))), "that session is another");
}
