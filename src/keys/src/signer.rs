//! Signing with openssl. The private key is unsealed and parsed when it is
//! first used, once.

use std::sync::{Arc, OnceLock};

use fedbridge_contract::ids::TenantId;
use fedbridge_contract::keys::{KeyError, KeyPurpose, SignatureAlgorithm, Signer};
use fedbridge_hub::ports::Sealer;
use fedbridge_hub::spec::StoredKey;
use openssl::bn::BigNum;
use openssl::ec::EcKey;
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, PKeyRef, Private, Public};
use openssl::rsa::Padding;
use openssl::sign::{RsaPssSaltlen, Signer as EvpSigner, Verifier as EvpVerifier};
use serde_json::Value;

use crate::generate::key_place;
use crate::genuine::Genuine;
use crate::hmac::sha256;
use crate::jwk::PublicJwk;

/// See the module's text.
pub struct OpensslSigner {
    kid: String,
    algorithm: SignatureAlgorithm,
    private: Lazy<PrivateKey>,
    public_jwk: Value,
    public: OnceLock<Option<PKey<Public>>>,
    /// For keys that sign tokens: nobody shows us the signatures of the others.
    genuine: Option<Genuine>,
}

/// ES256 uses the EC key itself: the EVP layer would look its algorithm up again for every signature.
enum PrivateKey {
    Ec(EcKey<Private>),
    Other(PKey<Private>),
}

impl OpensslSigner {
    /// A signer for a stored key; nothing is unsealed yet.
    pub fn new(key: &StoredKey, sealer: Arc<dyn Sealer>) -> Self {
        Self {
            kid: key.kid.clone(),
            algorithm: key.algorithm,
            private: Lazy::new(key, sealer),
            public_jwk: key.public_jwk.clone(),
            public: OnceLock::new(),
            genuine: (key.purpose == KeyPurpose::Oidc).then(Genuine::default),
        }
    }

    fn private(&self) -> Result<&PrivateKey, KeyError> {
        self.private.get(|key| match self.algorithm {
            SignatureAlgorithm::ES256 => key.ec_key().map(PrivateKey::Ec),
            _ => Ok(PrivateKey::Other(key)),
        })
    }
}

impl Signer for OpensslSigner {
    fn kid(&self) -> &str {
        &self.kid
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        let signature = match self.private()? {
            PrivateKey::Ec(key) => sign_p256(key, message),
            PrivateKey::Other(key) => sign_evp(key, self.algorithm, message),
        }
        .map_err(|cause| KeyError { kid: self.kid.clone(), cause: format!("openssl could not sign: {cause}") })?;
        if let Some(genuine) = &self.genuine {
            genuine.remember(message, &signature);
        }
        Ok(signature)
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        if self.genuine.as_ref().is_some_and(|genuine| genuine.contains(message, signature)) {
            return true;
        }
        let public = self.public.get_or_init(|| PublicJwk::key(&self.public_jwk).ok());
        let Some(public) = public else { return false };
        let verified = match self.algorithm {
            SignatureAlgorithm::ES256 => verify_p256(public, message, signature),
            other => verify_evp(public, other, message, signature),
        };
        let verified = verified.unwrap_or(false);
        if let Some(genuine) = self.genuine.as_ref().filter(|_| verified) {
            genuine.remember(message, signature);
        }
        verified
    }
}

fn sign_p256(key: &EcKey<Private>, message: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let signature = EcdsaSig::sign(&sha256(message), key)?;
    let mut out = signature.r().to_vec_padded(32)?;
    out.extend_from_slice(&signature.s().to_vec_padded(32)?);
    Ok(out)
}

fn verify_p256(key: &PKeyRef<Public>, message: &[u8], signature: &[u8]) -> Result<bool, ErrorStack> {
    if signature.len() != 64 {
        return Ok(false);
    }
    let (r, s) = signature.split_at(32);
    EcdsaSig::from_private_components(BigNum::from_slice(r)?, BigNum::from_slice(s)?)?
        .verify(&sha256(message), &*key.ec_key()?)
}

fn sign_evp(key: &PKeyRef<Private>, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, ErrorStack> {
    let mut signer = match algorithm {
        SignatureAlgorithm::EdDSA => EvpSigner::new_without_digest(key)?,
        _ => EvpSigner::new(MessageDigest::sha256(), key)?,
    };
    if algorithm == SignatureAlgorithm::PS256 {
        signer.set_rsa_padding(Padding::PKCS1_PSS)?;
        signer.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
    }
    signer.sign_oneshot_to_vec(message)
}

fn verify_evp(
    key: &PKeyRef<Public>,
    algorithm: SignatureAlgorithm,
    message: &[u8],
    signature: &[u8],
) -> Result<bool, ErrorStack> {
    let mut verifier = match algorithm {
        SignatureAlgorithm::EdDSA => EvpVerifier::new_without_digest(key)?,
        _ => EvpVerifier::new(MessageDigest::sha256(), key)?,
    };
    if algorithm == SignatureAlgorithm::PS256 {
        verifier.set_rsa_padding(Padding::PKCS1_PSS)?;
        verifier.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
    }
    verifier.verify_oneshot(signature, message)
}

/// A private key that is unsealed and parsed when it is first asked for.
pub(crate) struct Lazy<K> {
    tenant: TenantId,
    kid: String,
    sealed: Vec<u8>,
    sealer: Arc<dyn Sealer>,
    opened: OnceLock<Result<K, String>>,
}

impl<K> Lazy<K> {
    pub(crate) fn new(key: &StoredKey, sealer: Arc<dyn Sealer>) -> Self {
        Self {
            tenant: key.tenant,
            kid: key.kid.clone(),
            sealed: key.sealed_private.clone(),
            sealer,
            opened: OnceLock::new(),
        }
    }

    pub(crate) fn kid(&self) -> &str {
        &self.kid
    }

    pub(crate) fn get(&self, read: impl FnOnce(PKey<Private>) -> Result<K, ErrorStack>) -> Result<&K, KeyError> {
        let open = || {
            let plain =
                self.sealer.open(&key_place(self.tenant, &self.kid), &self.sealed).map_err(|e| e.to_string())?;
            PKey::private_key_from_pkcs8(&plain)
                .and_then(read)
                .map_err(|_| "the private key is not readable as PKCS #8 of its kind".to_owned())
        };
        self.opened.get_or_init(open).as_ref().map_err(|cause| KeyError { kid: self.kid.clone(), cause: cause.clone() })
    }
}
