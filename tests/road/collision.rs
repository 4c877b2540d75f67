//! Who a login is of: addresses link nobody, issuers don't move, and not everybody may come in (threats 10).

use fedbridge_contract::http::ReplyKind;
use fedbridge_contract::ids::{ConnectionId, TenantId};
use fedbridge_contract::page::Page;
use fedbridge_hub::ports::{Command, LoginStore as _, PeopleStore as _, TombstoneReason, Unit};
use fedbridge_hub::spec::{ConfigChange, Create, PeopleSpec, SameEmail, SubjectType};
use serde_json::{Value, json};

use super::{BASE, World, connection_of, id, param};

const ADDRESS: &str = "alice@acme.example";

/// What an upstream says about the address.
fn attributes(says: &str) -> Value {
    match says {
        "verified" => json!({ "email": [ADDRESS] }),
        "unverified" => json!({ "email": [ADDRESS], "email_verified": ["false"] }),
        "elsewhere" => json!({ "email": ["alice@elsewhere.example"], "email_verified": ["true"] }),
        _ => json!({}),
    }
}

/// With an issuer as an OpenID provider has one, or without as SAML.
fn upstream(number: u8, slug: &str, subject: &str, says: &str, oidc: bool, people: PeopleSpec) -> ConfigChange {
    let mut settings = json!({ "subject": subject, "attributes": attributes(says) });
    if oidc {
        settings["scope"] = json!(format!("https://{slug}.example"));
    }
    let mapping = json!({});
    connection_of(number, slug, settings, mapping, people)
}

fn same(same_email: SameEmail) -> PeopleSpec {
    PeopleSpec { same_email, ..PeopleSpec::default() }
}

impl World {
    async fn comes_by(&mut self, slug: &str, who: &str) -> String {
        self.cookies.clear();
        let login = format!("{BASE}t/acme/connections/{slug}/login");
        let started = self.step(&login).await;
        let ReplyKind::Redirect(answer) = &started.kind else { panic!("{started:?}") };
        match self.step(&format!("{answer}{who}")).await.kind {
            ReplyKind::Page(Page::SignedIn(_)) => "in".to_owned(),
            ReplyKind::Page(Page::Error(page)) => page.sentence,
            other => panic!("{other:?}"),
        }
    }

    async fn person_behind(&self, number: u8, subject: &str) -> Option<fedbridge_contract::ids::PersonId> {
        let found = self.foundation.store.linked_person(id::<TenantId>(1), id::<ConnectionId>(number), subject).await;
        found.unwrap().map(|linked| linked.person)
    }
}

/// The matrix: what comes about the address x from where x with an issuer or without x what the connection wants.
/// Never is anybody linked.
#[tokio::test]
async fn no_address_links_anybody() {
    let mut rows = 0;
    for oidc in [false, true] {
        let open = || {
            let first = upstream(2, "one", "alice", "verified", oidc, PeopleSpec::default());
            vec![first, upstream(3, "two", "bob", "absent", oidc, PeopleSpec::default())]
        };
        let mut world = World::new(open(), SubjectType::Public).await;
        assert_eq!(world.comes_by("one", "").await, "in");
        let alice = world.person_behind(2, "alice").await.unwrap();
        for says in ["verified", "unverified", "elsewhere", "absent"] {
            for (number, slug) in [(2, "one"), (3, "two")] {
                for wanted in [SameEmail::Refuse, SameEmail::Ask, SameEmail::Separate] {
                    let row = format!("{says}, {slug}, oidc: {oidc}, {wanted:?}");
                    let subject = format!("mallory {rows}");
                    world.apply(&[upstream(number, slug, &subject, says, oidc, same(wanted))]).await;
                    let came = world.comes_by(slug, "").await;
                    let mallory = world.person_behind(number, &subject).await;
                    assert_ne!(mallory, Some(alice), "{row}");
                    let stopped = says == "verified" && wanted != SameEmail::Separate;
                    assert_eq!((came == "in", mallory.is_some()), (!stopped, !stopped), "{row}: {came}");
                    if stopped {
                        assert!(came.contains("has an account here already"), "{row}: {came}");
                        assert_eq!(came.contains("log in as before"), wanted == SameEmail::Ask, "{row}: {came}");
                    }
                    // Who was there before comes back to their own account.
                    assert_eq!(world.comes_by("one", "&as=alice").await, "in", "{row}");
                    assert_eq!(world.person_behind(2, "alice").await, Some(alice), "{row}");
                    rows += 1;
                }
            }
        }
    }
    assert_eq!(rows, 48);
}

/// A rename at the upstream changes nothing about who somebody is; a new subject with the old address is somebody new.
#[tokio::test]
async fn a_person_is_their_subject_through_every_rename() {
    let people = PeopleSpec::default;
    let mut world = World::new(vec![upstream(2, "one", "s1", "verified", true, people())], SubjectType::Public).await;
    world.comes_by("one", "").await;
    let before = world.person_behind(2, "s1").await.unwrap();
    world.apply(&[upstream(2, "one", "s1", "elsewhere", true, people())]).await;
    world.comes_by("one", "").await;
    assert_eq!(world.person_behind(2, "s1").await, Some(before));
    world.apply(&[upstream(2, "one", "s2", "verified", true, people())]).await;
    world.comes_by("one", "").await;
    assert_ne!(world.person_behind(2, "s2").await, Some(before));
}

