//! Keys of the scripted provider, made at run time.

use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::{Padding, Rsa};
use openssl::sign::{RsaPssSaltlen, Signer};
use serde_json::{Value, json};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    Ec,
    Rsa(u32),
    Ed25519,
}

/// A private key with the algorithm that it signs with.
pub struct OpKey {
    pub kid: String,
    pub alg: &'static str,
    key: PKey<Private>,
}

impl OpKey {
    /// A key that signs with ES256, RS256 or EdDSA; `None` where openssl can't make one.
    pub fn make(kind: KeyKind, kid: &str) -> Option<Self> {
        let made = || -> Result<_, ErrorStack> {
            Ok(match kind {
                KeyKind::Ec => {
                    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
                    ("ES256", PKey::from_ec_key(EcKey::generate(&group)?)?)
                }
                KeyKind::Rsa(bits) => ("RS256", PKey::from_rsa(Rsa::generate(bits)?)?),
                KeyKind::Ed25519 => ("EdDSA", PKey::generate_ed25519()?),
            })
        };
        let (alg, key) = made().ok()?;
        Some(Self { kid: kid.to_owned(), alg, key })
    }

    /// The same key under another name or for another algorithm of its kind.
    #[must_use]
    pub fn known_as(&self, kid: &str, alg: &'static str) -> Self {
        Self { kid: kid.to_owned(), alg, key: self.key.clone() }
    }

    /// The public key with `kid`, `alg` and `use`.
    pub fn jwk(&self) -> Value {
        let mut jwk = self.public_members().unwrap_or_default();
        jwk["kid"] = json!(self.kid);
        jwk["alg"] = json!(self.alg);
        jwk["use"] = json!("sig");
        jwk
    }

    /// Octets of a JWS signature (RFC 7518 section 3); empty where openssl fails.
    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.try_sign(message).unwrap_or_default()
    }

    /// An ECDSA signature as DER, which JOSE does not take.
    pub fn sign_der(&self, message: &[u8]) -> Vec<u8> {
        let made = || EcdsaSig::sign(&openssl::sha::sha256(message), self.key.ec_key()?.as_ref())?.to_der();
        made().unwrap_or_default()
    }

    /// The public key as PEM: what a confused verifier takes for an HMAC secret.
    pub fn public_pem(&self) -> Vec<u8> {
        self.key.public_key_to_pem().unwrap_or_default()
    }

    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        match self.alg {
            "ES256" => {
                let signature = EcdsaSig::sign(&openssl::sha::sha256(message), self.key.ec_key()?.as_ref())?;
                let mut octets = signature.r().to_vec_padded(32)?;
                octets.extend(signature.s().to_vec_padded(32)?);
                Ok(octets)
            }
            "EdDSA" => Signer::new_without_digest(&self.key)?.sign_oneshot_to_vec(message),
            alg => {
                let digest = if alg == "PS384" { MessageDigest::sha384() } else { MessageDigest::sha256() };
                let mut signer = Signer::new(digest, &self.key)?;
                if alg.starts_with("PS") {
                    signer.set_rsa_padding(Padding::PKCS1_PSS)?;
                    signer.set_rsa_mgf1_md(digest)?;
                    signer.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
                }
                signer.sign_oneshot_to_vec(message)
            }
        }
    }

    fn public_members(&self) -> Result<Value, ErrorStack> {
        let text = |octets: &[u8]| URL_SAFE_NO_PAD.encode(octets);
        Ok(match self.alg {
            "ES256" => {
                let key = self.key.ec_key()?;
                let (mut x, mut y) = (BigNum::new()?, BigNum::new()?);
                let mut context = BigNumContext::new()?;
                key.public_key().affine_coordinates(key.group(), &mut x, &mut y, &mut context)?;
                json!({ "kty": "EC", "crv": "P-256", "x": text(&x.to_vec_padded(32)?), "y": text(&y.to_vec_padded(32)?) })
            }
            "EdDSA" => json!({ "kty": "OKP", "crv": "Ed25519", "x": text(&self.key.raw_public_key()?) }),
            _ => {
                let key = self.key.rsa()?;
                json!({ "kty": "RSA", "n": text(&key.n().to_vec()), "e": text(&key.e().to_vec()) })
            }
        })
    }
}

/// The keys of one provider. RSA keys take long to make, so all providers of a process share theirs.
pub struct OpKeys {
    /// Signs, unless a script says otherwise.
    pub active: Arc<OpKey>,
    /// Published too.
    pub rsa: Arc<OpKey>,
    /// Never published.
    pub stranger: Arc<OpKey>,
    /// Of 512 bits, which openssl may refuse to make.
    pub weak: Option<Arc<OpKey>>,
}

impl OpKeys {
    /// Keys that no other provider has, the RSA keys apart; `None` where openssl can't make them.
    pub fn make(name: &str) -> Option<Self> {
        static RSA: OnceLock<Option<Arc<OpKey>>> = OnceLock::new();
        static WEAK: OnceLock<Option<Arc<OpKey>>> = OnceLock::new();
        let rsa = RSA.get_or_init(|| OpKey::make(KeyKind::Rsa(2048), "rsa").map(Arc::new)).clone()?;
        let weak = WEAK.get_or_init(|| OpKey::make(KeyKind::Rsa(512), "weak").map(Arc::new)).clone();
        let ec = |kid: &str| OpKey::make(KeyKind::Ec, kid).map(Arc::new);
        Some(Self { active: ec(name)?, rsa, stranger: ec("stranger")?, weak })
    }

    /// What the provider publishes.
    pub fn published(&self) -> Vec<Value> {
        vec![self.active.jwk(), self.rsa.jwk()]
    }
}
