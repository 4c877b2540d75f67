//! Answers by artifact (SAML bindings 3.6): parked for one app, for a minute, for one call.

use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::downstream::{Accepted, Refusal, RefusalKind};
use fedbridge_contract::http::{HttpInput, Method, Reply, ReplyKind};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::Outcome;
use fedbridge_saml_core::binding::artifact::{Artifact, ArtifactMessage, read_response};
use fedbridge_saml_core::binding::soap::SoapMessage;
use fedbridge_saml_core::metadata::import::import;
use fedbridge_saml_core::names;
use fedbridge_saml_core::seam::{VerifyKey, VerifyPolicy};
use fedbridge_saml_core::testkit::hostile::{Good, Hostile, MessageKind, calls, valid_calls};
use fedbridge_saml_core::testkit::{ArtifactResolvePlan, TestKey, soap};
use serde_json::json;
use url::Url;

use crate::support::{
    ACS, Ask, Doubles, IDP, NOW, SP, SSO, Sp, World, app_signing, get_address, our_key, post, posted_response, stranger,
};
use crate::{schema, xmlsec1};

const ARS: &str = "https://bridge.example/t/acme/saml/artifact";
const TAKES: &str = "https://wiki.example/artifact";

/// An app that takes answers by post and by artifact.
fn sp() -> Sp {
    let artifact = format!(
        "<md:AssertionConsumerService Binding=\"{}\" Location=\"{TAKES}\" index=\"7\"/>",
        names::BINDING_ARTIFACT
    );
    Sp { endpoints: Sp::default().endpoints + &artifact, ..Sp::default() }
}

fn world() -> World {
    World::of(&sp(), json!({}))
}

/// The same installation as another app sees it.
fn other(doubles: &Arc<Doubles>) -> World {
    let other = Sp { entity_id: OTHER.into(), signing: vec![Arc::clone(stranger())], ..sp() };
    World::kept(Arc::clone(doubles), &other, json!({}))
}

const OTHER: &str = "https://board.example/sp";

fn asking() -> Ask {
    let acs = format!("AssertionConsumerServiceURL=\"{ACS}\"");
    let artifact = format!("AssertionConsumerServiceURL=\"{TAKES}\" ProtocolBinding=\"{}\"", names::BINDING_ARTIFACT);
    Ask::new().replaced(&acs, &artifact)
}

/// What the browser brings to the app.
fn brought(reply: &Reply) -> ArtifactMessage {
    let ReplyKind::Redirect(location) = &reply.kind else { panic!("no redirect: {reply:?}") };
    let url = Url::parse(location).unwrap();
    assert_eq!(location.split('?').next(), Some(TAKES));
    ArtifactMessage::read(&HttpInput { query: url.query().unwrap().into(), ..get_address(SSO) }).unwrap()
}

/// A login up to the artifact.
fn artifact(world: &World) -> Artifact {
    brought(&world.finish(&world.login(&asking().by_redirect())).reply).artifact
}

fn resolve(artifact: &Artifact) -> ArtifactResolvePlan {
    ArtifactResolvePlan::new(SP, ARS, &artifact.text(), NOW)
}

fn called(body: impl Into<Vec<u8>>) -> HttpInput {
    HttpInput {
        method: Method::Post,
        route: "saml/artifact",
        body: body.into().into(),
        content_type: Some("text/xml; charset=utf-8".into()),
        ..get_address(SSO)
    }
}

/// Status and envelope.
fn call(world: &World, input: &HttpInput, now: Timestamp) -> (u16, String) {
    let before = world.doubles.traces.lock().unwrap().len();
    let (accepted, _) = world.accept_at(input, now);
    assert_eq!(world.doubles.traces.lock().unwrap().len(), before + 1, "one record for each call");
    assert_eq!(world.doubles.traces.lock().unwrap().last().unwrap().kind, "artifact");
    match accepted {
        Accepted::Reply(Reply { kind: ReplyKind::Body(body), .. }) => {
            assert_eq!(body.content_type, "text/xml; charset=utf-8");
            (body.status, String::from_utf8(body.bytes.to_vec()).unwrap())
        }
        _ => panic!("not an answer"),
    }
}

