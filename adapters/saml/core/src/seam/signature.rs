//! The one form of `ds:Signature` that is accepted (SAML core section 5.4, tightened).
//!
//! xmlsec processes much more than SAML allows; so the whole element is checked against
//! this fixed grammar before xmlsec sees it. KeyInfo is stepped over unread.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::algorithm::{DigestMethod, SignatureMethod};
use super::element::{Element, is_xml_space};
use super::verify::{VerifyError, VerifyPolicy};

pub(super) const DS: &str = "http://www.w3.org/2000/09/xmldsig#";
pub(super) const EXCLUSIVE_C14N: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
pub(super) const ENVELOPED: &str = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";

/// Prefixes that a signature may ask to have included: libxml2 looks up each of them for
/// each element, before anybody knows who signed.
const MOST_PREFIXES: usize = 16;

/// What a well-formed enveloped signature says of itself.
pub(super) struct Signature<'a> {
    /// The `ds:Signature` element.
    pub(super) element: &'a Element,
    /// `ID` of the element that it covers, which is its parent.
    pub(super) id: &'a str,
    pub(super) method: SignatureMethod,
    pub(super) digest: DigestMethod,
    /// Prefixes in its lists of inclusive namespaces, all together.
    pub(super) prefixes: usize,
}

impl<'a> Signature<'a> {
    /// The signature that is a direct child of `target` and refers to nothing but it.
    pub(super) fn of(target: &'a Element, policy: &VerifyPolicy) -> Result<Self, VerifyError> {
        let id = target.attribute("ID").ok_or(VerifyError::NoId)?;
        if !is_plain_ncname(id) {
            return Err(VerifyError::BadId);
        }
        let mut signatures = target.elements().filter(|child| child.is(DS, "Signature"));
        let element = signatures.next().ok_or(VerifyError::Unsigned)?;
        if signatures.next().is_some() {
            return Err(VerifyError::SeveralSignatures);
        }
        let info = read_signature(element, id, policy)?;
        Ok(Self { element, id, method: info.method, digest: info.digest, prefixes: info.prefixes })
    }
}

struct SignedInfo {
    method: SignatureMethod,
    digest: DigestMethod,
    prefixes: usize,
}

fn read_signature(signature: &Element, id: &str, policy: &VerifyPolicy) -> Result<SignedInfo, VerifyError> {
    only_attributes(signature, &["Id"])?;
    let (info, value) = match children(signature)?.as_slice() {
        [info, value] => (*info, *value),
        [info, value, key_info] if key_info.is(DS, "KeyInfo") => (*info, *value),
        _ => return grammar("ds:Signature must hold SignedInfo, SignatureValue and at most a KeyInfo"),
    };
    named(info, "SignedInfo")?;
    named(value, "SignatureValue")?;
    only_attributes(value, &["Id"])?;
    if decode_base64(value).is_none_or(|octets| octets.is_empty()) {
        return grammar("ds:SignatureValue is not plain base64");
    }
    read_signed_info(info, id, policy)
}

fn read_signed_info(info: &Element, id: &str, policy: &VerifyPolicy) -> Result<SignedInfo, VerifyError> {
    only_attributes(info, &["Id"])?;
    let [c14n, method, reference] = children(info)?[..] else {
        return grammar("ds:SignedInfo must hold CanonicalizationMethod, SignatureMethod and one Reference");
    };
    named(c14n, "CanonicalizationMethod")?;
    named(method, "SignatureMethod")?;
    named(reference, "Reference")?;
    let own = exclusive_c14n(c14n)?;
    only_attributes(method, &["Algorithm"])?;
    if !method.nodes().is_empty() {
        return grammar("ds:SignatureMethod must be empty");
    }
    let uri = algorithm(method)?;
    let method = SignatureMethod::from_uri(uri).ok_or_else(|| VerifyError::Algorithm(uri.to_owned()))?;
    policy.permit(method)?;
    let (digest, prefixes) = read_reference(reference, id, policy)?;
    Ok(SignedInfo { method, digest, prefixes: own + prefixes })
}

