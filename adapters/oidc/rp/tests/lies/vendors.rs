//! A login of each product, in the shape that its documentation gives it, and what may not pass there: the files of
//! fixtures/oidc-vendors. Keys, times, nonce and hashes are filled in here.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fedbridge_contract::factory::{AdapterFactory as _, Open};
use fedbridge_contract::http::{HttpInput, Method};
use fedbridge_contract::identity::AuthenticatedIdentity;
use fedbridge_contract::ids::{ConnectionId, TransactionId};
use fedbridge_contract::proof::Minter;
use fedbridge_contract::services::{Egress, EgressError, EgressGet, EgressLimits, EgressPost, Fetched};
use fedbridge_contract::trace::TraceLog;
use fedbridge_contract::upstream::{Answer, Challenge, LoginOutcome, LoginWish, Start};
use fedbridge_oidc_core::testkit::{KeyKind, OpKey};
use fedbridge_oidc_rp::OidcFactory;
use serde_json::{Map, Value, json};
use url::Url;

use crate::world::{ADDRESS, Distinct, HANDLE, Hands, NOW, failed_check, input, services, tenant};

const ACCESS_TOKEN: &str = "an access token";
const API_TOKEN: &str = "00an-api-token";

fn secrets(vendor: &str) -> BTreeMap<String, Vec<u8>> {
    let client = ("client_secret".to_owned(), vec![b'x'; 32]);
    let api = (vendor == "okta").then(|| ("groups_api_token".to_owned(), API_TOKEN.as_bytes().to_vec()));
    std::iter::once(client).chain(api).collect()
}

#[tokio::test]
async fn entra() {
    every_case_of("entra", 25).await;
}

#[tokio::test]
async fn okta() {
    every_case_of("okta", 15).await;
}

#[tokio::test]
async fn google() {
    every_case_of("google", 8).await;
}

#[tokio::test]
async fn keycloak() {
    every_case_of("keycloak", 7).await;
}

#[tokio::test]
async fn adfs() {
    every_case_of("adfs", 5).await;
}

#[tokio::test]
async fn lemonldap() {
    every_case_of("lemonldap", 5).await;
}

async fn every_case_of(vendor: &str, least: usize) {
    let cases = read(vendor, "cases.json").unwrap();
    let cases = cases.as_array().unwrap();
    assert!(cases.len() >= least, "{vendor}: {} cases", cases.len());
    let wrong: Vec<String> = {
        let mut wrong = Vec::new();
        for case in cases {
            if let Err(why) = try_case(vendor, case).await {
                wrong.push(format!("{vendor}: {}: {why}", case["name"]));
            }
        }
        wrong
    };
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

fn read(vendor: &str, file: &str) -> Option<Value> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../fixtures/oidc-vendors").join(vendor);
    let octets = std::fs::read(folder.join(file)).ok()?;
    Some(written_out(serde_json::from_slice(&octets).unwrap()))
}

/// Lists that are too long for a file: `@100 groups@`, and `@200 groups of the API@` as Okta's API has them.
fn written_out(value: Value) -> Value {
    let many = |text: &str, what: &str| text.strip_prefix('@')?.strip_suffix(what)?.parse::<usize>().ok();
    match value {
        Value::String(text) => match (many(&text, " groups@"), many(&text, " groups of the API@")) {
            (Some(count), _) => (0..count).map(|at| format!("g{at}")).collect(),
            (None, Some(count)) => (0..count).map(|at| json!({ "profile": { "name": format!("g{at}") } })).collect(),
            (None, None) => Value::String(text),
        },
        Value::Array(items) => items.into_iter().map(written_out).collect(),
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, written_out(value))).collect(),
        other => other,
    }
}

/// Members of `changes` in the place of those that are there; `null` takes one out.
fn changed(value: Option<Value>, changes: Option<&Value>) -> Value {
    let mut value = value.unwrap_or_else(|| json!({}));
    for (name, change) in changes.and_then(Value::as_object).unwrap_or(&Map::new()) {
        match change {
            Value::Null => drop(value.as_object_mut().unwrap().remove(name)),
            change => value[name] = change.clone(),
        }
    }
    value
}

