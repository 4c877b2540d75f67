//! The other side of decryption: builds SAML's encrypted elements.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::keys::OaepDigest;
use openssl::encrypt::Encrypter;
use openssl::rand::rand_bytes;
use openssl::rsa::Padding;
use openssl::symm::{Cipher, Crypter, Mode, encrypt_aead};

use crate::keys::{TestKey, message_digest};

pub const OAEP_MGF1P: &str = "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p";
pub const OAEP_11: &str = "http://www.w3.org/2009/xmlenc11#rsa-oaep";
pub const RSA_15: &str = "http://www.w3.org/2001/04/xmlenc#rsa-1_5";

/// Where EncryptedKey stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    InKeyInfo,
    Beside,
    /// Beside, with a RetrievalMethod in the data's KeyInfo.
    Retrieved,
}

#[derive(Clone, Copy)]
pub struct Recipe<'a> {
    pub cipher: &'a str,
    pub key_transport: &'a str,
    pub digest: OaepDigest,
    pub mgf1: OaepDigest,
    pub layout: Layout,
}

impl Default for Recipe<'_> {
    fn default() -> Self {
        Self {
            cipher: "http://www.w3.org/2009/xmlenc11#aes256-gcm",
            key_transport: OAEP_11,
            digest: OaepDigest::Sha256,
            mgf1: OaepDigest::Sha256,
            layout: Layout::InKeyInfo,
        }
    }
}

/// The two secrets in base64, for a test to spoil.
pub struct Sealed {
    pub data: Vec<u8>,
    pub key: Vec<u8>,
}

