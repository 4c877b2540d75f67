//! Encrypts what only one partner may read (SAML core 6, XML Encryption 1.1).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use openssl::encrypt::Encrypter;
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::pkey::{Id, PKey, Public};
use openssl::rand::rand_bytes;
use openssl::rsa::Padding;
use openssl::symm::{Cipher, encrypt as encrypt_padded, encrypt_aead};
use openssl::x509::X509;

use crate::names;
use crate::writer::XmlWriter;

/// The content's cipher (XML Encryption 1.1, section 5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentMethod {
    Aes128Gcm,
    Aes256Gcm,
    /// Does not authenticate its content: only for partners that take nothing else.
    Aes128Cbc,
    Aes256Cbc,
}

impl ContentMethod {
    /// As XML Encryption names it, without the namespace.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Aes128Gcm => "aes128-gcm",
            Self::Aes256Gcm => "aes256-gcm",
            Self::Aes128Cbc => "aes128-cbc",
            Self::Aes256Cbc => "aes256-cbc",
        }
    }
}

/// How the content's key is wrapped (XML Encryption 1.1, section 5.5.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyMethod {
    /// The URI of XML Encryption 1.0, with SHA-1: what everybody reads.
    OaepMgf1p,
    /// The URI of XML Encryption 1.1, with SHA-256 for digest and mask.
    OaepSha256,
}

/// Which of SAML's encrypted elements is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EncryptedWrapper {
    Assertion,
    Id,
    Attribute,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EncryptError {
    #[error("the partner's encryption certificate can't be read")]
    Certificate,
    #[error("the partner's encryption key is not RSA of at least 2048 bits")]
    Key,
    #[error("the content could not be encrypted")]
    Failed,
}

impl ContentMethod {
    pub const fn uri(self) -> &'static str {
        match self {
            Self::Aes128Gcm => "http://www.w3.org/2009/xmlenc11#aes128-gcm",
            Self::Aes256Gcm => "http://www.w3.org/2009/xmlenc11#aes256-gcm",
            Self::Aes128Cbc => "http://www.w3.org/2001/04/xmlenc#aes128-cbc",
            Self::Aes256Cbc => "http://www.w3.org/2001/04/xmlenc#aes256-cbc",
        }
    }
}

impl KeyMethod {
    pub const fn uri(self) -> &'static str {
        match self {
            Self::OaepMgf1p => "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p",
            Self::OaepSha256 => "http://www.w3.org/2009/xmlenc11#rsa-oaep",
        }
    }
}

/// Encrypts an element that this crate has written, to the key of a certificate in DER. The element
/// must declare every prefix that it uses: it is read alone.
///
/// # Errors
/// The certificate's key can't be used for this.
pub fn encrypt(
    xml: &str,
    wrapper: EncryptedWrapper,
    certificate: &[u8],
    content: ContentMethod,
    key: KeyMethod,
) -> Result<String, EncryptError> {
    let recipient = recipient(certificate)?;
    let (content_key, octets) = encipher(xml.as_bytes(), content).map_err(|_| EncryptError::Failed)?;
    let wrapped = wrap(&content_key, &recipient, key).map_err(|_| EncryptError::Failed)?;

    let mut out = XmlWriter::new();
    out.open(wrapper.name()).attr("xmlns:saml", names::ASSERTION);
    out.open("xenc:EncryptedData")
        .attr("xmlns:xenc", names::XENC)
        .attr("Type", "http://www.w3.org/2001/04/xmlenc#Element")
        .open("xenc:EncryptionMethod")
        .attr("Algorithm", content.uri())
        .close();
    // Inside KeyInfo every reader finds it (SAML core 6.2 lets it stand beside the data, too).
    out.open("ds:KeyInfo").attr("xmlns:ds", names::DSIG);
    encrypted_key(&mut out, &wrapped, key);
    out.close();
    out.open("xenc:CipherData").leaf("xenc:CipherValue", &STANDARD.encode(octets));
    Ok(out.finish())
}

