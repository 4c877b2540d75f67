//! What SAML can't say, under a good signature: a signature is no leave to speak another language.

use super::super::{ScriptError, sign_message};
use super::{Good, Hostile, MessageKind, OUT_OF_PLACE, after_issuer, between, in_root, last};

const ENTITY: &str = "Format=\"urn:oasis:names:tc:SAML:2.0:nameid-format:entity\"";
const PERSISTENT: &str = "Format=\"urn:oasis:names:tc:SAML:2.0:nameid-format:persistent\"";
const OURS: &str = "xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\"";

pub fn refused(good: &Good<'_>, signed: &str) -> Result<Vec<Hostile>, ScriptError> {
    let xml = &good.xml;
    let issuer = |attributes: &str| xml.replacen("<saml:Issuer ", &format!("<saml:Issuer {attributes} "), 1);
    let root = |name: &str| xml.replace(&format!("samlp:{}", good.kind.root()), &format!("samlp:{name}"));
    let attribute =
        |name: &str, value: &str| between(xml, &format!(" {name}=\""), "\"", &format!(" {name}=\"{value}\""));
    let captured = &good.captured;
    let mut rows: Vec<(&str, &'static str, String)> = vec![
        ("an attribute that SAML doesn't know", "may not have the attribute Odd", in_root(xml, "Odd=\"y\"")),
        ("text between the elements", "holds text where only elements may stand", after_issuer(xml, "text")),
        (
            "an element that SAML doesn't know",
            "may not hold x here|must hold one Status",
            last(xml, "<x xmlns=\"urn:x\"/>"),
        ),
        (
            "an assertion at the end (108)",
            "Assertion|must hold one Status",
            last(xml, "<saml:Assertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\"/>"),
        ),
        (
            "a captured assertion in Extensions (108)",
            "may not hold Assertion here",
            after_issuer(xml, &format!("<samlp:Extensions>{captured}</samlp:Extensions>")),
        ),
        ("Issuer with the Format of a person", "Issuer has a Format other than entity", issuer(PERSISTENT)),
        ("Issuer with a qualifier", "may not have the attribute NameQualifier", issuer("NameQualifier=\"x\"")),
        (
            "Issuer with an element",
            "Issuer must hold one text",
            xml.replacen("</saml:Issuer>", "<x xmlns=\"urn:x\"/></saml:Issuer>", 1),
        ),
        ("another Issuer", "ssuer", xml.replacen("</saml:Issuer>", "x</saml:Issuer>", 1)),
        ("Issuer in another case", "ssuer", xml.replacen(">https://", ">HTTPS://", 1)),
        (
            "Issuer twice",
            OUT_OF_PLACE,
            xml.replacen("<saml:Issuer ", &format!("<saml:Issuer {OURS}>x</saml:Issuer><saml:Issuer "), 1),
        ),
        ("version 1.1", "Version", attribute("Version", "1.1")),
        ("version of another form", "Version", attribute("Version", "2.00")),
        ("no version", "Version", between(xml, " Version=\"", "\"", "")),
        ("an IssueInstant that is no time", "IssueInstant", attribute("IssueInstant", "yesterday")),
        ("an IssueInstant without its Z", "IssueInstant", attribute("IssueInstant", "2026-11-22T02:00:00")),
        ("an IssueInstant of tomorrow", "IssueInstant", attribute("IssueInstant", "2099-11-23T02:00:00Z")),
        ("another Destination", "Destination", attribute("Destination", "https://mallory.example/")),
        ("Destination in another case", "Destination", attribute("Destination", &destination(xml).to_uppercase())),
        (
            "Destination with a slash too many",
            "Destination",
            attribute("Destination", &format!("{}/", destination(xml))),
        ),
        ("no Destination, though signed", "Destination", between(xml, " Destination=\"", "\"", "")),
    ];
    for other in ["ArtifactResponse", "AttributeQuery"] {
        rows.push(("a message of another kind", other, root(other)));
    }
    if good.kind != MessageKind::LogoutRequest {
        rows.push(("a LogoutRequest in its place (108)", "LogoutRequest", root("LogoutRequest")));
    }
    let mut all = Vec::new();
    for (name, reason, changed) in rows {
        let same = changed == *xml;
        if same {
            return Err(ScriptError(format!("{name}: nothing was changed")));
        }
        all.push(Hostile::new(name, reason, sign_message(&changed, &good.id, good.key)?));
    }
    all.push(Hostile::new("an assertion alone", "Assertion", captured.clone()));
    all.push(Hostile::new(
        "a root of another namespace",
        good.kind.root(),
        signed.replacen("urn:oasis:names:tc:SAML:2.0:protocol", "urn:oasis:names:tc:SAML:1.0:protocol", 1),
    ));
    Ok(all)
}

pub fn accepted(good: &Good<'_>) -> Result<Vec<(String, Vec<u8>)>, ScriptError> {
    let xml = &good.xml;
    let instant = xml.split(" IssueInstant=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
    let fraction = instant.replace('Z', ".1234567Z");
    let rows = [
        ("an Issuer that says it is an entity", xml.replacen("<saml:Issuer ", &format!("<saml:Issuer {ENTITY} "), 1)),
        ("foreign Extensions", after_issuer(xml, "<samlp:Extensions><x xmlns=\"urn:x\">y</x></samlp:Extensions>")),
        ("a time with a fraction", xml.replacen(instant, &fraction, 1)),
        ("a Consent", in_root(xml, "Consent=\"urn:oasis:names:tc:SAML:2.0:consent:unspecified\"")),
        ("white space between the elements", after_issuer(xml, "\n  ")),
    ];
    rows.into_iter()
        .map(|(name, xml)| Ok((name.to_owned(), sign_message(&xml, &good.id, good.key)?.into_bytes())))
        .collect()
}

fn destination(xml: &str) -> &str {
    xml.split(" Destination=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default()
}
