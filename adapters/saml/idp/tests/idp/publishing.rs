//! The identity provider's metadata (SAML metadata 2.4.3).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::downstream::Accepted;
use fedbridge_contract::http::ReplyKind;
use fedbridge_contract::logout::Party;
use fedbridge_contract::sightings::Sighting;
use fedbridge_saml_core::metadata::RequestBinding;
use fedbridge_saml_core::metadata::import::import;

use crate::schema;
use crate::support::{IDP, KEYS, NOW, SSO, World, get_address};

fn document(world: &World, address: &str) -> String {
    match world.accept(&get_address(address)).0 {
        Accepted::Reply(reply) => match reply.kind {
            ReplyKind::Body(body) => {
                assert_eq!((body.status, body.content_type), (200, "application/samlmetadata+xml"));
                String::from_utf8(body.bytes.to_vec()).unwrap()
            }
            other => panic!("{other:?}"),
        },
        _ => panic!("no document"),
    }
}

#[test]
fn the_document_is_valid_and_says_what_there_is() {
    let world = World::new();
    let xml = document(&world, IDP);
    schema::accepts("saml-schema-metadata-2.0.xsd", &xml);
    // As our own service provider reads it.
    let idp = import(xml.as_bytes(), None, NOW).unwrap_or_else(|complaints| panic!("{complaints:?}"));
    assert_eq!(idp.entity_id, IDP);
    for binding in [RequestBinding::Redirect, RequestBinding::Post] {
        assert_eq!(idp.endpoint(binding).unwrap().location.as_str(), SSO);
    }
    assert!(!idp.want_authn_requests_signed);
    let keys: Vec<_> = idp.signing.iter().map(|key| *key.key.fingerprint().as_bytes()).collect();
    let expected = [&KEYS[0], &KEYS[1]].map(|key| openssl::sha::sha256(&key.certificate));
    assert_eq!(keys, expected, "the key in use first, then the one that comes");
    assert!(xml.contains(&STANDARD.encode(&KEYS[2].certificate)), "and the one to encrypt to");
    assert!(idp.valid_until.unwrap() > NOW);
    let first = xml.split("<alg:SigningMethod ").nth(1).unwrap();
    assert!(first.starts_with("Algorithm=\"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256\""), "{first}");
    assert!(!xml.contains("sha1"), "nobody is invited to sign with SHA-1");
}

#[test]
fn who_says_so_has_seen_our_keys() {
    let world = World::new();
    document(&world, IDP);
    document(&world, &format!("{IDP}?sp=other"));
    assert!(world.doubles.sightings.lock().unwrap().is_empty());
    let named = document(&world, &format!("{IDP}?sp=wiki"));
    assert!(named.contains(&format!("entityID=\"{IDP}\"")), "the name stays the same");
    let seen = world.doubles.sightings.lock().unwrap();
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|(party, _, how)| *party == Party::App(world.app.id) && *how == Sighting::Published));
}