fn refused(world: &World, input: &HttpInput, now: Timestamp) -> String {
    let (status, body) = call(world, input, now);
    assert_eq!(status, 500, "{body}");
    assert!(body.contains("soap:Fault") && !body.contains("Response"), "{body}");
    world.last_refusal().unwrap()
}

/// The message in an ArtifactResponse that answers `id`, its signature verified twice.
fn answered(envelope: &str, id: &str) -> Option<String> {
    let soap = SoapMessage::read(envelope.as_bytes()).unwrap();
    let key = VerifyKey::from_certificate_der(&our_key().certificate).unwrap();
    let target = soap.unverified_message();
    let verified = soap.document().verify_enveloped(target, &[key], &VerifyPolicy::default()).unwrap();
    let response = read_response(verified.element()).unwrap();
    assert_eq!((response.in_response_to, response.issuer), (Some(id), Some(IDP)));
    assert_eq!(response.status, names::STATUS_SUCCESS);
    let xml = cut(envelope, "samlp:ArtifactResponse");
    schema::accepts("saml-schema-protocol-2.0.xsd", &xml);
    xmlsec1::accepts(&xml, response.id, our_key());
    response.message?;
    // What is inside is signed as if it were posted.
    let inside = cut(&xml, "samlp:Response");
    for tag in ["<samlp:Response ", "<saml:Assertion "] {
        if let Some(id) = inside.split(tag).nth(1).and_then(|rest| rest.split(" ID=\"").nth(1)?.split('"').next()) {
            xmlsec1::accepts(&xml, id, our_key());
        }
    }
    Some(inside)
}

fn cut(xml: &str, name: &str) -> String {
    let from = xml.find(&format!("<{name} ")).unwrap();
    let end = format!("</{name}>");
    xml[from..xml.rfind(&end).unwrap() + end.len()].to_owned()
}

/// Whether the last record names the login that the artifact was made for.
fn names_the_login(world: &World) -> bool {
    let events = world.doubles.traces.lock().unwrap();
    let steps = serde_json::to_string(&events.last().unwrap().steps).unwrap();
    steps.contains(&world.identity().trace.to_string())
}

/// The reason why an artifact is worth nothing; the app itself learns none.
fn worthless(world: &World, plan: &ArtifactResolvePlan, key: &TestKey, now: Timestamp) -> String {
    let plan = ArtifactResolvePlan { issue_instant: now.rfc3339_seconds(), ..plan.clone() };
    let (status, body) = call(world, &called(plan.call(key).unwrap()), now);
    assert_eq!(status, 200, "{body}");
    assert_eq!(answered(&body, &plan.id), None, "{body}");
    world.last_refusal().unwrap()
}

#[test]
fn the_browser_carries_an_artifact_and_the_app_fetches_the_answer() {
    let world = world();
    let login = world.login(&asking().by_redirect());
    let message = brought(&world.finish(&login).reply);
    assert_eq!(message.relay_state.as_deref(), Some("here"));
    assert_eq!(message.artifact.source_id, openssl::sha::sha1(IDP.as_bytes()));
    let other = brought(&world.finish(&login).reply);
    assert_ne!(message.artifact.handle, other.artifact.handle, "each answer has one of its own");

    let plan = resolve(&message.artifact);
    let (status, body) = call(&world, &called(plan.call(app_signing()).unwrap()), NOW);
    assert_eq!(status, 200, "{body}");
    let response = answered(&body, &plan.id).expect("the response");
    for part in [
        format!("Destination=\"{TAKES}\""),
        format!("Recipient=\"{TAKES}\""),
        "InResponseTo=\"_r1\"".into(),
        "alice@acme.example".into(),
    ] {
        assert!(response.contains(&part), "{part} is not in {response}");
    }
    assert!(response.contains("<saml:Assertion xmlns:saml="), "the assertion can be moved: {response}");
    let events = world.doubles.traces.lock().unwrap();
    let event = events.last().unwrap();
    assert_eq!((event.outcome, event.app.as_deref()), (Outcome::Success, Some("wiki")));
    let steps = serde_json::to_string(&event.steps).unwrap();
    assert!(steps.contains(&world.identity().trace.to_string()), "it names the trace of the login: {steps}");
    assert!(!steps.contains(&message.artifact.text()), "an artifact is a secret: {steps}");
}

