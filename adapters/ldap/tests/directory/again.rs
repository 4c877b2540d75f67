//! Somebody who is known: the password alone, a look at a session's person, a new password, and a look at the servers.

use std::time::Duration;

use bytes::BytesMut;
use fedbridge_contract::directory::PassedSearch;
use fedbridge_contract::identity::{AuthnFacts, UpstreamSubject, UpstreamTokens};
use fedbridge_contract::password::{Changed, PasswordOutcome, Proved, Why};
use fedbridge_contract::services::Clock as _;
use fedbridge_contract::trace::TraceLog;
use fedbridge_contract::upstream::{AskedAgain, Level, StillThere};
use fedbridge_ldap_core::control::Control;
use fedbridge_ldap_core::frame::{RESPONSE_DEPTH, envelope};
use fedbridge_ldap_core::{Filter, Framer, Message, Op};
use serde_json::json;
use tokio::sync::mpsc;

use crate::server::{BindAnswer, SERVICE};
use crate::world::{ALICE, ALICES_KEY, NOW, PASSWORD, World};

fn searches(world: &World) -> usize {
    world.server.state().searches().len()
}

#[tokio::test]
async fn a_password_of_somebody_known_costs_one_round_trip() {
    let world = World::openldap(json!({})).await;
    world.enter("alice", PASSWORD).await;
    let before = searches(&world);
    for _ in 0..3 {
        let proved = world.prove(ALICES_KEY, Some(ALICE), PASSWORD).await;
        assert!(matches!(proved, Proved::Yes { moved: None, .. }), "{proved:?}");
    }
    assert_eq!(searches(&world), before, "nothing is searched for");
    let proved = world.prove(ALICES_KEY, Some(ALICE), "wrong-password").await;
    assert!(matches!(proved, Proved::No(ref refusal) if refusal.reason == Why::Wrong), "{proved:?}");
    assert_eq!(world.server.state().binds().len(), 5, "a wrong password is tried once");
}

#[tokio::test]
async fn a_place_is_believed_as_long_as_it_was_seen() {
    let mut world = World::openldap(json!({ "state_age": "60s" })).await;
    world.enter("alice", PASSWORD).await;
    // Alice leaves, and somebody else gets the name.
    world.server.state().set(ALICE, "entryUUID", vec![b"11111111-16a6-1027-98f4-d28b5365dc14".to_vec()]);
    world.server.state().password(ALICE, "new-alice-password");
    world.later(Duration::from_secs(61));
    let proved = world.prove(ALICES_KEY, Some(ALICE), "new-alice-password").await;
    assert!(matches!(proved, Proved::No(ref refusal) if refusal.reason == Why::Unknown), "{proved:?}");
    world.reopen();
    let proved = world.prove(ALICES_KEY, Some(ALICE), "new-alice-password").await;
    assert!(matches!(proved, Proved::No(_)), "another process believes no place at all: {proved:?}");
}

#[tokio::test]
async fn a_place_that_is_said_is_only_a_hint() {
    let mut world = World::openldap(json!({})).await;
    world.enter("alice", PASSWORD).await;
    let bob = "uid=bob,ou=people,dc=acme";
    for _ in 0..2 {
        let proved = world.prove(ALICES_KEY, Some(bob), "bob-password").await;
        assert!(matches!(proved, Proved::No(ref refusal) if refusal.reason == Why::Wrong), "{proved:?}");
        let proved = world.prove(ALICES_KEY, Some(bob), PASSWORD).await;
        assert!(matches!(proved, Proved::Yes { moved: Some(ref place), .. } if place == ALICE), "{proved:?}");
        world.reopen();
    }
}

#[tokio::test]
async fn somebody_moves() {
    let world = World::openldap(json!({})).await;
    let before = world.enter("alice", PASSWORD).await.subject.key;
    let new = "uid=alice,ou=contractors,ou=people,dc=acme";
    {
        let mut state = world.server.state();
        state.entries.iter_mut().find(|entry| entry.dn == ALICE).unwrap().dn = new.to_owned();
        state.answer(ALICE, 49, "");
        state.password(new, PASSWORD);
    }
    let proved = world.prove(ALICES_KEY, Some(ALICE), PASSWORD).await;
    assert!(matches!(proved, Proved::Yes { moved: Some(ref place), .. } if place == new), "{proved:?}");
    assert_eq!(world.enter("alice", PASSWORD).await.subject.key, before, "the same person");
}

