//! People are read without anybody logging in: everybody, and what has changed.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use fedbridge_contract::directory::{DirectorySource, RecordSink, Seen, SyncCookie, SyncError};
use fedbridge_ldap_core::control::Control;
use fedbridge_ldap_core::sync::{SYNC_DONE, SYNC_INFO, SYNC_STATE};
use fedbridge_ldap_core::{Code, Done, Entry, LdapResult, Op};
use serde_json::json;

use crate::server::Answers;
use crate::world::{ALICE, ALICES_KEY, World};

const BOB: &str = "uid=bob,ou=people,dc=acme";
const BOBS_KEY: &str = "entryuuid=597ae2f6-16a6-1027-98f4-d28b5365dc15";
const MINUTE: Duration = Duration::from_secs(60);

#[derive(Default)]
struct Taken(Vec<Seen>);

#[async_trait]
impl RecordSink for Taken {
    async fn take(&mut self, seen: Seen) -> Result<(), SyncError> {
        self.0.push(seen);
        Ok(())
    }
}

/// What was named, in short.
fn short(seen: &[Seen]) -> Vec<String> {
    let one = |seen: &Seen| match seen {
        Seen::Person(record) => match &record.disabled {
            None => record.subject.key.clone(),
            Some(why) => format!("{} out: {why}", record.subject.key),
        },
        Seen::Present(key) => format!("there {key}"),
        Seen::Gone(key) => format!("gone {key}"),
        Seen::Unclear { key, why } => format!("unclear {key}: {why}"),
        Seen::NobodyElse => "nobody else".to_owned(),
    };
    let mut all: Vec<_> = seen.iter().map(one).collect();
    all.sort();
    all
}

fn source(world: &World) -> &dyn DirectorySource {
    world.adapter.directory.as_deref().unwrap()
}

async fn full(world: &World) -> (SyncCookie, Vec<String>) {
    let mut taken = Taken::default();
    let cookie = source(world).full(&world.tenant, &mut taken).await.unwrap();
    (cookie, short(&taken.0))
}

async fn delta(world: &World, since: &SyncCookie) -> Result<(SyncCookie, Vec<String>), SyncError> {
    let mut taken = Taken::default();
    let cookie = source(world).delta(&world.tenant, since, &mut taken).await?;
    Ok((cookie, short(&taken.0)))
}

async fn by_time() -> World {
    let world = World::openldap(json!({ "sync": { "method": "modify_timestamp", "delta": "1m" } })).await;
    for (dn, time) in [(ALICE, "20260228120000Z"), (BOB, "20260228130000Z")] {
        world.server.state().set(dn, "modifyTimestamp", vec![time.into()]);
    }
    world
}

#[tokio::test]
async fn everybody_is_read_as_at_a_login() {
    let world = by_time().await;
    world.server.state().add("cn=printer,ou=people,dc=acme", &[("cn", &["printer"])]);
    world.server.state().set(BOB, "shadowExpire", vec![b"1".to_vec()]);
    let mut taken = Taken::default();
    source(&world).full(&world.tenant, &mut taken).await.unwrap();
    assert_eq!(short(&taken.0), [ALICES_KEY.to_owned(), format!("{BOBS_KEY} out: shadowExpire 1")]);
    let Some(Seen::Person(alice)) = taken.0.first() else { panic!("{:?}", taken.0) };
    let login = world.enter("alice", crate::world::PASSWORD).await;
    assert_eq!((&alice.subject, &alice.attributes), (&login.subject, &login.attributes));
    assert_eq!(alice.place.as_deref(), Some(ALICE));
}

#[tokio::test]
async fn a_search_that_is_cut_short_names_nobody_as_gone() {
    let world = by_time().await;
    let (cookie, _) = full(&world).await;
    let refused = async |world: &World| {
        let mut taken = Taken::default();
        let error = source(world).full(&world.tenant, &mut taken).await.unwrap_err();
        assert!(!taken.0.contains(&Seen::NobodyElse));
        error.to_string()
    };
    world.server.state().search_fails = Some(("uid", 4));
    assert!(refused(&world).await.contains("before everybody was read"));
    world.later(MINUTE * 60);
    let mut taken = Taken::default();
    assert!(source(&world).delta(&world.tenant, &cookie, &mut taken).await.is_err());
    assert!(taken.0.is_empty(), "{:?}", taken.0);
    world.server.state().search_fails = None;
    world.server.state().entries.clear();
    assert!(refused(&world).await.contains("the base ou=people,dc=acme is not there"));
}

