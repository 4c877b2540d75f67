//! Metadata that an import must refuse, made from a right document.

use super::{Hostile, between, last};

/// `good` describes one entity with one role, one signing key and addresses with https.
pub fn metadata(good: &str) -> Vec<Hostile> {
    let before = |markup: &str| format!("{markup}{good}");
    let laughs = "<!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\">]>";
    let end = good.rfind("</").unwrap_or(good.len());
    let aggregate = |inner: &str| {
        let head = "<md:EntitiesDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\">";
        format!("{head}{inner}</md:EntitiesDescriptor>")
    };
    let root = |attributes: &str| good.replacen(" entityID=", &format!(" {attributes} entityID="), 1);
    let nested = (0..12).fold(good.to_owned(), |inner, _| aggregate(&inner));
    let rows: Vec<(&str, &'static str, Vec<u8>)> = vec![
        ("empty", "empty", Vec::new()),
        ("not UTF-8", "not UTF-8", [good.as_bytes(), b"\xff"].concat()),
        ("a web page", "not SAML 2.0 metadata", b"<html><body/></html>".to_vec()),
        ("harmless DOCTYPE (113)", "DOCTYPE", before("<!DOCTYPE x>").into()),
        (
            "external entity (113)",
            "DOCTYPE",
            before("<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/hostname\">]>").into(),
        ),
        ("billion laughs (113)", "DOCTYPE", before(laughs).into()),
        ("unknown entity", "entity", last(good, "&x;").into()),
        ("processing instruction", "processing instruction", before("<?xml-stylesheet href=\"x\"?>").into()),
        ("second root", "follows the root", format!("{good}{good}").into()),
        ("missing end tag", "not closed", good.get(..end).unwrap_or_default().into()),
        ("undeclared prefix", "not declared", last(good, "<u:x/>").into()),
        ("relative namespace", "absolute URI", last(good, "<x xmlns=\"x\"/>").into()),
        ("too deep", "nested", nested.into()),
        (
            "the namespace of SAML 1.1",
            "not SAML 2.0 metadata",
            good.replace("urn:oasis:names:tc:SAML:2.0:metadata", "urn:oasis:names:tc:SAML:1.0:metadata").into(),
        ),
        (
            "a role for SAML 1.1 alone",
            "describes no SAML 2.0",
            good.replace("urn:oasis:names:tc:SAML:2.0:protocol", "urn:oasis:names:tc:SAML:1.1:protocol").into(),
        ),
        ("the same entity twice", "several", aggregate(&format!("{good}{good}")).into()),
        ("no entityID", "entityID", between(good, " entityID=\"", "\"", "").into()),
        ("an empty entityID", "entityID", between(good, " entityID=\"", "\"", " entityID=\"\"").into()),
        (
            "an entityID longer than 1024 characters",
            "entityID",
            between(good, " entityID=\"", "\"", &format!(" entityID=\"https://x.example/{}\"", "a".repeat(1024)))
                .into(),
        ),
        ("expired", "expired", root("validUntil=\"2020-01-01T00:00:00Z\"").into()),
        ("a date that is none", "wrong form", root("validUntil=\"tomorrow\"").into()),
        (
            "a certificate that is no base64",
            "base64",
            between(
                good,
                "<ds:X509Certificate>",
                "</ds:X509Certificate>",
                "<ds:X509Certificate>!!</ds:X509Certificate>",
            )
            .into(),
        ),
        (
            "a certificate that is none",
            "certificate",
            between(
                good,
                "<ds:X509Certificate>",
                "</ds:X509Certificate>",
                "<ds:X509Certificate>AAAA</ds:X509Certificate>",
            )
            .into(),
        ),
        ("an address without TLS", "https", good.replace("\"https://", "\"http://").into()),
        (
            "an address that is a script",
            "https|names no host",
            between(good, " Location=\"", "\"", " Location=\"javascript:alert(1)\"")
                .replace("Location=\"https://", "Location=\"javascript://")
                .into(),
        ),
        ("no address", "address", good.replace("Service ", "Elsewhere ").replace("Location=", "Where=").into()),
    ];
    rows.into_iter().map(|(name, reason, octets)| Hostile::new(name, reason, octets)).collect()
}

/// Right metadata in forms that are met.
pub fn valid_metadata(good: &str) -> Vec<(String, Vec<u8>)> {
    let aggregate = |inner: &str| {
        let head = "<md:EntitiesDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\">";
        format!("{head}{inner}</md:EntitiesDescriptor>")
    };
    let signing = |with: &str| good.replacen(" use=\"signing\"", with, 1);
    [
        ("as it is", good.to_owned()),
        ("with an XML declaration", format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{good}")),
        ("with a byte order mark", format!("\u{feff}{good}")),
        ("with comments", format!("<!-- made by hand -->{}", last(good, "<!-- the end -->"))),
        ("in an aggregate", aggregate(good)),
        ("in an aggregate of aggregates", aggregate(&aggregate(good))),
        ("a key without a use", signing("")),
        (
            "with a date to come",
            good.replacen(" entityID=", " validUntil=\"2099-01-01T00:00:00Z\" cacheDuration=\"PT6H\" entityID=", 1),
        ),
        (
            "with a role of another standard",
            last(
                good,
                "<md:RoleDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" \
                 xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\" xmlns:fed=\"http://docs.oasis-open.org/wsfed/federation/200706\" \
                 xsi:type=\"fed:SecurityTokenServiceType\" protocolSupportEnumeration=\"urn:x\"/>",
            ),
        ),
    ]
    .into_iter()
    .map(|(name, xml)| (name.to_owned(), xml.into_bytes()))
    .collect()
}