#[tokio::test]
async fn a_disabled_account_is_seen_within_its_age() {
    let world = World::openldap(json!({ "state_age": "5s" })).await;
    world.enter("alice", PASSWORD).await;
    world.server.state().set(ALICE, "shadowExpire", vec![b"1".to_vec()]);
    assert!(matches!(world.prove(ALICES_KEY, None, PASSWORD).await, Proved::Yes { .. }));
    world.later(Duration::from_secs(5));
    let proved = world.prove(ALICES_KEY, None, PASSWORD).await;
    assert!(matches!(proved, Proved::No(ref refusal) if refusal.reason == Why::Expired), "{proved:?}");
}

#[tokio::test]
async fn whom_the_filter_does_not_find_any_more_is_out() {
    let filter = "(&(uid={username})(employeeType=active))";
    let world = World::openldap(json!({ "users": { "filter": filter }, "state_age": "0s", "revalidate": "0s" })).await;
    world.server.state().set(ALICE, "employeeType", vec![b"active".to_vec()]);
    assert!(matches!(world.prove(ALICES_KEY, None, PASSWORD).await, Proved::Yes { .. }));
    assert!(matches!(ask(&world).await, StillThere::Yes { .. }));
    world.server.state().set(ALICE, "employeeType", vec![b"left".to_vec()]);
    assert!(matches!(world.prove(ALICES_KEY, None, PASSWORD).await, Proved::No(_)));
    assert!(matches!(ask(&world).await, StillThere::No(_)));
}

async fn ask(world: &World) -> StillThere {
    let subject = UpstreamSubject { key: ALICES_KEY.to_owned(), display: ALICE.to_owned(), stable: true, scope: None };
    let authn = AuthnFacts {
        auth_time: NOW,
        auth_time_said: true,
        acr: None,
        amr: Vec::new(),
        authority: None,
        authorities: Vec::new(),
    };
    let memory = json!({ "place": ALICE });
    let tokens = UpstreamTokens { refresh_token: None, access_token: None, access_expires: None, memory };
    let now = world.clock.now();
    let asked = AskedAgain { tenant: &world.tenant, subject: &subject, authn: &authn, tokens: &tokens, now };
    world.adapter.refresh.as_ref().unwrap().ask(asked, &mut TraceLog::new()).await
}

#[tokio::test]
async fn a_sessions_person_is_looked_at_again() {
    let world =
        World::openldap(json!({ "revalidate": "0s", "groups": { "base": "ou=groups,dc=acme", "how": "search" } }))
            .await;
    let identity = world.enter("alice", PASSWORD).await;
    assert!(identity.tokens.is_some_and(|kept| kept.refresh_token.is_none() && kept.access_token.is_none()));
    let refresh = world.adapter.refresh.as_ref().unwrap();
    assert_eq!((refresh.interval(), refresh.patience()), (Some(Duration::ZERO), Some(Duration::from_secs(86_400))));
    world.server.state().set(ALICE, "mail", vec![b"new@acme.example".to_vec()]);
    world.server.state().add("cn=new,ou=groups,dc=acme", &[("cn", &["new"]), ("member", &[ALICE])]);
    let StillThere::Yes { attributes: Some(attributes), .. } = ask(&world).await else { panic!("still there") };
    assert_eq!(
        (attributes.get("mail"), attributes.get("groupName")),
        (&["new@acme.example".to_owned()][..], &["new".to_owned()][..])
    );

    for (attribute, value) in
        [("pwdAccountLockedTime", "000001010000Z"), ("pwdAccountLockedTime", "20260228000000Z"), ("shadowExpire", "1")]
    {
        world.server.state().set(ALICE, attribute, vec![value.into()]);
        let said = ask(&world).await;
        assert!(matches!(&said, StillThere::No(error) if error.cause.contains(value)), "{attribute}: {said:?}");
        world.server.state().set(ALICE, attribute, Vec::new());
    }
    assert!(matches!(ask(&world).await, StillThere::Yes { .. }));
    world.server.state().search_fails = Some(("entryUUID", 52));
    assert!(matches!(ask(&world).await, StillThere::Unknown(_)), "nobody knows");
    world.server.state().search_fails = None;
    world.server.state().entries.retain(|entry| entry.dn != ALICE);
    assert!(matches!(ask(&world).await, StillThere::No(_)), "deleted");
}

