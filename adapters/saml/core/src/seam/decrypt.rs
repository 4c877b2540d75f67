//! Decryption of SAML's encrypted elements (XML Encryption 1.1, SAML core section 6).
//!
//! What can be seen without a key (structure and algorithm names) is refused with its
//! reason. From the first use of a private key on there is one error, and the same work
//! is done whatever fails: a content key that can't be unwrapped is replaced by a random
//! one, and something is always parsed.

use fedbridge_contract::keys::Decrypter;
use openssl::rand::rand_bytes;
use openssl::symm::{Cipher, Crypter, Mode, decrypt_aead};

use super::document::UnverifiedDocument;
use super::element::Element;
use super::encrypted::{ContentCipher, Encrypted};
use super::limits::Limits;
use super::verify::VerifiedElement;

/// What a connection accepts of encryption.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DecryptPolicy {
    pub cbc: Cbc,
}

/// Whether AES-CBC is accepted, which does not authenticate its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cbc {
    #[default]
    Refused,
    Accepted,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecryptError {
    #[error("there is no decryption key")]
    NoKeys,
    #[error("the encrypted element has a form that is not accepted: {0}")]
    Grammar(&'static str),
    #[error("the encryption algorithm {0} is not accepted")]
    Algorithm(String),
    /// Says on purpose no more: the difference would be an oracle.
    #[error("the content could not be decrypted")]
    Failed,
    #[error("the element is not part of what was verified")]
    NotInElement,
}

/// Decrypts an `EncryptedAssertion`, `EncryptedID` or `EncryptedAttribute` into a
/// document of its own, which is as unverified as any: encryption proves nothing about
/// who wrote it.
pub fn decrypt(
    encrypted: &Element,
    keys: &[&dyn Decrypter],
    policy: &DecryptPolicy,
) -> Result<UnverifiedDocument, DecryptError> {
    open(encrypted, keys, policy).map(|(_, document)| document)
}

impl VerifiedElement {
    /// Decrypts a part of what is verified. The ciphertext is under the signature, so
    /// what it holds is verified too.
    pub fn decrypt_child(
        &self,
        encrypted: &Element,
        keys: &[&dyn Decrypter],
        policy: &DecryptPolicy,
    ) -> Result<VerifiedElement, DecryptError> {
        if !self.element.holds(encrypted) {
            return Err(DecryptError::NotInElement);
        }
        let (octets, document) = open(encrypted, keys, policy)?;
        let (signed_by, method) = (self.signed_by, self.method);
        Ok(Self { element: document.root, octets: octets.into(), signed_by, method, limits: Limits::message() })
    }
}

fn open(
    encrypted: &Element,
    keys: &[&dyn Decrypter],
    policy: &DecryptPolicy,
) -> Result<(Vec<u8>, UnverifiedDocument), DecryptError> {
    if keys.is_empty() {
        return Err(DecryptError::NoKeys);
    }
    let encrypted = Encrypted::read(encrypted, policy)?;
    let (content_key, unwrapped) = content_key(&encrypted, keys)?;
    let plaintext = decipher(encrypted.cipher, &content_key, &encrypted.octets);
    let deciphered = plaintext.is_some();
    let octets = plaintext.unwrap_or_else(|| b"<undecipherable/>".to_vec());
    let document = UnverifiedDocument::parse(&octets, Limits::message());
    match document {
        Ok(document) if unwrapped && deciphered => Ok((octets, document)),
        _ => Err(DecryptError::Failed),
    }
}

/// Every key is tried on every wrapped key, also after one fits.
fn content_key(encrypted: &Encrypted, keys: &[&dyn Decrypter]) -> Result<(Vec<u8>, bool), DecryptError> {
    let mut content_key = vec![0; encrypted.cipher.key_length()];
    rand_bytes(&mut content_key).map_err(|_| DecryptError::Failed)?;
    let mut unwrapped = false;
    for wrapped in &encrypted.keys {
        for key in keys {
            let candidate = key.unwrap_oaep(&wrapped.octets, wrapped.digest, wrapped.mgf1).unwrap_or_default();
            if !unwrapped && candidate.len() == content_key.len() {
                content_key = candidate;
                unwrapped = true;
            }
        }
    }
    Ok((content_key, unwrapped))
}

const GCM_IV: usize = 12;
const GCM_TAG: usize = 16;
const CBC_BLOCK: usize = 16;

fn decipher(cipher: ContentCipher, key: &[u8], octets: &[u8]) -> Option<Vec<u8>> {
    match cipher {
        ContentCipher::Aes128Gcm => decipher_gcm(Cipher::aes_128_gcm(), key, octets),
        ContentCipher::Aes192Gcm => decipher_gcm(Cipher::aes_192_gcm(), key, octets),
        ContentCipher::Aes256Gcm => decipher_gcm(Cipher::aes_256_gcm(), key, octets),
        ContentCipher::Aes128Cbc => decipher_cbc(Cipher::aes_128_cbc(), key, octets),
        ContentCipher::Aes192Cbc => decipher_cbc(Cipher::aes_192_cbc(), key, octets),
        ContentCipher::Aes256Cbc => decipher_cbc(Cipher::aes_256_cbc(), key, octets),
    }
}

/// Initialization vector, ciphertext, tag (XML Encryption 1.1 section 5.2.4).
fn decipher_gcm(cipher: Cipher, key: &[u8], octets: &[u8]) -> Option<Vec<u8>> {
    let (iv, rest) = octets.split_at_checked(GCM_IV)?;
    let (ciphertext, tag) = rest.split_at_checked(rest.len().checked_sub(GCM_TAG)?)?;
    decrypt_aead(cipher, key, Some(iv), &[], ciphertext, tag).ok()
}

/// Initialization vector, then blocks whose last octet is the number of padding octets
/// (XML Encryption 1.1 sections 5.2.1 and 5.2.2). Wrong padding leaves the octets as they
/// are, for the parser to refuse like any other garbage.
fn decipher_cbc(cipher: Cipher, key: &[u8], octets: &[u8]) -> Option<Vec<u8>> {
    let (iv, ciphertext) = octets.split_at_checked(CBC_BLOCK)?;
    if ciphertext.is_empty() || ciphertext.len() % CBC_BLOCK != 0 {
        return None;
    }
    let mut crypter = Crypter::new(cipher, Mode::Decrypt, key, Some(iv)).ok()?;
    crypter.pad(false);
    let mut plaintext = vec![0; ciphertext.len() + CBC_BLOCK];
    let mut length = crypter.update(ciphertext, &mut plaintext).ok()?;
    length += crypter.finalize(plaintext.get_mut(length..)?).ok()?;
    plaintext.truncate(length);
    let padding = usize::from(*plaintext.last()?);
    if (1..=CBC_BLOCK).contains(&padding) {
        plaintext.truncate(length - padding);
    }
    Some(plaintext)
}
