//! Encrypts assertions as identity providers do (SAML core 6, XML Encryption 1.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::encrypt::Encrypter;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{PKey, Public};
use openssl::rsa::Padding;
use openssl::symm::{Cipher, encrypt, encrypt_aead};
use openssl::x509::X509;

use super::ScriptError;
use crate::names;
use crate::writer::XmlWriter;

/// How to encrypt, and to whom.
#[derive(Debug, Clone)]
pub struct Encryption {
    /// DER of the recipient's certificate, as the SP's metadata has it.
    pub certificate: Vec<u8>,
    /// URI of the content cipher: AES-GCM or AES-CBC with 128 or 256 bits.
    pub cipher: &'static str,
    /// URI of the key transport: one of the two RSA-OAEPs, or RSA 1.5.
    pub transport: &'static str,
    pub place: KeyPlace,
}

/// Where `EncryptedKey` stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyPlace {
    InKeyInfo,
    /// Beside `EncryptedData`, found by a RetrievalMethod.
    Sibling,
}

impl Encryption {
    pub const AES_256_GCM: &'static str = "http://www.w3.org/2009/xmlenc11#aes256-gcm";
    pub const AES_128_GCM: &'static str = "http://www.w3.org/2009/xmlenc11#aes128-gcm";
    pub const AES_256_CBC: &'static str = "http://www.w3.org/2001/04/xmlenc#aes256-cbc";
    pub const AES_128_CBC: &'static str = "http://www.w3.org/2001/04/xmlenc#aes128-cbc";
    pub const OAEP_MGF1P: &'static str = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p";
    /// With SHA-256 for digest and mask.
    pub const OAEP: &'static str = "http://www.w3.org/2009/xmlenc11#rsa-oaep";
    pub const RSA_1_5: &'static str = "http://www.w3.org/2001/04/xmlenc#rsa-1_5";

    /// AES-256-GCM under RSA-OAEP, the key inside KeyInfo.
    pub fn to(certificate: &[u8]) -> Self {
        Self {
            certificate: certificate.to_vec(),
            cipher: Self::AES_256_GCM,
            transport: Self::OAEP_MGF1P,
            place: KeyPlace::InKeyInfo,
        }
    }
}

/// Wraps the text of an assertion, or whatever is given, in an `EncryptedAssertion`.
pub fn encrypted_assertion(plaintext: &str, how: &Encryption) -> Result<String, ScriptError> {
    encrypted("saml:EncryptedAssertion", plaintext, how)
}

/// The same for a name: an `EncryptedID` (SAML core 2.2.4).
pub fn encrypted_id(plaintext: &str, how: &Encryption) -> Result<String, ScriptError> {
    encrypted("saml:EncryptedID", plaintext, how)
}

fn encrypted(wrapper: &'static str, plaintext: &str, how: &Encryption) -> Result<String, ScriptError> {
    let (content_key, octets) = encrypt_content(plaintext.as_bytes(), how.cipher)?;
    let recipient = X509::from_der(&how.certificate).and_then(|cert| cert.public_key()).map_err(ScriptError::of)?;
    let wrapped = wrap(&content_key, &recipient, how.transport).map_err(ScriptError::of)?;
    let sibling = how.place == KeyPlace::Sibling;

    let mut xml = XmlWriter::new();
    xml.open(wrapper).attr("xmlns:saml", names::ASSERTION);
    xml.open("xenc:EncryptedData")
        .attr("xmlns:xenc", names::XENC)
        .attr("Type", "http://www.w3.org/2001/04/xmlenc#Element")
        .open("xenc:EncryptionMethod")
        .attr("Algorithm", how.cipher)
        .close();
    xml.open("ds:KeyInfo").attr("xmlns:ds", names::DSIG);
    if sibling {
        xml.open("ds:RetrievalMethod")
            .attr("Type", "http://www.w3.org/2001/04/xmlenc#EncryptedKey")
            .attr("URI", "#_key")
            .close();
    } else {
        encrypted_key(&mut xml, &wrapped, how.transport, None);
    }
    xml.close();
    xml.open("xenc:CipherData").leaf("xenc:CipherValue", &STANDARD.encode(octets)).close().close();
    if sibling {
        encrypted_key(&mut xml, &wrapped, how.transport, Some("_key"));
    }
    Ok(xml.finish())
}

fn encrypted_key(xml: &mut XmlWriter, wrapped: &[u8], transport: &str, id: Option<&str>) {
    xml.open("xenc:EncryptedKey").attr("xmlns:xenc", names::XENC).attr_if("Id", id);
    xml.open("xenc:EncryptionMethod").attr("Algorithm", transport);
    let digest = match transport {
        Encryption::OAEP => Some("http://www.w3.org/2001/04/xmlenc#sha256"),
        Encryption::OAEP_MGF1P => Some("http://www.w3.org/2000/09/xmldsig#sha1"),
        _ => None,
    };
    if let Some(digest) = digest {
        xml.open("ds:DigestMethod").attr("xmlns:ds", names::DSIG).attr("Algorithm", digest).close();
    }
    if transport == Encryption::OAEP {
        xml.open("xenc11:MGF")
            .attr("xmlns:xenc11", names::XENC11)
            .attr("Algorithm", "http://www.w3.org/2009/xmlenc11#mgf1sha256")
            .close();
    }
    xml.close();
    xml.open("xenc:CipherData").leaf("xenc:CipherValue", &STANDARD.encode(wrapped)).close().close();
}

fn encrypt_content(plaintext: &[u8], cipher: &str) -> Result<(Vec<u8>, Vec<u8>), ScriptError> {
    let (algorithm, iv, gcm) = match cipher {
        Encryption::AES_256_GCM => (Cipher::aes_256_gcm(), 12, true),
        Encryption::AES_128_GCM => (Cipher::aes_128_gcm(), 12, true),
        Encryption::AES_256_CBC => (Cipher::aes_256_cbc(), 16, false),
        Encryption::AES_128_CBC => (Cipher::aes_128_cbc(), 16, false),
        other => return Err(ScriptError(format!("the testkit has no cipher {other}"))),
    };
    let mut key = vec![0; algorithm.key_len()];
    let mut octets = vec![0; iv];
    let sealed =
        openssl::rand::rand_bytes(&mut key).and_then(|()| openssl::rand::rand_bytes(&mut octets)).and_then(|()| {
            if gcm {
                let mut tag = [0; 16];
                let mut sealed = encrypt_aead(algorithm, &key, Some(&octets), &[], plaintext, &mut tag)?;
                sealed.extend(tag);
                Ok(sealed)
            } else {
                encrypt(algorithm, &key, Some(&octets), plaintext)
            }
        });
    octets.extend(sealed.map_err(ScriptError::of)?);
    Ok((key, octets))
}

fn wrap(key: &[u8], recipient: &PKey<Public>, transport: &str) -> Result<Vec<u8>, ErrorStack> {
    let mut encrypter = Encrypter::new(recipient)?;
    match transport {
        Encryption::RSA_1_5 => encrypter.set_rsa_padding(Padding::PKCS1)?,
        Encryption::OAEP => {
            encrypter.set_rsa_padding(Padding::PKCS1_OAEP)?;
            encrypter.set_rsa_oaep_md(MessageDigest::sha256())?;
            encrypter.set_rsa_mgf1_md(MessageDigest::sha256())?;
        }
        _ => encrypter.set_rsa_padding(Padding::PKCS1_OAEP)?,
    }
    let mut out = vec![0; encrypter.encrypt_len(key)?];
    let length = encrypter.encrypt(key, &mut out)?;
    out.truncate(length);
    Ok(out)
}
