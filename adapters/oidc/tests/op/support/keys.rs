//! Signers over openssl, made fresh for each run.

use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fedbridge_contract::keys::{KeyError, KeyRing, KeyState, SignatureAlgorithm, Signer, SigningKey};
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::{Padding, Rsa};
use openssl::sha::sha256;
use openssl::sign::{RsaPssSaltlen, Signer as OpensslSigner, Verifier};
use serde_json::{Value, json};

pub struct TestKey {
    pub kid: String,
    pub algorithm: SignatureAlgorithm,
    pub key: PKey<Private>,
}

impl TestKey {
    pub fn make(kid: &str, algorithm: SignatureAlgorithm) -> Self {
        let key = match algorithm {
            SignatureAlgorithm::ES256 => {
                let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
                PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap()
            }
            SignatureAlgorithm::EdDSA => PKey::generate_ed25519().unwrap(),
            SignatureAlgorithm::RS256 | SignatureAlgorithm::PS256 => {
                static RSA: OnceLock<PKey<Private>> = OnceLock::new();
                RSA.get_or_init(|| PKey::from_rsa(Rsa::generate(2048).unwrap()).unwrap()).clone()
            }
        };
        Self { kid: kid.into(), algorithm, key }
    }

    pub fn jwk(&self) -> Value {
        let b64 = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let mut jwk = match self.algorithm {
            SignatureAlgorithm::ES256 => {
                let ec = self.key.ec_key().unwrap();
                let (mut x, mut y) = (BigNum::new().unwrap(), BigNum::new().unwrap());
                let mut context = BigNumContext::new().unwrap();
                ec.public_key().affine_coordinates(ec.group(), &mut x, &mut y, &mut context).unwrap();
                let (x, y) = (x.to_vec_padded(32).unwrap(), y.to_vec_padded(32).unwrap());
                json!({"kty": "EC", "crv": "P-256", "x": b64(&x), "y": b64(&y)})
            }
            SignatureAlgorithm::EdDSA => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": b64(&self.key.raw_public_key().unwrap())})
            }
            SignatureAlgorithm::RS256 | SignatureAlgorithm::PS256 => {
                let rsa = self.key.rsa().unwrap();
                json!({"kty": "RSA", "n": b64(&rsa.n().to_vec()), "e": b64(&rsa.e().to_vec())})
            }
        };
        jwk["kid"] = json!(self.kid);
        jwk["alg"] = json!(self.algorithm.name());
        jwk["use"] = json!("sig");
        jwk
    }

    /// A compact JWS with any header and claims.
    pub fn jws(&self, header: &Value, claims: &Value) -> String {
        self.jws_text(&header.to_string(), &claims.to_string())
    }

    /// Whether this key signed `signed`.
    pub fn checks(&self, signed: &str, signature: &str) -> bool {
        self.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap())
    }

    pub fn jws_text(&self, header: &str, claims: &str) -> String {
        let signed = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims));
        let signature = self.sign(signed.as_bytes()).unwrap();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

impl Signer for TestKey {
    fn kid(&self) -> &str {
        &self.kid
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        Ok(match self.algorithm {
            SignatureAlgorithm::ES256 => {
                let signature = EcdsaSig::sign(&sha256(message), &self.key.ec_key().unwrap()).unwrap();
                let mut out = signature.r().to_vec_padded(32).unwrap();
                out.extend(signature.s().to_vec_padded(32).unwrap());
                out
            }
            SignatureAlgorithm::EdDSA => {
                OpensslSigner::new_without_digest(&self.key).unwrap().sign_oneshot_to_vec(message).unwrap()
            }
            SignatureAlgorithm::RS256 => {
                OpensslSigner::new(MessageDigest::sha256(), &self.key).unwrap().sign_oneshot_to_vec(message).unwrap()
            }
            SignatureAlgorithm::PS256 => {
                let mut signer = OpensslSigner::new(MessageDigest::sha256(), &self.key).unwrap();
                signer.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
                signer.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH).unwrap();
                signer.sign_oneshot_to_vec(message).unwrap()
            }
        })
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        match self.algorithm {
            SignatureAlgorithm::ES256 => {
                if signature.len() != 64 {
                    return false;
                }
                let (r, s) = (BigNum::from_slice(&signature[..32]), BigNum::from_slice(&signature[32..]));
                EcdsaSig::from_private_components(r.unwrap(), s.unwrap())
                    .and_then(|signature| signature.verify(&sha256(message), &self.key.ec_key().unwrap()))
                    .unwrap_or(false)
            }
            SignatureAlgorithm::EdDSA => {
                Verifier::new_without_digest(&self.key).unwrap().verify_oneshot(signature, message).unwrap_or(false)
            }
            algorithm => {
                let mut verifier = Verifier::new(MessageDigest::sha256(), &self.key).unwrap();
                if algorithm == SignatureAlgorithm::PS256 {
                    verifier.set_rsa_padding(Padding::PKCS1_PSS).unwrap();
                    verifier.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH).unwrap();
                }
                verifier.verify_oneshot(signature, message).unwrap_or(false)
            }
        }
    }
}

/// The keys of a tenant, active ones of every algorithm and a next and a retiring one.
pub fn ring(keys: &[(Arc<TestKey>, KeyState)]) -> Arc<KeyRing> {
    let oidc = keys.iter().map(|(key, state)| signing_key(key, *state)).collect();
    let saml = Arc::new(TestKey::make("saml-key", SignatureAlgorithm::RS256));
    Arc::new(KeyRing { oidc, saml_signing: vec![signing_key(&saml, KeyState::Active)], ..KeyRing::default() })
}

fn signing_key(key: &Arc<TestKey>, state: KeyState) -> SigningKey {
    let signer = Arc::clone(key) as Arc<dyn Signer>;
    let mut jwk = key.jwk();
    // A careless key store: the key set must not pass this on.
    jwk["d"] = json!("private");
    SigningKey { state, signer, jwk, certificate: None }
}
