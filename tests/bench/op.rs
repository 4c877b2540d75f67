//! The OpenID provider of the bench: scripted, in this process, with threads of its own. It keeps nothing: what it
//! has to remember of a login stands in the code and in the access token.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use fedbridge_contract::services::Clock as _;
use fedbridge_keys::SystemClock;
use fedbridge_saml::testkit::Person;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::sha::sha256;
use openssl::sign::Signer;
use serde_json::{Value, json};
use url::Url;
use url::form_urlencoded;

use crate::chain::{Company, SECRET, Upstream, encoded};
use crate::http;
use crate::listener::{Asked, Listener};

/// What we are called there.
pub const CLIENT: &str = "bridge";

/// Where the claims of a login come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// All of them stand in the ID token: one call for each login.
    IdToken,
    /// The userinfo endpoint is asked too: two calls.
    Userinfo,
}

impl Source {
    pub const ALL: [Self; 2] = [Self::IdToken, Self::Userinfo];

    /// Of its connection.
    pub fn slug(self) -> &'static str {
        match self {
            Self::IdToken => "op",
            Self::Userinfo => "op-userinfo",
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::IdToken => "OIDC, ID token",
            Self::Userinfo => "OIDC, and userinfo",
        }
    }

    /// Our server's calls for one login.
    pub fn calls(self) -> u32 {
        match self {
            Self::IdToken => 1,
            Self::Userinfo => 2,
        }
    }
}

/// A provider that runs.
pub struct Op {
    pub issuer: String,
    pub stall: Arc<Stall>,
    _listener: Listener,
}

/// Whether it accepts what comes and never answers.
#[derive(Default)]
pub struct Stall {
    on: AtomicBool,
    /// Requests that wait for an answer in vain, or did.
    held: AtomicUsize,
}

impl Stall {
    pub fn begin(&self) {
        self.on.store(true, Ordering::Relaxed);
    }

    pub fn held(&self) -> usize {
        self.held.load(Ordering::Relaxed)
    }
}

impl Op {
    pub fn start() -> anyhow::Result<Self> {
        let key = Key::new()?;
        let stall = Arc::new(Stall::default());
        let stalling = Arc::clone(&stall);
        let listener = Listener::start(move |asked| {
            if stalling.on.load(Ordering::Relaxed) {
                stalling.held.fetch_add(1, Ordering::Relaxed);
                return None;
            }
            // What is wrong is no login, and the load stops at it.
            let answer = answer(&key, asked).unwrap_or_else(|error| json!({ "error": error.to_string() }));
            Some(answer.to_string())
        })?;
        Ok(Self { issuer: format!("http://{}", listener.address), stall, _listener: listener })
    }

    /// The provider as the browsers of one connection meet it.
    pub fn upstream(&self, source: Source) -> OpUpstream {
        OpUpstream { issuer: self.issuer.clone(), slug: source.slug() }
    }
}

/// RS256, as most companies' providers sign.
struct Key {
    private: PKey<Private>,
    set: Value,
}

impl Key {
    fn new() -> anyhow::Result<Self> {
        let rsa = Rsa::generate(2048)?;
        let text = |number: &openssl::bn::BigNumRef| URL_SAFE_NO_PAD.encode(number.to_vec());
        let jwk = json!({ "kty": "RSA", "use": "sig", "alg": "RS256", "kid": "bench",
            "n": text(rsa.n()), "e": text(rsa.e()) });
        Ok(Self { private: PKey::from_rsa(rsa)?, set: json!({ "keys": [jwk] }) })
    }

    fn sign(&self, claims: &Value) -> anyhow::Result<String> {
        let header = json!({ "alg": "RS256", "typ": "JWT", "kid": "bench" });
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let signed = format!("{}.{}", part(&header), part(claims));
        let mut signer = Signer::new(MessageDigest::sha256(), &self.private)?;
        let signature = signer.sign_oneshot_to_vec(signed.as_bytes())?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }
}