impl EncryptedWrapper {
    const fn name(self) -> &'static str {
        match self {
            Self::Assertion => "saml:EncryptedAssertion",
            Self::Id => "saml:EncryptedID",
            Self::Attribute => "saml:EncryptedAttribute",
        }
    }
}

fn recipient(certificate: &[u8]) -> Result<PKey<Public>, EncryptError> {
    let certificate = X509::from_der(certificate).map_err(|_| EncryptError::Certificate)?;
    let key = certificate.public_key().map_err(|_| EncryptError::Certificate)?;
    if key.id() == Id::RSA && (2048..=16384).contains(&key.bits()) { Ok(key) } else { Err(EncryptError::Key) }
}

fn encrypted_key(out: &mut XmlWriter, wrapped: &[u8], method: KeyMethod) {
    let digest = match method {
        KeyMethod::OaepMgf1p => "http://www.w3.org/2000/09/xmldsig#sha1",
        KeyMethod::OaepSha256 => "http://www.w3.org/2001/04/xmlenc#sha256",
    };
    out.open("xenc:EncryptedKey");
    out.open("xenc:EncryptionMethod").attr("Algorithm", method.uri());
    out.open("ds:DigestMethod").attr("Algorithm", digest).close();
    if method == KeyMethod::OaepSha256 {
        out.open("xenc11:MGF")
            .attr("xmlns:xenc11", names::XENC11)
            .attr("Algorithm", "http://www.w3.org/2009/xmlenc11#mgf1sha256")
            .close();
    }
    out.close();
    out.open("xenc:CipherData").leaf("xenc:CipherValue", &STANDARD.encode(wrapped)).close().close();
}

/// A new key, and what it makes of the octets: initialization vector, ciphertext, and the tag of GCM
/// (XML Encryption 1.1, sections 5.2.1 and 5.2.4).
fn encipher(plaintext: &[u8], method: ContentMethod) -> Result<(Vec<u8>, Vec<u8>), ErrorStack> {
    let cipher = match method {
        ContentMethod::Aes128Gcm => Cipher::aes_128_gcm(),
        ContentMethod::Aes256Gcm => Cipher::aes_256_gcm(),
        ContentMethod::Aes128Cbc => Cipher::aes_128_cbc(),
        ContentMethod::Aes256Cbc => Cipher::aes_256_cbc(),
    };
    let gcm = matches!(method, ContentMethod::Aes128Gcm | ContentMethod::Aes256Gcm);
    let mut key = vec![0; cipher.key_len()];
    let mut octets = vec![0; if gcm { 12 } else { 16 }];
    rand_bytes(&mut key)?;
    rand_bytes(&mut octets)?;
    let sealed = if gcm {
        let mut tag = [0; 16];
        let mut sealed = encrypt_aead(cipher, &key, Some(&octets), &[], plaintext, &mut tag)?;
        sealed.extend(tag);
        sealed
    } else {
        // PKCS #7 padding is one of those that XML Encryption allows.
        encrypt_padded(cipher, &key, Some(&octets), plaintext)?
    };
    octets.extend(sealed);
    Ok((key, octets))
}

fn wrap(key: &[u8], recipient: &PKey<Public>, method: KeyMethod) -> Result<Vec<u8>, ErrorStack> {
    let mut encrypter = Encrypter::new(recipient)?;
    encrypter.set_rsa_padding(Padding::PKCS1_OAEP)?;
    if method == KeyMethod::OaepSha256 {
        encrypter.set_rsa_oaep_md(MessageDigest::sha256())?;
        encrypter.set_rsa_mgf1_md(MessageDigest::sha256())?;
    }
    let mut out = vec![0; encrypter.encrypt_len(key)?];
    let length = encrypter.encrypt(key, &mut out)?;
    out.truncate(length);
    Ok(out)
}
