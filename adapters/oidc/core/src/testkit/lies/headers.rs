//! Header and signature of the ID token (OpenID Connect Core 3.1.3.7, RFC 8725).

use std::sync::Arc;

use serde_json::{Value, json};

use crate::testkit::jwt::{JwtPlan, Signature};
use crate::testkit::lie::Change::{IdToken, Keys};
use crate::testkit::lie::Lie;

const ALG: &str = "alg of the ID token";
const NAMED: &str = "key named in the header";
const CRITICAL: &str = "critical header";
const FORM: &str = "form of the ID token";
const KIND: &str = "kind of token";
const SIGNATURE_OF: &str = "signature of the ID token";
const KEY: &str = "key of the ID token";

fn header(plan: &mut JwtPlan, name: &str, value: Value) {
    plan.header.insert(name.to_owned(), value);
}

fn typ(plan: &mut JwtPlan, typ: &str) {
    header(plan, "typ", json!(typ));
}

fn unsigned(plan: &mut JwtPlan, alg: &str) {
    header(plan, "alg", json!(alg));
    plan.signature = Signature::Empty;
}

/// Signs with a key of its own that the header brings along.
fn bring(plan: &mut JwtPlan, name: &str, value: Value) {
    header(plan, name, value);
    plan.signature = Signature::By(Arc::clone(&plan.scene.keys.stranger));
}

