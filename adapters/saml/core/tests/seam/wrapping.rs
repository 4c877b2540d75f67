//! Signature wrapping. Whatever is moved where: an element that holds the forged
//! identity never verifies, and what verifies is what the IdP signed.

use fedbridge_saml_core::seam::{ParseRefusal, VerifyError, VerifyPolicy};

use crate::keys::idp;
use crate::message::*;

/// Tries every element that has an ID, as a careless caller might.
fn assert_never_admin(name: &str, xml: &str) {
    let Ok(document) = fedbridge_saml_core::seam::UnverifiedDocument::parse(
        xml.as_bytes(),
        fedbridge_saml_core::seam::Limits::message(),
    ) else {
        return;
    };
    let mut elements = 0;
    for element in document.unverified_root().descendants() {
        elements += 1;
        let verified = document.verify_enveloped(element, &[idp().verify_key()], &VerifyPolicy::default());
        if let Ok(verified) = verified {
            assert_eq!(name_id(&verified), "person", "{name}");
            assert!(!String::from_utf8_lossy(verified.octets()).contains("admin"), "{name}");
        }
    }
    assert!(elements > 5, "{name}");
}

fn refused(xml: &str, id: &str) -> VerifyError {
    verify_id(xml, id).unwrap_err()
}

struct Parts {
    /// The signed assertion as it was sent.
    signed: String,
    /// The same without its signature.
    bare: String,
    signature: String,
}

fn parts() -> Parts {
    let xml = signed_assertion();
    let signed = cut(&xml, "saml:Assertion").to_owned();
    let signature = cut(&signed, "ds:Signature").to_owned();
    Parts { bare: signed.replace(&signature, ""), signed, signature }
}

/// An assertion of the attacker's, with something put after its Issuer.
fn evil(id: &str, after_issuer: &str) -> String {
    assertion(id, "admin").replacen("</saml:Issuer>", &format!("</saml:Issuer>{after_issuer}"), 1)
}

#[test]
fn xsw1_and_xsw2_of_a_signed_response() {
    let xml = signed_response();
    let signature = cut(&xml, "ds:Signature");
    let bare = xml.replace(signature, "");
    let forged = response("_evil", &assertion("_a2", "admin"));
    let inside = signature.replace("</ds:Signature>", &format!("{bare}</ds:Signature>"));
    let xsw1 = forged.replacen("</saml:Issuer>", &format!("</saml:Issuer>{inside}"), 1);
    assert!(matches!(refused(&xsw1, "_evil"), VerifyError::Grammar(_)));
    assert_never_admin("XSW1", &xsw1);

    let beside = forged.replacen("</saml:Issuer>", &format!("</saml:Issuer>{bare}{signature}"), 1);
    assert_eq!(refused(&beside, "_evil"), VerifyError::ReferenceUri);
    assert_eq!(refused(&beside, "_r1"), VerifyError::Unsigned);
    assert_never_admin("XSW2", &beside);

    let whole = forged.replacen("</saml:Issuer>", &format!("</saml:Issuer>{xml}"), 1);
    assert_eq!(refused(&whole, "_evil"), VerifyError::Unsigned);
    assert_eq!(name_id(&verify_id(&whole, "_r1").unwrap()), "person");
    assert_never_admin("a whole signed response inside", &whole);
}

#[test]
fn xsw3_and_xsw4_put_a_second_assertion_beside_or_around() {
    let parts = parts();
    for (name, content) in [
        ("XSW3", evil("_evil", "") + &parts.signed),
        ("XSW10", parts.signed.clone() + &evil("_evil", "")),
        ("XSW4", evil("_evil", &parts.signed)),
    ] {
        let xml = response("_r1", &content);
        assert_eq!(refused(&xml, "_evil"), VerifyError::Unsigned, "{name}");
        assert_eq!(name_id(&verify_id(&xml, "_a1").unwrap()), "person");
        assert_never_admin(name, &xml);
    }
}

