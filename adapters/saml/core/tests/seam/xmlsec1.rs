//! The `xmlsec1` program, as a second opinion.

use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::keys::TestKey;

const IDS: [&str; 4] = [
    "--id-attr:ID",
    "urn:oasis:names:tc:SAML:2.0:assertion:Assertion",
    "--id-attr:ID",
    "urn:oasis:names:tc:SAML:2.0:protocol:Response",
];

/// A directory of this call, removed when dropped.
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("fedbridge-seam-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
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

fn run(arguments: &[&str]) -> Output {
    Command::new("xmlsec1").args(arguments).output().expect("the tests need the program xmlsec1")
}

/// Whether xmlsec1 accepts the first signature of the document under this key.
pub fn accepts(xml: &[u8], key: &TestKey) -> bool {
    let scratch = Scratch::new();
    let certificate = scratch.file("cert.pem", &key.certificate_pem());
    let document = scratch.file("document.xml", xml);
    let mut arguments = vec!["--verify", "--pubkey-cert-pem", &certificate];
    arguments.extend(IDS);
    arguments.push(&document);
    run(&arguments).status.success()
}

/// Fills a signature template with whatever algorithms it names.
pub fn sign(template: &str, key: &TestKey) -> String {
    let scratch = Scratch::new();
    let private = scratch.file("key.pem", &key.private_pem());
    let document = scratch.file("template.xml", template.as_bytes());
    let mut arguments = vec!["--sign", "--privkey-pem", &private];
    arguments.extend(IDS);
    arguments.push(&document);
    output(&arguments)
}

/// Fills a template with an HMAC whose key is anything.
pub fn sign_hmac(template: &str, secret: &[u8]) -> String {
    let scratch = Scratch::new();
    let key = scratch.file("key.bin", secret);
    let document = scratch.file("template.xml", template.as_bytes());
    let mut arguments = vec!["--sign", "--hmackey", &key];
    arguments.extend(IDS);
    arguments.push(&document);
    output(&arguments)
}

/// Encrypts `plaintext` as the template says, to the key of a certificate.
pub fn encrypt(template: &str, plaintext: &str, session_key: &str, key: &TestKey) -> String {
    let scratch = Scratch::new();
    let certificate = scratch.file("cert.pem", &key.certificate_pem());
    let data = scratch.file("data.xml", plaintext.as_bytes());
    let template = scratch.file("template.xml", template.as_bytes());
    output(&[
        "--encrypt",
        "--pubkey-cert-pem",
        &certificate,
        "--session-key",
        session_key,
        "--xml-data",
        &data,
        &template,
    ])
}

fn output(arguments: &[&str]) -> String {
    let output = run(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let xml = String::from_utf8(output.stdout).unwrap();
    xml.strip_prefix("<?xml version=\"1.0\"?>\n").unwrap_or(&xml).to_owned()
}
