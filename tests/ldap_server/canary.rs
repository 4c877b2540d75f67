//! Passwords leave no copy: not in a log, a trace or a database, whatever becomes of them.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use serde_json::Value;

use crate::support::Scratch;
use crate::support::browser::Browser;
use crate::support::ldap::client::Client;
use crate::support::ldap::company::{Company, Wanted};
use crate::support::ldap::connections::client;
use crate::support::ldap::servers::OpenLdap;
use crate::support::ldap::web;
use crate::support::ldap::wire::{self, Scope, equal};
use crate::support::scripted::App;

/// It is part of every password here, and of nothing else.
const CANARY: &str = "cAnArY8Q2Zx7Lm4Vt9";

#[tokio::test]
async fn passwords_leave_no_copy() {
    let scratch = Scratch::new("canary");
    let right = format!("right-{CANARY}");
    let people = scratch.write("more.ldif", &person("canary", &right));
    let openldap = OpenLdap::start(scratch.path(), &[("SLAPD_MORE", people.to_str().unwrap())]);
    let apps = "        - slug: codes
          bind_password: { value: codes-password-codes-password-codes-pass }
          attributes: [uid]
          passwords: [upstream, otp_suffix, app_password]
          learn: true
";
    let wanted = Wanted {
        apps,
        others: &client(),
        directory: "      posix: allocate\n      bind_cache: 60s\n      password_modify: true\n",
        settings: &[("FEDBRIDGE_LOG", "trace"), ("FEDBRIDGE_LIMITS_FAILURES_PER_ACCOUNT", "1000/min")],
        ..Wanted::default()
    };
    let company = Company::before(scratch, openldap, wanted).await;
    company.knows("canary").await;

    let long = CANARY.repeat(40);
    let odd = [
        format!("wrong-{CANARY}"),
        format!("{CANARY},123456"),
        format!("{CANARY} ü*)(\\"),
        format!(" {CANARY}\t"),
        format!("{{SSHA}}{CANARY}"),
        long,
    ];
    let passwords: Vec<&str> = odd.iter().map(String::as_str).chain([right.as_str()]).collect();
    over_ldap(&company, &passwords);
    let app = App::of(&company.bridge);
    for password in &passwords {
        for name in ["canary", "nobody", "canary@acme.example"] {
            web::log_in(&mut Browser::new(), &app, name, password).await;
        }
    }
    let login = web::identity(&app, "canary", &right).await;
    let given = company.setup.ok(&["users", "app-password", "add", login["sub"].as_str().unwrap()]
        .into_iter()
        .chain(["--tenant", "acme", "--app", "codes"])
        .collect::<Vec<_>>());
    let app_password = given.lines().next().unwrap().to_owned();
    over_ldap(&company, &[&app_password, &app_password.replace('-', "")]);

    let Company { scratch, setup, bridge, openldap, .. } = company;
    let log = bridge.log();
    assert!(log.contains("TRACE") && log.contains("DEBUG"), "the log is not at its lowest level");
    bridge.stop();
    let needles = [CANARY.to_owned(), app_password.clone(), app_password.replace('-', "")];
    // It is found where it has to be.
    assert!(holds(&std::fs::read(scratch.path().join("more.ldif")).unwrap(), &needles[..1]));
    assert!(holds(base64_of("p:", &right).as_bytes(), &needles[..1]));
    drop(openldap);

    let of_ours = files(scratch.path());
    let names: Vec<_> = of_ours.iter().map(|path| path.file_name().unwrap().to_str().unwrap()).collect();
    assert!(names.contains(&"fedbridge.db") && names.iter().any(|name| name.starts_with("serve-")), "{names:?}");
    for path in of_ours {
        assert!(!holds(&std::fs::read(&path).unwrap(), &needles), "a password is in {}", path.display());
    }
    // What is sealed in the database, as an administrator reads it.
    let list = setup.ok(&["trace", "list", "--tenant", "acme", "--json"]);
    let traces: Vec<Value> = serde_json::from_str(&list).unwrap();
    assert!(traces.len() > passwords.len(), "{}", traces.len());
    for trace in &traces {
        let shown = setup.ok(&["trace", "show", trace["id"].as_str().unwrap(), "--json"]);
        assert!(!holds(shown.as_bytes(), &needles), "{shown}");
    }
    let learned = setup.ok(&["ldap", "learned", "acme/codes", "--json"]);
    assert!(!holds((list + &learned).as_bytes(), &needles));
}

