//! A complete login, as a browser and an app do it together: authorize, the answer of
//! the company's provider, code, token, userinfo.

use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use fedbridge_contract::services::random_text;
use fedbridge_keys::OpensslRng;
use fedbridge_saml::testkit::Person;
use openssl::sha::sha256;
use serde_json::Value;
use url::Url;
use url::form_urlencoded::byte_serialize;

use crate::http::{self, Connection};
use crate::numbers::{Latencies, nanos};

pub const TENANT: &str = "bench";
pub const APP: &str = "app";
pub const SERVICE: &str = "service";
/// A secret of this run's own tenant, which is gone at its end.
pub const SECRET: &str = "bench-secret-bench-secret-bench-secret";
pub const REDIRECT_URI: &str = "https://app.example/callback";

/// Where logins go.
#[derive(Clone)]
pub struct Company {
    /// The server's `host:port`.
    pub host: String,
    /// The tenant's slug.
    pub tenant: String,
}

/// A provider of the company, as the browser meets it.
pub trait Upstream {
    /// Of its connection.
    fn slug(&self) -> &str;

    /// What the browser brings back to the server, which sent it to `location` with these cookies.
    fn answer(&self, company: &Company, location: &str, cookies: &str, person: &Person) -> anyhow::Result<Vec<u8>>;
}

/// What the app, and the browser, have at the end of a login.
pub struct LoggedIn {
    pub sub: String,
    pub id_token: String,
    pub access_token: String,
    pub refresh_token: String,
    /// The browser's session, as it sends it back.
    pub cookies: String,
}

/// Latencies of the four requests of a login.
#[derive(Default)]
pub struct Steps(Mutex<[Vec<u32>; 4]>);

pub const STEPS: [&str; 4] = ["authorize", "answer", "token", "userinfo"];

impl Steps {
    pub fn latencies(self) -> [Latencies; 4] {
        self.0.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).map(Latencies::new)
    }

    fn add(&self, waited: [Duration; 4]) {
        let mut all = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (list, waited) in all.iter_mut().zip(waited) {
            list.push(nanos(waited));
        }
    }
}

impl Company {
    pub fn login(
        &self,
        connection: &mut Connection,
        upstream: &impl Upstream,
        person: &Person,
        steps: &Steps,
    ) -> anyhow::Result<LoggedIn> {
        let flow = Flow::new();
        let mut waited = [Duration::ZERO; 4];
        connection.take_waited();

        let answer = connection.call(&self.authorize(upstream.slug(), &flow, ""))?.expect(303).context("authorize")?;
        let (location, cookies) = (answer.location()?, answer.cookies());
        waited[0] = connection.take_waited();

        let request = upstream.answer(self, &location, &cookies, person)?;
        let answer = connection.call(&request)?.expect(303).context("the provider's answer")?;
        let (code, cookies) = (flow.code(&answer.location()?)?, answer.cookies());
        waited[1] = connection.take_waited();

        let answer = connection.call(&self.redeem(&flow, &code))?.expect(200).context("token")?;
        let logged_in = flow.tokens(answer.body, cookies)?;
        waited[2] = connection.take_waited();

        let answer = connection.call(&self.userinfo(&logged_in.access_token))?.expect(200).context("userinfo")?;
        let claims: Value = serde_json::from_slice(answer.body).context("the userinfo answer is not JSON")?;
        waited[3] = connection.take_waited();
        ensure!(claims["sub"] == *logged_in.sub, "userinfo tells of another person than the ID token");
        let mail = person.attributes.first().and_then(|(_, values)| values.first());
        ensure!(claims["email"].as_str() == mail.map(String::as_str), "userinfo has another email: {claims}");
        steps.add(waited);
        connection.add_waited(waited.iter().sum());
        Ok(logged_in)
    }

    /// The app's request for a login by one connection. `fields` are whole header lines.
    pub fn authorize(&self, slug: &str, flow: &Flow, fields: &str) -> Vec<u8> {
        let challenge = URL_SAFE_NO_PAD.encode(sha256(flow.verifier.as_bytes()));
        let path = format!(
            "/t/{}/authorize?client_id={APP}&response_type=code&redirect_uri={}\
             &scope=openid%20profile%20email%20groups%20offline_access&state={}&nonce={}\
             &code_challenge={challenge}&code_challenge_method=S256&connection={slug}",
            self.tenant,
            encoded(REDIRECT_URI),
            flow.state,
            flow.nonce,
        );
        http::get(&self.host, &path, fields)
    }

    pub fn redeem(&self, flow: &Flow, code: &str) -> Vec<u8> {
        let body = format!(
            "grant_type=authorization_code&code={}&redirect_uri={}&code_verifier={}",
            encoded(code),
            encoded(REDIRECT_URI),
            flow.verifier
        );
        self.post("token", APP, &body)
    }

    /// A form that a client posts.
    pub fn post(&self, endpoint: &str, client: &str, body: &str) -> Vec<u8> {
        http::post(&self.host, &format!("/t/{}/{endpoint}", self.tenant), &basic(client), body)
    }

    pub fn userinfo(&self, access_token: &str) -> Vec<u8> {
        let fields = format!("authorization: Bearer {access_token}\r\n");
        http::get(&self.host, &format!("/t/{}/userinfo", self.tenant), &fields)
    }
}

/// What the app keeps while a login is under way.
pub struct Flow {
    verifier: String,
    state: String,
    nonce: String,
}

impl Flow {
    pub fn new() -> Self {
        let rng = &OpensslRng;
        Self { verifier: random_text::<32>(rng), state: random_text::<16>(rng), nonce: random_text::<16>(rng) }
    }

    /// The code that the browser was sent back with.
    pub fn code(&self, location: &str) -> anyhow::Result<String> {
        ensure!(location.starts_with(REDIRECT_URI), "the browser was sent to {location}");
        let url = Url::parse(location)?;
        let parameter = |name| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        if parameter("state").as_ref() != Some(&self.state) {
            bail!("the app got another state: {location}");
        }
        parameter("code").with_context(|| format!("the app got no code: {location}"))
    }

    /// What the token endpoint answered, with the session's cookies.
    pub fn tokens(&self, answer: &[u8], cookies: String) -> anyhow::Result<LoggedIn> {
        let answer: Value = serde_json::from_slice(answer).context("the token answer is not JSON")?;
        let text = |name: &str| {
            let text = answer[name].as_str().map(str::to_owned);
            text.with_context(|| format!("the token answer has no {name}"))
        };
        let id_token = text("id_token")?;
        let claims = id_token_claims(&id_token)?;
        ensure!(claims["nonce"] == *self.nonce, "the ID token has another nonce");
        let sub = claims["sub"].as_str().context("the ID token has no sub")?.to_owned();
        let (access_token, refresh_token) = (text("access_token")?, text("refresh_token")?);
        Ok(LoggedIn { sub, id_token, access_token, refresh_token, cookies })
    }
}

/// The claims alone: signatures are other tests' matter, and this is the load's own CPU.
fn id_token_claims(token: &str) -> anyhow::Result<Value> {
    let payload = token.split('.').nth(1).context("the ID token is no JWT")?;
    Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload)?)?)
}

/// The header line of a client that authenticates with its secret (RFC 6749 section 2.3.1).
pub fn basic(client: &str) -> String {
    format!("authorization: Basic {}\r\n", STANDARD.encode(format!("{client}:{SECRET}")))
}

pub fn encoded(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}
