//! Keycloak in front of the bridge: a realm with nested roles, pushed requests that it insists on, and refresh
//! tokens for one use.

use std::path::Path;
use std::sync::{LazyLock, Mutex, PoisonError};

use reqwest::{Method, Response};
use serde_json::{Value, json};

use super::company::{Company, Op, SECRET};
use crate::support::Database;
use crate::support::browser::{Browser, HTTP};
use crate::support::due::make_due;
use crate::support::peers::{Peer, Starting};

const ALICE: (&str, &str) = ("alice", "alice-password");
const FOLDER: &str = "fedbridge-keycloak-";

/// One Keycloak for all tests of this process: its start takes 15 s and more. It ends when this process is gone.
static KEYCLOAK: LazyLock<Mutex<State>> = LazyLock::new(|| {
    remove_what_others_left();
    let dir = std::env::temp_dir().join(format!("{FOLDER}{}", std::process::id()));
    Mutex::new(State::Starting(Starting::peer("keycloak", &dir, &[])))
});

enum State {
    Starting(Starting),
    Ready(Peer),
    /// Whoever waited for it has failed, with what it said.
    Failed,
}

/// So that it is ready when its tests come; they are the last ones.
pub fn start_in_the_background() {
    LazyLock::force(&KEYCLOAK);
}

/// Its address.
fn keycloak() -> String {
    let mut state = KEYCLOAK.lock().unwrap_or_else(PoisonError::into_inner);
    let peer = match std::mem::replace(&mut *state, State::Failed) {
        State::Starting(starting) => starting.ready(),
        State::Ready(peer) => peer,
        State::Failed => panic!("Keycloak did not start; another test has the reason"),
    };
    let url = peer.url.clone();
    *state = State::Ready(peer);
    url
}