/// Guards: one use, one minute, one app; who asks in vain learns nothing, and takes nothing away.
#[test]
fn an_artifact_is_worth_something_once_for_a_minute_for_one_app() {
    let world = world();
    let first = artifact(&world);
    // Another app first: the right one still gets it.
    let other = other(&world.doubles);
    let theirs = ArtifactResolvePlan { issuer: Some(OTHER.into()), ..resolve(&first) };
    let cause = worthless(&other, &theirs, stranger(), NOW);
    assert!(cause.contains("one for another app"), "{cause}");
    assert!(!names_the_login(&other), "a login of another app is none of its business");
    let plan = resolve(&first);
    let input = called(plan.call(app_signing()).unwrap());
    assert!(answered(&call(&world, &input, NOW).1, &plan.id).is_some());
    // Twice, by a new request and by the very same.
    let cause = worthless(&world, &resolve(&first), app_signing(), NOW);
    assert!(cause.contains("one that was used before"), "{cause}");
    assert!(names_the_login(&world), "the admin looks for the login");
    assert_eq!(answered(&call(&world, &input, NOW).1, &plan.id), None, "sent again");

    let minute = NOW + Duration::from_secs(60);
    let late = artifact(&world);
    let before = minute - Duration::from_millis(1);
    let plan = resolve(&late);
    let now = ArtifactResolvePlan { issue_instant: before.rfc3339_seconds(), ..plan.clone() };
    assert!(answered(&call(&world, &called(now.call(app_signing()).unwrap()), before).1, &plan.id).is_some());
    let late = artifact(&world);
    let cause = worthless(&world, &resolve(&late), app_signing(), minute);
    assert!(cause.contains("one that ended at"), "{cause}");
    assert!(names_the_login(&world), "the admin looks for the login");

    let real = artifact(&world);
    for (wrong, reason) in [
        (Artifact { handle: [9; 20], ..real }, "one that is not known here"),
        (Artifact { endpoint_index: 1, ..real }, "one that is not known here"),
        (Artifact { source_id: [9; 20], ..real }, "one of another provider"),
    ] {
        let cause = worthless(&world, &resolve(&wrong), app_signing(), NOW);
        assert!(cause.contains(reason), "{cause}");
        assert!(!names_the_login(&world), "nobody knows which");
    }
    for text in ["x", "AAQAAA==", &real.text().replace("AAQ", "AAM")] {
        let plan = ArtifactResolvePlan { artifact: text.into(), ..resolve(&real) };
        let cause = worthless(&world, &plan, app_signing(), NOW);
        assert!(cause.contains("no artifact of type 4"), "{text}: {cause}");
    }
}

