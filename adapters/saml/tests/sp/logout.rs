//! Single logout with the identity provider, in both directions.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use fedbridge_contract::config::Tenant;
use fedbridge_contract::http::{HttpInput, Method, Reply, ReplyKind};
use fedbridge_contract::identity::UpstreamSession;
use fedbridge_contract::ids::LogoutId;
use fedbridge_contract::logout::{
    Channel, LogoutEnd, LogoutMessage, LogoutSelector, LogoutStart, Notice, NoticeId, Party, PeerLogout,
    ReceivedLogout, Told, UpstreamLogout,
};
use fedbridge_contract::page::Page;
use fedbridge_contract::services::Fetched;
use fedbridge_contract::trace::TraceLog;
use fedbridge_contract::upstream::Challenge;
use fedbridge_saml::testkit::{
    LogoutRequestPlan, LogoutResponsePlan, NameIdPlan, ReceivedLogout as Sent, ScriptedIdp, TestKey,
};
use serde_json::{Value, json};

use crate::support::{IDP, NOW, RUNTIME, SP_KEYS, World, posted_with};

const SLO: &str = "https://bridge.example/t/acme/connections/okta/saml/slo";
const THEIRS: &str = "https://idp.example/slo";

fn world(settings: Value) -> World {
    World::of(ScriptedIdp::new(IDP, "https://idp.example/sso").with_slo(THEIRS), settings).unwrap()
}

fn adapter(world: &World) -> &dyn UpstreamLogout {
    world.adapter.logout.as_deref().unwrap()
}

/// The session of a login with a name that has all its parts.
fn session(world: &World) -> UpstreamSession {
    let pending = world.begin();
    let mut plan = world.plan(&pending);
    let name = plan.assertion.name_id.as_mut().unwrap();
    name.value = " <alice>&co ".into();
    name.name_qualifier = Some(IDP.into());
    name.sp_name_qualifier = Some("urn:team".into());
    plan.assertion.authn[0].session_index = Some("_s&1".into());
    world.accept(&pending, &plan).session
}

fn name() -> NameIdPlan {
    let mut name = NameIdPlan::new(" <alice>&co ", "urn:oasis:names:tc:SAML:2.0:nameid-format:persistent");
    name.sp_name_qualifier = Some("urn:team".into());
    name
}

fn notice_id(world: &World) -> NoticeId {
    NoticeId { logout: LogoutId::random(&crate::support::Distinct), party: Party::Connection(world.connection) }
}

fn notice(world: &World, session: &UpstreamSession) -> (Notice, NoticeId) {
    let (tenant, id) = (Arc::new(crate::support::tenant()), notice_id(world));
    let start = LogoutStart { tenant: &tenant, session, id, now: NOW };
    (RUNTIME.block_on(adapter(world).notice(start, &mut TraceLog::new())).unwrap(), id)
}

fn receive(world: &World, input: &HttpInput) -> (ReceivedLogout, TraceLog) {
    let (tenant, mut trace) = (Arc::new(crate::support::tenant()), TraceLog::new());
    let message = LogoutMessage { tenant: &tenant, input, now: NOW };
    (RUNTIME.block_on(adapter(world).receive(message, &mut trace)), trace)
}

fn asked(world: &World, input: &HttpInput) -> Box<PeerLogout> {
    match receive(world, input) {
        (ReceivedLogout::Request(request), _) => request,
        (other, trace) => panic!("{other:?}: {:?}", trace.cause()),
    }
}

fn conclude(world: &World, continuation: &[u8], end: LogoutEnd) -> Reply {
    let tenant: Arc<Tenant> = Arc::new(crate::support::tenant());
    RUNTIME.block_on(adapter(world).conclude(&tenant, continuation, end))
}

fn get(query: String) -> HttpInput {
    HttpInput { method: Method::Get, query, ..posted_with("saml/slo", &[]) }
}

fn called(body: String) -> HttpInput {
    HttpInput { body: body.into(), content_type: Some("text/xml".into()), ..posted_with("saml/slo", &[]) }
}

fn plan() -> LogoutRequestPlan {
    LogoutRequestPlan::new(IDP, SLO, name(), NOW).with_index("_s&1")
}

fn key(world: &World) -> &TestKey {
    &world.idp.key
}

