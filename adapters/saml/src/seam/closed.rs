//! Start-up, and the proof that nothing is open that SAML does not need.

use std::sync::OnceLock;

use super::algorithm::{DigestMethod, SignatureMethod};
use super::document::UnverifiedDocument;
use super::element::Element;
use super::ffi;
use super::limits::{Limits, ParseRefusal};
use super::signature::{ENVELOPED, EXCLUSIVE_C14N};
use super::{SeamError, VerifyError, VerifyPolicy};

static READY: OnceLock<Result<(), &'static str>> = OnceLock::new();

/// Initializes the XML libraries, once in a process; later calls give the same answer.
/// Every entry point of the seam calls it. The program calls it before it starts
/// threads.
pub fn init() -> Result<(), SeamError> {
    READY.get_or_init(ffi::init_libraries).map_err(SeamError::Init)
}

/// Proves that the libraries are shut as [`init`] left them. An error says what is open;
/// then the program must not serve.
pub fn assert_closed() -> Result<(), SeamError> {
    init()?;
    let open = |what: &str| Err(SeamError::Open(what.to_owned()));
    if let Some(extra) = unexpected_transform() {
        return open(&extra);
    }
    for uri in [c"/dev/null", c"file:///dev/null", c"http://127.0.0.1:9/"] {
        if ffi::opens(uri) {
            return open(&format!("a Reference to {}", uri.to_string_lossy()));
        }
    }
    if !ffi::entity_loader_refuses() {
        return open("the loading of external entities");
    }
    for algorithm in FORBIDDEN {
        if runs(algorithm)? {
            return open(algorithm);
        }
    }
    if !runs(EXCLUSIVE_C14N)? {
        return Err(SeamError::Init("xmlsec does not canonicalize"));
    }
    if UnverifiedDocument::parse(b"<!DOCTYPE x><x/>", Limits::message()).err() != Some(ParseRefusal::Doctype) {
        return open("DOCTYPE");
    }
    let strict = VerifyPolicy::default();
    if strict.permit(SignatureMethod::RsaSha1) != Err(VerifyError::Sha1)
        || strict.permit_digest(DigestMethod::Sha1) != Err(VerifyError::Sha1)
    {
        return open("SHA-1");
    }
    Ok(())
}

/// What attacks on XML signatures are made with.
const FORBIDDEN: [&str; 14] = [
    "http://www.w3.org/TR/1999/REC-xpath-19991116",
    "http://www.w3.org/2002/06/xmldsig-filter2",
    "http://www.w3.org/2001/04/xmldsig-more/xptr",
    "http://www.w3.org/TR/1999/REC-xslt-19991116",
    "http://www.w3.org/2000/09/xmldsig#base64",
    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
    "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments",
    "http://www.w3.org/2006/12/xml-c14n11",
    "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
    "http://www.w3.org/2000/09/xmldsig#hmac-sha1",
    "http://www.w3.org/2001/04/xmldsig-more#hmac-sha256",
    "http://www.w3.org/2000/09/xmldsig#dsa-sha1",
    "http://www.w3.org/2001/04/xmldsig-more#rsa-md5",
    "http://www.w3.org/2001/04/xmlenc#rsa-1_5",
];

fn unexpected_transform() -> Option<String> {
    let allowed = |uri: &str| {
        uri == EXCLUSIVE_C14N
            || uri == ENVELOPED
            || DigestMethod::from_uri(uri).is_some()
            || SignatureMethod::from_uri(uri).is_some()
    };
    ffi::registered_transforms().into_iter().find(|uri| !allowed(uri))
}

/// Asks xmlsec itself, past all our own checks.
fn runs(algorithm: &str) -> Result<bool, SeamError> {
    let xml = format!(r#"<Transform xmlns="http://www.w3.org/2000/09/xmldsig#" Algorithm="{algorithm}"/>"#);
    let document = UnverifiedDocument::parse(xml.as_bytes(), Limits::message())
        .map_err(|_| SeamError::Init("libxml2 does not parse"))?;
    let root: &Element = document.unverified_root();
    Ok(document.dom.would_run(root.index))
}