/// Guards: each is refused before the artifact is looked at, which stays good.
#[test]
fn who_is_not_believed_resolves_nothing() {
    let world = world();
    let real = artifact(&world);
    let plan = || resolve(&real);
    let at = |at: Timestamp| ArtifactResolvePlan { issue_instant: at.rfc3339_seconds(), ..plan() };
    let signed = |plan: ArtifactResolvePlan| called(plan.call(app_signing()).unwrap());
    let skew = Duration::from_secs(180);
    let other = "https://other.example".to_owned();
    let right = signed(plan());
    for (name, input, reason) in [
        ("unsigned", called(soap(&plan().xml())), "ArtifactResolve signature"),
        ("signed by a stranger", called(plan().call(stranger()).unwrap()), "ArtifactResolve signature"),
        ("signed by us", called(plan().call(our_key()).unwrap()), "ArtifactResolve signature"),
        ("an unknown app", signed(ArtifactResolvePlan { issuer: Some(other.clone()), ..plan() }), "Issuer"),
        ("nobody", called(soap(&ArtifactResolvePlan { issuer: None, ..plan() }.xml())), "Form of the request"),
        ("another address", signed(ArtifactResolvePlan { destination: Some(other), ..plan() }), "Destination"),
        (
            "the single sign-on address",
            signed(ArtifactResolvePlan { destination: Some(SSO.into()), ..plan() }),
            "Destination",
        ),
        ("another version", signed(ArtifactResolvePlan { version: "1.1".into(), ..plan() }), "Version"),
        (
            "an ID that is none",
            called(soap(&ArtifactResolvePlan { id: "1".into(), ..plan() }.xml())),
            "Form of the request",
        ),
        ("too old", signed(at(NOW - Duration::from_secs(61) - skew)), "IssueInstant"),
        ("of the future", signed(at(NOW + Duration::from_secs(1) + skew)), "IssueInstant"),
        ("a form", HttpInput { content_type: post(String::new()).content_type, ..right.clone() }, "not text/xml"),
        ("no type", HttpInput { content_type: None, ..right.clone() }, "not text/xml"),
        ("nothing", called(""), "empty"),
        (
            "no envelope",
            called("<a/>"),
            "expected one SOAP message that can be read, got something else: not a SOAP 1.1 envelope with one message",
        ),
        ("a word", called(soap("<a/>")), "expected an ArtifactResolve of the schema, got something else: "),
    ] {
        let cause = refused(&world, &input, NOW);
        assert!(cause.contains(reason), "{name}: {cause}");
    }
    let keyless = Sp { signing: Vec::new(), ..sp() };
    let keyless = World::kept(Arc::clone(&world.doubles), &keyless, json!({}));
    let cause = refused(&keyless, &right, NOW);
    assert!(cause.contains("ArtifactResolve signature: expected a signing certificate"), "{cause}");
    let expired = Sp { valid_until: Some(NOW + Duration::from_secs(1)), ..sp() };
    let expired = World::kept(Arc::clone(&world.doubles), &expired, json!({}));
    let later = NOW + Duration::from_secs(1);
    assert!(refused(&expired, &right, later).contains("expired"));
    world.doubles.shut.store(true, std::sync::atomic::Ordering::Relaxed);
    let cause = refused(&world, &right, NOW);
    assert!(cause.contains("can't be used for logins"), "{cause}");
    world.doubles.shut.store(false, std::sync::atomic::Ordering::Relaxed);
    world.doubles.broken.store(true, std::sync::atomic::Ordering::Relaxed);
    let cause = refused(&world, &right, NOW);
    assert!(cause.contains("find the answer"), "{cause}");
    assert_eq!(world.doubles.traces.lock().unwrap().last().unwrap().outcome, Outcome::Error);
    world.doubles.broken.store(false, std::sync::atomic::Ordering::Relaxed);
    // 180 s of skew either way are no harm, and all of these took nothing away.
    let oldest = signed(at(NOW - Duration::from_secs(60) - skew));
    assert_eq!(call(&world, &oldest, NOW).0, 200);
    assert_eq!(world.doubles.traces.lock().unwrap().last().unwrap().outcome, Outcome::Success);
}

#[test]
fn every_hostile_call_is_refused_for_its_own_reason() {
    let world = world();
    let artifact = artifact(&world);
    let good = good(&artifact);
    let all = calls(&good).unwrap();
    assert!(all.len() > 110, "{}", all.len());
    let complaint = |hostile: &Hostile| {
        let (status, body) = call(&world, &called(hostile.octets.clone()), NOW);
        if status == 200 {
            return Some(format!("{}: accepted: {body}", hostile.name));
        }
        let cause = world.last_refusal().unwrap();
        // Keys are found by the Issuer, so another Issuer is refused before its signature is looked at.
        let unknown = hostile.name.contains("Issuer's text") && cause.starts_with("Issuer: ");
        (!unknown && !hostile.is_explained_by(&cause))
            .then(|| format!("{}: not «{}» but {cause}", hostile.name, hostile.reason))
    };
    let wrong: Vec<_> = all.iter().filter_map(complaint).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), all.len(), wrong.join("\n"));
    // None of them used it up.
    let plan = resolve(&artifact);
    assert!(answered(&call(&world, &called(plan.call(app_signing()).unwrap()), NOW).1, &plan.id).is_some());
}

#[test]
fn every_valid_call_is_answered() {
    let world = world();
    let one = artifact(&world);
    let all = valid_calls(&good(&one)).unwrap();
    assert!(all.len() > 15, "{}", all.len());
    for number in 0..all.len() {
        let artifact = artifact(&world);
        let good = good(&artifact);
        let (name, octets) = valid_calls(&good).unwrap().swap_remove(number);
        let (status, body) = call(&world, &called(octets), NOW);
        assert_eq!(status, 200, "{name}: {:?}", world.last_refusal());
        assert!(answered(&body, &good.id).is_some(), "{name}: {:?}", world.last_refusal());
    }
}

