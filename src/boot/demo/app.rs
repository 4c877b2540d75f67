//! The demo's app: it speaks OIDC and nothing else, as the apps that fedbridge is for.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fedbridge_contract::http::{HttpInput, Method, Reply, Route, SameSite, SetCookie};
use fedbridge_contract::services::random_text;
use fedbridge_keys::OpensslRng;
use fedbridge_web::{Found, Handle};
use serde_json::{Value, json};
use url::Url;

#[derive(Clone)]
pub struct DemoApp {
    issuer: String,
    /// Where the app is.
    place: String,
    pub secret: String,
    pub redirect_uri: String,
    pub logged_out_uri: String,
    http: reqwest::Client,
    /// Code verifiers of logins under way, by `state` (RFC 7636).
    verifiers: Kept,
    /// ID tokens of those who are logged in, by the app's own cookie.
    sessions: Kept,
}

/// As the demo's bridge file has it.
pub const CLIENT_ID: &str = "demo-app";

const COOKIE: &str = "demo-app";

const START: Route = Route::new("start", &[Method::Get]);
const CALLBACK: Route = Route::new("callback", &[Method::Get]);
const LOGOUT: Route = Route::new("logout", &[Method::Get]);
const LOGGED_OUT: Route = Route::new("logged-out", &[Method::Get]);

impl DemoApp {
    /// `place` is its own address.
    pub fn new(issuer: &str, place: &str, secret: &str) -> anyhow::Result<Self> {
        Ok(Self {
            issuer: issuer.to_owned(),
            place: place.to_owned(),
            secret: secret.to_owned(),
            redirect_uri: format!("{place}/{}", CALLBACK.path),
            logged_out_uri: format!("{place}/{}", LOGGED_OUT.path),
            http: reqwest::Client::builder().no_proxy().build()?,
            verifiers: Kept::default(),
            sessions: Kept::default(),
        })
    }

    /// Where a login begins.
    pub fn start_url(&self) -> String {
        format!("{}/{}", self.place, START.path)
    }

    /// Where a logout begins.
    pub fn logout_url(&self) -> String {
        format!("{}/{}", self.place, LOGOUT.path)
    }

    pub fn route(&self, route: &str) -> Option<Found> {
        let route = [START, CALLBACK, LOGOUT, LOGGED_OUT].into_iter().find(|declared| declared.path == route)?;
        Some(Found { route, rest: String::new(), handler: Box::new(self.clone()) })
    }

    /// The authorization request: code flow with PKCE.
    fn authorize(&self) -> anyhow::Result<String> {
        let (state, verifier) = (random_text::<16>(&OpensslRng), random_text::<32>(&OpensslRng));
        let challenge = URL_SAFE_NO_PAD.encode(openssl::sha::sha256(verifier.as_bytes()));
        let mut url = Url::parse(&format!("{}/authorize", self.issuer))?;
        url.query_pairs_mut()
            .append_pair("client_id", CLIENT_ID)
            .append_pair("response_type", "code")
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("scope", "openid profile email groups")
            .append_pair("state", &state)
            .append_pair("code_challenge", &challenge)
            .append_pair("code_challenge_method", "S256");
        self.verifiers.put(state, verifier);
        Ok(url.into())
    }

    /// Redeems the code, keeps the ID token for the logout, and shows what it and userinfo say.
    async fn callback(&self, input: &HttpInput) -> anyhow::Result<Reply> {
        let params: BTreeMap<_, _> = input.query_params().into_iter().collect();
        if let Some(error) = params.get("error") {
            return Ok(shown(&json!({ "error": error, "error_description": params.get("error_description") })));
        }
        let state = params.get("state").context("no state came back")?;
        let verifier = self.verifiers.take(state).context("this login was not started here, or was finished before")?;
        let body: String = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "authorization_code")
            .append_pair("client_id", CLIENT_ID)
            .append_pair("client_secret", &self.secret)
            .append_pair("code", params.get("code").context("no code came")?)
            .append_pair("redirect_uri", &self.redirect_uri)
            .append_pair("code_verifier", &verifier)
            .finish();
        let request = self.http.post(format!("{}/token", self.issuer)).body(body);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let tokens: Value = serde_json::from_str(&request.send().await?.text().await?)?;
        let id_token = tokens["id_token"].as_str().with_context(|| format!("no ID token came: {tokens}"))?;
        let payload = id_token.split('.').nth(1).context("the ID token is no JWS")?;
        let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload)?)?;
        let access_token = tokens["access_token"].as_str().unwrap_or_default();
        let userinfo = self.http.get(format!("{}/userinfo", self.issuer)).bearer_auth(access_token).send().await?;
        let userinfo: Value = serde_json::from_str(&userinfo.text().await?)?;
        let session = random_text::<16>(&OpensslRng);
        self.sessions.put(session.clone(), id_token.to_owned());
        Ok(shown(&json!({ "id_token": claims, "userinfo": userinfo })).with_cookie(cookie(session)))
    }

    /// Ends the app's own session, and asks the bridge to end its own (OpenID Connect RP-Initiated Logout 1.0).
    fn log_out(&self, input: &HttpInput) -> anyhow::Result<Reply> {
        let id_token = input.cookie(COOKIE).and_then(|session| self.sessions.take(session));
        let id_token = id_token.context("nobody is logged in here in this browser")?;
        let mut url = Url::parse(&format!("{}/logout", self.issuer))?;
        url.query_pairs_mut()
            .append_pair("id_token_hint", &id_token)
            .append_pair("post_logout_redirect_uri", &self.logged_out_uri);
        Ok(Reply::redirect(url).with_cookie(cookie(String::new())))
    }
}

fn cookie(value: String) -> SetCookie {
    SetCookie { name: COOKIE.to_owned(), value, max_age_seconds: None, same_site: SameSite::Lax }
}

fn shown(value: &Value) -> Reply {
    Reply::body(200, "application/json", format!("{value:#}\n"))
}

/// What the app remembers between requests: the oldest is forgotten when there is too much of it.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<VecDeque<(String, String)>>>);

const MOST: usize = 100;

impl Kept {
    fn put(&self, key: String, value: String) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= MOST {
            kept.pop_front();
        }
        kept.push_back((key, value));
    }

    fn take(&self, key: &str) -> Option<String> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(known, _)| known == key)?;
        kept.remove(at).map(|(_, value)| value)
    }
}

#[async_trait]
impl Handle for DemoApp {
    async fn handle(self: Box<Self>, input: HttpInput) -> Reply {
        let reply = match input.route {
            route if route == START.path => self.authorize().map(Reply::redirect),
            route if route == LOGOUT.path => self.log_out(&input),
            route if route == LOGGED_OUT.path => Ok(shown(&json!({ "logged_out": true }))),
            _ => self.callback(&input).await,
        };
        reply.unwrap_or_else(|error| Reply::body(400, "text/plain", format!("The demo's app: {error:#}\n")))
    }
}
