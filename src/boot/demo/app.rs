//! The demo's app: it speaks OIDC and nothing else, as the apps that fedbridge is for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fedbridge_contract::http::{HttpInput, Method, Reply, Route};
use fedbridge_contract::services::random_text;
use fedbridge_keys::OpensslRng;
use fedbridge_web::{Found, Handle};
use serde_json::{Value, json};
use url::Url;

#[derive(Clone)]
pub struct DemoApp {
    issuer: String,
    secret: String,
    pub redirect_uri: String,
    start: String,
    http: reqwest::Client,
    /// Code verifiers of logins under way, by `state` (RFC 7636).
    verifiers: Arc<Mutex<BTreeMap<String, String>>>,
}

/// As the demo's bridge file has it.
pub const CLIENT_ID: &str = "demo-app";

/// Logins under way that the demo remembers.
const MOST: usize = 100;

const START: Route = Route { path: "start", methods: &[Method::Get], cors: false };
const CALLBACK: Route = Route { path: "callback", methods: &[Method::Get], cors: false };

impl DemoApp {
    pub fn new(issuer: &str, here: &str, secret: &str) -> anyhow::Result<Self> {
        Ok(Self {
            issuer: issuer.to_owned(),
            secret: secret.to_owned(),
            redirect_uri: format!("{here}/t/demo-app/{}", CALLBACK.path),
            start: format!("{here}/t/demo-app/{}", START.path),
            http: reqwest::Client::builder().no_proxy().build()?,
            verifiers: Arc::default(),
        })
    }

    pub fn start_url(&self) -> String {
        self.start.clone()
    }

    pub fn route(&self, route: &str) -> Option<Found> {
        let route = [START, CALLBACK].into_iter().find(|declared| declared.path == route)?;
        Some(Found { route, last_segment: String::new(), handler: Box::new(self.clone()) })
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
        let mut verifiers = self.verifiers.lock().unwrap_or_else(PoisonError::into_inner);
        if verifiers.len() >= MOST {
            verifiers.pop_first();
        }
        verifiers.insert(state, verifier);
        Ok(url.into())
    }

    /// Redeems the code, and shows what the ID token and userinfo say.
    async fn callback(&self, input: &HttpInput) -> anyhow::Result<Value> {
        let params: BTreeMap<_, _> = input.query_params().into_iter().collect();
        if let Some(error) = params.get("error") {
            return Ok(json!({ "error": error, "error_description": params.get("error_description") }));
        }
        let state = params.get("state").context("no state came back")?;
        let verifier = self.verifiers.lock().unwrap_or_else(PoisonError::into_inner).remove(state);
        let verifier = verifier.context("this login was not started here, or was finished before")?;
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
        Ok(json!({ "id_token": claims, "userinfo": userinfo }))
    }
}

#[async_trait]
impl Handle for DemoApp {
    async fn handle(self: Box<Self>, input: HttpInput) -> Reply {
        if input.route == START.path {
            return match self.authorize() {
                Ok(location) => Reply::redirect(location),
                Err(error) => Reply::body(500, "text/plain", format!("The demo's app: {error}\n")),
            };
        }
        match self.callback(&input).await {
            Ok(claims) => {
                let pretty = serde_json::to_string_pretty(&claims).unwrap_or_default();
                Reply::body(200, "application/json", format!("{pretty}\n"))
            }
            Err(error) => Reply::body(400, "text/plain", format!("The demo's app: {error:#}\n")),
        }
    }
}
