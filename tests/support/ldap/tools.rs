//! Programs that are not ours, asking a directory.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

use crate::support::REPOSITORY;
use crate::support::peers::Peer;

/// A directory as an app is told of it.
#[derive(Debug, Clone)]
pub struct Directory {
    /// By TLS from the start.
    pub url: String,
    /// The same in clear, for StartTLS.
    pub clear: String,
    pub ca: PathBuf,
    pub base: String,
    pub people: String,
    pub groups: String,
    pub app: Account,
}

/// Somebody who binds.
#[derive(Debug, Clone)]
pub struct Account {
    pub dn: String,
    pub password: String,
}

/// What a program said, and how it ended.
#[derive(Debug, Clone)]
pub struct Said {
    pub status: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Directory {
    /// The settings that the peers of `tests/peers` and their scripts take.
    pub fn settings(&self) -> Vec<(&'static str, &str)> {
        vec![
            ("LDAP_URL", &self.url),
            ("LDAP_CA", self.ca.to_str().unwrap()),
            ("LDAP_BASE", &self.base),
            ("LDAP_PEOPLE", &self.people),
            ("LDAP_GROUPS", &self.groups),
            ("LDAP_BIND_DN", &self.app.dn),
            ("LDAP_BIND_PASSWORD", &self.app.password),
        ]
    }

    pub fn with_app(&self, dn: &str, password: &str) -> Self {
        Self { app: Account { dn: dn.to_owned(), password: password.to_owned() }, ..self.clone() }
    }

    /// By StartTLS.
    pub fn in_clear_first(&self) -> Self {
        Self { url: self.clear.clone(), ..self.clone() }
    }

    pub fn person(&self, name: &str) -> String {
        format!("uid={name},{}", self.people)
    }

    pub fn group(&self, name: &str) -> String {
        format!("cn={name},{}", self.groups)
    }

    /// A daemon of `tests/peers` that uses this directory.
    pub fn used_by(&self, peer: &str, dir: &Path, more: &[(&str, &str)]) -> Peer {
        let mut settings = self.settings();
        settings.extend(more);
        Peer::start(peer, dir, &settings)
    }

    /// One of OpenLDAP's tools, as the app.
    pub fn tool(&self, name: &str, arguments: &[&str]) -> Said {
        self.tool_as(&self.app, name, arguments)
    }

    pub fn tool_as(&self, account: &Account, name: &str, arguments: &[&str]) -> Said {
        let mut all = vec!["-D", account.dn.as_str(), "-w", account.password.as_str()];
        all.extend(arguments);
        self.tool_alone(name, &all)
    }

    /// The same with arguments that say who binds; without any it is nobody.
    pub fn tool_alone(&self, name: &str, arguments: &[&str]) -> Said {
        let start_tls = self.url.starts_with("ldap://").then_some("-ZZ");
        let mut command = Command::new(name);
        command.args(["-x", "-H", &self.url]).args(start_tls).args(arguments).env("LDAPTLS_CACERT", &self.ca);
        run(&mut command)
    }

    /// What `ldapsearch` finds, as the app.
    pub fn find(&self, base: &str, filter: &str, attributes: &[&str]) -> Vec<Found> {
        let mut arguments = vec!["-LLL", "-o", "ldif-wrap=no", "-b", base, filter];
        arguments.extend(attributes);
        let said = self.tool("ldapsearch", &arguments);
        assert_eq!(said.status, Some(0), "{said:#?}");
        Found::all(&said.out)
    }

    /// A script of `tests/peers/ldap-clients`.
    pub fn script(&self, name: &str, more: &[(&str, &str)], input: &str) -> Value {
        let mut command = Command::new("/usr/bin/python3");
        command.arg(format!("{REPOSITORY}/tests/peers/ldap-clients/{name}.py"));
        // It leaves no compiled files beside the sources.
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        self.report(command, more, input)
    }

    /// A script of `tests/peers/node`.
    pub fn node_script(&self, name: &str, more: &[(&str, &str)]) -> Value {
        let mut command = Command::new("node");
        command.arg(format!("{REPOSITORY}/tests/peers/node/{name}.mjs"));
        self.report(command, more, "")
    }

    fn report(&self, mut command: Command, more: &[(&str, &str)], input: &str) -> Value {
        command.envs(self.settings()).envs(more.iter().copied());
        let said = run_with(&mut command, input);
        assert_eq!(said.status, Some(0), "{command:?}: {}{}", said.out, said.err);
        serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("{command:?}: {error}: {}", said.out))
    }
}

/// Runs a program to its end.
pub fn run(command: &mut Command) -> Said {
    let name = command.get_program().to_owned();
    let hint = "run scripts/install-deps.sh test";
    let output = command.stdin(Stdio::null()).output().unwrap_or_else(|error| panic!("{name:?}: {error}: {hint}"));
    Said::of(&output)
}

fn run_with(command: &mut Command, input: &str) -> Said {
    use std::io::Write as _;
    let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = piped.spawn().unwrap_or_else(|error| panic!("{error}: run scripts/install-deps.sh test"));
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    Said::of(&output)
}

impl Said {
    fn of(output: &Output) -> Self {
        Self {
            status: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// An entry of an LDIF file (RFC 2849) whose lines are not wrapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub dn: String,
    pub attributes: Vec<(String, String)>,
}

impl Found {
    pub fn all(ldif: &str) -> Vec<Self> {
        ldif.split("\n\n").filter_map(Self::one).collect()
    }

    fn one(text: &str) -> Option<Self> {
        let mut lines = text.lines().filter(|line| !line.starts_with('#')).filter_map(line);
        let (name, dn) = lines.next()?;
        (name == "dn").then(|| Self { dn, attributes: lines.collect() })
    }

    pub fn values(&self, name: &str) -> Vec<&str> {
        let of_name = self.attributes.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        of_name.map(|(_, value)| value.as_str()).collect()
    }

    pub fn value(&self, name: &str) -> Option<&str> {
        self.values(name).first().copied()
    }
}

fn line(text: &str) -> Option<(String, String)> {
    use base64::Engine as _;
    let (name, value) = text.split_once(':')?;
    let value = match value.strip_prefix(':') {
        Some(encoded) => {
            let octets = base64::engine::general_purpose::STANDARD.decode(encoded.trim()).ok()?;
            String::from_utf8_lossy(&octets).into_owned()
        }
        None => value.trim_start().to_owned(),
    };
    Some((name.to_owned(), value))
}
