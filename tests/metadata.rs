//! Every vendor's metadata file through the bridge file, as an admin would bring it in.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use fedbridge_saml::seam::{Limits, SignRequest, SignaturePlace, sign_enveloped};
use fedbridge_saml::testkit::{KeyKind, TestKey};
use openssl::x509::X509;

use crate::support::bridge::Setup;
use crate::support::{REPOSITORY, Scratch, scripted};

fn fixtures() -> Vec<PathBuf> {
    let folder = PathBuf::from(REPOSITORY).join("fixtures/metadata");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|end| end == "xml"))
        .collect();
    files.sort();
    files
}

fn bridge_file(metadata: &str) -> String {
    format!(
        "version: 1
tenants:
  - slug: acme
    display_name: Acme
    connections:
      - slug: idp
        protocol: saml
        idp_metadata: {{ file: {metadata} }}
"
    )
}

#[test]
fn vendor_files_are_taken_and_bad_ones_refused_with_file_and_line() {
    let scratch = Scratch::new("metadata");
    let setup = Setup::sqlite(scratch.path());
    let (mut taken, mut refused) = (0, 0);
    for path in fixtures() {
        let name = path.file_name().unwrap().to_str().unwrap();
        let file = scratch.write("bridge.yaml", &bridge_file(path.to_str().unwrap()));
        let output = setup.run(&["plan", "-f", file.to_str().unwrap()]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if name.starts_with("bad-") {
            assert_eq!(output.status.code(), Some(2), "{name} was taken");
            assert!(said.contains("bridge.yaml:8"), "{name}: no file and line in {said}");
            refused += 1;
        } else {
            assert_eq!(output.status.code(), Some(0), "{name} was refused: {said}");
            taken += 1;
        }
    }
    assert!(taken >= 9 && refused >= 15, "{taken} taken, {refused} refused");
}

/// The product at the other side is known by its metadata. What is said of it is advice: the plan is the same.
#[test]
fn a_plan_and_a_check_say_what_the_product_is_known_for() {
    let scratch = Scratch::new("advice");
    let setup = Setup::sqlite(scratch.path());
    let metadata = PathBuf::from(REPOSITORY).join("fixtures/metadata/shibboleth.xml");
    let file = scratch.write("bridge.yaml", &bridge_file(metadata.to_str().unwrap()));
    let run = |command: &[&str]| {
        let output = setup.run(&[command, &["-f", file.to_str().unwrap()]].concat());
        String::from_utf8(output.stdout).unwrap()
    };
    let advised = |text: &str| text.lines().filter(|line| line.starts_with("· acme/idp: Shibboleth")).count();
    let plan = run(&["plan"]);
    assert!(plan.contains("\n· acme/idp: Shibboleth Identity Provider: `subject: { from: "), "{plan}");
    assert_eq!(advised(&plan), 4, "{plan}");
    assert_eq!(advised(&run(&["check"])), 4);
    assert!(run(&["check", "--json"]).contains("\"advice\""));
    assert_eq!(advised(&run(&["apply"])), 0);
    assert_eq!(run(&["plan"]), "nothing to change\n");
}

/// Where the file says who must have signed a document, the very first one is held to it too.
#[test]
fn a_pinned_key_counts_from_the_first_document_on() {
    let scratch = Scratch::new("pinned");
    let setup = Setup::sqlite(scratch.path());
    let [federation, stranger] = [(); 2].map(|()| TestKey::make(KeyKind::Rsa(2048)).unwrap());
    let pem = X509::from_der(&federation.certificate).unwrap().to_pem().unwrap();
    let pem = scratch.write("federation.pem", std::str::from_utf8(&pem).unwrap());
    let xml = scripted::idp().metadata().replacen("entityID=", "ID=\"_m\" entityID=", 1);
    let request =
        SignRequest { target_id: "_m", place: SignaturePlace::First, certificate: None, limits: Limits::metadata() };
    let signed = |key: &TestKey| String::from_utf8(sign_enveloped(xml.as_bytes(), &request, key).unwrap()).unwrap();
    for (document, code) in [(xml.clone(), 2), (signed(&stranger), 2), (signed(&federation), 0)] {
        let metadata = scratch.write("idp.xml", &document);
        let text = bridge_file(metadata.to_str().unwrap());
        let pinned = format!("{{ file: {}, signed_by: {{ file: {} }} }}", metadata.display(), pem.display());
        let file = scratch.write("bridge.yaml", &text.replace(&format!("{{ file: {} }}", metadata.display()), &pinned));
        for command in ["plan", "apply"] {
            let output = setup.run(&[command, "-f", file.to_str().unwrap()]);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(code), "{said}");
            let refusal = "idp_metadata: the metadata is not signed by the key in signed_by";
            assert!(code == 0 || said.contains(refusal), "{said}");
        }
    }
}

