//! Keys as adapters see them: what they can do, never what they are.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ids::ConnectionId;

/// Signature algorithms that the bridge signs with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum SignatureAlgorithm {
    /// ECDSA with P-256 and SHA-256 (RFC 7518 section 3.4).
    ES256,
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518 section 3.3); `rsa-sha256` in XML Signature.
    RS256,
    /// RSASSA-PSS with SHA-256 (RFC 7518 section 3.5).
    PS256,
    /// Ed25519 (RFC 8037).
    EdDSA,
}

impl SignatureAlgorithm {
    /// The JOSE name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::ES256 => "ES256",
            Self::RS256 => "RS256",
            Self::PS256 => "PS256",
            Self::EdDSA => "EdDSA",
        }
    }

    pub fn from_name(name: &str) -> Option<Self> {
        [Self::ES256, Self::RS256, Self::PS256, Self::EdDSA].into_iter().find(|alg| alg.name() == name)
    }
}

/// The key could not be used. The text names no key material.
#[derive(Debug, Clone, thiserror::Error)]
#[error("key {kid}: {cause}")]
pub struct KeyError {
    pub kid: String,
    pub cause: String,
}

/// A private key that signs with its one algorithm.
pub trait Signer: Send + Sync {
    fn kid(&self) -> &str;
    fn algorithm(&self) -> SignatureAlgorithm;

    /// Signs a message. ES256 gives the 64 octets `r || s` (RFC 7518 section 3.4),
    /// which is also the form of XML Signature (section 6.4.3).
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError>;

    /// Verifies a signature that this very key made.
    fn verify(&self, message: &[u8], signature: &[u8]) -> bool;
}

/// A private RSA key that unwraps content keys.
pub trait Decrypter: Send + Sync {
    fn kid(&self) -> &str;

    /// RSA-OAEP (RFC 8017 section 7.1.2) with the two digests that XML Encryption names.
    fn unwrap_oaep(&self, wrapped: &[u8], digest: OaepDigest, mgf1: OaepDigest) -> Result<Vec<u8>, KeyError>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OaepDigest {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

/// What a key is for. One key never serves two purposes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyPurpose {
    /// Signs tokens.
    Oidc,
    /// Signs SAML requests, responses and metadata.
    SamlSigning,
    /// Decrypts SAML assertions.
    SamlDecryption,
    /// Authenticates us at one upstream OpenID provider (private_key_jwt). Each connection has its own.
    OidcClient,
    /// Decrypts ID tokens of one upstream OpenID provider.
    OidcDecryption,
}

impl KeyPurpose {
    /// Whether partners have such a key from SAML metadata, so that a change of it waits for them.
    pub const fn is_saml(self) -> bool {
        matches!(self, Self::SamlSigning | Self::SamlDecryption)
    }
}

/// The life of a key: published ahead, in use, published for checking, gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    Next,
    Active,
    Retiring,
    Retired,
}

/// A signing key with its public side.
#[derive(Clone)]
pub struct SigningKey {
    pub state: KeyState,
    pub signer: Arc<dyn Signer>,
    /// The public JWK with `kid`, `alg` and `use` (RFC 7517).
    pub jwk: Value,
    /// DER of the self-signed certificate that SAML metadata carries.
    pub certificate: Option<Vec<u8>>,
}

/// A decryption key with the certificate that metadata publishes.
#[derive(Clone)]
pub struct DecryptionKey {
    pub state: KeyState,
    pub decrypter: Arc<dyn Decrypter>,
    pub certificate: Vec<u8>,
}

/// All keys of a tenant that are not retired.
#[derive(Clone, Default)]
pub struct KeyRing {
    pub oidc: Vec<SigningKey>,
    pub saml_signing: Vec<SigningKey>,
    pub saml_decryption: Vec<DecryptionKey>,
    pub oidc_client: Vec<(ConnectionId, SigningKey)>,
    pub oidc_decryption: Vec<(ConnectionId, OidcDecryptionKey)>,
}

/// A key that unwraps content keys of ID tokens (RSA-OAEP-256, RFC 7518 section 4.3).
#[derive(Clone)]
pub struct OidcDecryptionKey {
    pub state: KeyState,
    pub decrypter: Arc<dyn Decrypter>,
    /// The public JWK with `kid`, `alg` and `use: enc`.
    pub jwk: Value,
}

impl KeyRing {
    /// The active key with which we authenticate at an upstream.
    pub fn client_signer(&self, connection: ConnectionId) -> Option<&Arc<dyn Signer>> {
        let of = |(id, key): &&(ConnectionId, SigningKey)| *id == connection && key.state == KeyState::Active;
        self.oidc_client.iter().find(of).map(|(_, key)| &key.signer)
    }

    /// The active token-signing key of an algorithm.
    pub fn oidc_signer(&self, algorithm: SignatureAlgorithm) -> Option<&Arc<dyn Signer>> {
        self.oidc
            .iter()
            .find(|key| key.state == KeyState::Active && key.signer.algorithm() == algorithm)
            .map(|key| &key.signer)
    }

    /// Any published token-signing key by its `kid`: the one that checks a token of ours.
    pub fn oidc_key(&self, kid: &str) -> Option<&SigningKey> {
        self.oidc.iter().find(|key| key.signer.kid() == kid)
    }

    /// SAML decryption keys, the one that metadata publishes first: `next` while a rollover is announced,
    /// else `active`.
    pub fn saml_encryption_certificates(&self) -> impl Iterator<Item = (&str, &[u8])> {
        [KeyState::Next, KeyState::Active].into_iter().flat_map(|state| {
            let keys = self.saml_decryption.iter().filter(move |key| key.state == state);
            keys.map(|key| (key.decrypter.kid(), key.certificate.as_slice()))
        })
    }

    pub fn saml_signer(&self) -> Option<&SigningKey> {
        self.saml_signing.iter().find(|key| key.state == KeyState::Active)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kids: Vec<_> = self.oidc.iter().chain(&self.saml_signing).map(|key| key.signer.kid()).collect();
        f.debug_struct("KeyRing").field("kids", &kids).finish_non_exhaustive()
    }
}
