//! Connecting one more login to a person: both are proved, in one session and browser, once.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use fedbridge_contract::http::{Method, Reply, ReplyKind};
use fedbridge_contract::ids::TenantId;
use fedbridge_contract::page::{AccountPage, ConfirmLinkPage, OwnForm, Page};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{Command, GuardFailed, LoginStore, NewLink, TombstoneReason, Unit};
use fedbridge_hub::spec::{ConfigChange, PeopleSpec};
use futures_util::future::join_all;
use serde_json::{Value, json};

use super::between::{Between, Meddler};
use super::logout::{by, goes_to, status_of, upstream, world};
use super::records::records;
use super::revalidate::offline_client;
use super::{BASE, World, body_of, connection_of, id, param};

const ACCOUNT: &str = "http://127.0.0.1:8080/t/acme/account";

fn linkable(number: u8, slug: &str, settings: Value) -> ConfigChange {
    connection_of(number, slug, settings, json!({}), PeopleSpec { linking: true, ..PeopleSpec::default() })
}

/// alice logged in by the first of three connections.
pub async fn at_home() -> World {
    let second = linkable(3, "two", json!({ "subject": "alice@two", "logout": "front" }));
    let third = linkable(4, "three", json!({ "subject": "alice@three" }));
    let changes = vec![upstream("back"), second, third, offline_client(30, "mail")];
    let (mut world, _) = world(changes, &[("wiki", by("back"))]).await;
    world.visit(&format!("{BASE}t/acme/fake/login?app=wiki&connection=one")).await;
    world
}

pub fn account_of(reply: &Reply) -> &AccountPage {
    let ReplyKind::Page(Page::Account(page)) = &reply.kind else { panic!("no account page: {reply:?}") };
    page
}

fn confirm_of(reply: &Reply) -> &ConfirmLinkPage {
    let ReplyKind::Page(Page::ConfirmLink(page)) = &reply.kind else { panic!("no question: {reply:?}") };
    page
}

impl World {
    /// The form that connects a connection.
    async fn connect_form(&mut self, name: &str) -> OwnForm {
        let reply = self.visit(ACCOUNT).await;
        let row = account_of(&reply).connect.iter().find(|row| row.name == name).unwrap();
        row.form.clone().unwrap()
    }

    /// Up to the question, as whoever is at the upstream.
    async fn prove(&mut self, name: &str, who: &str) -> Reply {
        let form = self.connect_form(name).await;
        let reply = self.send(&form, &[]).await;
        let answer = format!("{}{who}", goes_to(&reply));
        self.step(&answer).await
    }

    pub async fn logins(&mut self) -> Vec<String> {
        let reply = self.visit(ACCOUNT).await;
        let mut names: Vec<_> = account_of(&reply).logins.iter().map(|row| row.note.clone().unwrap()).collect();
        names.sort();
        names
    }

    fn cookie_of(&self, end: &str) -> Option<String> {
        self.cookies.iter().find(|(name, _)| name.ends_with(end)).map(|(_, value)| value.clone())
    }
}

