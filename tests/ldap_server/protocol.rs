//! The protocol, octet by octet (protocols/ldap.md part D).

use crate::support::ldap::client::Client;
use crate::support::ldap::company::{BASE, Company, Wanted};
use crate::support::ldap::wire::{self, Scope, equal, present, sequence, tag};

/// RFC 4511 appendix A.
mod code {
    pub const SUCCESS: u32 = 0;
    pub const OPERATIONS_ERROR: u32 = 1;
    pub const PROTOCOL_ERROR: u32 = 2;
    pub const CONFIDENTIALITY_REQUIRED: u32 = 13;
    pub const NO_SUCH_OBJECT: u32 = 32;
    pub const INVALID_CREDENTIALS: u32 = 49;
    pub const UNWILLING_TO_PERFORM: u32 = 53;
}

#[tokio::test]
async fn binds_are_answered_as_the_protocol_wants() {
    let company = Company::start(Wanted::default()).await;
    let directory = &company.directory;
    let open = || Client::open(&directory.url, &directory.ca).unwrap();
    let alice = directory.person("alice");

    // Nobody, by the empty name; and a name without a password, which is nobody in disguise.
    assert_eq!(open().bind("", "").unwrap().code, code::SUCCESS);
    assert_eq!(open().bind(&alice, "").unwrap().code, code::UNWILLING_TO_PERFORM);
    // Version 2 is another protocol.
    let old = sequence(tag::BIND, &[vec![0x02, 1, 2], wire::element(0x04, b""), wire::element(0x80, b"")]);
    assert_eq!(open().ask(&old).unwrap().code, code::PROTOCOL_ERROR);
    // Before TLS, a password is refused, right or wrong; nobody needs none.
    let mut clear = Client::open(&directory.clear, &directory.ca).unwrap();
    for password in ["alice-password", "wrong"] {
        assert_eq!(clear.bind(&alice, password).unwrap().code, code::CONFIDENTIALITY_REQUIRED);
    }
    assert_eq!(clear.bind("", "").unwrap().code, code::SUCCESS);
    let mut upgraded = Client::start_tls(&directory.clear, &directory.ca).unwrap();
    assert_eq!(upgraded.bind(&alice, "alice-password").unwrap().code, code::SUCCESS);
    assert_eq!(upgraded.who_am_i().unwrap(), format!("dn:{alice}"));
    // A second time is one too many.
    assert_eq!(upgraded.ask(&wire::extended("1.3.6.1.4.1.1466.20037")).unwrap().code, code::OPERATIONS_ERROR);

    // Names in any form that means her, and names that mean nobody.
    for name in [alice.to_uppercase(), alice.replace(',', " , "), "alice".into(), "alice@acme.example".into()] {
        let mut client = open();
        assert_eq!(client.bind(&name, "alice-password").unwrap().code, code::SUCCESS, "{name}");
        assert_eq!(client.who_am_i().unwrap(), format!("dn:{alice}"), "{name}");
    }
    let mut texts = Vec::new();
    for (name, password) in [
        (alice.as_str(), "wrong"),
        (&directory.person("nobody"), "alice-password"),
        (&directory.person("*"), "alice-password"),
        ("uid=alice,ou=people,dc=other,dc=example", "alice-password"),
        ("uid=alice,ou=people,dc=acme,dc=example", "alice-password"),
        (&directory.app.dn, "wrong-password-wrong-password-wrong"),
        (&format!("ou=people,{BASE}"), "alice-password"),
        ("no DN at all", "alice-password"),
    ] {
        let refused = open().bind(name, password).unwrap();
        assert_eq!((refused.code, refused.matched.as_str()), (code::INVALID_CREDENTIALS, ""), "{name}: {refused:?}");
        texts.push(refused.text);
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "{texts:?}");
}

/// A bind that fails leaves nobody, and one that succeeds leaves nothing of who was there before.
#[tokio::test]
async fn a_connection_is_who_bound_last() {
    let company = Company::start(Wanted::default()).await;
    let directory = &company.directory;
    let mut client = Client::open(&directory.url, &directory.ca).unwrap();
    let (alice, bob) = (directory.person("alice"), directory.person("bob"));
    for _ in 0..3 {
        client.bind(&directory.app.dn, &directory.app.password).unwrap();
        assert_eq!(client.who_am_i().unwrap(), format!("dn:{}", directory.app.dn));
        assert!(client.entry(&bob, &["uid"]).unwrap().is_some());
        client.bind(&alice, "alice-password").unwrap();
        assert_eq!(client.who_am_i().unwrap(), format!("dn:{alice}"));
        // People read themselves.
        assert!(client.entry(&alice, &["uid"]).unwrap().is_some());
        assert!(client.entry(&bob, &["uid"]).unwrap().is_none());
        client.bind(&alice, "wrong").unwrap();
        assert_eq!(client.who_am_i().unwrap(), "");
        assert!(client.entry(&alice, &["uid"]).unwrap().is_none());
    }
}

