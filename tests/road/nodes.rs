//! The road on PostgreSQL, where further nodes stand on the same database.

use std::sync::Arc;
use std::time::Duration;

use fedbridge::Foundation;
use fedbridge::documents::seed::seed;
use fedbridge_hub::ports::{ConfigStore as _, LogoutOutbox as _, StoredNotice};
use fedbridge_hub::run::Hub;
use fedbridge_hub::spec::SubjectType;
use serde_json::json;

use super::logout::{Calls, by, goes_to, upstream};
use super::{BASE, World, alice, app, connection, foundation, param, scripted};
use crate::support::Scratch;
use crate::support::peers::Peer;

/// How long a node has what it took.
const LEASE: Duration = Duration::from_secs(10);

struct Nodes {
    first: World,
    second: Node,
    calls: Arc<Calls>,
    _postgres: Peer,
}

/// Another server with the same clock.
struct Node {
    hub: Arc<Hub>,
    foundation: Foundation,
}

impl Node {
    async fn deliver(&self) -> usize {
        self.hub.deliver_notices(self.foundation.system.as_ref()).await.unwrap()
    }
}

async fn nodes() -> Nodes {
    let scratch = Scratch::new("nodes");
    let postgres = Peer::postgres(scratch.path());
    let calls = Arc::new(Calls::default());
    let bob = connection(3, "two", json!({ "subject": "bob" }), json!({}));
    let mut changes = vec![upstream("back"), bob];
    for (number, name) in [(20, "asker"), (21, "flaky"), (22, "wiki")] {
        changes.push(app(number, name, by("back")));
    }
    let egress = Some(Arc::clone(&calls) as _);
    let first = World::on(scratch, &postgres.url, changes, SubjectType::Public, |_| {}, egress).await;
    let mut foundation = foundation(&first._scratch, &postgres.url).await;
    (foundation.clock, foundation.egress) = (Arc::clone(&first.clock) as _, Arc::clone(&calls) as _);
    let hub = scripted(&foundation).await.hub;
    Nodes { first, second: Node { hub, foundation }, calls, _postgres: postgres }
}

impl Nodes {
    async fn first_delivers(&self) -> usize {
        self.first.hub.deliver_notices(self.first.foundation.system.as_ref()).await.unwrap()
    }

    /// The first node takes what is due, and dies before it tells anybody.
    async fn first_dies_with(&self) -> Vec<StoredNotice> {
        self.first.foundation.system.claim(self.first.now(), LEASE, 32).await.unwrap()
    }

    fn times(&self, host: &str) -> usize {
        self.calls.hosts().iter().filter(|called| *called == host).count()
    }
}

#[tokio::test]
async fn a_notice_is_delivered_by_one_of_two_nodes() {
    let mut nodes = nodes().await;
    nodes.first.visit(&format!("{BASE}t/acme/fake/login?app=asker&connection=one")).await;
    let flaky = nodes.first.visit(&format!("{BASE}t/acme/fake/login?app=flaky&connection=one")).await;
    let sub = param(&flaky, "sub").unwrap();
    let reply = nodes.first.visit(&format!("{BASE}t/acme/fake/slo?app=asker&key={sub}&back=1")).await;
    assert_eq!(goes_to(&reply), "http://asker.example/out?end=Partial");
    assert_eq!(nodes.times("flaky.example"), 1);
    nodes.first.wait(Duration::from_secs(2));
    let (one, two) = tokio::join!(nodes.first_delivers(), nodes.second.deliver());
    assert_eq!(one + two, 1, "one of them has it");
    assert_eq!(nodes.times("flaky.example"), 2, "the call that failed, and one more");
    nodes.first.wait(Duration::from_secs(60));
    assert_eq!((nodes.first_delivers().await, nodes.second.deliver().await), (0, 0));
}

