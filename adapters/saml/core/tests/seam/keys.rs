//! Keys made for the run, and the contract's traits over them.

use std::sync::OnceLock;

use fedbridge_contract::keys::{Decrypter, KeyError, OaepDigest, SignatureAlgorithm, Signer};
use fedbridge_saml_core::seam::VerifyKey;
use openssl::asn1::Asn1Time;
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::ecdsa::EcdsaSig;
use openssl::encrypt::Decrypter as OpensslDecrypter;
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, Private};
use openssl::rsa::{Padding, Rsa};
use openssl::sign::Signer as OpensslSigner;
use openssl::x509::{X509, X509Name};

pub struct TestKey {
    pub private: PKey<Private>,
    pub certificate: Vec<u8>,
}

/// The IdP's key.
pub fn idp() -> &'static TestKey {
    static KEY: OnceLock<TestKey> = OnceLock::new();
    KEY.get_or_init(|| TestKey::rsa(2048))
}

/// The IdP's next key.
pub fn idp_next() -> &'static TestKey {
    static KEY: OnceLock<TestKey> = OnceLock::new();
    KEY.get_or_init(|| TestKey::rsa(2048))
}

/// A key that no connection trusts.
pub fn attacker() -> &'static TestKey {
    static KEY: OnceLock<TestKey> = OnceLock::new();
    KEY.get_or_init(|| TestKey::rsa(2048))
}

pub fn elliptic() -> &'static TestKey {
    static KEY: OnceLock<TestKey> = OnceLock::new();
    KEY.get_or_init(|| TestKey::ec(Nid::X9_62_PRIME256V1))
}

impl TestKey {
    pub fn rsa(bits: u32) -> Self {
        Self::certified(PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap())
    }

    pub fn ec(curve: Nid) -> Self {
        let group = EcGroup::from_curve_name(curve).unwrap();
        Self::certified(PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap())
    }

    fn certified(private: PKey<Private>) -> Self {
        let mut name = X509Name::builder().unwrap();
        name.append_entry_by_text("CN", "test").unwrap();
        let name = name.build();
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        builder.set_serial_number(&BigNum::from_u32(1).unwrap().to_asn1_integer().unwrap()).unwrap();
        builder.set_subject_name(&name).unwrap();
        builder.set_issuer_name(&name).unwrap();
        builder.set_not_before(&Asn1Time::days_from_now(0).unwrap()).unwrap();
        builder.set_not_after(&Asn1Time::days_from_now(1).unwrap()).unwrap();
        builder.set_pubkey(&private).unwrap();
        builder.sign(&private, MessageDigest::sha256()).unwrap();
        let certificate = builder.build().to_der().unwrap();
        Self { private, certificate }
    }

    pub fn verify_key(&self) -> VerifyKey {
        VerifyKey::from_certificate_der(&self.certificate).unwrap()
    }

    pub fn private_pem(&self) -> Vec<u8> {
        self.private.private_key_to_pem_pkcs8().unwrap()
    }

    pub fn certificate_pem(&self) -> Vec<u8> {
        X509::from_der(&self.certificate).unwrap().to_pem().unwrap()
    }

    pub fn sign_with(&self, digest: MessageDigest, message: &[u8]) -> Vec<u8> {
        let mut signer = OpensslSigner::new(digest, &self.private).unwrap();
        let signature = signer.sign_oneshot_to_vec(message).unwrap();
        if self.private.id() != Id::EC {
            return signature;
        }
        let size = i32::try_from(self.private.bits().div_ceil(8)).unwrap();
        let signature = EcdsaSig::from_der(&signature).unwrap();
        let mut raw = signature.r().to_vec_padded(size).unwrap();
        raw.extend(signature.s().to_vec_padded(size).unwrap());
        raw
    }
}

impl Signer for TestKey {
    fn kid(&self) -> &str {
        "test"
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        if self.private.id() == Id::EC { SignatureAlgorithm::ES256 } else { SignatureAlgorithm::RS256 }
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, KeyError> {
        Ok(self.sign_with(MessageDigest::sha256(), message))
    }

    fn verify(&self, _: &[u8], _: &[u8]) -> bool {
        unreachable!("the seam verifies with public keys")
    }
}

impl Decrypter for TestKey {
    fn kid(&self) -> &str {
        "test"
    }

    fn unwrap_oaep(&self, wrapped: &[u8], digest: OaepDigest, mgf1: OaepDigest) -> Result<Vec<u8>, KeyError> {
        let unwrap = || {
            let mut decrypter = OpensslDecrypter::new(&self.private)?;
            decrypter.set_rsa_padding(Padding::PKCS1_OAEP)?;
            decrypter.set_rsa_oaep_md(message_digest(digest))?;
            decrypter.set_rsa_mgf1_md(message_digest(mgf1))?;
            let mut plain = vec![0; decrypter.decrypt_len(wrapped)?];
            let length = decrypter.decrypt(wrapped, &mut plain)?;
            plain.truncate(length);
            Ok::<_, openssl::error::ErrorStack>(plain)
        };
        unwrap().map_err(|_| KeyError { kid: "test".to_owned(), cause: "unwrap".to_owned() })
    }
}

pub fn message_digest(digest: OaepDigest) -> MessageDigest {
    match digest {
        OaepDigest::Sha1 => MessageDigest::sha1(),
        OaepDigest::Sha256 => MessageDigest::sha256(),
        OaepDigest::Sha384 => MessageDigest::sha384(),
        OaepDigest::Sha512 => MessageDigest::sha512(),
    }
}