#[tokio::test]
async fn changes_are_found_by_their_time_and_none_of_a_second_is_lost() {
    let world = by_time().await;
    let (cookie, seen) = full(&world).await;
    assert_eq!(seen, [ALICES_KEY, BOBS_KEY]);
    let (cookie, seen) = delta(&world, &cookie).await.unwrap();
    assert_eq!(seen, [BOBS_KEY], "who changed about as late as the newest one is read again");
    // In the very second of the newest change, and by a server whose clock is four minutes behind.
    for time in ["20260228130000Z", "20260228125600Z"] {
        world.server.state().set(ALICE, "modifyTimestamp", vec![time.into()]);
        let (_, seen) = delta(&world, &cookie).await.unwrap();
        assert_eq!(seen, [ALICES_KEY, BOBS_KEY], "{time}");
    }
    world.server.state().set(ALICE, "modifyTimestamp", vec![b"20260228140000Z".to_vec()]);
    let (cookie, seen) = delta(&world, &cookie).await.unwrap();
    assert_eq!(seen, [ALICES_KEY, BOBS_KEY]);
    let (cookie, seen) = delta(&world, &cookie).await.unwrap();
    assert_eq!(seen, [ALICES_KEY], "the mark has moved on");

    // Whom the filter finds no more, and who was deleted: that nobody says, but once an hour.
    {
        let mut state = world.server.state();
        state.set(ALICE, "uid", vec![]);
        state.entries.retain(|entry| entry.dn != BOB);
    }
    let (cookie, seen) = delta(&world, &cookie).await.unwrap();
    assert_eq!(seen, [format!("gone {ALICES_KEY}")]);
    world.later(MINUTE * 60);
    let (_, seen) = delta(&world, &cookie).await.unwrap();
    assert_eq!(seen, [format!("gone {ALICES_KEY}"), "nobody else".to_owned()]);
}

#[tokio::test]
async fn a_changed_group_has_everybody_read_again() {
    let groups = json!({ "base": "ou=groups,dc=acme", "how": "search" });
    let world =
        World::openldap(json!({ "sync": { "method": "modify_timestamp", "delta": "1m" }, "groups": groups })).await;
    let dev = "cn=dev,ou=groups,dc=acme";
    world.server.state().add(dev, &[("cn", &["dev"]), ("member", &[ALICE, BOB])]);
    world.server.state().set(dev, "modifyTimestamp", vec![b"20260228120000Z".to_vec()]);
    let (cookie, _) = full(&world).await;
    world.later(MINUTE * 20);
    let (cookie, _) = delta(&world, &cookie).await.unwrap();
    // Alice is taken out; her own entry does not change.
    world.server.state().set(dev, "member", vec![BOB.into()]);
    world.server.state().set(dev, "modifyTimestamp", vec![b"20260228120500Z".to_vec()]);
    let error = delta(&world, &cookie).await.unwrap_err();
    assert_eq!(error, SyncError::FullNeeded("a group has changed".to_owned()));
    let (cookie, _) = full(&world).await;
    world.server.state().set(dev, "modifyTimestamp", vec![b"20260228120700Z".to_vec()]);
    world.later(MINUTE);
    let (cookie, _) = delta(&world, &cookie).await.unwrap();
    world.later(MINUTE * 14);
    assert!(matches!(delta(&world, &cookie).await, Err(SyncError::FullNeeded(_))), "it is not forgotten");
}

#[tokio::test]
async fn somebody_whose_groups_are_not_found_stays() {
    let groups = json!({ "base": "ou=groups,dc=acme", "how": "search" });
    let world = World::openldap(json!({ "sync": { "method": "keys" }, "groups": groups })).await;
    world.server.state().search_fails = Some(("member=uid=bob", 1));
    let (_, seen) = full(&world).await;
    assert_eq!(seen[0], ALICES_KEY);
    assert!(seen[1].starts_with(&format!("unclear {BOBS_KEY}: ")), "{seen:?}");
}

const GUID: [&[u8]; 2] = [b"0123456789abcdef", b"1123456789abcdef"];
const AD_KEYS: [&str; 2] =
    ["objectguid=33323130-3534-3736-3839-616263646566", "objectguid=33323131-3534-3736-3839-616263646566"];
const DC: &str = "CN=NTDS Settings,CN=DC1,DC=acme";

