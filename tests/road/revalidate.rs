//! Upstreams are asked again at a refresh, once for all who refresh.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fedbridge::registry::downstreams;
use fedbridge_contract::http::{Method, ReplyKind};
use fedbridge_contract::ids::TenantId;
use fedbridge_contract::logout::Party;
use fedbridge_hub::ports::{
    Command, LoginStore as _, LogoutStore as _, TraceStore as _, Unit, UpstreamTokenStore as _,
};
use fedbridge_hub::run::{Hub, HubRevalidator, TracePayload, trace_place};
use fedbridge_hub::spec::{ConfigChange, SubjectType};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::between::{Between, Meddler};
use super::logout::{Calls, by, world};
use super::records::records;
use super::{BASE, REDIRECT, World, client, connection, id, param};
use crate::support::eventually;
use crate::support::scripted::VERIFIER;

const TOKEN: &str = "http://127.0.0.1:8080/t/acme/token";

fn upstream(says: &str, more: Value) -> ConfigChange {
    let mut tokens = json!({ "every": 900, "says": says });
    tokens.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    upstream_with(json!({ "email": ["alice@acme.example"] }), tokens)
}

fn upstream_with(attributes: Value, tokens: Value) -> ConfigChange {
    let settings = json!({ "subject": "alice", "logout": "back", "attributes": attributes, "tokens": tokens });
    let mapping = json!({
        "deny_when": [{ "cel": "size(attr['blocked']) > 0", "reason": "blocked there" }],
    });
    connection(2, "one", settings, mapping)
}

pub fn offline_client(number: u8, name: &str) -> ConfigChange {
    let offline = json!({
        "grant_types": ["authorization_code", "refresh_token"],
        "scopes": ["openid", "email", "offline_access"],
    });
    client(number, name, offline)
}

/// alice, with a refresh token of one client.
async fn refreshing(says: &str) -> (World, Arc<Calls>, String) {
    let changes = vec![upstream(says, json!({})), offline_client(30, "mail"), offline_client(31, "plan")];
    let (mut world, calls) = world(changes, &[("wiki", by("back"))]).await;
    world.log_in("wiki").await;
    let token = world.offline("mail").await;
    (world, calls, token)
}

