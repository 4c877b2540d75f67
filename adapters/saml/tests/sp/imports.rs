//! Metadata of identity providers: what vendors publish, and what must be refused.

use std::path::PathBuf;

use fedbridge_contract::time::Timestamp;
use fedbridge_contract::upstream::Level;
use fedbridge_saml::testkit::{KeyKind, ScriptedIdp, TestKey};
use fedbridge_saml_core::metadata::import::import;
use fedbridge_saml_core::metadata::{IdpDescription, RequestBinding};
use serde_json::json;

use crate::support::{IDP, NOW, World};

fn fixture(name: &str) -> Vec<u8> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/metadata").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn imported(name: &str) -> IdpDescription {
    import(&fixture(name), None, NOW).unwrap_or_else(|complaints| panic!("{name}: {complaints:?}"))
}

fn location(idp: &IdpDescription, binding: RequestBinding) -> &str {
    idp.endpoint(binding).map_or("none", |endpoint| endpoint.location.as_str())
}

/// What the table of fixtures/metadata/README.md promises.
#[test]
fn vendors_files_import_without_editing() {
    let okta = "https://acme.okta.example/app/acme_fedbridge_1/exk1fixture0AcmeXYZ5d7/sso/saml";
    let entra = "https://login.microsoftonline.com/5f0c1a52-7d1e-4c55-9a77-0d6a3b1fe0aa/saml2";
    let google = "https://accounts.google.com/o/saml2/idp?idpid=C0fixture1";
    let keycloak = "https://keycloak.acme.example/realms/acme/protocol/saml";
    let rows: &[(&str, &str, usize, bool, Option<&str>)] = &[
        ("okta.xml", "http://www.okta.com/exk1fixture0AcmeXYZ5d7", 1, false, Some(okta)),
        ("entra.xml", "https://sts.windows.net/5f0c1a52-7d1e-4c55-9a77-0d6a3b1fe0aa/", 1, false, Some(entra)),
        (
            "adfs.xml",
            "http://adfs.acme.example/adfs/services/trust",
            2,
            false,
            Some("https://adfs.acme.example/adfs/ls/"),
        ),
        ("google.xml", "https://accounts.google.com/o/saml2?idpid=C0fixture1", 2, false, Some(google)),
        ("keycloak.xml", "https://keycloak.acme.example/realms/acme", 1, true, Some(keycloak)),
        ("keycloak-entities.xml", "https://sso.acme.example/auth/realms/acme", 1, true, None),
        ("pingfederate.xml", "PF-ACME-IDP", 1, false, None),
        ("aggregate-one-idp.xml", "https://idp.acme.example", 1, false, None),
        ("expired-certificate.xml", "", 1, false, None),
        ("loopback-http-location.xml", "", 1, false, None),
    ];
    for (name, entity, keys, signed, sso) in rows {
        let idp = imported(name);
        if !entity.is_empty() {
            assert_eq!(idp.entity_id, *entity, "{name}");
        }
        assert_eq!(idp.signing.len(), *keys, "{name}");
        assert_eq!(idp.want_authn_requests_signed, *signed, "{name}");
        if let Some(sso) = sso {
            assert_eq!(location(&idp, RequestBinding::Redirect), *sso, "{name}");
            assert_eq!(location(&idp, RequestBinding::Post), *sso, "{name}");
        }
    }
    let shibboleth = imported("shibboleth.xml");
    assert_eq!(shibboleth.signing.len(), 3, "a key without use serves both purposes");
    assert_eq!(
        location(&shibboleth, RequestBinding::Redirect),
        "https://idp.uni.example/idp/profile/SAML2/Redirect/SSO"
    );
    assert_eq!(location(&shibboleth, RequestBinding::Post), "https://idp.uni.example/idp/profile/SAML2/POST/SSO");
}

#[test]
fn an_expired_certificate_is_a_finding() {
    let idp = imported("expired-certificate.xml");
    assert!(
        idp.findings.iter().any(|finding| finding.level == Level::Warning && finding.text.contains("expired on 2018"))
    );
}

#[test]
fn bad_files_are_refused_with_their_reason() {
    for (name, reason) in [
        ("bad-no-signing-certificate.xml", "no signing certificate"),
        ("bad-encryption-certificate-only.xml", "no signing certificate"),
        ("bad-broken-certificate.xml", "it is not base64"),
        ("bad-not-a-certificate.xml", "not a certificate"),
        ("bad-rsa-1024.xml", "1024 bits"),
        ("bad-expired.xml", "expired on 2020"),
        ("bad-http-location.xml", "is not https"),
        ("bad-no-sso-service.xml", "no single sign-on address"),
        ("bad-no-entity-id.xml", "entityID is missing"),
        ("bad-sp-only.xml", "no SAML 2.0 identity provider"),
        ("bad-aggregate-two-idps.xml", "set entity_id to one of https://idp.acme.example, https://idp.other.example"),
        ("bad-doctype.xml", "DOCTYPE"),
        ("bad-entity-expansion.xml", "DOCTYPE"),
        ("bad-external-entity.xml", "DOCTYPE"),
        ("bad-two-roots.xml", "something follows the root element"),
        ("bad-truncated.xml", "the metadata can't be read"),
        ("bad-utf-16.xml", "byte order mark"),
        ("bad-html-page.xml", ""),
    ] {
        let complaints = import(&fixture(name), None, NOW).err().unwrap_or_else(|| panic!("{name} was imported"));
        assert!(complaints.iter().all(|complaint| complaint.path == "idp_metadata"));
        assert!(complaints.iter().any(|complaint| complaint.message.contains(reason)), "{name}: {complaints:?}");
    }
}

