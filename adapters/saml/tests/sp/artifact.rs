//! Answers that the browser brings by reference.

use std::sync::OnceLock;

use fedbridge_contract::http::{HttpInput, Method};
use fedbridge_contract::services::{EgressError, Fetched};
use fedbridge_contract::upstream::LoginOutcome;
use fedbridge_saml::names;
use fedbridge_saml::seam::{Limits, UnverifiedDocument, VerifyKey, VerifyPolicy};
use fedbridge_saml::testkit::hostile::{Hostile, corpus, valid};
use fedbridge_saml::testkit::{Encryption, KeyKind, ResponsePlan, ScriptedIdp, Sign, TestKey, sign_message};
use fedbridge_saml_core::binding::artifact::{Artifact, read_resolve, response};
use fedbridge_saml_core::binding::soap::{SoapMessage, envelope};
use serde_json::{Value, json};

use crate::schema;
use crate::support::{HANDLE, IDP, NOW, Pending, SP_KEYS, World, failed_check, posted_with};

const RESOLVER: &str = "https://idp.example/resolve";
const TAKES: &str = "https://bridge.example/t/acme/connections/okta/saml/artifact";

/// A world whose provider resolves artifacts.
pub fn world(mut settings: Value) -> World {
    let provider = ScriptedIdp::new(IDP, "https://idp.example/sso");
    settings["idp_metadata"] = json!({ "xml": resolving(&provider) });
    World::of(provider, settings).unwrap()
}

fn resolving(provider: &ScriptedIdp) -> String {
    let service = format!(
        "<md:ArtifactResolutionService index=\"3\" Binding=\"{}\" Location=\"{RESOLVER}\"/><md:SingleSignOnService",
        names::BINDING_SOAP
    );
    provider.metadata().replacen("<md:SingleSignOnService", &service, 1)
}

fn asking() -> World {
    world(json!({ "response_binding": "artifact" }))
}

fn artifact() -> Artifact {
    Artifact { endpoint_index: 3, source_id: Artifact::source_of(IDP), handle: [9; 20] }
}

fn brought(artifact: &Artifact) -> HttpInput {
    posted_with("saml/artifact", &[("SAMLart", &artifact.text()), ("RelayState", HANDLE)])
}

/// What the provider's server says: the message that it gives out, and a change of its ArtifactResponse.
#[derive(Clone, Default)]
struct Script {
    message: Option<String>,
    signed_by: Option<std::sync::Arc<TestKey>>,
    in_response_to: Option<String>,
    issuer: Option<&'static str>,
}

impl Script {
    fn of(plan: &ResponsePlan, world: &World) -> Self {
        Self { message: Some(plan.build(&world.idp).unwrap()), ..Self::default() }
    }

    fn run(self, world: &World) {
        let answer = move |request: &fedbridge_contract::services::EgressPost| {
            assert_eq!(request.url, RESOLVER);
            let soap = SoapMessage::read(request.body.as_bytes()).unwrap();
            let key = VerifyKey::from_certificate_der(&SP_KEYS[0].certificate).unwrap();
            let target = soap.unverified_message();
            let verified = soap.document().verify_enveloped(target, &[key], &VerifyPolicy::default()).unwrap();
            let resolve = read_resolve(verified.element()).unwrap();
            assert_eq!((resolve.artifact, resolve.destination), (artifact().text().as_str(), Some(RESOLVER)));
            let id = self.in_response_to.as_deref().unwrap_or(resolve.id);
            let xml = response("_a", id, self.issuer.unwrap_or(IDP), self.message.as_deref(), NOW);
            let xml = match &self.signed_by {
                Some(key) => sign_message(&xml, "_a", key).unwrap(),
                None => xml,
            };
            Ok(fetched(200, envelope(&xml)))
        };
        *world.wire.answer.lock().unwrap() = Some(Box::new(answer));
    }
}

