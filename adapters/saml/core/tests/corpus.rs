//! The hostile and the valid corpus at what the core takes in by itself: logout messages in every
//! binding, and service providers' metadata.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::http::{HttpInput, Method};
use fedbridge_contract::keys::KeyRing;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use fedbridge_saml_core::logout::{Carried, LogoutIn, LogoutParties, verify};
use fedbridge_saml_core::metadata::sp::import_sp;
use fedbridge_saml_core::seam::{Cbc, VerifyKey};
use fedbridge_saml_core::testkit::hostile::{self, Good, Hostile, MessageKind, somebody};
use fedbridge_saml_core::testkit::{
    Encryption, KeyKind, LogoutRequestPlan, LogoutResponsePlan, ScriptedSp, TestKey, Way, post_body, redirect_query,
    sign_message,
};
use fedbridge_saml_core::trust::{Trust, TrustedKey};

const NOW: Timestamp = Timestamp::from_millis(1_795_312_800_000);
const SP: &str = "https://wiki.example";
const SLO: &str = "https://bridge.example/t/acme/saml/slo";

#[test]
fn every_hostile_logout_message_is_refused_for_its_own_reason() {
    for kind in [MessageKind::LogoutRequest, MessageKind::LogoutResponse] {
        let good = good(kind);
        let all = hostile::corpus(&good).unwrap();
        assert!(all.len() > 100);
        let refused = |hostile: &Hostile| why(take(&posted(way(kind), &hostile.octets)), hostile);
        let wrong: Vec<_> = all.iter().filter_map(refused).collect();
        assert!(wrong.is_empty(), "{kind:?}: {} of {}:\n{}", wrong.len(), all.len(), wrong.join("\n"));
    }
}

#[test]
fn every_valid_logout_message_is_accepted() {
    for kind in [MessageKind::LogoutRequest, MessageKind::LogoutResponse] {
        for (name, octets) in hostile::valid(&good(kind)).unwrap() {
            take(&posted(way(kind), &octets)).unwrap_or_else(|cause| panic!("{kind:?} {name}: {cause}"));
        }
    }
}

#[test]
fn the_same_by_soap() {
    let good = good(MessageKind::LogoutRequest);
    let all = hostile::calls(&good).unwrap();
    assert!(all.len() > 110, "{}", all.len());
    let refused = |hostile: &Hostile| why(take(&called(hostile.octets.clone())), hostile);
    let wrong: Vec<_> = all.iter().filter_map(refused).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), all.len(), wrong.join("\n"));
    for (name, octets) in hostile::valid_calls(&good).unwrap() {
        take(&called(octets)).unwrap_or_else(|cause| panic!("{name}: {cause}"));
    }
}

#[test]
fn every_hostile_redirect_is_refused_for_its_own_reason() {
    for kind in [MessageKind::LogoutRequest, MessageKind::LogoutResponse] {
        let good = good(kind);
        let query = redirect_query(way(kind), &good.xml, Some("relay state"), Some(good.key)).unwrap();
        let wrong: Vec<_> = hostile::queries(way(kind), &query)
            .unwrap()
            .iter()
            .filter_map(|hostile| why(take(&redirected(&String::from_utf8_lossy(&hostile.octets))), hostile))
            .collect();
        assert!(wrong.is_empty(), "{kind:?}:\n{}", wrong.join("\n"));
        for (name, query) in hostile::valid_queries(&query) {
            take(&redirected(&query)).unwrap_or_else(|cause| panic!("{kind:?} {name}: {cause}"));
        }
    }
}

/// An encrypted name is not what vouches for a request: anybody has our certificate.
#[test]
fn an_encrypted_name_vouches_for_nothing() {
    let ours = TestKey::make(KeyKind::Rsa(2048)).unwrap();
    let mut plan = LogoutRequestPlan::new(SP, SLO, somebody("alice"), NOW);
    plan.encryption = Some(Encryption::to(&ours.certificate));
    let cause = take(&posted(Way::Request, plan.xml().unwrap().as_bytes())).unwrap_err();
    assert!(cause.contains("not signed"), "{cause}");
}

