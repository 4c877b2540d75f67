//! Logins at a machine: sssd and nslcd, by NSS and PAM.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::support::Scratch;
use crate::support::ldap::servers::OpenLdap;
use crate::support::ldap::tools::{Directory, Said, run};
use crate::support::peers::Peer;

/// How a directory shows people to machines.
#[derive(Debug, Clone, Copy)]
pub struct Shown {
    /// `rfc2307` or `rfc2307bis`.
    pub schema: &'static str,
    /// A posixGroup of alice and bob.
    pub group: &'static str,
}

const OPENLDAP: Shown = Shown { schema: "rfc2307", group: "unix" };

#[tokio::test]
async fn sssd_uses_openldap() {
    let scratch = Scratch::new("sssd");
    let openldap = OpenLdap::start(scratch.path(), &[]);
    sssd(scratch.path(), &openldap.directory, OPENLDAP);
}

#[tokio::test]
async fn nslcd_uses_openldap() {
    let scratch = Scratch::new("nslcd");
    let openldap = OpenLdap::start(scratch.path(), &[]);
    nslcd(scratch.path(), &openldap.directory, OPENLDAP);
}

pub fn sssd(dir: &Path, directory: &Directory, shown: Shown) {
    let machine = Machine(directory.used_by("sssd", dir, &[("LDAP_SCHEMA", shown.schema)]));
    machine.knows_people(shown);
    machine.logs_people_in();
}

pub fn nslcd(dir: &Path, directory: &Directory, shown: Shown) {
    // It reads member's DNs with this; by itself it goes by RFC 2307.
    let machine = Machine(directory.used_by("nslcd", dir, &[]));
    machine.knows_people(shown);
    machine.logs_people_in();
    let everybody = machine.run(&["getent", "passwd"]);
    assert!(everybody.out.contains("\nbob:"), "{everybody:#?}");
    // As who binds, nslcd may read the shadow entry: it has no password in it.
    let shadow = machine.run(&["getent", "shadow", "alice"]);
    assert!(shadow.status != Some(0) || shadow.out.starts_with("alice:*:"), "{shadow:#?}");
}

/// Commands see the people of the directory.
struct Machine(Peer);

impl Machine {
    fn run(&self, command: &[&str]) -> Said {
        run(Command::new(self.0.dir.join("in")).args(command))
    }

    fn knows_people(&self, shown: Shown) {
        let alice = self.run(&["getent", "passwd", "alice"]);
        assert_eq!(alice.status, Some(0), "{alice:#?}\n{}", self.0.log());
        let fields: Vec<_> = alice.out.trim().split(':').collect();
        assert_eq!((fields.len(), fields[0], fields[5]), (7, "alice", "/home/alice"), "{alice:#?}");
        let id = self.run(&["id", "alice"]);
        assert!(id.out.contains(&format!("uid={}(alice)", fields[2])), "{id:#?}");
        assert!(id.out.contains(&format!("({})", shown.group)), "{id:#?}\n{}", self.0.log());
        let group = self.run(&["getent", "group", shown.group]);
        let members = group.out.trim().rsplit(':').next().unwrap_or_default();
        let members: Vec<_> = members.split(',').collect();
        assert!(members.contains(&"alice") && members.contains(&"bob"), "{group:#?}\n{}", self.0.log());
        let number = group.out.split(':').nth(2).unwrap_or_default();
        let by_number = self.run(&["getent", "group", number]);
        assert_eq!(by_number.out, group.out, "{}", self.0.log());
        let nobody = self.run(&["getent", "passwd", "nobody-at-all"]);
        assert_eq!(nobody.status, Some(2), "{nobody:#?}");
    }

    fn logs_people_in(&self) {
        let right = self.login("alice", "alice-password");
        assert_eq!(right.status, Some(0), "{right:#?}\n{}", self.0.log());
        for (name, password) in [("alice", "bob-password"), ("nobody-at-all", "alice-password")] {
            let wrong = self.login(name, password);
            assert_eq!(wrong.status, Some(1), "{name}: {wrong:#?}");
        }
        // One who was wrong once can still log in.
        assert_eq!(self.login("bob", "bob-password").status, Some(0), "{}", self.0.log());
    }

    /// As `sshd` would, by PAM.
    fn login(&self, name: &str, password: &str) -> Said {
        use std::io::Write as _;
        let mut command = Command::new(self.0.dir.join("in"));
        command.args(["pamtester", "company", name, "authenticate", "acct_mgmt"]);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        writeln!(child.stdin.take().unwrap(), "{password}").unwrap();
        let output = child.wait_with_output().unwrap();
        let text = |octets: &[u8]| String::from_utf8_lossy(octets).into_owned();
        Said { status: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }
}
