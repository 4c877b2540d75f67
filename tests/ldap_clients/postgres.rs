//! PostgreSQL's `ldap` authentication, in both of its modes.

use std::path::Path;
use std::process::Command;

use url::Url;

use crate::support::Scratch;
use crate::support::ldap::servers::OpenLdap;
use crate::support::ldap::tools::{Directory, Said, run};
use crate::support::peers::Peer;

#[tokio::test]
async fn postgresql_uses_openldap() {
    let scratch = Scratch::new("postgres-ldap");
    let openldap = OpenLdap::start(scratch.path(), &[]);
    postgresql(scratch.path(), &openldap.directory);
}

pub fn postgresql(dir: &Path, directory: &Directory) {
    let tls = Url::parse(&directory.url).unwrap();
    let clear = Url::parse(&directory.clear).unwrap();
    let people = &directory.people;
    let at = |url: &Url| format!("ldapserver={} ldapport={}", url.host_str().unwrap(), url.port().unwrap());
    let (tls, clear) = (format!("ldapscheme=ldaps {}", at(&tls)), format!("ldaptls=1 {}", at(&clear)));
    let simple = format!("ldapprefix=\"uid=\" ldapsuffix=\",{people}\"");
    let searched = format!(
        "ldapbasedn=\"{people}\" ldapsearchattribute=uid ldapbinddn=\"{}\" ldapbindpasswd=\"{}\"",
        directory.app.dn, directory.app.password
    );
    let filtered = format!(
        "ldapbasedn=\"{people}\" ldapsearchfilter=\"(&(uid=$username)(objectClass=posixAccount))\" ldapbinddn=\"{}\" \
         ldapbindpasswd=\"{}\"",
        directory.app.dn, directory.app.password
    );
    // A database for each way, so that one server has them all.
    let ways = [
        ("simple", format!("{simple} {tls}")),
        ("searched", format!("{searched} {tls}")),
        ("filtered", format!("{filtered} {tls}")),
        ("start_tls", format!("{searched} {clear}")),
    ];
    let rules: String = ways.iter().map(|(name, way)| format!("host {name} all 127.0.0.1/32 ldap {way}\n")).collect();
    let peer = Peer::start(
        "postgres",
        dir,
        &[("PG_DURABLE", "0"), ("PG_HBA", &rules), ("LDAPTLS_CACERT", directory.ca.to_str().unwrap())],
    );
    // The CA must be readable for PostgreSQL's own user.
    let mut setup = String::from("CREATE ROLE alice LOGIN; CREATE ROLE nobody LOGIN;");
    setup += &ways.iter().map(|(name, _)| format!("CREATE DATABASE {name};")).collect::<String>();
    for statement in setup.split_inclusive(';') {
        let said = psql(&peer.url, "", statement);
        assert_eq!(said.status, Some(0), "{said:#?}");
    }
    for (way, _) in &ways {
        let login = |name: &str, password: &str| {
            let url = peer.url.replace("postgres@", &format!("{name}@")).replace("/postgres", &format!("/{way}"));
            psql(&url, password, "SELECT current_user")
        };
        let right = login("alice", "alice-password");
        assert_eq!((right.status, right.out.trim()), (Some(0), "alice"), "{way}: {right:#?}\n{}", peer.log());
        for (name, password) in [("alice", "bob-password"), ("nobody", "alice-password")] {
            let wrong = login(name, password);
            assert_eq!(wrong.status, Some(2), "{way}: {wrong:#?}");
            assert!(wrong.err.contains("LDAP authentication failed"), "{way}: {wrong:#?}");
        }
    }
    for (way, _) in &ways[..2] {
        let rate =
            logins_per_second(dir, &peer.url.replace("postgres@", "alice@").replace("/postgres", &format!("/{way}")));
        eprintln!("{way} at {}: {rate:.0} logins of PostgreSQL a second", directory.base);
        // Each is a connection of its own to the directory. Tests run beside others and without optimisation; [84] asks
        // for 200 on a machine that does nothing else.
        assert!(rate > 5.0, "{way}: {rate}");
    }
}

/// Connections that do next to nothing, one after the other, by eight clients for a few seconds.
fn logins_per_second(dir: &Path, url: &str) -> f64 {
    let script = dir.join("login.sql");
    std::fs::write(&script, "SELECT 1;\n").unwrap();
    let arguments = ["-n", "-C", "-c", "8", "-j", "2", "-T", "5", "-f", script.to_str().unwrap()];
    let said = run(Command::new("pgbench").args(arguments).arg(url).env("PGPASSWORD", "alice-password"));
    assert_eq!(said.status, Some(0), "{said:#?}");
    let rate = said.out.lines().find_map(|line| line.strip_prefix("tps = "));
    let rate = rate.and_then(|rest| rest.split(' ').next()).unwrap_or_else(|| panic!("{said:#?}"));
    rate.parse().unwrap()
}

fn psql(url: &str, password: &str, statement: &str) -> Said {
    run(Command::new("psql").args(["-X", "-A", "-t", "-w", "-d", url, "-c", statement]).env("PGPASSWORD", password))
}
