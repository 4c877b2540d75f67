//! The provider's key set (RFC 7517), with the ID token that tries it.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::testkit::jwt::JwtPlan;
use crate::testkit::lie::Change::{IdToken, Keys};
use crate::testkit::lie::{DocumentPlan, Lie};

const KEY: &str = "key of the ID token";
const SET: &str = "the key set";

fn unnamed(plan: &mut JwtPlan) {
    plan.header.shift_remove("kid");
}

/// Publishes the signing key alone, changed.
fn alone(plan: &mut DocumentPlan, change: impl Fn(&mut Value)) {
    let mut key = plan.scene.keys.active.jwk();
    change(&mut key);
    plan.json["keys"] = json!([key]);
}

/// Publishes the RSA key alone, changed; the ID token is to be signed with it.
fn rsa_alone(plan: &mut DocumentPlan, change: impl Fn(&mut Value)) {
    let mut key = plan.scene.keys.rsa.jwk();
    change(&mut key);
    plan.json["keys"] = json!([key]);
}

fn cut(key: &mut Value, member: &str) {
    if let Some(object) = key.as_object_mut() {
        object.shift_remove(member);
    }
}

pub const KEY_SET: &[Lie] = &[
    Lie::odd(33, "no kid, and one key that fits", &[IdToken(unnamed)]),
    Lie::told(
        33,
        "no kid, and two keys that fit",
        KEY,
        &[
            Keys(|plan| {
                let keys = &plan.scene.keys;
                plan.json["keys"] = json!([keys.stranger.jwk(), keys.active.jwk()]);
            }),
            IdToken(unnamed),
        ],
    ),
    Lie::told(34, "a key for encryption", SET, &[Keys(|plan| alone(plan, |key| key["use"] = json!("enc")))]),
    Lie::told(
        34,
        "a key that does not verify",
        SET,
        &[Keys(|plan| {
            alone(plan, |key| {
                cut(key, "use");
                key["key_ops"] = json!(["encrypt"]);
            });
        })],
    ),
    Lie::told(34, "a private key", SET, &[Keys(|plan| alone(plan, |key| key["d"] = json!("AAAA")))]),
    Lie::told(
        34,
        "a shared secret",
        SET,
        &[Keys(|plan| {
            plan.json["keys"] = json!([{ "kty": "oct", "k": "c2VjcmV0", "kid": plan.scene.keys.active.kid }]);
        })],
    ),
    Lie::told(34, "another curve", SET, &[Keys(|plan| alone(plan, |key| key["crv"] = json!("P-384")))]),
    Lie::told(
        34,
        "a point off the curve",
        SET,
        &[Keys(|plan| {
            alone(plan, |key| key["y"] = json!(URL_SAFE_NO_PAD.encode([7; 32])));
        })],
    ),
    Lie::told(
        34,
        "an exponent of one",
        SET,
        &[
            Keys(|plan| rsa_alone(plan, |key| key["e"] = json!("AQ"))),
            IdToken(|plan| plan.sign_with(Arc::clone(&plan.scene.keys.rsa))),
        ],
    ),
    Lie::told(
        34,
        "512 bits",
        SET,
        &[
            Keys(|plan| plan.json["keys"] = json!([plan.scene.keys.weak.as_ref().map(|key| key.jwk())])),
            IdToken(|plan| {
                if let Some(weak) = plan.scene.keys.weak.clone() {
                    plan.sign_with(weak);
                }
            }),
        ],
    ),
    Lie::told(
        34,
        "a key for another algorithm",
        KEY,
        &[
            Keys(|plan| rsa_alone(plan, |key| key["alg"] = json!("PS256"))),
            IdToken(|plan| plan.sign_with(Arc::clone(&plan.scene.keys.rsa))),
        ],
    ),
    Lie::told(
        34,
        "an algorithm that is not the key's",
        SET,
        &[Keys(|plan| {
            alone(plan, |key| key["alg"] = json!("RS256"));
        })],
    ),
    Lie::told(
        34,
        "1,000 keys",
        SET,
        &[Keys(|plan| {
            let key = plan.scene.keys.active.jwk();
            plan.json["keys"] = json!(vec![key; 1000]);
        })],
    ),
    Lie::told(34, "257 KB", SET, &[Keys(|plan| plan.json["padding"] = json!("x".repeat(257 * 1024)))]),
    Lie::told(34, "no keys", SET, &[Keys(|plan| plan.json["keys"] = json!([]))]),
    Lie::told(
        34,
        "keys twice",
        SET,
        &[Keys(|plan| {
            plan.octets = Some(|text| format!("{{\"keys\":[],{}", &text[1..]).into_bytes());
        })],
    ),
    Lie::told(34, "a set that is HTML", SET, &[Keys(|plan| plan.octets = Some(|_| b"<html>".to_vec()))]),
    Lie::told(34, "status 500", SET, &[Keys(|plan| plan.status = 500)]),
    Lie::odd(
        34,
        "no use and no alg",
        &[Keys(|plan| {
            alone(plan, |key| {
                cut(key, "use");
                cut(key, "alg");
            });
        })],
    ),
    Lie::odd(
        34,
        "keys of other kinds beside the right one",
        &[Keys(|plan| {
            let right = plan.scene.keys.active.jwk();
            let odd = json!({ "kty": "EC", "crv": "secp256k1", "kid": "odd", "x": "AA", "y": "AA" });
            plan.json["keys"] = json!([odd, { "kty": "tomorrow" }, right, 7]);
        })],
    ),
];
