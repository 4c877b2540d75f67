//! Logout with the provider: we ask it, and it asks us.

use std::time::Duration;

use fedbridge_contract::http::{HttpInput, Method, Reply, ReplyKind};
use fedbridge_contract::identity::{AuthenticatedIdentity, UpstreamSession};
use fedbridge_contract::ids::{ConnectionId, LogoutId};
use fedbridge_contract::logout::{
    Channel, LogoutEnd, LogoutMessage, LogoutSelector, LogoutStart, Manner, Notice, NoticeId, Party, PeerLogout,
    ReceivedLogout, Told,
};
use fedbridge_contract::page::Page;
use fedbridge_contract::trace::TraceLog;
use fedbridge_contract::upstream::Challenge;
use fedbridge_oidc_core::testkit::{
    Asked, Endpoint, FRAME, LOGOUT_TOKEN, Lie, Login, Person, Verdict, WAY_BACK, parameter, parameters,
};
use serde_json::{Value, json};

use crate::world::{ADDRESS, Distinct, World, failed_check, input};

const BACK_CHANNEL: &str = "oidc/backchannel-logout";
const FRONT_CHANNEL: &str = "oidc/frontchannel-logout";
const LOGGED_OUT: &str = "oidc/logged-out";

impl World {
    pub async fn receive(&self, input: &HttpInput) -> (ReceivedLogout, TraceLog) {
        let mut trace = TraceLog::new();
        let message = LogoutMessage { tenant: &self.tenant, input, now: self.now() };
        let side = self.adapter.logout.as_ref().unwrap();
        assert!(side.routes().iter().any(|route| route.path == input.route && route.methods.contains(&input.method)));
        (side.receive(message, &mut trace).await, trace)
    }

    pub async fn conclude(&self, request: &PeerLogout, end: LogoutEnd) -> Reply {
        self.adapter.logout.as_ref().unwrap().conclude(&self.tenant, &request.continuation, end).await
    }

    async fn notice(&self, identity: &AuthenticatedIdentity, id: NoticeId) -> Notice {
        let start = LogoutStart { tenant: &self.tenant, session: &identity.session, id, now: self.now() };
        self.adapter.logout.as_ref().unwrap().notice(start, &mut TraceLog::new()).await.unwrap()
    }

    async fn silence(&self, session: &UpstreamSession) -> Option<String> {
        let start = LogoutStart { tenant: &self.tenant, session, id: self.id(), now: self.now() };
        self.adapter.logout.as_ref().unwrap().silence(start).await
    }

    fn id(&self) -> NoticeId {
        NoticeId { logout: LogoutId::random(&Distinct), party: Party::Connection(self.connection) }
    }

    /// Somebody who is logged in, with the provider's own record of it.
    async fn one(&self) -> (Box<AuthenticatedIdentity>, Login) {
        let identity = self.enter().await;
        (identity, self.op.last_login().unwrap())
    }
}

pub fn posted(route: &'static str, fields: &[(&str, &str)]) -> HttpInput {
    let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    HttpInput {
        body: body.into(),
        content_type: Some("application/x-www-form-urlencoded".into()),
        ..input(route, Method::Post)
    }
}

fn queried(route: &'static str, query: &str) -> HttpInput {
    HttpInput { query: query.into(), ..input(route, Method::Get) }
}

fn request(received: ReceivedLogout) -> PeerLogout {
    match received {
        ReceivedLogout::Request(request) => *request,
        other => panic!("no request: {other:?}"),
    }
}

pub fn status(reply: &Reply) -> u16 {
    match &reply.kind {
        ReplyKind::Body(body) => body.status,
        ReplyKind::Page(Page::Error(page)) => page.status,
        other => panic!("no status: {other:?}"),
    }
}

fn no_store(reply: &Reply) -> bool {
    let ReplyKind::Body(body) = &reply.kind else { return false };
    body.headers.iter().any(|(name, value)| *name == "cache-control" && value == "no-store")
}

/// Whether a selector means this login's session, as the store would look for it.
fn means(selector: &LogoutSelector, connection: ConnectionId, identity: &AuthenticatedIdentity) -> bool {
    let session = &identity.session;
    match selector {
        LogoutSelector::Upstream { connection: of, key, indexes } => {
            let index = session.index.as_ref();
            *of == connection
                && session.logout_key.as_ref() == Some(key)
                && (indexes.is_empty() || index.is_some_and(|index| indexes.contains(index)))
        }
        LogoutSelector::UpstreamIndex { connection: of, index } => {
            *of == connection && session.index.as_ref() == Some(index)
        }
        _ => false,
    }
}

