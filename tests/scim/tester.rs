//! scim2-tester, which asks a server for everything that RFC 7643 and RFC 7644 promise.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::client::{TOKEN, connection};
use crate::support::REPOSITORY;
use crate::support::scripted::{idp, server_with};

/// Each profile is a server of its own: its deviations must not break the standard.
#[tokio::test(flavor = "multi_thread")]
async fn every_check_passes_with_every_profile() {
    let profiles = ["generic", "entra", "okta"];
    let connections: String =
        profiles.iter().map(|profile| connection(profile, &format!("        profile: {profile}\n"))).collect();
    let (_scratch, _setup, bridge) = server_with(&idp(), &connections, "").await;
    for profile in profiles {
        let address = format!("{}/t/acme/connections/{profile}/scim/v2", bridge.base_url);
        let results = tokio::task::spawn_blocking(move || asked(&address)).await.unwrap();
        let failed: Vec<_> = results.iter().filter(|result| !matches!(status(result), "SUCCESS" | "SKIPPED")).collect();
        assert!(failed.is_empty(), "{profile}: {failed:#?}\n{}", bridge.log());
        let passed = results.iter().filter(|result| status(result) == "SUCCESS").count();
        assert!(passed > 100, "{profile}: only {passed} checks");
    }
}

fn status(result: &Value) -> &str {
    result["status"].as_str().unwrap()
}

fn asked(address: &str) -> Vec<Value> {
    let folder = Path::new(REPOSITORY).join("tests/peers/python");
    let python = folder.join(".venv/bin/python");
    let said = Command::new(&python)
        .arg(folder.join("scim_tester.py"))
        .arg(address)
        .env("SCIM_TOKEN", TOKEN)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .unwrap_or_else(|error| panic!("{}: {error}: run scripts/install-deps.sh test", python.display()));
    let errors = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success(), "run scripts/install-deps.sh test, where a package is missing: {errors}");
    String::from_utf8(said.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}
