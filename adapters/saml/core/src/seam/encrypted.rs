//! The forms of encrypted elements that are accepted, read without any key.

use fedbridge_contract::keys::OaepDigest;

use super::decrypt::{Cbc, DecryptError, DecryptPolicy};
use super::element::Element;
use super::signature::{DS, decode_base64};

const XENC: &str = "http://www.w3.org/2001/04/xmlenc#";
const XENC11: &str = "http://www.w3.org/2009/xmlenc11#";

/// Wrapped keys that one element may carry; each costs a private-key operation for each
/// decryption key.
const MOST_KEYS: usize = 4;

pub(super) struct Encrypted {
    pub(super) cipher: ContentCipher,
    pub(super) octets: Vec<u8>,
    pub(super) keys: Vec<WrappedKey>,
}

/// A content key under RSA-OAEP.
pub(super) struct WrappedKey {
    pub(super) octets: Vec<u8>,
    pub(super) digest: OaepDigest,
    pub(super) mgf1: OaepDigest,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ContentCipher {
    Aes128Gcm,
    Aes192Gcm,
    Aes256Gcm,
    Aes128Cbc,
    Aes192Cbc,
    Aes256Cbc,
}

impl Encrypted {
    /// `wrapper` holds one `EncryptedData` and maybe `EncryptedKey`s beside it (SAML core
    /// section 6.2). The keys are those in the data's KeyInfo and those beside it; a
    /// RetrievalMethod in the KeyInfo picks one of the latter.
    pub(super) fn read(wrapper: &Element, policy: &DecryptPolicy) -> Result<Self, DecryptError> {
        let parts = elements(wrapper)?;
        let Some((data, beside)) = parts.split_first() else {
            return grammar("it is empty");
        };
        if !data.is(XENC, "EncryptedData") || !beside.iter().all(|part| part.is(XENC, "EncryptedKey")) {
            return grammar("it must hold EncryptedData, then EncryptedKeys");
        }
        if data.attribute("Type").is_some_and(|kind| kind != "http://www.w3.org/2001/04/xmlenc#Element") {
            return grammar("the Type of EncryptedData must be Element");
        }
        let (method, key_info, octets) = match elements(data)?.as_slice() {
            [method, cipher_data] => (*method, None, cipher_value(cipher_data)?),
            [method, key_info, cipher_data] if key_info.is(DS, "KeyInfo") => {
                (*method, Some(*key_info), cipher_value(cipher_data)?)
            }
            _ => return grammar("EncryptedData must hold EncryptionMethod, KeyInfo and CipherData"),
        };
        let cipher = content_cipher(method, policy)?;
        let keys = find_keys(key_info, beside)?;
        if keys.is_empty() {
            return grammar("there is no EncryptedKey");
        }
        if keys.len() > MOST_KEYS {
            return grammar("there are more than four EncryptedKeys");
        }
        let keys = keys.into_iter().map(WrappedKey::read).collect::<Result<_, _>>()?;
        Ok(Self { cipher, octets, keys })
    }
}

fn find_keys<'a>(key_info: Option<&'a Element>, beside: &[&'a Element]) -> Result<Vec<&'a Element>, DecryptError> {
    let Some(key_info) = key_info else {
        return Ok(beside.to_vec());
    };
    let mut keys: Vec<_> = key_info.elements().filter(|part| part.is(XENC, "EncryptedKey")).collect();
    let mut pointers = key_info.elements().filter(|part| part.is(DS, "RetrievalMethod")).peekable();
    if pointers.peek().is_none() {
        keys.extend(beside);
        return Ok(keys);
    }
    for pointer in pointers {
        let id = pointer.attribute("URI").and_then(|uri| uri.strip_prefix('#'));
        let wanted = id.and_then(|id| beside.iter().find(|key| key.attribute("Id") == Some(id)));
        match wanted {
            Some(key) if pointer.nodes().is_empty() => keys.push(key),
            _ => return grammar("RetrievalMethod does not point at an EncryptedKey beside the data"),
        }
    }
    Ok(keys)
}

impl WrappedKey {
    fn read(key: &Element) -> Result<Self, DecryptError> {
        let parts = elements(key)?;
        let method = parts.first().copied().filter(|part| part.is(XENC, "EncryptionMethod"));
        let Some(method) = method else {
            return grammar("EncryptedKey must start with EncryptionMethod");
        };
        let mut values = parts.iter().filter(|part| part.is(XENC, "CipherData"));
        let (Some(value), None) = (values.next(), values.next()) else {
            return grammar("EncryptedKey must have one CipherData");
        };
        let (digest, mgf1) = oaep(method)?;
        Ok(Self { octets: cipher_value(value)?, digest, mgf1 })
    }
}

/// RSA-OAEP in its two spellings (XML Encryption 1.1 section 5.5.2).
fn oaep(method: &Element) -> Result<(OaepDigest, OaepDigest), DecryptError> {
    let uri = method.attribute("Algorithm").unwrap_or_default();
    let takes_mgf = match uri {
        "http://www.w3.org/2001/04/xmlenc#rsa-oaep-mgf1p" => false,
        "http://www.w3.org/2009/xmlenc11#rsa-oaep" => true,
        other => return Err(DecryptError::Algorithm(other.to_owned())),
    };
    let (mut digest, mut mgf1) = (OaepDigest::Sha1, OaepDigest::Sha1);
    for part in elements(method)? {
        let uri = part.attribute("Algorithm").unwrap_or_default();
        let unknown = || DecryptError::Algorithm(uri.to_owned());
        if part.is(DS, "DigestMethod") {
            digest = digest_of(uri).ok_or_else(unknown)?;
        } else if part.is(XENC11, "MGF") && takes_mgf {
            mgf1 = mgf1_of(uri).ok_or_else(unknown)?;
        } else if part.is(XENC, "OAEPparams") && part.only_text().is_ok_and(str::is_empty) {
            continue;
        } else {
            return grammar("RSA-OAEP has a parameter that is not supported");
        }
    }
    Ok((digest, mgf1))
}

fn digest_of(uri: &str) -> Option<OaepDigest> {
    match uri {
        "http://www.w3.org/2000/09/xmldsig#sha1" => Some(OaepDigest::Sha1),
        "http://www.w3.org/2001/04/xmlenc#sha256" => Some(OaepDigest::Sha256),
        "http://www.w3.org/2001/04/xmldsig-more#sha384" => Some(OaepDigest::Sha384),
        "http://www.w3.org/2001/04/xmlenc#sha512" => Some(OaepDigest::Sha512),
        _ => None,
    }
}

fn mgf1_of(uri: &str) -> Option<OaepDigest> {
    match uri {
        "http://www.w3.org/2009/xmlenc11#mgf1sha1" => Some(OaepDigest::Sha1),
        "http://www.w3.org/2009/xmlenc11#mgf1sha256" => Some(OaepDigest::Sha256),
        "http://www.w3.org/2009/xmlenc11#mgf1sha384" => Some(OaepDigest::Sha384),
        "http://www.w3.org/2009/xmlenc11#mgf1sha512" => Some(OaepDigest::Sha512),
        _ => None,
    }
}

impl ContentCipher {
    pub(super) const fn key_length(self) -> usize {
        match self {
            Self::Aes128Gcm | Self::Aes128Cbc => 16,
            Self::Aes192Gcm | Self::Aes192Cbc => 24,
            Self::Aes256Gcm | Self::Aes256Cbc => 32,
        }
    }

    const fn is_cbc(self) -> bool {
        matches!(self, Self::Aes128Cbc | Self::Aes192Cbc | Self::Aes256Cbc)
    }
}

fn content_cipher(method: &Element, policy: &DecryptPolicy) -> Result<ContentCipher, DecryptError> {
    if !method.is(XENC, "EncryptionMethod") {
        return grammar("EncryptedData must start with EncryptionMethod");
    }
    let uri = method.attribute("Algorithm").unwrap_or_default();
    let cipher = match uri {
        "http://www.w3.org/2009/xmlenc11#aes128-gcm" => ContentCipher::Aes128Gcm,
        "http://www.w3.org/2009/xmlenc11#aes192-gcm" => ContentCipher::Aes192Gcm,
        "http://www.w3.org/2009/xmlenc11#aes256-gcm" => ContentCipher::Aes256Gcm,
        "http://www.w3.org/2001/04/xmlenc#aes128-cbc" => ContentCipher::Aes128Cbc,
        "http://www.w3.org/2001/04/xmlenc#aes192-cbc" => ContentCipher::Aes192Cbc,
        "http://www.w3.org/2001/04/xmlenc#aes256-cbc" => ContentCipher::Aes256Cbc,
        other => return Err(DecryptError::Algorithm(other.to_owned())),
    };
    if cipher.is_cbc() && policy.cbc == Cbc::Refused {
        return Err(DecryptError::Algorithm(uri.to_owned()));
    }
    Ok(cipher)
}

/// `CipherData` by value; a CipherReference would make us fetch something.
fn cipher_value(data: &Element) -> Result<Vec<u8>, DecryptError> {
    match elements(data)?[..] {
        [value] if data.is(XENC, "CipherData") && value.is(XENC, "CipherValue") => {
            decode_base64(value).ok_or(DecryptError::Grammar("CipherValue is not plain base64"))
        }
        _ => grammar("CipherData must hold one CipherValue"),
    }
}

fn elements(element: &Element) -> Result<Vec<&Element>, DecryptError> {
    element.only_elements().map_err(|_| DecryptError::Grammar("there is stray text"))
}

fn grammar<T>(text: &'static str) -> Result<T, DecryptError> {
    Err(DecryptError::Grammar(text))
}