async fn try_case(vendor: &str, case: &Value) -> Result<(), String> {
    // Making them takes long.
    static KEYS: OnceLock<[OpKey; 3]> = OnceLock::new();
    let keys = KEYS.get_or_init(|| [0, 1, 2].map(|_| OpKey::make(KeyKind::Rsa(2048), "").unwrap()));
    let metadata = read(vendor, "metadata.json").unwrap();
    let mut set = read(vendor, "jwks.json").unwrap();
    for (jwk, key) in set["keys"].as_array_mut().unwrap().iter_mut().zip(keys) {
        let public = key.jwk();
        (jwk["n"], jwk["e"]) = (public["n"].clone(), public["e"].clone());
    }
    let mut settings = changed(read(vendor, "settings.json"), case.get("settings"));
    settings["client_id"] = json!("bridge");
    settings["discovery"] = json!({ "url": "https://unused.example/", "xml": metadata.to_string() });
    let web = Arc::new(Web::default());
    web.put(metadata["jwks_uri"].as_str().unwrap(), 200, "application/json", set.to_string());
    let (clock, tenant) = (Hands::at(NOW), tenant());
    let services = services(clock, web.clone());
    let connection = ConnectionId::random(&Distinct);
    let opened = OidcFactory::default().open(Open {
        tenant: tenant.id,
        connection,
        slug: vendor,
        address: ADDRESS.into(),
        settings: &settings,
        secrets: &secrets(vendor),
        services: &services,
        now: NOW,
    });
    let adapter = opened.map_err(|complaints| format!("{complaints:?}"))?;
    let login = adapter.login.as_deref().unwrap();

    let wish = LoginWish::default();
    let mut trace = TraceLog::new();
    let start = Start { tenant: &tenant, handle: HANDLE, wish: &wish, now: NOW };
    let begun = login.begin(start, &mut trace).await.map_err(|error| error.cause)?;
    let Challenge::Redirect(location) = &begun.challenge else { panic!("{:?}", begun.challenge) };
    let asked: BTreeMap<String, String> = Url::parse(location).unwrap().query_pairs().into_owned().collect();

    let claims = claims(vendor, case, &asked);
    let signed_by = usize::try_from(case["signed_by"].as_u64().unwrap_or(0)).unwrap();
    let kid = set["keys"][signed_by]["kid"].as_str().unwrap();
    let token = token(&claims, &keys[signed_by], kid, case["alg"].as_str().unwrap_or("RS256"));
    let tokens = json!({ "token_type": "Bearer", "expires_in": 3600, "access_token": ACCESS_TOKEN, "id_token": token });
    web.put(metadata["token_endpoint"].as_str().unwrap(), 200, "application/json", tokens.to_string());
    if case.get("userinfo") != Some(&Value::Null)
        && let Some(userinfo) = read(vendor, "userinfo.json")
    {
        let kind = case["userinfo_type"].as_str().unwrap_or("application/json;charset=utf-8");
        let claims = changed(Some(userinfo), case.get("userinfo"));
        web.put(metadata["userinfo_endpoint"].as_str().unwrap(), 200, kind, claims.to_string());
    }
    for (url, answer) in case["answers"].as_object().unwrap_or(&Map::new()) {
        let status = u16::try_from(answer["status"].as_u64().unwrap()).unwrap();
        web.put(url, status, "application/json", answer["body"].to_string());
    }

    let transaction = TransactionId::random(&Distinct);
    let mut trace = TraceLog::new();
    let answer = Answer {
        tenant: &tenant,
        input: &callback(case, &settings),
        transaction,
        state: &begun.state,
        wish: &wish,
        started: NOW,
        fetched: &Default::default(),
        now: NOW,
    };
    let minter = Minter::for_transaction(tenant.id, connection, transaction);
    let outcome = login.complete(answer, minter, &mut trace).await;
    web.only_known_addresses()?;
    judge(case, &outcome, &trace)
}

fn judge(case: &Value, outcome: &LoginOutcome, trace: &TraceLog) -> Result<(), String> {
    let unexpected = || format!("{outcome:?}: {:?}", trace.cause());
    match (case.get("accepted"), case["refused"].as_str(), outcome) {
        (Some(expected), None, LoginOutcome::Authenticated(identity)) => compare(expected, identity),
        (None, Some(check), LoginOutcome::Rejected(_) | LoginOutcome::KeyUnknown(_)) => {
            let unknown = matches!(outcome, LoginOutcome::KeyUnknown(_));
            let right = failed_check(trace).as_deref() == Some(check) && unknown == case["key_unknown"].is_boolean();
            if right { Ok(()) } else { Err(unexpected()) }
        }
        _ => Err(unexpected()),
    }
}

