//! What `make demo` runs: a login's claims, addresses that answer, commands that work, and a clean end.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

use crate::support::bridge::Setup;
use crate::support::browser::Browser;
use crate::support::{Scratch, free_port};

#[tokio::test]
async fn the_demo_keeps_what_it_prints() {
    let scratch = Scratch::new("demo");
    let setup = Setup::sqlite(scratch.path());
    let demo = Demo::start(&setup, free_port());
    let claims = &demo.claims["id_token"];
    assert_eq!(claims["email"], "dora@demo.example");
    assert_eq!(claims["admin"], true);
    assert_eq!(claims["iss"], format!("{}/t/demo", setup.base_url));
    assert_eq!(demo.claims["userinfo"]["sub"], claims["sub"]);

    let mut browser = Browser::new();
    for (what, expected) in [("log in with a browser", 303), ("OpenID configuration", 200), ("SAML SP metadata", 200)] {
        let address = demo.word_after(what);
        assert_eq!(browser.get(&address).await.status, expected, "{what}: {address}");
    }
    let id = demo.word_after("trace show");
    assert!(setup.ok(&["trace", "show", &id]).contains("memberOf"), "the printed trace is not this login's");
    assert!(setup.ok(&["trace", "replay", &id]).contains("allowed"));
    let sub = claims["sub"].clone();
    assert!(demo.stop("INT").success());

    let again = Demo::start(&setup, free_port());
    assert_eq!(again.claims["id_token"]["sub"], sub, "the same person in the same store");
    assert_ne!(again.word_after("trace show"), id, "the second run prints its own login");
    assert!(again.stop("TERM").success());
}

#[test]
fn a_taken_port_is_named_and_nothing_is_changed() {
    let scratch = Scratch::new("demo-port");
    let setup = Setup::sqlite(scratch.path());
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let output = setup.run(&["demo", "--port", &port.to_string()]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("127.0.0.1:{port}")) && said.contains("--port"), "{said}");
    assert!(!setup.ok(&["export"]).contains("demo"));
}

/// A running demo, and what it printed. It is killed when it is dropped.
struct Demo {
    child: Child,
    claims: Value,
    text: String,
}

impl Demo {
    fn start(setup: &Setup, port: u16) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_fedbridge"))
            .args(["demo", "--port", &port.to_string()])
            .envs(setup.settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        let mut demo = Self { child, claims: Value::Null, text: String::new() };
        let (sender, lines) = mpsc::channel();
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        let mut json = String::new();
        while !demo.text.contains("Ctrl-C") {
            let line =
                lines.recv_timeout(Duration::from_secs(60)).unwrap_or_else(|_| panic!("it ended: {}", demo.text));
            if demo.claims.is_null() {
                json.push_str(&line);
                demo.claims = serde_json::from_str(&json).unwrap_or_default();
            } else {
                demo.text.push_str(&line);
                demo.text.push('\n');
            }
        }
        demo
    }

    fn word_after(&self, label: &str) -> String {
        let rest = self.text.split_once(label).unwrap_or_else(|| panic!("no `{label}` in\n{}", self.text)).1;
        rest.split_whitespace().next().unwrap().to_owned()
    }

    fn stop(mut self, signal: &str) -> ExitStatus {
        Command::new("kill").args(["-s", signal, &self.child.id().to_string()]).status().unwrap();
        self.child.wait().unwrap()
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