fn fetched(status: u16, body: String) -> Fetched {
    Fetched { status, content_type: Some("text/xml".into()), etag: None, max_age: None, body: body.into_bytes().into() }
}

fn refused(world: &World, pending: &Pending, input: &HttpInput) -> String {
    match world.complete_input(pending, input, NOW) {
        (LoginOutcome::Rejected(_) | LoginOutcome::KeyUnknown(_), trace) => failed_check(&trace),
        (other, _) => panic!("not rejected: {other:?}"),
    }
}

/// Every signing, by POST and by GET, encrypted too.
#[test]
fn an_artifact_is_worth_the_answer_behind_it() {
    let world = asking();
    let pending = world.begin();
    assert!(pending.request.xml.contains(&format!("ProtocolBinding=\"{}\"", names::BINDING_ARTIFACT)));
    assert_eq!(pending.request.acs.as_deref(), Some(TAKES));
    let get = HttpInput {
        method: Method::Get,
        query: String::from_utf8(brought(&artifact()).body.to_vec()).unwrap(),
        body: Vec::new().into(),
        content_type: None,
        ..brought(&artifact())
    };
    for (sign, outer) in [
        (Sign::Assertion, false),
        (Sign::Response, false),
        (Sign::Both, true),
        (Sign::Nothing, true),
        (Sign::Assertion, true),
    ] {
        for encryption in [None, Some(Encryption::to(&SP_KEYS[1].certificate))] {
            for input in [brought(&artifact()), get.clone()] {
                let mut plan = world.plan(&pending);
                plan.sign = sign;
                plan.encryption = encryption.clone();
                let signed_by = outer.then(|| world.idp.key.clone());
                Script { signed_by, ..Script::of(&plan, &world) }.run(&world);
                let (outcome, trace) = world.complete_input(&pending, &input, NOW);
                let LoginOutcome::Authenticated(identity) = outcome else { panic!("{sign:?}: {:?}", trace.cause()) };
                assert_eq!(identity.subject.display, "alice");
                let once: Vec<_> = identity.once.iter().map(|key| key.purpose).collect();
                assert_eq!(once, ["saml.assertion", "saml.artifact"]);
            }
        }
    }
    let sent = world.wire.sent.lock().unwrap();
    let soap = SoapMessage::read(sent[0].body.as_bytes()).unwrap();
    assert!(soap.unverified_message().is(names::PROTOCOL, "ArtifactResolve"));
    let (start, end) = ("<samlp:ArtifactResolve", "</samlp:ArtifactResolve>");
    let body = &sent[0].body;
    let xml = &body[body.find(start).unwrap()..body.find(end).unwrap() + end.len()];
    schema::accepts("saml-schema-protocol-2.0.xsd", xml);
}

/// Guard: behind an artifact nothing is believed more easily than in a form. In an envelope some of
/// these mean something else, so the reason is not compared.
#[test]
fn the_hostile_corpus_behind_an_artifact() {
    let world = asking();
    let pending = world.begin();
    let good = crate::corpus::good(&world, &pending);
    let complete = |message: String| {
        Script { message: Some(message), ..Script::default() }.run(&world);
        world.complete_input(&pending, &brought(&artifact()), NOW)
    };
    for Hostile { name, octets, .. } in corpus(&good).unwrap() {
        if name == "no Destination, though signed" {
            continue; // No browser carries it: Destination is for those (SAML bindings 3.5.5.2).
        }
        let Ok(message) = String::from_utf8(octets) else { continue };
        match complete(message) {
            (LoginOutcome::Rejected(_) | LoginOutcome::KeyUnknown(_), trace) => drop(failed_check(&trace)),
            (other, _) => panic!("{name}: {other:?}"),
        }
    }
    for (name, octets) in valid(&good).unwrap() {
        let message = String::from_utf8(octets).unwrap();
        // A declaration stands at the start of a document alone, and prefixes that a signature includes by
        // name are those of the place where it was made.
        if message.starts_with("<?xml") || name == "a list of inclusive prefixes" {
            continue;
        }
        let (outcome, trace) = complete(message);
        assert!(matches!(outcome, LoginOutcome::Authenticated(_)), "{name}: {:?}", trace.cause());
    }
}

