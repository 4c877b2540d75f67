//! Forms of `ds:Signature` beyond the one that is accepted. Each is really signed by the
//! IdP's key, so that only the rule can refuse it.

use std::net::TcpListener;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::keys::Signer;
use fedbridge_saml_core::seam::{
    Limits, ParseRefusal, Sha1, SignatureMethod, UnverifiedDocument, VerifyError, VerifyPolicy,
};

use crate::keys::idp;
use crate::message::*;
use crate::xmlsec1;

const C14N: &str = "http://www.w3.org/2001/10/xml-exc-c14n#";
const TRANSFORMS: &str = concat!(
    r#"<ds:Transform Algorithm="http://www.w3.org/2000/09/xmldsig#enveloped-signature"></ds:Transform>"#,
    r#"<ds:Transform Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#"></ds:Transform>"#
);

/// Signs SignedInfo again after it was changed.
fn resign(xml: &str) -> String {
    let document = parse(xml);
    let octets = document.canonicalize(find(&document, "SignedInfo")).unwrap();
    let value = STANDARD.encode(Signer::sign(idp(), &octets).unwrap());
    xml.replace(cut(xml, "ds:SignatureValue"), &format!("<ds:SignatureValue>{value}</ds:SignatureValue>"))
}

/// The good message with one replacement in its signature, signed again.
fn with(was: &str, is: &str) -> String {
    let xml = signed_assertion();
    assert!(xml.contains(was), "{was}");
    resign(&xml.replacen(was, is, 1))
}

fn refused(xml: &str) -> VerifyError {
    verify_id(xml, "_a1").unwrap_err()
}