pub const HEADER: &[Lie] = &[
    Lie::told(26, "alg none", ALG, &[IdToken(|plan| unsigned(plan, "none"))]),
    Lie::told(26, "alg NONE", ALG, &[IdToken(|plan| unsigned(plan, "NONE"))]),
    Lie::told(
        26,
        "alg absent",
        ALG,
        &[IdToken(|plan| {
            plan.header.shift_remove("alg");
        })],
    ),
    Lie::told(26, "alg a number", ALG, &[IdToken(|plan| header(plan, "alg", json!(256)))]),
    Lie::told(26, "alg es256", ALG, &[IdToken(|plan| header(plan, "alg", json!("es256")))]),
    Lie::told(
        26,
        "HS256 with the public key as secret",
        ALG,
        &[IdToken(|plan| {
            let secret = plan.scene.keys.rsa.public_pem();
            plan.sign_hs256(&secret);
        })],
    ),
    Lie::told(
        26,
        "HS256 with the client's secret, which nobody allowed",
        ALG,
        &[IdToken(|plan| {
            let secret = plan.scene.client_secret.clone();
            plan.sign_hs256(secret.as_bytes());
        })],
    ),
    Lie::told(
        26,
        "PS384, which nobody allowed",
        ALG,
        &[IdToken(|plan| {
            plan.sign_with(Arc::new(plan.scene.keys.rsa.known_as("rsa", "PS384")));
        })],
    ),
    Lie::told(
        26,
        "RS256 where ES256 alone is allowed",
        ALG,
        &[IdToken(|plan| {
            plan.sign_with(Arc::clone(&plan.scene.keys.rsa));
        })],
    )
    .settings(r#"{"id_token_signing_algs":["ES256"]}"#),
    Lie::told(26, "jwk", NAMED, &[IdToken(|plan| bring(plan, "jwk", plan.scene.keys.stranger.jwk()))]),
    Lie::told(26, "jku", NAMED, &[IdToken(|plan| bring(plan, "jku", json!("https://evil.example/jwks")))]),
    Lie::told(26, "x5u", NAMED, &[IdToken(|plan| bring(plan, "x5u", json!("https://evil.example/cert")))]),
    Lie::told(26, "x5c", NAMED, &[IdToken(|plan| bring(plan, "x5c", json!(["MIIB"])))]),
    Lie::told(
        26,
        "jku of its own, under the right key",
        NAMED,
        &[IdToken(|plan| {
            header(plan, "jku", json!(format!("{}/jwks", plan.scene.issuer)));
        })],
    ),
    Lie::told(26, "crit exp", CRITICAL, &[IdToken(|plan| header(plan, "crit", json!(["exp"])))]),
    Lie::told(26, "crit empty", CRITICAL, &[IdToken(|plan| header(plan, "crit", json!([])))]),
    Lie::told(26, "b64 false", CRITICAL, &[IdToken(|plan| header(plan, "b64", json!(false)))]),
    Lie::told(26, "four parts", FORM, &[IdToken(|plan| plan.compact = Some(|token| format!("{token}.AAAA")))]),
    Lie::told(
        26,
        "two parts",
        FORM,
        &[IdToken(|plan| {
            plan.compact =
                Some(|token| token.rsplit_once('.').map_or_else(String::new, |(signed, _)| signed.to_owned()));
        })],
    ),
    Lie::told(
        26,
        "JSON serialization",
        FORM,
        &[IdToken(|plan| {
            plan.compact = Some(|token| {
                let parts: Vec<&str> = token.split('.').collect();
                json!({ "protected": parts[0], "payload": parts[1], "signature": parts[2] }).to_string()
            });
        })],
    ),
    Lie::told(26, "base64url with padding", FORM, &[IdToken(|plan| plan.compact = Some(|token| format!("{token}==")))]),
    Lie::told(26, "33 KB", FORM, &[IdToken(|plan| plan.set("padding", json!("x".repeat(33 * 1024))))]),
    Lie::told(
        30,
        "alg twice in the header",
        "strict JSON",
        &[IdToken(|plan| {
            plan.header_text = Some(|text| format!("{{\"alg\":\"none\",{}", &text[1..]).into_bytes());
        })],
    ),
    Lie::told(26, "kid a number", NAMED, &[IdToken(|plan| header(plan, "kid", json!(7)))]),
    Lie::told(26, "a logout token", KIND, &[IdToken(|plan| typ(plan, "logout+jwt"))]),
    Lie::told(26, "an access token", KIND, &[IdToken(|plan| typ(plan, "at+jwt"))]),
    Lie::told(26, "typ a list", KIND, &[IdToken(|plan| header(plan, "typ", json!(["JWT"])))]),
    Lie::odd(
        26,
        "no typ",
        &[IdToken(|plan| {
            plan.header.shift_remove("typ");
        })],
    ),
    Lie::odd(26, "typ jwt", &[IdToken(|plan| typ(plan, "jwt"))]),
    Lie::odd(26, "a thumbprint of a certificate", &[IdToken(|plan| header(plan, "x5t", json!("AAAA")))]),
    Lie::odd(26, "the provider's RSA key", &[IdToken(|plan| plan.sign_with(Arc::clone(&plan.scene.keys.rsa)))]),
    Lie::odd(
        26,
        "PSS with the provider's RSA key",
        &[
            Keys(|plan| {
                let (rsa, active) = (&plan.scene.keys.rsa, &plan.scene.keys.active);
                plan.json["keys"] = json!([rsa.known_as("rsa", "PS256").jwk(), active.jwk()]);
            }),
            IdToken(|plan| plan.sign_with(Arc::new(plan.scene.keys.rsa.known_as("rsa", "PS256")))),
        ],
    ),
    Lie::odd(
        26,
        "HS256 with the client's secret, which the connection allows",
        &[IdToken(|plan| {
            let secret = plan.scene.client_secret.clone();
            plan.sign_hs256(secret.as_bytes());
        })],
    )
    .settings(r#"{"id_token_signing_algs":["HS256"]}"#),
];

pub const SIGNATURE: &[Lie] = &[
    Lie::told(26, "one bit", SIGNATURE_OF, &[IdToken(|plan| plan.signature = Signature::Flipped)]),
    Lie::told(26, "no signature", SIGNATURE_OF, &[IdToken(|plan| plan.signature = Signature::Empty)]),
    Lie::told(26, "the form of DER", SIGNATURE_OF, &[IdToken(|plan| plan.signature = Signature::Der)]),
    Lie::told(26, "zeros", SIGNATURE_OF, &[IdToken(|plan| plan.signature = Signature::Zero)]),
    Lie::told(
        26,
        "a stranger's key under a known name",
        SIGNATURE_OF,
        &[IdToken(|plan| {
            plan.signature = Signature::By(Arc::clone(&plan.scene.keys.stranger));
        })],
    ),
    Lie::told(
        26,
        "other claims under a right signature",
        SIGNATURE_OF,
        &[IdToken(|plan| {
            plan.signature = Signature::OfOtherClaims;
        })],
    ),
    Lie::told(
        26,
        "HS256 with another secret",
        SIGNATURE_OF,
        &[IdToken(|plan| {
            plan.sign_hs256(b"another secret of at least 32 octets");
        })],
    )
    .settings(r#"{"id_token_signing_algs":["HS256"]}"#),
    Lie::told(
        32,
        "a key that is not published",
        KEY,
        &[IdToken(|plan| {
            plan.sign_with(Arc::clone(&plan.scene.keys.stranger));
        })],
    ),
];