/// Guard: the way to the provider vouches for nothing; something must be signed.
#[test]
fn transport_alone_never_counts() {
    for policy in ["either", "assertion", "response", "both"] {
        let world = world(json!({ "response_binding": "artifact", "require_signed": policy }));
        let pending = world.begin();
        let mut plan = world.plan(&pending);
        plan.sign = Sign::Nothing;
        Script::of(&plan, &world).run(&world);
        assert_eq!(refused(&world, &pending, &brought(&artifact())), "What is signed");
    }
    // What the outer signature covers counts as a signed response, and no more than that.
    let world = world(json!({ "response_binding": "artifact", "require_signed": "assertion" }));
    let pending = world.begin();
    let mut plan = world.plan(&pending);
    plan.sign = Sign::Nothing;
    Script { signed_by: Some(world.idp.key.clone()), ..Script::of(&plan, &world) }.run(&world);
    assert_eq!(refused(&world, &pending, &brought(&artifact())), "What is signed");
}

#[test]
fn an_artifact_of_somebody_else_is_not_resolved() {
    let world = asking();
    let pending = world.begin();
    let other = Artifact { source_id: Artifact::source_of("https://other.example"), ..artifact() };
    assert_eq!(refused(&world, &pending, &brought(&other)), "Artifact source");
    let index = Artifact { endpoint_index: 0, ..artifact() };
    assert_eq!(refused(&world, &pending, &brought(&index)), "Artifact endpoint");
    for text in ["", "AAQAAA==", "not base64", &artifact().text().replace("AAQ", "AAM")] {
        let input = posted_with("saml/artifact", &[("SAMLart", text), ("RelayState", HANDLE)]);
        assert_eq!(refused(&world, &pending, &input), "Artifact", "{text}");
    }
    assert!(world.wire.sent.lock().unwrap().is_empty(), "nobody was asked");
}

#[test]
fn the_providers_server_is_not_believed_blindly() {
    let world = asking();
    let pending = world.begin();
    let input = brought(&artifact());
    let good = || Script::of(&world.plan(&pending), &world);
    let stranger = TestKey::make(KeyKind::Rsa(2048)).unwrap();
    for (script, check) in [
        // Given out before, or to another: then there is nothing inside.
        (Script { message: None, ..good() }, "Artifact content"),
        (Script { message: Some(world.plan(&pending).assertion.xml()), ..good() }, "Artifact content"),
        (Script { in_response_to: Some("_other".into()), ..good() }, "ArtifactResponse InResponseTo"),
        (Script { issuer: Some("https://other.example"), ..good() }, "ArtifactResponse issuer"),
        (Script { signed_by: Some(stranger), ..good() }, "ArtifactResponse signature"),
    ] {
        script.run(&world);
        assert_eq!(refused(&world, &pending, &input), check);
    }
    let mut changed = world.plan(&pending);
    changed.in_response_to = Some("_other".into());
    Script::of(&changed, &world).run(&world);
    assert_eq!(refused(&world, &pending, &input), "InResponseTo");
    let mut changed = world.plan(&pending);
    changed.assertion.confirmations[0].recipient = Some(crate::support::ACS.into());
    Script::of(&changed, &world).run(&world);
    assert_eq!(refused(&world, &pending, &input), "Recipient", "the other address is not this one");

    let fault = "<soap:Envelope xmlns:soap=\"http://schemas.xmlsoap.org/soap/envelope/\"><soap:Body><soap:Fault>\
                 <faultcode>soap:Server</faultcode><faultstring>no</faultstring></soap:Fault></soap:Body></soap:Envelope>";
    for (status, body, check) in [
        (500, fault, "SOAP"),
        (200, "<html/>", "SOAP"),
        (200, "", "SOAP"),
        (302, "", "Artifact resolution"),
        (404, "", "Artifact resolution"),
    ] {
        *world.wire.answer.lock().unwrap() = Some(Box::new(move |_| Ok(fetched(status, body.into()))));
        assert_eq!(refused(&world, &pending, &input), check, "{status} {body}");
    }
    let slow = |_: &fedbridge_contract::services::EgressPost| {
        Err(EgressError { url: RESOLVER.into(), cause: "no answer within 5 s".into(), silent: true })
    };
    *world.wire.answer.lock().unwrap() = Some(Box::new(slow));
    assert_eq!(refused(&world, &pending, &input), "Artifact resolution");
}