/// A partner that publishes a text; the text can be changed.
fn publishing(text: String) -> (String, Arc<Mutex<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/metadata", listener.local_addr().unwrap());
    let text = Arc::new(Mutex::new(text));
    let published = Arc::clone(&text);
    std::thread::spawn(move || {
        for socket in listener.incoming() {
            let mut socket = socket.unwrap();
            let _ = socket.read(&mut [0; 4096]);
            let body = published.lock().unwrap().clone();
            let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", body.len());
            let _ = socket.write_all((head + &body).as_bytes());
        }
    });
    (address, text)
}

/// What became of a partner's document can be read afterwards, with every difference and who asked.
#[test]
fn a_changed_document_leaves_traces_that_an_operator_can_read() {
    let scratch = Scratch::new("document-traces");
    let setup = Setup::sqlite(scratch.path());
    let first = scripted::idp().metadata();
    let (address, text) = publishing(first.clone());
    let yaml = bridge_file("x").replace("{ file: x }", &format!("{{ url: \"{address}\" }}"));
    let file = scratch.write("bridge.yaml", &yaml);
    let run = |arguments: &[&str]| {
        let output = setup.run(arguments);
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
    };
    let traces = || {
        let all: Vec<serde_json::Value> = serde_json::from_str(&run(&["trace", "list", "--json"])).unwrap();
        assert!(all.iter().all(|trace| trace["kind"] == "metadata" && trace["connection"] == "idp"), "{all:?}");
        all.iter().map(|trace| (trace["id"].as_str().unwrap().to_owned(), trace["result"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(run(&["apply", "-f", file.to_str().unwrap()]), "+ tenant acme\n+ connection acme/idp\n");
    assert!(run(&["connections", "refresh", "acme/idp"]).contains("nothing is new"));
    assert_eq!(traces(), [], "nothing new, so nothing to read");

    *text.lock().unwrap() = first.replace("https://idp.example/sso", "https://elsewhere.example/sso");
    for _ in 0..2 {
        assert!(run(&["connections", "refresh", "acme/idp"]).contains("waits for approval"));
    }
    let [(held, refused)] = traces().try_into().unwrap();
    assert_eq!(refused, "refused");
    let shown = run(&["trace", "show", &held]);
    for line in [
        "the command `fedbridge connections refresh`",
        "  ! single sign-on address (redirect): https://idp.example/sso becomes https://elsewhere.example/sso",
        "✗ the new document: waits for approval",
    ] {
        assert!(shown.contains(line), "{line} is not in\n{shown}");
    }
    assert!(run(&["connections", "approve", "acme/idp"]).contains("is in force"));
    let all = traces();
    assert_eq!((all.len(), &all[0].1), (2, &serde_json::Value::from("success")), "the newest first");
    assert!(run(&["trace", "show", &all[0].0]).contains("the command `fedbridge connections approve`"));

    *text.lock().unwrap() = "<html/>".into();
    run(&["connections", "refresh", "acme/idp"]);
    let all = traces();
    assert_eq!((all.len(), &all[0].1), (3, &serde_json::Value::from("refused")));
    assert!(run(&["trace", "show", &all[0].0]).contains("✗ idp_metadata: "));
}

/// An attacker's document waits, and the partner has its address back: nobody approves it by accident.
#[test]
fn what_the_partner_has_taken_back_is_not_approved() {
    let scratch = Scratch::new("taken-back");
    let setup = Setup::sqlite(scratch.path());
    let first = scripted::idp().metadata();
    let (address, text) = publishing(first.clone());
    let yaml = bridge_file("x").replace("{ file: x }", &format!("{{ url: \"{address}\" }}"));
    let file = scratch.write("bridge.yaml", &yaml);
    let run = |command: &[&str]| {
        let output = setup.run(command);
        let said = String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap();
        (output.status.code(), said)
    };
    run(&["apply", "-f", file.to_str().unwrap()]);
    let evil = first.replace("https://idp.example/sso", "https://evil.example/sso");
    *text.lock().unwrap() = evil;
    assert!(run(&["connections", "refresh", "acme/idp"]).1.contains("waits for approval"));
    *text.lock().unwrap() = first;
    let (code, said) = run(&["connections", "approve", "acme/idp"]);
    assert!(code == Some(2) && said.contains("something else than what waits"), "{said}");
    assert!(!run(&["export"]).1.contains("evil.example"));
    assert!(run(&["connections", "refresh", "acme/idp"]).1.contains("nothing is new"));
    let (code, said) = run(&["connections", "approve", "acme/idp"]);
    assert!(code == Some(2) && said.contains("no document of acme/idp waits"), "{said}");
}
