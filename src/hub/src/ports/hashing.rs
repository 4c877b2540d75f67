//! What second factors and passwords of our own take in cryptography.

use fedbridge_contract::time::Timestamp;
use serde::{Deserialize, Serialize};

/// Slow on purpose, and in need of much memory: never called on a thread that others wait for.
pub trait PasswordHasher: Send + Sync {
    /// `$argon2id$v=19$…` with a salt of its own (RFC 9106).
    ///
    /// # Errors
    /// There is no memory.
    fn hash(&self, password: &[u8]) -> Result<String, String>;

    /// SHA-256, quick: for secrets that a machine made.
    fn digest(&self, secret: &[u8]) -> [u8; 32];

    /// False also for a text that is no such hash.
    fn verify(&self, password: &[u8], hash: &str) -> bool;
}

pub trait FactorCrypto: Send + Sync {
    /// The time step whose code this is, where it is newer than `after`: the present one, or one beside it
    /// (RFC 6238 section 5.2).
    fn totp(&self, secret: &[u8], code: &str, now: Timestamp, after: i64) -> Option<i64>;

    /// Verifies an assertion (WebAuthn 3 section 7.2), and gives the new counter.
    ///
    /// # Errors
    /// What is wrong with it, for the trace.
    fn passkey(&self, key: &Passkey, answer: &PasskeyAnswer, expected: &Expected<'_>) -> Result<u32, String>;

    /// Takes a new passkey in (WebAuthn 3 section 7.1). Who made the authenticator is not asked (attestation `none`).
    ///
    /// # Errors
    /// What is wrong with it, for the trace.
    fn new_passkey(&self, answer: &NewPasskeyAnswer, expected: &Expected<'_>) -> Result<Passkey, String>;
}

/// A credential that somebody has set up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Passkey {
    /// Base64url, as everything below.
    pub id: String,
    /// A SubjectPublicKeyInfo.
    pub public_key: String,
    /// COSE's number of the algorithm.
    pub algorithm: i64,
    pub counter: u32,
}

/// What the page's script sends of `navigator.credentials.get`.
#[derive(Debug, Clone, Deserialize)]
pub struct PasskeyAnswer {
    pub id: String,
    pub client_data: String,
    pub authenticator_data: String,
    pub signature: String,
}

/// What it sends of `navigator.credentials.create`.
#[derive(Debug, Clone, Deserialize)]
pub struct NewPasskeyAnswer {
    pub id: String,
    pub client_data: String,
    pub authenticator_data: String,
    pub public_key: String,
    pub algorithm: i64,
}

/// What an answer must be of.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// Base64url.
    pub challenge: &'a str,
    pub origin: &'a str,
    /// The host, without a port.
    pub rp_id: &'a str,
}