fn answer(key: &Key, asked: &Asked<'_>) -> anyhow::Result<Value> {
    match asked.path {
        "/.well-known/openid-configuration" => Ok(metadata(asked.origin)),
        "/jwks" => Ok(key.set.clone()),
        "/token" => token(key, asked),
        "/userinfo" => {
            let token = asked.authorization.strip_prefix("Bearer access~").context("no access token")?;
            Ok(claims(token))
        }
        other => anyhow::bail!("there is nothing at {other}"),
    }
}

fn metadata(issuer: &str) -> Value {
    json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "userinfo_endpoint": format!("{issuer}/userinfo"),
        "jwks_uri": format!("{issuer}/jwks"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
    })
}

/// A code is `subject~nonce~challenge`.
fn token(key: &Key, asked: &Asked<'_>) -> anyhow::Result<Value> {
    let basic = format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{SECRET}")));
    ensure!(asked.authorization == basic, "invalid_client");
    let parameter = |name: &str| {
        let mut all = form_urlencoded::parse(asked.body.as_bytes());
        all.find(|(key, _)| key == name).map(|(_, value)| value.into_owned()).with_context(|| format!("no {name}"))
    };
    let code = parameter("code")?;
    let [subject, nonce, challenge] = code.split('~').collect::<Vec<_>>()[..] else {
        anyhow::bail!("the code is not one of ours");
    };
    let verifier = parameter("code_verifier")?;
    ensure!(URL_SAFE_NO_PAD.encode(sha256(verifier.as_bytes())) == challenge, "another code_verifier");
    let access_token = format!("access~{subject}");
    let now = SystemClock.now().seconds();
    let mut id_token = claims(subject);
    let protocol = json!({
        "iss": asked.origin, "aud": CLIENT, "iat": now, "exp": now + 300, "auth_time": now, "nonce": nonce,
        "at_hash": URL_SAFE_NO_PAD.encode(&sha256(access_token.as_bytes())[..16]),
        "sid": format!("session-of-{subject}"),
    });
    if let (Some(claims), Some(protocol)) = (id_token.as_object_mut(), protocol.as_object()) {
        claims.extend(protocol.clone());
    }
    let id_token = key.sign(&id_token)?;
    Ok(json!({ "access_token": access_token, "token_type": "Bearer", "expires_in": 300, "id_token": id_token }))
}

/// The same that the SAML providers send of people (`upstream::person`).
fn claims(subject: &str) -> Value {
    json!({
        "sub": subject,
        "email": format!("{subject}@bench.example"),
        "email_verified": true,
        "given_name": "Pat",
        "family_name": format!("Person {subject}"),
        "name": format!("Pat Person {subject}"),
        "groups": ["employees", "engineering", "on-call"],
    })
}

pub struct OpUpstream {
    issuer: String,
    slug: &'static str,
}

impl Upstream for OpUpstream {
    fn slug(&self) -> &str {
        self.slug
    }

    /// The browser at the callback, after the person logged in at the provider.
    fn answer(&self, company: &Company, location: &str, cookies: &str, person: &Person) -> anyhow::Result<Vec<u8>> {
        let url = Url::parse(location)?;
        ensure!(location.starts_with(&self.issuer), "the browser was sent to {location}");
        let parameter = |name: &str| {
            let found = url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned());
            found.with_context(|| format!("the request has no {name}: {location}"))
        };
        let code = format!("{}~{}~{}", person.name_id, parameter("nonce")?, parameter("code_challenge")?);
        let callback = Url::parse(&parameter("redirect_uri")?)?;
        let path = format!(
            "{}?code={}&state={}&iss={}",
            callback.path(),
            encoded(&code),
            encoded(&parameter("state")?),
            encoded(&self.issuer)
        );
        Ok(http::get(&company.host, &path, &format!("cookie: {cookies}\r\n")))
    }
}
