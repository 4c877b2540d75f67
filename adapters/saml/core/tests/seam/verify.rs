//! Good signatures, spoiled ones, and whose key it was.

use std::sync::atomic::{AtomicUsize, Ordering};

use fedbridge_saml_core::seam::{
    KeyRefusal, SignatureMethod, UnverifiedDocument, VerifyError, VerifyKey, VerifyPolicy,
};
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::sha::sha256;

use crate::keys::{TestKey, attacker, elliptic, idp, idp_next};
use crate::message::*;

#[test]
fn a_signed_assertion_and_a_signed_response_are_read() {
    let verified = verify_id(&signed_assertion(), "_a1").unwrap();
    assert!(verified.element().is(SAML, "Assertion"));
    assert_eq!(name_id(&verified), "person");
    assert_eq!(verified.signed_by().as_bytes(), &sha256(&idp().certificate));
    assert_eq!(verified.method(), SignatureMethod::RsaSha256);
    assert!(verified.element().child(DS, "Signature").is_none(), "the signature itself is not signed");

    let verified = verify_id(&signed_response(), "_r1").unwrap();
    assert!(verified.element().is(SAMLP, "Response"));
    let assertion = verified.child(SAML, "Assertion").unwrap();
    assert_eq!(name_id(&assertion), "person");
}

#[test]
fn both_signatures_of_a_twice_signed_message_verify() {
    let xml = sign_after_issuer(&signed_assertion(), "_r1", idp());
    assert_eq!(name_id(&verify_id(&xml, "_a1").unwrap()), "person");
    let response = verify_id(&xml, "_r1").unwrap();
    let inside = response.reopen().unwrap();
    let assertion =
        inside.verify_enveloped(find_id(&inside, "_a1"), &[idp().verify_key()], &VerifyPolicy::default()).unwrap();
    assert_eq!(name_id(&assertion), "person");
}

#[test]
fn ecdsa_signatures_verify_on_each_curve() {
    for curve in [Nid::X9_62_PRIME256V1, Nid::SECP384R1, Nid::SECP521R1] {
        let key = TestKey::ec(curve);
        let xml = sign_after_issuer(&assertion("_a1", "person"), "_a1", &key);
        let document = parse(&xml);
        let verified =
            document.verify_enveloped(document.unverified_root(), &[key.verify_key()], &VerifyPolicy::default());
        assert_eq!(verified.unwrap().method(), SignatureMethod::EcdsaSha256);
    }
}