/// SAML profiles 4.4.4.1: exactly as it was received.
#[test]
fn the_provider_is_told_by_the_name_that_it_gave() {
    let world = world(json!({}));
    let session = session(&world);
    let (notice, id) = notice(&world, &session);
    let Notice::Front(Challenge::Redirect(location)) = notice else { panic!("{notice:?}") };
    assert!(location.starts_with("https://idp.example/slo?SAMLRequest=") && location.contains("&Signature="));
    let sent = Sent::from_redirect(&location).unwrap();
    assert_eq!((sent.id.clone(), sent.destination.as_deref()), (id.to_string(), Some(THEIRS)));
    let name = sent.name_id.unwrap();
    assert_eq!(name.value, " <alice>&co ");
    assert_eq!(name.name_qualifier.as_deref(), Some(IDP));
    assert_eq!(name.sp_name_qualifier.as_deref(), Some("urn:team"));
    assert_eq!(sent.indexes, ["_s&1"]);
}

fn silence(world: &World, session: &UpstreamSession) -> Option<String> {
    let (tenant, id) = (Arc::new(crate::support::tenant()), notice_id(world));
    let start = LogoutStart { tenant: &tenant, session, id, now: NOW };
    RUNTIME.block_on(adapter(world).silence(start))
}

/// Where our server has read nothing at the provider itself, it may not reach what browsers reach.
#[test]
fn a_provider_that_publishes_its_metadata_itself_is_silent_where_nothing_answers_there() {
    for (address, found) in [
        (Some("https://idp.example/metadata"), Some("https://idp.example/metadata: connection refused".to_owned())),
        (Some("https://federation.example/all"), None),
        (None, None),
    ] {
        let idp = ScriptedIdp::new(IDP, "https://idp.example/sso").with_slo(THEIRS);
        let metadata = json!({ "xml": idp.metadata(), "url": address });
        let world = World::of(idp, json!({ "idp_metadata": metadata })).unwrap();
        let session = session(&world);
        world.wire.dead.store(true, Ordering::Relaxed);
        assert_eq!(silence(&world, &session), found, "{address:?}");
        assert_eq!(silence(&world, &UpstreamSession::default()), None, "nobody is sent there");
    }
}

#[test]
fn a_provider_without_an_address_is_not_told() {
    let plain = World::new();
    let session = session(&plain);
    assert!(matches!(notice(&plain, &session).0, Notice::Nothing));
    assert!(matches!(notice(&world(json!({ "logout": false })), &session).0, Notice::Nothing));
    assert!(matches!(notice(&world(json!({})), &UpstreamSession::default()).0, Notice::Nothing));
}

#[test]
fn soap_comes_first_and_its_answer_counts() {
    let mut idp = ScriptedIdp::new(IDP, "https://idp.example/sso").with_slo(THEIRS);
    idp.slo.push(("urn:oasis:names:tc:SAML:2.0:bindings:SOAP", "https://idp.example/soap".into()));
    let world = World::of(idp, json!({})).unwrap();
    let session = session(&world);
    let (notice, id) = notice(&world, &session);
    let Notice::Back(post) = notice else { panic!("{notice:?}") };
    assert_eq!(post.url, "https://idp.example/soap");
    let tenant = Arc::new(crate::support::tenant());
    let told = |status: u16, body: String| {
        let answer = Fetched { status, content_type: None, etag: None, max_age: None, body: body.into() };
        let start = LogoutStart { tenant: &tenant, session: &session, id, now: NOW };
        RUNTIME.block_on(adapter(&world).told(start, &answer))
    };
    let answer = LogoutResponsePlan::new(IDP, SLO, &id.to_string(), NOW);
    assert_eq!(told(200, answer.soap(key(&world)).unwrap()), Told::Done);
    assert_eq!(told(500, answer.soap(key(&world)).unwrap()), Told::Refused);
    assert_eq!(told(200, answer.soap(&SP_KEYS[0]).unwrap()), Told::Refused);
    let other = LogoutResponsePlan::new(IDP, SLO, &notice_id(&world).to_string(), NOW);
    assert_eq!(told(200, other.soap(key(&world)).unwrap()), Told::Refused);
    assert_eq!(told(200, "no xml".into()), Told::Refused);
}