fn read_reference(reference: &Element, id: &str, policy: &VerifyPolicy) -> Result<(DigestMethod, usize), VerifyError> {
    only_attributes(reference, &["Id", "URI"])?;
    let uri = reference.attribute("URI");
    if uri.and_then(|uri| uri.strip_prefix('#')) != Some(id) {
        return Err(VerifyError::ReferenceUri);
    }
    let [transforms, method, value] = children(reference)?[..] else {
        return grammar("ds:Reference must hold Transforms, DigestMethod and DigestValue");
    };
    named(transforms, "Transforms")?;
    named(method, "DigestMethod")?;
    named(value, "DigestValue")?;
    only_attributes(transforms, &[])?;
    let [enveloped, c14n] = children(transforms)?[..] else {
        return grammar("there must be two transforms: enveloped-signature, then exclusive canonicalization");
    };
    named(enveloped, "Transform")?;
    named(c14n, "Transform")?;
    only_attributes(enveloped, &["Algorithm"])?;
    if algorithm(enveloped)? != ENVELOPED {
        return Err(VerifyError::Algorithm(algorithm(enveloped)?.to_owned()));
    }
    if !enveloped.nodes().is_empty() {
        return grammar("the enveloped-signature transform must be empty");
    }
    let prefixes = exclusive_c14n(c14n)?;

    only_attributes(method, &["Algorithm"])?;
    let uri = algorithm(method)?;
    let digest = DigestMethod::from_uri(uri).ok_or_else(|| VerifyError::Algorithm(uri.to_owned()))?;
    policy.permit_digest(digest)?;
    if !method.nodes().is_empty() {
        return grammar("ds:DigestMethod must be empty");
    }
    only_attributes(value, &[])?;
    if decode_base64(value).is_none_or(|octets| octets.len() != digest.length()) {
        return grammar("ds:DigestValue is not plain base64 of a digest");
    }
    Ok((digest, prefixes))
}

/// Exclusive canonicalization without comments; a list of inclusive prefixes may stand
/// in it (xml-exc-c14n section 3), as OpenSAML writes it. Gives their number.
fn exclusive_c14n(element: &Element) -> Result<usize, VerifyError> {
    only_attributes(element, &["Algorithm"])?;
    let uri = algorithm(element)?;
    if uri != EXCLUSIVE_C14N {
        return Err(VerifyError::Algorithm(uri.to_owned()));
    }
    match children(element)?.as_slice() {
        [] => Ok(0),
        [prefixes] if prefixes.is(EXCLUSIVE_C14N, "InclusiveNamespaces") && prefixes.nodes().is_empty() => {
            only_attributes(prefixes, &["PrefixList"])?;
            let list = prefixes.attribute("PrefixList").unwrap_or_default();
            let prefixes: Vec<_> = list.split(' ').filter(|prefix| !prefix.is_empty()).collect();
            let plain = |prefix: &&str| *prefix == "#default" || is_plain_ncname(prefix);
            if prefixes.len() <= MOST_PREFIXES && prefixes.iter().all(plain) {
                Ok(prefixes.len())
            } else {
                grammar("ec:InclusiveNamespaces has an odd prefix or more than 16")
            }
        }
        _ => grammar("exclusive canonicalization takes nothing but one ec:InclusiveNamespaces"),
    }
}

fn algorithm(element: &Element) -> Result<&str, VerifyError> {
    element.attribute("Algorithm").ok_or(VerifyError::Grammar("an Algorithm attribute is missing"))
}

fn named(element: &Element, name: &'static str) -> Result<(), VerifyError> {
    if element.is(DS, name) { Ok(()) } else { grammar("an element of ds:Signature is missing or out of order") }
}

fn children(element: &Element) -> Result<Vec<&Element>, VerifyError> {
    element.only_elements().map_err(|_| VerifyError::Grammar("there is stray text in ds:Signature"))
}

fn only_attributes(element: &Element, allowed: &[&str]) -> Result<(), VerifyError> {
    let fits = |attribute: &super::Attribute| attribute.namespace.is_empty() && allowed.contains(&&*attribute.name);
    if element.attributes().iter().all(fits) {
        Ok(())
    } else {
        grammar("an element of ds:Signature has an attribute that it must not have")
    }
}

fn grammar<T>(text: &'static str) -> Result<T, VerifyError> {
    Err(VerifyError::Grammar(text))
}

/// Base64 with its padding (RFC 4648 section 4), broken into lines or not.
pub(super) fn decode_base64(element: &Element) -> Option<Vec<u8>> {
    let text = element.only_text().ok()?;
    let packed: Vec<u8> = text.bytes().filter(|byte| !is_xml_space(*byte)).collect();
    STANDARD.decode(packed).ok()
}

/// An NCName of ASCII characters: what may stand in an XPointer without escaping.
pub(super) fn is_plain_ncname(name: &str) -> bool {
    name.len() <= 256
        && name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte))
}