#[tokio::test]
async fn the_other_node_delivers_what_a_dead_one_had() {
    let mut nodes = nodes().await;
    nodes.first.visit(&format!("{BASE}t/acme/fake/login?app=wiki&connection=one")).await;
    // Another person in the same browser: the session ends, and its logout is left to the outbox.
    nodes.first.visit(&format!("{BASE}t/acme/fake/login?app=asker&connection=two")).await;
    let mut taken = Vec::new();
    for _ in 0..3 {
        nodes.first.wait(LEASE + Duration::from_secs(1));
        taken = nodes.first_dies_with().await;
        if !taken.is_empty() {
            break;
        }
    }
    assert_eq!(taken.len(), 1);
    assert_eq!(nodes.second.deliver().await, 0, "the dead node's lease holds");
    assert_eq!(nodes.times("wiki.example"), 0);
    nodes.first.wait(LEASE + Duration::from_secs(1));
    assert_eq!(nodes.second.deliver().await, 1);
    assert_eq!(nodes.times("wiki.example"), 1);
    nodes.first.wait(Duration::from_secs(60));
    assert_eq!(nodes.second.deliver().await, 0, "told, so told no more");
}

#[tokio::test]
async fn a_session_of_one_node_serves_logins_on_postgresql() {
    let scratch = Scratch::new("road-postgres");
    let postgres = Peer::postgres(scratch.path());
    let changes = vec![connection(2, "one", alice(), json!({}))];
    let mut world = World::on(scratch, &postgres.url, changes, SubjectType::Pairwise, |_| {}, None).await;
    assert!(param(&world.authorize("").await, "code").is_some());
    assert_eq!(world.newest_cause().await, ("Success".into(), String::new()));
    let before = world.cookies.clone();
    assert!(param(&world.authorize("&prompt=none").await, "code").is_some());
    assert_eq!(world.cookies, before, "the session was to serve this login");
    // The configuration moves on, and the next login is decided by it.
    let denied = connection(2, "one", alice(), json!({ "deny_when": [{ "cel": "true", "reason": "closed" }] }));
    world.apply(&[denied]).await;
    assert!(param(&world.authorize("&prompt=login").await, "error").is_some());
    assert_eq!(world.newest_cause().await.0, "Refused");
    assert!(world.foundation.system.version().await.unwrap() > 0);
}

/// Earlier versions kept the text of a fetched document inside the settings.
#[tokio::test]
async fn a_document_of_an_earlier_version_moves_to_where_it_is_renewed() {
    let metadata = json!({ "url": "https://idp.example/metadata", "refresh": "6h", "xml": "<old/>" });
    let old = json!({ "subject": "alice", "idp_metadata": metadata });
    let by_file = json!({ "subject": "bob", "idp_metadata": { "xml": "<file/>" } });
    let world = World::new(
        vec![connection(2, "one", old, json!({})), connection(3, "two", by_file.clone(), json!({}))],
        SubjectType::Public,
    )
    .await;
    let system = &world.foundation.system;
    assert_eq!(seed(system.as_ref(), world.now()).await.unwrap(), 1);
    let configuration = system.load().await.unwrap();
    let tenant = configuration.tenants.values().next().unwrap();
    let [document] = tenant.documents.as_slice() else { panic!("{:?}", tenant.documents) };
    assert_eq!((document.url.as_str(), document.current.xml.as_str()), ("https://idp.example/metadata", "<old/>"));
    assert_eq!(document.next_look, world.now(), "it is looked at at once");
    let settings = |slug: &str| {
        let found = tenant.connections.iter().find(|connection| connection.spec.slug == slug);
        found.unwrap().spec.settings.clone()
    };
    let left = json!({ "url": "https://idp.example/metadata", "refresh": "6h" });
    assert_eq!(settings("one"), json!({ "subject": "alice", "idp_metadata": left }), "as `apply` would leave it");
    assert_eq!(settings("two"), by_file);
    assert_eq!(seed(system.as_ref(), world.now()).await.unwrap(), 0, "once is enough");
    assert_eq!(system.load().await.unwrap().version, configuration.version);
}