/// Guard: what the outer signature covers can't be changed on the way.
#[test]
fn an_answer_changed_under_the_signature_is_refused() {
    let world = asking();
    let pending = world.begin();
    let mut plan = world.plan(&pending);
    plan.sign = Sign::Nothing;
    let key = world.idp.key.clone();
    let message = plan.build(&world.idp).unwrap();
    let answer = move |request: &fedbridge_contract::services::EgressPost| {
        let soap = SoapMessage::read(request.body.as_bytes()).unwrap();
        let id = read_resolve(soap.unverified_message()).unwrap().id.to_owned();
        let signed = sign_message(&response("_a", &id, IDP, Some(&message), NOW), "_a", &key).unwrap();
        let swapped = signed.replace("alice", "mallory");
        assert_ne!(swapped, signed);
        Ok(fetched(200, envelope(&swapped)))
    };
    *world.wire.answer.lock().unwrap() = Some(Box::new(answer));
    assert_eq!(refused(&world, &pending, &brought(&artifact())), "ArtifactResponse signature");
}

#[test]
fn a_provider_without_the_service_can_not_be_asked_so() {
    let provider = ScriptedIdp::new(IDP, "https://idp.example/sso");
    let complaints = World::of(provider, json!({ "response_binding": "artifact" })).err().unwrap();
    assert_eq!(complaints[0].path, "response_binding");
    let xml = World::new().idp.metadata();
    let document = UnverifiedDocument::parse(xml.as_bytes(), Limits::metadata()).unwrap();
    assert!(document.unverified_root().descendants().all(|element| element.name() != "ArtifactResolutionService"));
}

/// The provider signs with a key that is not known yet, and gives an artifact out once: what came is
/// checked again under the metadata that was fetched meanwhile.
#[test]
fn an_unknown_key_behind_an_artifact_costs_no_login() {
    let before = asking();
    let pending = before.begin();
    let new = TestKey::make(KeyKind::Rsa(2048)).unwrap();
    let idp = ScriptedIdp::with_key(IDP, "https://idp.example/sso", new.clone());
    let plan = before.plan(&pending).build(&idp).unwrap();
    Script { message: Some(plan), signed_by: Some(new.clone()), ..Script::default() }.run(&before);
    let fetched = OnceLock::new();
    let (outcome, trace) = before.complete_with(&pending, &brought(&artifact()), &fetched, NOW);
    assert!(matches!(outcome, LoginOutcome::KeyUnknown(_)), "{:?}", trace.cause());
    let sent = before.wire.sent.lock().unwrap().len();

    let metadata = json!({ "xml": resolving(&idp) });
    let after = before.renewed(idp, json!({ "response_binding": "artifact", "idp_metadata": metadata }));
    let (outcome, trace) = after.complete_with(&pending, &brought(&artifact()), &fetched, NOW);
    let LoginOutcome::Authenticated(identity) = outcome else { panic!("{:?}", trace.cause()) };
    assert_eq!(identity.once.iter().filter(|once| once.purpose == "saml.artifact").count(), 1);
    assert_eq!((sent, after.wire.sent.lock().unwrap().len()), (1, 0), "it was fetched once");
}
