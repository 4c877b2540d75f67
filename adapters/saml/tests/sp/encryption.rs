//! Encrypted assertions.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::keys::KeyRing;
use fedbridge_contract::upstream::LoginOutcome;
use fedbridge_saml::testkit::{Encryption, KeyPlace, Sign, encrypted_assertion};
use serde_json::json;

use crate::support::{NOW, SP_KEYS, World, posted};

fn to_active() -> Encryption {
    Encryption::to(&SP_KEYS[1].certificate)
}

/// Every accepted algorithm in both layouts, under both signings.
#[test]
fn accepted_algorithms_and_layouts() {
    let world = World::new();
    for cipher in [Encryption::AES_256_GCM, Encryption::AES_128_GCM] {
        for transport in [Encryption::OAEP, Encryption::OAEP_MGF1P] {
            for place in [KeyPlace::InKeyInfo, KeyPlace::Sibling] {
                for sign in [Sign::Assertion, Sign::Response, Sign::Both] {
                    let pending = world.begin();
                    let mut plan = world.plan(&pending);
                    plan.sign = sign;
                    plan.encryption = Some(Encryption { cipher, transport, place, ..to_active() });
                    assert_eq!(
                        world.accept(&pending, &plan).subject.display,
                        "alice",
                        "{cipher} {transport} {place:?} {sign:?}"
                    );
                }
            }
        }
    }
}

/// Guard: CBC only where the connection allows it; RSA 1.5 never.
#[test]
fn old_algorithms() {
    for (settings, cbc) in [(json!({}), false), (json!({ "allow_cbc": true }), true)] {
        let world = World::with(settings);
        let pending = world.begin();
        let mut plan = world.plan(&pending);
        for cipher in [Encryption::AES_128_CBC, Encryption::AES_256_CBC] {
            plan.encryption = Some(Encryption { cipher, ..to_active() });
            if cbc {
                world.accept(&pending, &plan);
            } else {
                assert_eq!(world.refuse(&pending, &plan), "Decryption");
            }
        }
        plan.encryption = Some(Encryption { transport: Encryption::RSA_1_5, ..to_active() });
        assert_eq!(world.refuse(&pending, &plan), "Decryption");
    }
}

/// Both keys of a rollover decrypt; a key of nobody does not.
#[test]
fn both_keys_of_a_rollover_decrypt() {
    let world = World::new();
    let pending = world.begin();
    let mut plan = world.plan(&pending);
    for key in [1, 2] {
        plan.encryption = Some(Encryption::to(&SP_KEYS[key].certificate));
        world.accept(&pending, &plan);
    }
    // The signing key is not for decryption.
    plan.encryption = Some(Encryption::to(&SP_KEYS[0].certificate));
    assert_eq!(world.refuse(&pending, &plan), "Decryption");

    let mut without = World::new();
    without.tenant.keys = Arc::new(KeyRing { saml_decryption: Vec::new(), ..(*without.tenant.keys).clone() });
    let pending = without.begin();
    let mut plan = without.plan(&pending);
    plan.encryption = Some(to_active());
    assert_eq!(without.refuse(&pending, &plan), "Decryption");
}

/// Guard: anybody can encrypt to our public key, so encryption vouches for nothing
/// (CVE-2026-2092, CVE-2024-4985, CVE-2024-9487).
#[test]
fn a_self_made_encrypted_assertion_is_refused() {
    for policy in ["either", "assertion", "response", "both"] {
        let world = World::with(json!({ "require_signed": policy }));
        let pending = world.begin();
        let mut plan = world.plan(&pending);
        plan.sign = Sign::Nothing;
        plan.encryption = Some(to_active());
        assert_eq!(world.refuse(&pending, &plan), "What is signed");
    }
    // Swapped into a signed response the ciphertext is not the signed one any more.
    let world = World::new();
    let pending = world.begin();
    let mut plan = world.plan(&pending);
    plan.sign = Sign::Response;
    plan.encryption = Some(to_active());
    let signed = plan.build(&world.idp).unwrap();
    let evil = encrypted_assertion(&plan.assertion.xml().replace("alice", "mallory"), &to_active()).unwrap();
    let start = signed.find("<saml:EncryptedAssertion").unwrap();
    let end = signed.find("</saml:EncryptedAssertion>").unwrap() + "</saml:EncryptedAssertion>".len();
    let swapped = format!("{}{evil}{}", &signed[..start], &signed[end..]);
    assert_eq!(world.refuse_xml(&pending, &swapped), "Response signature");
    let beside = format!("{}{evil}{}", &signed[..start], &signed[start..]);
    assert_eq!(world.refuse_xml(&pending, &beside), "Response signature");
}