#[tokio::test]
async fn a_login_that_was_proved_opens_the_same_account_from_then_on() {
    let mut world = at_home().await;
    let person = world.person_of(2, "alice").await.unwrap();
    let reply = world.prove("two", "").await;
    let page = confirm_of(&reply);
    assert_eq!((page.account.as_str(), page.account_connection.as_str()), ("alice", "one"));
    assert_eq!((page.identity.as_str(), page.connection.as_str()), ("alice@two", "two"));
    assert_eq!(world.person_of(3, "alice@two").await, None, "nothing is connected before the yes");
    let before = world.cookie_of("-s");
    let reply = world.send(&page.form.clone(), &[("answer", "allow")]).await;
    assert_eq!(goes_to(&reply), ACCOUNT);
    assert_eq!(world.person_of(3, "alice@two").await, Some(person));
    assert_eq!(world.logins().await, ["alice", "alice@two"]);
    // What was in the browser before is worth nothing.
    let own = world.cookies.clone();
    assert_ne!(before, world.cookie_of("-s"));
    assert_eq!(world.cookie_of("-l"), None, "the proof is over");
    let old = before.unwrap();
    world.cookies.iter_mut().filter(|(name, _)| name.ends_with("-s")).for_each(|(_, value)| value.clone_from(&old));
    let reply = world.step(ACCOUNT).await;
    assert!(matches!(reply.kind, ReplyKind::Page(Page::Chooser(_))), "the old cookie is of no session: {reply:?}");
    // The upstream's session hangs on ours, and is told of its end.
    world.cookies = own;
    let found = world.foundation.store.as_ref();
    let found =
        fedbridge_hub::ports::LogoutStore::sessions_of_upstream(found, id(1), id(3), "alice@two", &[], world.now());
    assert_eq!(found.await.unwrap().len(), 1);
    let kinds: Vec<_> =
        records(&world).await.into_iter().map(|(summary, _)| (summary.kind, summary.connection)).collect();
    assert_eq!(
        kinds.iter().filter(|(kind, of)| kind == "link" && of.as_deref() == Some("two")).count(),
        2,
        "{kinds:?}"
    );
    // In a fresh browser the new login leads to the same person.
    world.cookies.clear();
    world.visit(&format!("{BASE}t/acme/fake/login?app=wiki&connection=two")).await;
    assert_eq!(world.logins().await, ["alice", "alice@two"]);
}

#[tokio::test]
async fn whoever_says_no_is_asked_again() {
    let mut world = at_home().await;
    let form = confirm_of(&world.prove("two", "").await).form.clone();
    world.send(&form, &[("answer", "deny")]).await;
    assert_eq!(world.logins().await, ["alice"]);
    let form = confirm_of(&world.prove("two", "").await).form.clone();
    world.send(&form, &[("answer", "allow")]).await;
    assert_eq!(world.logins().await, ["alice", "alice@two"]);
}

/// The proof is of one person, session, browser, connection and exact subject, and counts once.
#[tokio::test]
async fn a_stolen_proof_connects_nothing() {
    let mut world = at_home().await;
    let form = confirm_of(&world.prove("two", "").await).form.clone();
    let (alice, proof) = (world.cookies.clone(), world.cookie_of("-l").unwrap());
    let mut refused = 0;
    let yes = [("answer", "allow")];
    // Somebody else, with the proof's cookie and the page's token.
    world.cookies.clear();
    world.visit(&format!("{BASE}t/acme/fake/login?app=wiki&connection=three")).await;
    let mallory = world.cookies.clone();
    let name = alice.iter().find(|(_, value)| *value == proof).unwrap().0.clone();
    for cookies in [
        [mallory.clone(), vec![(name.clone(), proof.clone())]].concat(),
        // alice's own session, in another browser: the proof is not there, or another one.
        alice.iter().filter(|(other, _)| *other != name).cloned().collect(),
        alice
            .iter()
            .map(|(other, value)| (other.clone(), if *other == name { "x".repeat(64) } else { value.clone() }))
            .collect(),
    ] {
        world.cookies = cookies;
        assert_eq!(status_of(&world.send(&form, &yes).await), 403);
        refused += 1;
    }
    // Nobody at all: a login comes first, and nothing is connected.
    world.cookies = vec![(name.clone(), proof.clone())];
    assert_eq!(goes_to(&world.send(&form, &yes).await), ACCOUNT);
    // A token of another page, and another site's form.
    world.cookies = alice.clone();
    let forged = OwnForm { fields: vec![("token".into(), "0".repeat(64))], ..form.clone() };
    assert_eq!(status_of(&world.send(&forged, &yes).await), 403);
    world.origin = Some("https://evil.example".into());
    assert_eq!(status_of(&world.send(&form, &yes).await), 400);
    world.origin = None;
    assert_eq!((world.person_of(3, "alice@two").await, refused), (None, 3));
    // None of it used the proof up.
    world.send(&form, &yes).await;
    assert_eq!(world.logins().await, ["alice", "alice@two"]);
    assert_eq!(status_of(&world.send(&form, &yes).await), 403, "a proof counts once");
}