#[test]
fn signing_again_is_itself_good() {
    assert_eq!(name_id(&verify_id(&resign(&signed_assertion()), "_a1").unwrap()), "person");
    let prefixes = format!(
        r#"<ds:Transform Algorithm="{C14N}"><ec:InclusiveNamespaces xmlns:ec="{C14N}" PrefixList="xs #default"></ec:InclusiveNamespaces></ds:Transform>"#
    );
    let xml = with(&format!(r#"<ds:Transform Algorithm="{C14N}"></ds:Transform>"#), &prefixes);
    assert_eq!(refused(&xml), VerifyError::DigestMismatch, "the form is good, the digest is of the other form");
}

#[test]
fn a_reference_points_at_its_own_element_only() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let web = format!("http://{}/x", listener.local_addr().unwrap());
    let file = concat!("file://", env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    for uri in [
        "",
        "#",
        "#_r1",
        "_a1",
        " #_a1",
        "#_a1 ",
        "#xpointer(/)",
        "#xpointer(id('_a1'))",
        "##_a1",
        "?#_a1",
        &web,
        &format!("{web}#_a1"),
        file,
        "/etc/hostname",
        "Cargo.toml",
        "cid:x",
    ] {
        let xml = with(r##"URI="#_a1""##, &format!(r#"URI="{uri}""#));
        assert_eq!(refused(&xml), VerifyError::ReferenceUri, "{uri}");
    }
    assert_eq!(refused(&with(r##" URI="#_a1""##, "")), VerifyError::ReferenceUri);
    assert!(listener.accept().is_err(), "nobody called");
}

#[test]
fn only_enveloped_then_exclusive_canonicalization() {
    let enveloped = "http://www.w3.org/2000/09/xmldsig#enveloped-signature";
    let transform = |uri: &str| format!(r#"<ds:Transform Algorithm="{uri}"></ds:Transform>"#);
    for uri in [
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315#WithComments",
        "http://www.w3.org/2006/12/xml-c14n11",
        "http://www.w3.org/2006/12/xml-c14n11#WithComments",
        "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
        "http://www.w3.org/TR/1999/REC-xpath-19991116",
        "http://www.w3.org/TR/1999/REC-xslt-19991116",
        "http://www.w3.org/2000/09/xmldsig#base64",
        "http://www.w3.org/2002/06/xmldsig-filter2",
        "http://www.w3.org/2002/07/decrypt#XML",
        "urn:unknown",
        "",
    ] {
        let odd = VerifyError::Algorithm(uri.to_owned());
        assert_eq!(refused(&with(TRANSFORMS, &(transform(enveloped) + &transform(uri)))), odd, "{uri}");
        assert_eq!(refused(&with(TRANSFORMS, &(transform(uri) + &transform(C14N)))), odd, "{uri}");
        let method = r#"CanonicalizationMethod Algorithm="http://www.w3.org/2001/10/xml-exc-c14n#""#;
        let other = format!(r#"CanonicalizationMethod Algorithm="{uri}""#);
        assert_eq!(refused(&with(method, &other)), odd, "{uri}");
    }
    for transforms in [
        String::new(),
        transform(enveloped),
        transform(C14N),
        format!("{TRANSFORMS}{}", transform(C14N)),
        format!("{}{TRANSFORMS}", transform(enveloped)),
    ] {
        assert!(matches!(refused(&with(TRANSFORMS, &transforms)), VerifyError::Grammar(_)), "{transforms}");
    }
    let turned = transform(C14N) + &transform(enveloped);
    assert_eq!(refused(&with(TRANSFORMS, &turned)), VerifyError::Algorithm(C14N.to_owned()));
    let bare = format!("<ds:Transforms>{TRANSFORMS}</ds:Transforms>");
    assert!(matches!(refused(&with(&bare, "")), VerifyError::Grammar(_)));
}

#[test]
fn transforms_take_no_parameters() {
    let stop = r#"enveloped-signature"></ds:Transform>"#;
    for inside in [
        "<ds:XPath>count(//. | //@* | //namespace::*)</ds:XPath>",
        r#"<xsl:stylesheet xmlns:xsl="http://www.w3.org/1999/XSL/Transform" version="1.0"></xsl:stylesheet>"#,
        "text",
    ] {
        let xml = with(stop, &format!(r#"enveloped-signature">{inside}</ds:Transform>"#));
        assert!(matches!(refused(&xml), VerifyError::Grammar(_)), "{inside}");
    }
    let stop = format!(r#"<ds:Transform Algorithm="{C14N}"></ds:Transform>"#);
    let many = "a ".repeat(17);
    for prefixes in ["xs'", "a:b", "('", "&#10;", &many] {
        let inside =
            format!(r#"<ec:InclusiveNamespaces xmlns:ec="{C14N}" PrefixList="{prefixes}"></ec:InclusiveNamespaces>"#);
        let xml = with(&stop, &format!(r#"<ds:Transform Algorithm="{C14N}">{inside}</ds:Transform>"#));
        assert!(matches!(refused(&xml), VerifyError::Grammar(_)), "{prefixes}");
    }
}

#[test]
fn an_expensive_xpath_is_not_run() {
    let nodes = "<ds:XPath>".to_owned() + &"count(//. | //@* | //namespace::*) and ".repeat(150) + "true()</ds:XPath>";
    let xpath =
        format!(r#"<ds:Transform Algorithm="http://www.w3.org/TR/1999/REC-xpath-19991116">{nodes}</ds:Transform>"#);
    let xml = with(TRANSFORMS, &format!("{TRANSFORMS}{xpath}"));
    assert!(matches!(refused(&xml), VerifyError::Grammar(_)));
}

#[test]
fn one_signature_one_signed_info_one_reference() {
    let xml = signed_assertion();
    let (signature, info) = (cut(&xml, "ds:Signature"), cut(&xml, "ds:SignedInfo"));
    let reference = cut(&xml, "ds:Reference");
    let twice = xml.replacen(signature, &signature.repeat(2), 1);
    assert_eq!(refused(&twice), VerifyError::SeveralSignatures);
    let decoy = xml.replacen(signature, &format!("{signature}<ds:Signature xmlns:ds='{DS}'/>"), 1);
    assert_eq!(refused(&decoy), VerifyError::SeveralSignatures);
    for spoiled in [
        xml.replacen(info, &info.repeat(2), 1),
        xml.replacen(info, "", 1),
        resign(&xml.replacen(reference, &reference.repeat(2), 1)),
        resign(&xml.replacen(reference, &(reference.to_owned() + &reference.replace("#_a1", "#_r1")), 1)),
        resign(&xml.replacen(reference, "", 1)),
        xml.replacen("</ds:Signature>", "<ds:Object><x xmlns='u:1'/></ds:Object></ds:Signature>", 1),
        xml.replacen("</ds:Signature>", "<ds:KeyInfo></ds:KeyInfo></ds:Signature>", 1),
        xml.replacen("</ds:Signature>", "stray</ds:Signature>", 1),
        xml.replacen("<ds:SignatureValue>", "<ds:SignatureValue><x xmlns='u:1'/>", 1),
        xml.replacen("<ds:SignatureValue>", "<ds:SignatureValue xmlns:p='u:1' p:x='1'>", 1),
        resign(&xml.replacen("</ds:SignedInfo>", "<ds:Manifest></ds:Manifest></ds:SignedInfo>", 1)),
        resign(&xml.replacen(
            "<ds:Reference ",
            "<ds:Reference Type=\"http://www.w3.org/2000/09/xmldsig#Manifest\" ",
            1,
        )),
    ] {
        assert!(matches!(refused(&spoiled), VerifyError::Grammar(_)), "{spoiled}");
    }
}

#[test]
fn digests_and_values_are_strict_base64() {
    let xml = signed_assertion();
    for name in ["ds:DigestValue", "ds:SignatureValue"] {
        let was = cut(&xml, name);
        let base64 = was.split(['>', '<']).nth(2).unwrap();
        let element = |text: &str| xml.replace(was, &format!("<{name}>{text}</{name}>"));
        let folded: Vec<_> = base64.as_bytes().chunks(16).map(|line| std::str::from_utf8(line).unwrap()).collect();
        let fold = element(&format!("\n{}\n", folded.join("\r\n\t ")));
        let fold = if name == "ds:DigestValue" { resign(&fold) } else { fold };
        assert_eq!(name_id(&verify_id(&fold, "_a1").unwrap()), "person", "line breaks are common");
        let comment = element(&format!("{}<!-- x -->{}", &base64[..8], &base64[8..]));
        let refusal = UnverifiedDocument::parse(comment.as_bytes(), Limits::message()).err();
        assert_eq!(refusal, Some(ParseRefusal::Comment));
        for text in [
            String::new(),
            base64.trim_end_matches('=').to_owned() + "!",
            format!("{base64}{base64}"),
            format!("{base64}="),
            format!("{}-{}", &base64[..8], &base64[9..]),
            format!("{}\u{a0}{}", &base64[..8], &base64[8..]),
        ] {
            let spoiled = element(&text);
            if name == "ds:DigestValue" {
                assert!(matches!(refused(&resign(&spoiled)), VerifyError::Grammar(_)), "{text}");
            } else if text != format!("{base64}{base64}") {
                assert!(matches!(refused(&spoiled), VerifyError::Grammar(_)), "{text}");
            }
        }
    }
}

/// A document for the xmlsec1 program to sign with whatever is named.
fn template(signature_method: &str, digest_method: &str, c14n: &str) -> String {
    let signature = format!(
        concat!(
            r#"<ds:Signature xmlns:ds="{ds}"><ds:SignedInfo><ds:CanonicalizationMethod Algorithm="{c14n}"/>"#,
            r#"<ds:SignatureMethod Algorithm="{method}"/><ds:Reference URI="{hash}_a1"><ds:Transforms>"#,
            r#"<ds:Transform Algorithm="{ds}enveloped-signature"/><ds:Transform Algorithm="{c14n}"/>"#,
            r#"</ds:Transforms><ds:DigestMethod Algorithm="{digest}"/><ds:DigestValue/></ds:Reference>"#,
            r#"</ds:SignedInfo><ds:SignatureValue/></ds:Signature></saml:Issuer>"#
        ),
        ds = DS,
        c14n = c14n,
        method = signature_method,
        hash = '#',
        digest = digest_method
    );
    let (signature, _) = signature.rsplit_once("</saml:Issuer>").unwrap();
    assertion("_a1", "person").replacen("</saml:Issuer>", &format!("</saml:Issuer>{signature}"), 1)
}

const SHA256: &str = "http://www.w3.org/2001/04/xmlenc#sha256";

#[test]
fn a_document_of_another_signer_verifies() {
    for (method, digest) in [
        ("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", SHA256),
        ("http://www.w3.org/2001/04/xmldsig-more#rsa-sha384", "http://www.w3.org/2001/04/xmldsig-more#sha384"),
        ("http://www.w3.org/2001/04/xmldsig-more#rsa-sha512", "http://www.w3.org/2001/04/xmlenc#sha512"),
    ] {
        let xml = xmlsec1::sign(&template(method, digest, C14N), idp());
        let verified = verify_id(&xml, "_a1").unwrap();
        assert_eq!((name_id(&verified).as_str(), verified.method().uri()), ("person", method));
    }
    let prefixes = format!(
        r#"<ds:Transform Algorithm="{C14N}"><ec:InclusiveNamespaces xmlns:ec="{C14N}" PrefixList="xs saml"/></ds:Transform>"#
    );
    let template = template("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", SHA256, C14N)
        .replace(&format!(r#"<ds:Transform Algorithm="{C14N}"/>"#), &prefixes);
    let verified = verify_id(&xmlsec1::sign(&template, idp()), "_a1").unwrap();
    assert!(String::from_utf8_lossy(verified.octets()).contains("xmlns:xs="), "OpenSAML signs like this");
}

#[test]
fn sha1_only_where_the_connection_has_it() {
    let rsa_sha1 = "http://www.w3.org/2000/09/xmldsig#rsa-sha1";
    let sha1 = "http://www.w3.org/2000/09/xmldsig#sha1";
    for (method, digest) in
        [(rsa_sha1, sha1), (rsa_sha1, SHA256), ("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", sha1)]
    {
        let xml = xmlsec1::sign(&template(method, digest, C14N), idp());
        assert_eq!(refused(&xml), VerifyError::Sha1);
        let document = parse(&xml);
        let policy = VerifyPolicy { sha1: Sha1::Accepted };
        let verified = document.verify_enveloped(document.unverified_root(), &[idp().verify_key()], &policy).unwrap();
        assert_eq!(verified.method() == SignatureMethod::RsaSha1, method == rsa_sha1);
    }
}

#[test]
fn an_hmac_keyed_with_the_certificate_is_refused() {
    for method in ["http://www.w3.org/2001/04/xmldsig-more#hmac-sha256", "http://www.w3.org/2000/09/xmldsig#hmac-sha1"]
    {
        for secret in [idp().certificate.clone(), idp().certificate_pem()] {
            let xml = xmlsec1::sign_hmac(&template(method, SHA256, C14N), &secret);
            assert_eq!(refused(&xml), VerifyError::Algorithm(method.to_owned()));
        }
    }
    let length = r##"rsa-sha256"></ds:SignatureMethod>"##;
    let xml = with(length, r#"rsa-sha256"><ds:HMACOutputLength>0</ds:HMACOutputLength></ds:SignatureMethod>"#);
    assert!(matches!(refused(&xml), VerifyError::Grammar(_)));
}

#[test]
fn other_canonicalizations_are_refused_even_when_the_idp_used_them() {
    for c14n in [
        "http://www.w3.org/TR/2001/REC-xml-c14n-20010315",
        "http://www.w3.org/2006/12/xml-c14n11",
        "http://www.w3.org/2001/10/xml-exc-c14n#WithComments",
    ] {
        let xml = xmlsec1::sign(&template("http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", SHA256, c14n), idp());
        assert!(xmlsec1::accepts(xml.as_bytes(), idp()), "it is a good signature of its kind");
        assert_eq!(refused(&xml), VerifyError::Algorithm(c14n.to_owned()));
    }
}

#[test]
fn an_id_is_a_plain_name() {
    for id in ["_a b", "1a", "_a'b", "_a(1)", "é", ""] {
        let xml = signed_assertion().replace("_a1", id);
        let document = parse(&xml);
        let target = find(&document, "Assertion");
        let refusal = document.verify_enveloped(target, &[idp().verify_key()], &VerifyPolicy::default()).unwrap_err();
        assert_eq!(refusal, VerifyError::BadId, "{id}");
    }
    let xml = signed_assertion().replace(r#"ID="_a1""#, r#"Id="_a1""#);
    let document = parse(&xml);
    let refusal =
        document.verify_enveloped(find(&document, "Assertion"), &[idp().verify_key()], &VerifyPolicy::default());
    assert_eq!(refusal.unwrap_err(), VerifyError::NoId);
}

/// Documents that cost most within the limits: every name is looked up among many.
#[test]
fn the_dearest_documents_come_to_an_end() {
    let declarations: String = (0..60).map(|at| format!(" xmlns:n{at}='urn:x:{at}'")).collect();
    let prefixes: String = (0..16).map(|at| format!("m{at} ")).collect();
    let transform = format!(r#"<ds:Transform Algorithm="{C14N}"></ds:Transform>"#);
    let wide = format!(
        r#"<ds:Transform Algorithm="{C14N}"><ec:InclusiveNamespaces xmlns:ec="{C14N}" PrefixList="{prefixes}"/></ds:Transform>"#
    );
    let many = format!("<d{declarations}>{}</d></saml:Subject>", "<n0:e n1:a=''/>".repeat(4_800));
    let deep = format!(
        "<d{declarations}>{}{}{}</d></saml:Subject>",
        "<n0:d>".repeat(26),
        "<n0:e/>".repeat(9_600),
        "</n0:d>".repeat(26)
    );
    let signed = signed_assertion();
    for content in [many, deep] {
        let xml = signed.replace("</saml:Subject>", &content);
        assert_eq!(refused(&xml), VerifyError::DigestMismatch);
        // Each prefix is looked up for each element: not before somebody has signed it.
        let VerifyError::Grammar(why) = refused(&xml.replace(&transform, &wide)) else { panic!("canonicalized") };
        assert!(why.contains("too many prefixes"), "{why}");
    }
    let few = format!("<d{declarations}>{}</d></saml:Subject>", "<n0:e/>".repeat(900));
    let xml = signed.replace(&transform, &wide).replace("</saml:Subject>", &few);
    assert_eq!(refused(&xml), VerifyError::DigestMismatch);
}

#[test]
fn void_canonicalization_has_no_way_in() {
    // libxml2 can't canonicalize a relative namespace; libraries that took the empty
    // result for the content accepted anything.
    let xml = signed_assertion().replacen("<saml:Subject>", r#"<saml:Subject xmlns:x="1">"#, 1);
    let refusal = UnverifiedDocument::parse(xml.as_bytes(), Limits::message()).err();
    assert_eq!(refusal, Some(ParseRefusal::RelativeNamespace));
}