#[test]
fn one_of_an_aggregate_can_be_named() {
    let xml = fixture("bad-aggregate-two-idps.xml");
    for id in ["https://idp.acme.example", "https://idp.other.example"] {
        assert_eq!(import(&xml, Some(id), NOW).ok().unwrap().entity_id, id);
    }
    let complaints = import(&xml, Some("https://idp.nobody.example"), NOW).err().unwrap();
    assert!(complaints[0].message.contains("it has https://idp.acme.example"));
}

/// Guard: trust that is missing means refusal, never an unchecked login: not for metadata
/// without a key plus an unsigned response.
#[test]
fn a_connection_without_a_key_can_not_be_opened() {
    let idp = ScriptedIdp::new(IDP, "https://idp.example/sso");
    let complaints =
        World::of(idp.clone(), json!({ "idp_metadata": { "xml": idp.metadata_with(&[]) } })).err().unwrap();
    assert!(complaints[0].message.contains("no signing certificate"));
    let weak = TestKey::make(KeyKind::Rsa(1024)).unwrap();
    let complaints =
        World::of(idp.clone(), json!({ "idp_metadata": { "xml": idp.metadata_with(&[&weak]) } })).err().unwrap();
    assert!(complaints[0].message.contains("1024"));
    // Beside a good one it is left out and reported.
    let xml = idp.metadata_with(&[&weak, &idp.key]);
    let both = import(xml.as_bytes(), None, NOW).ok().unwrap();
    assert_eq!(both.signing.len(), 1);
    assert!(both.findings[0].text.contains("1024"));
}

/// Guard: names in another namespace are not ours, whatever their local name is.
#[test]
fn elements_of_other_namespaces_are_not_metadata() {
    let idp = ScriptedIdp::new(IDP, "https://idp.example/sso");
    let attacker = TestKey::make(KeyKind::Rsa(2048)).unwrap();
    let foreign = idp.metadata_with(&[&attacker]);
    let (start, end) = (foreign.find("<md:KeyDescriptor").unwrap(), foreign.find("</md:KeyDescriptor>").unwrap());
    let smuggled =
        foreign[start..end].replace("md:KeyDescriptor", "e:KeyDescriptor xmlns:e=\"urn:e\"") + "</e:KeyDescriptor>";
    let xml = idp.metadata().replacen("<md:KeyDescriptor", &format!("{smuggled}<md:KeyDescriptor"), 1);
    let read = import(xml.as_bytes(), None, NOW).ok().unwrap();
    assert_eq!(read.signing.len(), 1);
    assert_eq!(
        read.signing[0].key.fingerprint(),
        import(idp.metadata().as_bytes(), None, NOW).ok().unwrap().signing[0].key.fingerprint()
    );
    let all_foreign = idp.metadata().replace(fedbridge_saml::names::METADATA, "urn:e");
    assert!(import(all_foreign.as_bytes(), None, NOW).err().unwrap()[0].message.contains("not SAML 2.0 metadata"));
}

/// Guard: an address that a browser would run, or send the request to in clear.
#[test]
fn odd_addresses_are_refused() {
    for location in ["javascript:alert(1)", "data:text/html,x", "http://idp.example/sso", "//idp.example/sso", ""] {
        let idp = ScriptedIdp::new(IDP, location);
        assert!(World::of(idp, json!({})).is_err(), "{location}");
    }
    World::of(ScriptedIdp::new(IDP, "http://127.0.0.1:8000/sso"), json!({})).ok().unwrap();
}

/// Guard: validUntil of any level ends trust (SAML metadata 2.3).
#[test]
fn the_earliest_end_counts() {
    let inner = ScriptedIdp::new(IDP, "https://idp.example/sso").metadata();
    let wrapped = |group: &str, entity: &str, role: &str| {
        let entity = inner.replacen("entityID=", &format!("{entity} entityID="), 1).replacen(
            "<md:IDPSSODescriptor",
            &format!("<md:IDPSSODescriptor {role}"),
            1,
        );
        format!(
            "<md:EntitiesDescriptor xmlns:md=\"{}\" {group}>{entity}</md:EntitiesDescriptor>",
            fedbridge_saml::names::METADATA
        )
    };
    let (soon, late) = ("validUntil=\"2027-01-01T00:00:00Z\"", "validUntil=\"2030-01-01T00:00:00Z\"");
    for xml in [wrapped(soon, late, ""), wrapped(late, soon, ""), wrapped(late, late, soon), wrapped("", "", soon)] {
        let idp = import(xml.as_bytes(), None, NOW).ok().unwrap();
        assert_eq!(idp.valid_until, Some(Timestamp::from_seconds(1_798_761_600)));
        assert!(import(xml.as_bytes(), None, Timestamp::from_seconds(1_798_761_600)).is_err());
    }
    // A role's cacheDuration is none of our business, and no reason to refuse.
    assert!(import(wrapped("", "cacheDuration=\"PT1H\"", "cacheDuration=\"P1D\"").as_bytes(), None, NOW).is_ok());
}

/// No input makes the import panic.
#[test]
fn mutated_metadata_never_panics() {
    let xml = fixture("adfs.xml");
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move |bound: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % u64::try_from(bound).unwrap()).unwrap()
    };
    for _ in 0..300 {
        let mut mutated = xml.clone();
        for _ in 0..=next(4) {
            let at = next(mutated.len());
            match next(3) {
                0 => mutated[at] = u8::try_from(next(256)).unwrap(),
                1 => drop(mutated.remove(at)),
                _ => mutated.truncate(at.max(1)),
            }
        }
        let _ = import(&mutated, None, NOW);
    }
}