#[tokio::test]
async fn a_second_subject_can_not_take_the_place_of_the_first() {
    let mut world = at_home().await;
    let form = world.connect_form("two").await;
    let reply = world.send(&form, &[]).await;
    let answer = goes_to(&reply).to_owned();
    let cookies = world.cookies.clone();
    let form = confirm_of(&world.step(&answer).await).form.clone();
    let after = std::mem::replace(&mut world.cookies, cookies);
    assert_eq!(status_of(&world.step(&format!("{answer}&as=mallory")).await), 400, "the login at the upstream is over");
    world.cookies = after;
    world.send(&form, &[("answer", "allow")]).await;
    assert_eq!(world.logins().await, ["alice", "alice@two"]);
    assert_eq!(world.person_of(3, "mallory").await, None);
}

#[tokio::test]
async fn a_proof_dies_with_its_time_its_session_and_any_disconnected_login() {
    let mut world = at_home().await;
    let yes = [("answer", "allow")];
    let form = confirm_of(&world.prove("two", "").await).form.clone();
    world.wait(Duration::from_secs(601));
    assert_eq!(status_of(&world.send(&form, &yes).await), 403);

    // The authentication is too old by now: the person logs in again first, and comes back to the page.
    let connect = world.connect_form("two").await;
    let reply = world.send(&connect, &[]).await;
    assert!(goes_to(&reply).contains("/connections/one/"), "{reply:?}");
    let again = goes_to(&reply).to_owned();
    let reply = world.visit(&again).await;
    account_of(&reply);
    let form = confirm_of(&world.prove("two", "").await).form.clone();
    let out = format!("{BASE}t/acme/connections/one/fake/logout?logout=alice&back=1");
    let cookies = world.cookies.clone();
    world.visit(&out).await;
    world.cookies = cookies;
    assert_eq!(goes_to(&world.send(&form, &yes).await), ACCOUNT, "nobody is logged in");
    world.cookies.clear();
    world.visit(&format!("{BASE}t/acme/fake/login?app=wiki&connection=one")).await;
    assert_eq!(world.logins().await, ["alice"]);

    let form = confirm_of(&world.prove("three", "").await).form.clone();
    world.send(&form, &yes).await;
    let form = confirm_of(&world.prove("two", "").await).form.clone();
    let reply = world.visit(ACCOUNT).await;
    let third = account_of(&reply).logins.iter().find(|row| row.note.as_deref() == Some("alice@three")).unwrap();
    let unlink = third.form.clone().unwrap();
    assert_eq!(goes_to(&world.send(&unlink, &[]).await), ACCOUNT);
    assert_eq!(status_of(&world.send(&form, &yes).await), 403, "an unlink ends every proof of the person");
    assert_eq!(world.logins().await, ["alice"]);
}

#[tokio::test]
async fn of_a_hundred_yeses_at_once_one_connects() {
    let mut world = at_home().await;
    let form = confirm_of(&world.prove("two", "").await).form.clone();
    let body = body_of(&form, &[("answer", "allow")]);
    let all = join_all((0..100).map(|_| {
        let (target, input) = world.prepared(Method::Post, &form.action, body.clone());
        let hub = Arc::clone(&world.hub);
        async move { hub.handle(target, input).await }
    }));
    let replies = all.await;
    let made = replies.iter().filter(|reply| reply.cookies.iter().any(|cookie| cookie.name.ends_with("-s"))).count();
    assert_eq!(made, 1);
    let others = replies.iter().filter(|reply| !matches!(reply.kind, ReplyKind::Redirect(_))).map(status_of);
    assert!(others.into_iter().all(|status| status == 403));
    let person = world.person_of(2, "alice").await;
    assert_eq!(world.person_of(3, "alice@two").await, person);
}

#[tokio::test]
async fn a_login_of_somebody_else_is_refused_and_ones_own_is_nothing_new() {
    let mut world = at_home().await;
    let alice = std::mem::take(&mut world.cookies);
    world.visit(&format!("{BASE}t/acme/fake/login?app=wiki&connection=two")).await;
    let other = world.person_of(3, "alice@two").await.unwrap();
    world.cookies = alice;
    let reply = world.prove("two", "").await;
    let ReplyKind::Page(Page::Error(page)) = &reply.kind else { panic!("{reply:?}") };
    assert!(page.sentence.contains("belongs to another account"), "{}", page.sentence);
    assert_eq!(world.person_of(3, "alice@two").await, Some(other));
    let (outcome, cause) = world.newest_cause().await;
    assert_eq!((outcome.as_str(), cause.as_str()), ("Refused", "the identity is connected with somebody else"));
}

