//! Public keys that a connection trusts.

use std::fmt;
use std::sync::Arc;

use openssl::bn::BigNum;
use openssl::ecdsa::EcdsaSig;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Public};
use openssl::sha::sha256;
use openssl::sign::Verifier;
use openssl::x509::X509;

use super::algorithm::{KeyKind, SignatureMethod};
use super::ffi::XmlsecKey;
use super::init;
use super::verify::{VerifyError, VerifyPolicy};

/// A public key, parsed once and cheap to clone; every thread may use it at once.
///
/// Whether its certificate is expired or who issued it is not looked at: the metadata
/// that lists a key is what makes it trusted (SAML metadata interoperability profile
/// section 2.5).
#[derive(Clone)]
pub struct VerifyKey(Arc<Inner>);

struct Inner {
    fingerprint: Fingerprint,
    kind: KeyKind,
    xmlsec: XmlsecKey,
    public: PKey<Public>,
}

/// SHA-256 of a certificate's DER, or of the SubjectPublicKeyInfo of a bare key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 32]);

/// Why a key can't be trusted for signatures.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyRefusal {
    #[error("this is not a certificate")]
    NotACertificate,
    #[error("this is not a public key")]
    NotAPublicKey,
    #[error("the key is neither RSA nor ECDSA")]
    Type,
    #[error("the RSA key has {0} bits; 2048 to 16384 are accepted")]
    RsaSize(u32),
    #[error("the elliptic curve is not P-256, P-384 or P-521")]
    Curve,
    #[error("the signature library refused the key")]
    Library,
}

impl VerifyKey {
    pub fn from_certificate_der(der: &[u8]) -> Result<Self, KeyRefusal> {
        let certificate = X509::from_der(der).map_err(|_| KeyRefusal::NotACertificate)?;
        Self::from_certificate(&certificate)
    }

    /// From DER of a SubjectPublicKeyInfo (RFC 5280 section 4.1).
    pub fn from_public_key_der(der: &[u8]) -> Result<Self, KeyRefusal> {
        let public = PKey::public_key_from_der(der).map_err(|_| KeyRefusal::NotAPublicKey)?;
        Self::new(&public, |spki| Some(sha256(spki)))
    }

    fn from_certificate(certificate: &X509) -> Result<Self, KeyRefusal> {
        let public = certificate.public_key().map_err(|_| KeyRefusal::NotAPublicKey)?;
        Self::new(&public, |_| certificate.to_der().ok().map(|der| sha256(&der)))
    }

    fn new(public: &PKey<Public>, fingerprint: impl FnOnce(&[u8]) -> Option<[u8; 32]>) -> Result<Self, KeyRefusal> {
        init().map_err(|_| KeyRefusal::Library)?;
        let kind = classify(public)?;
        let spki = public.public_key_to_der().map_err(|_| KeyRefusal::NotAPublicKey)?;
        let fingerprint = fingerprint(&spki).map(Fingerprint).ok_or(KeyRefusal::NotACertificate)?;
        let xmlsec = XmlsecKey::from_public_key_der(&spki).ok_or(KeyRefusal::Library)?;
        Ok(Self(Arc::new(Inner { fingerprint, kind, xmlsec, public: public.clone() })))
    }

    /// Verifies a signature that stands beside what it covers, with any of `keys`, and gives the key
    /// that made it. `method` is the URI that the sender names (SAML bindings 3.4.4.1).
    ///
    /// # Errors
    /// As for an enveloped signature.
    pub fn verify_detached(
        keys: &[Self],
        method: &str,
        octets: &[u8],
        signature: &[u8],
        policy: &VerifyPolicy,
    ) -> Result<Fingerprint, VerifyError> {
        if keys.is_empty() {
            return Err(VerifyError::NoKeys);
        }
        let method = SignatureMethod::from_uri(method).ok_or_else(|| VerifyError::Algorithm(method.to_owned()))?;
        policy.permit(method)?;
        let mut tried = Vec::new();
        for key in keys.iter().filter(|key| key.fits(method)) {
            if key.made(method, octets, signature) {
                return Ok(key.0.fingerprint);
            }
            tried.push(key.0.fingerprint);
        }
        if tried.is_empty() { Err(VerifyError::NoFittingKey(method)) } else { Err(VerifyError::NoKeyMatches { tried }) }
    }

    fn made(&self, method: SignatureMethod, octets: &[u8], signature: &[u8]) -> bool {
        let der;
        let signature = match self.0.kind {
            KeyKind::Rsa => signature,
            KeyKind::Ec => {
                // XML Signature writes two numbers of one length (6.4.3); some peers send the DER of
                // their library here, where no XML stands.
                let length = self.0.public.bits().div_ceil(8) as usize;
                der = if signature.len() == 2 * length { ecdsa_der(signature) } else { None };
                der.as_deref().unwrap_or(signature)
            }
        };
        let verified = Verifier::new(digest_of(method), &self.0.public)
            .and_then(|mut verifier| verifier.verify_oneshot(signature, octets));
        verified.unwrap_or(false)
    }

    pub fn fingerprint(&self) -> &Fingerprint {
        &self.0.fingerprint
    }

    pub(super) fn fits(&self, method: SignatureMethod) -> bool {
        self.0.kind == method.key_kind()
    }

    pub(super) fn xmlsec(&self) -> &XmlsecKey {
        &self.0.xmlsec
    }
}

impl Fingerprint {
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

fn digest_of(method: SignatureMethod) -> MessageDigest {
    match method {
        SignatureMethod::RsaSha256 | SignatureMethod::EcdsaSha256 => MessageDigest::sha256(),
        SignatureMethod::RsaSha384 | SignatureMethod::EcdsaSha384 => MessageDigest::sha384(),
        SignatureMethod::RsaSha512 | SignatureMethod::EcdsaSha512 => MessageDigest::sha512(),
        SignatureMethod::RsaSha1 => MessageDigest::sha1(),
    }
}

fn ecdsa_der(signature: &[u8]) -> Option<Vec<u8>> {
    let (r, s) = signature.split_at(signature.len() / 2);
    let pair = EcdsaSig::from_private_components(BigNum::from_slice(r).ok()?, BigNum::from_slice(s).ok()?).ok()?;
    pair.to_der().ok()
}

fn classify(public: &PKey<Public>) -> Result<KeyKind, KeyRefusal> {
    match public.id() {
        Id::RSA => match public.bits() {
            2048..=16384 => Ok(KeyKind::Rsa),
            bits => Err(KeyRefusal::RsaSize(bits)),
        },
        Id::EC => {
            let curve = public.ec_key().ok().and_then(|key| key.group().curve_name());
            match curve {
                Some(Nid::X9_62_PRIME256V1 | Nid::SECP384R1 | Nid::SECP521R1) => Ok(KeyKind::Ec),
                _ => Err(KeyRefusal::Curve),
            }
        }
        _ => Err(KeyRefusal::Type),
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Fingerprint({self})")
    }
}

impl fmt::Debug for VerifyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("VerifyKey").field(&self.0.fingerprint).finish()
    }
}
