//! The libraries are shut, and silent.

use std::process::Command;

use fedbridge_saml_core::seam::{assert_closed, init};

use crate::message::{signed_assertion, verify_id};

#[test]
fn the_world_is_closed() {
    init().unwrap();
    init().unwrap();
    assert_closed().unwrap();
}

#[test]
fn samael_used_later_does_not_open_it() {
    use samael::crypto::{CertificateDer, Crypto, CryptoProvider};
    init().unwrap();
    let key = CertificateDer::from(crate::keys::idp().certificate.clone());
    let _ = Crypto::verify_signed_xml(signed_assertion(), &key, Some("ID"));
    assert_closed().unwrap();
}

/// Run by the test below in a process of its own.
#[test]
#[ignore = "its output is what another test looks at"]
fn fails_in_every_way() {
    let good = signed_assertion();
    for (was, is) in
        [(">person<", ">admin<"), ("<ds:SignatureValue>", "<ds:SignatureValue>AAAA"), ("#_a1", "http://127.0.0.1:9/")]
    {
        std::thread::spawn({
            let spoiled = good.replace(was, is);
            move || assert!(verify_id(&spoiled, "_a1").is_err())
        })
        .join()
        .unwrap();
    }
    for xml in ["<a", "<a><b></a>", "<a xmlns='x'/>", "<p:a/>", "<!DOCTYPE a SYSTEM 'file:///x'><a/>", "<a>&x;</a>"] {
        let parsed = fedbridge_saml_core::seam::UnverifiedDocument::parse(
            xml.as_bytes(),
            fedbridge_saml_core::seam::Limits::message(),
        );
        assert!(parsed.is_err());
    }
    assert_closed().unwrap();
}

#[test]
fn the_libraries_write_nothing() {
    let run = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "closed::fails_in_every_way", "--nocapture"])
        .output()
        .unwrap();
    assert!(run.status.success());
    assert_eq!(String::from_utf8_lossy(&run.stderr), "");
    let stdout = String::from_utf8_lossy(&run.stdout);
    assert!(stdout.contains("1 passed"));
    assert!(!stdout.contains("xmlsec") && !stdout.contains("parser error"), "{stdout}");
}