#[tokio::test]
async fn silence_can_be_a_no() {
    let world = World::openldap(json!({ "revalidate": "1m", "revalidate_when_silent": "deny" })).await;
    assert_eq!(world.adapter.refresh.as_ref().unwrap().patience(), None);
    assert!(World::openldap(json!({})).await.adapter.refresh.is_none());
}

#[tokio::test]
async fn a_new_password() {
    let world = World::openldap(json!({ "password_change": true })).await;
    let changed = world.change(ALICES_KEY, PASSWORD, "new-alice-password").await;
    assert!(matches!(changed, Changed::Yes), "{changed:?}");
    world.enter("alice", "new-alice-password").await;
    let changed = world.change(ALICES_KEY, PASSWORD, "other-password").await;
    assert!(matches!(changed, Changed::Refused(ref refusal) if refusal.reason == Why::Wrong), "{changed:?}");
    let too_short = Control::with_value("1.3.6.1.4.1.42.2.27.8.5.1", false, b"\x30\x03\x81\x01\x06"[..].into());
    world.server.state().change = Some(BindAnswer { code: 19, text: String::new(), controls: vec![too_short] });
    let changed = world.change(ALICES_KEY, "new-alice-password", "short-password").await;
    assert!(matches!(changed, Changed::Policy(ref why) if why == "it is too short"), "{changed:?}");
    let off = World::openldap(json!({})).await;
    assert!(matches!(off.change(ALICES_KEY, PASSWORD, "other-password").await, Changed::Policy(_)));
    assert_eq!(off.server.state().log.len(), 0, "nobody is asked");
}

#[tokio::test]
async fn a_password_that_must_be_changed_can_be() {
    let world = World::openldap(json!({ "password_change": true })).await;
    let reset = Control::with_value("1.3.6.1.4.1.42.2.27.8.5.1", false, b"\x30\x03\x81\x01\x02"[..].into());
    let answer = BindAnswer { code: 0, text: String::new(), controls: vec![reset] };
    world.server.state().binds.insert(ALICE.to_owned(), answer);
    let (outcome, _) = world.login("alice", PASSWORD).await;
    let PasswordOutcome::MustChange { key, place } = outcome else { panic!("{outcome:?}") };
    assert_eq!((key.as_str(), place.as_str()), (ALICES_KEY, ALICE));
    let changed = world.change(&key, PASSWORD, "new-alice-password").await;
    assert!(matches!(changed, Changed::Yes), "{changed:?}");
    // What is expired is changed first; what is disabled stays out.
    world.server.state().set(ALICE, "shadowExpire", vec![b"1".to_vec()]);
    assert_eq!(world.refused("alice", PASSWORD).await.0, Why::Expired);
}

