//! Metadata that a federation or a partner signs as a whole (SAML metadata 3).

use crate::seam::{Limits, UnverifiedDocument, VerifyKey, VerifyPolicy};

/// Whether the root element of the document is signed by one of these keys. Where a key is pinned, a
/// document without its signature is refused like one with a wrong one.
///
/// # Errors
/// Why it is not, as one sentence.
pub fn verify_document(xml: &[u8], signed_by: &[VerifyKey]) -> Result<(), String> {
    let document = UnverifiedDocument::parse(xml, Limits::metadata())
        .map_err(|refusal| format!("the metadata can't be read: {refusal}"))?;
    document
        .verify_enveloped(document.unverified_root(), signed_by, &VerifyPolicy::default())
        .map(|_| ())
        .map_err(|error| format!("the metadata is not signed by the key in signed_by: {error}"))
}
