//! The SP's own metadata, and `fedbridge check`.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::http::{Body, ReplyKind};
use fedbridge_contract::keys::KeyState;
use fedbridge_contract::sightings::Sighting;
use fedbridge_contract::upstream::Level;
use fedbridge_saml::names;
use fedbridge_saml::seam::{Limits, UnverifiedDocument, VerifyKey, VerifyPolicy};
use fedbridge_saml::testkit::{KeyKind, ScriptedIdp, TestKey};
use serde_json::json;

use crate::schema;
use crate::support::{ACS, ENTITY, IDP, NOW, SP_KEYS, World};

const SLO: &str = "https://bridge.example/t/acme/connections/okta/saml/slo";

fn published(world: &World) -> String {
    let metadata = world.adapter.metadata.as_ref().unwrap();
    assert_eq!(metadata.route().path, "saml/metadata");
    let reply = metadata.document(&world.tenant, NOW).unwrap();
    let ReplyKind::Body(Body { status: 200, content_type, bytes, .. }) = reply.kind else { panic!("no body") };
    assert_eq!(content_type, "application/samlmetadata+xml");
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// SAML metadata 2.4.4.
#[test]
fn publishes_keys_address_and_validity() {
    let xml = published(&World::new());
    let document = UnverifiedDocument::parse(xml.as_bytes(), Limits::metadata()).unwrap();
    let root = document.unverified_root();
    assert!(root.is(names::METADATA, "EntityDescriptor"));
    assert_eq!(root.attribute("entityID"), Some(ENTITY));
    assert_eq!(root.attribute("validUntil"), Some((NOW + Duration::from_secs(30 * 86_400)).rfc3339_seconds().as_str()));
    assert_eq!(root.attribute("cacheDuration"), Some("PT6H"));
    let role = root.child(names::METADATA, "SPSSODescriptor").unwrap();
    assert_eq!(role.attribute("AuthnRequestsSigned"), Some("true"));
    assert_eq!(role.attribute("WantAssertionsSigned"), Some("true"));
    let keys: Vec<_> = role.elements().filter(|child| child.is(names::METADATA, "KeyDescriptor")).collect();
    let uses: Vec<_> = keys.iter().filter_map(|key| key.attribute("use")).collect();
    assert_eq!(uses, ["signing", "signing", "encryption"]);
    for (key, sp_key) in [(0, 0), (1, 2), (2, 1)] {
        let certificate = keys[key].child(names::DSIG, "KeyInfo").unwrap().child(names::DSIG, "X509Data").unwrap();
        let text = certificate.child(names::DSIG, "X509Certificate").unwrap().only_text().unwrap();
        assert_eq!(text, STANDARD.encode(&SP_KEYS[sp_key].certificate));
    }
    let methods = keys[2].elements().filter(|child| child.is(names::METADATA, "EncryptionMethod")).count();
    assert!(methods >= 3);
    let acs: Vec<_> = role.elements().filter(|child| child.is(names::METADATA, "AssertionConsumerService")).collect();
    assert_eq!(acs.len(), 1);
    assert_eq!(acs[0].attribute("Location"), Some(ACS));
    assert_eq!(acs[0].attribute("Binding"), Some(names::BINDING_POST));
    assert_eq!(acs[0].attribute("index"), Some("0"));
    assert_eq!(acs[0].attribute("isDefault"), Some("true"));
    // Nothing is advertised before it works.
    assert!(!xml.contains("Artifact"));
    let logout = role.elements().filter(|child| child.is(names::METADATA, "SingleLogoutService"));
    let bindings: Vec<_> = logout
        .inspect(|service| assert_eq!(service.attribute("Location"), Some(SLO)))
        .filter_map(|service| service.attribute("Binding"))
        .collect();
    for binding in [names::BINDING_REDIRECT, names::BINDING_POST, names::BINDING_SOAP] {
        assert_eq!(bindings.iter().filter(|there| **there == binding).count(), 1, "{binding}");
    }
}

#[test]
fn can_be_signed() {
    let xml = published(&World::with(json!({ "sign_metadata": true })));
    let document = UnverifiedDocument::parse(xml.as_bytes(), Limits::metadata()).unwrap();
    let key = VerifyKey::from_certificate_der(&SP_KEYS[0].certificate).unwrap();
    document.verify_enveloped(document.unverified_root(), &[key], &VerifyPolicy::default()).unwrap();
}

/// While a rollover is announced the next decryption key is published in place of the active one, and
/// what was published is noted.
#[test]
fn the_next_decryption_key_takes_the_place_of_the_active_one() {
    let mut world = World::new();
    let mut ring = (*world.tenant.keys).clone();
    ring.saml_decryption[1].state = KeyState::Next;
    world.tenant.keys = std::sync::Arc::new(ring);
    let xml = published(&world);
    let certificate = |key: usize| STANDARD.encode(&SP_KEYS[key].certificate);
    assert!(!xml.contains(&certificate(1)), "the active one still decrypts and is not given out");
    assert_eq!(xml.matches(&certificate(2)).count(), 2, "in the test's ring it is a signing key as well");
    let seen = world.seen.0.lock().unwrap();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|(_, _, how)| *how == Sighting::Published));
}

