//! Metadata that a federation or a partner signs as a whole (SAML metadata 3).

use openssl::x509::X509;

use crate::seam::{Limits, UnverifiedDocument, VerifyKey, VerifyPolicy};

/// The keys of `signed_by`: one or more certificates in PEM.
///
/// # Errors
/// There is none, or one can't be used.
pub fn pinned_keys(pem: &str) -> Result<Vec<VerifyKey>, String> {
    let certificates = X509::stack_from_pem(pem.as_bytes()).unwrap_or_default();
    if certificates.is_empty() {
        return Err("is not a certificate in PEM (BEGIN CERTIFICATE)".into());
    }
    let ders = certificates.iter().map(|certificate| certificate.to_der().map_err(|error| error.to_string()));
    ders.map(|der| VerifyKey::from_certificate_der(&der?).map_err(|error| error.to_string())).collect()
}

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