#[test]
fn all_hostile_metadata_of_service_providers_is_refused_for_its_own_reason() {
    let sp = ScriptedSp::new(SP, "https://wiki.example/acs");
    let mut wrong = Vec::new();
    // A service provider may do without a key, and then no signature of its is ever believed.
    let fatal = |hostile: &Hostile| !hostile.name.starts_with("a certificate");
    for hostile in hostile::metadata(&sp.metadata()).into_iter().filter(fatal) {
        let refused = match import_sp(&hostile.octets, None, NOW) {
            Ok(_) => Ok(()),
            Err(complaints) => {
                Err(complaints.iter().map(|complaint| complaint.message.as_str()).collect::<Vec<_>>().join("; "))
            }
        };
        wrong.extend(why(refused, &hostile));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for (name, octets) in hostile::valid_metadata(&sp.metadata()) {
        let read = import_sp(&octets, None, NOW);
        assert!(read.is_ok_and(|sp| sp.entity_id == SP && sp.signing.len() == 1 && sp.acs.len() == 1), "{name}");
    }
}

/// What is wrong about an answer to a hostile message.
fn why(taken: Result<(), String>, hostile: &Hostile) -> Option<String> {
    match taken {
        Ok(()) => Some(format!("{}: accepted", hostile.name)),
        Err(cause) if hostile.is_explained_by(&cause) => None,
        Err(cause) => Some(format!("{}: not «{}» but {cause}", hostile.name, hostile.reason)),
    }
}

/// Takes a message in as both roles do; the cause, where it is refused.
fn take(input: &HttpInput) -> Result<(), String> {
    let carried = Carried::read(input).map_err(|error| error.to_string())?;
    let key = TestKey::shared();
    let trusted = TrustedKey {
        key: VerifyKey::from_certificate_der(&key.certificate).unwrap(),
        label: "wiki".into(),
        not_before: None,
        not_after: None,
    };
    let trust = Trust { keys: vec![trusted], sha1_until: None };
    let parties = LogoutParties {
        them: &[SP],
        trust: &trust,
        address: SLO,
        skew: Duration::from_secs(180),
        decrypters: &KeyRing::default(),
        cbc: Cbc::Refused,
    };
    let mut trace = TraceLog::new();
    match verify(&carried, &parties, NOW, &mut trace) {
        Ok(LogoutIn::Request(request)) => {
            assert_eq!(request.name_id.value, "alice");
            Ok(())
        }
        Ok(LogoutIn::Response(response)) => {
            assert_eq!(response.in_response_to, "_request-of-ours");
            Ok(())
        }
        Err(_) => Err(trace.cause().expect("a refusal leaves its reason")),
    }
}

fn good(kind: MessageKind) -> Good<'static> {
    let key: &'static TestKey = Box::leak(Box::new(TestKey::shared()));
    let captured = concat!(
        "<saml:Assertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"_captured\" Version=\"2.0\" ",
        "IssueInstant=\"2026-11-22T02:00:00Z\"><saml:Issuer>https://idp.example</saml:Issuer></saml:Assertion>"
    );
    let captured = sign_message(captured, "_captured", key).unwrap();
    let (id, xml, victim) = if kind == MessageKind::LogoutRequest {
        let plan = LogoutRequestPlan::new(SP, SLO, somebody("alice"), NOW).with_index("_session");
        (plan.id.clone(), plan.xml().unwrap(), "alice")
    } else {
        let plan = LogoutResponsePlan::new(SP, SLO, "_request-of-ours", NOW);
        (plan.id.clone(), plan.xml(), "_request-of-ours")
    };
    Good { kind, xml, id, key, victim, captured }
}

fn way(kind: MessageKind) -> Way {
    if kind == MessageKind::LogoutRequest { Way::Request } else { Way::Answer }
}

fn posted(way: Way, octets: &[u8]) -> HttpInput {
    let body = post_body(&[(way.parameter().to_owned(), STANDARD.encode(octets))]);
    input(Method::Post, "", body, Some("application/x-www-form-urlencoded"))
}

fn called(envelope: Vec<u8>) -> HttpInput {
    HttpInput { body: envelope.into(), ..input(Method::Post, "", String::new(), Some("text/xml; charset=utf-8")) }
}

fn redirected(query: &str) -> HttpInput {
    input(Method::Get, query, String::new(), None)
}

fn input(method: Method, query: &str, body: String, content_type: Option<&str>) -> HttpInput {
    HttpInput {
        method,
        route: "saml/slo",
        rest: String::new(),
        query: query.into(),
        body: body.into(),
        content_type: content_type.map(str::to_owned),
        authorization: None,
        origin: None,
        accept_language: None,
        if_match: None,
        if_none_match: None,
        prefer: None,
        cookies: Vec::new(),
        peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
    }
}
