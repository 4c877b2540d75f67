//! The keys of the connection's tenant at work on what was encrypted to us (SAML core 6).

use std::sync::atomic::{AtomicBool, Ordering};

use fedbridge_contract::keys::{Decrypter, KeyError, KeyRing, OaepDigest};
use fedbridge_contract::trace::TraceLog;
use fedbridge_saml_core::seam::{
    Cbc, DecryptError, DecryptPolicy, Element, UnverifiedDocument, VerifiedElement, decrypt,
};

use super::checks::{Checked, Stop};

/// Every decryption key, the old ones of a rollover too, with what the connection allows.
pub(super) struct Decryption<'a> {
    keys: Vec<Noted<'a>>,
    policy: DecryptPolicy,
}

impl<'a> Decryption<'a> {
    pub fn new(ring: &'a KeyRing, allow_cbc: bool) -> Self {
        let cbc = if allow_cbc { Cbc::Accepted } else { Cbc::Refused };
        let keys =
            ring.saml_decryption.iter().map(|key| Noted { key: &*key.decrypter, fitted: AtomicBool::new(false) });
        Self { keys: keys.collect(), policy: DecryptPolicy { cbc } }
    }

    /// Decrypts a part of what is verified; the result is verified too.
    pub fn inside(&self, whole: &VerifiedElement, part: &Element) -> Result<VerifiedElement, DecryptError> {
        whole.decrypt_child(part, &self.borrowed(), &self.policy)
    }

    /// Decrypts what nobody has vouched for.
    pub fn unverified(&self, part: &Element) -> Result<UnverifiedDocument, DecryptError> {
        decrypt(part, &self.borrowed(), &self.policy)
    }

    /// The key that the message was encrypted to. Of use only where decryption succeeded.
    pub fn used(&self) -> Option<String> {
        self.keys.iter().find(|key| key.fitted.load(Ordering::Relaxed)).map(|key| key.kid().to_owned())
    }

    fn borrowed(&self) -> Vec<&dyn Decrypter> {
        self.keys.iter().map(|key| key as &dyn Decrypter).collect()
    }
}

/// Records why something could not be decrypted and stops.
///
/// The error has one text for every way in which the keys can fail: what differs would be an oracle
/// (XML Encryption 1.1, section 6).
pub(super) fn opened<T>(trace: &mut TraceLog, what: &str, result: Result<T, DecryptError>) -> Checked<T> {
    result.map_err(|error| {
        let expected = format!("{what} encrypted to a key of this connection");
        trace.check("Decryption", "SAML core 6", expected, error.to_string(), false);
        Stop::Rejected
    })
}

/// A key that notes whether it fitted. It does the same work either way.
struct Noted<'a> {
    key: &'a dyn Decrypter,
    fitted: AtomicBool,
}

impl Decrypter for Noted<'_> {
    fn kid(&self) -> &str {
        self.key.kid()
    }

    fn unwrap_oaep(&self, wrapped: &[u8], digest: OaepDigest, mgf1: OaepDigest) -> Result<Vec<u8>, KeyError> {
        let unwrapped = self.key.unwrap_oaep(wrapped, digest, mgf1);
        self.fitted.fetch_or(unwrapped.is_ok(), Ordering::Relaxed);
        unwrapped
    }
}
