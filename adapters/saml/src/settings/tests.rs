#![allow(clippy::unwrap_used)]
use std::time::Duration;

use fedbridge_contract::config::AppKind;
use fedbridge_contract::upstream::UnsolicitedMode;
use serde_json::{Value, json};

use super::*;

fn complaints(value: &Value) -> Vec<String> {
    Settings::parse(value).unwrap_err().iter().map(ToString::to_string).collect()
}

#[test]
fn defaults() {
    let settings = Settings::parse(&json!({ "idp_metadata": { "xml": "<x/>" } })).unwrap();
    assert_eq!(settings.subject_from, [SubjectSource::NameId]);
    assert_eq!(settings.require_signed, RequireSigned::Either);
    assert_eq!(settings.clock_skew, Duration::from_secs(180));
    assert!(settings.sign_requests && !settings.allow_cbc && !settings.force_authn);
    assert_eq!(settings.allow_sha1_until, None);
    assert_eq!((settings.unsolicited, settings.response_binding), (None, ResponseBinding::Post));
    assert!(settings.logout && !settings.scoping && !settings.pass_authn_context);
}

#[test]
fn reads_everything() {
    let settings = Settings::parse(&json!({
        "idp_metadata": { "url": "https://idp.example/md", "refresh": "6h", "xml": "<x/>" },
        "entity_id": "https://idp.example",
        "sp_entity_id": "urn:bridge",
        "subject": { "from": ["NAME_ID", "mail"] },
        "require_signed": "both",
        "sign_requests": false,
        "sign_metadata": true,
        "allow_cbc": true,
        "allow_sha1_until": "2027-03-31",
        "clock_skew": "5m",
        "request_binding": "post",
        "name_id_policy": { "format": "persistent", "allow_create": true },
        "requested_authn_context": { "classes": ["urn:a"], "comparison": "minimum", "required": true, "accepted": ["urn:a", "urn:b"] },
        "force_authn": true,
        "assertion_consumer_service_index": 0,
        "login_hint_parameter": "login_hint",
        "allow_idp_initiated": { "client": "portal", "mode": "accept", "targets": ["https://portal.example/a"] },
        "logout": false,
        "distrusted_keys": [format!("sha256:{}", "0a:".repeat(31) + "FF")],
        "issuers": ["https://idp.example/other"],
        "scoping": true,
        "pass_authn_context": true,
    }))
    .unwrap();
    assert_eq!(settings.allow_sha1_until.unwrap().rfc3339(), "2027-04-01T00:00:00Z");
    assert_eq!(settings.subject_from[1], SubjectSource::Attribute("mail".into()));
    assert_eq!(settings.name_id_policy.unwrap().format.as_deref(), Some(fedbridge_saml_core::names::FORMAT_PERSISTENT));
    assert_eq!(settings.requested_authn_context.unwrap().accepted.len(), 2);
    let unsolicited = settings.unsolicited.unwrap();
    assert_eq!(unsolicited.app, (AppKind::OidcClient, "portal".to_owned()));
    assert_eq!(unsolicited.mode, UnsolicitedMode::Accept);
    assert_eq!(unsolicited.targets, ["https://portal.example/a"]);
    let mut key = [0x0a; 32];
    key[31] = 0xff;
    assert_eq!(settings.distrusted_keys, [key]);
    assert!(!settings.logout && settings.scoping && settings.pass_authn_context);
}

#[test]
fn logins_that_the_provider_starts_are_off_and_then_bounced() {
    let read = |value: Value| {
        let settings = json!({ "idp_metadata": { "xml": "<x/>" }, "allow_idp_initiated": value });
        Settings::parse(&settings).map(|settings| settings.unsolicited)
    };
    for off in [Value::Null, json!(false)] {
        assert_eq!(read(off).unwrap(), None);
    }
    let wiki = read(json!({ "service_provider": "wiki" })).unwrap().unwrap();
    assert_eq!(wiki.app, (AppKind::SamlSp, "wiki".to_owned()));
    assert_eq!((wiki.mode, wiki.targets), (UnsolicitedMode::Bounce, Vec::new()));
    for wrong in [
        json!(true),
        json!({}),
        json!({ "mode": "accept" }),
        json!({ "client": "a", "mode": "maybe" }),
        json!({ "client": "a", "target": ["https://a.example/"] }),
        json!({ "client": "a", "targets": ["//a.example/"] }),
        json!({ "client": "a", "targets": ["javascript:alert(1)"] }),
        json!({ "client": "a", "targets": ["http://a.example/"] }),
        json!({ "client": "a", "targets": ["https://b@a.example/"] }),
    ] {
        assert_eq!(read(wrong.clone()).unwrap_err().len(), 1, "{wrong}");
    }
}

#[test]
fn complains_about_everything_at_once() {
    let found = complaints(&json!({
        "sign_request": true,
        "subject": { "from": [] },
        "require_signed": "bothh",
        "allow_cbc": "yes",
        "allow_sha1_until": "soon",
        "allow_idp_initiated": { "client": "portal", "service_provider": "wiki" },
        "distrusted_keys": ["sha256:00"],
        "clock_skew": "301s",
        "requested_authn_context": { "classes": ["urn:a"], "comparison": "better", "required": true },
        "assertion_consumer_service_index": 3,
        "login_hint_parameter": "RelayState",
    }));
    for wanted in [
        "sign_request: unknown key; the nearest known one is `sign_requests`",
        "idp_metadata: is missing",
        "subject.from: is empty",
        "require_signed: expected either, assertion, response or both, found `bothh`",
        "allow_cbc: expected true or false, found text",
        "allow_sha1_until: `soon` is not a date",
        "allow_idp_initiated: must name one app",
        "distrusted_keys[0]: `sha256:00` is not the SHA-256 of a certificate",
        "clock_skew: is more than 300s",
        "requested_authn_context.accepted: must list",
        "assertion_consumer_service_index: must be 0",
        "login_hint_parameter: must be a plain parameter name",
    ] {
        assert!(found.iter().any(|line| line.starts_with(wanted)), "{wanted} is not in {found:#?}");
    }
    assert_eq!(found.len(), 12);
}

#[test]
fn metadata_must_be_there() {
    assert_eq!(
        complaints(&json!({ "idp_metadata": { "url": "https://idp.example/md" } })),
        ["idp_metadata: the metadata was not fetched from its address yet"]
    );
    assert_eq!(complaints(&json!({ "idp_metadata": "x" })), ["idp_metadata: expected a map, found text"]);
    assert_eq!(
        complaints(&json!({ "idp_metadata": { "xml": 1 } })),
        ["idp_metadata.xml: expected text, found a number"]
    );
}