/// As everything that a client can bind as, by itself and by way of an app; and where no password belongs.
fn over_ldap(company: &Company, passwords: &[&str]) {
    let directory = &company.directory;
    let open = || Client::open(&directory.url, &directory.ca).unwrap();
    let codes = format!("cn=codes,ou=apps,{}", directory.base);
    for password in passwords {
        let own = [directory.person("canary"), "canary".into(), directory.person("nobody"), directory.app.dn.clone()];
        let mut by_app = open();
        assert_eq!(by_app.bind(&codes, "codes-password-codes-password-codes-pass").unwrap().code, 0);
        for name in &own {
            open().bind(name, password).unwrap();
        }
        by_app.bind(&own[0], password).unwrap();
        let plain = [b"\0canary\0", password.as_bytes()].concat();
        let sasl = wire::sequence(0xa3, &[wire::element(0x04, b"PLAIN"), wire::element(0x04, &plain)]);
        let bind = [wire::element(0x02, &[3]), wire::element(0x04, b""), sasl];
        open().ask(&wire::sequence(wire::tag::BIND, &bind)).unwrap();
        // In clear.
        let mut clear = Client::open(&directory.clear, &directory.ca).unwrap();
        clear.bind(&own[0], password).unwrap();

        let mut app = open();
        app.bind(&codes, "codes-password-codes-password-codes-pass").unwrap();
        app.search(&directory.base, Scope::Sub, &equal("userPassword", password), &["uid"]).unwrap();
        app.compare(&own[0], "userPassword", password).unwrap();
        // RFC 3062: whose, the old one, the new one.
        let change = wire::sequence(
            0x30,
            &[
                wire::element(0x80, own[0].as_bytes()),
                wire::element(0x81, format!("not-{password}").as_bytes()),
                wire::element(0x82, format!("new-{password}").as_bytes()),
            ],
        );
        let oid = wire::element(0x80, b"1.3.6.1.4.1.4203.1.11.1");
        app.ask(&wire::sequence(wire::tag::EXTENDED, &[oid, wire::element(0x81, &change)])).unwrap();
    }
    // Octets that are no text.
    let octets = [CANARY.as_bytes(), b"\xff\xfe"].concat();
    let bind = [wire::element(0x02, &[3]), wire::element(0x04, b"canary"), wire::element(0x80, &octets)];
    open().ask(&wire::sequence(wire::tag::BIND, &bind)).unwrap();
}

/// Whether one of the texts is in there, as it is, in any capitals, in hexadecimal or in base64.
fn holds(octets: &[u8], needles: &[String]) -> bool {
    let lower = octets.to_ascii_lowercase();
    let has = |haystack: &[u8], needle: &str| memmem(haystack, needle.as_bytes());
    needles.iter().any(|needle| {
        let hexadecimal: String = needle.bytes().map(|octet| format!("{octet:02x}")).collect();
        has(&lower, &needle.to_ascii_lowercase())
            || has(&lower, &hexadecimal)
            || (0..3).any(|behind| has(octets, &inner_base64(needle, behind)))
    })
}

fn memmem(haystack: &[u8], needle: &[u8]) -> bool {
    let Some((first, rest)) = needle.split_first() else { return true };
    let mut from = haystack;
    while let Some(at) = from.iter().position(|octet| octet == first) {
        from = &from[at + 1..];
        if from.starts_with(rest) {
            return true;
        }
    }
    false
}

/// The letters of its base64 that are the same whatever stands around, with so many octets before it.
fn inner_base64(needle: &str, before: usize) -> String {
    let text = base64_of(&"x".repeat(before), needle);
    let text = text.trim_end_matches('=');
    text[[0, 2, 3][before]..(before + needle.len()) * 8 / 6].to_owned()
}

fn base64_of(before: &str, text: &str) -> String {
    base64::engine::general_purpose::STANDARD.encode(format!("{before}{text}"))
}

/// The bridge's own, and not what the test wrote for the directory behind.
fn files(folder: &Path) -> Vec<PathBuf> {
    let all = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    all.filter(|path| path.is_file() && path.extension().is_none_or(|ending| ending != "ldif")).collect()
}

fn person(name: &str, password: &str) -> String {
    format!(
        "dn: cn=patient,ou=policies,@SUFFIX@
objectClass: organizationalRole
objectClass: pwdPolicy
cn: patient
pwdAttribute: userPassword
pwdLockout: FALSE

dn: uid={name},ou=people,@SUFFIX@
objectClass: inetOrgPerson
uid: {name}
cn: {name}
sn: {name}
mail: {name}@acme.example
pwdPolicySubentry: cn=patient,ou=policies,@SUFFIX@
userPassword: {password}
"
    )
}