fn good(artifact: &Artifact) -> Good<'static> {
    let response = World::new().response();
    let plan = resolve(artifact);
    Good {
        kind: MessageKind::ArtifactResolve,
        xml: plan.xml(),
        id: plan.id,
        key: app_signing(),
        victim: Box::leak(artifact.text().into_boxed_str()),
        captured: cut(&response, "saml:Assertion"),
    }
}

/// An address, an index, the default; without a wish, what the metadata says.
#[test]
fn the_binding_is_the_one_that_the_app_asks_for() {
    let acs = format!("AssertionConsumerServiceURL=\"{ACS}\"");
    let by_artifact = |world: &World, ask: &Ask| {
        let reply = world.finish(&world.login(&ask.by_redirect())).reply;
        matches!(reply.kind, ReplyKind::Redirect(_))
    };
    let world = world();
    let asked = |attributes: &str| Ask::new().replaced(&acs, attributes);
    let binding = format!("ProtocolBinding=\"{}\"", names::BINDING_ARTIFACT);
    assert!(by_artifact(&world, &asked(&format!("AssertionConsumerServiceURL=\"{TAKES}\""))));
    assert!(by_artifact(&world, &asked("AssertionConsumerServiceIndex=\"7\"")));
    assert!(by_artifact(&world, &asked(&binding)));
    assert!(!by_artifact(&world, &asked("")), "the metadata's default takes posts");
    assert!(!by_artifact(&world, &asked(&acs)));
    for wrong in [
        format!("{acs} {binding}"),
        format!("AssertionConsumerServiceURL=\"{TAKES}\" ProtocolBinding=\"{}\"", names::BINDING_POST),
    ] {
        let (status, cause) = world.refused_on_page(&asked(&wrong).by_redirect());
        assert!(status == 400 && cause.contains("is not registered"), "{cause}");
    }
    // One address for both: the answer itself, unless the app wants an artifact.
    let same = Sp { endpoints: sp().endpoints.replace(TAKES, ACS), ..sp() };
    let same = World::of(&same, json!({}));
    assert!(!by_artifact(&same, &asked(&acs)));
    assert!(by_artifact(&same, &asked(&format!("{acs} {binding}"))));
    // An artifact alone, also where nobody asked.
    let endpoints = format!(
        "<md:AssertionConsumerService Binding=\"{}\" Location=\"{TAKES}\" index=\"0\"/>",
        names::BINDING_ARTIFACT
    );
    let only = World::of(&Sp { endpoints, ..sp() }, json!({ "unsolicited": true, "default_relay_state": "home" }));
    assert!(by_artifact(&only, &asked("")));
    let start = only.login(&get_address("https://bridge.example/t/acme/saml/start/wiki"));
    assert_eq!(brought(&only.finish(&start).reply).relay_state.as_deref(), Some("home"));
    // Who has no key to ask with is not sent an artifact.
    let keyless = World::of(&Sp { signing: Vec::new(), ..sp() }, json!({}));
    let (_, cause) = keyless.refused_on_page(&asked(&binding).by_redirect());
    assert!(cause.contains("need a signing certificate"), "{cause}");
    let (_, cause) = keyless.refused_on_page(&asked("AssertionConsumerServiceIndex=\"7\"").by_redirect());
    assert!(cause.contains("no registered address with the index 7"), "{cause}");
}

#[test]
fn a_refusal_comes_by_artifact_too() {
    let world = World::of(&sp(), json!({ "name_id": { "format": "transient" } }));
    let login = world.login(&asking().by_redirect());
    let refusal = Refusal::new(RefusalKind::AccessDenied, "Not today.");
    let message = brought(&world.refuse(&login, &refusal));
    let plan = resolve(&message.artifact);
    let (_, body) = call(&world, &called(plan.call(app_signing()).unwrap()), NOW);
    let response = answered(&body, &plan.id).unwrap();
    assert!(response.contains("RequestDenied") && response.contains("Not today."), "{response}");
    // While the store is away nothing can wait: a page says so.
    world.doubles.broken.store(true, std::sync::atomic::Ordering::Relaxed);
    assert!(matches!(world.refuse(&login, &refusal).kind, ReplyKind::Page(_)));
    let refused = world.finish_as(&login, &world.identity()).unwrap_err();
    assert_eq!(refused.kind, RefusalKind::ServerError);
}