/// Guard: what was decrypted passes the same parser and the same grammar.
#[test]
fn decrypted_content_is_held_to_the_same_grammar() {
    let world = World::new();
    let pending = world.begin();
    let plan = world.plan(&pending);
    let assertion = plan.assertion.xml();
    let response = plan.build(&world.idp).unwrap();
    let signed = {
        let (start, end) = (response.find("<saml:Assertion").unwrap(), response.find("</saml:Assertion>").unwrap());
        response[start..end].to_owned() + "</saml:Assertion>"
    };
    let wrap = |content: &str| {
        let encrypted = encrypted_assertion(content, &to_active()).unwrap();
        response.replacen(&signed, &encrypted, 1)
    };
    world.accept_xml(&pending, &wrap(&signed));
    for (content, check) in [
        (format!("<!DOCTYPE a>{signed}"), "Decryption"),
        (format!("{signed}{signed}"), "Decryption"),
        (signed.replace("alice", "al<!---->ice"), "Decryption"),
        (format!("<x>{signed}</x>"), "Decrypted element"),
        (response.clone(), "Decrypted element"),
        (assertion, "What is signed"),
        (signed.replace("alice", "mallory"), "Assertion signature"),
    ] {
        assert_eq!(world.refuse_xml(&pending, &wrap(&content)), check, "{content}");
    }
}

/// Guard: one text for every way to fail at decrypting. With a signed response the
/// ciphertext isn't even looked at before the signature holds.
#[test]
fn failures_at_decrypting_look_alike() {
    let world = World::with(json!({ "allow_cbc": true }));
    let pending = world.begin();
    let mut causes = std::collections::BTreeSet::new();
    for (cipher, sign) in [
        (Encryption::AES_256_GCM, Sign::Nothing),
        (Encryption::AES_256_CBC, Sign::Nothing),
        (Encryption::AES_256_CBC, Sign::Response),
    ] {
        let mut plan = world.plan(&pending);
        plan.sign = sign;
        plan.encryption = Some(Encryption { cipher, ..to_active() });
        let xml = plan.build(&world.idp).unwrap();
        for place in [0, 1] {
            for at in [0, 7, 20, 33] {
                let mutated = flip(&xml, place, at);
                let (outcome, trace) = world.complete_input(&pending, &posted(&STANDARD.encode(&mutated)), NOW);
                let LoginOutcome::Rejected(error) = outcome else { panic!("{outcome:?}") };
                if sign == Sign::Response {
                    assert_eq!(crate::support::failed_check(&trace), "Response signature");
                } else {
                    causes.insert(error.public);
                    assert!(!error.cause.contains("padding") && !error.cause.contains("tag"));
                }
            }
        }
    }
    assert_eq!(causes.len(), 1);
}

/// Changes one octet of the first (the key) or second (the content) cipher value.
fn flip(xml: &str, which: usize, at: usize) -> String {
    let (start, _) = xml.match_indices("<xenc:CipherValue>").nth(which).unwrap();
    let start = start + "<xenc:CipherValue>".len();
    let end = start + xml[start..].find('<').unwrap();
    let mut octets = STANDARD.decode(&xml[start..end]).unwrap();
    octets[at] ^= 1;
    format!("{}{}{}", &xml[..start], STANDARD.encode(octets), &xml[end..])
}
