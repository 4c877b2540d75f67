#![allow(clippy::unwrap_used)]
use serde_json::{Value, json};
use uuid::Uuid;

use super::*;
use crate::directories::testkit::{directory, person, person_id};
use fedbridge_contract::ldap_directory::LdapDirectory;

fn made(claims: Value, directory: &LdapDirectory) -> (Person, Catalogue) {
    let mut catalogue = Catalogue::default();
    let layout = Layout::of(directory).unwrap();
    let mut made = Person::of(&person(7, claims), vec![3, 1, 3], &layout, &mut catalogue);
    made.is_named = true;
    (made, catalogue)
}

fn shown(claims: Value, directory: &LdapDirectory) -> String {
    let (made, catalogue) = made(claims, directory);
    let texts = made.blob.iter().map(|held| {
        let values: Vec<_> = held.values().map(String::from_utf8_lossy).collect();
        format!("{}={}", catalogue.name(held.id), values.join("|"))
    });
    texts.collect::<Vec<_>>().join("; ")
}

fn posix() -> LdapDirectory {
    LdapDirectory { posix: Posix::Allocate, ..directory() }
}

#[test]
fn a_person_has_what_the_class_wants() {
    assert_eq!(
        shown(json!({ "preferred_username": "ada", "name": "Ada King Lovelace" }), &directory()),
        "uid=ada; cn=Ada King Lovelace; sn=Lovelace; displayName=Ada King Lovelace"
    );
    assert_eq!(
        shown(json!({ "given_name": "Ada", "family_name": "Lovelace" }), &directory()),
        "cn=Ada Lovelace; sn=Lovelace; givenName=Ada; displayName=Ada Lovelace"
    );
    let uuid = Uuid::from_u128(7).hyphenated().to_string();
    assert_eq!(shown(json!({}), &directory()), format!("cn={uuid}; sn={uuid}; displayName={uuid}"));
}

#[test]
fn what_is_no_value_of_the_syntax_is_not_shown() {
    let text = shown(json!({ "preferred_username": "ada", "email": "adä@acme.example", "name": "Ada" }), &directory());
    assert!(!text.contains("mail"), "an address in IA5: {text}");
    assert!(!shown(json!({ "employee_number": ["1", "2"] }), &directory()).contains('|'), "one value");
}

#[test]
fn posix_accounts() {
    let text = shown(json!({ "preferred_username": "ada", "name": "Ada" }), &posix());
    assert!(text.ends_with("homeDirectory=/home/ada; loginShell=/bin/sh; gecos=Ada"), "{text}");
    let text = shown(json!({ "preferred_username": "ada", "home_directory": "/nfs/ada", "name": "Ädä" }), &posix());
    assert!(text.contains("homeDirectory=/nfs/ada") && !text.contains("gecos"), "{text}");
    for name in ["../root", "a:b", "a b", "-r", ".."] {
        let (person, _) = made(json!({ "preferred_username": name }), &posix());
        assert!(!person.is_posix() && person.blob.get(AttributeId::HOME_DIRECTORY).is_none(), "{name}");
    }
    let text = shown(json!({ "preferred_username": "ada", "home_directory": "/nfs/ada" }), &directory());
    assert!(!text.contains("homeDirectory"), "posix is off: {text}");
    let upstream = LdapDirectory { posix: Posix::Upstream, ..directory() };
    let mut given = person(7, json!({ "preferred_username": "ada", "uid_number": "4711" }));
    given.posix = None;
    let layout = Layout::of(&upstream).unwrap();
    let made = Person::of(&given, Vec::new(), &layout, &mut Catalogue::default());
    assert_eq!(made.posix, Some(PosixNumbers { uid: 4711, gid: 4711 }));
}

#[test]
fn what_a_bind_needs_comes_back() {
    let connection = ConnectionId::from_uuid(Uuid::from_u128(9));
    let mut given =
        person(7, json!({ "preferred_username": "ada", "email": "a@acme.example", "name": "Ada", "groups": ["x"] }));
    given.logins = vec![
        KnownLogin { connection, key: "k1".into(), place: Some("uid=ada,dc=ad".into()) },
        KnownLogin { connection, key: "k2".into(), place: None },
    ];
    let layout = Layout::of(&directory()).unwrap();
    let made = Person::of(&given, vec![3, 1, 3], &layout, &mut Catalogue::default());
    assert_eq!(*made.groups, [1, 3]);
    assert!(made.is_in(3) && !made.is_in(2));
    let back = made.for_bind(vec!["x".to_owned()]);
    assert_eq!((back.id, &back.claims, &back.logins), (person_id(7), &given.claims, &given.logins));
}
