//! Encrypted tokens (RFC 7516): RSA-OAEP-256 with AES-GCM, and a signed token inside. Encryption alone shows nothing:
//! everybody has our public key.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fedbridge_contract::keys::{Decrypter, KeyState, OaepDigest};
use fedbridge_contract::trace::TraceLog;
use fedbridge_oidc_core::strict_json;
use openssl::symm::{Cipher, decrypt_aead};
use serde_json::{Map, Value};

use crate::checks::{Checked, refuse, require};
use crate::claims;
use crate::token::Validator;

const NAME: &str = "encrypted ID token";
const SOURCE: &str = "OpenID Connect Core 16.14, RFC 7516 5.2";
const ALGORITHM: &str = "RSA-OAEP-256";

/// The longest token that is opened, in octets.
const MAX_TOKEN: usize = 64 * 1024;

/// Whether a token has the five parts of an encrypted one.
pub fn is_encrypted(token: &str) -> bool {
    token.bytes().filter(|octet| *octet == b'.').count() == 4
}

/// The signed token inside. Whatever goes wrong with key or content is one and the same refusal (RFC 7516 section
/// 11.5).
pub fn open(validator: &Validator<'_>, token: &str, trace: &mut TraceLog) -> Checked<String> {
    let Some(parts) = Parts::split(token) else {
        let expected = format!("five parts of base64url, {MAX_TOKEN} octets at most");
        return refuse(trace, NAME, SOURCE, expected, format!("{} octets of another form", token.len()));
    };
    let header = match strict_json::object(&parts.header) {
        Ok(header) => header,
        Err(why) => return refuse(trace, "strict JSON", "RFC 8725 2.4", "a header that is strict JSON", why),
    };
    let cipher = cipher(&header, trace)?;
    let own = validator.party.connection;
    let ring = validator.tenant.keys.oidc_decryption.iter();
    let kid = claims::text(&header, "kid").ok().flatten();
    // Also the next key and the one before: the provider may have read our set earlier or later.
    let keys = ring
        .filter(|(connection, key)| *connection == own && key.state != KeyState::Retired)
        .map(|(_, key)| key.decrypter.as_ref())
        .filter(|key| kid.is_none_or(|kid| key.kid() == kid));
    let mut keys = keys.peekable();
    if keys.peek().is_none() {
        let actual = kid.map_or_else(|| "no key at all".to_owned(), |kid| format!("key {kid}"));
        return refuse(trace, NAME, SOURCE, "a key of this connection", actual);
    }
    let opened = keys.find_map(|key| parts.open(key, cipher));
    let passed = opened.is_some();
    require(trace, NAME, SOURCE, "one that opens", if passed { "one that opens" } else { "another" }, passed)?;
    let inner = opened.and_then(|octets| String::from_utf8(octets).ok()).unwrap_or_default();
    let signed = inner.bytes().filter(|octet| *octet == b'.').count() == 2;
    let (expected, actual) = ("a signed token inside", if signed { "a signed token inside" } else { "something else" });
    require(trace, NAME, SOURCE, expected, actual, signed)?;
    Ok(inner)
}

/// The cipher, where everything else in the header is as it must be.
fn cipher(header: &Map<String, Value>, trace: &mut TraceLog) -> Checked<Cipher> {
    let text = |name: &str| claims::text(header, name).ok().flatten().unwrap_or("none");
    let plain = !["zip", "crit", "jwk", "jku", "x5u", "x5c"].iter().any(|name| header.contains_key(*name));
    let cipher = match text("enc") {
        "A128GCM" => Some(Cipher::aes_128_gcm()),
        "A256GCM" => Some(Cipher::aes_256_gcm()),
        _ => None,
    };
    let expected = format!("{ALGORITHM} with A128GCM or A256GCM, not compressed");
    match cipher {
        Some(cipher) if plain && text("alg") == ALGORITHM => Ok(cipher),
        _ => {
            let rest = if plain { "" } else { ", and a member that is not taken" };
            refuse(trace, NAME, SOURCE, expected, format!("{} with {}{rest}", text("alg"), text("enc")))
        }
    }
}

/// A compact JWE taken apart (RFC 7516 section 7.1).
struct Parts<'a> {
    /// As it was sent: the tag covers these letters.
    protected: &'a str,
    header: Vec<u8>,
    wrapped: Vec<u8>,
    iv: Vec<u8>,
    content: Vec<u8>,
    tag: Vec<u8>,
}

impl<'a> Parts<'a> {
    fn split(token: &'a str) -> Option<Self> {
        if token.len() > MAX_TOKEN {
            return None;
        }
        let mut parts = token.split('.');
        let protected = parts.next()?;
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        let mut next = || decode(parts.next()?);
        let (wrapped, iv, content, tag) = (next()?, next()?, next()?, next()?);
        (iv.len() == 12 && tag.len() == 16).then_some(())?;
        Some(Self { protected, header: decode(protected)?, wrapped, iv, content, tag })
    }

    fn open(&self, key: &dyn Decrypter, cipher: Cipher) -> Option<Vec<u8>> {
        let content_key = key.unwrap_oaep(&self.wrapped, OaepDigest::Sha256, OaepDigest::Sha256).ok()?;
        if content_key.len() != cipher.key_len() {
            return None;
        }
        let covered = self.protected.as_bytes();
        decrypt_aead(cipher, &content_key, Some(&self.iv), covered, &self.content, &self.tag).ok()
    }
}