async fn domain() -> World {
    let sync = json!({ "delta": "1m" });
    let world = World::open("active_directory", json!({ "sync": sync })).await;
    {
        let mut state = world.server.state();
        state.add("ou=people,dc=acme", &[]);
        state.add(DC, &[]);
        state.set(DC, "invocationId", vec![b"invocation-id-01".to_vec()]);
        for (name, guid, usn) in [("alice", GUID[0], "100"), ("bob", GUID[1], "101")] {
            let dn = format!("cn={name},ou=people,dc=acme");
            state.add(&dn, &[("sAMAccountName", &[name]), ("objectClass", &["person"]), ("uSNChanged", &[usn])]);
            state.set(&dn, "objectGUID", vec![guid.to_vec()]);
        }
        root(&mut state, DC, "101");
    }
    world
}

fn root(state: &mut crate::server::State, service: &str, usn: &str) {
    let one = |name: &str, value: &str| (name.to_owned(), vec![Bytes::copy_from_slice(value.as_bytes())]);
    state.root =
        vec![one("dsServiceName", service), one("highestCommittedUSN", usn), one("defaultNamingContext", "dc=acme")];
}

#[tokio::test]
async fn a_domain_controller_counts_its_changes() {
    let world = domain().await;
    let (cookie, seen) = full(&world).await;
    assert_eq!(seen, AD_KEYS);
    let (cookie, seen) = delta(&world, &cookie).await.unwrap();
    assert_eq!(seen, Vec::<String>::new());
    let bob = "cn=bob,ou=people,dc=acme";
    {
        let mut state = world.server.state();
        state.set(bob, "userAccountControl", vec![b"514".to_vec()]);
        state.set(bob, "uSNChanged", vec![b"102".to_vec()]);
        root(&mut state, DC, "102");
    }
    let (cookie, seen) = delta(&world, &cookie).await.unwrap();
    assert_eq!(seen, [format!("{} out: userAccountControl 514", AD_KEYS[1])]);
    // Out of the base, and deleted.
    {
        let mut state = world.server.state();
        let moved = state.entries.iter_mut().find(|entry| entry.dn == bob).unwrap();
        moved.dn = "cn=bob,ou=left,dc=acme".to_owned();
        let alice = "cn=alice,ou=people,dc=acme";
        state.set("cn=bob,ou=left,dc=acme", "uSNChanged", vec![b"103".to_vec()]);
        state.set(alice, "isDeleted", vec![b"TRUE".to_vec()]);
        state.set(alice, "uSNChanged", vec![b"104".to_vec()]);
        root(&mut state, DC, "104");
    }
    let (_, seen) = delta(&world, &cookie).await.unwrap();
    assert_eq!(seen, [format!("gone {}", AD_KEYS[1])], "the account may not see what is deleted");
    world.server.state().shows_deleted = true;
    let (_, seen) = delta(&world, &cookie).await.unwrap();
    assert_eq!(seen, AD_KEYS.map(|key| format!("gone {key}")));
    world.server.state().shows_deleted = false;
    world.later(MINUTE * 60);
    let (_, seen) = delta(&world, &cookie).await.unwrap();
    assert_eq!(seen, [format!("gone {}", AD_KEYS[1]), "nobody else".to_owned()], "all keys are compared");
}

#[tokio::test]
async fn numbers_of_one_controller_say_nothing_at_another() {
    let world = domain().await;
    let (cookie, _) = full(&world).await;
    let other = "CN=NTDS Settings,CN=DC2,DC=acme";
    world.server.state().add(other, &[]);
    root(&mut world.server.state(), other, "9000");
    assert!(matches!(delta(&world, &cookie).await, Err(SyncError::FullNeeded(_))), "another one");
    root(&mut world.server.state(), DC, "99");
    assert!(matches!(delta(&world, &cookie).await, Err(SyncError::FullNeeded(_))), "it has gone back");
    root(&mut world.server.state(), DC, "200");
    assert!(delta(&world, &cookie).await.is_ok());
    world.server.state().set(DC, "invocationId", vec![b"invocation-id-02".to_vec()]);
    assert!(matches!(delta(&world, &cookie).await, Err(SyncError::FullNeeded(_))), "it was restored");
}

const UUIDS: [[u8; 16]; 2] = [
    *b"\x59\x7a\xe2\xf6\x16\xa6\x10\x27\x98\xf4\xd2\x8b\x53\x65\xdc\x14",
    *b"\x59\x7a\xe2\xf6\x16\xa6\x10\x27\x98\xf4\xd2\x8b\x53\x65\xdc\x15",
];

