//! Logins that the provider starts, and answers by a key that nobody knows yet.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::config::AppKind;
use fedbridge_contract::http::HttpInput;
use fedbridge_contract::upstream::{Correlation, LoginOutcome, UnsolicitedMode};
use fedbridge_saml::seam::VerifyKey;
use fedbridge_saml::testkit::{KeyKind, ResponsePlan, ScriptedIdp, TestKey};
use serde_json::{Value, json};

use crate::support::{ACS, ENTITY, IDP, NOW, World, alice, failed_check, posted_with};

fn accepting() -> World {
    World::with(json!({ "allow_idp_initiated": { "client": "portal", "mode": "accept" } }))
}

fn plan(world: &World) -> ResponsePlan {
    world.idp.unsolicited(ENTITY, ACS, &alice(), NOW)
}

fn sent(world: &World, plan: &ResponsePlan) -> HttpInput {
    let xml = STANDARD.encode(plan.build(&world.idp).unwrap());
    posted_with("saml/acs", &[("SAMLResponse", &xml), ("RelayState", "https://portal.example/start")])
}

fn refused(world: &World, plan: &ResponsePlan) -> String {
    match world.complete_unsolicited(&sent(world, plan)) {
        (LoginOutcome::Rejected(_), trace) => failed_check(&trace),
        (other, _) => panic!("not rejected: {other:?}"),
    }
}

/// Guard: off by default, and never read where logins are bounced.
#[test]
fn only_a_connection_that_accepts_them_reads_them() {
    let off = World::new();
    assert_eq!(off.adapter.login.as_ref().unwrap().unsolicited(), None);
    assert_eq!(refused(&off, &plan(&off)), "Unsolicited answer");
    let bounced = World::with(json!({ "allow_idp_initiated": { "client": "portal" } }));
    let policy = bounced.adapter.login.as_ref().unwrap().unsolicited().unwrap().clone();
    assert_eq!((policy.app, policy.mode), ((AppKind::OidcClient, "portal".into()), UnsolicitedMode::Bounce));
    assert_eq!(refused(&bounced, &plan(&bounced)), "Unsolicited answer");
}

#[test]
fn an_accepted_one_is_held_to_every_other_rule() {
    let world = accepting();
    let (outcome, trace) = world.complete_unsolicited(&sent(&world, &plan(&world)));
    let LoginOutcome::Authenticated(identity) = outcome else { panic!("{outcome:?}: {:?}", trace.cause()) };
    assert_eq!(identity.subject.display, "alice");
    assert_eq!(identity.once.len(), 1, "and counts once");

    let wrong: [(&str, fn(&mut ResponsePlan)); 9] = [
        ("Response issuer", |plan| plan.issuer = Some("https://other.example".into())),
        ("Destination", |plan| plan.destination = Some(ENTITY.into())),
        ("Assertion issuer", |plan| plan.assertion.issuer = "https://other.example".into()),
        ("What is signed", |plan| plan.sign = fedbridge_saml::testkit::Sign::Nothing),
        ("Recipient", |plan| plan.assertion.confirmations[0].recipient = Some(ENTITY.into())),
        ("Conditions", |plan| plan.assertion.conditions = None),
        ("InResponseTo", |plan| plan.in_response_to = Some("_x".into())),
        ("InResponseTo in the assertion", |plan| {
            plan.assertion.confirmations[0].in_response_to = Some("_x".into());
        }),
        ("Age of the unsolicited answer", |plan| {
            plan.issue_instant = (NOW - Duration::from_secs(481)).rfc3339_seconds();
        }),
    ];
    for (check, change) in wrong {
        let mut plan = plan(&world);
        change(&mut plan);
        assert_eq!(refused(&world, &plan), check);
    }
    let mut old_but_in_time = plan(&world);
    old_but_in_time.issue_instant = (NOW - Duration::from_secs(479)).rfc3339_seconds();
    let (outcome, _) = world.complete_unsolicited(&sent(&world, &old_but_in_time));
    assert!(matches!(outcome, LoginOutcome::Authenticated(_)));
}

/// Guard: an assertion that nobody asked for does not become the answer to a request by what stands
/// around it (node-saml issue 433).
#[test]
fn a_forged_outer_in_response_to_does_not_help() {
    for world in [World::new(), accepting()] {
        let pending = world.begin();
        let mut forged = plan(&world);
        forged.in_response_to = Some(pending.request.id.clone());
        assert_eq!(world.refuse(&pending, &forged), "InResponseTo in the assertion");
        let plain = plan(&world);
        assert_eq!(world.refuse(&pending, &plain), "InResponseTo");
    }
}

