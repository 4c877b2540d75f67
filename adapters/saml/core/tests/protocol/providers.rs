//! Metadata of service providers, and what logout and artifacts add to that of identity providers.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_saml_core::metadata::import::import;
use fedbridge_saml_core::metadata::{AcsBinding, LogoutBinding, SpDescription, import_sp, verify_document};
use fedbridge_saml_core::seam::{Limits, SignRequest, SignaturePlace, VerifyKey, sign_enveloped};

use crate::support::{KEYS, NOW};

const POST: &str = "urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST";

fn key(usage: &str, at: usize) -> String {
    let certificate = STANDARD.encode(&KEYS[at].certificate);
    format!(
        "<md:KeyDescriptor{usage}><ds:KeyInfo><ds:X509Data><ds:X509Certificate>{certificate}</ds:X509Certificate>\
         </ds:X509Data></ds:KeyInfo><md:EncryptionMethod Algorithm=\"urn:cipher\"/></md:KeyDescriptor>"
    )
}

fn acs(location: &str, rest: &str) -> String {
    format!("<md:AssertionConsumerService Binding=\"{POST}\" Location=\"{location}\" {rest}/>")
}

fn document(attributes: &str, content: &str) -> String {
    format!(
        "<md:EntityDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" ID=\"_m\" \
         xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\" entityID=\"https://sp.example\" cacheDuration=\"PT2H\">\
         <md:SPSSODescriptor protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\" {attributes}>{content}\
         </md:SPSSODescriptor></md:EntityDescriptor>"
    )
}

fn read(attributes: &str, content: &str) -> SpDescription {
    let document = document(attributes, content);
    import_sp(document.as_bytes(), None, NOW).unwrap_or_else(|complaints| panic!("{complaints:?}"))
}

fn refused(attributes: &str, content: &str) -> String {
    match import_sp(document(attributes, content).as_bytes(), None, NOW) {
        Ok(_) => panic!("accepted"),
        Err(complaints) => complaints.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
    }
}

#[test]
fn everything_that_is_needed_is_read() {
    let slo = |binding: &str, rest: &str| {
        format!("<md:SingleLogoutService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:{binding}\" {rest}/>")
    };
    let sp = read(
        "AuthnRequestsSigned=\"1\" WantAssertionsSigned=\"true\"",
        &[
            key(" use=\"signing\"", 0),
            key(" use=\"encryption\"", 1),
            key("", 2),
            slo("SOAP", "Location=\"https://sp.example/soap\""),
            slo("HTTP-Redirect", "Location=\"https://sp.example/slo\" ResponseLocation=\"https://sp.example/done\""),
            slo("HTTP-POST", "Location=\"ftp://sp.example/slo\""),
            "<md:NameIDFormat> urn:f </md:NameIDFormat>".into(),
            acs("https://sp.example/a", "index=\"0\" isDefault=\"false\""),
            acs("https://sp.example/b", "index=\"7\""),
            acs("https://sp.example/c", "index=\"3\" isDefault=\"1\"").replace("HTTP-POST", "HTTP-Artifact"),
            acs("https://sp.example/paos", "index=\"4\"").replace("HTTP-POST", "PAOS"),
        ]
        .concat(),
    );
    assert_eq!((sp.entity_id.as_str(), sp.cache), ("https://sp.example", Some(Duration::from_secs(7200))));
    assert!(sp.authn_requests_signed && sp.want_assertions_signed);
    let fingerprint = |at: usize| *VerifyKey::from_certificate_der(&KEYS[at].certificate).unwrap().fingerprint();
    let signing: Vec<_> = sp.signing.iter().map(|key| *key.key.fingerprint()).collect();
    assert_eq!(signing, [fingerprint(0), fingerprint(2)], "without use a key serves both");
    let encryption: Vec<_> = sp.encryption.iter().map(|key| &key.certificate).collect();
    assert_eq!(encryption, [&KEYS[1].certificate, &KEYS[2].certificate]);
    assert_eq!(sp.encryption[0].methods, ["urn:cipher"]);
    let acs: Vec<_> = sp.acs.iter().map(|acs| (acs.binding, acs.text.as_str(), acs.index, acs.default)).collect();
    assert_eq!(
        acs,
        [
            (AcsBinding::Post, "https://sp.example/a", 0, false),
            (AcsBinding::Post, "https://sp.example/b", 7, false),
            (AcsBinding::Artifact, "https://sp.example/c", 3, true),
        ]
    );
    let slo: Vec<_> = sp.slo.iter().map(|slo| (slo.binding, slo.answers().as_str())).collect();
    assert_eq!(
        slo,
        [(LogoutBinding::Soap, "https://sp.example/soap"), (LogoutBinding::Redirect, "https://sp.example/done")]
    );
    assert_eq!(sp.name_id_formats, ["urn:f"]);
    assert!(sp.findings.iter().any(|finding| finding.text.contains("ftp://sp.example/slo is not https")));
}

