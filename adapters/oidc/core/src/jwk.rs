//! Public keys of others (RFC 7517). A key is bound to its algorithm here, so that a header can never
//! choose another (RFC 8725 section 3.1).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fedbridge_contract::keys::SignatureAlgorithm;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Public};
use openssl::rsa::{Padding, Rsa};
use openssl::sign::{RsaPssSaltlen, Verifier};
use serde_json::{Map, Value};

use crate::strict_json;

/// The most keys that one set may have: one that an admin wrote, and one that somebody publishes.
const MAX_REGISTERED: usize = 50;
const MAX_PUBLISHED: usize = 100;

/// Members of a JWK that are private or secret (RFC 7518 section 6).
const PRIVATE_MEMBERS: &[&str] = &["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// A key that checks somebody else's signatures.
#[derive(Debug, Clone)]
pub struct PublicJwk {
    pub kid: Option<String>,
    issuer: Option<String>,
    algorithms: &'static [SignatureAlgorithm],
    key: PKey<Public>,
}

impl PublicJwk {
    /// Whose tokens this key signs, in a set that several issuers share. Microsoft Entra ID writes `{tenantid}`
    /// for a key of any of its tenants.
    pub fn issuer(&self) -> Option<&str> {
        self.issuer.as_deref()
    }

    /// Whether this key is meant for this algorithm, and is the one that `kid` names, where it names one.
    pub fn fits(&self, algorithm: SignatureAlgorithm, kid: Option<&str>) -> bool {
        self.algorithms.contains(&algorithm) && (kid.is_none() || self.kid.as_deref() == kid)
    }

    /// False for a wrong signature and for a wrong algorithm alike.
    pub fn verify(&self, algorithm: SignatureAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        self.algorithms.contains(&algorithm) && self.check(algorithm, message, signature).unwrap_or(false)
    }

    fn check(&self, algorithm: SignatureAlgorithm, message: &[u8], signature: &[u8]) -> Result<bool, ErrorStack> {
        match algorithm {
            SignatureAlgorithm::ES256 => {
                if signature.len() != 64 {
                    return Ok(false);
                }
                let (r, s) = signature.split_at(32);
                let signature = EcdsaSig::from_private_components(BigNum::from_slice(r)?, BigNum::from_slice(s)?)?;
                signature.verify(&openssl::sha::sha256(message), self.key.ec_key()?.as_ref())
            }
            SignatureAlgorithm::RS256 => {
                let mut verifier = Verifier::new(MessageDigest::sha256(), &self.key)?;
                verifier.set_rsa_padding(Padding::PKCS1)?;
                verifier.verify_oneshot(signature, message)
            }
            SignatureAlgorithm::PS256 => {
                let mut verifier = Verifier::new(MessageDigest::sha256(), &self.key)?;
                verifier.set_rsa_padding(Padding::PKCS1_PSS)?;
                verifier.set_rsa_mgf1_md(MessageDigest::sha256())?;
                verifier.set_rsa_pss_saltlen(RsaPssSaltlen::DIGEST_LENGTH)?;
                verifier.verify_oneshot(signature, message)
            }
            SignatureAlgorithm::EdDSA => Verifier::new_without_digest(&self.key)?.verify_oneshot(signature, message),
        }
    }
}

/// Reads a JWK set that an admin wrote: every key must be usable.
///
/// # Errors
/// One sentence for each bad key, with its path below the set.
pub fn registered_set(set: &Value) -> Result<Vec<PublicJwk>, Vec<(String, String)>> {
    let Some(keys) = set.get("keys").and_then(Value::as_array) else {
        return Err(vec![(String::new(), "Expected a JWK set: an object with a list named keys.".into())]);
    };
    if keys.is_empty() || keys.len() > MAX_REGISTERED {
        return Err(vec![("keys".into(), format!("Expected 1 to {MAX_REGISTERED} keys, got {}.", keys.len()))]);
    }
    let mut good = Vec::new();
    let mut bad = Vec::new();
    for (at, key) in keys.iter().enumerate() {
        match key.as_object().ok_or_else(|| "Expected a JWK.".to_owned()).and_then(read) {
            Ok(key) => good.push(key),
            Err(message) => bad.push((format!("keys[{at}]"), message)),
        }
    }
    if bad.is_empty() { Ok(good) } else { Err(bad) }
}

/// Reads a JWK set that somebody publishes: keys for other uses, and ones that can't be used, are passed over.
///
/// # Errors
/// One clause that says what is wrong with the set.
pub fn published_set(octets: &[u8]) -> Result<Vec<PublicJwk>, String> {
    let set = strict_json::object(octets).map_err(|why| format!("the key set is {why}"))?;
    let listed = set.get("keys").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    if listed.len() > MAX_PUBLISHED {
        return Err(format!("the key set has {} keys; {MAX_PUBLISHED} are read at most", listed.len()));
    }
    let keys: Vec<_> = listed.iter().filter_map(Value::as_object).filter_map(|key| read(key).ok()).collect();
    if keys.is_empty() { Err("the key set has no usable signature key".into()) } else { Ok(keys) }
}

fn read(jwk: &Map<String, Value>) -> Result<PublicJwk, String> {
    if let Some(member) = PRIVATE_MEMBERS.iter().find(|member| jwk.contains_key(**member)) {
        return Err(format!("Take the private member {member} out; only the public key belongs here."));
    }
    if jwk.get("use").is_some_and(|usage| usage != "sig") {
        return Err("The key's use is not sig.".into());
    }
    let verifies = |operations: &Value| operations.as_array().is_some_and(|all| all.iter().any(|one| one == "verify"));
    if !jwk.get("key_ops").is_none_or(verifies) {
        return Err("The key's key_ops do not have verify among them.".into());
    }
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let octets = |name: &str| {
        let bytes = text(name).and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
        bytes.ok_or_else(|| format!("The key's member {name} is missing or not base64url."))
    };
    let unusable = |_: ErrorStack| "The key's numbers do not make a public key.".to_owned();
    let (key, possible): (_, &'static [SignatureAlgorithm]) = match (text("kty"), text("crv")) {
        (Some("EC"), Some("P-256")) => {
            let key = ec_key(&octets("x")?, &octets("y")?).map_err(unusable)?;
            (key, &[SignatureAlgorithm::ES256])
        }
        (Some("RSA"), _) => {
            let exponent = octets("e")?;
            // With an exponent of 1 everybody can sign, and openssl would take one.
            let digits: Vec<u8> = exponent.iter().copied().skip_while(|octet| *octet == 0).collect();
            let odd = digits.last().is_some_and(|last| last % 2 == 1);
            if !odd || digits == [1] || digits.len() > 8 {
                return Err("Expected an odd RSA exponent of 3 or more, of 64 bits at most.".into());
            }
            let rsa = rsa_key(&octets("n")?, &exponent).map_err(unusable)?;
            if rsa.bits() < 2048 || rsa.bits() > 8192 {
                return Err("Expected an RSA key of 2048 to 8192 bits.".into());
            }
            (rsa, &[SignatureAlgorithm::RS256, SignatureAlgorithm::PS256])
        }
        (Some("OKP"), Some("Ed25519")) => (
            PKey::public_key_from_raw_bytes(&octets("x")?, Id::ED25519).map_err(unusable)?,
            &[SignatureAlgorithm::EdDSA],
        ),
        _ => return Err("Expected an EC key on P-256, an RSA key, or an OKP key on Ed25519.".into()),
    };
    let algorithms = match jwk.get("alg").map(|alg| alg.as_str().and_then(SignatureAlgorithm::from_name)) {
        None => possible,
        Some(Some(algorithm)) => match possible.iter().position(|there| *there == algorithm) {
            Some(at) => &possible[at..=at],
            None => return Err("The key's alg does not fit its type.".into()),
        },
        Some(None) => return Err("Expected alg to be ES256, RS256, PS256 or EdDSA.".into()),
    };
    let issuer = text("issuer").map(str::to_owned);
    Ok(PublicJwk { kid: text("kid").map(str::to_owned), issuer, algorithms, key })
}

fn ec_key(x: &[u8], y: &[u8]) -> Result<PKey<Public>, ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    let (x, y) = (BigNum::from_slice(x)?, BigNum::from_slice(y)?);
    // This also checks that the point is on the curve.
    let key = EcKey::from_public_key_affine_coordinates(&group, &x, &y)?;
    PKey::from_ec_key(key)
}

fn rsa_key(n: &[u8], e: &[u8]) -> Result<PKey<Public>, ErrorStack> {
    PKey::from_rsa(Rsa::from_public_components(BigNum::from_slice(n)?, BigNum::from_slice(e)?)?)
}
