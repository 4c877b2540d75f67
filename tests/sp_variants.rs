//! Real identity providers in front of the bridge, signing and sending in every way that they can.

use serde_json::{Value, json};

use crate::support::bridge::{Bridge, Setup};
use crate::support::browser::{Answer, Browser};
use crate::support::peers::Peer;
use crate::support::scripted::{App, LOGGED_OUT, REDIRECT, SECRET, claims};
use crate::support::{Scratch, eventually, free_port};

const START: &str = "http://127.0.0.1:9/start";

/// What traces say where an answer that nobody asked for was verified, and where we asked for one.
const ACCEPTED: &str = "Age of the unsolicited answer";
const ASKED: &str = "sent AuthnRequest";

/// A company with one real identity provider.
struct Company {
    scratch: Scratch,
    setup: Setup,
    bridge: Bridge,
    idp: Peer,
    app: App,
    /// The bridge file without further apps.
    file: String,
}

impl Company {
    async fn start(peer: &str, settings: &[(&str, &str)], connection: &str) -> Self {
        Self::having(peer, settings, connection, "").await
    }

    /// `apps`: further clients as YAML in their list, and what may follow it.
    async fn having(peer: &str, settings: &[(&str, &str)], connection: &str, apps: &str) -> Self {
        let scratch = Scratch::new("variant");
        let setup = Setup::sqlite(scratch.path());
        let sp_metadata = format!("{}/t/acme/connections/idp/saml/metadata", setup.base_url);
        let mut settings = settings.to_vec();
        settings.push(("SP_METADATA_URL", &sp_metadata));
        let idp = Peer::start(peer, scratch.path(), &settings);
        let file = format!(
            "version: 1
tenants:
  - slug: acme
    display_name: Acme
    connections:
      - slug: idp
        protocol: saml
        idp_metadata: {{ file: {} }}
        mapping:
          claims:
            email: {{ from: [mail, 'urn:oid:0.9.2342.19200300.100.1.3'] }}
            name: {{ from: [displayName, 'urn:oid:2.16.840.1.113730.3.1.241'] }}
{connection}
    clients:
      - client_id: app
        client_secret: {{ value: {SECRET} }}
        redirect_uris: [\"{REDIRECT}\"]
        post_logout_redirect_uris: [\"{LOGGED_OUT}\"]
        initiate_login_uri: {START}
        grant_types: [authorization_code, refresh_token]
        scopes: [openid, profile, email, offline_access]
",
            idp.dir.join("idp-metadata.xml").display()
        );
        setup.apply(&scratch, &(file.clone() + apps));
        let bridge = setup.serve(&scratch).await;
        let app = App::of(&bridge);
        Self { scratch, setup, bridge, idp, app, file }
    }

    /// Puts another bridge file in force, with `more` at its end, and waits until the server has it.
    async fn change(&self, from: &str, to: &str, more: &str) {
        assert!(self.file.contains(from));
        let file = self.file.replacen(from, to, 1) + more;
        self.bridge.takes_over(|| drop(self.setup.apply(&self.scratch, &file))).await;
    }

    /// A login of Alice by a fresh browser, up to the claims that the app learns.
    async fn login(&self) -> Value {
        let mut browser = Browser::new();
        let page = browser.visit(&self.app.authorize_url("")).await;
        let back = browser.log_in(&page, "alice").await;
        self.claims_of(&back).await
    }

    async fn claims_of(&self, back: &Answer) -> Value {
        assert!(
            back.location.as_ref().is_some_and(|location| location.contains("code=")),
            "no code at {} ({}): {:?} {}\n{}",
            back.url,
            back.status,
            back.location,
            back.body,
            self.why().await,
        );
        let tokens = self.app.redeem(&back.redirect_param("code")).await;
        assert_eq!(tokens.status, 200, "{}", tokens.body);
        claims(&tokens.json()["id_token"])
    }

    /// What the newest trace says, for a test that fails.
    async fn why(&self) -> String {
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        let list: Value = serde_json::from_str(&self.setup.ok(&["trace", "list", "--json"])).unwrap();
        match list[0]["id"].as_str() {
            Some(id) => self.setup.ok(&["trace", "show", id]),
            None => self.bridge.log(),
        }
    }

    /// Every way of signing logs Alice in; no signature at all does not.
    async fn signs_in_every_way(&self) {
        for sign in ["assertion", "response", "both"] {
            self.idp.turn_knobs(&json!({ "IDP_SIGN": sign }));
            let claims = self.login().await;
            assert_eq!(claims["email"], "alice@acme.example", "{sign}: {claims:#}");
            assert_eq!(claims["name"], "Alice Archer", "{sign}: {claims:#}");
        }
        self.idp.turn_knobs(&json!({ "IDP_SIGN": "none" }));
        let mut browser = Browser::new();
        let page = browser.visit(&self.app.authorize_url("")).await;
        let refused = browser.log_in(&page, "alice").await;
        assert_eq!((refused.status, refused.location), (400, None));
        let recorded = "a trace says what was signed";
        eventually(recorded, async || self.all_traces().contains("✗ What is signed").then_some(())).await;
    }

    /// The login begins at the identity provider; ours begins anew there, and ends at the app's own start.
    async fn bounces(&self, start: &str) {
        let mut browser = Browser::new();
        let page = browser.visit(start).await;
        let back = browser.log_in(&page, "alice").await;
        let Some(location) = &back.location else {
            panic!("no redirect at {} ({}): {}\n{}", back.url, back.status, back.body, self.why().await)
        };
        assert!(location.starts_with(START), "{location}");
        assert_eq!(back.redirect_param("iss"), self.app.at);
        let traces = self.traces_with(ASKED).await;
        assert!(!traces.contains(ACCEPTED), "{traces}");
        // The session is there: the app gets its code at once.
        let back = browser.visit(&self.app.authorize_url("")).await;
        assert_eq!(self.claims_of(&back).await["email"], "alice@acme.example");
    }

    /// A login that begins at the identity provider, up to a real app's own page; its answer was accepted, and
    /// the identity provider was not asked again.
    async fn accepts(&self, browser: &mut Browser, start: &str) -> Answer {
        let page = browser.visit(start).await;
        let back = browser.log_in(&page, "alice").await;
        assert_eq!(back.status, 200, "{} {:?}: {}\n{}", back.url, back.location, back.body, self.why().await);
        let traces = self.traces_with(ACCEPTED).await;
        assert!(!traces.contains(ASKED), "{traces}");
        back
    }

    /// All traces, as soon as one of them says so: they are written in batches.
    async fn traces_with(&self, line: &str) -> String {
        let found = async || Some(self.all_traces()).filter(|traces| traces.contains(line));
        eventually(&format!("a trace says `{line}`"), found).await
    }

    fn all_traces(&self) -> String {
        let list: Value = serde_json::from_str(&self.setup.ok(&["trace", "list", "--json"])).unwrap();
        let ids = list.as_array().unwrap().iter().map(|row| row["id"].as_str().unwrap());
        ids.map(|id| self.setup.ok(&["trace", "show", id])).collect()
    }

    /// The app's logout reaches the identity provider, and comes back to the app.
    async fn logs_out_from_here(&self) {
        let mut browser = Browser::new();
        let page = browser.visit(&self.app.authorize_url("")).await;
        let back = browser.log_in(&page, "alice").await;
        let tokens = self.app.redeem(&back.redirect_param("code")).await.json();
        let id_token = tokens["id_token"].as_str().unwrap();
        let out = browser
            .visit(&format!(
                "{}/logout?id_token_hint={id_token}&post_logout_redirect_uri={LOGGED_OUT}&state=bye",
                self.app.at
            ))
            .await;
        assert_eq!(
            out.location.as_deref(),
            Some(format!("{LOGGED_OUT}?state=bye").as_str()),
            "{} ({}): {}\n{}",
            out.url,
            out.status,
            out.body,
            self.why().await
        );
        self.asks_for_the_password(&mut browser).await;
    }

    /// A logout that begins at the identity provider ends our session.
    async fn logs_out_from_there(&self, start: &str) {
        let mut browser = Browser::new();
        let page = browser.visit(&self.app.authorize_url("")).await;
        let back = browser.log_in(&page, "alice").await;
        self.claims_of(&back).await;
        let out = browser.visit(start).await;
        assert_eq!(out.status, 200, "{}: {}\n{}", out.url, out.body, self.why().await);
        self.asks_for_the_password(&mut browser).await;
    }

    /// Neither the bridge nor the identity provider knows this browser.
    async fn asks_for_the_password(&self, browser: &mut Browser) {
        let page = browser.visit(&self.app.authorize_url("")).await;
        assert!(page.body.contains("password"), "somebody is still logged in: {:?}\n{}", page, self.why().await);
    }
}

#[tokio::test]
async fn simplesamlphp_answers_by_artifact() {
    let connection = "        response_binding: artifact";
    let company = Company::start("simplesamlphp", &[("IDP_ARTIFACT", "1")], connection).await;
    assert_eq!(company.login().await["email"], "alice@acme.example");
}

#[tokio::test]
async fn pysaml2_answers_by_artifact() {
    let company = Company::start("pysaml2-idp", &[], "        response_binding: artifact").await;
    assert_eq!(company.login().await["email"], "alice@acme.example");
}

#[tokio::test]
async fn simplesamlphp_logs_out_from_both_ends() {
    let company = Company::start("simplesamlphp", &[], "").await;
    company.logs_out_from_here().await;
    let start = company.idp.url.replace("metadata.php", "initSLO.php?RelayState=/simplesaml/logout.php");
    company.logs_out_from_there(&start).await;
}

#[tokio::test]
async fn pysaml2_logs_out_from_both_ends() {
    let company = Company::start("pysaml2-idp", &[], "").await;
    company.logs_out_from_here().await;
    let start = company.idp.url.replace("/metadata", "/logout");
    for way in ["redirect", "post", "soap"] {
        company.idp.turn_knobs(&json!({ "IDP_LOGOUT_BY": way }));
        company.logs_out_from_there(&start).await;
    }
}

const BOUNCE: &str = "        allow_idp_initiated: { client: app }";

#[tokio::test]
async fn simplesamlphp_signs_in_every_way() {
    Company::start("simplesamlphp", &[], "").await.signs_in_every_way().await;
}

#[tokio::test]
async fn pysaml2_signs_in_every_way() {
    Company::start("pysaml2-idp", &[], "").await.signs_in_every_way().await;
}

/// SimpleSAMLphp can only encrypt with AES-CBC, which the connection must allow.
#[tokio::test]
async fn simplesamlphp_encrypts() {
    let company = Company::start("simplesamlphp", &[("IDP_ENCRYPT", "1")], "        allow_cbc: true").await;
    assert_eq!(company.login().await["email"], "alice@acme.example");
}

#[tokio::test]
async fn pysaml2_encrypts() {
    let company = Company::start("pysaml2-idp", &[("IDP_ENCRYPT", "1")], "").await;
    for sign in ["assertion", "response", "both"] {
        company.idp.turn_knobs(&json!({ "IDP_SIGN": sign }));
        assert_eq!(company.login().await["email"], "alice@acme.example", "{sign}");
    }
}

#[tokio::test]
async fn simplesamlphp_begins_a_login() {
    let company = Company::start("simplesamlphp", &[], BOUNCE).await;
    company.bounces(&at_simplesamlphp(&company)).await;
}

#[tokio::test]
async fn pysaml2_begins_a_login() {
    let company = Company::start("pysaml2-idp", &[], BOUNCE).await;
    company.bounces(&at_pysaml2(&company)).await;
}

/// An answer that nobody asked for is accepted, and the client starts its own login at its
/// `initiate_login_uri`; the session is there.
async fn ends_in_a_client(peer: &str, start: impl Fn(&Company) -> String) {
    let port = free_port();
    let origin = format!("http://127.0.0.1:{port}");
    let client = format!(
        "      - client_id: desk
        client_secret: {{ value: {SECRET} }}
        redirect_uris: [\"{origin}/callback\"]
        initiate_login_uri: {origin}/login
        scopes: [openid, profile, email]
"
    );
    let accept = "        allow_idp_initiated: { client: desk, mode: accept }";
    let company = Company::having(peer, &[], accept, &client).await;
    let port = port.to_string();
    let settings = [
        ("PEER_PORT", port.as_str()),
        ("OIDC_ISSUER", &company.app.at),
        ("OIDC_CLIENT_ID", "desk"),
        ("OIDC_CLIENT_SECRET", SECRET),
        ("OIDC_SCOPES", "openid profile email"),
    ];
    let _desk = Peer::start("openid-client", company.scratch.path(), &settings);
    let back = company.accepts(&mut Browser::new(), &start(&company)).await;
    assert!(back.url.starts_with(&origin), "{}", back.url);
    assert_eq!(back.json()["id_token"]["email"], "alice@acme.example", "{}", back.body);
}

/// The same, where the app speaks SAML: it gets a response that it did not ask for either.
async fn ends_in_a_service_provider(peer: &str, start: impl Fn(&Company) -> String) {
    let accept = "        allow_idp_initiated: { service_provider: wiki, mode: accept }";
    let company = Company::start(peer, &[], "").await;
    let metadata = format!("{}/saml/metadata", company.app.at);
    let wiki = Peer::start("apache-mellon", company.scratch.path(), &[("IDP_METADATA_URL", &metadata)]);
    let provider = format!(
        "    service_providers:
      - slug: wiki
        sp_metadata: {{ file: {} }}
        attributes: {{ mail: email }}
        unsolicited: true
        default_relay_state: \"{}\"
",
        wiki.dir.join("sp-metadata.xml").display(),
        wiki.url
    );
    company.change("    clients:\n", &format!("{accept}\n    clients:\n"), &provider).await;
    let back = company.accepts(&mut Browser::new(), &start(&company)).await;
    assert_eq!(back.url, wiki.url);
    assert_eq!(back.json()["attributes"]["mail"][0], "alice@acme.example", "{}", back.body);
}

fn at_simplesamlphp(company: &Company) -> String {
    let sso = company.idp.url.replace("metadata.php", "SSOService.php");
    format!("{sso}?spentityid={}/connections/idp/saml/metadata", company.app.at)
}

fn at_pysaml2(company: &Company) -> String {
    company.idp.url.replace("/metadata", "/start")
}

#[tokio::test]
async fn simplesamlphp_begins_a_login_at_a_client() {
    ends_in_a_client("simplesamlphp", at_simplesamlphp).await;
}

#[tokio::test]
async fn pysaml2_begins_a_login_at_a_client() {
    ends_in_a_client("pysaml2-idp", at_pysaml2).await;
}

#[tokio::test]
async fn simplesamlphp_begins_a_login_at_a_service_provider() {
    ends_in_a_service_provider("simplesamlphp", at_simplesamlphp).await;
}

#[tokio::test]
async fn pysaml2_begins_a_login_at_a_service_provider() {
    ends_in_a_service_provider("pysaml2-idp", at_pysaml2).await;
}