fn form(fields: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

impl World {
    pub async fn offline(&mut self, client: &str) -> String {
        let code = self.offline_code(client).await;
        self.redeem(client, &code).await
    }

    /// A code for offline access.
    pub async fn offline_code(&mut self, client: &str) -> String {
        let reply = self.authorize_for(client, "openid%20email%20offline_access", "").await;
        param(&reply, "code").unwrap()
    }

    /// The refresh token that a code gives.
    pub async fn redeem(&mut self, client: &str, code: &str) -> String {
        let (status, body) = self.try_redeem(client, code).await;
        assert_eq!(status, 200, "{body}");
        body["refresh_token"].as_str().unwrap().to_owned()
    }

    pub async fn try_redeem(&mut self, client: &str, code: &str) -> (u16, Value) {
        let fields = [
            ("grant_type", "authorization_code"),
            ("client_id", client),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ];
        self.token(form(&fields)).await
    }

    pub async fn refresh(&mut self, client: &str, token: &str) -> (u16, Value) {
        self.token(refresh_form(client, token)).await
    }

    async fn token(&mut self, form: String) -> (u16, Value) {
        let reply = self.post(TOKEN, form).await;
        let ReplyKind::Body(body) = reply.kind else { panic!("{reply:?}") };
        (body.status, serde_json::from_slice(&body.bytes).unwrap())
    }

    async fn sessions(&self) -> usize {
        let store = &self.foundation.store;
        store.sessions_of_upstream(id::<TenantId>(1), id(2), "alice", &[], self.now()).await.unwrap().len()
    }
}

fn refresh_form(client: &str, token: &str) -> String {
    form(&[("grant_type", "refresh_token"), ("client_id", client), ("refresh_token", token)])
}

fn next(body: &Value) -> String {
    body["refresh_token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn the_upstream_is_asked_when_it_is_due() {
    let (mut world, calls, mut token) = refreshing("yes").await;
    for (minutes, asked) in [(1, 0), (13, 0), (2, 1), (1, 1), (15, 2)] {
        world.wait(Duration::from_secs(minutes * 60));
        let (status, body) = world.refresh("mail", &token).await;
        assert_eq!(status, 200, "{body}");
        token = next(&body);
        assert_eq!(calls.bodies("/fake/token").len(), asked, "after {minutes} more minutes");
    }
    assert_eq!(calls.bodies("/fake/token")[0], "upstream-refresh-token-of-alice");
    // Recorded, with what it takes to decide again.
    let all = records(&world).await;
    let (summary, _) = all.iter().find(|(summary, _)| summary.kind == "revalidate").unwrap();
    assert_eq!((summary.connection.as_deref(), summary.person.as_deref()), (Some("one"), Some("alice")));
    let sealed = world.foundation.system.find(summary.id).await.unwrap().unwrap().sealed;
    let plain = world.foundation.sealer.open(&trace_place(summary.tenant, summary.id), &sealed).unwrap();
    let text = String::from_utf8(plain.clone()).unwrap();
    assert!(!text.contains("upstream-refresh-token"), "a trace holds no token");
    let payload: TracePayload = serde_json::from_slice(&plain).unwrap();
    let decision = payload.replay.unwrap().compile().unwrap().decide();
    assert_eq!(decision.identity.claims.text("email"), Some("alice@acme.example"));
}

/// No token goes to addresses that nobody could confirm for too long.
#[tokio::test]
async fn an_upstream_whose_metadata_has_lapsed_is_not_asked() {
    let (mut world, calls, token) = refreshing("yes").await;
    world.wait(Duration::from_secs(901));
    let (tenant, party) = (id::<TenantId>(1), Party::Connection(id(2)));
    world.wired.snapshots.replace_lapsed([((tenant, party), world.now())].into());
    let (status, body) = world.refresh("mail", &token).await;
    assert_eq!(status, 200, "for a while, an upstream that can't be asked holds up nobody: {body}");
    assert_eq!(calls.bodies("/fake/token").len(), 0);
    let all = records(&world).await;
    let (summary, _) = all.iter().find(|(summary, _)| summary.kind == "revalidate").unwrap();
    assert!(summary.cause.contains("last confirmed"), "{}", summary.cause);
    world.wired.snapshots.confirmed(tenant, party);
    world.wait(Duration::from_secs(61));
    assert_eq!(world.refresh("mail", &next(&body)).await.0, 200);
    assert_eq!(calls.bodies("/fake/token").len(), 1);
}

#[tokio::test]
async fn of_twenty_refreshes_at_once_one_asks() {
    let (world, calls, token) = refreshing("yes").await;
    world.wait(Duration::from_secs(901));
    let all = join_all((0..20).map(|_| {
        let (target, input) = world.prepared(Method::Post, TOKEN, refresh_form("mail", &token));
        let hub = Arc::clone(&world.hub);
        async move { hub.handle(target, input).await }
    }));
    for reply in all.await {
        let ReplyKind::Body(body) = reply.kind else { panic!("{reply:?}") };
        assert_eq!(body.status, 200);
    }
    assert_eq!(calls.bodies("/fake/token").len(), 1);
}

/// An upstream that rotates its refresh token gives the new one once.
#[tokio::test]
async fn an_app_that_hangs_up_loses_nothing() {
    let (mut world, calls, token) = refreshing("yes").await;
    world.wait(Duration::from_secs(901));
    let (target, input) = world.prepared(Method::Post, TOKEN, refresh_form("mail", &token));
    // As soon as the upstream was asked, and before it answers.
    let asked = eventually("the upstream is asked", async || calls.bodies("/fake/token").pop());
    tokio::select! {
        biased;
        _ = asked => {}
        reply = world.hub.handle(target, input) => panic!("it was to hang up: {reply:?}"),
    }
    let recorded = async || super::records::decisions(&world, "login").await.pop();
    eventually("the answer is recorded", recorded).await;
    let (status, body) = world.refresh("mail", &token).await;
    assert_eq!((status, calls.bodies("/fake/token").len()), (200, 1), "{body}");
}

/// Switched off there, off here.
#[tokio::test]
async fn whom_the_upstream_does_not_know_any_more_gets_nothing() {
    let (mut world, calls, token) = refreshing("yes").await;
    let other = world.offline("plan").await;
    world.apply(&[upstream("no", json!({}))]).await;
    let (_, body) = world.refresh("mail", &token).await;
    let token = next(&body);
    assert_eq!(calls.bodies("/fake/token").len(), 0, "not due yet");
    world.wait(Duration::from_secs(901));
    let (_, body) = world.refresh("mail", &token).await;
    assert_eq!(body["error"], "invalid_grant");
    assert_eq!(world.sessions().await, 0, "the session is over too");
    let lines = super::records::decisions(&world, "the upstream, asked again").await;
    assert_eq!(lines, ["the upstream says invalid_grant"]);
    let again = world.refresh("mail", &token).await;
    assert_eq!((again.0, calls.bodies("/fake/token").len()), (400, 1), "a dead grant asks nobody");
    // Further offline access of that login ends when it is used.
    assert_eq!(world.refresh("plan", &other).await.1["error"], "invalid_grant");
    // Apps that were in the session are told.
    world.wait(Duration::from_secs(11));
    let system = Arc::clone(&world.foundation.system);
    world.hub.deliver_notices(system.as_ref()).await.unwrap();
    world.wait(Duration::from_secs(11));
    world.hub.deliver_notices(system.as_ref()).await.unwrap();
    assert!(calls.hosts().contains(&"wiki.example".to_owned()), "{:?}", calls.hosts());
}

#[tokio::test]
async fn rules_that_deny_hold_for_what_the_upstream_says_now() {
    let (mut world, calls, token) = refreshing("yes").await;
    world.apply(&[upstream_with(json!({ "blocked": ["yes"] }), json!({ "every": 900 }))]).await;
    world.wait(Duration::from_secs(901));
    assert_eq!(world.refresh("mail", &token).await.1["error"], "invalid_grant");
    assert_eq!(world.sessions().await, 0);
    let all = records(&world).await;
    let (summary, _) = all.iter().find(|(summary, _)| summary.kind == "revalidate").unwrap();
    assert_eq!(summary.cause, "blocked there");
    // The upstream knows nothing of our rules: it would renew its tokens for whoever has them.
    assert_eq!(calls.bodies("/fake/revoke"), ["upstream-refresh-token-of-alice"]);
}

#[tokio::test]
async fn a_silent_upstream_holds_nobody_up_for_a_day_unless_it_must() {
    let (mut world, calls, mut token) = refreshing("silent").await;
    for (hours, status) in [(1, 200), (22, 200), (2, 503)] {
        world.wait(Duration::from_secs(hours * 3600));
        let (got, body) = world.refresh("mail", &token).await;
        assert_eq!(got, status, "after {hours} more hours: {body}");
        if status == 200 {
            token = next(&body);
            // Not asked at every refresh.
            let (_, body) = world.refresh("mail", &token).await;
            token = next(&body);
        }
    }
    assert_eq!(calls.bodies("/fake/token").len(), 3);
    // It answers again: nothing was lost.
    world.apply(&[upstream("yes", json!({}))]).await;
    let (status, body) = world.refresh("mail", &token).await;
    assert_eq!(status, 200, "{body}");
    world.apply(&[upstream("silent", json!({ "strict": true }))]).await;
    world.wait(Duration::from_secs(901));
    assert_eq!(world.refresh("mail", &next(&body)).await.0, 503);
    world.cookies.clear();
    world.visit(&format!("{BASE}t/acme/fake/login?app=wiki")).await;
}

/// Settings that can't be read say nothing about who is asked again: nobody goes on unasked because of them.
#[tokio::test]
async fn a_connection_that_is_broken_waves_nobody_through() {
    let (mut world, calls, token) = refreshing("yes").await;
    let broken = json!({ "subject": "alice", "nonsense": 1 });
    world.apply(&[connection(2, "one", broken, json!({}))]).await;
    // Nothing is due yet.
    let (status, body) = world.refresh("mail", &token).await;
    assert_eq!(status, 200, "{body}");
    world.wait(Duration::from_secs(901));
    let token = next(&body);
    let (status, body) = world.refresh("mail", &token).await;
    assert_eq!(status, 503, "{body}");
    world.apply(&[upstream("yes", json!({}))]).await;
    let (status, body) = world.refresh("mail", &token).await;
    assert_eq!((status, calls.bodies("/fake/token").len()), (200, 1), "{body}");
}

/// An app whose rules can't be read keeps nobody out, so nobody is judged by it.
#[tokio::test]
async fn an_app_with_broken_rules_waves_nobody_through() {
    let (mut world, calls, token) = refreshing("yes").await;
    let whole = offline_client(30, "mail");
    let mut broken = whole.clone();
    let ConfigChange::PutApp(app) = &mut broken else { panic!("{broken:?}") };
    app.spec.claims = serde_json::from_value(json!({ "tier": { "cel": "1 +" } })).unwrap();
    world.apply(&[broken]).await;
    world.wait(Duration::from_secs(901));
    let (status, body) = world.refresh("mail", &token).await;
    assert_eq!((status, calls.bodies("/fake/token").len()), (503, 0), "{body}");
    let lines = super::records::decisions(&world, "the upstream, asked again").await;
    assert!(lines[0].contains("rules are broken"), "{lines:?}");
    world.apply(&[whole]).await;
    let (status, body) = world.refresh("mail", &token).await;
    assert_eq!((status, calls.bodies("/fake/token").len()), (200, 1), "{body}");
}

/// Where a connection asks, nobody goes on for whom nothing is kept to ask with.
#[tokio::test]
async fn whom_nobody_can_vouch_for_logs_in_again() {
    let (mut world, calls, token) = refreshing("yes").await;
    let other = world.offline("plan").await;
    let person = world.foundation.store.linked_person(id::<TenantId>(1), id(2), "alice").await.unwrap().unwrap().person;
    let taken = world.foundation.store.give_up_all(id::<TenantId>(1), person).await.unwrap();
    assert_eq!(taken.len(), 1);
    for (client, token) in [("mail", &token), ("plan", &other)] {
        let (status, body) = world.refresh(client, token).await;
        assert_eq!((status, &body["error"]), (400, &json!("invalid_grant")), "{client}");
    }
    assert_eq!(calls.bodies("/fake/token").len(), 0);
    world.cookies.clear();
    let token = world.offline("mail").await;
    assert_eq!(world.refresh("mail", &token).await.0, 200);
}

/// Where it is armed, the store gives way once to whoever ends a session.
#[derive(Default)]
struct GivesWay(AtomicBool);

impl Meddler for GivesWay {
    fn loses(&self, unit: &Unit) -> bool {
        unit.commands.iter().any(|command| matches!(command, Command::EndSession(_)))
            && self.0.swap(false, Ordering::Relaxed)
    }
}

/// The store that refreshes write to has somebody in between.
fn meddled(hub: &mut Hub, meddler: Arc<GivesWay>) {
    let revalidator = HubRevalidator {
        snapshots: Arc::clone(&hub.snapshots),
        store: Arc::new(Between { inner: Arc::clone(&hub.store), meddler }),
        tokens: Arc::clone(&hub.upstream_tokens),
        grants: Arc::clone(&hub.services.grants),
        sealer: Arc::clone(&hub.sealer),
        clock: Arc::clone(&hub.services.clock),
        rng: Arc::clone(&hub.services.rng),
        recorder: hub.recorder.clone(),
        egress: Arc::clone(&hub.services.egress),
    };
    hub.services.revalidator = Arc::new(revalidator);
    hub.downstreams = downstreams(&hub.services);
}

#[tokio::test]
async fn a_denial_that_could_not_be_kept_comes_again() {
    let gives_way = Arc::new(GivesWay::default());
    let (calls, own) = (Arc::new(Calls::default()), Arc::clone(&gives_way));
    let changes = vec![upstream("yes", json!({})), offline_client(30, "mail")];
    let change = move |hub: &mut Hub| meddled(hub, own);
    let mut world = World::with(changes, SubjectType::Public, change, Some(Arc::clone(&calls) as _)).await;
    let token = world.offline("mail").await;
    world.apply(&[upstream_with(json!({ "blocked": ["yes"] }), json!({ "every": 900 }))]).await;
    world.wait(Duration::from_secs(901));
    gives_way.0.store(true, Ordering::Relaxed);
    assert_eq!(world.refresh("mail", &token).await.0, 503);
    assert!(!gives_way.0.load(Ordering::Relaxed), "the store was to give way");
    assert_eq!(world.sessions().await, 1);
    assert_eq!(world.refresh("mail", &token).await.1["error"], "invalid_grant");
    assert_eq!((world.sessions().await, calls.bodies("/fake/token").len()), (0, 2), "the upstream was asked again");
}

#[tokio::test]
async fn a_denial_makes_further_offline_access_ask_for_itself() {
    let (mut world, calls, token) = refreshing("yes").await;
    let other = world.offline("plan").await;
    world.apply(&[upstream_with(json!({ "blocked": ["yes"] }), json!({ "every": 900 }))]).await;
    world.wait(Duration::from_secs(901));
    assert_eq!(world.refresh("mail", &token).await.1["error"], "invalid_grant");
    assert_eq!(calls.bodies("/fake/revoke").len(), 0, "somebody is left to ask with it");
    assert_eq!(world.refresh("plan", &other).await.1["error"], "invalid_grant");
    assert_eq!((calls.bodies("/fake/token").len(), calls.bodies("/fake/revoke").len()), (2, 1));
}

/// The turn to ask is the session's, and the rules are each app's own.
#[tokio::test]
async fn an_app_that_asks_often_keeps_no_other_apps_rules_from_running() {
    let strict = |number, name| {
        let mut change = offline_client(number, name);
        let ConfigChange::PutApp(app) = &mut change else { panic!("{change:?}") };
        app.spec.groups = vec!["staff".into()];
        change
    };
    let every = || json!({ "every": 900 });
    let says = |group: &str| json!({ "email": ["alice@acme.example"], "groups": [group] });
    let changes = vec![upstream_with(says("staff"), every()), offline_client(30, "mail"), strict(31, "plan")];
    let (mut world, calls) = world(changes, &[]).await;
    let mut mild = world.offline("mail").await;
    let token = world.offline("plan").await;
    let (status, body) = world.refresh("plan", &token).await;
    assert_eq!(status, 200, "what was said at the login lets them in: {body}");
    let token = next(&body);

    world.apply(&[upstream_with(says("guests"), every())]).await;
    world.wait(Duration::from_secs(901));
    for _ in 0..2 {
        let (status, body) = world.refresh("mail", &mild).await;
        assert_eq!((status, calls.bodies("/fake/token").len()), (200, 1), "{body}");
        mild = next(&body);
    }
    let (status, body) = world.refresh("plan", &token).await;
    assert_eq!((status, &body["error"]), (400, &json!("invalid_grant")));
    assert_eq!(calls.bodies("/fake/token").len(), 1, "what the upstream said is known");
    let all = records(&world).await;
    let denied = all.iter().find(|(summary, _)| summary.kind == "revalidate" && !summary.cause.is_empty()).unwrap();
    assert_eq!(denied.0.app.as_deref(), Some("plan"));
    let (status, body) = world.refresh("mail", &mild).await;
    assert_eq!(status, 200, "offline access of an app that takes them goes on: {body}");
}

/// What an upstream gives out while its row is taken away is nobody's.
#[tokio::test]
async fn tokens_that_come_behind_a_kill_go_back() {
    let (mut world, calls, token) = refreshing("yes").await;
    world.apply(&[upstream("yes", json!({ "rotates": true }))]).await;
    let (status, body) = world.refresh("mail", &token).await;
    assert_eq!(status, 200, "{body}");
    world.wait(Duration::from_secs(901));
    let store = Arc::clone(&world.foundation.store);
    let person = store.linked_person(id::<TenantId>(1), id(2), "alice").await.unwrap().unwrap().person;
    let (target, input) = world.prepared(Method::Post, TOKEN, refresh_form("mail", &next(&body)));
    let killed = async {
        eventually("the upstream is asked", async || calls.bodies("/fake/token").pop()).await;
        store.give_up_all(id::<TenantId>(1), person).await.unwrap().len()
    };
    let (taken, _) = tokio::join!(killed, world.hub.handle(target, input));
    assert_eq!(taken, 1);
    assert_eq!(calls.bodies("/fake/revoke"), ["next-upstream-refresh-token-of-alice"]);
}

#[tokio::test]
async fn no_token_is_given_back_to_an_address_that_nobody_could_confirm() {
    let (mut world, calls, token) = refreshing("yes").await;
    let keeps_out = json!({ "deny_when": [{ "cel": "size(attr['email']) > 0", "reason": "nobody comes in" }] });
    let settings = json!({
        "subject": "alice", "attributes": { "email": ["alice@acme.example"] }, "tokens": { "every": 900 },
    });
    world.apply(&[connection(2, "one", settings, keeps_out)]).await;
    let party = Party::Connection(id(2));
    world.wired.snapshots.replace_lapsed([((id::<TenantId>(1), party), world.now())].into());
    assert_eq!(world.refresh("mail", &token).await.1["error"], "invalid_grant");
    assert_eq!(calls.bodies("/fake/revoke").len(), 0);
    let lines = super::records::decisions(&world, "the upstream's tokens").await;
    assert_eq!(lines, ["one: not revoked there: its metadata has lapsed"]);
}