/// upstream-oidc 75: the connection is pointed at another issuer.
#[tokio::test]
async fn nobody_moves_to_another_issuer() {
    let at = |issuer: &str, subject: &str| {
        let settings = json!({ "subject": subject, "scope": issuer });
        connection_of(2, "one", settings, json!({}), PeopleSpec::default())
    };
    let mut world = World::new(vec![at("https://a.example", "alice")], SubjectType::Public).await;
    assert_eq!(world.comes_by("one", "").await, "in");
    for subject in ["alice", "somebody new"] {
        world.apply(&[at("https://b.example", subject)]).await;
        let sentence = world.comes_by("one", "").await;
        assert!(sentence.contains("was replaced by another one"), "{subject}: {sentence}");
        let (outcome, cause) = world.newest_cause().await;
        assert_eq!(outcome, "Refused");
        assert!(cause.contains("came from https://a.example, and now https://b.example"), "{cause}");
    }
    assert_eq!(world.person_behind(2, "somebody new").await, None);
    world.apply(&[at("https://a.example", "alice")]).await;
    assert_eq!(world.comes_by("one", "").await, "in", "the old one is in force again");
}

/// upstream-oidc 74.
#[tokio::test]
async fn only_whom_the_connection_lists_appears_by_logging_in() {
    let with = |people: PeopleSpec, says: &str, groups: Value| {
        let mut attributes = attributes(says);
        attributes["groups"] = groups;
        let mapping = json!({});
        connection_of(2, "one", json!({ "subject": "alice", "attributes": attributes }), mapping, people)
    };
    let listed = |domains: &[&str], groups: &[&str]| PeopleSpec {
        create: Create::Listed,
        domains: domains.iter().map(|text| (*text).to_owned()).collect(),
        groups: groups.iter().map(|text| (*text).to_owned()).collect(),
        ..PeopleSpec::default()
    };
    let nobody = PeopleSpec { create: Create::Nobody, ..PeopleSpec::default() };
    let mut world = World::new(vec![with(PeopleSpec::default(), "absent", json!([]))], SubjectType::Public).await;
    assert_eq!(world.comes_by("one", "").await, "in");
    let mut rows = 0;
    for (people, says, groups, comes) in [
        (listed(&["ACME.example"], &[]), "verified", json!([]), true),
        (listed(&["acme.example"], &[]), "unverified", json!([]), false),
        (listed(&["elsewhere.example"], &[]), "elsewhere", json!([]), false),
        (listed(&["cme.example"], &[]), "verified", json!([]), false),
        (listed(&[], &["staff"]), "absent", json!(["guests", "staff"]), true),
        (listed(&[], &["staff"]), "verified", json!(["Staff"]), false),
        (listed(&[], &[]), "verified", json!(["staff"]), false),
        (nobody, "verified", json!(["staff"]), false),
    ] {
        let row = format!("{people:?} {says} {groups}");
        rows += 1;
        let subject = format!("somebody {rows}");
        world.apply(&[with(people, says, groups)]).await;
        let came = world.comes_by("one", &format!("&as={subject}")).await;
        assert_eq!((came == "in", world.person_behind(2, &subject).await.is_some()), (comes, comes), "{row}: {came}");
        assert_eq!(world.comes_by("one", "").await, "in", "who is there already comes back");
    }
}

#[tokio::test]
async fn a_blocked_subject_stays_out_and_a_deleted_person_is_somebody_new() {
    let people = PeopleSpec::default;
    let mut world =
        World::new(vec![upstream(2, "one", "alice", "verified", true, people())], SubjectType::Public).await;
    assert_eq!(world.comes_by("one", "").await, "in");
    assert_eq!(world.comes_by("one", "&as=bob").await, "in");
    let (tenant, store) = (id::<TenantId>(1), world.foundation.store.clone());
    let bob = world.person_behind(2, "bob").await.unwrap();
    assert!(store.delete(tenant, bob, world.now()).await.unwrap());
    assert_eq!(world.comes_by("one", "&as=bob").await, "in");
    assert_ne!(world.person_behind(2, "bob").await, Some(bob), "a `sub` never comes back");
    // An administrator disconnects alice's second login, and closes the door behind it.
    world.connect(2, "alice@old").await;
    let person = world.person_behind(2, "alice").await.unwrap();
    let unlink = Command::UnlinkIdentity {
        person,
        connection: id(2),
        subject_key: "alice@old".into(),
        reason: TombstoneReason::Blocked,
    };
    store.commit(tenant, Unit { commands: vec![unlink], now: world.now() }).await.unwrap();
    assert_eq!(world.comes_by("one", "&as=alice@old").await, "You may not log in to this application.");
    assert_eq!(world.newest_cause().await.1, "an administrator has blocked this subject");
    assert!(param(&world.authorize("").await, "code").is_some());
}