#[test]
fn xsw5_and_xsw6_move_the_signature_into_the_forgery() {
    let parts = parts();
    let xsw5 = response("_r1", &(evil("_evil", &parts.signature) + &parts.bare));
    assert_eq!(refused(&xsw5, "_evil"), VerifyError::ReferenceUri);
    assert_eq!(refused(&xsw5, "_a1"), VerifyError::Unsigned);
    assert_never_admin("XSW5", &xsw5);

    let around = parts.signature.replace("</ds:Signature>", &format!("{}</ds:Signature>", parts.bare));
    let xsw6 = response("_r1", &evil("_evil", &around));
    assert!(matches!(refused(&xsw6, "_evil"), VerifyError::Grammar(_)));
    assert_never_admin("XSW6", &xsw6);
}

#[test]
fn xsw7_and_xsw8_hide_in_extensions_and_objects() {
    let parts = parts();
    let extensions = format!("<samlp:Extensions>{}</samlp:Extensions>", evil("_evil", ""));
    let xsw7 = response("_r1", &(extensions + &parts.signed));
    assert_eq!(refused(&xsw7, "_evil"), VerifyError::Unsigned);
    assert_never_admin("XSW7", &xsw7);

    let object = format!("<ds:Object>{}</ds:Object></ds:Signature>", parts.bare);
    let xsw8 = response("_r1", &evil("_evil", &parts.signature.replace("</ds:Signature>", &object)));
    assert!(matches!(refused(&xsw8, "_evil"), VerifyError::Grammar(_)));
    assert_never_admin("XSW8", &xsw8);
}

#[test]
fn the_same_id_twice_is_refused_at_once() {
    let parts = parts();
    for content in [
        evil("_a1", &parts.signature) + &parts.bare,
        evil("_a1", "") + &parts.signed,
        parts.signed.clone() + "<samlp:Extensions><x xmlns='u:1' id='_a1'/></samlp:Extensions>",
    ] {
        let xml = response("_r1", &content);
        let refusal = fedbridge_saml_core::seam::UnverifiedDocument::parse(
            xml.as_bytes(),
            fedbridge_saml_core::seam::Limits::message(),
        );
        assert_eq!(refusal.err(), Some(ParseRefusal::DuplicateId));
    }
}

#[test]
fn metadata_with_repeated_ids_does_not_verify() {
    let xml = signed_assertion().replace("<samlp:Status>", "<x xmlns='u:1' ID='_a1'/><samlp:Status>");
    let document = fedbridge_saml_core::seam::UnverifiedDocument::parse(
        xml.as_bytes(),
        fedbridge_saml_core::seam::Limits::metadata(),
    )
    .unwrap();
    for element in document.unverified_root().descendants().filter(|element| element.attribute("ID") == Some("_a1")) {
        let verified = document.verify_enveloped(element, &[idp().verify_key()], &VerifyPolicy::default());
        assert_eq!(verified.unwrap_err(), VerifyError::Document(ParseRefusal::DuplicateId));
    }
}

#[test]
fn a_captured_assertion_does_not_vouch_for_another_message() {
    let parts = parts();
    let logout = format!(
        r#"<samlp:LogoutRequest xmlns:samlp="{SAMLP}" ID="_l1"><saml:Issuer xmlns:saml="{SAML}">https://idp.example</saml:Issuer>{}<saml:NameID xmlns:saml="{SAML}">admin</saml:NameID></samlp:LogoutRequest>"#,
        parts.signed
    );
    assert_eq!(refused(&logout, "_l1"), VerifyError::Unsigned);
    let with_signature = logout.replace(&parts.signed, &parts.signature);
    assert_eq!(refused(&with_signature, "_l1"), VerifyError::ReferenceUri);
}

#[test]
fn a_signature_of_one_element_does_not_verify_a_copy_with_another_name() {
    let parts = parts();
    let renamed = parts.signed.replace("saml:Assertion", "saml:Advice");
    assert_eq!(refused(&response("_r1", &renamed), "_a1"), VerifyError::DigestMismatch);
}