fn compare(expected: &Value, identity: &AuthenticatedIdentity) -> Result<(), String> {
    let known = ["key", "attributes", "index", "acr", "amr", "authorities"];
    let expected = expected.as_object().unwrap();
    assert!(expected.keys().all(|name| known.contains(&name.as_str())), "{expected:?}");
    let found = json!({
        "key": serde_json::from_str::<Value>(&identity.subject.key).unwrap(),
        "index": identity.session.index,
        "acr": identity.authn.acr,
        "amr": identity.authn.amr,
        "authorities": identity.authn.authorities,
    });
    for (name, value) in expected.iter().filter(|(name, _)| *name != "attributes") {
        if found[name] != *value {
            return Err(format!("{name}: expected {value}, found {}", found[name]));
        }
    }
    for (name, values) in expected.get("attributes").and_then(Value::as_object).unwrap_or(&Map::new()) {
        let found = json!(identity.attributes.get(name));
        if found != *values {
            return Err(format!("attribute {name}: expected {values}, found {found}"));
        }
    }
    for never in ["nonce", "at_hash", "_claim_sources", "aud"] {
        assert!(!identity.attributes.contains(never), "{never}");
    }
    Ok(())
}

fn claims(vendor: &str, case: &Value, asked: &BTreeMap<String, String>) -> Value {
    let mut claims = read(vendor, "id_token.json").unwrap();
    let now = NOW.seconds();
    for (name, value) in
        [("iat", now), ("nbf", now), ("exp", now + 3600), ("auth_time", now - 30), ("mfa_auth_time", now - 30)]
    {
        if claims.get(name).is_some() {
            claims[name] = json!(value);
        }
    }
    claims["nonce"] = json!(asked["nonce"]);
    if claims["at_hash"] == "@at_hash@" {
        let hash = openssl::sha::sha256(ACCESS_TOKEN.as_bytes());
        claims["at_hash"] = json!(URL_SAFE_NO_PAD.encode(&hash[..16]));
    }
    changed(Some(claims), case.get("id_token"))
}

fn token(claims: &Value, key: &OpKey, kid: &str, alg: &str) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    let signed = format!("{}.{}", part(&json!({ "alg": alg, "kid": kid, "typ": "JWT" })), part(claims));
    let signature = if alg == "none" { Vec::new() } else { key.sign(signed.as_bytes()) };
    format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn callback(case: &Value, settings: &Value) -> HttpInput {
    let mut query = Url::parse("https://unused.example/").unwrap();
    query.query_pairs_mut().append_pair("code", "a code").append_pair("state", HANDLE);
    if case["iss"] == true {
        query.query_pairs_mut().append_pair("iss", settings["issuer"].as_str().unwrap());
    }
    HttpInput { query: query.query().unwrap().to_owned(), ..input("oidc/callback", Method::Get) }
}

/// Answers by address, and notes what was asked.
#[derive(Default)]
struct Web {
    answers: Mutex<BTreeMap<String, Fetched>>,
    unknown: Mutex<Vec<String>>,
}

impl Web {
    fn put(&self, url: &str, status: u16, content_type: &str, body: String) {
        let content_type = Some(content_type.to_owned());
        let answer = Fetched { status, content_type, etag: None, max_age: None, body: body.into() };
        self.answers.lock().unwrap().insert(url.to_owned(), answer);
    }

    fn only_known_addresses(&self) -> Result<(), String> {
        let unknown = self.unknown.lock().unwrap();
        if unknown.is_empty() { Ok(()) } else { Err(format!("asked at {unknown:?}")) }
    }

    fn find(&self, url: &str) -> Result<Fetched, EgressError> {
        let found = self.answers.lock().unwrap().get(url).cloned();
        found.ok_or_else(|| {
            self.unknown.lock().unwrap().push(url.to_owned());
            EgressError { url: url.to_owned(), cause: "connection refused".to_owned(), silent: true }
        })
    }
}

#[async_trait]
impl Egress for Web {
    async fn get(&self, url: &str, _: EgressLimits) -> Result<Fetched, EgressError> {
        self.find(url)
    }

    async fn get_if_changed(&self, url: &str, _: &str, _: EgressLimits) -> Result<Fetched, EgressError> {
        self.find(url)
    }

    async fn post(&self, request: &EgressPost, _: EgressLimits) -> Result<Fetched, EgressError> {
        self.find(&request.url)
    }

    async fn get_with(&self, request: &EgressGet, _: EgressLimits) -> Result<Fetched, EgressError> {
        let groups = request.url.contains("/api/v1/");
        let right = if groups { format!("SSWS {API_TOKEN}") } else { format!("Bearer {ACCESS_TOKEN}") };
        assert!(request.headers.contains(&("authorization".to_owned(), right)), "{:?}", request.headers);
        self.find(&request.url)
    }
}
