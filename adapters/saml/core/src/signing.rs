//! Signs what the bridge itself says, with the tenant's SAML key.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::keys::{KeyRing, SignatureAlgorithm, SigningKey};

use crate::names;
use crate::seam::{self, Limits, SignRequest, SignatureMethod, SignaturePlace, sign_enveloped};

/// Why nothing could be signed. The text names no key material.
#[derive(Debug, Clone, thiserror::Error)]
pub enum SignError {
    #[error("the tenant has no active SAML signing key")]
    NoKey,
    #[error("the SAML signing key has the algorithm {0}, which XML Signature can't use here")]
    Algorithm(&'static str),
    #[error("the key did not sign: {0}")]
    Key(String),
    #[error("the message could not be packed: {0}")]
    Packing(String),
    #[error(transparent)]
    Document(#[from] seam::SignError),
}

/// Signs the octets of a redirect-binding query (SAML bindings 3.4.4.1).
pub struct QuerySigner<'a> {
    key: &'a SigningKey,
    method: SignatureMethod,
}

impl<'a> QuerySigner<'a> {
    pub fn new(keys: &'a KeyRing) -> Result<Self, SignError> {
        let key = keys.saml_signer().ok_or(SignError::NoKey)?;
        let method = match key.signer.algorithm() {
            SignatureAlgorithm::RS256 => SignatureMethod::RsaSha256,
            SignatureAlgorithm::ES256 => SignatureMethod::EcdsaSha256,
            other => return Err(SignError::Algorithm(other.name())),
        };
        Ok(Self { key, method })
    }

    /// The URI for `SigAlg`.
    pub fn algorithm(&self) -> &'static str {
        self.method.uri()
    }

    /// The value for `Signature`, in base64.
    pub fn sign(&self, octets: &str) -> Result<String, SignError> {
        let signature = self.key.signer.sign(octets.as_bytes()).map_err(|error| SignError::Key(error.to_string()))?;
        Ok(STANDARD.encode(signature))
    }
}

/// Puts an enveloped signature over a metadata document whose root has this ID.
pub fn sign_metadata(xml: &str, id: &str, keys: &KeyRing) -> Result<Vec<u8>, SignError> {
    sign(xml, id, SignaturePlace::First, Limits::metadata(), keys)
}

/// The same for a protocol message, where the signature follows the Issuer (SAML core 3.2.1).
pub fn sign_message(xml: &str, id: &str, keys: &KeyRing) -> Result<Vec<u8>, SignError> {
    sign(xml, id, SignaturePlace::After(names::ASSERTION, "Issuer"), Limits::message(), keys)
}

fn sign(
    xml: &str,
    target_id: &str,
    place: SignaturePlace<'_>,
    limits: Limits,
    keys: &KeyRing,
) -> Result<Vec<u8>, SignError> {
    let key = keys.saml_signer().ok_or(SignError::NoKey)?;
    let request = SignRequest { target_id, place, certificate: key.certificate.as_deref(), limits };
    Ok(sign_enveloped(xml.as_bytes(), &request, &*key.signer)?)
}
