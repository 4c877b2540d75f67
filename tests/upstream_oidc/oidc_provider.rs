//! npm oidc-provider, certified by the OpenID Foundation, in front of the bridge.

use super::company::{Company, Op, SECRET};
use crate::support::Database;
use crate::support::browser::Browser;
use crate::support::peers::chromium_login;

const ALICE: (&str, &str) = ("alice", "alice-password");

const GROUPS: &str = "        scopes: [openid, profile, email, groups, offline_access]
        mapping:
          claims:
            groups: { from: [groups] }
";

fn with_secret(more: &str) -> String {
    format!("        client_secret: {{ value: {SECRET} }}\n{more}")
}

async fn company(database: Database, knobs: &[(&str, &str)], yaml: &str) -> Company {
    Company::start(database, async |scratch, address| {
        let peer = Op::peer("oidc-provider", scratch, address, knobs);
        Op { issuer: peer.url.clone(), person: ALICE, yaml: yaml.to_owned(), peer: Some(peer) }
    })
    .await
}

async fn in_and_out(database: Database) {
    let company = company(database, &[], &with_secret(GROUPS)).await;
    let mut browser = Browser::new();
    let told = company.login(&mut browser).await;
    let claims = &told["id_token"];
    assert_eq!(claims["email"], "alice@acme.example", "{told:#}");
    assert_eq!(claims["email_verified"], true, "{told:#}");
    assert_eq!(told["userinfo"]["name"], "Alice Archer", "{told:#}");
    assert_eq!(told["userinfo"]["groups"], serde_json::json!(["employees", "admins"]), "{told:#}");
    assert_ne!(told["sub"], "alice", "the app gets a subject of the bridge's own");
    company.refresh(&mut browser).await;
    company.log_out_of_app(&mut browser).await;

    let again = company.login(&mut browser).await;
    assert_eq!(again["sub"], told["sub"], "the same person is somebody else");
    let end = company.end_session_endpoint.clone();
    company.log_out_of_op(&mut browser, &end).await;
}

#[tokio::test]
async fn logs_in_and_out_on_sqlite() {
    in_and_out(Database::Sqlite).await;
}

#[tokio::test]
async fn logs_in_and_out_on_postgres() {
    in_and_out(Database::Postgres).await;
}

/// The person has two browsers, and `sid` says which one's session the provider ended.
#[tokio::test]
async fn a_logout_there_ends_one_browsers_session() {
    let company = company(Database::Sqlite, &[], &with_secret("")).await;
    let (mut desk, mut phone) = (Browser::new(), Browser::new());
    company.login(&mut desk).await;
    company.login(&mut phone).await;
    let end = company.end_session_endpoint.clone();
    company.log_out_of_op(&mut desk, &end).await;
    assert!(company.app_knows(&mut phone).await, "the other session at the app is over too");
    assert!(company.bridge_knows(&mut phone).await, "the other session at the bridge is over too");
}

/// In a browser that keeps cookies, follows the same-site rules and obeys each page's policy.
#[tokio::test]
async fn in_chromium() {
    let company = company(Database::Sqlite, &[], &with_secret(GROUPS)).await;
    let then = ["/refresh", "/userinfo", "/logout"].map(|path| company.client.at(path)).join(" ");
    let report = chromium_login(&[
        ("START_URL", &company.app.url),
        ("LOGIN_USER", ALICE.0),
        ("LOGIN_PASSWORD", ALICE.1),
        ("CLICK", "Allow|Log out"),
        ("THEN_URLS", &then),
    ]);
    assert_eq!(report["json"]["id_token"]["email"], "alice@acme.example", "{report:#}");
    let then = report["then"].as_array().unwrap();
    assert_eq!(then[0]["json"]["refreshes"], 1, "{report:#}");
    assert_eq!(then[1]["json"]["sub"], report["json"]["sub"], "{report:#}");
    assert_eq!(then[2]["json"]["logged_out"], true, "{report:#}");
}

/// One login each way in which the two can be set to speak.
async fn speaks(knobs: &[(&str, &str)], yaml: &str) {
    let company = company(Database::Sqlite, knobs, yaml).await;
    let told = company.login(&mut Browser::new()).await;
    assert_eq!(told["id_token"]["email"], "alice@acme.example", "{told:#}");
}

#[tokio::test]
async fn with_pushed_requests() {
    speaks(&[("OP_REQUIRE_PAR", "1")], &with_secret("        pushed_requests: required")).await;
}

#[tokio::test]
async fn with_keys_in_the_place_of_a_secret() {
    let knobs = [("OP_CLIENT_AUTH", "private_key_jwt"), ("OP_ID_TOKEN_ALG", "RS256")];
    speaks(&knobs, "        token_endpoint_auth_method: private_key_jwt").await;
}

/// It keeps our keys for a while, and so knows the next one when that begins to sign. A second rotation would be too
/// soon: it fetches no set for a key that is missing.
#[tokio::test]
async fn with_keys_that_rotate() {
    let knobs = [("OP_CLIENT_AUTH", "private_key_jwt")];
    let yaml = "        token_endpoint_auth_method: private_key_jwt";
    let company = company(Database::Sqlite, &knobs, yaml).await;
    company.login(&mut Browser::new()).await;
    let rotate = || drop(company.setup.ok(&["keys", "rotate", "--connection", "acme/up"]));
    company.bridge.takes_over(rotate).await;
    company.login(&mut Browser::new()).await;
}

#[tokio::test]
async fn with_the_secret_in_the_body_and_no_pushed_requests() {
    let knobs = [("OP_CLIENT_AUTH", "client_secret_post"), ("OP_PAR", "0"), ("OP_ID_TOKEN_ALG", "PS256")];
    speaks(&knobs, &with_secret("        token_endpoint_auth_method: client_secret_post")).await;
}

#[tokio::test]
async fn with_form_post_and_signed_userinfo() {
    let knobs = [("OP_SIGN_USERINFO", "1"), ("OP_ID_TOKEN_ALG", "EdDSA")];
    let yaml = "        response_mode: form_post\n        userinfo_signed: true\n        userinfo: always";
    speaks(&knobs, &with_secret(yaml)).await;
}

#[tokio::test]
async fn with_signed_requests_and_all_claims_in_the_id_token() {
    let knobs = [("OP_REQUIRE_REQUEST_OBJECT", "1"), ("OP_PAR", "0"), ("OP_CLAIMS_IN_ID_TOKEN", "1")];
    speaks(&knobs, &with_secret("        request_object: signed\n        userinfo: off")).await;
}
