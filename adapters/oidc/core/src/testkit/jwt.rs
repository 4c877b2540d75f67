//! A JWT before it is signed, every part of which can be made wrong.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use serde_json::{Map, Value, json};

use super::keys::{OpKey, OpKeys};
use super::op::Login;

/// What a script knows when it changes something.
#[derive(Clone)]
pub struct Scene {
    /// Seconds since 1970.
    pub now: i64,
    pub issuer: String,
    pub client_id: String,
    pub client_secret: String,
    /// The login that it is about, where there is one.
    pub login: Option<Login>,
    /// Another login at this provider, if there was any.
    pub other: Option<Login>,
    pub keys: Arc<OpKeys>,
}

/// How the signature comes about.
#[derive(Clone)]
pub enum Signature {
    /// By the plan's key.
    Right,
    /// By this key, whatever the header says.
    By(Arc<OpKey>),
    Hmac(Vec<u8>),
    Empty,
    /// Right but for one bit.
    Flipped,
    /// ECDSA's DER in the place of `r || s`.
    Der,
    /// 64 zeros.
    Zero,
    /// Right, and then another `sub` is put under it.
    OfOtherClaims,
}

/// A right token, to be made wrong.
#[derive(Clone)]
pub struct JwtPlan {
    pub header: Map<String, Value>,
    pub claims: Map<String, Value>,
    pub key: Arc<OpKey>,
    pub signature: Signature,
    /// The last word over the header's JSON, for what no JSON library writes.
    pub header_text: Option<fn(String) -> Vec<u8>>,
    pub claims_text: Option<fn(String) -> Vec<u8>>,
    /// The last word over the compact form.
    pub compact: Option<fn(String) -> String>,
    pub scene: Scene,
}

impl JwtPlan {
    pub fn new(typ: Option<&str>, claims: Map<String, Value>, scene: Scene) -> Self {
        let key = Arc::clone(&scene.keys.active);
        let mut header = Map::new();
        header.insert("alg".into(), json!(key.alg));
        header.insert("kid".into(), json!(key.kid));
        if let Some(typ) = typ {
            header.insert("typ".into(), json!(typ));
        }
        Self {
            header,
            claims,
            key,
            signature: Signature::Right,
            header_text: None,
            claims_text: None,
            compact: None,
            scene,
        }
    }

    /// Sets a claim.
    pub fn set(&mut self, name: &str, value: Value) {
        self.claims.insert(name.to_owned(), value);
    }

    /// Takes a claim out; the others keep their order.
    pub fn cut(&mut self, name: &str) {
        self.claims.shift_remove(name);
    }

    /// Sets a claim to so many seconds from now.
    pub fn set_time(&mut self, name: &str, from_now: i64) {
        self.set(name, json!(self.scene.now + from_now));
    }

    /// Signs with another key, and says so in the header.
    pub fn sign_with(&mut self, key: Arc<OpKey>) {
        self.header.insert("alg".into(), json!(key.alg));
        self.header.insert("kid".into(), json!(key.kid));
        self.key = key;
    }

    /// Signs with a shared secret, and says `HS256` in the header.
    pub fn sign_hs256(&mut self, secret: &[u8]) {
        self.header.insert("alg".into(), json!("HS256"));
        self.header.shift_remove("kid");
        self.signature = Signature::Hmac(secret.to_vec());
    }

    pub fn token(&self) -> String {
        let header = octets(&self.header, self.header_text);
        let claims_octets = octets(&self.claims, self.claims_text);
        let encode = |octets: &[u8]| URL_SAFE_NO_PAD.encode(octets);
        let signed = format!("{}.{}", encode(&header), encode(&claims_octets));
        let message = signed.as_bytes();
        let signature = match &self.signature {
            Signature::Right | Signature::OfOtherClaims => self.key.sign(message),
            Signature::By(key) => key.sign(message),
            Signature::Hmac(secret) => hmac(secret, message),
            Signature::Empty => Vec::new(),
            Signature::Flipped => {
                let mut octets = self.key.sign(message);
                if let Some(last) = octets.last_mut() {
                    *last ^= 1;
                }
                octets
            }
            Signature::Der => self.key.sign_der(message),
            Signature::Zero => vec![0; 64],
        };
        let signed = if matches!(self.signature, Signature::OfOtherClaims) {
            let mut claims = self.claims.clone();
            claims.insert("sub".into(), json!("victim"));
            format!("{}.{}", encode(&header), encode(&octets(&claims, None)))
        } else {
            signed
        };
        let compact = format!("{signed}.{}", encode(&signature));
        match self.compact {
            Some(change) => change(compact),
            None => compact,
        }
    }
}

fn octets(map: &Map<String, Value>, last_word: Option<fn(String) -> Vec<u8>>) -> Vec<u8> {
    let text = serde_json::to_string(map).unwrap_or_default();
    match last_word {
        Some(change) => change(text),
        None => text.into_bytes(),
    }
}

fn hmac(secret: &[u8], message: &[u8]) -> Vec<u8> {
    let made = || -> Result<_, openssl::error::ErrorStack> {
        let key = PKey::hmac(secret)?;
        Signer::new(MessageDigest::sha256(), &key)?.sign_oneshot_to_vec(message)
    };
    made().unwrap_or_default()
}
