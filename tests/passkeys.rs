//! Passkeys in Chromium, as the second factor of people whose passwords OpenLDAP checks.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::bridge::Setup;
use crate::support::ldap::connections::client;
use crate::support::ldap::servers::OpenLdap;
use crate::support::scripted::{App, REDIRECT, VERIFIER, claims};
use crate::support::{REPOSITORY, Scratch, free_port};

#[tokio::test]
async fn a_passkey_is_the_second_factor_until_it_is_removed() {
    let scratch = Scratch::new("passkeys");
    let openldap = OpenLdap::start(scratch.path(), &[]);
    // Passkeys are of a host name; `localhost` needs no TLS for them.
    let mut setup = Setup::sqlite(scratch.path());
    let base = setup.base_url.replace("127.0.0.1", "localhost");
    setup.set("FEDBRIDGE_BASE_URL", &base);
    let port = free_port();
    let redirect = format!("http://127.0.0.1:{port}/callback");
    let file = format!(
        "version: 1
tenants:
  - slug: acme
    display_name: Acme
    domains: [acme.example]
    second_factor: required
    connections:
{}{}",
        openldap.connection("corp", ""),
        client().replace(REDIRECT, &redirect),
    );
    setup.apply(&scratch, &file);
    let bridge = setup.serve(&scratch).await;

    let start = App { at: format!("{base}/t/acme") }.authorize_url("").replace(REDIRECT, &redirect);
    let steps = walk(&[
        ("START_URL", &start),
        ("ACCOUNT_URL", &format!("{base}/t/acme/account")),
        ("APP_PORT", &port.to_string()),
        ("LOGIN_USER", "alice"),
        ("LOGIN_PASSWORD", "alice-password"),
    ]);

    assert_eq!(steps["offered"], 1, "the page that sets one up has a passkey to offer");
    assert_eq!(steps["credentials"], json!([{ "rpId": "localhost", "isResidentCredential": false }]));
    // The password came before each of these, and got nowhere by itself.
    let refused = "The passkey was not accepted.";
    assert_eq!(steps["copied"]["said"], refused, "its counter went back");
    assert_eq!(steps["none"]["said"], "No passkey was used. You can try again.");
    assert_eq!(steps["twice"]["said"], "No passkey was set up. You can try again.", "the device has one already");
    assert_eq!(steps["removed"]["said"], refused, "it was removed while the page waited");
    assert_eq!((steps["rows"].as_array().map(Vec::len), &steps["left"]), (Some(2), &json!(1)));
    assert_eq!(steps["asked"]["allowCredentials"].as_array().map(Vec::len), Some(2));
    assert_eq!(
        (&steps["asked"]["userVerification"], &steps["asked"]["rpId"]),
        (&json!("preferred"), &json!("localhost"))
    );
    let last = steps["last"].as_str().unwrap();
    assert!(last.contains("Set up another one before you remove this one."), "{last}");
    assert_eq!(steps["injected"], false, "the policy lets no other script in");

    let app = App::of(&bridge);
    let mut subjects = Vec::new();
    for step in ["enrolled", "again", "original", "unverified", "other"] {
        let code = steps[step]["code"].as_str().unwrap_or_else(|| panic!("{step}: {}", steps[step]));
        let redeem = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", &redirect),
            ("code_verifier", VERIFIER),
        ];
        let tokens = app.token(&redeem).await.json();
        let claims = claims(&tokens["id_token"]);
        assert_eq!(claims["amr"], json!(["pwd", "hwk", "mfa"]), "{step}: {claims:#}");
        subjects.push(claims["sub"].clone());
    }
    subjects.dedup();
    assert_eq!(subjects.len(), 1, "{subjects:?}");
}

/// What each step of `passkeys.mjs` led to.
fn walk(settings: &[(&str, &str)]) -> Value {
    let mut command = Command::new("node");
    command.arg(format!("{REPOSITORY}/tests/peers/node/passkeys.mjs")).envs(settings.iter().copied());
    let output = command.output().expect("node is missing: install Node.js 20");
    let said = String::from_utf8_lossy(&output.stdout);
    let report: Value = serde_json::from_str(&said)
        .unwrap_or_else(|_| panic!("passkeys.mjs: {said}{}", String::from_utf8_lossy(&output.stderr)));
    assert_eq!((&report["ok"], &report["faults"]), (&json!(true), &json!([])), "{report:#}");
    report["steps"].clone()
}