fn state_control(change: u8, uuid: [u8; 16]) -> Vec<Control> {
    let value = [&[0x30, 0x15, 0x0a, 0x01, change, 0x04, 0x10][..], &uuid].concat();
    vec![Control::with_value(SYNC_STATE, true, value.into())]
}

fn done(cookie: &[u8], deletes: bool, code: Code) -> (Op, Vec<Control>) {
    let mut value = vec![0x30, 0, 0x04, u8::try_from(cookie.len()).unwrap()];
    value.extend(cookie);
    if deletes {
        value.extend([0x01, 0x01, 0xff]);
    }
    value[1] = u8::try_from(value.len() - 2).unwrap();
    let op = Op::Done { of: Done::Search, result: LdapResult::new(code, "") };
    (op, vec![Control::with_value(SYNC_DONE, true, value.into())])
}

fn ids(deleted: bool, uuid: [u8; 16]) -> (Op, Vec<Control>) {
    let flag: &[u8] = if deleted { &[0x01, 0x01, 0xff] } else { &[] };
    let set = [&[0x31, 0x12, 0x04, 0x10][..], &uuid].concat();
    let inner = [flag, &set].concat();
    let value = [&[0xa3, u8::try_from(inner.len()).unwrap()][..], &inner].concat();
    (Op::Intermediate { oid: Some(SYNC_INFO.to_owned()), value: Some(value.into()) }, Vec::new())
}

fn person(uid: &str, uuid: &str, state: Vec<Control>) -> (Op, Vec<Control>) {
    let one = |name: &str, value: &str| (name.to_owned(), vec![Bytes::copy_from_slice(value.as_bytes())]);
    let dn = format!("uid={uid},ou=people,dc=acme");
    (Op::Entry(Entry { dn, attributes: vec![one("uid", uid), one("entryUUID", uuid)] }), state)
}

#[tokio::test]
async fn a_server_says_what_has_changed_since_its_cookie() {
    let world = World::openldap(json!({ "sync": { "delta": "1m" } })).await;
    let play = |answers: Vec<Answers>| world.server.state().replicates = answers.into();
    let uuid = |key: &str| key.split_once('=').unwrap().1.to_owned();
    let (alice, bob) = (uuid(ALICES_KEY), uuid(BOBS_KEY));
    play(vec![vec![
        person("alice", &alice, state_control(1, UUIDS[0])),
        person("bob", &bob, state_control(1, UUIDS[1])),
        done(b"c1", false, Code::SUCCESS),
    ]]);
    let (first, seen) = full(&world).await;
    assert_eq!(seen, [ALICES_KEY, BOBS_KEY]);

    // Nothing is new; an answer without a word ends nobody.
    for deletes in [true, false] {
        play(vec![vec![done(b"c1", deletes, Code::SUCCESS)]]);
        assert_eq!(delta(&world, &first).await.unwrap().1, Vec::<String>::new());
    }
    play(vec![vec![
        person("alice", &alice, state_control(2, UUIDS[0])),
        ids(true, UUIDS[1]),
        done(b"c2", true, Code::SUCCESS),
    ]]);
    let (second, seen) = delta(&world, &first).await.unwrap();
    assert_eq!(seen, [ALICES_KEY.to_owned(), format!("gone {BOBS_KEY}")]);
    assert_ne!(first, second);
    // Without its log it says who is there.
    play(vec![vec![ids(false, UUIDS[0]), done(b"c3", false, Code::SUCCESS)]]);
    let (third, seen) = delta(&world, &second).await.unwrap();
    assert_eq!(seen, ["nobody else".to_owned(), format!("there {ALICES_KEY}")]);
    play(vec![vec![done(b"", false, Code::SYNC_REFRESH_REQUIRED)]]);
    assert!(matches!(delta(&world, &third).await, Err(SyncError::FullNeeded(_))));
    // It breaks off.
    play(vec![vec![ids(false, UUIDS[0]), done(b"c4", false, Code::BUSY)]]);
    let mut taken = Taken::default();
    assert!(source(&world).delta(&world.tenant, &third, &mut taken).await.is_err());
    assert!(!taken.0.contains(&Seen::NobodyElse));
}

#[tokio::test]
async fn where_no_synchronization_is_offered_times_are_compared() {
    let world = World::openldap(json!({ "sync": { "delta": "1m" } })).await;
    let (cookie, seen) = full(&world).await;
    assert_eq!(seen, [ALICES_KEY, BOBS_KEY]);
    assert!(delta(&world, &cookie).await.is_ok());
    assert!(cookie.0.to_string().contains("modify_timestamp"), "{cookie:?}");
}
