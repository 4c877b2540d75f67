//! Logins that begin at the upstream, and keys that only the next look at its metadata knows.

use std::sync::Arc;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use fedbridge_contract::http::{Reply, ReplyKind};
use fedbridge_contract::ids::TenantId;
use fedbridge_contract::logout::Party;
use fedbridge_contract::page::Page;
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::run::{Refreshed, Refresher, Snapshot, Snapshots};
use fedbridge_hub::spec::{ConfigChange, SubjectType};
use serde_json::{Value, json};

use super::{BASE, REDIRECT, World, app, connection, id};
use crate::support::scripted::CHALLENGE;

fn upstream(subject: &str, unsolicited: Value) -> ConfigChange {
    connection(2, "one", json!({ "subject": subject, "unsolicited": unsolicited }), json!({}))
}

fn listed(accept: bool) -> Value {
    json!({ "app": "portal", "accept": accept, "targets": ["https://portal.example/start"] })
}

async fn world(policy: Value) -> World {
    let changes = vec![upstream("alice", policy), app(20, "portal", json!({}))];
    World::new(changes, SubjectType::Public).await
}

const ANSWER: &str = "t/acme/connections/one/fake/answer";

fn goes_to(reply: &Reply) -> &str {
    let ReplyKind::Redirect(location) = &reply.kind else { panic!("no redirect: {reply:?}") };
    location
}

fn sentence(reply: &Reply) -> &str {
    let ReplyKind::Page(Page::Error(page)) = &reply.kind else { panic!("no error: {reply:?}") };
    &page.sentence
}

#[tokio::test]
async fn nobody_is_logged_in_unasked_where_nothing_allows_it() {
    let mut world = world(Value::Null).await;
    let reply = world.visit(&format!("{BASE}{ANSWER}?target=x")).await;
    assert!(sentence(&reply).contains("could not be accepted"));
    assert!(world.newest_cause().await.1.contains("unsolicited"), "{:?}", world.newest_cause().await);
}

#[tokio::test]
async fn a_login_that_began_at_the_upstream_starts_the_app() {
    for accept in [false, true] {
        for (target, goes) in
            [("https://portal.example/start", "https://portal.example/start"), ("https://evil.example", "none")]
        {
            let mut world = world(listed(accept)).await;
            let reply = world.visit(&format!("{BASE}{ANSWER}?target={target}&id=a1")).await;
            assert_eq!(goes_to(&reply), format!("http://portal.example/start?target={goes}"), "{accept}");
            assert_eq!(world.newest_cause().await, ("Success".into(), String::new()));
            // The app asks, and the session is there.
            let cookies = world.cookies.clone();
            let reply = world.visit(&format!("{BASE}t/acme/fake/login?app=portal&passive=1")).await;
            assert!(goes_to(&reply).starts_with("http://portal.example/in"), "{reply:?}");
            assert_eq!(world.cookies, cookies, "the session was to serve this login");
        }
    }
}

#[tokio::test]
async fn an_accepted_answer_counts_once_and_never_replaces_another_person() {
    let mut world = world(listed(true)).await;
    let answer = format!("{BASE}{ANSWER}?id=a1");
    let parked = world.step(&answer).await;
    let parked = goes_to(&parked).to_owned();
    let reply = world.visit(&parked).await;
    assert!(goes_to(&reply).starts_with("http://portal.example/start"));
    assert!(sentence(&world.visit(&parked).await).contains("used before"));
    assert!(sentence(&world.visit(&answer).await).contains("used before"));

    // Now the upstream says that it is somebody else, in the browser of the first.
    world.apply(&[upstream("mallory", listed(true))]).await;
    let cookies = world.cookies.clone();
    let reply = world.visit(&format!("{BASE}{ANSWER}?id=a2")).await;
    assert!(sentence(&reply).contains("Somebody else is logged in here"), "{reply:?}");
    assert_eq!(world.cookies, cookies);
}

#[tokio::test]
async fn what_is_disabled_starts_nothing() {
    for accept in [false, true] {
        let mut world = world(listed(accept)).await;
        let ConfigChange::PutApp(mut portal) = app(20, "portal", json!({})) else { unreachable!() };
        portal.spec.enabled = false;
        world.apply(&[ConfigChange::PutApp(portal)]).await;
        let reply = world.visit(&format!("{BASE}{ANSWER}?id=a1")).await;
        assert_eq!(sentence(&reply), "You may not log in to this application.");
        assert!(world.cookies.is_empty(), "{:?}", world.cookies);
    }
}

/// The upstream's metadata names the key from the next look on.
struct NextLook {
    looks: AtomicU32,
    snapshots: Mutex<Option<(Arc<Snapshots>, Snapshot)>>,
}

#[async_trait]
impl Refresher for NextLook {
    async fn refresh(&self, tenant: TenantId, party: Party) -> Refreshed {
        assert_eq!((tenant, party), (id(1), Party::Connection(id(2))));
        self.looks.fetch_add(1, Ordering::Relaxed);
        match self.snapshots.lock().unwrap().take() {
            Some((snapshots, fresh)) => {
                snapshots.replace(fresh);
                Refreshed::Changed
            }
            None => Refreshed::Limited,
        }
    }
}

