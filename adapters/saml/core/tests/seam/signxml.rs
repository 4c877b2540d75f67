//! signxml of PyPI as an independent verifier (its own parser set-up, its own signature code): what we
//! accept, it accepts too, and it was the same octets that were signed. We may be stricter, never looser.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::time::Timestamp;
use fedbridge_saml_core::names;
use fedbridge_saml_core::seam::{Limits, UnverifiedDocument, VerifyKey, VerifyPolicy};
use fedbridge_saml_core::testkit::hostile::{Good, Hostile, MessageKind, corpus, valid};
use fedbridge_saml_core::testkit::{
    Forgery, KeyKind, Person, ReceivedRequest, ScriptedIdp, Sign, TestKey, forge, sign_message,
};
use serde_json::{Value, json};

use crate::differential::{Dice, spoil};

const NOW: Timestamp = Timestamp::from_millis(1_795_312_800_000);
const ASSERTION: &str = "./{urn:oasis:names:tc:SAML:2.0:assertion}Assertion/";
const ROOT: &str = "./";

#[test]
fn what_we_sign_signxml_accepts() {
    for kind in [KeyKind::Rsa(2048), KeyKind::P256] {
        let idp = ScriptedIdp::with_key("https://idp.example", "https://idp.example/sso", TestKey::make(kind).unwrap());
        let (xml, root, assertion) = response(&idp);
        for (id, location) in [(&root, ROOT), (&assertion, ASSERTION)] {
            let signed = sign_message(&xml, id, &idp.key).unwrap();
            let ours = verified(signed.as_bytes(), location, &idp.key).expect("our own signature");
            let theirs = ask(&[question(signed.as_bytes(), location, &idp.key)]);
            assert_eq!(octets(&theirs[0]), Some(ours), "{kind:?} {location}: {}", theirs[0]);
        }
    }
}

#[test]
fn what_we_accept_of_spoiled_messages_signxml_accepts() {
    let idp = ScriptedIdp::new("https://idp.example", "https://idp.example/sso");
    let (xml, root, assertion) = response(&idp);
    for (id, location, start) in [(&root, ROOT, 0x5a31), (&assertion, ASSERTION, 0xa55e)] {
        // Without KeyInfo: signxml reads it and we do not.
        let good = forge(&xml, id, &Forgery::honest(&idp.key.private)).unwrap();
        let mut dice = Dice(start);
        let accepted: Vec<_> = (0..6_000)
            .map(|_| spoil(good.as_bytes(), &mut dice))
            .filter_map(|spoiled| Some((verified(&spoiled, location, &idp.key)?, spoiled)))
            .take(300)
            .collect();
        assert!(accepted.len() > 20, "some changes are outside of the signature: {}", accepted.len());
        compare(&accepted, location, &idp.key);
    }
}

#[test]
fn what_we_accept_of_the_corpora_signxml_accepts() {
    let idp = ScriptedIdp::new("https://idp.example", "https://idp.example/sso");
    let (xml, id, _) = response(&idp);
    let good = Good {
        kind: MessageKind::Response,
        xml,
        id,
        key: &idp.key,
        victim: "alice",
        captured: "<saml:Assertion xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\"/>".into(),
    };
    let valid: Vec<_> = valid(&good).unwrap().into_iter().map(|(_, octets)| octets).collect();
    // signxml copies a Signature together with the text behind it, and can't read that copy.
    let readable = |hostile: &Hostile| hostile.name != "text between the elements";
    let hostile = corpus(&good).unwrap().into_iter().filter(readable).map(|hostile| hostile.octets).collect();
    let take = |all: Vec<Vec<u8>>| -> Vec<_> {
        all.into_iter().filter_map(|octets| Some((verified(&octets, ROOT, &idp.key)?, octets))).collect()
    };
    let number = valid.len();
    let valid = take(valid);
    assert_eq!(valid.len(), number, "all of the valid corpus is well signed");
    compare(&valid, ROOT, &idp.key);
    // Those whose signature is good and whose content is not what SAML allows.
    let well_signed = take(hostile);
    assert!(well_signed.len() > 15, "{}", well_signed.len());
    compare(&well_signed, ROOT, &idp.key);
}

/// Each is accepted by signxml, over the octets that we took.
fn compare(accepted: &[(Vec<u8>, Vec<u8>)], location: &str, key: &TestKey) {
    let questions: Vec<_> = accepted.iter().map(|(_, xml)| question(xml, location, key)).collect();
    for ((ours, xml), theirs) in accepted.iter().zip(ask(&questions)) {
        assert!(octets(&theirs).as_ref() == Some(ours), "{theirs}\n{}", String::from_utf8_lossy(xml));
    }
}

/// An unsigned response with the IDs of itself and of its assertion.
fn response(idp: &ScriptedIdp) -> (String, String, String) {
    let request = ReceivedRequest {
        id: "_request".into(),
        issuer: "https://sp.example".into(),
        acs: Some("https://sp.example/acs".into()),
        ..ReceivedRequest::default()
    };
    let person = Person::new("alice").with("groups", &["staff", "R&D <secret>", "Zürich"]);
    let mut plan = idp.answer(&request, &person, NOW);
    plan.sign = Sign::Nothing;
    (plan.build(idp).unwrap(), plan.id.clone(), plan.assertion.id.clone())
}

/// The octets under the signature of the element at this place, where we accept it.
fn verified(xml: &[u8], location: &str, key: &TestKey) -> Option<Vec<u8>> {
    let keys = [VerifyKey::from_certificate_der(&key.certificate).unwrap()];
    let document = UnverifiedDocument::parse(xml, Limits::message()).ok()?;
    let root = document.unverified_root();
    let target = if location == ROOT { root } else { root.child(names::ASSERTION, "Assertion")? };
    Some(document.verify_enveloped(target, &keys, &VerifyPolicy::default()).ok()?.octets().to_vec())
}

fn question(xml: &[u8], location: &str, key: &TestKey) -> Value {
    // The schema that signxml brings knows nothing of exclusive canonicalization's list of prefixes.
    let schema = !String::from_utf8_lossy(xml).contains("InclusiveNamespaces");
    json!({
        "xml": STANDARD.encode(xml),
        "certificate": STANDARD.encode(&key.certificate),
        "location": location,
        "schema": schema,
    })
}

fn octets(answer: &Value) -> Option<Vec<u8>> {
    STANDARD.decode(answer.get("signed")?.as_str()?).ok()
}

/// Asks signxml; one answer for each question.
fn ask(questions: &[Value]) -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../tests/peers/python");
    let python: PathBuf = folder.join(".venv/bin/python");
    assert!(python.exists(), "signxml is not installed; run: scripts/install-deps.sh test");
    let mut child = Command::new(python)
        .arg(folder.join("verify.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    let lines: String = questions.iter().map(|question| format!("{question}\n")).collect();
    let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "verify.py failed");
    let answers: Vec<Value> =
        String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(answers.len(), questions.len());
    answers
}
