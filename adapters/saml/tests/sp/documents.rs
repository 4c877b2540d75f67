//! The provider's metadata over time.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::documents::{DriftEffect, Examined};
use fedbridge_contract::error::Complaint;
use fedbridge_contract::factory::AdapterFactory as _;
use fedbridge_saml::SamlFactory;
use fedbridge_saml::seam::{Limits, SignRequest, SignaturePlace, sign_enveloped};
use fedbridge_saml::testkit::{KeyKind, ScriptedIdp, TestKey};
use serde_json::{Value, json};

use crate::support::{IDP, NOW};

fn examine(settings: &Value, before: Option<&str>, fetched: &str) -> Result<Examined, Vec<Complaint>> {
    SamlFactory.documents().unwrap().examine(settings, before, fetched, NOW)
}

fn provider() -> ScriptedIdp {
    ScriptedIdp::new(IDP, "https://idp.example/sso")
}

/// With an end, and a time to keep it.
fn dated(xml: &str, days: u64) -> String {
    let until = (NOW + Duration::from_secs(days * 86_400)).rfc3339_seconds();
    let dates = format!("ID=\"_md\" validUntil=\"{until}\" cacheDuration=\"PT2H\" entityID=");
    xml.replacen("entityID=", &dates, 1)
}

#[test]
fn dates_are_no_drift_and_keys_flow() {
    let idp = provider();
    let (before, after) = (dated(&idp.metadata(), 1), dated(&idp.metadata(), 2));
    let same = examine(&json!({}), Some(&before), &after).unwrap();
    assert_eq!((same.drift.len(), same.needs_approval()), (0, false));
    assert_eq!(same.cache, Some(Duration::from_secs(7200)));
    assert_eq!(same.valid_until, Some(NOW + Duration::from_secs(2 * 86_400)));

    let next = TestKey::make(KeyKind::P256).unwrap();
    let rolled = examine(&json!({}), Some(&before), &dated(&idp.metadata_with(&[&idp.key, &next]), 2)).unwrap();
    assert_eq!(rolled.drift.iter().map(|drift| drift.effect).collect::<Vec<_>>(), [DriftEffect::Adds]);
    assert!(!rolled.needs_approval());
    let replaced = examine(&json!({}), Some(&before), &dated(&idp.metadata_with(&[&next]), 2)).unwrap();
    assert!(replaced.needs_approval(), "{:?}", replaced.drift);
    assert!(examine(&json!({}), None, &after).unwrap().drift.is_empty(), "nothing to compare with");
    let endless = examine(&json!({}), Some(&before), &idp.metadata()).unwrap();
    assert!(endless.needs_approval(), "without its end it would count for ever");
}

#[test]
fn an_expired_document_still_says_who_was_known() {
    let idp = provider();
    let old = idp.metadata().replacen("entityID=", "validUntil=\"2020-01-01T00:00:00Z\" entityID=", 1);
    let moved = idp.metadata().replace("https://idp.example/sso", "https://evil.example/sso");
    assert!(examine(&json!({}), Some(&old), &moved).unwrap().needs_approval());
    assert_eq!(examine(&json!({}), Some(&idp.metadata()), &old).unwrap_err().len(), 1, "an expired one is no news");
}

/// SAML metadata 3: where a key is pinned, a stripped signature is a refusal.
#[test]
fn a_pinned_key_must_have_signed_the_whole() {
    let (idp, federation, stranger) = (provider(), TestKey::make(KeyKind::P256).unwrap(), TestKey::shared());
    let pem = |key: &TestKey| {
        let text = STANDARD.encode(&key.certificate);
        let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
    };
    let signed_by = |key: &TestKey| {
        let xml = dated(&idp.metadata(), 1);
        let place = SignaturePlace::First;
        let request = SignRequest { target_id: "_md", place, certificate: None, limits: Limits::metadata() };
        String::from_utf8(sign_enveloped(xml.as_bytes(), &request, key).unwrap()).unwrap()
    };
    let pinned = json!({ "idp_metadata": { "signed_by": pem(&federation) } });
    let good = signed_by(&federation);
    examine(&pinned, None, &good).unwrap();
    for bad in [dated(&idp.metadata(), 1), signed_by(&stranger), good.replace("/sso", "/evil")] {
        let complaints = examine(&pinned, None, &bad).unwrap_err();
        assert!(complaints[0].message.contains("signed_by"), "{complaints:?}");
    }
    let both = json!({ "idp_metadata": { "signed_by": pem(&stranger) + &pem(&federation) } });
    examine(&both, None, &good).unwrap();
    let junk = json!({ "idp_metadata": { "signed_by": "junk" } });
    assert_eq!(examine(&junk, None, &good).unwrap_err()[0].path, "idp_metadata.signed_by");
}
