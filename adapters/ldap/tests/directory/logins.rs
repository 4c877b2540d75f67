//! Names, passwords and what keeps somebody out.

use fedbridge_contract::password::{PasswordOutcome, PasswordWarning, Proved, Why};
use fedbridge_contract::trace::Step;
use fedbridge_ldap_core::control::Control;
use serde_json::json;

use crate::server::{BindAnswer, SERVICE};
use crate::world::{ALICE, ALICES_KEY, NOW, PASSWORD, World, failed};

#[tokio::test]
async fn somebody_logs_in() {
    let world = World::openldap(json!({})).await;
    let (outcome, trace) = world.login("alice", PASSWORD).await;
    let PasswordOutcome::Accepted { identity, warning } = outcome else { panic!("{outcome:?}") };
    assert_eq!((identity.subject.key.as_str(), identity.subject.stable, warning), (ALICES_KEY, true, None));
    assert_eq!(identity.attributes.get("MAIL"), ["alice@acme.example"]);
    assert_eq!(identity.attributes.get("entryDN"), [ALICE]);
    assert!(!identity.attributes.contains("groupName"), "no groups are looked for");
    assert_eq!((identity.authn.auth_time, identity.authn.auth_time_said), (NOW, true));
    assert_eq!(identity.authn.amr, ["pwd"]);
    assert!(identity.tokens.is_none(), "nothing is kept where nobody asks again");
    let told: Vec<_> = trace
        .steps()
        .iter()
        .map(|step| match step {
            Step::Sent { what, facts, .. } | Step::Received { what, facts, .. } => {
                format!(
                    "{what} {}",
                    facts.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
                )
            }
            Step::Check { name, actual, .. } => format!("{name}: {actual}"),
            Step::Decision { what, outcome, .. } => format!("{what}: {outcome}"),
            other => format!("{other:?}"),
        })
        .collect();
    let told = told.join("\n");
    for part in [
        "filter=(uid=alice)",
        "entries=1",
        "Entries found: 1",
        "name=uid=alice",
        "code=success (0)",
        "Password: right",
        "took=",
    ] {
        assert!(told.contains(part), "{part} is missing in\n{told}");
    }
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_name() {
    let world = World::openldap(json!({})).await;
    assert_eq!(world.refused("alice", "wrong-password").await, (Why::Wrong, "49".to_owned()));
    assert_eq!(world.refused("nobody", "wrong-password").await.0, Why::Unknown);
    assert_eq!(world.server.state().binds(), [ALICE], "nobody is asked about a name that is not there");
}

#[tokio::test]
async fn a_name_is_one_value_whatever_is_in_it() {
    let world = World::openldap(json!({})).await;
    let names = [
        "*",
        "*)(uid=*",
        "alice)(objectClass=*",
        "a\\2a",
        "a,ou=x",
        "#",
        " ",
        "alice\0",
        "(&)",
        "\u{fc}",
        "cn=alice",
        "\\",
        "ACME\\alice",
        "alice@other",
    ];
    for name in names {
        let (why, _) = world.refused(name, PASSWORD).await;
        assert!(matches!(why, Why::Unknown | Why::Form), "{name}: {why:?}");
    }
    let state = world.server.state();
    assert_eq!(state.binds(), Vec::<String>::new());
    for (_, search) in state.searches() {
        assert!(
            search.filter.print().starts_with("(uid=") && search.filter.shape() == "(uid=?)",
            "{}",
            search.filter.print()
        );
    }
}

#[tokio::test]
async fn exactly_one_entry_is_somebody() {
    let world = World::openldap(json!({ "users": { "filter": "(|(uid={username})(mail={username}))" } })).await;
    world
        .server
        .state()
        .add("uid=eve,ou=people,dc=acme", &[("uid", &["eve"]), ("mail", &["alice"]), ("entryUUID", &["x"])]);
    world.server.state().password("uid=eve,ou=people,dc=acme", PASSWORD);
    let (outcome, trace) = world.login("alice", PASSWORD).await;
    assert!(matches!(outcome, PasswordOutcome::Rejected(ref refusal) if refusal.reason == Why::Unknown), "{outcome:?}");
    assert_eq!(failed(&trace), ["Entries found"]);
    assert_eq!(world.server.state().binds(), Vec::<String>::new());
    world.enter("bob", "bob-password").await;
    // What a server holds back might be another.
    world.server.state().size_limit = Some(0);
    assert_eq!(world.refused("bob", "bob-password").await.0, Why::Unknown);
}

#[tokio::test]
async fn an_entry_outside_of_the_base_is_nobody() {
    let world = World::openldap(json!({})).await;
    world.server.state().password("uid=mallory,ou=elsewhere,dc=acme", "mallory-password");
    let mut stray = world.server.state().entries[2].clone();
    stray.dn = "uid=mallory,ou=elsewhere,dc=acme".to_owned();
    world.server.state().strays = vec![stray];
    let (outcome, trace) = world.login("mallory", "mallory-password").await;
    assert!(matches!(outcome, PasswordOutcome::Rejected(ref refusal) if refusal.reason == Why::Unknown), "{outcome:?}");
    assert_eq!(failed(&trace), ["Place"]);
    assert_eq!(world.server.state().binds(), Vec::<String>::new());
}

#[tokio::test]
async fn a_base_that_is_not_there_is_nobodys_fault() {
    let world = World::openldap(json!({ "users": { "base": "ou=peple,dc=acme" } })).await;
    let why = world.unavailable("alice", PASSWORD).await;
    assert!(why.contains("ou=peple,dc=acme"), "{why}");
}

#[tokio::test]
async fn the_styles_of_names() {
    let template = json!({ "users": { "bind": "template", "dn": "uid={username},ou=people,dc=acme" } });
    let world = World::openldap(template).await;
    world.enter("alice", PASSWORD).await;
    for name in ["alice,ou=people,dc=acme", "alice+cn=x", "", " ", "bob"] {
        world.refused(name, PASSWORD).await;
    }
    assert!(world.server.state().searches().iter().all(|(_, search)| search.base.ends_with("ou=people,dc=acme")));

    let principal = json!({ "users": { "bind": "upn", "domain": "acme.example", "filter": "(mail={username})" } });
    let world = World::openldap(principal).await;
    for name in ["alice@acme.example", "alice@ACME.example", "alice"] {
        world.enter(name, PASSWORD).await;
    }
    for name in ["alice@other.example", "@acme.example", "ACME\\alice", "a@b@acme.example", ALICE] {
        let (why, _) = world.refused(name, PASSWORD).await;
        assert!(matches!(why, Why::Form | Why::Unknown), "{name}: {why:?}");
    }
    assert_eq!(world.refused("admin@other.domain", PASSWORD).await.0, Why::Form);

    let down_level = json!({ "users": { "bind": "down_level", "domain": "ACME" } });
    let world = World::openldap(down_level).await;
    for name in ["ACME\\alice", "acme\\alice", "alice"] {
        world.enter(name, PASSWORD).await;
    }
    for name in ["OTHER\\alice", "ACME\\", "ACME\\x\\alice", "alice@acme.example"] {
        assert_eq!(world.refused(name, PASSWORD).await.0, Why::Form, "{name}");
    }
}

#[tokio::test]
async fn a_person_reads_the_own_entry_where_nobody_else_may() {
    let template = json!({
        "bind_dn": null, "users": { "bind": "template", "dn": "uid={username},ou=people,dc=acme" },
    });
    let world = World::openldap(template).await;
    let identity = world.enter("alice", PASSWORD).await;
    assert_eq!(identity.subject.key, ALICES_KEY);
    let searches = world.server.state().searches();
    assert_eq!(searches.iter().map(|(who, _)| who.as_str()).collect::<Vec<_>>(), [ALICE]);
    assert_eq!(world.refused("alice", "wrong-password").await.0, Why::Wrong);
    assert_eq!(world.refused("nobody", "wrong-password").await.0, Why::Wrong, "the directory says no more");
}

#[tokio::test]
async fn every_sub_code_of_active_directory() {
    for (data, expected) in [
        ("525", Why::Unknown),
        ("52e", Why::Wrong),
        ("530", Why::Hours),
        ("531", Why::Workstation),
        ("532", Why::PasswordExpired),
        ("533", Why::Disabled),
        ("568", Why::Locked),
        ("701", Why::Expired),
        ("773", Why::PasswordExpired),
        ("775", Why::Locked),
    ] {
        let world = World::openldap(json!({})).await;
        let text =
            format!("80090308: LdapErr: DSID-0C090449, comment: AcceptSecurityContext error, data {data}, v4563\0");
        world.server.state().answer(ALICE, 49, &text);
        let (outcome, trace) = world.login("alice", PASSWORD).await;
        let PasswordOutcome::Rejected(refusal) = outcome else { panic!("{data}: {outcome:?}") };
        assert_eq!((refusal.reason, refusal.upstream_code), (expected, format!("49/{data}")));
        assert_eq!(
            refusal.reason.may_be_told(),
            matches!(data, "530" | "531" | "532" | "533" | "701" | "773"),
            "{data}"
        );
        assert!(trace.cause().unwrap().contains(data), "{:?}", trace.cause());
    }
}

#[tokio::test]
async fn answers_that_say_neither_yes_nor_no() {
    for (code, part) in [(8, "encrypted"), (51, "busy"), (80, "other")] {
        let world = World::openldap(json!({})).await;
        world.server.state().answer(ALICE, code, "");
        let why = world.unavailable("alice", PASSWORD).await;
        assert!(why.to_lowercase().contains(part), "{code}: {why}");
    }
}

#[tokio::test]
async fn what_a_password_policy_says() {
    let control = |value: &'static [u8]| vec![Control::with_value("1.3.6.1.4.1.42.2.27.8.5.1", false, value.into())];
    let answer = |code, value| BindAnswer { code, text: String::new(), controls: control(value) };
    let world = World::openldap(json!({ "password_change": false })).await;
    for (code, value, expected) in [
        (49, &b"\x30\x03\x81\x01\x00"[..], Why::PasswordExpired),
        (49, b"\x30\x03\x81\x01\x01", Why::Locked),
        (0, b"\x30\x03\x81\x01\x02", Why::PasswordExpired),
        (49, b"\x30\x84\xff\xff\xff\xff", Why::Wrong),
    ] {
        world.server.state().binds.insert(ALICE.to_owned(), answer(code, value));
        assert_eq!(world.refused("alice", PASSWORD).await.0, expected, "{code} {value:02x?}");
    }
    for (value, expected) in [
        (&b"\x30\x06\xa0\x04\x80\x02\x0e\x10"[..], Some(PasswordWarning::ExpiresIn { seconds: 3600 })),
        (b"\x30\x05\xa0\x03\x81\x01\x02", Some(PasswordWarning::GraceLogins { left: 2 })),
        (b"\x30\x00", None),
        (b"\xff\xff", None),
    ] {
        world.server.state().binds.insert(ALICE.to_owned(), answer(0, value));
        let (outcome, _) = world.login("alice", PASSWORD).await;
        assert!(
            matches!(&outcome, PasswordOutcome::Accepted { warning, .. } if *warning == expected),
            "{value:02x?}: {outcome:?}"
        );
        let proved = world.prove(ALICES_KEY, Some(ALICE), PASSWORD).await;
        assert!(matches!(&proved, Proved::Yes { warning, .. } if *warning == expected), "{value:02x?}: {proved:?}");
    }
}

#[tokio::test]
async fn the_state_of_an_account_stops_a_right_password() {
    for (attribute, value, expected) in [
        ("pwdAccountLockedTime", "000001010000Z", Why::Disabled),
        ("pwdAccountLockedTime", "20260228000000Z", Why::Locked),
        ("shadowExpire", "20000", Why::Expired),
    ] {
        let world = World::openldap(json!({})).await;
        world.server.state().set(ALICE, attribute, vec![value.into()]);
        assert_eq!(world.refused("alice", PASSWORD).await, (expected, format!("{attribute} {value}")));
        assert_eq!(world.refused("alice", "wrong-password").await.0, Why::Wrong, "only a right password hears of it");
    }
    for (attribute, value, expected) in [
        ("nsAccountLock", "TRUE", Why::Disabled),
        ("loginDisabled", "TRUE", Why::Disabled),
        ("lockedByIntruder", "TRUE", Why::Locked),
    ] {
        let world = World::openldap(json!({ "flavor": "generic" })).await;
        world.server.state().set(ALICE, attribute, vec![value.into()]);
        assert_eq!(world.refused("alice", PASSWORD).await.0, expected, "{attribute}");
    }
}

#[tokio::test]
async fn a_password_that_must_be_changed_lets_nobody_in() {
    let world = World::openldap(json!({ "flavor": "openldap" })).await;
    let reset = Control::with_value("1.3.6.1.4.1.42.2.27.8.5.1", false, b"\x30\x03\x81\x01\x02"[..].into());
    let answer = BindAnswer { code: 0, text: String::new(), controls: vec![reset] };
    world.server.state().binds.insert(ALICE.to_owned(), answer);
    assert_eq!(world.refused("alice", PASSWORD).await.0, Why::PasswordExpired);
}

#[tokio::test]
async fn people_are_searched_for_by_the_service_account_alone() {
    let world = World::openldap(json!({ "pool": { "service": 1, "users": 1 } })).await;
    for _ in 0..3 {
        world.enter("alice", PASSWORD).await;
        world.refused("bob", "wrong-password").await;
    }
    let searches = world.server.state().searches();
    assert!(searches.len() >= 6 && searches.iter().all(|(who, _)| who == SERVICE), "{searches:?}");
}

#[tokio::test]
async fn an_entry_without_its_key_is_trouble() {
    let world = World::openldap(json!({})).await;
    world.server.state().hidden = vec!["entryUUID"];
    let why = world.unavailable("alice", PASSWORD).await;
    assert!(why.contains("entryUUID") && why.contains("may not read it"), "{why}");
}

#[tokio::test]
async fn references_are_left_alone_and_told() {
    let world = World::openldap(json!({})).await;
    world.server.state().references = vec!["ldap://evil.example/dc=acme".to_owned()];
    let (outcome, trace) = world.login("alice", PASSWORD).await;
    assert!(matches!(outcome, PasswordOutcome::Accepted { .. }), "{outcome:?}");
    assert!(format!("{:?}", trace.steps()).contains("evil.example"), "the trace says what was not followed");
}
