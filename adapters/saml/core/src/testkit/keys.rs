//! Keys made at run time.

use std::sync::{Arc, LazyLock};

use fedbridge_contract::keys::{Decrypter, KeyError, OaepDigest, SignatureAlgorithm, Signer};
use fedbridge_contract::time::Timestamp;
use openssl::asn1::Asn1Time;
use openssl::bn::{BigNum, BigNumContext};
use openssl::ec::{EcGroup, EcKey, EcPoint};
use openssl::ecdsa::EcdsaSig;
use openssl::encrypt::Decrypter as OpensslDecrypter;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::{Padding, Rsa};
use openssl::sign::{Signer as OpensslSigner, Verifier};
use openssl::x509::{X509, X509NameBuilder};

use super::ScriptError;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    Rsa(u32),
    P256,
}

/// A key pair with a self-signed certificate.
pub struct TestKey {
    pub private: PKey<Private>,
    /// DER.
    pub certificate: Vec<u8>,
    algorithm: SignatureAlgorithm,
}

/// 2020 to 2050, in seconds.
const YEARS: (i64, i64) = (1_577_836_800, 2_524_608_000);

static SHARED: LazyLock<Result<Arc<TestKey>, ScriptError>> = LazyLock::new(|| TestKey::make(KeyKind::Rsa(2048)));

impl TestKey {
    /// The RSA-2048 key of this process.
    ///
    /// # Panics
    /// Where OpenSSL can't make a key: then nothing of the testkit can work.
    #[allow(clippy::panic)]
    pub fn shared() -> Arc<Self> {
        match &*SHARED {
            Ok(key) => Arc::clone(key),
            Err(error) => panic!("OpenSSL made no key: {error}"),
        }
    }

    pub fn make(kind: KeyKind) -> Result<Arc<Self>, ScriptError> {
        let (from, to) = YEARS;
        Self::make_valid(kind, Timestamp::from_seconds(from), Timestamp::from_seconds(to))
    }

    /// With a certificate that is valid between these moments.
    pub fn make_valid(kind: KeyKind, from: Timestamp, to: Timestamp) -> Result<Arc<Self>, ScriptError> {
        make(kind, from, to).map(Arc::new).map_err(ScriptError::of)
    }

    /// An ECDSA key that is the same in every process, so that what it signed can be kept.
    pub fn constant(number: u8) -> Result<Arc<Self>, ScriptError> {
        constant(number).map(Arc::new).map_err(ScriptError::of)
    }

    fn digest_sign(&self, message: &[u8]) -> Result<Vec<u8>, ErrorStack> {
        let mut signer = OpensslSigner::new(MessageDigest::sha256(), &self.private)?;
        let signature = signer.sign_oneshot_to_vec(message)?;
        match self.algorithm {
            SignatureAlgorithm::ES256 => {
                let parts = EcdsaSig::from_der(&signature)?;
                let mut out = parts.r().to_vec_padded(32)?;
                out.extend(parts.s().to_vec_padded(32)?);
                Ok(out)
            }
            _ => Ok(signature),
        }
    }
}

fn make(kind: KeyKind, from: Timestamp, to: Timestamp) -> Result<TestKey, ErrorStack> {
    let (private, algorithm) = match kind {
        KeyKind::Rsa(bits) => (PKey::from_rsa(Rsa::generate(bits)?)?, SignatureAlgorithm::RS256),
        KeyKind::P256 => {
            let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
            (PKey::from_ec_key(EcKey::generate(&group)?)?, SignatureAlgorithm::ES256)
        }
    };
    certify(private, algorithm, from, to)
}

fn constant(number: u8) -> Result<TestKey, ErrorStack> {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
    let scalar = BigNum::from_slice(&openssl::sha::sha256(&[number]))?;
    let mut point = EcPoint::new(&group)?;
    let mut context = BigNumContext::new()?;
    point.mul_generator2(&group, &scalar, &mut context)?;
    let private = PKey::from_ec_key(EcKey::from_private_components(&group, &scalar, &point)?)?;
    let (from, to) = YEARS;
    certify(private, SignatureAlgorithm::ES256, Timestamp::from_seconds(from), Timestamp::from_seconds(to))
}

/// Puts a self-signed certificate beside a key.
fn certify(
    private: PKey<Private>,
    algorithm: SignatureAlgorithm,
    from: Timestamp,
    to: Timestamp,
) -> Result<TestKey, ErrorStack> {
    let mut name = X509NameBuilder::new()?;
    name.append_entry_by_text("CN", "scripted identity provider")?;
    let name = name.build();
    let mut builder = X509::builder()?;
    builder.set_version(2)?;
    let mut serial = [0; 16];
    openssl::rand::rand_bytes(&mut serial)?;
    let serial = BigNum::from_slice(&serial)?.to_asn1_integer()?;
    builder.set_serial_number(&serial)?;
    builder.set_subject_name(&name)?;
    builder.set_issuer_name(&name)?;
    builder.set_pubkey(&private)?;
    builder.set_not_before(&*Asn1Time::from_unix(from.seconds())?)?;
    builder.set_not_after(&*Asn1Time::from_unix(to.seconds())?)?;
    builder.sign(&private, MessageDigest::sha256())?;
    Ok(TestKey { certificate: builder.build().to_der()?, private, algorithm })
}

fn key_error(error: impl std::fmt::Display) -> KeyError {
    KeyError { kid: "scripted".into(), cause: error.to_string() }
}

impl Signer for TestKey {
    fn kid(&self) -> &str {
        "scripted"
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.algorithm
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        self.digest_sign(message).map_err(key_error)
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let der = match self.algorithm {
            SignatureAlgorithm::ES256 if signature.len() == 64 => {
                let (r, s) = signature.split_at(32);
                let parts = BigNum::from_slice(r).and_then(|r| {
                    BigNum::from_slice(s)
                        .and_then(|s| EcdsaSig::from_private_components(r, s))
                        .and_then(|sig| sig.to_der())
                });
                match parts {
                    Ok(der) => der,
                    Err(_) => return false,
                }
            }
            _ => signature.to_vec(),
        };
        Verifier::new(MessageDigest::sha256(), &self.private)
            .and_then(|mut verifier| verifier.verify_oneshot(&der, message))
            .unwrap_or(false)
    }
}

/// The decryption side of an RSA [`TestKey`], for a tenant's key ring.
pub struct TestDecrypter(pub Arc<TestKey>);

impl Decrypter for TestDecrypter {
    fn kid(&self) -> &str {
        "scripted"
    }

    fn unwrap_oaep(&self, wrapped: &[u8], digest: OaepDigest, mgf1: OaepDigest) -> Result<Vec<u8>, KeyError> {
        let unwrap = || {
            let mut decrypter = OpensslDecrypter::new(&self.0.private)?;
            decrypter.set_rsa_padding(Padding::PKCS1_OAEP)?;
            decrypter.set_rsa_oaep_md(message_digest(digest))?;
            decrypter.set_rsa_mgf1_md(message_digest(mgf1))?;
            let mut out = vec![0; decrypter.decrypt_len(wrapped)?];
            let length = decrypter.decrypt(wrapped, &mut out)?;
            out.truncate(length);
            Ok::<_, ErrorStack>(out)
        };
        unwrap().map_err(key_error)
    }
}

pub(super) fn message_digest(digest: OaepDigest) -> MessageDigest {
    match digest {
        OaepDigest::Sha1 => MessageDigest::sha1(),
        OaepDigest::Sha256 => MessageDigest::sha256(),
        OaepDigest::Sha384 => MessageDigest::sha384(),
        OaepDigest::Sha512 => MessageDigest::sha512(),
    }
}
