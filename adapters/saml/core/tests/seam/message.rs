//! Messages to sign and to spoil.

use fedbridge_contract::keys::Signer;
use fedbridge_saml_core::seam::{
    Element, Limits, SignRequest, SignaturePlace, UnverifiedDocument, VerifiedElement, VerifyError, VerifyPolicy,
    sign_enveloped,
};

use crate::keys::{TestKey, idp};

pub const SAML: &str = "urn:oasis:names:tc:SAML:2.0:assertion";
pub const SAMLP: &str = "urn:oasis:names:tc:SAML:2.0:protocol";
pub const DS: &str = "http://www.w3.org/2000/09/xmldsig#";

pub fn assertion(id: &str, name_id: &str) -> String {
    format!(
        concat!(
            r#"<saml:Assertion xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion" "#,
            r#"xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" "#,
            r#"ID="{id}" Version="2.0" IssueInstant="2026-11-22T02:00:00Z"><saml:Issuer>https://idp.example</saml:Issuer>"#,
            r#"<saml:Subject><saml:NameID>{name_id}</saml:NameID></saml:Subject><saml:AttributeStatement>"#,
            r#"<saml:Attribute Name="mail"><saml:AttributeValue xsi:type="xs:string">a@example.com</saml:AttributeValue>"#,
            r#"</saml:Attribute></saml:AttributeStatement></saml:Assertion>"#
        ),
        id = id,
        name_id = name_id
    )
}

/// A Response around whatever is given.
pub fn response(id: &str, content: &str) -> String {
    format!(
        concat!(
            r#"<samlp:Response xmlns:samlp="urn:oasis:names:tc:SAML:2.0:protocol" ID="{id}" Version="2.0" "#,
            r#"IssueInstant="2026-11-22T02:00:00Z"><saml:Issuer xmlns:saml="urn:oasis:names:tc:SAML:2.0:assertion">"#,
            r#"https://idp.example</saml:Issuer><samlp:Status><samlp:StatusCode "#,
            r#"Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></samlp:Status>{content}</samlp:Response>"#
        ),
        id = id,
        content = content
    )
}

pub fn sign_after_issuer(xml: &str, id: &str, key: &TestKey) -> String {
    sign_with_certificate(xml, id, key, Some(&key.certificate))
}

pub fn sign_with_certificate(xml: &str, id: &str, key: &TestKey, certificate: Option<&[u8]>) -> String {
    let place = SignaturePlace::After(SAML, "Issuer");
    let request = SignRequest { target_id: id, place, certificate, limits: Limits::message() };
    let signer: &dyn Signer = key;
    String::from_utf8(sign_enveloped(xml.as_bytes(), &request, signer).unwrap()).unwrap()
}

/// A Response with one assertion `_a1` for `person`, signed by the IdP.
pub fn signed_assertion() -> String {
    sign_after_issuer(&response("_r1", &assertion("_a1", "person")), "_a1", idp())
}

/// The same with the signature on the Response `_r1`.
pub fn signed_response() -> String {
    sign_after_issuer(&response("_r1", &assertion("_a1", "person")), "_r1", idp())
}

pub fn parse(xml: &str) -> UnverifiedDocument {
    UnverifiedDocument::parse(xml.as_bytes(), Limits::message()).unwrap()
}

/// The first element with that local name.
pub fn find<'a>(document: &'a UnverifiedDocument, name: &str) -> &'a Element {
    document.unverified_root().descendants().find(|element| element.name() == name).unwrap()
}

pub fn find_id<'a>(document: &'a UnverifiedDocument, id: &str) -> &'a Element {
    document.unverified_root().descendants().find(|element| element.attribute("ID") == Some(id)).unwrap()
}

/// Verifies the element with this ID under the IdP's key.
pub fn verify_id(xml: &str, id: &str) -> Result<VerifiedElement, VerifyError> {
    let document = parse(xml);
    document.verify_enveloped(find_id(&document, id), &[idp().verify_key()], &VerifyPolicy::default())
}

pub fn name_id(verified: &VerifiedElement) -> String {
    let mut names = verified.element().descendants().filter(|element| element.is(SAML, "NameID"));
    let name = names.next().unwrap().only_text().unwrap().to_owned();
    assert!(names.next().is_none());
    name
}

/// The text of the element from its start tag to its end tag, as it stands in `xml`.
pub fn cut<'a>(xml: &'a str, qualified_name: &str) -> &'a str {
    let start = xml.find(&format!("<{qualified_name}")).unwrap();
    let end_tag = format!("</{qualified_name}>");
    let end = xml[start..].find(&end_tag).unwrap() + start + end_tag.len();
    &xml[start..end]
}
