use fedbridge_contract::text::nearest;
use serde_json::json;

use super::*;

fn secrets(names: &[&str]) -> BTreeMap<String, Vec<u8>> {
    names.iter().map(|name| ((*name).to_owned(), b"a secret".to_vec())).collect()
}

fn basic(more: Value) -> Value {
    let mut all = json!({
        "flavor": "openldap",
        "urls": ["ldaps://ldap.example"],
        "bind_dn": "cn=bridge,dc=acme",
        "users": { "base": "ou=people,dc=acme" },
    });
    for (key, value) in more.as_object().unwrap() {
        all[key] = value.clone();
    }
    all
}

fn parse(settings: Value) -> (Settings, Way) {
    match Settings::parse(&settings, &secrets(&[BIND_PASSWORD])) {
        Ok(parsed) => parsed,
        Err(complaints) => panic!("{complaints:?}"),
    }
}

fn complaints(settings: Value, names: &[&str]) -> Vec<String> {
    match Settings::parse(&settings, &secrets(names)) {
        Ok(_) => Vec::new(),
        Err(complaints) => complaints.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn little_is_needed() {
    let (settings, way) = parse(basic(json!({})));
    assert_eq!(settings.users.keys, ["entryUUID"]);
    assert_eq!(settings.users.bind, BindStyle::Search);
    assert_eq!(settings.users.filter.fill(&[("username", "a*")]).print(), r"(uid=a\2a)");
    assert!(settings.groups.is_none() && settings.sync.is_none() && settings.revalidate.is_none());
    assert_eq!(settings.state_age, Duration::from_secs(60));
    assert_eq!((way.encryption, way.timeouts, way.pool), (Encryption::Tls, Timeouts::default(), Pool::default()));
    let Where::Listed { servers, order } = way.servers else { panic!("no list") };
    assert_eq!((servers[0].host.as_str(), servers[0].port, order), ("ldap.example", 636, crate::wire::Order::AsListed));
    assert!(matches!(way.account, Account::Simple { dn, .. } if dn == "cn=bridge,dc=acme"));
}

#[test]
fn the_example_of_the_interface() {
    let (settings, way) = parse(json!({
        "flavor": "active_directory",
        "urls": ["ldaps://dc1.acme.example", "ldaps://dc2.acme.example:3269"],
        "start_tls": false,
        "allow_plaintext": false,
        "bind_dn": "bridge@acme.example",
        "users": { "base": "ou=people,dc=acme,dc=example", "filter": "(sAMAccountName={username})" },
        "groups": { "base": "ou=groups,dc=acme,dc=example", "nested": true },
        "sync": { "full": "24h", "delta": "1m" },
        "revalidate": "0s",
    }));
    assert_eq!(settings.users.keys, ["objectGUID"]);
    let groups = settings.groups.unwrap();
    assert_eq!((groups.how, groups.nested, groups.depth, groups.most), (How::TokenGroups, true, 20, 1_000));
    assert_eq!(
        (groups.shown, groups.on_failure, groups.budget),
        (ShownAs::Name, OnFailure::Deny, Duration::from_secs(2))
    );
    let sync = settings.sync.unwrap();
    assert_eq!((sync.method, sync.schedule.most_missing), (SyncMethod::Usn, 10));
    assert_eq!((sync.schedule.full, sync.schedule.delta), (Duration::from_secs(86_400), Some(Duration::from_secs(60))));
    assert_eq!(settings.revalidate, Some(Duration::ZERO));
    let Where::Listed { servers, .. } = way.servers else { panic!("no list") };
    assert_eq!(servers[1].port, 3269);
}

#[test]
fn servers_by_name_service() {
    let (_, way) = parse(json!({
        "flavor": "active_directory", "srv": "AD.acme.example.", "bind_dn": "b@x", "users": { "base": "dc=acme" },
    }));
    let expected =
        Where::Srv { name: "_ldap._tcp.dc._msdcs.ad.acme.example".to_owned(), domain: "ad.acme.example".to_owned() };
    assert_eq!((way.servers, way.encryption), (expected, Encryption::Tls));
    let (_, way) = parse(basic(json!({ "urls": null, "srv": "acme.example", "start_tls": true })));
    assert_eq!(way.encryption, Encryption::StartTls);
    assert!(matches!(way.servers, Where::Srv { name, .. } if name == "_ldap._tcp.acme.example"));
}

#[test]
fn servers_share_by_weight() {
    let urls = json!([{ "url": "ldap://a.example", "weight": 3 }, "ldap://[::1]:3389"]);
    let (_, way) = parse(basic(json!({ "urls": urls, "start_tls": true })));
    let Where::Listed { servers, order } = way.servers else { panic!("no list") };
    assert_eq!((way.encryption, order), (Encryption::StartTls, crate::wire::Order::Weighted));
    assert_eq!((servers[0].port, servers[0].weight, servers[1].host.as_str(), servers[1].port), (389, 3, "::1", 3389));
}

#[test]
fn clear_text_stays_on_this_machine() {
    for (urls, more, good) in [
        (json!(["ldap://127.0.0.1:3389"]), json!({ "allow_plaintext": true }), true),
        (json!(["ldap://[::1]"]), json!({ "allow_plaintext": true }), true),
        (json!(["ldap://127.0.0.1"]), json!({}), false),
        (json!(["ldap://localhost"]), json!({ "allow_plaintext": true }), false),
        (json!(["ldap://dc1.acme.example"]), json!({ "allow_plaintext": true }), false),
        (json!(["ldap://127.0.0.1.example"]), json!({ "allow_plaintext": true }), false),
        (json!(["ldap://127.0.0.1", "ldaps://dc1.acme.example"]), json!({ "allow_plaintext": true }), false),
        (json!(["ldap://dc1.acme.example"]), json!({ "start_tls": true, "allow_plaintext": true }), false),
    ] {
        let mut settings = basic(more);
        settings["urls"] = urls;
        let found = complaints(settings.clone(), &[BIND_PASSWORD]);
        assert_eq!(found.is_empty(), good, "{settings}: {found:?}");
    }
}

#[test]
fn each_mistake_is_named() {
    for (more, expected) in [
        (json!({ "flavour": "openldap" }), "flavour: unknown key; the nearest known one is `flavor`"),
        (json!({ "flavor": "ad" }), "flavor: expected generic, openldap or active_directory, found `ad`"),
        (json!({ "urls": null }), "urls: is missing"),
        (json!({ "urls": ["https://ldap.example"] }), "urls[0]: expected an address"),
        (json!({ "urls": ["ldaps://ldap.example/dc=acme"] }), "urls[0]: expected an address"),
        (json!({ "urls": ["ldaps://u:p@ldap.example"] }), "urls[0]: expected an address"),
        (json!({ "urls": ["ldaps://l%64ap.example"] }), "urls[0]: expected an address"),
        (json!({ "urls": ["ldaps://a.example", "ldaps://A.example:636"] }), "urls[1]: is there twice"),
        (json!({ "urls": [] }), "urls: expected 1 to 16 addresses, found 0"),
        (
            json!({ "urls": [{ "url": "ldaps://a.example", "weigth": 1 }] }),
            "urls[0].weigth: unknown key; the nearest known one is `weight`",
        ),
        (json!({ "srv": "acme.example" }), "srv: urls is there too"),
        (json!({ "urls": null, "srv": "acme" }), "srv: expected a domain"),
        (json!({ "start_tls": true }), "start_tls: begins TLS on ldap:// addresses"),
        (json!({ "pins": ["xyz"] }), "pins[0]: expected the SHA-256"),
        (json!({ "client_cert": "PEM" }), "client_key: is missing"),
        (json!({ "bind_dn": null }), "bind_dn: is missing; it belongs to bind_password"),
        (json!({ "bind_dn": "bridge@acme" }), "bind_dn: is no DN"),
        (json!({ "users": null }), "users: is missing"),
        (json!({ "users": {} }), "users.base: is missing"),
        (json!({ "users": { "base": "people" } }), "users.base: is no DN"),
        (json!({ "users": { "base": "" } }), "users.base: is empty"),
        (
            json!({ "users": { "base": "dc=a", "filtr": "x" } }),
            "users.filtr: unknown key; the nearest known one is `filter`",
        ),
        (json!({ "users": { "base": "dc=a", "filter": "(uid={user})" } }), "users.filter: at character 6"),
        (json!({ "users": { "base": "dc=a", "filter": "(uid={username}" } }), "users.filter: at character"),
        (json!({ "users": { "base": "dc=a", "filter": "({username}=x)" } }), "users.filter: at character"),
        (json!({ "users": { "base": "dc=a", "filter": "(uid=alice)" } }), "users.filter: has no {username}"),
        (json!({ "users": { "base": "dc=a", "bind": "template" } }), "users.dn: is missing"),
        (
            json!({ "users": { "base": "dc=a", "bind": "template", "dn": "uid={nobody},dc=a" } }),
            "users.dn: at character 5",
        ),
        (
            json!({ "users": { "base": "dc=a", "dn": "uid={username},dc=a" } }),
            "users.dn: is only of use beside bind: template",
        ),
        (json!({ "users": { "base": "dc=a", "bind": "upn" } }), "users.domain: is missing"),
        (
            json!({ "users": { "base": "dc=a", "bind": "down_level", "domain": "ACME\\x" } }),
            "users.domain: is a domain alone",
        ),
        (
            json!({ "users": { "base": "dc=a", "key": "mail" } }),
            "users.key: mail can go to another person later; use entryUUID",
        ),
        (
            json!({ "users": { "base": "dc=a", "attributes": ["a b"] } }),
            "users.attributes[0]: is not the name of an attribute",
        ),
        (json!({ "groups": { "nested": true } }), "groups.base: is missing"),
        (
            json!({ "groups": { "base": "dc=a", "how": "token_groups" } }),
            "groups.how: token_groups is Active Directory's",
        ),
        (
            json!({ "groups": { "base": "dc=a", "member": ["members"] } }),
            "groups.member[0]: `members` is not known here",
        ),
        (
            json!({ "groups": { "base": "dc=a", "depth": 0 } }),
            "groups.depth: expected a whole number from 1 to 100, found 0",
        ),
        (json!({ "groups": { "base": "dc=a", "budget": "5m" } }), "groups.budget: expected a duration from 50ms to 1m"),
        (json!({ "referrals": ["ldap://dc3"] }), "referrals[0]: expected a host alone"),
        (json!({ "timeouts": { "conect": "1s" } }), "timeouts.conect: unknown key; the nearest known one is `connect`"),
        (json!({ "timeouts": { "bind": "1ms" } }), "timeouts.bind: expected a duration from 100ms to 2m"),
        (json!({ "pool": { "age": "15m" } }), "pool.age: expected a duration from 5s to 14m"),
        (json!({ "pool": { "users": 0 } }), "pool.users: expected a whole number from 1 to 256, found 0"),
        (json!({ "max_pdu": "10MB" }), "max_pdu: expected a whole number from 65536 to 268435456, found text"),
        (json!({ "sync": { "method": "usn" } }), "sync.method: only Active Directory has it"),
        (json!({ "sync": { "full": "1h", "delta": "2h" } }), "sync.delta: is longer than sync.full"),
        (json!({ "lockout": { "forgets": "5m" } }), "lockout.after: is missing"),
        (json!({ "revalidate": "25h" }), "revalidate: expected a duration from 0s to 1d"),
    ] {
        let found = complaints(basic(more.clone()), &[BIND_PASSWORD]);
        assert!(found.len() == 1 && found[0].starts_with(expected), "{more}: {found:?}");
    }
}

#[test]
fn accounts_are_whole() {
    let no_dn = json!({ "bind_dn": null });
    assert_eq!(complaints(basic(no_dn.clone()), &[]), Vec::<String>::new(), "anonymous, where the directory allows it");
    let found = complaints(basic(json!({})), &[]);
    assert_eq!(found, ["bind_password: is missing; it belongs to bind_dn cn=bridge,dc=acme"]);
    let mut active_directory = basic(no_dn);
    active_directory["flavor"] = "active_directory".into();
    let found = complaints(active_directory.clone(), &[]);
    assert_eq!(found, ["bind_dn: is missing; Active Directory shows nothing to whoever is not bound"]);
    active_directory["client_cert"] = "PEM".into();
    let external = Settings::parse(&active_directory, &secrets(&[CLIENT_KEY]));
    assert!(external.is_ok_and(|(_, way)| matches!(way.account, Account::External)));
    let empty = BTreeMap::from([(BIND_PASSWORD.to_owned(), b"\0\0".to_vec())]);
    let found = Settings::parse(&basic(json!({})), &empty).err().unwrap();
    assert!(found[0].to_string().starts_with("bind_password: is empty"), "{found:?}");
}

#[test]
fn all_complaints_come_at_once() {
    let found = complaints(
        json!({
            "flavor": "openldap", "urls": ["ldaps://a/b"], "users": { "base": "x", "filter": "(" }, "groups": {}, "syncs": 1,
        }),
        &[],
    );
    for part in ["syncs:", "urls[0]:", "users.base:", "users.filter:", "groups.base:"] {
        assert!(found.iter().any(|complaint| complaint.starts_with(part)), "{part}: {found:?}");
    }
}

#[test]
fn every_setting_has_its_help() {
    let names: Vec<_> = FIELDS.iter().map(|field| field.name).collect();
    assert_eq!(nearest("bind_pasword", names.iter().copied()), Some(BIND_PASSWORD));
    assert!(FIELDS.iter().all(|field| field.help.ends_with('.') || field.help.ends_with('}')));
    let secret: Vec<_> = FIELDS.iter().filter(|field| field.secret).map(|field| field.name).collect();
    assert_eq!(secret, [CLIENT_KEY, BIND_PASSWORD]);
}