#[tokio::test]
async fn an_unknown_key_is_looked_up_once_and_the_login_goes_on() {
    let (mut world, look) = looking(Some("key_unknown")).await;

    // Nothing new is there: the login ends with a page, and its cause is the key.
    assert!(sentence(&world.authorize("").await).contains("could not be accepted"));
    assert_eq!(world.newest_cause().await.1, "the key is known: expected known, got unknown");
    assert_eq!(look.looks.load(Ordering::Relaxed), 1);
    goes_on(&mut world, &look).await;
}

#[tokio::test]
async fn a_login_at_an_upstream_that_nobody_has_read_looks_for_it_once() {
    let (mut world, look) = looking(Some("unread")).await;
    let reply = world.authorize("").await;
    assert_eq!(super::param(&reply, "error").as_deref(), Some("temporarily_unavailable"));
    assert_eq!(world.newest_cause().await.1, "nothing was read yet");
    assert_eq!(look.looks.load(Ordering::Relaxed), 1);
    goes_on(&mut world, &look).await;
}

#[tokio::test]
async fn a_login_at_an_upstream_that_nobody_could_confirm_looks_for_it_once() {
    let (mut world, look) = looking(None).await;
    let (tenant, party) = (id(1), Party::Connection(id(2)));
    let snapshots = Arc::clone(&world.wired.snapshots);
    snapshots.replace_lapsed([((tenant, party), Timestamp::from_seconds(1_700_000_000))].into());
    let reply = world.authorize("").await;
    assert_eq!(super::param(&reply, "error").as_deref(), Some("temporarily_unavailable"));
    let cause =
        "the upstream's metadata was last confirmed at 2023-11-14T22:13:20Z, and every look since then has failed";
    assert_eq!(world.newest_cause().await.1, cause);
    assert_eq!(look.looks.load(Ordering::Relaxed), 1);
    // A good look that found nothing new is enough.
    snapshots.confirmed(tenant, party);
    let reply = world.authorize("").await;
    assert!(super::param(&reply, "code").is_some(), "{reply:?}");
    assert_eq!(look.looks.load(Ordering::Relaxed), 1);
}

/// The answer may make us send a code and our credentials to an address of the metadata.
#[tokio::test]
async fn a_login_that_began_before_the_metadata_lapsed_ends_there() {
    let (mut world, look) = looking(None).await;
    let (tenant, party) = (id(1), Party::Connection(id(2)));
    let snapshots = Arc::clone(&world.wired.snapshots);
    let url = format!(
        "{BASE}t/acme/authorize?client_id=app&response_type=code&redirect_uri={REDIRECT}&scope=openid&state=s\
         &code_challenge={CHALLENGE}&code_challenge_method=S256"
    );
    let away = world.step(&url).await;
    snapshots.replace_lapsed([((tenant, party), Timestamp::from_seconds(1_700_000_000))].into());
    let reply = world.visit(goes_to(&away)).await;
    assert_eq!(super::param(&reply, "error").as_deref(), Some("temporarily_unavailable"), "{reply:?}");
    assert!(world.newest_cause().await.1.contains("last confirmed"), "{:?}", world.newest_cause().await);
    assert_eq!(look.looks.load(Ordering::Relaxed), 1, "one more look may help");
    // A good look came in time.
    snapshots.confirmed(tenant, party);
    let away = world.step(&url).await;
    let reply = world.visit(goes_to(&away)).await;
    assert!(super::param(&reply, "code").is_some(), "{reply:?}");
}

/// A connection whose upstream may lack something that the next look finds.
async fn looking(refuse: Option<&str>) -> (World, Arc<NextLook>) {
    let script = json!({ "subject": "alice", "refuse": refuse });
    let look = Arc::new(NextLook { looks: AtomicU32::new(0), snapshots: Mutex::default() });
    let refresher = Arc::clone(&look);
    let connections = vec![connection(2, "one", script, json!({}))];
    let world = World::with(connections, SubjectType::Public, |hub| hub.refresher = refresher as _, None).await;
    (world, look)
}

/// The next look finds it.
async fn goes_on(world: &mut World, look: &NextLook) {
    let before = world.wired.snapshots.current();
    world.apply(&[connection(2, "one", json!({ "subject": "alice" }), json!({}))]).await;
    let fresh = world.wired.snapshots.current();
    let fresh = Snapshot::new(fresh.version, fresh.tenants().cloned());
    world.wired.snapshots.replace(Snapshot::new(before.version, before.tenants().cloned()));
    *look.snapshots.lock().unwrap() = Some((Arc::clone(&world.wired.snapshots), fresh));
    let reply = world.authorize("").await;
    assert!(super::param(&reply, "code").is_some(), "{reply:?}");
    assert_eq!(world.newest_cause().await, ("Success".into(), String::new()));
    assert_eq!(look.looks.load(Ordering::Relaxed), 2);
}
