//! Number 40: what slapd says of changes (RFC 4533). Each run is a process of its own: what is known between two is in
//! the store.

use std::process::{Command, Stdio};

use super::{Ports, World};

const CONNECTION: &str = "        sync: { delta: 1m, method: syncrepl }\n";

/// Without a log of its own slapd names all who are still there (present phase), with one those who are gone (delete
/// phase).
#[tokio::test]
async fn additions_changes_renames_and_deletions() {
    for syncprov in ["", "syncprov-sessionlog 100"] {
        let world = World::with(CONNECTION, &[("SLAPD_SYNCPROV", syncprov)]);
        let directory = &world.openldap.directory;
        let delta = |wanted: &str| {
            let said = world.sync(&[]);
            assert!(said.contains("what has changed was read") && said.contains(wanted), "{syncprov}: {said}");
        };
        assert!(world.sync(&[]).contains("everybody was read"));
        delta(": 0 seen, 0 new, 0 changed, 0 ended");

        world.openldap.change(&format!(
            "dn: {}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: zoe\ncn: Zoe\nsn: Zander\nmail: zoe@acme.example\n",
            directory.person("zoe")
        ));
        delta("1 new");
        let (zoe, bob, carol) = (world.user("zoe"), world.user("bob"), world.user("carol"));

        world.openldap.change(&format!(
            "dn: {}\nchangetype: modify\nreplace: displayName\ndisplayName: Bobby\n",
            directory.person("bob")
        ));
        delta("0 new, 1 changed, 0 ended");

        world.openldap.change(&format!(
            "dn: {}\nchangetype: modrdn\nnewrdn: uid=caroline\ndeleteoldrdn: 1\n",
            directory.person("carol")
        ));
        delta("0 new, 1 changed, 0 ended");
        assert_eq!(world.user("caroline"), carol, "by the new name");

        world.openldap.change(&format!(
            "dn: {}\nchangetype: modify\nreplace: shadowExpire\nshadowExpire: 1\n",
            directory.person("bob")
        ));
        delta("1 ended");
        let explain = |user: &str| world.setup.ok(&["users", "explain", user, "--tenant", "acme"]);
        assert!(explain(&bob).contains("kept out: shadowExpire 1"), "{}", explain(&bob));

        world.openldap.change(&format!("dn: {}\nchangetype: delete\n", directory.person("zoe")));
        delta("1 ended");
        assert!(explain(&zoe).contains("kept out: not in the directory any more"), "{}", explain(&zoe));
        delta("0 ended");
        for there in [&carol, &world.user("alice")] {
            assert!(explain(there).contains("comes in"), "{}", explain(there));
        }
    }
}

#[tokio::test]
async fn a_cookie_is_good_after_a_restart_of_the_server() {
    let ports = Ports::new();
    let settings = ports.settings("syncprov-sessionlog 100");
    let mut world = World::with(CONNECTION, &settings);
    world.sync(&[]);
    world.openldap.change(&format!(
        "dn: {}\nchangetype: modify\nreplace: displayName\ndisplayName: Bobby\n",
        world.openldap.directory.person("bob")
    ));
    let dora = world.openldap.directory.person("dora");
    world.openldap.change(&format!("dn: {dora}\nchangetype: delete\n"));
    world.restart(CONNECTION, &settings, |_| ());
    let said = world.sync(&[]);
    assert!(said.contains("what has changed was read") && said.contains("0 new, 1 changed, 1 ended"), "{said}");
}

/// The log of deletions is gone with the data: slapd asks for a full run (e-syncRefreshRequired).
#[tokio::test]
async fn a_cookie_that_is_too_old_has_everybody_read() {
    let ports = Ports::new();
    let settings = ports.settings("syncprov-reloadhint TRUE");
    let mut world = World::with(CONNECTION, &settings);
    world.sync(&[]);
    let dora = world.openldap.directory.person("dora");
    world.openldap.change(&format!("dn: {dora}\nchangetype: delete\n"));
    world.restart(CONNECTION, &settings, |folder| {
        // The same entries, each as if it were made today.
        let conf = folder.join("slapd.conf");
        let slap = |name: &str| {
            let mut command = Command::new(format!("/usr/sbin/{name}"));
            command.arg("-f").arg(&conf).args(["-b", "dc=acme,dc=example"]).stdin(Stdio::null());
            command
        };
        let output = slap("slapcat").args(["-o", "ldif-wrap=no"]).output().unwrap();
        assert!(output.status.success(), "{output:?}");
        let ldif = String::from_utf8(output.stdout).unwrap();
        let kept = ldif.lines().filter(|line| !line.starts_with("entryCSN:") && !line.starts_with("contextCSN:"));
        let ldif: String = kept.flat_map(|line| [line, "\n"]).collect();
        let file = folder.join("again.ldif");
        std::fs::write(&file, ldif).unwrap();
        std::fs::remove_dir_all(folder.join("data")).unwrap();
        std::fs::create_dir(folder.join("data")).unwrap();
        let output = slap("slapadd").args(["-q", "-w", "-l"]).arg(&file).output().unwrap();
        assert!(output.status.success(), "{output:?}");
    });
    let said = world.sync(&[]);
    assert!(said.contains("everybody was read") && said.contains("0 new") && said.contains("1 ended"), "{said}");
    let trace = world.trace();
    assert!(trace.contains("the server has forgotten what has changed"), "{trace}");
    assert!(world.sync(&[]).contains("what has changed was read"));
}

/// A server that was put back to yesterday's data knows less than the cookie.
#[tokio::test]
async fn a_cookie_that_is_newer_than_the_server_has_everybody_read() {
    let ports = Ports::new();
    let settings = ports.settings("");
    let mut world = World::with(CONNECTION, &settings);
    world.restart(CONNECTION, &settings, |folder| {
        std::fs::create_dir(folder.join("yesterday")).unwrap();
        std::fs::copy(folder.join("data/data.mdb"), folder.join("yesterday/data.mdb")).unwrap();
    });
    let bob = world.openldap.directory.person("bob");
    world.openldap.change(&format!("dn: {bob}\nchangetype: modify\nreplace: displayName\ndisplayName: Bobby\n"));
    world.sync(&[]);
    world.restart(CONNECTION, &settings, |folder| {
        std::fs::remove_file(folder.join("data/lock.mdb")).unwrap();
        std::fs::copy(folder.join("yesterday/data.mdb"), folder.join("data/data.mdb")).unwrap();
    });
    let said = world.sync(&[]);
    assert!(said.contains("everybody was read") && said.contains("1 changed, 0 ended"), "{said}");
    let trace = world.trace();
    assert!(trace.contains("the server does not go on from where it was"), "{trace}");
    assert!(world.sync(&[]).contains("what has changed was read"));
}