#[test]
fn changed_content_is_found() {
    for (was, is) in [
        (">person<", ">admin<"),
        ("a@example.com", "b@example.com"),
        (r#"Name="mail""#, r#"Name="groups""#),
        (r#"Version="2.0""#, r#"Version="2.1""#),
        ("<saml:Subject>", "<saml:Subject> "),
        ("https://idp.example", "https://idp.exampl"),
    ] {
        let xml = signed_response();
        let spoiled = xml.replacen(was, is, 1);
        assert_ne!(xml, spoiled);
        assert_eq!(verify_id(&spoiled, "_r1").unwrap_err(), VerifyError::DigestMismatch, "{is}");
    }
    let moved = signed_assertion().replace(r#"ID="_r1""#, r#"ID="_r2""#);
    assert_eq!(name_id(&verify_id(&moved, "_a1").unwrap()), "person", "the shell is not under this signature");
}

#[test]
fn a_changed_signature_is_found() {
    let xml = signed_assertion();
    assert_eq!(verify_id(&flip(&xml, "ds:DigestValue"), "_a1").unwrap_err(), VerifyError::DigestMismatch);
    let tried = vec![*idp().verify_key().fingerprint()];
    let refused = verify_id(&flip(&xml, "ds:SignatureValue"), "_a1").unwrap_err();
    assert_eq!(refused, VerifyError::NoKeyMatches { tried: tried.clone() });

    let info = cut(&xml, "ds:SignedInfo");
    let longer = info.replacen("<ds:SignedInfo>", r#"<ds:SignedInfo Id="x">"#, 1);
    let spoiled = xml.replace(info, &longer);
    assert_eq!(verify_id(&spoiled, "_a1").unwrap_err(), VerifyError::NoKeyMatches { tried });
}

/// Changes one character of the base64 in the element.
fn flip(xml: &str, qualified_name: &str) -> String {
    let was = cut(xml, qualified_name);
    let at = qualified_name.len() + 10;
    let other = if &was[at..=at] == "A" { "B" } else { "A" };
    xml.replace(was, &format!("{}{other}{}", &was[..at], &was[at + 1..]))
}

#[test]
fn no_signature_and_no_key_fail_closed() {
    let unsigned = response("_r1", &assertion("_a1", "admin"));
    assert_eq!(verify_id(&unsigned, "_a1").unwrap_err(), VerifyError::Unsigned);
    assert_eq!(verify_id(&unsigned, "_r1").unwrap_err(), VerifyError::Unsigned);
    let xml = signed_assertion();
    let stripped = xml.replace(cut(&xml, "ds:Signature"), "");
    assert_eq!(verify_id(&stripped, "_a1").unwrap_err(), VerifyError::Unsigned);
    assert_eq!(verify_id(&xml, "_r1").unwrap_err(), VerifyError::Unsigned, "the child's signature is not the parent's");

    let document = parse(&xml);
    let target = find_id(&document, "_a1");
    assert_eq!(document.verify_enveloped(target, &[], &VerifyPolicy::default()).unwrap_err(), VerifyError::NoKeys);
    assert_eq!(
        document.verify_enveloped(target, &[elliptic().verify_key()], &VerifyPolicy::default()).unwrap_err(),
        VerifyError::NoFittingKey(SignatureMethod::RsaSha256)
    );
}

#[test]
fn the_key_comes_from_the_connection_alone() {
    let forged = sign_after_issuer(&response("_r1", &assertion("_a1", "admin")), "_a1", attacker());
    assert!(forged.contains("X509Certificate"), "the attacker's certificate is in KeyInfo");
    let tried = vec![*idp().verify_key().fingerprint()];
    assert_eq!(verify_id(&forged, "_a1").unwrap_err(), VerifyError::NoKeyMatches { tried });

    let xml = signed_assertion();
    let key_info = cut(&xml, "ds:KeyInfo");
    for other in [
        "",
        "<ds:KeyInfo>garbage</ds:KeyInfo>",
        "<ds:KeyInfo><x xmlns='u:1'/><ds:X509Data>!</ds:X509Data></ds:KeyInfo>",
    ] {
        let verified = verify_id(&xml.replace(key_info, other), "_a1").unwrap();
        assert_eq!(name_id(&verified), "person", "{other}");
    }
}

#[test]
fn every_key_of_the_connection_is_tried() {
    let xml = sign_after_issuer(&assertion("_a1", "person"), "_a1", idp_next());
    let document = parse(&xml);
    let keys = [elliptic().verify_key(), idp().verify_key(), idp_next().verify_key()];
    let verified = document.verify_enveloped(document.unverified_root(), &keys, &VerifyPolicy::default()).unwrap();
    assert_eq!(verified.signed_by(), idp_next().verify_key().fingerprint());
    let refused = document.verify_enveloped(document.unverified_root(), &keys[..2], &VerifyPolicy::default());
    assert_eq!(refused.unwrap_err(), VerifyError::NoKeyMatches { tried: vec![*keys[1].fingerprint()] });
}

/// Guard: a rollover between any two keys. xmlsec reports an error, not a mismatch, where a
/// signature is longer than the key's curve allows.
#[test]
fn keys_of_every_size_stand_side_by_side() {
    let keys: Vec<TestKey> = [Nid::X9_62_PRIME256V1, Nid::SECP384R1, Nid::SECP521R1]
        .map(TestKey::ec)
        .into_iter()
        .chain([2048, 4096].map(TestKey::rsa))
        .collect();
    let trusted: Vec<VerifyKey> = keys.iter().map(TestKey::verify_key).collect();
    for (signer, own) in keys.iter().zip(&trusted) {
        let xml = sign_after_issuer(&assertion("_a1", "person"), "_a1", signer);
        let document = parse(&xml);
        let verify =
            |keys: &[VerifyKey]| document.verify_enveloped(document.unverified_root(), keys, &VerifyPolicy::default());
        for other in &trusted {
            for order in [[own, other], [other, own]] {
                let verified = verify(&order.map(VerifyKey::clone)).unwrap();
                assert_eq!(verified.signed_by(), own.fingerprint());
            }
        }
        assert_eq!(verify(&trusted).unwrap().signed_by(), own.fingerprint());
        assert_eq!(verify(&trusted.iter().rev().cloned().collect::<Vec<_>>()).unwrap().signed_by(), own.fingerprint());
        let others: Vec<_> = trusted.iter().filter(|key| key.fingerprint() != own.fingerprint()).cloned().collect();
        assert!(verify(&others).is_err());
    }
}

#[test]
fn an_element_of_another_document_is_not_looked_up_here() {
    let (good, evil) = (parse(&signed_assertion()), parse(&response("_r1", &assertion("_a1", "admin"))));
    let refused =
        good.verify_enveloped(find_id(&evil, "_a1"), &[idp().verify_key()], &VerifyPolicy::default()).unwrap_err();
    assert_eq!(refused, VerifyError::NotInDocument);
}

#[test]
fn a_part_is_taken_only_when_it_is_the_only_one() {
    let two = assertion("_a1", "person") + &assertion("_a2", "other");
    let verified = verify_id(&sign_after_issuer(&response("_r1", &two), "_r1", idp()), "_r1").unwrap();
    assert!(verified.clone().child(SAML, "Assertion").is_none());
    assert!(verified.child(SAML, "Advice").is_none());
}

#[test]
fn weak_and_foreign_keys_are_refused() {
    let refusal = |key: &TestKey| VerifyKey::from_certificate_der(&key.certificate).unwrap_err();
    assert_eq!(refusal(&TestKey::rsa(1024)), KeyRefusal::RsaSize(1024));
    assert_eq!(refusal(&TestKey::ec(Nid::SECP256K1)), KeyRefusal::Curve);
    let edwards = PKey::generate_ed25519().unwrap().public_key_to_der().unwrap();
    assert_eq!(VerifyKey::from_public_key_der(&edwards).unwrap_err(), KeyRefusal::Type);
    assert_eq!(VerifyKey::from_certificate_der(b"x").unwrap_err(), KeyRefusal::NotACertificate);
    assert_eq!(VerifyKey::from_public_key_der(b"x").unwrap_err(), KeyRefusal::NotAPublicKey);
}

#[test]
fn a_bare_key_verifies_too() {
    let key = idp();
    let spki = key.private.public_key_to_der().unwrap();
    let bare = VerifyKey::from_public_key_der(&spki).unwrap();
    assert_eq!(bare.fingerprint().as_bytes(), &sha256(&spki));
    assert_eq!(bare.fingerprint().to_string().len(), 64);
    let document = parse(&signed_assertion());
    document.verify_enveloped(find_id(&document, "_a1"), &[bare], &VerifyPolicy::default()).unwrap();
}

#[test]
fn threads_do_not_disturb_each_other() {
    let (good, spoiled) = (signed_assertion(), signed_assertion().replace(">person<", ">admin<"));
    let key = idp().verify_key();
    let right = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let (good, spoiled, key, right) = (&good, &spoiled, key.clone(), &right);
            scope.spawn(move || {
                for round in 0..100 {
                    let xml = if (thread + round) % 3 == 0 { spoiled } else { good };
                    let document =
                        UnverifiedDocument::parse(xml.as_bytes(), fedbridge_saml_core::seam::Limits::message());
                    let document = document.unwrap();
                    let target = find_id(&document, "_a1");
                    let verified =
                        document.verify_enveloped(target, std::slice::from_ref(&key), &VerifyPolicy::default());
                    let expected = (thread + round) % 3 != 0;
                    right.fetch_add(usize::from(verified.is_ok() == expected), Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(right.into_inner(), 800);
}
