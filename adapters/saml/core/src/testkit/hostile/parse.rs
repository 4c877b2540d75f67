//! What is refused before a tree is built, signed or not. Lenient parsers accept most of it.

use super::{Hostile, in_root, last};

pub fn refused(signed: &str) -> Vec<Hostile> {
    let in_issuer = |markup: &str| signed.replacen("</saml:Issuer>", &format!("{markup}</saml:Issuer>"), 1);
    let before = |markup: &str| format!("{markup}{signed}");
    let laughs =
        "<!DOCTYPE l [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;&a;&a;&a;&a;&a;&a;\"><!ENTITY c \"&b;&b;&b;&b;&b;&b;\">]>";
    let external = "<!DOCTYPE x [<!ENTITY e SYSTEM \"file:///etc/hostname\">]>";
    let nested = format!("{}{}", "<x xmlns=\"urn:x\">".repeat(40), "</x>".repeat(40));
    let end = signed.rfind("</").unwrap_or(signed.len());
    let attributes: String = (0..70).map(|number| format!(" a{number}=\"\"")).collect();
    let namespaces =
        |from: u8| -> String { (from..from + 40).map(|number| format!(" xmlns:n{number}=\"urn:{number}\"")).collect() };
    let many_namespaces = format!("<x{}><x{}/></x>", namespaces(0), namespaces(40));
    let first_id = signed.split("ID=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
    let rows: Vec<(&str, &'static str, Vec<u8>)> = vec![
        ("white space", "empty", b" \n".to_vec()),
        ("not UTF-8", "not UTF-8", [signed.as_bytes(), b"\xff"].concat()),
        ("UTF-16", "not UTF-8", signed.encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("comment in the Issuer (106)", "comment", in_issuer("<!--x-->").into()),
        ("comment outside of everything", "comment", before("<!--x-->").into()),
        ("comment at the end", "comment", format!("{signed}<!--x-->").into()),
        ("processing instruction in the Issuer (106)", "processing instruction", in_issuer("<?x?>").into()),
        ("stylesheet", "processing instruction", before("<?xml-stylesheet href=\"x\"?>").into()),
        ("unknown entity", "entity", in_issuer("&x;").into()),
        ("harmless DOCTYPE (113)", "DOCTYPE", before("<!DOCTYPE x>").into()),
        ("DOCTYPE from elsewhere (113)", "DOCTYPE", before("<!DOCTYPE x SYSTEM \"http://127.0.0.1:9/x\">").into()),
        ("ID by ATTLIST (113)", "DOCTYPE", before("<!DOCTYPE x [<!ATTLIST y ID ID #IMPLIED>]>").into()),
        ("ID by entity (113)", "DOCTYPE", before("<!DOCTYPE x [<!ENTITY i \"_x\">]>").into()),
        ("external entity (113)", "DOCTYPE", format!("{external}{}", in_issuer("&e;")).into()),
        (
            "parameter entity (113)",
            "DOCTYPE",
            before("<!DOCTYPE x [<!ENTITY % e SYSTEM \"http://127.0.0.1:9/x\"> %e;]>").into(),
        ),
        ("billion laughs (113)", "DOCTYPE", format!("{laughs}{}", in_issuer("&c;")).into()),
        ("byte order mark", "byte order mark", before("\u{feff}").into()),
        ("other encoding (102)", "XML declaration", before("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>").into()),
        ("XML 1.1 (102)", "XML declaration", before("<?xml version=\"1.1\"?>").into()),
        ("missing end tag", "not closed", signed.get(..end).unwrap_or_default().into()),
        ("trailing text", "follows the root", format!("{signed}x").into()),
        ("trailing element", "follows the root", format!("{signed}<x/>").into()),
        ("second root (CVE-2022-39299)", "follows the root", format!("{signed}{signed}").into()),
        ("leading text", "empty", before("x").into()),
        ("null character", "well-formed", in_issuer("&#0;").into()),
        ("control character", "well-formed", in_issuer("\u{1}").into()),
        (
            "duplicate attribute (103)",
            "same attribute twice",
            signed.replacen("Version=\"2.0\"", "Version=\"2.0\" Version=\"2.0\"", 1).into(),
        ),
        (
            "attribute twice through namespaces (103)",
            "same attribute twice",
            last(signed, "<x xmlns:a=\"urn:a\" xmlns:b=\"urn:a\" a:c=\"\" b:c=\"\"/>").into(),
        ),
        ("undeclared prefix", "not declared", last(signed, "<u:x/>").into()),
        ("relative namespace (103)", "absolute URI", last(signed, "<x xmlns=\"x\"/>").into()),
        ("rebound xml prefix (103)", "rebound", last(signed, "<x xmlns:xml=\"urn:x\"/>").into()),
        ("rebound xmlns prefix (103)", "rebound", last(signed, "<x xmlns:xmlns=\"urn:x\"/>").into()),
        ("too deep", "nested deeper", last(signed, &nested).into()),
        ("too many nodes", "more than", last(signed, &"<x xmlns=\"urn:x\"/>".repeat(12_000)).into()),
        ("too many attributes", "attributes", last(signed, &format!("<x{attributes}/>")).into()),
        ("too many namespaces", "namespace declarations", last(signed, &many_namespaces).into()),
        ("ID twice (109)", "ID appears twice", last(signed, &format!("<x ID=\"{first_id}\"/>")).into()),
        (
            "ID in another case, twice (109)",
            "ID appears twice",
            last(signed, &format!("<x Id=\"{first_id}\"/>")).into(),
        ),
        ("xml:id that is no name (109)", "well-formed", in_root(signed, "xml:id=\"1\"").into()),
        ("xml:id (109)", "in a namespace", in_root(signed, "xml:id=\"_x\"").into()),
    ];
    rows.into_iter().map(|(name, reason, octets)| Hostile::new(name, reason, octets)).collect()
}

pub fn accepted(signed: &str) -> Vec<(String, Vec<u8>)> {
    [
        ("as it is", signed.to_owned()),
        ("with an XML declaration", format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{signed}")),
        ("with a declaration without an encoding", format!("<?xml version='1.0'?>{signed}")),
        ("with white space behind it", format!("{signed}\n")),
        // Canonicalization makes these the same octets again (xml-exc-c14n, canonical XML 1.0 section 1.1).
        ("with other quotes", signed.replacen("Version=\"2.0\"", "Version='2.0'", 1)),
        ("with white space in a tag", signed.replacen(" Version=", "\n\tVersion=", 1)),
        ("with a character reference", signed.replacen("Version=\"2.0\"", "Version=\"2&#46;0\"", 1)),
        ("with an unused namespace", in_root(signed, "xmlns:unused=\"urn:unused\"")),
    ]
    .into_iter()
    .map(|(name, xml)| (name.to_owned(), xml.into_bytes()))
    .collect()
}
