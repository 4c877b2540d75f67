//! The command line as people use it: the built program, real files, a real store.

mod admin;
mod bridge_file;
mod keys;
mod ldap_check;
mod openid;
mod revoke;
mod rollover;
mod round_trip;
mod settings;
mod trace;
mod users;

use std::process::Output;

use crate::support::Scratch;
use crate::support::bridge::Setup;
use crate::support::scripted;

/// A store of its own with a good bridge file beside it.
struct Desk {
    scratch: Scratch,
    setup: Setup,
    good: String,
}

impl Desk {
    fn new(name: &str) -> Self {
        let scratch = Scratch::new(name);
        let setup = Setup::sqlite(scratch.path());
        let good = scripted::bridge_file(&scratch, &scripted::idp());
        Self { scratch, setup, good }
    }

    /// Writes a bridge file and runs a command on it.
    fn run(&self, command: &[&str], yaml: &str) -> Ended {
        let file = self.scratch.write("bridge.yaml", yaml);
        let mut arguments = command.to_vec();
        arguments.extend(["-f", file.to_str().unwrap()]);
        self.setup.run(&arguments).into()
    }

    fn plain(&self, command: &[&str]) -> Ended {
        self.setup.run(command).into()
    }
}

/// How a command ended.
#[derive(Debug)]
struct Ended {
    code: i32,
    out: String,
    err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

#[test]
fn help_names_only_what_works_and_shows_examples() {
    let desk = Desk::new("help");
    let help = desk.plain(&["--help"]);
    assert_eq!(help.code, 0);
    for command in [
        "serve",
        "plan",
        "apply",
        "export",
        "reference",
        "check",
        "demo",
        "admin",
        "connections",
        "service-providers",
        "keys",
        "ldap",
        "migrate",
        "trace",
    ] {
        assert!(help.out.contains(&format!("\n  {command} ")), "{command} in {}", help.out);
        let one = desk.plain(&[command, "--help"]);
        assert!(one.code == 0 && one.out.contains("Example"), "{}", one.out);
    }
    for absent in ["backup", "restore", "rotate-master"] {
        assert!(!help.out.contains(absent), "{absent} in {}", help.out);
    }
    let alias = desk.plain(&["providers", "list", "--help"]);
    assert!(alias.code == 0 && alias.out.contains("fedbridge service-providers list"), "{alias:?}");
    assert_eq!(desk.plain(&["aply"]).code, 2);
    assert_eq!(desk.plain(&["plan"]).code, 2);
}
