//! A complete login, as a browser and an app do it together: authorize, the
//! identity provider's signed Response at the ACS, code, token, userinfo.

use std::sync::Mutex;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use fedbridge_contract::services::{Clock as _, random_text};
use fedbridge_keys::{OpensslRng, SystemClock};
use fedbridge_saml::testkit::{Person, ReceivedRequest, ScriptedIdp};
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
const REDIRECT_URI: &str = "https://app.example/callback";

/// The two connections; they differ in `sign_requests`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Requests {
    Unsigned,
    Signed,
}

impl Requests {
    pub fn slug(self) -> &'static str {
        match self {
            Self::Unsigned => "unsigned",
            Self::Signed => "signed",
        }
    }

    pub fn idp(self) -> ScriptedIdp {
        let host = format!("https://{}.idp.example", self.slug());
        ScriptedIdp::new(host.clone(), format!("{host}/sso"))
    }
}

/// Where logins go.
pub struct Company {
    /// The server's `host:port`.
    pub host: String,
}

/// What the app has at the end of a login.
pub struct LoggedIn {
    pub sub: String,
    pub access_token: String,
    pub refresh_token: String,
}

/// Latencies of the four requests of a login.
#[derive(Default)]
pub struct Steps(Mutex<[Vec<u32>; 4]>);

pub const STEPS: [&str; 4] = ["authorize", "acs", "token", "userinfo"];

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

/// Somebody with the attributes that companies send.
pub fn person(number: usize) -> Person {
    Person::new(format!("person-{number}"))
        .with("mail", &[&format!("person-{number}@bench.example")])
        .with("givenName", &["Pat"])
        .with("sn", &[&format!("Person {number}")])
        .with("displayName", &[&format!("Pat Person {number}")])
        .with(
            "memberOf",
            &[
                "cn=employees,ou=groups,dc=bench,dc=example",
                "cn=engineering,ou=groups,dc=bench,dc=example",
                "cn=on-call,ou=groups,dc=bench,dc=example",
            ],
        )
}

/// The same with attributes until there are this many.
pub fn person_with(number: usize, attributes: usize) -> Person {
    let mut person = person(number);
    let value = "a value as long as those that directories hold for the people of a company: 0123456789";
    for at in person.attributes.len()..attributes {
        person = person.with(format!("urn:oid:1.3.6.1.4.1.99999.1.{at}"), &[value]);
    }
    person
}

impl Company {
    pub fn login(
        &self,
        connection: &mut Connection,
        requests: Requests,
        idp: &ScriptedIdp,
        person: &Person,
        steps: &Steps,
    ) -> anyhow::Result<LoggedIn> {
        let flow = Flow::new();
        let mut waited = [Duration::ZERO; 4];
        connection.take_waited();

        let answer = connection.call(&self.authorize(requests, &flow))?.expect(303).context("authorize")?;
        let (location, cookies) = (answer.location()?, answer.cookies());
        waited[0] = connection.take_waited();

        let form = response_form(idp, &location, person)?;
        let path = format!("/t/{TENANT}/connections/{}/saml/acs", requests.slug());
        let request = http::post(&self.host, &path, &format!("cookie: {cookies}\r\n"), &form);
        let answer = connection.call(&request)?.expect(303).context("ACS")?;
        let code = flow.code(&answer.location()?)?;
        waited[1] = connection.take_waited();

        let answer = connection.call(&self.redeem(&flow, &code))?.expect(200).context("token")?;
        let tokens: Value = serde_json::from_slice(answer.body).context("the token answer is not JSON")?;
        let logged_in = flow.tokens(&tokens)?;
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

    fn authorize(&self, requests: Requests, flow: &Flow) -> Vec<u8> {
        let challenge = URL_SAFE_NO_PAD.encode(sha256(flow.verifier.as_bytes()));
        let path = format!(
            "/t/{TENANT}/authorize?client_id={APP}&response_type=code&redirect_uri={}\
             &scope=openid%20profile%20email%20groups%20offline_access&state={}&nonce={}\
             &code_challenge={challenge}&code_challenge_method=S256&connection={}",
            encoded(REDIRECT_URI),
            flow.state,
            flow.nonce,
            requests.slug(),
        );
        http::get(&self.host, &path, "")
    }

    fn redeem(&self, flow: &Flow, code: &str) -> Vec<u8> {
        let body = format!(
            "grant_type=authorization_code&code={}&redirect_uri={}&code_verifier={}",
            encoded(code),
            encoded(REDIRECT_URI),
            flow.verifier
        );
        http::post(&self.host, &format!("/t/{TENANT}/token"), &basic(APP), &body)
    }

    pub fn userinfo(&self, access_token: &str) -> Vec<u8> {
        let fields = format!("authorization: Bearer {access_token}\r\n");
        http::get(&self.host, &format!("/t/{TENANT}/userinfo"), &fields)
    }
}

/// What the app keeps while a login is under way.
struct Flow {
    verifier: String,
    state: String,
    nonce: String,
}

impl Flow {
    fn new() -> Self {
        let rng = &OpensslRng;
        Self { verifier: random_text::<32>(rng), state: random_text::<16>(rng), nonce: random_text::<16>(rng) }
    }

