//! The schemas of OASIS as judge, through xmllint and without a network.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::LazyLock;

const OPENSAML: &str = "/usr/share/xml/opensaml";
const XMLTOOLING: &str = "/usr/share/xml/xmltooling";

/// The document satisfies the schema of this file name.
pub fn accepts(schema: &str, xml: &str) {
    let (valid, errors) = validate(schema, xml);
    assert!(valid, "{errors}\n{xml}");
}

pub fn refuses(schema: &str, xml: &str) {
    assert!(!validate(schema, xml).0, "{xml}");
}

fn validate(schema: &str, xml: &str) -> (bool, String) {
    let schema = Path::new(OPENSAML).join(schema);
    let missing = "run: apt-get install libxml2-utils opensaml-schemas xmltooling-schemas";
    assert!(schema.exists() && Path::new(XMLTOOLING).exists(), "the SAML schemas are missing; {missing}");
    let mut child = Command::new("xmllint")
        .args(["--nonet", "--noout", "--schema"])
        .arg(schema)
        .arg("-")
        .env("XML_CATALOG_FILES", &*CATALOG)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("xmllint: {error}; {missing}"));
    child.stdin.take().unwrap().write_all(xml.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

/// Written once: a test that reads it must not meet another that empties it.
static CATALOG: LazyLock<PathBuf> = LazyLock::new(catalog);

/// Where the schemas that SAML's import from the W3C's site are on this machine.
fn catalog() -> PathBuf {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("saml-catalog-{}.xml", std::process::id()));
    let entry =
        |address: &str, name: &str| format!("<system systemId=\"{address}\" uri=\"file://{XMLTOOLING}/{name}\"/>");
    let entries = [
        entry("http://www.w3.org/TR/2002/REC-xmldsig-core-20020212/xmldsig-core-schema.xsd", "xmldsig-core-schema.xsd"),
        entry("http://www.w3.org/TR/2002/REC-xmlenc-core-20021210/xenc-schema.xsd", "xenc-schema.xsd"),
        entry("http://www.w3.org/2001/xml.xsd", "xml.xsd"),
    ];
    let xml = format!("<catalog xmlns=\"urn:oasis:names:tc:entity:xmlns:xml:catalog\">{}</catalog>", entries.concat());
    std::fs::write(&file, xml).unwrap();
    file
}