/// A request that nobody signed costs its sender nothing, so little comes of it.
#[test]
fn a_request_that_is_refused_at_once_leaves_nothing_behind() {
    let hopeless = "</saml:Issuer><samlp:Scoping ProxyCount=\"0\"/>";
    let ask = asking().replaced("</saml:Issuer>", hopeless);
    let world = world();
    let Accepted::Reply(reply) = world.accept(&ask.by_redirect()).0 else { panic!("accepted") };
    let (address, response) = posted_response(&reply);
    assert!(address == ACS && response.contains(names::STATUS_PROXY_COUNT_EXCEEDED), "{address} {response}");
    assert_eq!(world.doubles.waiting(), []);
    // Who takes artifacts alone gets one, and what is known of it is soon forgotten.
    let endpoints = format!(
        "<md:AssertionConsumerService Binding=\"{}\" Location=\"{TAKES}\" index=\"0\"/>",
        names::BINDING_ARTIFACT
    );
    let only = World::of(&Sp { endpoints, ..sp() }, json!({}));
    let Accepted::Reply(reply) = only.accept(&ask.by_redirect()).0 else { panic!("accepted") };
    let plan = resolve(&brought(&reply).artifact);
    let waiting = only.doubles.waiting();
    assert!(waiting.len() == 2 && waiting.iter().all(|until| *until <= NOW + Duration::from_secs(600)), "{waiting:?}");
    let (_, body) = call(&only, &called(plan.call(app_signing()).unwrap()), NOW);
    assert!(answered(&body, &plan.id).unwrap().contains(names::STATUS_PROXY_COUNT_EXCEEDED), "{body}");
}

/// A RelayState that is too long for an address goes in a form, octet for octet (80).
#[test]
fn a_long_relay_state_is_posted() {
    let world = world();
    let long: String = "<&\"' é".repeat(400);
    let ask = Ask { relay_state: Some(long.clone()), ..asking() };
    let reply = world.finish(&world.login(&ask.by_redirect())).reply;
    let ReplyKind::AutoPost { action, fields } = &reply.kind else { panic!("{reply:?}") };
    assert_eq!(action, TAKES);
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    let message = ArtifactMessage::read(&post(body)).unwrap();
    assert_eq!(message.relay_state, Some(long));
    let odd = "a b&c=d#e%";
    let ask = Ask { relay_state: Some(odd.into()), ..asking() };
    assert_eq!(brought(&world.finish(&world.login(&ask.by_redirect())).reply).relay_state.as_deref(), Some(odd));
}

/// An administrator who takes the address away, or its key, stops logins that are under way.
#[test]
fn an_address_taken_away_during_the_login_is_not_used() {
    let world = world();
    let login = world.login(&asking().by_redirect());
    for changed in [Sp::default(), Sp { endpoints: sp().endpoints.replace("HTTP-Artifact", "HTTP-POST"), ..sp() }] {
        let later = World::kept(Arc::clone(&world.doubles), &changed, json!({}));
        assert!(later.finish_as(&login, &later.identity()).is_err());
    }
    let keyless = World::kept(Arc::clone(&world.doubles), &Sp { signing: Vec::new(), ..sp() }, json!({}));
    assert!(keyless.finish_as(&login, &keyless.identity()).is_err());
    assert!(world.finish_as(&login, &world.identity()).is_ok());
}

#[test]
fn the_metadata_says_where_to_ask() {
    let world = world();
    let (accepted, _) = world.accept(&get_address(IDP));
    let Accepted::Reply(Reply { kind: ReplyKind::Body(body), .. }) = accepted else { panic!("no document") };
    let idp = import(&body.bytes, None, NOW).unwrap_or_else(|complaints| panic!("{complaints:?}"));
    let index = artifact(&world).endpoint_index;
    let found: Vec<_> = idp.artifact_resolution.iter().map(|(index, url)| (*index, url.as_str())).collect();
    assert_eq!(found, [(index, ARS)]);
}
