//! Who a login is of: addresses link nobody, issuers don't move, and not everybody may come in.

use fedbridge_contract::http::ReplyKind;
use fedbridge_contract::ids::{ConnectionId, TenantId};
use fedbridge_contract::page::{OwnForm, Page, SameEmailPage};
use fedbridge_hub::ports::{Command, LoginStore as _, PeopleStore as _, TombstoneReason, Unit};
use fedbridge_hub::spec::{ConfigChange, Create, PeopleSpec, SameEmail, SubjectType};
use serde_json::{Value, json};

use super::logout::status_of;
use super::{BASE, World, connection_of, id, param};

const ADDRESS: &str = "alice@acme.example";
const RENAMED: &str = "alice.new@acme.example";

/// What an upstream says about the address.
fn attributes(says: &str) -> Value {
    match says {
        "verified" => json!({ "email": [ADDRESS] }),
        "renamed" => json!({ "email": [RENAMED] }),
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
            ReplyKind::Page(Page::SameEmail(page)) => {
                let label = page.before.unwrap().label;
                assert!(["Log in with one, as before", "Log in with two, as before"].contains(&&*label), "{label}");
                "are they two?".to_owned()
            }
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
                        assert_eq!(came == "are they two?", wanted == SameEmail::Ask, "{row}: {came}");
                        let refused = came.contains("has an account here already");
                        assert_eq!(refused, wanted == SameEmail::Refuse, "{row}: {came}");
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

/// alice is here, and bob comes by `two` with her address. Gives back the page that asks him.
async fn bob_is_asked(more: &str) -> (World, SameEmailPage) {
    let open = || {
        let first = upstream(2, "one", "alice", "verified", true, PeopleSpec::default());
        vec![first, upstream(3, "two", "bob", "verified", true, same(SameEmail::Ask))]
    };
    let mut world = World::new(open(), SubjectType::Public).await;
    assert_eq!(world.comes_by("one", "").await, "in");
    world.cookies.clear();
    let reply = world.authorize(&format!("&connection=two{more}")).await;
    let ReplyKind::Page(Page::SameEmail(page)) = reply.kind else { panic!("{reply:?}") };
    assert_eq!((page.identity.as_str(), page.connection.as_str()), ("bob", "two"));
    assert_eq!(world.person_behind(3, "bob").await, None, "nobody appears before the answer");
    (world, page)
}

/// Two people who share an address say so once. Nobody is linked, and the app's login goes on.
#[tokio::test]
async fn somebody_else_with_the_same_address_gets_an_account_of_their_own() {
    let (mut world, page) = bob_is_asked("").await;
    let reply = world.send(&page.form, &[]).await;
    assert!(param(&reply, "code").is_some(), "{reply:?}");
    assert_eq!(param(&reply, "state").as_deref(), Some("s"));
    let (alice, bob) = (world.person_behind(2, "alice").await, world.person_behind(3, "bob").await);
    assert!(bob.is_some() && bob != alice, "{alice:?} {bob:?}");
    assert!(world.cookies.iter().all(|(name, _)| name.ends_with("-s")), "{:?}", world.cookies);
    assert_eq!(status_of(&world.send(&page.form, &[]).await), 400, "a question is answered once");
    assert_eq!(world.comes_by("two", "").await, "in", "nobody is asked again");
    assert_eq!(world.person_behind(3, "bob").await, bob);
    assert_eq!(world.comes_by("one", "").await, "in");
    // A third one is asked for themselves.
    assert_eq!(world.comes_by("two", "&as=carol").await, "are they two?");
}

/// Whoever is the same logs in as before, on the page's link. The question is left alone, and makes nobody.
#[tokio::test]
async fn the_same_person_logs_in_as_before() {
    let (mut world, page) = bob_is_asked("").await;
    let before = page.before.unwrap();
    let reply = world.visit(&before.href).await;
    let ReplyKind::Page(Page::Account(account)) = &reply.kind else { panic!("{reply:?}") };
    assert_eq!((account.person.as_str(), account.logins.len()), ("alice", 1));
    assert_eq!(world.person_behind(3, "bob").await, None);
}

/// The page leads nobody to a login provider that has no say about the address: whoever follows the button connects
/// their login to the account that they find there.
#[tokio::test]
async fn only_whoever_owns_the_address_is_offered_as_the_way_back() {
    let owning = |number: u8, slug: &str, subject: &str, domains: &[&str], enabled: bool| {
        let ConfigChange::PutConnection(mut stored) =
            upstream(number, slug, subject, "verified", true, same(SameEmail::Separate))
        else {
            panic!("a connection")
        };
        stored.spec.domains = domains.iter().map(|domain| (*domain).to_owned()).collect();
        stored.spec.enabled = enabled;
        ConfigChange::PutConnection(stored)
    };
    let own: &[&str] = &["acme.example"];
    let open = || vec![owning(2, "one", "insider", own, true), owning(3, "two", "alice", own, true)];
    let before = async |world: &mut World| {
        world.cookies.clear();
        let reply = world.authorize("&connection=three").await;
        let ReplyKind::Page(Page::SameEmail(page)) = reply.kind else { panic!("{reply:?}") };
        page.before.map(|before| before.label)
    };
    for (came, later, label) in [
        (&["one"][..], owning(2, "one", "insider", own, true), Some("Log in with one, as before")),
        (&["one"], owning(2, "one", "insider", &["other.example"], true), None),
        (&["one"], owning(2, "one", "insider", &[], true), None),
        (&["one"], owning(2, "one", "insider", own, false), None),
        (&["one", "two"], owning(2, "one", "insider", &[], true), Some("Log in with two, as before")),
        (&["two", "one"], owning(2, "one", "insider", own, false), Some("Log in with two, as before")),
        (&["one", "two"], owning(2, "one", "insider", own, false), Some("Log in with two, as before")),
    ] {
        let mut world = World::new(open(), SubjectType::Public).await;
        for slug in came {
            assert_eq!(world.comes_by(slug, "").await, "in");
        }
        world.apply(&[later, upstream(4, "three", "carol", "verified", true, same(SameEmail::Ask))]).await;
        assert_eq!(before(&mut world).await.as_deref(), label, "{came:?}");
    }
}

#[tokio::test]
async fn only_who_was_asked_says_that_they_are_somebody_else() {
    let (mut world, page) = bob_is_asked("").await;
    let own = std::mem::take(&mut world.cookies);
    assert_eq!(status_of(&world.send(&page.form, &[]).await), 400, "another browser");
    world.cookies = own;
    world.origin = Some("https://evil.example".into());
    assert_eq!(status_of(&world.send(&page.form, &[]).await), 400, "another site's form");
    world.origin = None;
    let handle = page.form.fields[0].1.clone();
    let forged = OwnForm { fields: vec![("question".into(), "x".repeat(60))], ..page.form.clone() };
    assert_eq!(status_of(&world.send(&forged, &[]).await), 400);
    for (path, what) in [("consent", "a yes to an app"), ("connections/two/fake/answer", "an upstream's answer")] {
        let url = format!("{BASE}t/acme/{path}?handle={handle}");
        let reply = match path {
            "consent" => world.post(&url, format!("question={handle}&answer=allow")).await,
            _ => world.step(&url).await,
        };
        assert_eq!(status_of(&reply), 400, "{what}");
    }
    assert_eq!(world.person_behind(3, "bob").await, None);
    assert!(param(&world.send(&page.form, &[]).await, "code").is_some(), "none of it used the question up");
}

/// A page can't be shown, or what was asked for is over by the time of the answer.
#[tokio::test]
async fn an_answer_must_still_be_allowed() {
    let (mut world, page) = bob_is_asked("").await;
    world.clock.0.fetch_add(601_000, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(status_of(&world.send(&page.form, &[]).await), 400, "ten minutes are over");
    let reply = world.authorize("&connection=two&prompt=none").await;
    assert_eq!(param(&reply, "error").as_deref(), Some("login_required"));
    let (mut world, page) = bob_is_asked("").await;
    world.apply(&[upstream(3, "two", "bob", "verified", true, same(SameEmail::Refuse))]).await;
    let reply = world.send(&page.form, &[]).await;
    assert_eq!(param(&reply, "error").as_deref(), Some("access_denied"), "the connection refuses by now");
    assert_eq!(world.person_behind(3, "bob").await, None);
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

/// An upstream that names people by address means the one that they have now (Global Token Revocation).
#[tokio::test]
async fn a_person_is_named_by_the_newest_verified_address() {
    let with = |says: &str| {
        let settings = json!({ "subject": "alice", "attributes": attributes(says), "logout": "back" });
        connection_of(2, "one", settings, json!({}), PeopleSpec::default())
    };
    let mut world = World::new(vec![with("verified")], SubjectType::Public).await;
    let ends = async |world: &mut World, address: &str| {
        let out = format!("{BASE}t/acme/connections/one/fake/logout?email={address}&manner=everything&back=1");
        param(&world.step(&out).await, "end").unwrap()
    };
    // One that does not count as verified, and none, take the last one away from nobody.
    for (says, named) in [
        ("absent", None),
        ("verified", Some(ADDRESS)),
        ("unverified", Some(ADDRESS)),
        ("elsewhere", Some(ADDRESS)),
        ("absent", Some(ADDRESS)),
        ("renamed", Some(RENAMED)),
        ("verified", Some(ADDRESS)),
    ] {
        world.apply(&[with(says)]).await;
        assert_eq!(world.comes_by("one", "").await, "in");
        for address in [ADDRESS, RENAMED, "alice@elsewhere.example"] {
            let end = if named == Some(address) { "Complete" } else { "NoSession" };
            assert_eq!(ends(&mut world, address).await, end, "{says} {address}");
        }
    }
}

/// The connection is pointed at another issuer.
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