    fn code(&self, location: &str) -> anyhow::Result<String> {
        ensure!(location.starts_with(REDIRECT_URI), "the browser was sent to {location}");
        let url = Url::parse(location)?;
        let parameter = |name| url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
        if parameter("state").as_ref() != Some(&self.state) {
            bail!("the app got another state: {location}");
        }
        parameter("code").with_context(|| format!("the app got no code: {location}"))
    }

    fn tokens(&self, answer: &Value) -> anyhow::Result<LoggedIn> {
        let text = |name: &str| {
            let text = answer[name].as_str().map(str::to_owned);
            text.with_context(|| format!("the token answer has no {name}"))
        };
        let claims = id_token_claims(&text("id_token")?)?;
        ensure!(claims["nonce"] == *self.nonce, "the ID token has another nonce");
        let sub = claims["sub"].as_str().context("the ID token has no sub")?.to_owned();
        Ok(LoggedIn { sub, access_token: text("access_token")?, refresh_token: text("refresh_token")? })
    }
}

/// The claims alone: signatures are other tests' matter, and this is the load's own CPU.
fn id_token_claims(token: &str) -> anyhow::Result<Value> {
    let payload = token.split('.').nth(1).context("the ID token is no JWT")?;
    Ok(serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload)?)?)
}

/// The identity provider's part: reads the request and signs an answer.
fn response_form(idp: &ScriptedIdp, location: &str, person: &Person) -> anyhow::Result<String> {
    let request = ReceivedRequest::from_redirect(location)?;
    let fields = idp.answer(&request, person, SystemClock.now()).form(idp, request.relay_state.as_deref())?;
    let pairs: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
    Ok(pairs.join("&"))
}

/// A Response of the same shape as those of the logins.
pub fn sample_response(host: &str, person: &Person) -> anyhow::Result<String> {
    let base = format!("http://{host}/t/{TENANT}/connections/unsigned/saml");
    let request = ReceivedRequest {
        id: format!("_{}", "0".repeat(32)),
        issuer: format!("{base}/metadata"),
        acs: Some(format!("{base}/acs")),
        ..ReceivedRequest::default()
    };
    let idp = Requests::Unsigned.idp();
    Ok(idp.answer(&request, person, SystemClock.now()).build(&idp)?)
}

/// The header line of a client that authenticates with its secret (RFC 6749 section 2.3.1).
pub fn basic(client: &str) -> String {
    format!("authorization: Basic {}\r\n", STANDARD.encode(format!("{client}:{SECRET}")))
}

pub fn encoded(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}

/// The bridge file; the metadata files lie beside it.
pub fn bridge_file() -> String {
    let connection = |requests: Requests| {
        format!(
            "      - slug: {slug}
        protocol: saml
        idp_metadata: {{ file: {slug}.xml }}
        sign_requests: {signed}
        mapping:
          claims:
            groups: {{ from: [memberOf] }}
",
            slug = requests.slug(),
            signed = requests == Requests::Signed,
        )
    };
    format!(
        "version: 1
tenants:
  - slug: {TENANT}
    display_name: Bench
    domains: [bench.example]
    connections:
{}{}    clients:
      - client_id: {APP}
        client_secret: {{ value: {SECRET} }}
        redirect_uris: [\"{REDIRECT_URI}\"]
        grant_types: [authorization_code, refresh_token]
        scopes: [openid, profile, email, groups, offline_access]
      - client_id: {SERVICE}
        client_secret: {{ value: {SECRET} }}
        grant_types: [client_credentials]
        scopes: [api]
",
        connection(Requests::Unsigned),
        connection(Requests::Signed),
    )
}