/// Whoever disconnects a login ends what was opened by it, and the subject comes back as somebody new.
#[tokio::test]
async fn a_disconnected_login_is_somebody_new() {
    let mut world = at_home().await;
    let person = world.person_of(2, "alice").await.unwrap();
    let form = confirm_of(&world.prove("two", "").await).form.clone();
    world.send(&form, &[("answer", "allow")]).await;
    let first = std::mem::take(&mut world.cookies);
    world.visit(&format!("{BASE}t/acme/fake/login?app=wiki&connection=two")).await;
    // The login in use can't be disconnected here.
    let reply = world.visit(ACCOUNT).await;
    let here = account_of(&reply).logins.iter().find(|row| row.here).unwrap();
    assert_eq!((here.note.as_deref(), here.form.is_none()), (Some("alice@two"), true));
    let by_second = world.offline("mail").await;
    let second = std::mem::replace(&mut world.cookies, first);
    let by_first = world.offline("mail").await;
    let reply = world.visit(ACCOUNT).await;
    let page = account_of(&reply);
    assert_eq!(page.sessions.len(), 2);
    let row = page.logins.iter().find(|row| row.note.as_deref() == Some("alice@two")).unwrap();
    world.send(&row.form.clone().unwrap(), &[]).await;
    assert_eq!(account_of(&world.visit(ACCOUNT).await).sessions.len(), 1, "the session that came by it is over");
    assert_eq!(world.refresh("mail", &by_second).await.0, 400, "and so is what an app was given by it");
    assert_eq!(world.refresh("mail", &by_first).await.0, 200);
    // The last way in stays.
    let reply = world.visit(ACCOUNT).await;
    assert!(account_of(&reply).logins.iter().all(|row| row.form.is_none()));
    world.cookies = second;
    world.visit(&format!("{BASE}t/acme/fake/login?app=wiki&connection=two")).await;
    let new = world.person_of(3, "alice@two").await.unwrap();
    assert_ne!(new, person, "nobody gets another one's `sub`");
    let lines = super::records::decisions(&world, "this subject").await;
    assert!(lines.iter().any(|line| line.contains("was disconnected from its account")), "{lines:?}");
}

/// A code waits in a browser for a minute. What it would give hangs on the login that it came by.
#[tokio::test]
async fn a_code_that_nobody_redeemed_dies_with_its_login() {
    let mut world = at_home().await;
    let form = confirm_of(&world.prove("two", "").await).form.clone();
    world.send(&form, &[("answer", "allow")]).await;
    let first = std::mem::take(&mut world.cookies);
    world.visit(&format!("{BASE}t/acme/fake/login?app=wiki&connection=two")).await;
    let code = world.offline_code("mail").await;
    let second = std::mem::replace(&mut world.cookies, first);
    let own = world.offline_code("mail").await;
    let reply = world.visit(ACCOUNT).await;
    let row = account_of(&reply).logins.iter().find(|row| row.note.as_deref() == Some("alice@two")).unwrap();
    world.send(&row.form.clone().unwrap(), &[]).await;
    let first = std::mem::replace(&mut world.cookies, second);
    assert_eq!(world.try_redeem("mail", &code).await.0, 400, "offline access by a login that is disconnected");
    world.cookies = first;
    assert_eq!(world.try_redeem("mail", &own).await.0, 200, "that of another login stays");
}

