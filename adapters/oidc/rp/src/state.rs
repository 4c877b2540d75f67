//! What the connection remembers of a request until its answer comes.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fedbridge_contract::ids::ConnectionId;
use fedbridge_contract::time::Timestamp;
use fedbridge_oidc_core::hash::sha256;
use openssl::memcmp;
use serde::{Deserialize, Serialize};

/// Kept sealed with the transaction on the server; the browser never sees it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestState {
    /// The connection that asked. An answer is only ever checked against its own.
    pub connection: ConnectionId,
    /// The issuer as it was set when the request went out. A connection that is pointed elsewhere meanwhile
    /// takes no answer (RFC 9700 section 4.4).
    pub issuer: String,
    /// Which the code was asked for; the token request repeats it (RFC 6749 section 4.1.3).
    pub redirect_uri: String,
    pub nonce: NonceHash,
    /// The PKCE code verifier (RFC 7636 section 4.1).
    pub verifier: String,
    /// A fresh authentication was asked for, so it must be newer than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authenticated_after: Option<Timestamp>,
    /// The oldest authentication that will do, in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<u64>,
    /// One of these authentication contexts must come back; empty: none is demanded.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acr: Vec<String>,
}

impl RequestState {
    pub fn to_bytes(&self) -> Vec<u8> {
        // Texts and numbers: this can't fail, and an empty state is refused when it comes back.
        serde_json::to_vec(self).unwrap_or_default()
    }

    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes).ok()
    }
}

/// The hash of a nonce. The nonce itself is in the request and in the ID token, and is kept nowhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NonceHash(String);

impl NonceHash {
    pub fn of(nonce: &str) -> Self {
        Self(URL_SAFE_NO_PAD.encode(sha256(nonce.as_bytes())))
    }

    /// Compared in constant time (OpenID Connect Core 15.5.2).
    pub fn is_of(&self, nonce: &str) -> bool {
        let other = Self::of(nonce);
        self.0.len() == other.0.len() && memcmp::eq(self.0.as_bytes(), other.0.as_bytes())
    }
}