/// SAML metadata 2.2.3.
#[test]
fn the_default_address() {
    let default = |flags: [&str; 3]| {
        let content: Vec<_> = flags
            .iter()
            .enumerate()
            .map(|(at, flag)| acs(&format!("https://sp.example/{at}"), &format!("index=\"{at}\" {flag}")))
            .collect();
        read("", &content.concat()).default_acs().unwrap().index
    };
    let (yes, no) = ("isDefault=\"true\"", "isDefault=\"false\"");
    assert_eq!(default(["", "", ""]), 0);
    assert_eq!(default(["", yes, yes]), 1);
    assert_eq!(default([no, "", ""]), 1);
    assert_eq!(default([no, no, no]), 0);
}

#[test]
fn what_can_not_be_used_is_refused() {
    let good = acs("https://sp.example/a", "index=\"0\"");
    assert!(refused("", "").contains("no assertion consumer address"));
    assert!(refused("", &acs("http://sp.example/a", "index=\"0\"")).contains("is not https"));
    assert!(refused("", &acs("javascript:alert(1)", "index=\"0\"")).contains("names no host"));
    assert!(refused("", &acs("https://sp.example/a", "")).contains("has no index"));
    assert!(refused("", &acs("https://sp.example/a", "index=\"70000\"")).contains("has no index"));
    assert!(refused("AuthnRequestsSigned=\"true\"", &good).contains("no signing certificate"));
    assert!(refused("AuthnRequestsSigned=\"maybe\"", &good).contains("neither true nor false"));
    assert!(refused("validUntil=\"2026-11-22T01:59:59Z\"", &good).contains("expired"));
    // One that can't be used does not spoil the others of an aggregate.
    let other =
        document("", &good).replace("https://sp.example\"", "https://other.example\"").replace("\"_m\"", "\"_n\"");
    let aggregate = format!(
        "<md:EntitiesDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\">{}{other}</md:EntitiesDescriptor>",
        document("", "")
    );
    assert!(import_sp(aggregate.as_bytes(), Some("https://other.example"), NOW).is_ok());
    assert!(import_sp(aggregate.as_bytes(), Some("https://sp.example"), NOW).is_err());
    let idp = "<md:EntityDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" entityID=\"x\"/>";
    let complaints = import_sp(idp.as_bytes(), None, NOW).map(|_| ()).unwrap_err();
    assert_eq!(complaints[0].to_string(), "sp_metadata: the metadata describes no SAML 2.0 service provider");
    let twice = read("", &[good.clone(), acs("https://sp.example/b", "index=\"0\"")].concat());
    assert_eq!(twice.acs.len(), 1);
    assert!(twice.findings.iter().any(|finding| finding.text.contains("repeats the index 0")));
}

/// Whatever a vendor publishes is read or refused with a sentence, by both readers.
#[test]
fn every_fixture_is_read_or_refused() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../fixtures/metadata");
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "xml") {
            let octets = std::fs::read(&path).unwrap();
            let sp = import_sp(&octets, None, NOW).map(|_| ()).map_err(|complaints| complaints.len());
            assert_ne!(sp, Err(0), "{}", path.display());
            assert!(sp.is_ok() || path.file_name().unwrap() != "bad-sp-only.xml");
            seen += 1;
        }
    }
    assert!(seen > 20, "{seen}");
    let read = |name: &str| {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../fixtures/metadata").join(name);
        import(&std::fs::read(path).unwrap(), None, NOW).unwrap_or_else(|complaints| panic!("{name}: {complaints:?}"))
    };
    for (name, redirect) in [("entra.xml", true), ("keycloak.xml", true), ("adfs.xml", true), ("google.xml", false)] {
        let found = read(name).slo.iter().any(|slo| slo.binding == LogoutBinding::Redirect);
        assert_eq!(found, redirect, "{name}");
    }
}

#[test]
fn a_pinned_key_must_have_signed_the_whole() {
    let xml = document("", &acs("https://sp.example/a", "index=\"0\""));
    let request =
        SignRequest { target_id: "_m", place: SignaturePlace::First, certificate: None, limits: Limits::metadata() };
    let signed = sign_enveloped(xml.as_bytes(), &request, &*KEYS[0]).unwrap();
    let pinned = |at: usize| [VerifyKey::from_certificate_der(&KEYS[at].certificate).unwrap()];
    assert_eq!(verify_document(&signed, &pinned(0)), Ok(()));
    assert!(verify_document(&signed, &pinned(1)).unwrap_err().contains("not made by a key"));
    assert!(verify_document(xml.as_bytes(), &pinned(0)).unwrap_err().contains("is not signed"));
    assert!(verify_document(&signed, &[]).is_err());
    let changed = String::from_utf8(signed).unwrap().replace("https://sp.example/a", "https://sp.example/b");
    assert!(verify_document(changed.as_bytes(), &pinned(0)).unwrap_err().contains("changed"));
}
