//! Passwords for single apps that an administrator gives and takes back, with two nodes.

use std::process::Output;

use crate::support::Database;
use crate::support::eventually;
use crate::support::ldap::client::Client;
use crate::support::ldap::company::{Company, Wanted, has, listen};
use crate::support::ldap::tools::{Account, Directory};

const APPS: &str = "        - slug: mail
          bind_password: { value: mail-password-mail-password-mail-pass }
          attributes: [uid]
          passwords: [app_password]
        - slug: both
          bind_password: { value: both-password-both-password-both-pass }
          attributes: [uid]
          passwords: [upstream, app_password]
        - slug: wiki
          bind_password: { value: wiki-password-wiki-password-wiki-pass }
          attributes: [uid]
          passwords: [upstream]
";

/// By way of an app: the code of the person's bind.
fn bind(directory: &Directory, app: &str, name: &str, password: &str) -> u32 {
    let mut client = Client::open(&directory.url, &directory.ca).unwrap();
    let own = Account {
        dn: format!("cn={app},ou=apps,{}", directory.base),
        password: format!("{app}-password-{app}-password-{app}-pass"),
    };
    assert_eq!(client.bind(&own.dn, &own.password).unwrap().code, 0, "{app}");
    client.bind(&directory.person(name), password).unwrap().code
}

#[tokio::test]
async fn an_administrator_gives_an_app_password_and_takes_it_back() {
    let wanted = Wanted {
        database: Database::Postgres,
        // What is remembered of a right password must not outlive it.
        directory: "      posix: allocate\n      bind_cache: 60s\n",
        apps: APPS,
        ..Wanted::default()
    };
    let company = Company::start(wanted).await;
    let mut setup = company.setup.another_node();
    let second = listen(&mut setup, &company.authority);
    let other = setup.serve(&company.scratch).await;
    eventually("the second node has alice", async || has(&second, "alice").then_some(())).await;
    let nodes = [&company.directory, &second];

    let users = |rest: &[&str]| company.setup.ok(&[&["users"], rest, &["--tenant", "acme"]].concat());
    let list = users(&["list", "--search", "alice"]);
    let alice = list.lines().nth(1).and_then(|line| line.split_whitespace().next()).unwrap_or_else(|| panic!("{list}"));
    let add = |app: &str| {
        let said = users(&["app-password", "add", alice, "--app", app, "--label", "old printer"]);
        let (password, rest) = said.split_once('\n').unwrap();
        assert!(!rest.contains(password) && rest.contains(app), "{said}");
        password.to_owned()
    };
    let (mail, both) = (add("mail"), add("both"));
    assert_eq!(mail.len(), 29, "{mail}");
    for node in nodes {
        // The second time it is remembered.
        for _ in 0..2 {
            assert_eq!(bind(node, "mail", "alice", &mail), 0);
            assert_eq!(bind(node, "both", "alice", &both), 0);
        }
        assert_eq!(bind(node, "both", "alice", "alice-password"), 0);
        for (app, name, password) in [
            ("both", "alice", &*mail),
            ("wiki", "alice", &mail),
            ("mail", "bob", &mail),
            ("mail", "alice", &both),
            ("mail", "alice", "alice-password"),
        ] {
            assert_eq!(bind(node, app, name, password), 49, "{app} {name}");
        }
    }
    let list = users(&["app-password", "list", alice]);
    assert!(list.matches("old printer").count() == 2 && !list.contains("never"), "{list}");
    assert!(!list.contains(&mail) && !list.contains(&mail.replace('-', "")), "{list}");
    assert_eq!(users(&["app-password", "list", alice, "--app", "mail"]).lines().count(), 2);

    // One by its id, which leaves the others.
    let second_of_mail = add("mail");
    let ids = users(&["app-password", "list", alice, "--app", "mail"]);
    let ids: Vec<_> = ids.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    let said = users(&["app-password", "revoke", alice, "--app", "mail", "--id", ids[1]]);
    assert!(said.contains("1 password for mail less"), "{said}");
    for node in nodes {
        assert_eq!(bind(node, "mail", "alice", &second_of_mail), 49);
        assert_eq!(bind(node, "mail", "alice", &mail), 0);
    }
    // All of an app, remembered or not.
    for password in [&mail, &both] {
        for node in nodes {
            let app = if *password == mail { "mail" } else { "both" };
            assert_eq!(bind(node, app, "alice", password), 0);
        }
    }
    users(&["app-password", "revoke", alice, "--app", "mail"]);
    users(&["app-password", "revoke", alice, "--app", "both"]);
    for node in nodes {
        eventually("every node forgets it", async || (bind(node, "mail", "alice", &mail) == 49).then_some(())).await;
        eventually("what was remembered too", async || (bind(node, "both", "alice", &both) == 49).then_some(())).await;
        assert_eq!(bind(node, "both", "alice", "alice-password"), 0);
    }
    assert_eq!(users(&["app-password", "list", alice]).lines().count(), 1);

    refuses_what_can_not_be(&company, alice);
    // Both nodes end: what was recorded is written.
    drop(other);
    let traces = company.setup.ok(&["trace", "list", "--tenant", "acme", "--kind", "account"]);
    assert_eq!(traces.matches("alice").count(), 11, "three and five given, three taken back: {traces}");
}

fn refuses_what_can_not_be(company: &Company, alice: &str) {
    let run = |rest: &[&str]| -> Output {
        company.setup.run(&[&["users", "app-password"], rest, &["--tenant", "acme"]].concat())
    };
    let wrong = |rest: &[&str]| {
        let output = run(rest);
        assert_eq!(output.status.code(), Some(2), "{rest:?}");
        String::from_utf8(output.stderr).unwrap()
    };
    for _ in 0..5 {
        assert!(run(&["add", alice, "--app", "mail"]).status.success());
    }
    let nobody = "00000000000000000000000000000001";
    for (arguments, said) in [
        (&["add", alice, "--app", "mail"][..], "as many app passwords for this app as there can be"),
        (&["add", alice, "--app", "wiki"], "add `app_password` to the `passwords` of the app"),
        (&["add", alice, "--app", "mial"], "there is no LDAP app `mial`; the nearest is `mail`"),
        (&["add", alice, "--app", "both", "--label", "two\nlines"], "the label is not one line"),
        (&["add", nobody, "--app", "mail"], "there is no user"),
        (&["revoke", alice, "--app", "both"], "has no such password for both"),
        (&["revoke", alice, "--app", "mail", "--id", nobody], "has no such password for mail"),
        (&["revoke", alice, "--app", "mail", "--id", "x"], "is not the id of an app password"),
    ] {
        let text = wrong(arguments);
        assert!(text.contains(said), "{arguments:?}: {text}");
    }
}
