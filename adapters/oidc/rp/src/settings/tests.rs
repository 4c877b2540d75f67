#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::profiles::PROFILES;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn secret(text: &str) -> BTreeMap<String, Vec<u8>> {
    BTreeMap::from([("client_secret".to_owned(), text.as_bytes().to_vec())])
}

/// Settings that are fine, with these put in the place of theirs; `null` takes one out.
fn parse(changes: Value) -> Result<Settings, Vec<String>> {
    let mut settings = json!({ "issuer": "https://op.example", "client_id": "bridge" });
    for (name, value) in changes.as_object().unwrap() {
        settings[name] = value.clone();
    }
    Settings::parse(&settings, &secret(SECRET)).map_err(|all| all.iter().map(ToString::to_string).collect())
}

#[test]
fn defaults_are_the_documented_ones() {
    let settings = parse(json!({})).unwrap();
    assert_eq!(settings.profile.name, "generic");
    assert_eq!(settings.auth_method, AuthMethod::Basic);
    assert_eq!(settings.scopes, ["openid", "profile", "email"]);
    assert_eq!(settings.skew, Duration::from_secs(60));
    assert_eq!(settings.subject, ["sub"]);
    assert!(!settings.algorithms.contains(&TokenAlgorithm::Hs256));
    let url = "https://op.example/.well-known/openid-configuration".to_owned();
    assert_eq!(settings.discovery, Discovery::At { url, text: None });
    assert!(settings.offline_prompt && settings.logout && !settings.keeps_tokens() && !settings.signs());
    let without = Settings::parse(&json!({ "issuer": "https://op.example", "client_id": "b" }), &BTreeMap::new());
    assert_eq!(without.unwrap().auth_method, AuthMethod::PrivateKeyJwt);
}

const CONSUMERS: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

const OTHERS: &str = "00000000-0000-0000-0000-000000000001";

#[test]
fn a_key_of_one_directory_needs_no_name_of_it() {
    let issuer = "https://login.microsoftonline.com/common/v2.0";
    let with = |tenants: Value, from: Value| {
        let subject = json!({ "from": from });
        json!({ "profile": "entra", "issuer": issuer, "tenants": tenants, "subject": subject })
    };
    assert!(parse(with(json!([CONSUMERS]), json!(["oid"]))).is_ok());
    assert!(parse(with(json!([CONSUMERS, OTHERS]), json!(["tid", "oid"]))).is_ok());
    let complaints = parse(with(json!([CONSUMERS, OTHERS]), json!(["oid"]))).map(drop).unwrap_err();
    assert!(complaints[0].contains("add tid"), "{complaints:?}");
}