/// An administrator closes the door while the person is asked. A proof of somebody else's page opens it no more.
#[tokio::test]
async fn no_proof_opens_a_door_that_was_closed() {
    let mut world = at_home().await;
    let person = world.person_of(2, "alice").await.unwrap();
    let form = confirm_of(&world.prove("two", "").await).form.clone();
    // The subject comes and goes as somebody else meanwhile.
    let alice = std::mem::take(&mut world.cookies);
    world.visit(&format!("{BASE}t/acme/fake/login?app=wiki&connection=two")).await;
    let other = world.person_of(3, "alice@two").await.unwrap();
    assert_ne!(other, person);
    let spare = NewLink {
        person: other,
        connection: id(4),
        subject_key: "spare".into(),
        display: "spare".into(),
        email: None,
        scope: None,
    };
    let block = Command::UnlinkIdentity {
        person: other,
        connection: id(3),
        subject_key: "alice@two".into(),
        reason: TombstoneReason::Blocked,
    };
    let commands = vec![Command::LinkIdentity(spare)];
    world.foundation.store.commit(id(1), Unit { commands, now: world.now() }).await.unwrap();
    world.foundation.store.commit(id(1), Unit { commands: vec![block], now: world.now() }).await.unwrap();
    world.cookies = alice;
    let reply = world.send(&form, &[("answer", "allow")]).await;
    assert_eq!(status_of(&reply), 403);
    assert_eq!(world.newest_cause().await.1, "an administrator has blocked this subject");
    assert_eq!(world.person_of(3, "alice@two").await, None);
    assert_eq!(world.logins().await, ["alice"]);
}

/// Disconnects a login between the store's answer and what the hub makes of it.
struct Unlinker {
    store: Arc<dyn LoginStore>,
    unlink: Mutex<Option<Command>>,
}

#[async_trait]
impl Meddler for Unlinker {
    async fn has_read(&self) {
        let unlink = self.unlink.lock().unwrap().take();
        if let Some(unlink) = unlink {
            let unit = Unit { commands: vec![unlink], now: Timestamp::from_millis(0) };
            self.store.commit(id::<TenantId>(1), unit).await.unwrap();
        }
    }
}

#[tokio::test]
async fn no_login_on_its_way_outruns_an_unlink() {
    let mut world = at_home().await;
    let person = world.person_of(2, "alice").await.unwrap();
    world.connect(3, "alice@two").await;
    let unlinker = Arc::new(Unlinker { store: Arc::clone(&world.hub.store), unlink: Mutex::default() });
    let hub = Arc::get_mut(&mut world.hub).unwrap();
    hub.store = Arc::new(Between { inner: Arc::clone(&hub.store), meddler: Arc::clone(&unlinker) });
    world.cookies.clear();
    *unlinker.unlink.lock().unwrap() = Some(Command::UnlinkIdentity {
        person,
        connection: id(3),
        subject_key: "alice@two".into(),
        reason: TombstoneReason::Unlinked,
    });
    let reply = world.visit(&format!("{BASE}t/acme/fake/login?app=wiki&connection=two")).await;
    assert!(unlinker.unlink.lock().unwrap().is_none(), "nothing was disconnected");
    let new = world.person_of(3, "alice@two").await;
    assert_ne!(new, Some(person));
    assert_ne!(param(&reply, "sub"), Some(person.to_string()), "a session of the person it was disconnected from");
    assert_eq!(world.logins().await, ["alice@two"]);
}

/// The store holds nobody's login.
struct Closed;

impl Meddler for Closed {
    fn refuses(&self, unit: &Unit) -> Option<GuardFailed> {
        let holds = unit.commands.iter().any(|command| matches!(command, Command::HoldIdentity { .. }));
        holds.then_some(GuardFailed::LinkGone)
    }
}

/// A link that was made while an administrator closed the door: who comes by it hears that it is closed.
#[tokio::test]
async fn a_link_that_outran_its_block_opens_nothing() {
    let mut world = at_home().await;
    let person = world.person_of(2, "alice").await;
    let people = world.watch_people();
    let hub = Arc::get_mut(&mut world.hub).unwrap();
    hub.store = Arc::new(Between { inner: Arc::clone(&hub.store), meddler: Arc::new(Closed) });
    for (blocked, expected) in
        [(false, "the person's link or consent kept changing"), (true, "an administrator has blocked this subject")]
    {
        people.blocked.store(blocked, Ordering::Relaxed);
        world.cookies.clear();
        world.visit(&format!("{BASE}t/acme/fake/login?app=wiki&connection=one")).await;
        assert_eq!(world.newest_cause().await.1, expected);
        assert!(!world.has_session());
    }
    assert_eq!(world.person_of(2, "alice").await, person, "the link is there still");
}