#[tokio::test]
async fn a_look_at_the_servers() {
    let texts = async |world: &World| -> Vec<(Level, String)> {
        let findings = world.adapter.check.as_ref().unwrap().run(&world.tenant, world.clock.now()).await;
        findings.into_iter().map(|finding| (finding.level, finding.text)).collect()
    };
    let said = |found: &[(Level, String)], level: Level, part: &str| {
        assert!(found.iter().any(|(at, text)| *at == level && text.contains(part)), "{part}: {found:?}");
    };
    let groups = json!({ "groups": { "base": "ou=groups,dc=acme", "how": "search" } });

    let world = World::openldap(groups.clone()).await;
    world.server.state().add("cn=staff,ou=groups,dc=acme", &[("cn", &["staff"]), ("member", &[ALICE])]);
    let found = texts(&world).await;
    said(&found, Level::Fine, "people are found below ou=people,dc=acme");
    said(&found, Level::Fine, "groups are found below ou=groups,dc=acme");
    said(&found, Level::Warning, "without TLS");
    assert!(found.iter().all(|(level, _)| *level != Level::Problem), "{found:?}");
    let asked = world.server.state().log.len();
    texts(&world).await;
    assert_eq!(world.server.state().log.len(), asked, "the servers are not asked each minute");
    world.later(Duration::from_secs(900));
    texts(&world).await;
    assert!(world.server.state().log.len() > asked);

    let world = World::openldap(groups).await;
    said(&texts(&world).await, Level::Problem, "may not read groups there");

    let world = World::openldap(json!({ "users": { "base": "ou=peple,dc=acme" } })).await;
    said(&texts(&world).await, Level::Problem, "users.base ou=peple,dc=acme is not there");

    let world = World::openldap(json!({})).await;
    world.server.state().hidden = vec!["entryUUID"];
    said(&texts(&world).await, Level::Problem, "a person has no key");

    let world = World::openldap(json!({ "users": { "filter": "(cn={username})" } })).await;
    said(&texts(&world).await, Level::Warning, "nobody below ou=people,dc=acme is found by (cn=*)");

    let world = World::openldap(json!({ "bind_dn": "cn=other,dc=acme" })).await;
    said(&texts(&world).await, Level::Problem, "the service account is refused with code 49");
    assert!(
        world.server.state().log.iter().all(|(_, op)| !matches!(op, Op::Search(search) if !search.base.is_empty()))
    );
}

#[tokio::test]
async fn a_subtree_is_shown_as_it_is_but_for_passwords() {
    let world = World::openldap(json!({})).await;
    world.server.state().set(ALICE, "userPassword", vec![b"{SSHA}x".to_vec()]);
    world.server.state().add("cn=secret,ou=elsewhere,dc=acme", &[("cn", &["secret"])]);
    let through = world.adapter.pass_through.clone().unwrap();
    let search = async |base: &str, filter: &str| {
        let passed = PassedSearch {
            base: base.to_owned(),
            scope: 2,
            filter: Filter::parse(filter).unwrap().encode(),
            attributes: vec!["*".to_owned()],
            size_limit: 0,
            time_limit: Duration::from_secs(5),
        };
        let (sink, mut found) = mpsc::channel(100);
        let result = through.search(passed, sink).await;
        let mut entries = Vec::new();
        while let Some(octets) = found.recv().await {
            let mut buffer = BytesMut::new();
            envelope(1, &octets, &[], &mut buffer);
            let frame = Framer::new(1 << 20, RESPONSE_DEPTH).next(&mut buffer).unwrap().unwrap();
            let Op::Entry(entry) = Message::read(&frame).unwrap().op else { panic!("no entry") };
            entries.push(entry);
        }
        (result.code, entries)
    };
    let (code, entries) = search("ou=people,dc=acme", "(uid=alice)").await;
    assert_eq!((code, entries.len(), entries[0].dn.as_str()), (0, 1, ALICE));
    assert_eq!(entries[0].text("mail"), Some("alice@acme.example"));
    assert_eq!(entries[0].text("userPassword"), None);
    for base in ["dc=acme", "ou=elsewhere,dc=acme", "", "x"] {
        assert_eq!(search(base, "(cn=*)").await, (32, Vec::new()), "{base}");
    }
    assert_eq!(search("ou=people,dc=acme", "(userPassword={SSHA}x)").await, (53, Vec::new()));
    assert_eq!(through.compare(ALICE, "userPassword", b"{SSHA}x").await.code, 16);
    assert_eq!(through.compare("cn=secret,ou=elsewhere,dc=acme", "cn", b"secret").await.code, 32);
    assert!(world.server.state().searches().iter().all(|(who, _)| who == SERVICE));
}
