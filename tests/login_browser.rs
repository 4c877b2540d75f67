//! The main job on real parts: Chromium, an OIDC app that is not ours,
//! fedbridge, and SimpleSAMLphp as the company's identity provider.

use serde_json::Value;

use crate::support::bridge::{Bridge, Setup};
use crate::support::peers::{Peer, chromium_login};
use crate::support::{Database, Scratch, eventually};

const SECRET: &str = "portal-secret-portal-secret-portal-secret";

/// A bridge with one SimpleSAMLphp connection and one client.
pub struct Company {
    pub scratch: Scratch,
    pub setup: Setup,
    pub bridge: Bridge,
    pub idp: Peer,
    _postgres: Option<Peer>,
}

impl Company {
    /// `clients` and `connection` are YAML, indented to stand in their lists.
    pub async fn start(database: Database, connection: &str, clients: &str) -> Self {
        let scratch = Scratch::new("company");
        let (setup, postgres) = match database {
            Database::Sqlite => (Setup::sqlite(scratch.path()), None),
            Database::Postgres => {
                let peer = Peer::postgres(scratch.path());
                (Setup::postgres(scratch.path(), &peer.url), Some(peer))
            }
        };
        let sp_metadata = format!("{}/t/acme/connections/idp/saml/metadata", setup.base_url);
        let idp = Peer::start("simplesamlphp", scratch.path(), &[("SP_METADATA_URL", sp_metadata.as_str())]);
        let metadata = idp.dir.join("idp-metadata.xml");
        let yaml = format!(
            "version: 1
tenants:
  - slug: acme
    display_name: Acme
    domains: [acme.example]
    connections:
      - slug: idp
        protocol: saml
        domains: [acme.example]
        idp_metadata: {{ file: {} }}
{connection}
    clients:
{clients}
",
            metadata.display()
        );
        let applied = setup.apply(&scratch, &yaml);
        assert!(applied.contains("+ connection acme/idp"), "{applied}");
        let bridge = setup.serve(&scratch).await;
        Self { scratch, setup, bridge, idp, _postgres: postgres }
    }

    pub fn issuer(&self) -> String {
        format!("{}/t/acme", self.setup.base_url)
    }

    /// The newest recorded login (a logout is not one), as `trace show --json` has it, and as an admin reads it.
    pub async fn newest_trace(&self) -> (Value, String) {
        // Traces are written in batches; a moment later this one is there.
        let newest = async || {
            let list: Value = serde_json::from_str(&self.setup.ok(&["trace", "list", "--json"])).unwrap();
            let login = list.as_array().unwrap().iter().find(|trace| trace["kind"] == "login");
            login.and_then(|login| login["id"].as_str()).map(str::to_owned)
        };
        let id = eventually("a login is recorded", newest).await;
        let trace = serde_json::from_str(&self.setup.ok(&["trace", "show", &id, "--json"])).unwrap();
        (trace, self.setup.ok(&["trace", "show", &id]))
    }
}