#[test]
fn a_request_ends_the_sessions_that_it_names() {
    let world = world(json!({}));
    let session = session(&world);
    let request = asked(&world, &get(plan().query(Some("back here"), key(&world)).unwrap()));
    let expected = LogoutSelector::Upstream {
        connection: world.connection,
        key: session.logout_key.clone().unwrap(),
        indexes: vec!["_s&1".into()],
    };
    assert_eq!((&request.selector, request.channel), (&expected, Channel::Front));
    assert_eq!(request.framed_by.as_deref(), Some("https://idp.example"));
    assert_eq!(request.once.len(), 1);

    let ReplyKind::Redirect(location) = conclude(&world, &request.continuation, LogoutEnd::Partial).kind else {
        panic!("not a redirect")
    };
    let answer = Sent::from_redirect(&location).unwrap();
    assert_eq!(answer.relay_state.as_deref(), Some("back here"));
    assert!(location.contains("&Signature="));
    let (first, second) = answer.status.unwrap();
    assert!(first.ends_with(":Success") && second.unwrap().ends_with(":PartialLogout"));

    // The server of the provider, without any browser.
    let request = asked(&world, &called(plan().soap(key(&world)).unwrap()));
    assert_eq!((&request.selector, request.channel), (&expected, Channel::Back));
    let ReplyKind::Body(body) = conclude(&world, &request.continuation, LogoutEnd::Complete).kind else {
        panic!("no SOAP")
    };
    let text = String::from_utf8(body.bytes.to_vec()).unwrap();
    assert_eq!((body.status, body.content_type), (200, "text/xml; charset=utf-8"));
    assert!(text.contains("LogoutResponse") && text.contains("SignatureValue") && !text.contains("PartialLogout"));
    // A form, and a person whose other name it is.
    let form = plan().form(None, key(&world)).unwrap();
    let fields: Vec<_> = form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(asked(&world, &posted_with("saml/slo", &fields)).selector, expected);
    let other = LogoutRequestPlan { name_id: Some(NameIdPlan::new("bob", "urn:f")), ..plan() };
    assert_ne!(asked(&world, &get(other.query(None, key(&world)).unwrap())).selector, expected);
}

#[test]
fn what_nobody_vouches_for_is_answered_to_nobody() {
    let world = world(json!({ "issuers": ["https://login.idp.example/"] }));
    let refused = |input: &HttpInput| match receive(&world, input) {
        (ReceivedLogout::Reply(reply), trace) => (reply.kind, trace.cause().unwrap()),
        (other, _) => panic!("{other:?}"),
    };
    let strange = get(plan().query(None, &SP_KEYS[0]).unwrap());
    let (kind, cause) = refused(&strange);
    assert!(matches!(kind, ReplyKind::Page(Page::Error(page)) if page.status == 400));
    assert!(cause.contains("was not made by a key"), "{cause}");
    let unsigned = plan().query(None, key(&world)).unwrap().split("&SigAlg").next().unwrap().to_owned();
    assert!(refused(&get(unsigned)).1.contains("Query signature"));
    let (kind, _) = refused(&called(plan().soap(&SP_KEYS[0]).unwrap()));
    assert!(matches!(kind, ReplyKind::Body(body) if body.status == 500));
    let elsewhere = LogoutRequestPlan { issuer: Some("https://sts.idp.example/".into()), ..plan() };
    assert!(refused(&get(elsewhere.query(None, key(&world)).unwrap())).1.contains("Issuer"));
    let listed = LogoutRequestPlan { issuer: Some("https://login.idp.example/".into()), ..plan() };
    asked(&world, &get(listed.query(None, key(&world)).unwrap()));
}

#[test]
fn an_answer_settles_its_own_notice_alone() {
    let world = world(json!({}));
    let id = notice_id(&world);
    let answer = |id: &str| get(LogoutResponsePlan::new(IDP, SLO, id, NOW).query(None, key(&world)).unwrap());
    match receive(&world, &answer(&id.to_string())).0 {
        ReceivedLogout::Answer { id: found, told } => assert_eq!((found, told), (id, Told::Done)),
        other => panic!("{other:?}"),
    }
    let elsewhere = NoticeId {
        party: Party::Connection(fedbridge_contract::ids::ConnectionId::random(&crate::support::Distinct)),
        ..id
    };
    for wrong in [elsewhere.to_string(), "_r".into()] {
        let (received, trace) = receive(&world, &answer(&wrong));
        assert!(matches!(received, ReceivedLogout::Reply(_)), "{received:?}");
        assert!(trace.cause().unwrap().starts_with("InResponseTo"));
    }
}
