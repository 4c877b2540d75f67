//! The `xmlsec1` program, as a second opinion on our signatures and ciphertexts.

use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use fedbridge_saml_core::testkit::TestKey;

const ASSERTION: &str = "urn:oasis:names:tc:SAML:2.0:assertion:Assertion";
const ARTIFACT_RESPONSE: &str = "urn:oasis:names:tc:SAML:2.0:protocol:ArtifactResponse";
const RESPONSE: &str = "urn:oasis:names:tc:SAML:2.0:protocol:Response";

/// The first signature below an element with this ID is good, under this certificate.
pub fn accepts(xml: &str, id: &str, key: &TestKey) {
    let (good, errors) = verify(xml, id, key);
    assert!(good, "xmlsec1 refuses the signature of {id}: {errors}\n{xml}");
}

pub fn refuses(xml: &str, id: &str, key: &TestKey) {
    assert!(!verify(xml, id, key).0, "xmlsec1 accepts the signature of {id}\n{xml}");
}

fn verify(xml: &str, id: &str, key: &TestKey) -> (bool, String) {
    let scratch = Scratch::new();
    let certificate = scratch.file("cert.pem", &pem("CERTIFICATE", &key.certificate));
    let document = scratch.file("document.xml", xml.as_bytes());
    let xpath = format!("//*[@ID='{id}']/*[local-name()='Signature']");
    run(&[
        "--verify",
        "--pubkey-cert-pem",
        &certificate,
        "--id-attr:ID",
        ASSERTION,
        "--id-attr:ID",
        RESPONSE,
        "--id-attr:ID",
        ARTIFACT_RESPONSE,
        "--node-xpath",
        &xpath,
        &document,
    ])
}

/// Decrypts the one EncryptedData of a document in place.
pub fn decrypted(xml: &str, key: &TestKey) -> String {
    let scratch = Scratch::new();
    let private = scratch.file("key.pem", &key.private.private_key_to_pem_pkcs8().unwrap());
    let document = scratch.file("document.xml", xml.as_bytes());
    let output = scratch.0.join("plain.xml");
    let output = output.to_str().unwrap();
    let (good, errors) = run(&["--decrypt", "--privkey-pem", &private, "--output", output, &document]);
    assert!(good, "xmlsec1 can't decrypt: {errors}\n{xml}");
    std::fs::read_to_string(output).unwrap()
}

fn run(arguments: &[&str]) -> (bool, String) {
    let output = Command::new("xmlsec1")
        .args(arguments)
        .output()
        .unwrap_or_else(|error| panic!("xmlsec1: {error}; run: apt-get install xmlsec1"));
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn pem(label: &str, der: &[u8]) -> Vec<u8> {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n")).into_bytes()
}

/// A directory of one call, removed when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("fedbridge-idp-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str, content: &[u8]) -> String {
        let path = self.0.join(name);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