fn client(id: &str, redirect_uri: &str, logged_out: &str) -> String {
    format!(
        "      - client_id: {id}
        name: {id}
        client_secret: {{ value: {SECRET} }}
        redirect_uris: [\"{redirect_uri}\"]
        post_logout_redirect_uris: [\"{logged_out}\"]
        grant_types: [authorization_code, refresh_token]
        scopes: [openid, profile, email, groups, offline_access]
        release: [department]
"
    )
}

const MAPPING: &str = "        mapping:
          claims:
            preferred_username: { from: [uid] }
            groups: { from: [memberOf] }
            department: { from: [department] }
";

async fn through_apache(database: Database) {
    let port = crate::support::free_port();
    let app = format!("http://127.0.0.1:{port}");
    let clients = client("apache", &format!("{app}/protected/redirect_uri"), &format!("{app}/logged-out"));
    let company = Company::start(database, MAPPING, &clients).await;
    let discovery = format!("{}/.well-known/openid-configuration", company.issuer());
    let apache = Peer::start(
        "apache-openidc",
        company.scratch.path(),
        &[
            ("PEER_PORT", &port.to_string()),
            ("OIDC_PROVIDER_METADATA_URL", &discovery),
            ("OIDC_CLIENT_ID", "apache"),
            ("OIDC_CLIENT_SECRET", SECRET),
        ],
    );
    let logout = format!("{app}/logout");
    let report = chromium_login(&[("START_URL", &apache.url), ("LOGIN_USER", "alice"), ("THEN_URLS", &logout)]);
    let claims = &report["json"];
    assert_eq!(claims["peer"], "mod_auth_openidc", "{report:#}");
    let id_token = &claims["id_token"];
    assert_eq!(id_token["iss"], company.issuer());
    assert_eq!(id_token["idp"], "idp");
    assert_eq!(id_token["email"], "alice@acme.example");
    assert_eq!(id_token["email_verified"], true);
    assert_eq!(id_token["name"], "Alice Archer");
    assert_eq!(id_token["groups"][1], "cn=admins,ou=groups,dc=acme,dc=example");
    assert_eq!(id_token["department"], "engineering");
    assert_eq!(claims["userinfo"]["sub"], id_token["sub"]);
    assert_eq!(claims["userinfo"]["email"], "alice@acme.example");
    assert_eq!(report["then"][0]["json"]["logged_out"], true, "{report:#}");

    let (trace, text) = company.newest_trace().await;
    assert_eq!(trace["result"], "success", "{text}");
    for line in ["Audience", "mail", "email", "connection"] {
        assert!(text.contains(line), "the trace does not say {line}:\n{text}");
    }
    let log = company.bridge.log();
    assert!(!log.contains("SAMLResponse") && !log.contains(SECRET), "the log holds what it must not:\n{log}");
}

async fn through_openid_client(database: Database) {
    let port = crate::support::free_port();
    let app = format!("http://127.0.0.1:{port}");
    let clients = client("node", &format!("{app}/callback"), &format!("{app}/logged-out"));
    let company = Company::start(database, MAPPING, &clients).await;
    let rp = Peer::start(
        "openid-client",
        company.scratch.path(),
        &[
            ("PEER_PORT", &port.to_string()),
            ("OIDC_ISSUER", &company.issuer()),
            ("OIDC_CLIENT_ID", "node"),
            ("OIDC_CLIENT_SECRET", SECRET),
        ],
    );
    let then = format!("{app}/refresh {app}/userinfo {app}/logout");
    let report = chromium_login(&[
        ("START_URL", &rp.url),
        ("LOGIN_USER", "bob"),
        ("LOGIN_PASSWORD", "bob-password"),
        ("THEN_URLS", &then),
    ]);
    let claims = &report["json"];
    assert_eq!(claims["peer"], "openid-client", "{report:#}");
    assert_eq!(claims["id_token"]["email"], "bob@acme.example");
    assert_eq!(claims["id_token"]["name"], "Bob \"Bobby\" Bäcker");
    assert_eq!(claims["userinfo"]["department"], "sales & support");
    assert_eq!(claims["has_refresh_token"], true);
    assert_eq!(report["then"][0]["json"]["refreshes"], 1, "{report:#}");
    assert_eq!(report["then"][1]["json"]["sub"], claims["sub"], "{report:#}");
    assert_eq!(report["then"][2]["json"]["logged_out"], true, "{report:#}");
}

#[tokio::test]
async fn apache_on_sqlite() {
    through_apache(Database::Sqlite).await;
}

#[tokio::test]
async fn apache_on_postgres() {
    through_apache(Database::Postgres).await;
}

#[tokio::test]
async fn openid_client_on_sqlite() {
    through_openid_client(Database::Sqlite).await;
}

#[tokio::test]
async fn openid_client_on_postgres() {
    through_openid_client(Database::Postgres).await;
}

/// A login that fails, at the browser: the person sees a plain page, the admin the cause.
async fn failing(knobs: Value, expect_page: &str, expect_cause: &[&str]) {
    let redirect = "http://127.0.0.1:1/callback";
    let mapping = "        mapping:
          claims:
            email: { from: [mail] }
          deny_when: [ { cel: \"!('email' in claims)\", reason: \"no e-mail address came\" } ]
";
    let company = Company::start(Database::Sqlite, mapping, &client("app", redirect, redirect)).await;
    company.idp.turn_knobs(&knobs);
    let start = format!(
        "{}/authorize?client_id=app&response_type=code&scope=openid&redirect_uri={redirect}&code_challenge={}&code_challenge_method=S256",
        company.issuer(),
        "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM",
    );
    let connection = format!("{}/connections/idp/login", company.issuer());
    // Where the app would be told, there is no app to answer: the connection's own address shows a page.
    let start = if expect_page == "may not log in" { connection } else { start };
    let report = chromium_login(&[("START_URL", &start), ("LOGIN_USER", "alice"), ("EXPECT_TEXT", expect_page)]);
    let body = report["body"].as_str().unwrap();
    let (trace, text) = company.newest_trace().await;
    assert_eq!(trace["result"], "refused", "{text}");
    let id = trace["id"].as_str().unwrap();
    assert!(body.contains(id), "the page does not name the trace {id}: {body}");
    for cause in expect_cause {
        assert!(text.contains(cause), "the trace does not say `{cause}`:\n{text}");
        assert!(!body.contains(cause), "the page tells the person `{cause}`:\n{body}");
    }
}

#[tokio::test]
async fn wrong_certificate_is_named() {
    let knobs = serde_json::json!({ "IDP_WRONG_KEY": true });
    failing(knobs, "could not be accepted", &["signature"]).await;
}

#[tokio::test]
async fn wrong_audience_is_named() {
    let knobs = serde_json::json!({ "IDP_AUDIENCE": "https://somebody.else.example/sp" });
    failing(knobs, "could not be accepted", &["Audience", "https://somebody.else.example/sp"]).await;
}

#[tokio::test]
async fn missing_attribute_is_named() {
    let knobs = serde_json::json!({ "IDP_DROP_ATTRIBUTES": "mail" });
    failing(knobs, "may not log in", &["no e-mail address came", "mail"]).await;
}
