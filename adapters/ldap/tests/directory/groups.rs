//! How groups are found.

use std::time::Duration;

use fedbridge_contract::password::PasswordOutcome;
use serde_json::{Value, json};

use crate::server::State;
use crate::world::{ALICE, PASSWORD, World};

fn with_groups(more: Value) -> Value {
    let mut groups = json!({ "base": "ou=groups,dc=acme" });
    for (key, value) in more.as_object().unwrap() {
        groups[key] = value.clone();
    }
    json!({ "groups": groups })
}

fn group(state: &mut State, name: &str, attribute: &str, members: &[&str]) -> String {
    let dn = format!("cn={name},ou=groups,dc=acme");
    state.add(&dn, &[("cn", &[name]), (attribute, members)]);
    dn
}

async fn world(more: Value) -> World {
    World::openldap(with_groups(more)).await
}

#[tokio::test]
async fn groups_name_their_members_in_many_ways() {
    let world = world(json!({ "how": "search", "member": ["member", "uniqueMember", "memberUid", "memberURL"] })).await;
    {
        let mut state = world.server.state();
        state.set(ALICE, "x500UniqueIdentifier", vec![b"'0101'B".to_vec()]);
        group(&mut state, "names", "member", &["UID=Alice, ou=people,dc=acme"]);
        group(&mut state, "unique", "uniqueMember", &[ALICE]);
        group(&mut state, "unique-bits", "uniqueMember", &[&format!("{ALICE}#'0101'B")]);
        group(&mut state, "posix", "memberUid", &["alice"]);
        group(&mut state, "dynamic", "memberURL", &["ldap:///ou=people,dc=acme??sub?(mail=alice@acme.example)"]);
        group(&mut state, "dynamic-other", "memberURL", &["ldap:///ou=people,dc=acme??sub?(mail=bob@acme.example)"]);
        group(&mut state, "dynamic-elsewhere", "memberURL", &["ldap:///ou=services,dc=acme??sub?(objectClass=*)"]);
        group(&mut state, "others", "member", &["uid=bob,ou=people,dc=acme"]);
    }
    assert_eq!(world.groups_of("alice").await, ["dynamic", "names", "posix", "unique", "unique-bits"]);
}

#[tokio::test]
async fn groups_of_groups_and_circles() {
    let nested = world(json!({ "how": "search" })).await;
    let flat = world(json!({ "how": "search", "nested": false })).await;
    for world in [&nested, &flat] {
        let mut state = world.server.state();
        let mut below = ALICE.to_owned();
        for level in 1..=6 {
            below = group(&mut state, &format!("level-{level}"), "member", &[&below]);
        }
        group(&mut state, "circle-a", "member", &[ALICE, "cn=circle-b,ou=groups,dc=acme"]);
        group(&mut state, "circle-b", "uniqueMember", &["cn=circle-a,ou=groups,dc=acme"]);
    }
    let all = ["circle-a", "circle-b", "level-1", "level-2", "level-3", "level-4", "level-5", "level-6"];
    assert_eq!(nested.groups_of("alice").await, all);
    assert_eq!(flat.groups_of("alice").await, ["circle-a", "level-1"]);
}

#[tokio::test]
async fn bounds_keep_a_login_out() {
    for (more, part) in [
        (json!({ "how": "search", "depth": 2 }), "groups.depth"),
        (json!({ "how": "search", "most": 3 }), "groups.most"),
        (json!({ "how": "search", "budget": "50ms" }), "groups.budget"),
    ] {
        for fail in ["deny", "without"] {
            let mut more = more.clone();
            more["fail"] = fail.into();
            let world = world(more).await;
            {
                let mut state = world.server.state();
                let mut below = ALICE.to_owned();
                for level in 1..=4 {
                    below = group(&mut state, &format!("level-{level}"), "member", &[&below]);
                }
                if part == "groups.budget" {
                    state.slow_groups = Some(Duration::from_millis(300));
                }
            }
            let (outcome, trace) = world.login("alice", PASSWORD).await;
            match (fail, outcome) {
                ("deny", PasswordOutcome::Unavailable(error)) => assert!(error.cause.contains(part), "{}", error.cause),
                ("without", PasswordOutcome::Accepted { identity, .. }) => {
                    assert!(!identity.attributes.contains("groupName"));
                    assert!(format!("{:?}", trace.steps()).contains(part), "{:?}", trace.steps());
                }
                (_, other) => panic!("{part} {fail}: {other:?}"),
            }
        }
    }
}

#[tokio::test]
async fn an_entry_names_its_groups() {
    let world = world(json!({})).await;
    {
        let mut state = world.server.state();
        let staff = group(&mut state, "staff", "member", &[]);
        let dev = group(&mut state, "Dev, Ops", "member", &[]).replace("Dev, Ops", r"Dev\, Ops");
        state.entries.last_mut().unwrap().dn = dev.clone();
        let above = group(&mut state, "above", "member", &[&staff]);
        let numbered = "gidNumber=7,ou=groups,dc=acme".to_owned();
        state.add(&numbered, &[("cn", &["Numbered"])]);
        let outside = "cn=admins,ou=elsewhere,dc=acme".to_owned();
        let no_name = "not a name".to_owned();
        let of_alice = [staff, dev, numbered, outside, no_name].map(String::into_bytes).to_vec();
        state.set(ALICE, "memberOf", of_alice);
        let _ = above;
    }
    let (_, trace) = world.login("alice", PASSWORD).await;
    assert_eq!(world.groups_of("alice").await, ["Dev, Ops", "Numbered", "above", "staff"]);
    assert!(
        format!("{:?}", trace.steps()).contains("2 outside of ou=groups,dc=acme do not count"),
        "{:?}",
        trace.steps()
    );
    // What the entry leaves out names the person itself.
    group(&mut world.server.state(), "unix", "memberUid", &["alice"]);
    assert_eq!(world.groups_of("alice").await, ["Dev, Ops", "Numbered", "above", "staff", "unix"]);
}