#[test]
fn every_bad_value_is_a_complaint_of_its_own() {
    let entra = json!({ "profile": "entra", "issuer": "https://login.microsoftonline.com/common/v2.0" });
    let with = |extra: Value| {
        let mut all = entra.clone();
        all.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        all
    };
    for (bad, path) in [
        (json!({ "profile": "entrra" }), "profile"),
        (json!({ "issuer": null }), "issuer"),
        (json!({ "issuer": "" }), "issuer"),
        (json!({ "issuer": "http://op.example" }), "issuer"),
        (json!({ "issuer": "https://op.example/?a=b" }), "issuer"),
        (json!({ "client_id": 7 }), "client_id"),
        (json!({ "client_secret_expires": "soon" }), "client_secret_expires"),
        (json!({ "token_endpoint_auth_method": "none" }), "token_endpoint_auth_method"),
        (json!({ "client_assertion_alg": "HS256" }), "client_assertion_alg"),
        (json!({ "scopes": ["profile"] }), "scopes"),
        (json!({ "scopes": ["openid", "a b"] }), "scopes"),
        (json!({ "response_mode": "fragment" }), "response_mode"),
        (json!({ "pushed_requests": true }), "pushed_requests"),
        (json!({ "request_object": "encrypted" }), "request_object"),
        (json!({ "offline_prompt": "login" }), "offline_prompt"),
        (json!({ "extra_parameters": { "redirect_uri": "https://evil.example" } }), "extra_parameters.redirect_uri"),
        (json!({ "extra_parameters": { "response_type": "token" } }), "extra_parameters.response_type"),
        (json!({ "extra_parameters": { "a": 1 } }), "extra_parameters.a"),
        (json!({ "pass_on": ["promt"] }), "pass_on[0]"),
        (json!({ "id_token_signing_algs": ["none"] }), "id_token_signing_algs[0]"),
        (json!({ "id_token_signing_algs": [] }), "id_token_signing_algs"),
        (json!({ "audiences": "x" }), "audiences"),
        (json!({ "clock_skew": "121s" }), "clock_skew"),
        (json!({ "userinfo": "never" }), "userinfo"),
        (json!({ "discovery": "ftp://op.example" }), "discovery"),
        (json!({ "discovery": "off" }), "metadata"),
        (json!({ "metadata": { "token_endpoint": "http://op.example/token" } }), "metadata.token_endpoint"),
        (json!({ "metadata": { "tokn_endpoint": "https://op.example/token" } }), "metadata.tokn_endpoint"),
        (json!({ "metadata": { "jwks": { "keys": [{ "kty": "oct", "k": "x" }] } } }), "metadata.jwks"),
        (json!({ "subject": { "from": [] } }), "subject.from"),
        (json!({ "subject": { "from": ["email"] } }), "subject.from"),
        (with(json!({ "tenants": [CONSUMERS], "subject": { "from": ["tid", "upn"] } })), "subject.from"),
        (with(json!({ "tenants": [CONSUMERS, OTHERS], "subject": { "from": ["oid"] } })), "subject.from"),
        (with(json!({ "tenants": [CONSUMERS, OTHERS], "subject": { "from": ["sub"] } })), "subject.from"),
        (json!({ "tenants": [CONSUMERS] }), "tenants"),
        (with(json!({})), "tenants"),
        (with(json!({ "tenants": ["acme"] })), "tenants[0]"),
        (json!({ "profile": "google" }), "hosted_domains"),
        (json!({ "hosted_domains": ["a.example"] }), "hosted_domains"),
        (json!({ "groups": { "on_overage": "graph" } }), "groups.on_overage"),
        (json!({ "profile": "okta", "groups": { "on_overage": "graph" } }), "groups.on_overage"),
        (json!({ "profile": "okta", "groups": { "on_overage": "api" } }), "groups.on_overage"),
        (json!({ "groups": { "on_overage": "api" } }), "groups.on_overage"),
        (json!({ "groups": { "cap": 0 } }), "groups.cap"),
        (json!({ "revalidate": "59s" }), "revalidate"),
        (json!({ "revalidate": "25h" }), "revalidate"),
        (json!({ "revalidate_when_silent": "maybe" }), "revalidate_when_silent"),
        (json!({ "front_channel_sid": "sub" }), "front_channel_sid"),
        (json!({ "global_token_revocation": { "issuer": "x" } }), "global_token_revocation.jwks_uri"),
        (json!({ "initiate_login": { "targets": ["http://a.example"], "client": "p" } }), "initiate_login.targets[0]"),
        (json!({ "initiate_login": { "targets": [] } }), "initiate_login.client"),
        (json!({ "clientid": "x" }), "clientid"),
    ] {
        let complaints = parse(bad.clone()).map(drop).unwrap_err();
        assert_eq!(complaints.len(), 1, "{bad}: {complaints:?}");
        assert!(complaints[0].starts_with(&format!("{path}: ")), "{bad}: {complaints:?}");
    }
}

#[test]
fn a_short_secret_is_none() {
    let settings = json!({ "issuer": "https://op.example", "client_id": "b" });
    let complaints = Settings::parse(&settings, &secret(&SECRET[1..])).map(drop).unwrap_err();
    assert_eq!(complaints[0].to_string(), "client_secret: the secret has 31 characters and needs at least 32");
    let mut hs256 = settings;
    hs256["id_token_signing_algs"] = json!(["HS256"]);
    assert!(Settings::parse(&hs256, &BTreeMap::new()).is_err(), "nothing to verify with");
    assert!(Settings::parse(&hs256, &secret(SECRET)).is_ok());
}

#[test]
fn every_setting_is_read_and_has_help() {
    let known: Vec<_> = FIELDS.iter().map(|field| field.name).collect();
    let complaints = parse(json!({ "nonsense": 1 })).map(drop).unwrap_err();
    for name in &known {
        assert!(complaints[0].contains(name), "{name} is not read");
    }
    assert!(known.len() > 30);
}

/// The table decides; what people read follows it.
#[test]
fn every_profile_is_named_where_people_look() {
    let help = FIELDS.iter().find(|field| field.name == "profile").unwrap().help;
    let root = std::path::PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let example = readme.lines().find(|line| line.trim_start().starts_with("profile: ")).unwrap();
    for profile in PROFILES {
        for (place, text) in [("the help", help), ("README.md", example)] {
            let words: Vec<_> = text.split(|sign: char| !sign.is_ascii_alphanumeric()).collect();
            assert!(words.contains(&profile.name), "{place} does not name {}: {text}", profile.name);
        }
        let fixture = root.join("fixtures/oidc-vendors").join(profile.name);
        assert!(profile.name == "generic" || fixture.is_dir(), "{} has no fixtures", profile.name);
    }
}