/// A hundred searches are on the way, and each is answered by its number.
#[tokio::test]
async fn searches_may_overtake_each_other() {
    let company = Company::start(Wanted::default()).await;
    let directory = &company.directory;
    let mut client = Client::open(&directory.url, &directory.ca).unwrap();
    client.bind(&directory.app.dn, &directory.app.password).unwrap();
    let names = ["alice", "bob", "carol", "nobody"];
    let mut expected = std::collections::BTreeMap::new();
    let mut octets = Vec::new();
    for number in 0..100 {
        let (id, name) = (1_000 + number, names[number as usize % names.len()]);
        let search = wire::search(&directory.people, Scope::Sub, &equal("uid", name), &["uid"]);
        octets.extend(wire::message(id, &search));
        expected.insert(id, name);
    }
    client.send_octets(&octets).unwrap();
    let mut found = std::collections::BTreeMap::new();
    let mut done = 0;
    while done < 100 {
        let answer = client.receive().unwrap();
        match answer.entry() {
            Some(entry) => assert!(found.insert(answer.id, entry.value("uid").unwrap()).is_none()),
            None => {
                assert_eq!((answer.tag, answer.outcome().unwrap().code), (tag::SEARCH_DONE, code::SUCCESS));
                done += 1;
            }
        }
    }
    expected.retain(|_, name| *name != "nobody");
    assert_eq!(found, expected.into_iter().map(|(id, name)| (id, name.to_owned())).collect());
}

/// What comes behind a request for TLS in the clear is thrown away, and so is what it asks for.
#[tokio::test]
async fn nothing_is_smuggled_in_before_tls() {
    let company = Company::start(Wanted::default()).await;
    let directory = &company.directory;
    let mut client = Client::open(&directory.clear, &directory.ca).unwrap();
    let mut octets = wire::message(1, &wire::extended("1.3.6.1.4.1.1466.20037"));
    octets.extend(wire::message(2, &wire::search("", Scope::Base, &present("objectClass"), &["+"])));
    client.send_octets(&octets).unwrap();
    // TLS begins, or the connection ends: the search is never answered in clear.
    while let Ok(answer) = client.receive() {
        assert_ne!(answer.id, 2, "{answer:?}");
    }
}

#[tokio::test]
async fn bad_octets_end_one_connection_and_no_other() {
    let company = Company::start(Wanted::default()).await;
    let directory = &company.directory;
    let mut good = Client::open(&directory.url, &directory.ca).unwrap();
    good.bind(&directory.app.dn, &directory.app.password).unwrap();
    let deep = (0..100_000).fold(
        present("uid"),
        |inner, _| {
            if inner.len() > 60_000 { inner } else { sequence(0xa2, &[inner]) }
        },
    );
    let deep = wire::message(1, &wire::search(BASE, Scope::Sub, &deep, &[]));
    let long = [0x30, 0x84, 0xff, 0xff, 0xff, 0xff, 0x02, 0x01];
    let indefinite = [0x30, 0x80, 0x02, 0x01, 0x01, 0x42, 0x00, 0x00, 0x00];
    let zero = wire::message(0, &wire::extended("1.3.6.1.4.1.4203.1.11.3"));
    let http = b"GET / HTTP/1.1\r\nHost: ldap\r\n\r\n";
    // An inner length that goes beyond what holds it.
    let overrun = [0x30, 0x06, 0x02, 0x01, 0x01, 0x60, 0x7f, 0x00];
    for octets in [&deep[..], &long, &indefinite, &zero, http, &overrun] {
        let mut client = Client::open(&directory.url, &directory.ca).unwrap();
        client.send_octets(octets).unwrap();
        // An error, a notice of disconnection, or nothing; then the end.
        let mut answers = 0;
        while let Ok(answer) = client.receive() {
            assert_ne!(answer.outcome().map(|outcome| outcome.code), Some(code::SUCCESS), "{octets:02x?}");
            answers += 1;
            // An error that only the message is guilty of may leave the connection.
            if answer.id != 0 || answers > 2 {
                break;
            }
        }
    }
    assert!(good.entry(&directory.person("alice"), &["uid"]).unwrap().is_some());
}

/// What can't be is said in the protocol's own words.
#[tokio::test]
async fn errors_name_what_is_wrong() {
    let company = Company::start(Wanted::default()).await;
    let directory = &company.directory;
    let mut client = Client::open(&directory.url, &directory.ca).unwrap();
    client.bind(&directory.app.dn, &directory.app.password).unwrap();
    let filter = present("objectClass");
    let (_, nowhere) = client.search(&format!("cn=x,ou=nowhere,{BASE}"), Scope::Base, &filter, &[]).unwrap();
    assert_eq!((nowhere.code, nowhere.matched.as_str()), (code::NO_SUCH_OBJECT, BASE));
    let (_, other) = client.search("dc=other,dc=example", Scope::Sub, &filter, &[]).unwrap();
    assert_eq!((other.code, other.matched.as_str()), (code::NO_SUCH_OBJECT, ""));
    assert_eq!(client.ask(&wire::extended("1.2.3.4")).unwrap().code, code::PROTOCOL_ERROR);
    // Each of the three ways to find the same person.
    for scope in [Scope::One, Scope::Sub] {
        let (entries, _) = client.search(&directory.people, scope, &equal("uid", "alice"), &["uid"]).unwrap();
        assert_eq!(entries.len(), 1, "{scope:?}");
    }
    let (entries, _) = client.search(BASE, Scope::One, &filter, &["ou"]).unwrap();
    let containers: Vec<_> = entries.iter().map(|entry| entry.dn.to_lowercase()).collect();
    for container in [&directory.people, &directory.groups] {
        assert!(containers.contains(&container.to_lowercase()), "{containers:?}");
    }
    let (alice, _) =
        client.search(&directory.person("alice"), Scope::Base, &filter, &["userPassword", "*", "+"]).unwrap();
    assert!(alice[0].values("userPassword").is_empty() && alice[0].value("entryUUID").is_some(), "{alice:?}");
}