#[tokio::test]
async fn groups_as_names_of_entries() {
    let world = world(json!({ "how": "search", "as": "dn" })).await;
    group(&mut world.server.state(), "staff", "member", &[ALICE]);
    assert_eq!(world.groups_of("alice").await, ["cn=staff,ou=groups,dc=acme"]);
    assert!(world.enter("bob", "bob-password").await.attributes.contains("groupName"), "none is an answer too");
}

#[tokio::test]
async fn many_groups_come_in_pages_and_many_values_in_parts() {
    let searched = world(json!({ "how": "search", "nested": false, "budget": "30s" })).await;
    {
        let mut state = searched.server.state();
        for number in 0..701 {
            group(&mut state, &format!("g{number:04}"), "member", &[ALICE]);
        }
        state.size_limit = Some(300);
    }
    assert_eq!(searched.groups_of("alice").await.len(), 701);

    let ranged = world(json!({ "how": "member_of", "nested": false, "most": 9000 })).await;
    {
        let mut state = ranged.server.state();
        let names = (0..5_001).map(|number| format!("cn=g{number:04},ou=groups,dc=acme").into_bytes());
        state.set(ALICE, "memberOf", names.collect());
        state.range = Some(1_500);
    }
    let identity = ranged.enter("alice", PASSWORD).await;
    assert_eq!(identity.attributes.get("groupName").len(), 5_001);
    assert_eq!(identity.attributes.get("memberOf").len(), 5_001);
}

#[tokio::test]
async fn a_base_of_groups_that_may_not_be_seen() {
    let world = World::openldap(json!({ "groups": { "base": "ou=grups,dc=acme", "how": "search" } })).await;
    let why = world.unavailable("alice", PASSWORD).await;
    assert!(why.contains("ou=grups,dc=acme"), "{why}");
}

/// A SID of the domain with this number in it.
fn sid(number: u32) -> Vec<u8> {
    let mut octets = vec![1, 5, 0, 0, 0, 0, 0, 5];
    for part in [21, 1_000, 2_000, 3_000, number] {
        octets.extend(u32::to_le_bytes(part));
    }
    octets
}

async fn active_directory(more: Value) -> World {
    let mut groups = json!({ "base": "dc=acme" });
    for (key, value) in more.as_object().unwrap() {
        groups[key] = value.clone();
    }
    let world = World::open("active_directory", json!({ "groups": groups })).await;
    {
        let mut state = world.server.state();
        let dn = "CN=Alice,ou=people,dc=acme";
        state
            .add(dn, &[("sAMAccountName", &["alice"]), ("userAccountControl", &["512"]), ("primaryGroupID", &["513"])]);
        state.set(dn, "objectGUID", vec![(0..16).collect()]);
        state.set(dn, "objectSid", vec![sid(1105)]);
        state.set(dn, "memberOf", vec![b"CN=Dev,ou=groups,dc=acme".to_vec()]);
        state.set(dn, "tokenGroups", vec![sid(513), sid(1201), sid(1202), sid(9999)]);
        state.password(dn, "alice-password");
        for (dn, number, members) in [
            ("CN=Domain Users,cn=Users,dc=acme", 513, &[][..]),
            ("CN=Dev,ou=groups,dc=acme", 1201, &[dn]),
            ("CN=Staff,ou=groups,dc=acme", 1202, &["CN=Dev,ou=groups,dc=acme"]),
            ("CN=Everybody,ou=groups,dc=acme", 1203, &["CN=Domain Users,cn=Users,dc=acme"]),
        ] {
            state.add(dn, &[("cn", &[&dn[3..dn.find(',').unwrap()]]), ("member", members)]);
            state.set(dn, "objectSid", vec![sid(number)]);
        }
    }
    world
}

#[tokio::test]
async fn active_directory_works_groups_out() {
    let world = active_directory(json!({})).await;
    assert_eq!(world.groups_of("alice").await, ["Dev", "Domain Users", "Staff"], "what the token says");
    let identity = world.enter("alice", PASSWORD).await;
    assert_eq!(identity.subject.key, "objectguid=03020100-0504-0706-0809-0a0b0c0d0e0f");
    assert_eq!(identity.attributes.get("objectSid"), ["S-1-5-21-1000-2000-3000-1105"]);
    world.server.state().hidden = vec!["tokenGroups"];
    let why = world.unavailable("alice", PASSWORD).await;
    assert!(why.contains("may not read it"), "{why}");
}

#[tokio::test]
async fn the_primary_group_belongs_to_the_others() {
    for how in ["member_of", "matching_rule", "search"] {
        let world = active_directory(json!({ "how": how })).await;
        assert_eq!(world.groups_of("alice").await, ["Dev", "Domain Users", "Everybody", "Staff"], "{how}");
        let world = active_directory(json!({ "how": how, "nested": false })).await;
        assert_eq!(world.groups_of("alice").await, ["Dev", "Domain Users"], "{how}");
    }
}