/// A login of ours with `max_age` 0 can't be had without one.
#[test]
fn where_a_fresh_login_is_demanded_an_old_one_is_refused() {
    let world = World::with(json!({ "force_authn": true, "allow_idp_initiated": { "client": "a", "mode": "accept" } }));
    let mut plan = plan(&world);
    plan.assertion.authn[0].instant = (NOW - Duration::from_secs(481)).rfc3339_seconds();
    assert_eq!(refused(&world, &plan), "New authentication");
}

/// RelayState that is no handle of ours names a target, which the hub compares with its list.
#[test]
fn any_other_relay_state_is_a_target() {
    let world = accepting();
    let login = world.adapter.login.as_ref().unwrap();
    let long = "x".repeat(4_000);
    let nearly = "A".repeat(53);
    for target in [
        "https://portal.example/start",
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "javascript:alert(1)",
        "data:text/html,x",
        "\"><script>",
        "a b\r\nSet-Cookie: x=1",
        "%00",
        "ä",
        nearly.as_str(),
        long.as_str(),
    ] {
        for (route, parameter) in [("saml/acs", "SAMLResponse"), ("saml/artifact", "SAMLart")] {
            let value = if parameter == "SAMLart" { artifact() } else { "eA==".into() };
            let input = posted_with(route, &[(parameter, &value), ("RelayState", target)]);
            assert_eq!(login.correlate(&input), Correlation::Unsolicited { target: Some(target.into()) });
            let twice = posted_with(route, &[(parameter, &value), ("RelayState", target), ("RelayState", "y")]);
            assert!(matches!(login.correlate(&twice), Correlation::Malformed(_)));
        }
    }
    let none = posted_with("saml/acs", &[("SAMLResponse", "eA==")]);
    assert_eq!(login.correlate(&none), Correlation::Unsolicited { target: None });
}

fn artifact() -> String {
    STANDARD.encode([[0, 4, 0, 0].as_slice(), &[7; 40]].concat())
}

/// A key that the metadata does not have may be a new one: the hub hears that.
#[test]
fn an_unknown_key_is_told_from_a_broken_signature() {
    let world = World::new();
    let pending = world.begin();
    let stranger = ScriptedIdp::with_key(IDP, "https://idp.example/sso", TestKey::make(KeyKind::Rsa(2048)).unwrap());
    let unknown = world.plan(&pending).build(&stranger).unwrap();
    let (outcome, trace) = world.complete(&pending, &unknown);
    let LoginOutcome::KeyUnknown(error) = outcome else { panic!("{outcome:?}") };
    assert_eq!(error.code, "invalid_response");
    assert_eq!(failed_check(&trace), "Assertion signature");
    let broken = world.plan(&pending).build(&world.idp).unwrap().replace("alice", "mallory");
    assert!(matches!(world.complete(&pending, &broken).0, LoginOutcome::Rejected(_)));
}

/// Guard: a key that was stolen is shut out by a setting, whatever the metadata says.
#[test]
fn a_distrusted_key_signs_nothing() {
    let (stolen, good) = (TestKey::make(KeyKind::Rsa(2048)).unwrap(), TestKey::shared());
    let provider = ScriptedIdp::new(IDP, "https://idp.example/sso");
    let metadata = provider.metadata_with(&[&stolen, &good]);
    let name = |key: &TestKey| {
        let key = VerifyKey::from_certificate_der(&key.certificate).unwrap();
        json!([format!("sha256:{}", key.fingerprint())])
    };
    let with = |keys: Value| json!({ "idp_metadata": { "xml": metadata }, "distrusted_keys": keys });
    let thief = ScriptedIdp::with_key(IDP, "https://idp.example/sso", stolen.clone());
    let before = World::with(with(json!([])));
    let pending = before.begin();
    before.accept_xml(&pending, &before.plan(&pending).build(&thief).unwrap());
    let after = World::with(with(name(&stolen)));
    let pending = after.begin();
    assert_eq!(after.refuse_xml(&pending, &after.plan(&pending).build(&thief).unwrap()), "Assertion signature");
    after.accept(&pending, &after.plan(&pending));

    let mut none = with(json!([name(&stolen)[0], name(&good)[0]]));
    let complaints = World::of(provider, none.take()).err().unwrap();
    assert_eq!(complaints[0].path, "distrusted_keys");
}