#[tokio::test]
async fn the_provider_is_told_by_the_browser_and_comes_back() {
    let world = World::new();
    let (identity, _) = world.one().await;
    let id = world.id();
    let Notice::Front(Challenge::Redirect(location)) = world.notice(&identity, id).await else { panic!() };
    let (at, query) = location.split_once('?').unwrap();
    assert_eq!(at, "https://op.example/logout");
    let sent = parameters(query.as_bytes());
    let back = format!("{ADDRESS}/oidc/logged-out");
    assert_eq!(parameter(&sent, "client_id"), Some("bridge"));
    assert_eq!(parameter(&sent, "post_logout_redirect_uri"), Some(back.as_str()));
    assert_eq!(parameter(&sent, "id_token_hint").map(|token| token.split('.').count()), Some(3));
    // The provider ends its session and sends the browser back.
    let answer = world.op.answer_http(&Asked::of("GET", &location, &[], ""));
    let (to, query) = answer.header("location").unwrap().split_once('?').unwrap();
    assert_eq!(to, back);
    assert!(world.op.last_login().unwrap().over);
    let (received, trace) = world.receive(&queried(LOGGED_OUT, query)).await;
    let ReceivedLogout::Answer { id: answered, told } = received else { panic!("{received:?}") };
    assert_eq!((answered, told, trace.cause()), (id, Told::Done, None));
}

#[tokio::test]
async fn an_answer_with_another_state_is_nobodys() {
    let world = World::new();
    let (identity, _) = world.one().await;
    let Notice::Front(Challenge::Redirect(location)) = world.notice(&identity, world.id()).await else { panic!() };
    for lie in WAY_BACK {
        world.op.tell(lie);
        let answer = world.op.answer_http(&Asked::of("GET", &location, &[], ""));
        let query = answer.header("location").unwrap().split_once('?').unwrap().1.to_owned();
        let (received, trace) = world.receive(&queried(LOGGED_OUT, &query)).await;
        let ReceivedLogout::Reply(reply) = received else { panic!("{}: {received:?}", lie.name) };
        assert_eq!((status(&reply), failed_check(&trace).as_deref()), (400, Some(lie.check)), "{}", lie.name);
    }
    // A state of ours for another connection.
    let other = World::new();
    let (theirs, _) = other.one().await;
    let Notice::Front(Challenge::Redirect(location)) = other.notice(&theirs, other.id()).await else { panic!() };
    let sent = parameters(location.split_once('?').unwrap().1.as_bytes());
    let state = parameter(&sent, "state").unwrap();
    let (received, trace) = world.receive(&queried(LOGGED_OUT, &format!("state={state}"))).await;
    assert!(matches!(received, ReceivedLogout::Reply(_)));
    assert_eq!(failed_check(&trace).as_deref(), Some("state of the logout"));
}

#[tokio::test]
async fn a_long_request_is_posted() {
    let world = World::new();
    world.op.person(Person::new("alice").with("padding", json!("x".repeat(3000))));
    let (identity, _) = world.one().await;
    let Notice::Front(Challenge::AutoPost { action, fields }) = world.notice(&identity, world.id()).await else {
        panic!("not posted")
    };
    assert_eq!(action, "https://op.example/logout");
    assert!(parameter(&fields, "id_token_hint").is_some_and(|token| token.len() > 3000));
    assert!(parameter(&fields, "state").is_some());
}

#[tokio::test]
async fn a_provider_without_an_address_or_against_the_setting_is_not_told() {
    let mut world = World::with(json!({ "logout": false }));
    let (identity, _) = world.one().await;
    assert!(matches!(world.notice(&identity, world.id()).await, Notice::Nothing));
    assert_eq!(identity.session.logout_state, None, "nothing is kept that nobody sends");
    world.op.traits(|traits| traits.end_session = false);
    world.reopen(json!({})).unwrap();
    let (identity, _) = world.one().await;
    assert!(matches!(world.notice(&identity, world.id()).await, Notice::Nothing));
}

/// No browser comes back from a dead provider.
#[tokio::test]
async fn a_provider_is_silent_where_it_gives_no_answer_at_all() {
    let mut world = World::new();
    let (identity, _) = world.one().await;
    world.op.forget_seen();
    assert_eq!(world.silence(&identity.session).await, None);
    assert_eq!(world.op.seen().of(Endpoint::Discovery).count(), 1, "what is held is no sign of life");
    world.op.traits(|traits| traits.down = true);
    let cause = "https://op.example/.well-known/openid-configuration: connection refused".to_owned();
    assert_eq!(world.silence(&identity.session).await, Some(cause));
    // Nobody is sent there anyway, so nobody need be named.
    assert_eq!(world.silence(&UpstreamSession::default()).await, None);
    let end = |at: &str| json!({ "metadata": { "end_session_endpoint": at }, "endpoint_hosts": ["login.op.example"] });
    world.op.traits(|traits| traits.down = false);
    world.reopen(end("https://login.op.example/logout")).unwrap();
    world.op.traits(|traits| traits.down = true);
    assert_eq!(world.silence(&identity.session).await, None, "another server's silence says nothing of this one");
}

