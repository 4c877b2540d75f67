//! What a document of the bridge publishes, read plainly and apart from the product's own reader: a partner
//! that is strict believes these keys, as it fetched them last, and no others.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{ReceivedRequest, ScriptError};
use crate::names;
use crate::seam::{Element, Fingerprint, Limits, UnverifiedDocument, VerifyKey, VerifyPolicy};

/// The keys of one role of an entity (SAML metadata 2.4.1.1), in the document's order.
#[derive(Clone, Default)]
pub struct PublishedKeys {
    /// What its signatures verify with.
    pub signing: Vec<VerifyKey>,
    /// DER of the certificates that one encrypts to; most partners take the first.
    pub encryption: Vec<Vec<u8>>,
}

impl PublishedKeys {
    /// Reads a document that describes one entity in one role.
    pub fn read(xml: &str) -> Result<Self, ScriptError> {
        let document = UnverifiedDocument::parse(xml.as_bytes(), Limits::message()).map_err(ScriptError::of)?;
        let mut keys = Self::default();
        let descriptors = document.unverified_root().descendants();
        for descriptor in descriptors.filter(|element| element.is(names::METADATA, "KeyDescriptor")) {
            let certificate = certificate(descriptor)?;
            let usage = descriptor.attribute("use");
            if usage != Some("encryption") {
                keys.signing.push(VerifyKey::from_certificate_der(&certificate).map_err(ScriptError::of)?);
            }
            if usage != Some("signing") {
                keys.encryption.push(certificate);
            }
        }
        Ok(keys)
    }

    pub fn prints(&self) -> Vec<Fingerprint> {
        self.signing.iter().map(|key| *key.fingerprint()).collect()
    }
}

impl ReceivedRequest {
    /// Which of these keys signed the query. A request without a signature is an error.
    pub fn signer(&self, keys: &[VerifyKey]) -> Result<Fingerprint, ScriptError> {
        let signed = self.query_signature.as_ref().ok_or_else(|| ScriptError("the request is not signed".into()))?;
        let policy = VerifyPolicy::default();
        VerifyKey::verify_detached(keys, &signed.algorithm, signed.octets.as_bytes(), &signed.signature, &policy)
            .map_err(ScriptError::of)
    }
}

fn certificate(descriptor: &Element) -> Result<Vec<u8>, ScriptError> {
    let mut found = descriptor.descendants().filter(|element| element.is(names::DSIG, "X509Certificate"));
    let text = found.next().ok_or_else(|| ScriptError("a KeyDescriptor has no certificate".into()))?;
    let text: String = text.only_text().map_err(ScriptError::of)?.split_ascii_whitespace().collect();
    STANDARD.decode(text).map_err(ScriptError::of)
}