impl Recipe<'_> {
    pub fn seal(&self, plaintext: &[u8], to: &TestKey) -> Sealed {
        let mut content_key = vec![0; self.key_length()];
        rand_bytes(&mut content_key).unwrap();
        Sealed { data: self.encipher(&content_key, plaintext), key: self.wrap(&content_key, to) }
    }

    /// A `saml:EncryptedAssertion`.
    pub fn element(&self, sealed: &Sealed) -> String {
        let key = self.key_element("_k1", &sealed.key);
        let (inside, beside) = match self.layout {
            Layout::InKeyInfo => (key, String::new()),
            Layout::Beside => (String::new(), key),
            Layout::Retrieved => {
                let kind = "http://www.w3.org/2001/04/xmlenc#EncryptedKey";
                (format!(r##"<ds:RetrievalMethod URI="#_k1" Type="{kind}"/>"##), key)
            }
        };
        let key_info = if inside.is_empty() { inside } else { format!("<ds:KeyInfo>{inside}</ds:KeyInfo>") };
        format!(
            concat!(
                r#"<saml:EncryptedAssertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" "#,
                r#"xmlns:xenc="http://www.w3.org/2001/04/xmlenc#" xmlns:ds="http://www.w3.org/2000/09/xmldsig#">"#,
                r#"<xenc:EncryptedData Type="http://www.w3.org/2001/04/xmlenc#Element">"#,
                r#"<xenc:EncryptionMethod Algorithm="{cipher}"/>{key_info}<xenc:CipherData><xenc:CipherValue>{data}"#,
                r#"</xenc:CipherValue></xenc:CipherData></xenc:EncryptedData>{beside}</saml:EncryptedAssertion>"#
            ),
            cipher = self.cipher,
            key_info = key_info,
            data = STANDARD.encode(&sealed.data),
            beside = beside
        )
    }

    pub fn encrypt(&self, plaintext: &str, to: &TestKey) -> String {
        self.element(&self.seal(plaintext.as_bytes(), to))
    }

    fn key_element(&self, id: &str, wrapped: &[u8]) -> String {
        let name = |digest: OaepDigest| match digest {
            OaepDigest::Sha1 => "sha1",
            OaepDigest::Sha256 => "sha256",
            OaepDigest::Sha384 => "sha384",
            OaepDigest::Sha512 => "sha512",
        };
        let digest = match self.digest {
            OaepDigest::Sha1 => "http://www.w3.org/2000/09/xmldsig#sha1",
            OaepDigest::Sha256 => "http://www.w3.org/2001/04/xmlenc#sha256",
            OaepDigest::Sha384 => "http://www.w3.org/2001/04/xmldsig-more#sha384",
            OaepDigest::Sha512 => "http://www.w3.org/2001/04/xmlenc#sha512",
        };
        let mgf = if self.key_transport == OAEP_11 {
            let mgf1 = name(self.mgf1);
            format!(
                r#"<xenc11:MGF xmlns:xenc11="http://www.w3.org/2009/xmlenc11#" Algorithm="http://www.w3.org/2009/xmlenc11#mgf1{mgf1}"/>"#
            )
        } else {
            String::new()
        };
        format!(
            concat!(
                r#"<xenc:EncryptedKey Id="{id}" Recipient="https://sp.example"><xenc:EncryptionMethod "#,
                r#"Algorithm="{transport}"><ds:DigestMethod Algorithm="{digest}"/>{mgf}</xenc:EncryptionMethod>"#,
                r#"<xenc:CipherData><xenc:CipherValue>{wrapped}</xenc:CipherValue></xenc:CipherData></xenc:EncryptedKey>"#
            ),
            id = id,
            transport = self.key_transport,
            digest = digest,
            mgf = mgf,
            wrapped = STANDARD.encode(wrapped)
        )
    }

    fn key_length(&self) -> usize {
        if self.cipher.contains("128") {
            16
        } else if self.cipher.contains("256") {
            32
        } else {
            24
        }
    }

    fn encipher(&self, key: &[u8], plaintext: &[u8]) -> Vec<u8> {
        let mut octets = vec![0; if self.cipher.ends_with("gcm") { 12 } else { 16 }];
        rand_bytes(&mut octets).unwrap();
        if self.cipher.ends_with("gcm") {
            let cipher = match key.len() {
                16 => Cipher::aes_128_gcm(),
                24 => Cipher::aes_192_gcm(),
                _ => Cipher::aes_256_gcm(),
            };
            let mut tag = [0; 16];
            let ciphertext = encrypt_aead(cipher, key, Some(&octets), &[], plaintext, &mut tag).unwrap();
            octets.extend(ciphertext);
            octets.extend(tag);
            return octets;
        }
        let cipher = match key.len() {
            16 => Cipher::aes_128_cbc(),
            24 => Cipher::aes_192_cbc(),
            _ => Cipher::aes_256_cbc(),
        };
        let mut padded = plaintext.to_vec();
        let padding = 16 - plaintext.len() % 16;
        padded.extend(vec![0x5A; padding - 1]);
        padded.push(u8::try_from(padding).unwrap());
        let mut crypter = Crypter::new(cipher, Mode::Encrypt, key, Some(&octets)).unwrap();
        crypter.pad(false);
        let mut ciphertext = vec![0; padded.len() + 16];
        let length = crypter.update(&padded, &mut ciphertext).unwrap();
        octets.extend(&ciphertext[..length]);
        octets
    }

    fn wrap(&self, content_key: &[u8], to: &TestKey) -> Vec<u8> {
        let mut encrypter = Encrypter::new(&to.private).unwrap();
        if self.key_transport == RSA_15 {
            encrypter.set_rsa_padding(Padding::PKCS1).unwrap();
        } else {
            encrypter.set_rsa_padding(Padding::PKCS1_OAEP).unwrap();
            encrypter.set_rsa_oaep_md(message_digest(self.digest)).unwrap();
            encrypter.set_rsa_mgf1_md(message_digest(self.mgf1)).unwrap();
        }
        let mut wrapped = vec![0; encrypter.encrypt_len(content_key).unwrap()];
        let length = encrypter.encrypt(content_key, &mut wrapped).unwrap();
        wrapped.truncate(length);
        wrapped
    }
}
