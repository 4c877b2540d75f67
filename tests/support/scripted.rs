//! Logins with the scripted identity provider: fast, many, and wrong on purpose.

use fedbridge_contract::services::Clock as _;
use fedbridge_contract::time::Timestamp;
use fedbridge_keys::SystemClock;
use fedbridge_saml::testkit::{Person, ReceivedRequest, ScriptedIdp};
use serde_json::Value;

use super::Scratch;
use super::bridge::{Bridge, Setup};
use super::browser::{Answer, Browser};

pub const SECRET: &str = "scripted-secret-scripted-secret-scripted";
pub const REDIRECT: &str = "http://127.0.0.1:9/callback";
pub const LOGGED_OUT: &str = "http://127.0.0.1:9/logged-out";

/// The verifier and challenge of RFC 7636 appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

pub fn now() -> Timestamp {
    SystemClock.now()
}

pub fn idp() -> ScriptedIdp {
    fedbridge_saml::init().unwrap();
    ScriptedIdp::new("https://idp.example/metadata", "https://idp.example/sso")
}

pub fn alice() -> Person {
    person("alice")
}

pub fn person(name: &str) -> Person {
    Person::new(name).with("mail", &[&format!("{name}@acme.example")]).with("displayName", &[name])
}

/// A bridge file with one connection to the scripted provider and one client.
pub fn bridge_file(scratch: &Scratch, idp: &ScriptedIdp) -> String {
    bridge_file_with(scratch, idp, "", "")
}

/// The same with more settings of the connection and of the client, indented as their keys are.
pub fn bridge_file_with(scratch: &Scratch, idp: &ScriptedIdp, connection: &str, client: &str) -> String {
    let metadata = scratch.write("idp.xml", &idp.metadata());
    format!(
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
      - client_id: app
        name: The App
        client_secret: {{ value: {SECRET} }}
        redirect_uris: [\"{REDIRECT}\"]
        post_logout_redirect_uris: [\"{LOGGED_OUT}\"]
        grant_types: [authorization_code, refresh_token, client_credentials]
        scopes: [openid, profile, email, groups, offline_access, api]
{client}
",
        metadata.display()
    )
}

/// A server with [`bridge_file`] applied, on SQLite.
pub async fn server(idp: &ScriptedIdp) -> (Scratch, Setup, Bridge) {
    server_with(idp, "", "").await
}

pub async fn server_with(idp: &ScriptedIdp, connection: &str, client: &str) -> (Scratch, Setup, Bridge) {
    let scratch = Scratch::new("scripted");
    let setup = Setup::sqlite(scratch.path());
    setup.apply(&scratch, &bridge_file_with(&scratch, idp, connection, client));
    let bridge = setup.serve(&scratch).await;
    (scratch, setup, bridge)
}

/// The client's requests to one node.
#[derive(Clone)]
pub struct App {
    /// `http://host:port/t/acme` of the node that is spoken to.
    pub at: String,
}

impl App {
    pub fn of(bridge: &Bridge) -> Self {
        Self { at: format!("{}/t/acme", bridge.base_url) }
    }

    pub fn authorize_url(&self, more: &str) -> String {
        format!(
            "{}/authorize?client_id=app&response_type=code&redirect_uri={REDIRECT}&state=st%20ate&nonce=n1\
             &scope=openid%20profile%20email%20offline_access&code_challenge={CHALLENGE}&code_challenge_method=S256{more}",
            self.at
        )
    }

    /// Starts a login and gives back what the identity provider received.
    pub async fn to_idp(&self, browser: &mut Browser, more: &str) -> ReceivedRequest {
        let answer = browser.get(&self.authorize_url(more)).await;
        let location = answer.location.unwrap_or_else(|| panic!("no redirect: {} {}", answer.status, answer.body));
        ReceivedRequest::from_redirect(&location).unwrap()
    }

    /// Posts a form at the ACS of this node, whatever its public address is.
    pub async fn post_acs(&self, browser: &mut Browser, form: &[(String, String)]) -> Answer {
        browser.post(&format!("{}/connections/idp/saml/acs", self.at), form).await
    }

    /// A whole login up to the code.
    pub async fn login(&self, browser: &mut Browser, idp: &ScriptedIdp, who: &Person) -> String {
        let request = self.to_idp(browser, "").await;
        let form = idp.answer(&request, who, now()).form(idp, request.relay_state.as_deref()).unwrap();
        let answer = self.post_acs(browser, &form).await;
        assert_eq!(answer.status, 303, "{}", answer.body);
        answer.redirect_param("code")
    }

    /// As [`App::to_idp`], while the server may die.
    pub async fn try_to_idp(&self, browser: &mut Browser) -> Option<ReceivedRequest> {
        let answer = browser.try_get(&self.authorize_url("")).await?;
        ReceivedRequest::from_redirect(&answer.location?).ok()
    }

    /// The code, while the server may die.
    pub async fn try_post_acs(&self, browser: &mut Browser, form: &[(String, String)]) -> Option<String> {
        let answer = browser.try_post(&format!("{}/connections/idp/saml/acs", self.at), form).await?;
        answer.location.as_ref()?;
        Some(answer.redirect_param("code"))
    }

    /// The refresh token, while the server may die.
    pub async fn try_redeem(&self, code: &str) -> Option<String> {
        let form = [
            ("client_id", "app"),
            ("client_secret", SECRET),
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let answer = Browser::new().try_post(&format!("{}/token", self.at), &form).await?;
        Some(answer.json()["refresh_token"].as_str()?.to_owned())
    }

    pub async fn token(&self, fields: &[(&str, &str)]) -> Answer {
        let mut form =
            vec![("client_id".to_owned(), "app".to_owned()), ("client_secret".to_owned(), SECRET.to_owned())];
        form.extend(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Browser::new().post(&format!("{}/token", self.at), &form).await
    }

    pub async fn redeem(&self, code: &str) -> Answer {
        self.token(&[
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ])
        .await
    }

    pub async fn refresh(&self, token: &str) -> Answer {
        self.token(&[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    /// Tokens of a fresh login.
    pub async fn tokens(&self, idp: &ScriptedIdp, who: &Person) -> Value {
        let code = self.login(&mut Browser::new(), idp, who).await;
        let answer = self.redeem(&code).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    pub async fn introspect(&self, token: &str) -> Value {
        let form = [("client_id", "app"), ("client_secret", SECRET), ("token", token)]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        Browser::new().post(&format!("{}/introspect", self.at), &form).await.json()
    }

    pub async fn userinfo(&self, access_token: &str) -> Answer {
        let form = [("access_token".to_owned(), access_token.to_owned())];
        Browser::new().post(&format!("{}/userinfo", self.at), &form).await
    }
}

/// The claims of a compact JWS, unverified: the tests here ask what is in it.
pub fn claims(jwt: &Value) -> Value {
    use base64::Engine as _;
    let payload = jwt.as_str().unwrap().split('.').nth(1).unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}
