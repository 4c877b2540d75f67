//! Making enveloped signatures. The private key stays behind the contract's `Signer`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::keys::{KeyError, SignatureAlgorithm, Signer};
use openssl::sha::sha256;

use super::algorithm::{DigestMethod, SignatureMethod};
use super::document::UnverifiedDocument;
use super::element::Element;
use super::ffi::Insertion;
use super::limits::{Limits, ParseRefusal};
use super::signature::{DS, ENVELOPED, EXCLUSIVE_C14N, is_plain_ncname};

/// What to sign in a document of our own making.
#[derive(Debug, Clone, Copy)]
pub struct SignRequest<'a> {
    /// `ID` of the element that gets the signature.
    pub target_id: &'a str,
    pub place: SignaturePlace<'a>,
    /// DER of the certificate to put into KeyInfo, if any.
    pub certificate: Option<&'a [u8]>,
    /// [`Limits::metadata`] for metadata, [`Limits::message`] for all else.
    pub limits: Limits,
}

/// Where the schema wants `ds:Signature` among the element's children.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignaturePlace<'a> {
    /// Before all others: metadata (SAML metadata section 2.3).
    First,
    /// After the child of this namespace and name: `saml:Issuer` in assertions and
    /// protocol messages (SAML core sections 2.3.3 and 3.2.1).
    After(&'a str, &'a str),
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum SignError {
    #[error("the document to sign was refused: {0}")]
    Document(#[from] ParseRefusal),
    #[error("the document has no element with the ID that is to be signed")]
    NoTarget,
    #[error("the element to sign has no child that the signature could follow")]
    NoPlace,
    #[error("the element is signed already")]
    AlreadySigned,
    #[error("{} can't be used in XML Signature", .0.name())]
    Algorithm(SignatureAlgorithm),
    #[error("the document could not be canonicalized")]
    Canonicalization,
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// Signs an element of `xml` with SHA-256 and exclusive canonicalization, and gives the
/// whole document back in canonical form (without an XML declaration).
pub fn sign_enveloped(xml: &[u8], request: &SignRequest<'_>, signer: &dyn Signer) -> Result<Vec<u8>, SignError> {
    let method = method_of(signer.algorithm())?;
    let mut document = UnverifiedDocument::parse(xml, request.limits)?;
    let target = find_target(document.unverified_root(), request.target_id)?;
    let (anchor, insertion) = find_place(target, request.place)?;
    let octets = document.dom.canonicalize(target.index).ok_or(SignError::Canonicalization)?;

    let info = signed_info(request.target_id, method, &sha256(&octets));
    // SignedInfo uses one prefix, which it declares itself when it stands alone, so its
    // canonical form is the same here and inside the document.
    let alone = UnverifiedDocument::parse(info.as_bytes(), Limits::message())?;
    let to_sign = alone.dom.canonicalize(0).ok_or(SignError::Canonicalization)?;
    let value = signer.sign(&to_sign)?;

    let signature = signature_element(&info, &value, request.certificate);
    let signature = UnverifiedDocument::parse(signature.as_bytes(), Limits::message())?;
    document.dom.insert(anchor, insertion, &signature.dom).ok_or(SignError::Canonicalization)?;
    document.dom.serialize().ok_or(SignError::Canonicalization)
}

fn method_of(algorithm: SignatureAlgorithm) -> Result<SignatureMethod, SignError> {
    match algorithm {
        SignatureAlgorithm::RS256 => Ok(SignatureMethod::RsaSha256),
        SignatureAlgorithm::ES256 => Ok(SignatureMethod::EcdsaSha256),
        other => Err(SignError::Algorithm(other)),
    }
}

fn find_target<'a>(root: &'a Element, id: &str) -> Result<&'a Element, SignError> {
    let target = root.descendants().find(|element| element.attribute("ID") == Some(id));
    let target = target.filter(|_| is_plain_ncname(id)).ok_or(SignError::NoTarget)?;
    match target.child(DS, "Signature") {
        None => Ok(target),
        Some(_) => Err(SignError::AlreadySigned),
    }
}

fn find_place(target: &Element, place: SignaturePlace<'_>) -> Result<(usize, Insertion), SignError> {
    match place {
        SignaturePlace::First => Ok((target.index, Insertion::FirstChild)),
        SignaturePlace::After(namespace, name) => {
            let child = target.child(namespace, name).ok_or(SignError::NoPlace)?;
            Ok((child.index, Insertion::After))
        }
    }
}

/// The ID is an NCName and the rest are constants and base64: nothing to escape.
fn signed_info(id: &str, method: SignatureMethod, digest: &[u8]) -> String {
    format!(
        concat!(
            r#"<ds:SignedInfo xmlns:ds="{ds}"><ds:CanonicalizationMethod Algorithm="{c14n}"/>"#,
            r#"<ds:SignatureMethod Algorithm="{method}"/><ds:Reference URI="{hash}{id}"><ds:Transforms>"#,
            r#"<ds:Transform Algorithm="{enveloped}"/><ds:Transform Algorithm="{c14n}"/></ds:Transforms>"#,
            r#"<ds:DigestMethod Algorithm="{digest_method}"/><ds:DigestValue>{digest}</ds:DigestValue>"#,
            r#"</ds:Reference></ds:SignedInfo>"#
        ),
        ds = DS,
        c14n = EXCLUSIVE_C14N,
        method = method.uri(),
        hash = '#',
        id = id,
        enveloped = ENVELOPED,
        digest_method = DigestMethod::Sha256.uri(),
        digest = STANDARD.encode(digest),
    )
}

fn signature_element(info: &str, value: &[u8], certificate: Option<&[u8]>) -> String {
    let key_info = certificate.map_or_else(String::new, |der| {
        format!(
            "<ds:KeyInfo><ds:X509Data><ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data></ds:KeyInfo>",
            STANDARD.encode(der)
        )
    });
    format!(
        r#"<ds:Signature xmlns:ds="{DS}">{info}<ds:SignatureValue>{}</ds:SignatureValue>{key_info}</ds:Signature>"#,
        STANDARD.encode(value)
    )
}
