//! Metadata that a federation or a partner signs as a whole (SAML metadata 3).

use fedbridge_contract::error::Complaint;
use openssl::x509::X509;
use serde_json::Value;

use crate::seam::{Limits, UnverifiedDocument, VerifyKey, VerifyPolicy};

/// Holds a document to the key that its setting pins in `signed_by`, if it does: one without that key's
/// signature is no document.
///
/// # Errors
/// It is not signed by the key, or the key can't be used.
pub fn hold_to_pin(settings: &Value, setting: &str, xml: &str) -> Result<(), Vec<Complaint>> {
    let Some(pem) = settings.get(setting).and_then(|metadata| metadata.get("signed_by")).and_then(Value::as_str) else {
        return Ok(());
    };
    let keys = pinned_keys(pem).map_err(|why| vec![Complaint::new(format!("{setting}.signed_by"), why)])?;
    verify_document(xml.as_bytes(), &keys).map_err(|why| vec![Complaint::new(setting, why)])
}

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