/// Between a rollover's switch and its end there is no next key: the one that signed before stays published,
/// behind the one in use.
#[test]
fn the_old_signing_key_takes_the_place_of_the_next_one() {
    let mut world = World::new();
    let ring = (*world.tenant.keys).clone();
    let mut signing = |states: &[KeyState]| -> Vec<usize> {
        let mut ring = ring.clone();
        let (first, second) = (ring.saml_signing[0].clone(), ring.saml_signing[1].clone());
        ring.saml_signing = [first.clone(), second, first].into_iter().take(states.len()).collect();
        for (key, state) in ring.saml_signing.iter_mut().zip(states) {
            key.state = *state;
        }
        world.tenant.keys = std::sync::Arc::new(ring.clone());
        let xml = published(&world);
        let described = xml.split("<md:KeyDescriptor ").filter(|part| part.starts_with("use=\"signing\""));
        let certificate = |part: &str| {
            let text = part.split_once("<ds:X509Certificate>").unwrap().1.split_once('<').unwrap().0;
            STANDARD.decode(text).unwrap()
        };
        let place = |certificate: Vec<u8>| {
            ring.saml_signing.iter().position(|key| key.certificate.as_ref() == Some(&certificate)).unwrap()
        };
        described.map(|part| place(certificate(part))).collect()
    };
    use KeyState::{Active, Next, Retiring};
    assert_eq!(signing(&[Active, Next]), [0, 1]);
    assert_eq!(signing(&[Retiring, Active]), [1, 0], "a message that it signed may still be under way");
    assert_eq!(signing(&[Active, Next, Retiring]).len(), 2, "some partners hold no more than two");
}

#[test]
fn a_provider_that_resolves_artifacts_is_told_where_to_send_them() {
    for (settings, default) in [(json!({}), 0), (json!({ "response_binding": "artifact" }), 1)] {
        let xml = published(&crate::artifact::world(settings));
        let document = UnverifiedDocument::parse(xml.as_bytes(), Limits::metadata()).unwrap();
        let role = document.unverified_root().child(names::METADATA, "SPSSODescriptor").unwrap();
        let services = role.elements().filter(|child| child.is(names::METADATA, "AssertionConsumerService"));
        let found: Vec<_> = services
            .map(|service| ["Binding", "index", "isDefault"].map(|name| service.attribute(name).unwrap_or("-")))
            .collect();
        let mark = |at| if at == default { "true" } else { "-" };
        assert_eq!(found, [[names::BINDING_POST, "0", mark(0)], [names::BINDING_ARTIFACT, "1", mark(1)]]);
        schema::accepts("saml-schema-metadata-2.0.xsd", &xml);
    }
}

/// SAML metadata 2.3.2.
#[test]
fn satisfies_the_oasis_schema() {
    let settings = [
        json!({}),
        json!({ "sign_metadata": true }),
        json!({ "name_id_policy": { "format": "email" }, "require_signed": "response", "sign_requests": false }),
    ];
    for setting in settings {
        schema::accepts("saml-schema-metadata-2.0.xsd", &published(&World::with(setting)));
    }
    // The judge is awake.
    let broken = published(&World::new()).replacen("index=\"0\"", "index=\"x\"", 1);
    schema::refuses("saml-schema-metadata-2.0.xsd", &broken);
}

pub fn findings(world: &World, now: fedbridge_contract::time::Timestamp) -> Vec<(Level, String)> {
    let check = world.adapter.check.as_ref().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let found = runtime.block_on(check.run(&world.tenant, now));
    found.into_iter().map(|finding| (finding.level, finding.text)).collect()
}

#[test]
fn check_reports_dates() {
    let world = World::with(json!({ "allow_sha1_until": "2026-12-31" }));
    let now = findings(&world, NOW);
    assert!(now.iter().all(|(level, _)| *level != Level::Problem), "{now:?}");
    assert!(now.iter().any(|(level, text)| *level == Level::Warning && text.contains("SHA-1")));
    assert!(now.iter().any(|(level, text)| *level == Level::Fine && text.contains("valid until 2050")));
    let later = findings(&world, NOW + Duration::from_secs(25 * 365 * 86_400));
    assert!(
        later.iter().any(|(level, text)| *level == Level::Warning && text.contains("expired on 2050")),
        "{later:?}"
    );
    assert!(later.iter().any(|(_, text)| text.contains("allow_sha1_until ended")));
}

#[test]
fn check_reports_what_is_dangerous() {
    let policy = |mode| json!({ "allow_idp_initiated": { "client": "portal", "mode": mode } });
    for (mode, level) in [("accept", Level::Warning), ("bounce", Level::Fine)] {
        let found = findings(&World::with(policy(mode)), NOW);
        let about = found.iter().find(|(_, text)| text.contains("logins that the provider starts")).unwrap();
        assert_eq!(about.0, level);
    }
    let keys = [TestKey::shared(), TestKey::make(KeyKind::P256).unwrap()];
    let idp = ScriptedIdp::new(IDP, "https://idp.example/sso");
    let print = VerifyKey::from_certificate_der(&keys[1].certificate).unwrap().fingerprint().to_string();
    let metadata = json!({ "xml": idp.metadata_with(&[&keys[0], &keys[1]]) });
    let settings = json!({ "idp_metadata": metadata, "distrusted_keys": [format!("sha256:{print}")] });
    let found = findings(&World::with(settings), NOW);
    assert!(found.iter().any(|(level, text)| *level == Level::Warning && text.contains("is in distrusted_keys")));
    assert!(found.iter().any(|(level, text)| *level == Level::Fine && text.contains("valid until 2050")));
}
