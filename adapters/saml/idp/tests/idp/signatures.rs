//! What is signed and encrypted, judged by xmlsec1 and the schemas of OASIS.

use fedbridge_contract::http::ReplyKind;
use fedbridge_saml_core::names;
use fedbridge_saml_core::seam::{Limits, UnverifiedDocument, VerifyKey, VerifyPolicy};
use serde_json::json;

use crate::logins::assertion;
use crate::schema;
use crate::support::{Ask, Sp, World, app_decryption, our_key, posted_response, stranger};
use crate::xmlsec1;

const SCHEMA: &str = "saml-schema-protocol-2.0.xsd";

fn ids(xml: &str) -> (String, Option<String>) {
    let document = UnverifiedDocument::parse(xml.as_bytes(), Limits::message()).unwrap();
    let root = document.unverified_root();
    let inner = root.child(names::ASSERTION, "Assertion").and_then(|inner| inner.attribute("ID"));
    (root.attribute("ID").unwrap().to_owned(), inner.map(str::to_owned))
}

#[test]
fn what_is_signed_is_as_set() {
    for (sign, response_signed, assertion_signed) in
        [("both", true, true), ("response", true, false), ("assertion", false, true)]
    {
        let xml = World::with(json!({ "sign": sign })).response();
        schema::accepts(SCHEMA, &xml);
        schema::refuses(SCHEMA, &xml.replacen("<saml:Subject>", "<saml:Advice/><saml:Subject>", 1));
        let (response, inner) = ids(&xml);
        let inner = inner.unwrap();
        for (id, signed) in [(&response, response_signed), (&inner, assertion_signed)] {
            if signed {
                xmlsec1::accepts(&xml, id, our_key());
                xmlsec1::refuses(&xml, id, stranger());
            }
        }
        assert_eq!(xml.matches("<ds:Signature ").count(), usize::from(response_signed) + usize::from(assertion_signed));
        assert!(!xml.contains("sha1"), "{sign}: nothing is made with SHA-1");
        assert_eq!(xml.matches("xmlenc#sha256").count(), xml.matches("<ds:DigestMethod").count());
        let changed = xml.replacen("alice@acme.example", "mallory@acme.example", 1);
        let covering = if response_signed { &response } else { &inner };
        xmlsec1::refuses(&changed, covering, our_key());
    }
    assert!(World::new().response().matches("<ds:Signature ").count() == 2, "both is the default");
}

/// An app may cut the assertion out, or hang it into another document.
#[test]
fn a_signed_assertion_can_be_moved() {
    let xml = World::with(json!({ "sign": "assertion" })).response();
    let from = xml.find("<saml:Assertion").unwrap();
    let to = xml.find("</saml:Assertion>").unwrap() + "</saml:Assertion>".len();
    let alone = &xml[from..to];
    let id = ids(&xml).1.unwrap();
    let moved = format!(
        "<e:Envelope xmlns:e=\"urn:e\" xmlns:saml=\"urn:not-saml\" xmlns=\"urn:other\" xmlns:xs=\"urn:x\"><e:Body>{alone}</e:Body></e:Envelope>"
    );
    for document in [alone, &moved] {
        xmlsec1::accepts(document, &id, our_key());
        let parsed = UnverifiedDocument::parse(document.as_bytes(), Limits::message()).unwrap();
        let inner = parsed.unverified_root().descendants().find(|element| element.is(names::ASSERTION, "Assertion"));
        let key = VerifyKey::from_certificate_der(&our_key().certificate).unwrap();
        parsed.verify_enveloped(inner.unwrap(), &[key], &VerifyPolicy::default()).unwrap();
    }
    schema::accepts("saml-schema-assertion-2.0.xsd", alone);
}

#[test]
fn encrypted_assertions_are_read_by_their_app_alone() {
    for content in ["aes256-gcm", "aes128-gcm", "aes256-cbc", "aes128-cbc"] {
        for key in ["rsa-oaep", "rsa-oaep-sha256"] {
            for sign in ["both", "response", "assertion"] {
                let settings =
                    json!({ "encrypt": true, "sign": sign, "encryption": { "content": content, "key": key } });
                let xml = World::with(settings).response();
                assert!(!xml.contains("<saml:Assertion") && !xml.contains("alice"), "{xml}");
                let (response, _) = ids(&xml);
                if sign != "assertion" {
                    xmlsec1::accepts(&xml, &response, our_key());
                }
                if key == "rsa-oaep" {
                    // xmlsec1 1.2 knows OAEP by its first URI alone; the other is covered by the core's tests.
                    schema::accepts(SCHEMA, &xml);
                    let plain = xmlsec1::decrypted(&xml, app_decryption());
                    assert!(plain.contains("alice@acme.example"), "{content} {key} {sign}\n{plain}");
                    if sign != "response" {
                        let id = plain.split("<saml:Assertion").nth(1).unwrap().split(" ID=\"").nth(1).unwrap();
                        xmlsec1::accepts(&plain, id.split('"').next().unwrap(), our_key());
                    }
                }
            }
        }
    }
}

#[test]
fn no_key_to_encrypt_with_is_a_complaint_and_no_plain_assertion() {
    let sp = Sp { encryption: None, ..Sp::default() };
    let settings = json!({ "sp_metadata": { "xml": sp.metadata() }, "encrypt": true });
    let complaints = fedbridge_saml_idp::settings::SpSettings::parse(&settings, crate::support::NOW).err().unwrap();
    assert_eq!(complaints[0].to_string(), "encrypt: can't be done: the metadata has no encryption key");
}

#[test]
fn what_goes_out_is_posted_and_never_redirected() {
    let world = World::new();
    let login = world.login(&Ask::new().by_redirect());
    let reply = world.finish(&login).reply;
    assert!(matches!(reply.kind, ReplyKind::AutoPost { .. }));
    let (_, xml) = posted_response(&reply);
    let inner = assertion(&xml);
    assert!(inner.attribute("ID").unwrap().starts_with('_'));
    // Every answer has names of its own.
    let (_, again) = posted_response(&world.finish(&login).reply);
    assert_ne!(ids(&xml), ids(&again));
}
