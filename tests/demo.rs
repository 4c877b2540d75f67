//! What `make demo` runs: a login through two tenants, a logout up the same road, addresses that answer,
//! commands that work, and a clean end.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use serde_json::Value;

use crate::support::bridge::Setup;
use crate::support::browser::Browser;
use crate::support::scripted::{bridge_file, idp};
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
    // The company gives away what its service provider is to have, and no more.
    assert_eq!(claims["department"], "engineering");
    assert_eq!(claims["name"], Value::Null);

    let mut browser = Browser::new();
    for what in ["OpenID configuration", "SAML SP metadata", "SAML IdP metadata"] {
        let address = demo.word_after(what);
        assert_eq!(browser.get(&address).await.status, 200, "{what}: {address}");
    }
    let shown = browser.visit(&demo.word_after("log in with a browser")).await.json();
    assert_eq!(shown["id_token"]["sub"], claims["sub"], "{shown:#}");
    let out = browser.visit(&demo.word_after("and out again")).await;
    assert_eq!((out.status, &out.json()["logged_out"]), (200, &Value::Bool(true)), "{}", out.body);

    let commands = demo.commands();
    let said: Vec<String> = commands.iter().map(|command| demo.run(&setup, command)).collect();
    let [corp, own, logout, corp_logout, corp_again, own_again, list] = said.as_slice() else {
        panic!("other commands are printed: {commands:#?}");
    };
    for (said, tenant, kind) in [
        (corp, "demo-corp", "login"),
        (own, "demo", "login"),
        (logout, "demo", "logout"),
        (corp_logout, "demo-corp", "logout"),
    ] {
        assert!(said.starts_with(kind) && said.contains(": success"), "{said}");
        assert!(said.contains(&format!("  tenant      {tenant}\n")), "{said}");
    }
    assert!(corp.contains("memberOf") && corp.contains("Query signature"), "{corp}");
    assert!(own.contains("✓ Decryption") && own.contains("response and assertion"), "{own}");
    assert!(logout.contains("told: Demo Corp by") && logout.contains(": done"), "{logout}");
    assert!(
        corp_logout.contains("told: The company's directory by") && corp_logout.contains(": done"),
        "{corp_logout}"
    );
    assert!(corp_again.contains("allowed") && corp_again.contains("\"department\": \"engineering\""), "{corp_again}");
    assert!(own_again.contains("allowed") && own_again.contains("\"admin\": true"), "{own_again}");
    assert_eq!(list.matches("  login  ").count(), 4, "the visitor's and the browser's, at both tenants: {list}");
    assert!(demo.stop("INT").success());
}

#[tokio::test]
async fn the_demo_runs_again_beside_other_tenants() {
    let scratch = Scratch::new("demo-again");
    let setup = Setup::sqlite(scratch.path());
    let idp = idp();
    setup.apply(&scratch, &bridge_file(&scratch, &idp));
    let demo = Demo::start(&setup, free_port());
    let (sub, commands) = (demo.claims["id_token"]["sub"].clone(), demo.commands());
    assert!(demo.stop("TERM").success());

    // Elsewhere: its directory has another name and other keys.
    let again = Demo::start(&setup, free_port());
    assert_eq!(again.claims["id_token"]["sub"], sub, "the same person in the same store");
    assert!(again.commands().iter().zip(&commands).take(6).all(|(now, before)| now != before), "they are of this run");
    assert!(again.stop("TERM").success());
    let file = scratch.path().join("bridge.yaml");
    assert!(setup.ok(&["plan", "--exit-code", "-f", file.to_str().unwrap()]).contains("nothing to change"));
}

#[test]
fn a_tenant_of_a_bridge_file_is_not_the_demos() {
    let scratch = Scratch::new("demo-theirs");
    let setup = Setup::sqlite(scratch.path());
    setup.apply(&scratch, "version: 1\ntenants:\n  - slug: demo\n    display_name: Ours\n");
    let output = setup.run(&["demo", "--port", &free_port().to_string()]);
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("the tenant `demo` is of a bridge file") && said.contains("FEDBRIDGE_DATABASE_URL"),
        "{said}"
    );
    let export = setup.ok(&["export"]);
    assert!(export.contains("Ours") && !export.contains("demo-corp"), "{export}");
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
            .env("FEDBRIDGE_EGRESS_ALLOW_LOOPBACK", "false") // The default: nobody has to know of it.
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

    /// The commands that it printed, each as a line.
    fn commands(&self) -> Vec<String> {
        let program = env!("CARGO_BIN_EXE_fedbridge");
        let lines = self.text.lines().map(str::trim).filter(|line| line.starts_with(program));
        lines.map(str::to_owned).collect()
    }

    /// Runs a command as it stands, in the folder that was printed.
    fn run(&self, setup: &Setup, command: &str) -> String {
        let folder = self.text.split_once("in another terminal, in ").unwrap().1.split_once(":\n").unwrap().0;
        let settings = setup.settings.iter().map(|(name, value)| (name, value));
        let output = Command::new("sh").args(["-c", command]).current_dir(folder).envs(settings).output().unwrap();
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
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
