//! The discovery document, and the answer of the token endpoint.

use serde_json::{Value, json};

use crate::testkit::http::Manner;
use crate::testkit::lie::Change::{IdToken, Metadata, Token};
use crate::testkit::lie::{DocumentPlan, Lie};

const ISSUER: &str = "issuer of the metadata";
const TOKEN_ENDPOINT: &str = "token_endpoint of the metadata";
const AUTHORIZATION: &str = "authorization_endpoint of the metadata";
const JWKS_URI: &str = "jwks_uri of the metadata";
const FORM: &str = "the metadata is";
const CAME: &str = "an ID token came";
const TOKEN: &str = "token endpoint";

fn twist(plan: &mut DocumentPlan, member: &str, change: impl Fn(&str) -> String) {
    let value = plan.json[member].as_str().map(change);
    plan.json[member] = json!(value);
}

/// Writes a member once more, with another value, before all others.
fn doubled(text: String, member: &str, value: &str) -> Vec<u8> {
    format!("{{\"{member}\":{value},{}", &text[1..]).into_bytes()
}

pub const METADATA: &[Lie] = &[
    Lie::down(1, "another issuer", ISSUER, &[Metadata(|plan| plan.json["issuer"] = json!("https://evil.example"))]),
    Lie::down(1, "issuer with a slash", ISSUER, &[Metadata(|plan| twist(plan, "issuer", |text| format!("{text}/")))]),
    Lie::down(1, "issuer in capitals", ISSUER, &[Metadata(|plan| twist(plan, "issuer", str::to_uppercase))]),
    Lie::down(1, "issuer absent", ISSUER, &[Metadata(|plan| plan.cut("issuer"))]),
    Lie::down(
        2,
        "token endpoint by plain http",
        TOKEN_ENDPOINT,
        &[Metadata(|plan| {
            plan.json["token_endpoint"] = json!("http://op.example/token");
        })],
    ),
    Lie::down(
        2,
        "key set by plain http",
        JWKS_URI,
        &[Metadata(|plan| {
            plan.json["jwks_uri"] = json!("http://op.example/jwks");
        })],
    ),
    Lie::down(
        2,
        "token endpoint as a number",
        TOKEN_ENDPOINT,
        &[Metadata(|plan| plan.json["token_endpoint"] = json!(7))],
    ),
    Lie::down(2, "no token endpoint", TOKEN_ENDPOINT, &[Metadata(|plan| plan.cut("token_endpoint"))]),
    Lie::down(2, "no authorization endpoint", AUTHORIZATION, &[Metadata(|plan| plan.cut("authorization_endpoint"))]),
    Lie::down(2, "no key set", JWKS_URI, &[Metadata(|plan| plan.cut("jwks_uri"))]),
    Lie::down(
        2,
        "token endpoint at another host",
        "token_endpoint",
        &[Metadata(|plan| {
            plan.json["token_endpoint"] = json!("https://evil.example/token");
        })],
    ),
    Lie::down(
        30,
        "issuer twice",
        FORM,
        &[Metadata(|plan| {
            plan.octets = Some(|text| doubled(text, "issuer", "\"https://evil.example\""));
        })],
    ),
    Lie::down(30, "a document that is a list", FORM, &[Metadata(|plan| plan.json = json!([plan.json]))]),
    Lie::down(
        30,
        "a document that is HTML",
        FORM,
        &[Metadata(|plan| {
            plan.octets = Some(|_| b"<!doctype html><title>Sign in</title>".to_vec());
        })],
    ),
    Lie::odd(2, "members that nobody knows", &[Metadata(|plan| plan.json["x_of_tomorrow"] = json!({ "a": [1] }))]),
];

pub const TOKEN_ANSWER: &[Lie] = &[
    Lie::told(23, "a redirect that keeps the method", TOKEN, &[Token(|plan| redirect(plan, 307))]),
    Lie::told(23, "a redirect", TOKEN, &[Token(|plan| redirect(plan, 302))]),
    Lie::told(23, "an octet now and then", TOKEN, &[Token(|plan| plan.manner = Manner::Slow)]),
    Lie::told(23, "a gigabyte", TOKEN, &[Token(|plan| plan.manner = Manner::Endless)]),
    Lie::told(23, "a connection that is cut", TOKEN, &[Token(|plan| plan.manner = Manner::Cut)]),
    Lie::told(23, "HTML", TOKEN, &[Token(|plan| plan.content_type = Some("text/html".into()))]),
    Lie::told(23, "no media type", TOKEN, &[Token(|plan| plan.content_type = None)]),
    Lie::told(23, "an error with status 200", TOKEN, &[Token(|plan| plan.json = json!({ "error": "server_error" }))]),
    Lie::told(23, "status 500", TOKEN, &[Token(|plan| plan.status = 500)]),
    Lie::told(23, "token_type mac", TOKEN, &[Token(|plan| plan.json["token_type"] = json!("mac"))]),
    Lie::told(23, "no token_type", TOKEN, &[Token(|plan| plan.cut("token_type"))]),
    Lie::told(
        23,
        "half of the document",
        TOKEN,
        &[Token(|plan| {
            plan.octets = Some(|text| text.as_bytes()[..text.len() / 2].to_vec());
        })],
    ),
    Lie::told(
        23,
        "a compressed document",
        TOKEN,
        &[Token(|plan| {
            plan.headers.push(("content-encoding".into(), "gzip".into()));
            plan.octets = Some(|_| b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03".to_vec());
        })],
    ),
    Lie::told(
        23,
        "a member twice",
        TOKEN,
        &[Token(|plan| {
            plan.octets = Some(|text| doubled(text, "token_type", "\"Bearer\""));
        })],
    ),
    Lie::told(23, "a list", TOKEN, &[Token(|plan| plan.json = json!([plan.json]))]),
    Lie::odd(
        23,
        "a media type with a charset",
        &[Token(|plan| {
            plan.content_type = Some("application/json;charset=utf-8".into());
        })],
    ),
    Lie::odd(23, "bearer in capitals", &[Token(|plan| plan.json["token_type"] = json!("BEARER"))]),
    Lie::told(25, "no ID token", CAME, &[Token(|plan| plan.cut("id_token"))]),
    Lie::told(25, "an ID token of null", CAME, &[Token(|plan| plan.json["id_token"] = Value::Null)]),
    Lie::told(25, "an ID token that is a number", CAME, &[Token(|plan| plan.json["id_token"] = json!(7))]),
    Lie::told(25, "an empty ID token", CAME, &[Token(|plan| plan.json["id_token"] = json!(""))]),
    Lie::told(
        25,
        "an access token that is a JWT of the provider",
        CAME,
        &[Token(|plan| {
            plan.json["access_token"] = plan.json["id_token"].clone();
            plan.cut("id_token");
        })],
    ),
    Lie::told(
        30,
        "an ID token and blanks behind it",
        "form of the ID token",
        &[IdToken(|plan| {
            plan.compact = Some(|token| format!("{token} "));
        })],
    ),
];

fn redirect(plan: &mut DocumentPlan, status: u16) {
    plan.status = status;
    plan.headers.push(("location".into(), format!("{}/elsewhere", plan.scene.issuer)));
}
