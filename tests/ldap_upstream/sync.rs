//! People of OpenLDAP are here without a login, and go with it.

mod many;
mod pages;
mod renamed;
mod syncrepl;

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::support::bridge::{Bridge, Setup};
use crate::support::ldap::connections::client;
use crate::support::ldap::servers::OpenLdap;
use crate::support::ldap::web;
use crate::support::scripted::App;
use crate::support::{Scratch, eventually, free_port};

struct World {
    openldap: OpenLdap,
    setup: Setup,
    scratch: Scratch,
}

impl World {
    fn start(connection: &str) -> Self {
        Self::with(connection, &[])
    }

    /// With settings of slapd.
    fn with(connection: &str, settings: &[(&str, &str)]) -> Self {
        let scratch = Scratch::new("ldap-sync");
        let openldap = OpenLdap::start(scratch.path(), settings);
        let setup = Setup::sqlite(scratch.path());
        let world = Self { openldap, setup, scratch };
        world.apply(connection);
        world
    }

    fn apply(&self, connection: &str) {
        let connection = self.openldap.connection("corp", connection);
        let head = "version: 1\ntenants:\n  - slug: acme\n    display_name: Acme\n    domains: [acme.example]\n";
        self.setup.apply(&self.scratch, &format!("{head}    connections:\n{connection}{}", client()));
    }

    async fn serve(&self) -> (Bridge, App) {
        let bridge = self.setup.serve(&self.scratch).await;
        let app = App::of(&bridge);
        (bridge, app)
    }

    fn sync(&self, more: &[&str]) -> String {
        self.setup.ok(&[&["connections", "sync", "acme/corp"], more].concat())
    }

    /// The person of this DN, as the command line knows it.
    fn user(&self, uid: &str) -> String {
        let list = self.setup.ok(&["users", "list", "--tenant", "acme", "--search", &format!("uid={uid},")]);
        let line = list.lines().find(|line| line.contains(&format!("uid={uid},"))).unwrap_or_else(|| panic!("{list}"));
        line.split_whitespace().next().unwrap().to_owned()
    }
}

/// Ports that stay with a slapd that is started again.
struct Ports([String; 2]);

impl Ports {
    fn new() -> Self {
        Self([free_port().to_string(), free_port().to_string()])
    }

    fn settings<'s>(&'s self, syncprov: &'s str) -> [(&'s str, &'s str); 3] {
        [("PEER_PORT", &self.0[0]), ("SLAPD_TLS_PORT", &self.0[1]), ("SLAPD_SYNCPROV", syncprov)]
    }
}

impl World {
    /// Stops slapd, does something with its folder, and starts it again.
    fn restart(&mut self, connection: &str, settings: &[(&str, &str)], between: impl FnOnce(&Path)) {
        let folder = self.openldap.peer.dir.clone();
        let pid = std::fs::read_to_string(folder.join("slapd.pid")).unwrap();
        self.openldap.peer.die();
        let until = Instant::now() + Duration::from_secs(10);
        while Path::new("/proc").join(pid.trim()).exists() {
            assert!(Instant::now() < until, "slapd does not end");
            std::thread::sleep(Duration::from_millis(20));
        }
        between(&folder);
        self.openldap = OpenLdap::start(self.scratch.path(), settings);
        self.apply(connection);
    }

    /// The newest trace of a sync.
    fn trace(&self) -> String {
        let list: serde_json::Value = serde_json::from_str(&self.setup.ok(&["trace", "list", "--json"])).unwrap();
        self.setup.ok(&["trace", "show", list[0]["id"].as_str().unwrap()])
    }
}

