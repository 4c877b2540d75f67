//! The whole hostile corpus at the single sign-on service, and the valid one beside it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::downstream::Accepted;
use fedbridge_contract::http::{HttpInput, Reply, ReplyKind};
use fedbridge_saml_core::testkit::hostile::{Good, Hostile, MessageKind, corpus, queries, valid, valid_queries};
use fedbridge_saml_core::testkit::{NameIdPolicyPlan, ScriptedSp, Way};
use serde_json::json;

use crate::support::{ACS, Ask, NOW, SP, SSO, World, app_signing, post};

/// A right request, and an assertion of ours that somebody captured.
fn good() -> Good<'static> {
    let response = World::new().response();
    let from = response.find("<saml:Assertion").unwrap();
    let captured = &response[from..response.find("</samlp:Response>").unwrap()];
    let mut plan = ScriptedSp::new(SP, ACS).request(SSO, NOW);
    // Something behind the signature, so that it can stand in a wrong place.
    plan.name_id_policy = Some(NameIdPolicyPlan { allow_create: Some("true".into()), ..NameIdPolicyPlan::default() });
    Good {
        kind: MessageKind::AuthnRequest,
        xml: plan.xml(),
        id: plan.id,
        key: app_signing(),
        victim: ACS,
        captured: captured.to_owned(),
    }
}

fn world() -> World {
    World::with(json!({ "require_signed_requests": true }))
}

fn posted(octets: &[u8]) -> HttpInput {
    post(
        url::form_urlencoded::Serializer::new(String::new())
            .append_pair("SAMLRequest", &STANDARD.encode(octets))
            .finish(),
    )
}

/// What is wrong about how a message was refused, if anything.
fn complaint(world: &World, hostile: &Hostile, input: &HttpInput) -> Option<String> {
    let is_page = |accepted| matches!(accepted, Accepted::Reply(Reply { kind: ReplyKind::Page(_), .. }));
    let before = world.doubles.traces.lock().unwrap().len();
    if !is_page(world.accept(input).0) || world.doubles.traces.lock().unwrap().len() == before {
        return Some(format!("{}: accepted", hostile.name));
    }
    let cause = world.last_refusal().unwrap();
    // Keys are found by the Issuer, so another Issuer is refused before its signature is looked at.
    let unknown = hostile.name.contains("Issuer's text") && cause.starts_with("Issuer: ");
    (!unknown && !hostile.is_explained_by(&cause))
        .then(|| format!("{}: not «{}» but {cause}", hostile.name, hostile.reason))
}

#[test]
fn every_hostile_request_is_refused_for_its_own_reason() {
    let world = world();
    let all = corpus(&good()).unwrap();
    assert!(all.len() > 80, "{}", all.len());
    let wrong: Vec<_> = all.iter().filter_map(|hostile| complaint(&world, hostile, &posted(&hostile.octets))).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), all.len(), wrong.join("\n"));
}

#[test]
fn every_hostile_redirect_is_refused_for_its_own_reason() {
    let world = world();
    let right = Ask::new().signed_redirect(app_signing());
    let all = queries(Way::Request, &right.query).unwrap();
    assert!(all.len() > 15, "{}", all.len());
    let input =
        |hostile: &Hostile| HttpInput { query: String::from_utf8(hostile.octets.clone()).unwrap(), ..right.clone() };
    let wrong: Vec<_> = all.iter().filter_map(|hostile| complaint(&world, hostile, &input(hostile))).collect();
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), all.len(), wrong.join("\n"));
}

#[test]
fn every_valid_request_is_accepted() {
    let world = world();
    let all = valid(&good()).unwrap();
    assert!(all.len() > 8, "{}", all.len());
    for (name, octets) in all {
        let (accepted, _) = world.accept(&posted(&octets));
        assert!(is_redirect(&accepted), "{name}: {:?}", world.last_refusal());
    }
    let right = Ask::new().signed_redirect(app_signing());
    for (name, query) in valid_queries(&right.query) {
        let (accepted, _) = world.accept(&HttpInput { query, ..right.clone() });
        assert!(matches!(accepted, Accepted::Login(_)), "{name}: {:?}", world.last_refusal());
    }
}

/// To the address that the browser comes back by.
fn is_redirect(accepted: &Accepted) -> bool {
    matches!(accepted, Accepted::Reply(Reply { kind: ReplyKind::Redirect(_), .. }))
}
