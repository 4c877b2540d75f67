//! The peers by themselves: what the tests of the bridge rely on.

use crate::support::Scratch;
use crate::support::ldap::client::Client;
use crate::support::ldap::servers::{OpenLdap, Samba};
use crate::support::ldap::wire::{Scope, equal};

/// Each account of the domain is refused for its own reason, and only with its right password for that one.
#[tokio::test]
async fn samba_tells_why_it_refuses() {
    let scratch = Scratch::new("samba-alone");
    let samba = Samba::start(scratch.path());
    let refused = |name: &str, password: &str| {
        let said = samba.tool_as(&format!("{name}@ad.example.test"), password, "ldapsearch", &["-s", "base", "-b", ""]);
        assert_eq!(said.status, Some(49), "{name}: {said:#?}");
        said.err.split_once("data ").unwrap().1.split(',').next().unwrap().to_owned()
    };
    for (name, code) in
        [("disabled", "533"), ("expired", "701"), ("workstation", "531"), ("hours", "530"), ("mustchange", "773")]
    {
        assert_eq!(refused(name, &format!("{name}-password")), code, "{name}");
        assert_eq!(refused(name, "wrong-password"), "52e", "{name}");
    }
    assert_eq!(refused("nobody", "wrong-password"), "52e");
    for _ in 0..5 {
        assert_eq!(refused("guess1", "wrong-password"), "52e");
    }
    assert_eq!(samba.attribute("guess1", "badPwdCount").as_deref(), Some("5"));
    assert_eq!(refused("guess1", "guess1-password"), "775");
}

/// The client of these tests speaks LDAP as slapd does.
#[tokio::test]
async fn the_client_of_these_tests_speaks_to_openldap() {
    let scratch = Scratch::new("slapd-alone");
    let openldap = OpenLdap::start(scratch.path(), &[]);
    let directory = &openldap.directory;
    let alice = directory.person("alice");
    for mut client in [
        Client::open(&directory.url, &directory.ca).unwrap(),
        Client::start_tls(&directory.clear, &directory.ca).unwrap(),
        Client::open(&directory.clear, &directory.ca).unwrap(),
    ] {
        assert_eq!(client.who_am_i().unwrap(), "");
        assert_eq!(client.bind(&alice, "wrong").unwrap().code, 49);
        assert_eq!(client.bind(&alice, "alice-password").unwrap().code, 0);
        assert_eq!(client.who_am_i().unwrap(), format!("dn:{alice}"));
        assert_eq!(client.compare(&alice, "uid", "ALICE").unwrap().code, 6);
        let (found, outcome) =
            client.search(&directory.people, Scope::Sub, &equal("sn", "bäcker"), &["displayName"]).unwrap();
        assert_eq!((found.len(), outcome.code), (1, 0));
        assert_eq!(found[0].value("displayname").as_deref(), Some("Bob \"Bobby\" Bäcker"));
        let entry = client.entry(&alice, &["memberOf"]).unwrap().unwrap();
        assert_eq!(entry.values("memberOf"), [directory.group("employees"), directory.group("admins")]);
        assert!(client.entry(&directory.person("nobody"), &[]).unwrap().is_none());
    }
}
