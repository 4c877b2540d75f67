//! What we sign verifies, here and elsewhere.

use fedbridge_contract::keys::{KeyError, SignatureAlgorithm, Signer};
use fedbridge_saml_core::seam::{
    Limits, SignError, SignRequest, SignaturePlace, UnverifiedDocument, VerifyPolicy, sign_enveloped,
};

use crate::keys::{elliptic, idp};
use crate::message::*;
use crate::xmlsec1;

fn request(id: &str) -> SignRequest<'_> {
    SignRequest {
        target_id: id,
        place: SignaturePlace::After(SAML, "Issuer"),
        certificate: None,
        limits: Limits::message(),
    }
}

#[test]
fn signatures_satisfy_another_verifier() {
    for key in [idp(), elliptic()] {
        let xml = sign_after_issuer(&response("_r1", &assertion("_a1", "person")), "_a1", key);
        assert!(xmlsec1::accepts(xml.as_bytes(), key));
        assert!(!xmlsec1::accepts(xml.replace(">person<", ">admin<").as_bytes(), key));
    }
}

#[test]
fn the_signature_stands_where_the_schema_wants_it() {
    let xml = sign_after_issuer(&response("_r1", &assertion("_a1", "person")), "_r1", idp());
    let document = parse(&xml);
    let names: Vec<_> = document.unverified_root().elements().map(|child| child.name()).collect();
    assert_eq!(names, ["Issuer", "Signature", "Status", "Assertion"]);

    let metadata = concat!(
        "<md:EntityDescriptor xmlns:md='urn:oasis:names:tc:SAML:2.0:metadata' entityID='https://sp.example' ID='_m1'>\n",
        " <md:SPSSODescriptor protocolSupportEnumeration='urn:oasis:names:tc:SAML:2.0:protocol'/>\n",
        "</md:EntityDescriptor>"
    );
    let first = SignRequest { place: SignaturePlace::First, limits: Limits::metadata(), ..request("_m1") };
    let signed = sign_enveloped(metadata.as_bytes(), &first, elliptic()).unwrap();
    let document = UnverifiedDocument::parse(&signed, Limits::metadata()).unwrap();
    assert_eq!(document.unverified_root().elements().next().unwrap().name(), "Signature");
    document
        .verify_enveloped(document.unverified_root(), &[elliptic().verify_key()], &VerifyPolicy::default())
        .unwrap();
    let empty = sign_enveloped(b"<a ID='_m1'/>", &first, elliptic()).unwrap();
    let document = UnverifiedDocument::parse(&empty, Limits::metadata()).unwrap();
    document
        .verify_enveloped(document.unverified_root(), &[elliptic().verify_key()], &VerifyPolicy::default())
        .unwrap();
}

#[test]
fn values_are_escaped_once() {
    let xml = assertion("_a1", "&lt;admin&gt; &amp; \"x\"");
    let verified = verify_id(&sign_after_issuer(&xml, "_a1", idp()), "_a1").unwrap();
    assert_eq!(name_id(&verified), "<admin> & \"x\"");
}

#[test]
fn what_cannot_be_signed_is_said() {
    let xml = response("_r1", &assertion("_a1", "person"));
    let failure = |xml: &str, request: &SignRequest<'_>| sign_enveloped(xml.as_bytes(), request, idp()).unwrap_err();
    assert!(matches!(failure(&xml, &request("_a2")), SignError::NoTarget));
    assert!(matches!(failure(&xml.replace("_a1", "_a'"), &request("_a'")), SignError::NoTarget));
    assert!(matches!(failure(&signed_assertion(), &request("_a1")), SignError::AlreadySigned));
    assert!(matches!(failure("<a ID='_1'/>", &request("_1")), SignError::NoPlace));
    assert!(matches!(failure("<a", &request("_1")), SignError::Document(_)));

    struct Odd(SignatureAlgorithm);
    impl Signer for Odd {
        fn kid(&self) -> &str {
            "odd"
        }
        fn algorithm(&self) -> SignatureAlgorithm {
            self.0
        }
        fn sign(&self, _: &[u8]) -> Result<Vec<u8>, KeyError> {
            Err(KeyError { kid: "odd".to_owned(), cause: "the token is gone".to_owned() })
        }
        fn verify(&self, _: &[u8], _: &[u8]) -> bool {
            false
        }
    }
    let refused = |algorithm| sign_enveloped(xml.as_bytes(), &request("_a1"), &Odd(algorithm)).unwrap_err();
    assert!(matches!(refused(SignatureAlgorithm::EdDSA), SignError::Algorithm(_)));
    assert!(matches!(refused(SignatureAlgorithm::PS256), SignError::Algorithm(_)));
    assert!(matches!(refused(SignatureAlgorithm::RS256), SignError::Key(_)));
}
