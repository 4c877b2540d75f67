//! How a provider's metadata may change, and what waits for somebody to look at it.

use fedbridge_contract::documents::{DriftEffect, PartnerDocuments as _};
use fedbridge_oidc_rp::OidcFactory;
use serde_json::{Value, json};

use crate::world::{NOW, World};

fn settings() -> Value {
    json!({ "issuer": "https://op.example", "client_id": "bridge", "discovery": { "url": "https://op.example/d" } })
}

/// The differences that count, each with its weight; or the complaints.
fn examine(settings: &Value, change: impl Fn(&mut Value)) -> Result<Vec<(String, DriftEffect)>, String> {
    let world = World::new();
    let before = world.op.right_metadata();
    let mut after = before.clone();
    change(&mut after);
    let examined = OidcFactory::default().examine(settings, Some(&before.to_string()), &after.to_string(), NOW);
    let sentences = |all: Vec<fedbridge_contract::error::Complaint>| all.iter().map(ToString::to_string).collect();
    let examined = examined.map_err(|all| {
        let all: Vec<String> = sentences(all);
        all.join("; ")
    })?;
    Ok(examined.drift.into_iter().map(|drift| (drift.what, drift.effect)).collect())
}

#[test]
fn endpoints_move_on_known_hosts_alone() {
    assert_eq!(examine(&settings(), |_| {}), Ok(vec![]));
    let moved = |url: &'static str| move |document: &mut Value| document["token_endpoint"] = json!(url);
    let there = |what: &str, effect| Ok(vec![(what.to_owned(), effect)]);
    let neutral = there("token_endpoint", DriftEffect::Neutral);
    let weaker = there("endpoint host of token_endpoint", DriftEffect::Weakens);
    assert_eq!(examine(&settings(), moved("https://op.example/new")), neutral);
    assert_eq!(examine(&settings(), moved("https://api.op.example/token")), weaker);
    assert_eq!(examine(&settings(), moved("https://op.example:8443/token")), weaker, "a port is another server");
    let mut known = settings();
    known["endpoint_hosts"] = json!(["API.op.example"]);
    assert_eq!(examine(&known, moved("https://api.op.example/token")), neutral);
    let unknown = |document: &mut Value| document["something_new"] = json!({ "a": [1] });
    assert_eq!(examine(&settings(), unknown), Ok(vec![]));
    let added =
        |document: &mut Value| document["pushed_authorization_request_endpoint"] = json!("https://op.example/p");
    assert_eq!(examine(&settings(), added), there("pushed_authorization_request_endpoint", DriftEffect::Adds));
    let removed = |document: &mut Value| drop(document.as_object_mut().unwrap().remove("revocation_endpoint"));
    assert_eq!(examine(&settings(), removed), there("revocation_endpoint", DriftEffect::Removes));
}

/// A day of failed looks ends it, and one that fails when it is due does not.
#[test]
fn metadata_is_looked_at_twice_before_it_is_too_old() {
    let factory = OidcFactory::default();
    let (outlasts, (_, longest)) = (factory.outlasts().unwrap(), factory.life());
    assert_eq!(outlasts.as_secs(), 24 * 3600);
    assert!(longest * 2 <= outlasts);
}

#[test]
fn what_protects_logins_is_not_lost_silently() {
    let plain = |document: &mut Value| document["code_challenge_methods_supported"] = json!(["plain"]);
    let silent = |document: &mut Value| document["authorization_response_iss_parameter_supported"] = json!(false);
    for change in [&plain as &dyn Fn(&mut Value), &silent] {
        let drift = examine(&settings(), change).unwrap();
        assert!(matches!(drift.as_slice(), [(_, DriftEffect::Weakens)]), "{drift:?}");
    }
}

#[test]
fn a_document_that_can_not_be_used_says_why() {
    for (change, why) in [
        (json!({ "issuer": "https://evil.example" }), "issuer of the metadata: expected `https://op.example`"),
        (json!({ "issuer": "https://op.example/" }), "they differ in the slash at the end"),
        (json!({ "issuer": "HTTPS://op.example" }), "they differ in upper and lower case"),
        (json!({ "token_endpoint": "http://op.example/token" }), "token_endpoint of the metadata: is not an https"),
        (json!({ "jwks_uri": 7 }), "jwks_uri of the metadata: is not a text"),
        (json!({ "authorization_endpoint": "https://a:b@op.example/" }), "has a user name in it"),
    ] {
        let complaints = examine(&settings(), |document| {
            document.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        });
        assert!(complaints.as_ref().is_err_and(|text| text.contains(why)), "{change}: {complaints:?}");
    }
    let factory = OidcFactory::default();
    for text in ["", "[]", "{", r#"{"issuer":"https://op.example","issuer":"https://op.example"}"#] {
        assert!(factory.examine(&settings(), None, text, NOW).is_err(), "{text}");
    }
    let long = format!(r#"{{"x":"{}"}}"#, "y".repeat(300_000));
    let complaints = factory.examine(&settings(), None, &long, NOW).unwrap_err();
    assert!(complaints[0].message.contains("longer than 262144 octets"), "{complaints:?}");
}

#[test]
fn mixed_up_issuers_have_a_hint() {
    for (set, published, hint) in [
        ("https://acme.okta.example", "https://acme.okta.example/oauth2/default", "org server"),
        ("https://acme.okta.example/oauth2/default", "https://acme.okta.example", "org server"),
        (
            "https://login.microsoftonline.com/acme/v2.0",
            "https://sts.windows.net/8c3e2a10-5b1d-4f7e-9c61-0d2f4b7a9e31/",
            "version 1 of Microsoft",
        ),
    ] {
        let mut settings = settings();
        settings["issuer"] = json!(set);
        let complaints = examine(&settings, |document| document["issuer"] = json!(published)).unwrap_err();
        assert!(complaints.contains(hint), "{set}: {complaints}");
    }
}