/// A process that ends can't clean up behind a peer that is still ending.
fn remove_what_others_left() {
    for entry in std::fs::read_dir(std::env::temp_dir()).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap_or_default();
        if let Some(process) = name.strip_prefix(FOLDER)
            && !Path::new("/proc").join(process).exists()
        {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// `more`: further settings of the connection.
async fn company(database: Database, more: &str) -> Company {
    Company::start(database, async |_, address| {
        let server = tokio::task::spawn_blocking(keycloak).await.unwrap();
        let realm = format!("acme-{}", address.split(':').nth(2).unwrap().split('/').next().unwrap());
        make_realm(&server, &realm_for(&realm, address)).await;
        let yaml = format!(
            "        profile: keycloak
        client_secret: {{ value: {SECRET} }}
        mapping:
          claims:
            groups: {{ from: [realm_access.roles] }}
{more}"
        );
        Op { issuer: format!("{server}/realms/{realm}"), person: ALICE, yaml, peer: None }
    })
    .await
}

async fn make_realm(server: &str, realm: &Value) {
    let made = as_administrator(server, Method::POST, "/realms", Some(realm)).await;
    assert_eq!(made.status(), 201, "{}", made.text().await.unwrap());
}

/// A call of Keycloak's administration, below `/admin`.
async fn as_administrator(server: &str, method: Method, path: &str, body: Option<&Value>) -> Response {
    let form =
        [("grant_type", "password"), ("client_id", "admin-cli"), ("username", "admin"), ("password", "admin-password")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let answer = Browser::new().post(&format!("{server}/realms/master/protocol/openid-connect/token"), &form).await;
    let token = answer.json()["access_token"].as_str().unwrap().to_owned();
    let mut call = HTTP.request(method, format!("{server}/admin{path}")).bearer_auth(token);
    if let Some(body) = body {
        call = call.header("content-type", "application/json").body(body.to_string());
    }
    call.send().await.unwrap()
}

/// A realm of its own for each test. Its keys are named: Keycloak's own choice has two of RSA, which take long to make.
fn realm_for(name: &str, address: &str) -> Value {
    json!({
        "realm": name,
        "enabled": true,
        "sslRequired": "none",
        "accessTokenLifespan": 60,
        "revokeRefreshToken": true,
        "refreshTokenMaxReuse": 0,
        "components": { "org.keycloak.keys.KeyProvider": [
            { "name": "es", "providerId": "ecdsa-generated", "config": { "priority": ["100"], "ecdsaEllipticCurveKey": ["P-256"] } },
            { "name": "hs", "providerId": "hmac-generated", "config": { "algorithm": ["HS512"] } },
            { "name": "aes", "providerId": "aes-generated", "config": {} },
        ] },
        "defaultSignatureAlgorithm": "ES256",
        "roles": { "realm": [{ "name": "employee" }] },
        "users": [{
            "username": "alice",
            "enabled": true,
            "email": "alice@acme.example",
            "emailVerified": true,
            "firstName": "Alice",
            "lastName": "Archer",
            "credentials": [{ "type": "password", "value": ALICE.1, "temporary": false }],
            "realmRoles": ["employee"],
        }],
        "clients": [
            {
                "clientId": "bridge",
                "secret": SECRET,
                "redirectUris": [format!("{address}/oidc/callback")],
                "attributes": {
                    "post.logout.redirect.uris": format!("{address}/oidc/logged-out"),
                    "backchannel.logout.url": format!("{address}/oidc/backchannel-logout"),
                    "backchannel.logout.session.required": "true",
                    "pkce.code.challenge.method": "S256",
                    "require.pushed.authorization.requests": "true",
                    "id.token.signed.response.alg": "ES256",
                },
                // Roles reach the ID token only where the realm says so.
                "protocolMappers": [{
                    "name": "roles",
                    "protocol": "openid-connect",
                    "protocolMapper": "oidc-usermodel-realm-role-mapper",
                    "config": {
                        "claim.name": "realm_access.roles",
                        "jsonType.label": "String",
                        "multivalued": "true",
                        "id.token.claim": "true",
                    },
                }],
            },
            // Only asks, with prompt=none, whether somebody is logged in.
            { "clientId": "probe", "publicClient": true, "redirectUris": ["http://127.0.0.1:9/probe"] },
        ],
    })
}

#[tokio::test]
async fn logs_in_and_out() {
    let company = company(Database::Sqlite, "").await;
    let mut browser = Browser::new();
    let told = company.login(&mut browser).await;
    assert_eq!(told["id_token"]["email"], "alice@acme.example", "{told:#}");
    assert_eq!(told["id_token"]["email_verified"], true, "{told:#}");
    assert_eq!(told["userinfo"]["name"], "Alice Archer", "{told:#}");
    assert_eq!(told["userinfo"]["groups"], json!(["employee"]), "{told:#}");
    company.refresh(&mut browser).await;
    company.log_out_of_app(&mut browser).await;

    let again = company.login(&mut browser).await;
    assert_eq!(again["sub"], told["sub"], "the same person is somebody else");
    let end = company.end_session_endpoint.clone();
    company.log_out_of_op(&mut browser, &end).await;
}

/// Keycloak tells nobody that a person was switched off: the next refresh after a while finds out.
#[tokio::test]
async fn who_is_switched_off_there_gets_nothing_more_here() {
    let company = company(Database::Sqlite, "        revalidate: 1m\n").await;
    let (server, realm) = company.op.issuer.split_once("/realms/").unwrap();
    let mut browser = Browser::new();
    let told = company.login(&mut browser).await;

    // Asked again while all is well: one more refresh token of Keycloak's is used up, and the next one kept.
    make_due(&company.setup, "up", &told["id_token"]).await;
    company.refresh(&mut browser).await;

    let users = as_administrator(server, Method::GET, &format!("/realms/{realm}/users?username=alice"), None).await;
    let users: Value = serde_json::from_str(&users.text().await.unwrap()).unwrap();
    let path = format!("/realms/{realm}/users/{}", users[0]["id"].as_str().unwrap());
    let done = as_administrator(server, Method::PUT, &path, Some(&json!({ "enabled": false }))).await;
    assert_eq!(done.status(), 204);

    make_due(&company.setup, "up", &told["id_token"]).await;
    let answer = browser.get(&company.client.at("/refresh")).await;
    if answer.status != 502 || answer.json()["error"] != "invalid_grant" {
        company.fail("the refresh goes on", &answer).await;
    }
    assert!(!company.bridge_knows(&mut browser).await, "the bridge keeps the session");
}