/// Disabling somebody in the directory ends the session within the interval of the delta and half a second.
#[tokio::test]
async fn whom_the_directory_disables_is_out_without_a_login() {
    let world = World::start("        sync: { delta: 5s }\n");
    let (_bridge, app) = world.serve().await;
    let alice = web::identity(&app, "alice", "alice-password").await;
    let user = alice["sub"].as_str().unwrap().to_owned();
    eventually("everybody is read", async || {
        let said = world.setup.ok(&["users", "explain", &user, "--tenant", "acme"]);
        said.contains("by a sync").then_some(())
    })
    .await;
    assert!(world.setup.ok(&["users", "show", &user, "--tenant", "acme"]).contains("session"));
    let dn = world.openldap.directory.person("alice");
    world.openldap.change(&format!("dn: {dn}\nchangetype: modify\nreplace: shadowExpire\nshadowExpire: 1\n"));
    let changed = Instant::now();
    eventually("the session is over", async || {
        let shown = world.setup.ok(&["users", "show", &user, "--tenant", "acme"]);
        (!shown.contains("session")).then_some(())
    })
    .await;
    // The command that looks takes its time too.
    assert!(changed.elapsed() < Duration::from_millis(5500 + 2000), "{:?}", changed.elapsed());
    let said = world.setup.ok(&["users", "explain", &user, "--tenant", "acme"]);
    assert!(said.contains("kept out: shadowExpire 1"), "{said}");
}

#[tokio::test]
async fn a_base_that_is_mistyped_ends_nobody() {
    let world = World::start("        sync: {}\n");
    let first = world.sync(&[]);
    assert!(first.contains("everybody was read"), "{first}");
    let heidi = world.user("heidi");
    let before = world.setup.ok(&["users", "explain", &heidi, "--tenant", "acme"]);
    assert!(before.contains("by a sync") && before.contains("heidi@"), "{before}");
    // A subtree that is there, and in which nobody is.
    let groups = world.openldap.directory.groups.clone();
    let people = world.openldap.directory.people.clone();
    let file = std::fs::read_to_string(world.scratch.path().join("bridge.yaml")).unwrap();
    world.setup.apply(&world.scratch, &file.replace(&people, &groups));
    let output = world.setup.run(&["connections", "sync", "acme/corp", "--full"]);
    assert!(!output.status.success(), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("nobody was ended"), "{said}");
    let after = world.setup.ok(&["users", "explain", &heidi, "--tenant", "acme"]);
    assert_eq!(after, before);
}

#[tokio::test]
async fn somebody_who_is_deleted_is_ended_and_the_others_stay() {
    let world = World::start("        sync: { delta: 1m }\n");
    world.sync(&[]);
    let (carol, bob) = (world.user("carol"), world.user("bob"));
    let dn = world.openldap.directory.person("carol");
    world.openldap.change(&format!("dn: {dn}\nchangetype: delete\n"));
    let said = world.sync(&["--full"]);
    assert!(said.contains("1 ended"), "{said}");
    let said = world.setup.ok(&["users", "explain", &carol, "--tenant", "acme"]);
    assert!(said.contains("kept out: not in the directory any more"), "{said}");
    assert!(world.setup.ok(&["users", "explain", &bob, "--tenant", "acme"]).contains("comes in"));
}

/// How many people of the company come in: neither Ivan, who has expired, nor Erin, who is locked.
const COMPANY: usize = 10;

/// Octets of a line of an LDIF file.
const LINE: usize = 60;

/// Entries to add to the people of the company: `p00000` and so on, each with as many octets of text besides.
fn more_people(count: usize, octets: usize) -> String {
    // Folded (RFC 2849): slapadd was seen to abort on this file otherwise. Why is not known; folding avoids it.
    let lines = (0..octets).step_by(LINE).map(|from| "x".repeat(LINE.min(octets - from)));
    let description = lines.collect::<Vec<_>>().join("\n ");
    let mut ldif = String::new();
    for number in 0..count {
        write!(
            ldif,
            "dn: uid=p{number:05},ou=people,@SUFFIX@\nobjectClass: inetOrgPerson\nuid: p{number:05}\n\
             cn: Person {number}\nsn: Person\nmail: p{number:05}@acme.example\ndescription: {description}\n\n"
        )
        .unwrap();
    }
    ldif
}