#[tokio::test]
async fn every_lying_logout_token_is_refused_by_its_check() {
    let mut wrong = Vec::new();
    for lie in LOGOUT_TOKEN {
        if let Err(why) = try_logout_token(lie).await {
            wrong.push(format!("[{}] {}: {why}", lie.item, lie.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn try_logout_token(lie: &'static Lie) -> Result<(), String> {
    let world = World::new();
    let (identity, login) = world.one().await;
    world.op.tell(lie);
    let token = world.op.logout_token(&login);
    let (received, trace) = world.receive(&posted(BACK_CHANNEL, &[("logout_token", &token)])).await;
    match (lie.verdict, received) {
        (Verdict::Accepted, ReceivedLogout::Request(request)) => {
            if let Some(cause) = trace.cause() {
                return Err(format!("accepted, with a failed check: {cause}"));
            }
            let right = means(&request.selector, world.connection, &identity);
            if right { Ok(()) } else { Err(format!("it means another session: {:?}", request.selector)) }
        }
        (Verdict::Refused, ReceivedLogout::Reply(reply)) => {
            if (status(&reply), no_store(&reply)) != (400, true) {
                return Err(format!("answered {}", status(&reply)));
            }
            let failed = failed_check(&trace);
            if failed.as_deref() == Some(lie.check) { Ok(()) } else { Err(format!("{:?}", trace.cause())) }
        }
        (verdict, received) => Err(format!("{verdict:?} was due: {received:?} {:?}", trace.cause())),
    }
}

#[tokio::test]
async fn a_logout_token_ends_what_it_names_and_can_be_used_once() {
    let world = World::new();
    let (first, login) = world.one().await;
    let (second, _) = world.one().await;
    world.op.person(Person::new("bob"));
    let (bob, _) = world.one().await;
    let people = [&first, &second, &bob];
    let cases: [(&[&str], [bool; 3]); 3] = [
        (&[], [true, false, false]),
        (&["sub"], [true, false, false]),
        // All of Alice's sessions, and nobody else's.
        (&["sid"], [true, true, false]),
    ];
    let mut keys = Vec::new();
    for (without, meant) in cases {
        let mut plan = world.op.logout_token_plan(&login);
        without.iter().for_each(|claim| plan.cut(claim));
        let token = plan.token();
        let (received, _) = world.receive(&posted(BACK_CHANNEL, &[("logout_token", &token)])).await;
        let request = request(received);
        assert_eq!(people.map(|one| means(&request.selector, world.connection, one)), meant, "without {without:?}");
        assert_eq!(request.channel, Channel::Back);
        assert_eq!(request.manner, Manner { at_once: true, ..Manner::default() });
        let [once] = request.once.as_slice() else { panic!("{:?}", request.once) };
        assert_eq!(once.purpose, "oidc.logout_token");
        // It is remembered for as long as it could be taken.
        assert!(once.expires >= world.now() + Duration::from_secs(660), "{}", once.expires.rfc3339());
        keys.push(once.key.clone());
        for (end, expected) in [
            (LogoutEnd::Complete, 200),
            (LogoutEnd::Partial, 200),
            (LogoutEnd::NoSession, 200),
            (LogoutEnd::Refused, 400),
            (LogoutEnd::Failed, 400),
        ] {
            let reply = world.conclude(&request, end).await;
            assert_eq!((status(&reply), no_store(&reply)), (expected, true), "{end:?}");
        }
    }
    keys.dedup();
    assert_eq!(keys.len(), 3, "each token has a key of its own");
    // A sid of one person and the sub of another mean nobody.
    let mut plan = world.op.logout_token_plan(&login);
    plan.set("sub", json!("bob"));
    let (received, _) = world.receive(&posted(BACK_CHANNEL, &[("logout_token", &plan.token())])).await;
    let both = request(received);
    assert_eq!(people.map(|one| means(&both.selector, world.connection, one)), [false; 3]);
}

#[tokio::test]
async fn the_same_name_at_another_connection_stays() {
    let (ours, theirs) = (World::new(), World::new());
    let (_, login) = ours.one().await;
    let (other, _) = theirs.one().await;
    let mut plan = ours.op.logout_token_plan(&login);
    plan.cut("sid");
    let (received, _) = ours.receive(&posted(BACK_CHANNEL, &[("logout_token", &plan.token())])).await;
    assert!(!means(&request(received).selector, theirs.connection, &other));
    // Nor does one provider's token count at the other's address.
    let (received, trace) = theirs.receive(&posted(BACK_CHANNEL, &[("logout_token", &plan.token())])).await;
    assert!(matches!(received, ReceivedLogout::Reply(_)));
    assert_eq!(failed_check(&trace).as_deref(), Some("logout token: key"));
}

#[tokio::test]
async fn what_is_no_form_with_one_logout_token_is_refused() {
    let world = World::new();
    let (_, login) = world.one().await;
    let token = world.op.logout_token(&login);
    let mut json = posted(BACK_CHANNEL, &[("logout_token", &token)]);
    json.content_type = Some("application/json".into());
    let id_token = world.op.id_token(&login).token();
    let bad = [
        json,
        posted(BACK_CHANNEL, &[]),
        posted(BACK_CHANNEL, &[("logout_token", "")]),
        posted(BACK_CHANNEL, &[("logout_token", &token), ("logout_token", &token)]),
        // An ID token is none, although it is signed by the same key for the same client.
        posted(BACK_CHANNEL, &[("logout_token", &id_token)]),
    ];
    for input in bad {
        let (received, trace) = world.receive(&input).await;
        let ReceivedLogout::Reply(reply) = received else { panic!("{received:?}") };
        assert_eq!(status(&reply), 400);
        assert!(trace.cause().is_some());
    }
    // Without a typ an ID token still is none.
    let mut plan = world.op.id_token(&login);
    plan.header.shift_remove("typ");
    let (received, trace) = world.receive(&posted(BACK_CHANNEL, &[("logout_token", &plan.token())])).await;
    assert!(matches!(received, ReceivedLogout::Reply(_)));
    assert_eq!(failed_check(&trace).as_deref(), Some("logout token: jti"));
    let mut plan = world.op.logout_token_plan(&login);
    plan.set("nonce", Value::from("n"));
    plan.header.shift_remove("typ");
    let (received, trace) = world.receive(&posted(BACK_CHANNEL, &[("logout_token", &plan.token())])).await;
    assert!(matches!(received, ReceivedLogout::Reply(_)));
    assert_eq!(failed_check(&trace).as_deref(), Some("logout token: nonce"));
}

#[tokio::test]
async fn a_frame_ends_the_session_that_it_names() {
    let world = World::new();
    let (identity, login) = world.one().await;
    let (other, _) = world.one().await;
    for lie in FRAME {
        world.op.tell(lie);
        let (received, trace) = world.receive(&queried(FRONT_CHANNEL, &world.op.front_channel(&login))).await;
        match lie.verdict {
            Verdict::Accepted => assert!(means(&request(received).selector, world.connection, &identity)),
            _ => {
                let ReceivedLogout::Reply(reply) = received else { panic!("{}: {received:?}", lie.name) };
                assert_eq!((status(&reply), reply.cookies.len()), (400, 0), "{}: the cookie stays", lie.name);
                assert_eq!(failed_check(&trace).as_deref(), Some(lie.check), "{}", lie.name);
            }
        }
    }
    world.op.truth();
    let (received, _) = world.receive(&queried(FRONT_CHANNEL, &world.op.front_channel(&login))).await;
    let request = request(received);
    assert!(means(&request.selector, world.connection, &identity));
    assert!(!means(&request.selector, world.connection, &other), "another session of the same person stays");
    assert_eq!((request.channel, &request.manner), (Channel::Front, &Manner::default()));
    assert_eq!(request.framed_by.as_deref(), Some("https://op.example"));
    let reply = world.conclude(&request, LogoutEnd::NoSession).await;
    assert!(matches!(reply.kind, ReplyKind::Page(Page::Noticed(_))), "{reply:?}");
}

#[tokio::test]
async fn a_sid_that_is_a_user_name_ends_this_browsers_session_alone() {
    let world = World::with(json!({ "front_channel_sid": "subject" }));
    let (identity, _) = world.one().await;
    let query = "iss=https%3A%2F%2Fop.example&sid=alice";
    let (received, _) = world.receive(&queried(FRONT_CHANNEL, query)).await;
    let request = request(received);
    assert!(means(&request.selector, world.connection, &identity));
    assert_eq!(request.manner, Manner { only_here: true, ..Manner::default() });
}
