//! Two tenants on one listener.

use crate::support::Scratch;
use crate::support::bridge::Setup;
use crate::support::eventually;
use crate::support::ldap::certificates::Authority;
use crate::support::ldap::client::Client;
use crate::support::ldap::company::{APP_PASSWORD, BASE, Wanted, bridge_file, has, listen};
use crate::support::ldap::servers::OpenLdap;
use crate::support::ldap::tools::{Account, Directory};
use crate::support::ldap::wire::{Scope, present};

const OTHER: &str = "dc=other,dc=example";

/// Each has an alice with a password of her own, and sees nothing of the other's.
#[tokio::test]
async fn tenants_are_told_apart_by_the_name() {
    let scratch = Scratch::new("ldap-tenants");
    let ours = OpenLdap::start(&scratch.path().join("ours"), &[]);
    let theirs = OpenLdap::start_with_suffix(&scratch.path().join("theirs"), OTHER, &[]);
    theirs.change(&format!(
        "dn: uid=alice,ou=people,{OTHER}\nchangetype: modify\nreplace: userPassword\nuserPassword: another-password\n-\nreplace: pwdReset\npwdReset: FALSE\n"
    ));
    let mut setup = Setup::sqlite(scratch.path());
    let authority = Authority::new(scratch.path());
    let acme = listen(&mut setup, &authority);
    let other = Directory {
        base: OTHER.into(),
        people: format!("ou=people,{OTHER}"),
        groups: format!("ou=groups,{OTHER}"),
        app: Account { dn: format!("cn=app,ou=apps,{OTHER}"), password: APP_PASSWORD.to_uppercase() },
        ..acme.clone()
    };
    let file = bridge_file(&ours.connection("corp", "        sync: { full: 1h }\n"), Wanted::default());
    let second = bridge_file(&theirs.connection("corp", "        sync: { full: 1h }\n"), Wanted::default());
    let second = second.split_once("tenants:\n").unwrap().1;
    let second = second.replace("slug: acme", "slug: other").replace("[acme.example]", "[other.example]");
    let second = second.replace(BASE, OTHER).replace(APP_PASSWORD, &other.app.password);
    setup.apply(&scratch, &format!("{file}{second}"));
    let _bridge = setup.serve(&scratch).await;
    for directory in [&acme, &other] {
        eventually("both directories have alice", async || has(directory, "alice").then_some(())).await;
    }

    let open = || Client::open(&acme.url, &acme.ca).unwrap();
    let code = |name: &str, password: &str| open().bind(name, password).unwrap().code;
    assert_eq!(code(&acme.person("alice"), "alice-password"), 0);
    assert_eq!(code(&other.person("alice"), "another-password"), 0);
    assert_eq!(code(&acme.person("alice"), "another-password"), 49);
    assert_eq!(code(&other.person("alice"), "alice-password"), 49);
    assert_eq!(code(&acme.app.dn, &other.app.password), 49);
    assert_eq!(code(&other.app.dn, &acme.app.password), 49);
    // A bare name belongs to neither.
    assert_eq!(code("alice", "alice-password"), 49);
    assert_eq!(code("alice", "another-password"), 49);

    for (own, foreign) in [(&acme, &other), (&other, &acme)] {
        let mut client = open();
        assert_eq!(client.bind(&own.app.dn, &own.app.password).unwrap().code, 0);
        let nowhere = client.search("dc=nowhere,dc=example", Scope::Sub, &present("objectClass"), &[]).unwrap();
        for base in [&foreign.base, &foreign.people, &foreign.person("alice")] {
            assert_eq!(client.search(base, Scope::Sub, &present("objectClass"), &[]).unwrap(), nowhere, "{base}");
        }
        assert_eq!(client.compare(&foreign.person("alice"), "uid", "alice").unwrap().code, 32);
        // It binds as itself only: as one of the other tenant's people, the connection is that tenant's.
        assert_eq!(client.bind(&foreign.person("alice"), "alice-password").unwrap().code == 0, foreign.base == BASE);
    }
}
