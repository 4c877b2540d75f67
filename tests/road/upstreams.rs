//! Two upstreams in one session: found by either, told one after the other, and not waited for where that
//! would take too long.

use std::sync::Arc;
use std::time::{Duration, Instant};

use fedbridge_contract::http::{Reply, ReplyKind};
use fedbridge_contract::ids::{ConnectionId, PersonId, TenantId};
use fedbridge_contract::page::Page;
use fedbridge_hub::ports::{Command, LoginStore as _, LogoutStore as _, NewLink, TraceFilter, TraceStore as _, Unit};
use fedbridge_hub::spec::ConfigChange;
use serde_json::{Value, json};

use super::logout::{Calls, by, goes_to, upstream, world};
use super::{BASE, World, connection, id, param};
use crate::support::{eventually, in_time};

/// The second upstream, which knows alice by another name.
fn second(logout: &str) -> ConfigChange {
    connection(3, "two", json!({ "subject": "alice@two", "logout": logout, "session": "s2" }), json!({}))
}

impl World {
    /// Who is behind a subject.
    pub async fn person_of(&self, connection: u8, subject: &str) -> Option<PersonId> {
        let linked = self.foundation.store.linked_person(id(1), id::<ConnectionId>(connection), subject).await.unwrap();
        linked.map(|linked| linked.person)
    }

    /// Connects a subject to alice, as an administrator could.
    pub async fn connect(&self, connection: u8, subject: &str) {
        let link = NewLink {
            person: self.person_of(2, "alice").await.unwrap(),
            connection: id(connection),
            subject_key: subject.into(),
            display: subject.into(),
            email: None,
            scope: None,
        };
        let unit = Unit { commands: vec![Command::LinkIdentity(link)], now: self.now() };
        self.foundation.store.commit(id::<TenantId>(1), unit).await.unwrap();
    }

    async fn log_in_by(&mut self, app: &str, connection: &str) -> String {
        let reply = self.visit(&format!("{BASE}t/acme/fake/login?app={app}&connection={connection}")).await;
        param(&reply, "sub").unwrap()
    }

    /// How many sessions each upstream finds.
    async fn found(&self) -> (usize, usize) {
        let (store, tenant, now) = (&self.foundation.store, id::<TenantId>(1), self.now());
        let one = store.sessions_of_upstream(tenant, id(2), "alice", &[], now).await.unwrap();
        let two = store.sessions_of_upstream(tenant, id(3), "alice@two", &[], now).await.unwrap();
        (one.len(), two.len())
    }

    pub fn outbox(&self) -> tokio::task::JoinHandle<()> {
        let (hub, system) = (Arc::clone(&self.hub), Arc::clone(&self.foundation.system));
        tokio::spawn(async move { hub.run_outbox(system.as_ref()).await })
    }
}

/// alice in one session by both upstreams, in these apps; gives back her `sub`.
async fn joined(logouts: [&str; 2], apps: &[(&str, Value)]) -> (World, Arc<Calls>, String) {
    joined_by(vec![upstream(logouts[0]), second(logouts[1])], apps).await
}

async fn joined_by(upstreams: Vec<ConfigChange>, apps: &[(&str, Value)]) -> (World, Arc<Calls>, String) {
    let (mut world, calls) = world(upstreams, apps).await;
    let sub = world.log_in_by(apps[0].0, "one").await;
    world.connect(3, "alice@two").await;
    let before = world.cookies.clone();
    for (number, (app, _)) in apps.iter().enumerate().skip(1) {
        let through = if number == 1 { "two" } else { "" };
        let reply = world.visit(&format!("{BASE}t/acme/fake/login?app={app}&connection={through}")).await;
        let reply = match param_of(&reply) {
            Some(_) => reply,
            None => world.visit(&format!("{BASE}t/acme/fake/login?app={app}")).await,
        };
        assert_eq!(param(&reply, "sub").as_deref(), Some(sub.as_str()), "one person");
    }
    assert_ne!(world.cookies, before, "a login gives the session a new cookie");
    assert_eq!(world.found().await, (1, 1), "either upstream finds the session");
    (world, calls, sub)
}

fn param_of(reply: &Reply) -> Option<String> {
    matches!(reply.kind, ReplyKind::Redirect(_)).then(|| param(reply, "sub")).flatten()
}

/// Upstreams that logged somebody out, in the order of their calls or visits.
async fn told(world: &World) -> Vec<String> {
    super::records::decisions(world, "told").await
}

#[tokio::test]
async fn a_logout_of_an_app_tells_both_upstreams_one_after_the_other() {
    for logouts in [["front", "front"], ["back", "front"], ["front", "back"], ["back", "back"]] {
        let (mut world, calls, sub) = joined(logouts, &[("asker", by("front")), ("wiki", by("back"))]).await;
        let reply = world.visit(&format!("{BASE}t/acme/fake/slo?app=asker&key={sub}")).await;
        assert_eq!(goes_to(&reply), "http://asker.example/out?end=Complete", "{logouts:?}");
        assert_eq!(world.found().await, (0, 0));
        let told = told(&world).await;
        for upstream in ["one by", "two by"] {
            assert_eq!(told.iter().filter(|line| line.starts_with(upstream)).count(), 1, "{logouts:?}: {told:?}");
        }
        let upstreams = calls.hosts().iter().filter(|host| *host == "127.0.0.1:8080").count();
        assert_eq!(upstreams, logouts.iter().filter(|way| **way == "back").count(), "{logouts:?}");
    }
}

#[tokio::test]
async fn an_upstreams_logout_tells_the_other_one_and_not_itself() {
    for (asks, other) in [("one/fake/logout?logout=alice", "two by"), ("two/fake/logout?logout=alice@two", "one by")] {
        for way in ["front", "back"] {
            let apps = [("wiki", by("back")), ("plan", by("back"))];
            let (mut world, calls, _) = joined([way, way], &apps).await;
            let reply = world.visit(&format!("{BASE}t/acme/connections/{asks}")).await;
            assert_eq!(goes_to(&reply), "http://idp.example/out?for=upstream&end=Complete");
            assert_eq!(world.found().await, (0, 0));
            let told = told(&world).await;
            assert_eq!(told.iter().filter(|line| line.starts_with(other)).count(), 1, "{told:?}");
            let asker = if other.starts_with("one") { "two by" } else { "one by" };
            assert!(!told.iter().any(|line| line.starts_with(asker)), "who asked is not told: {told:?}");
            let own = if way == "back" { 1 } else { 0 };
            assert_eq!(calls.hosts().iter().filter(|host| *host == "127.0.0.1:8080").count(), own);
        }
    }
}

/// The person presses the button of our own page.
async fn asks_to_log_out(world: &mut World) -> Reply {
    let reply = world.step(&format!("{BASE}t/acme/logout")).await;
    let ReplyKind::Page(Page::ConfirmLogout(confirm)) = &reply.kind else { panic!("{reply:?}") };
    let form = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&confirm.fields).finish();
    world.post(&format!("{BASE}t/acme/logout"), form).await
}

#[tokio::test]
async fn the_person_reads_who_was_told_and_who_was_not() {
    let (mut world, _, _) = joined(["front", "front"], &[("wiki", by("back")), ("dead-pay", by("back"))]).await;
    let reply = asks_to_log_out(&mut world).await;
    let next = goes_to(&reply).to_owned();
    let reply = world.visit(&next).await;
    let ReplyKind::Page(Page::LoggedOut(out)) = &reply.kind else { panic!("{reply:?}") };
    assert_eq!((out.told.join(", "), out.not_told.join(", ")), ("one, two, wiki".into(), "dead-pay".into()));
}

/// An upstream that only a browser can tell, with the address at which our server looks whether it lives.
fn looked_at(number: u8, life: &str) -> ConfigChange {
    let (slug, subject) = if number == 2 { ("one", "alice") } else { ("two", "alice@two") };
    let settings = json!({ "subject": subject, "logout": "front", "life": life, "session": format!("s{number}") });
    connection(number, slug, settings, json!({}))
}

const ALIVE: &str = "http://alive.example/";
const DEAD: &str = "http://dead.example/";

/// The first of them that the browser would go to never lets it come back.
#[tokio::test]
async fn an_upstream_that_is_dead_keeps_no_other_one_and_no_person_from_being_told() {
    for (lives, told, not_told) in [
        // Whoever was logged in with last is told first.
        ([ALIVE, DEAD], "one, wiki", "two"),
        ([DEAD, ALIVE], "two, wiki", "one"),
        ([DEAD, DEAD], "wiki", "one, two"),
        ([ALIVE, ALIVE], "one, two, wiki", ""),
    ] {
        let logs_out = async || {
            let upstreams = vec![looked_at(2, lives[0]), looked_at(3, lives[1])];
            let (mut world, calls, _) = joined_by(upstreams, &[("wiki", by("back")), ("plan", json!({}))]).await;
            let started = Instant::now();
            let reply = asks_to_log_out(&mut world).await;
            let reply = match &reply.kind {
                ReplyKind::Redirect(next) => world.visit(&next.clone()).await,
                _ => reply,
            };
            let took = started.elapsed();
            ((world, calls, reply), took)
        };
        // Both are waited for at once, for two seconds.
        let (world, calls, reply) = in_time(Duration::from_millis(3500), logs_out).await;
        let ReplyKind::Page(Page::LoggedOut(out)) = &reply.kind else { panic!("{reply:?}") };
        assert_eq!((out.told.join(", "), out.not_told.join(", ")), (told.into(), not_told.into()), "{lives:?}");
        let lines = super::records::decisions(&world, "upstream").await;
        for (name, life) in ["one", "two"].into_iter().zip(lives) {
            let silent = format!("the browser is not sent to {name}, which is silent: {life}: no answer in time");
            assert_eq!(lines.contains(&silent), life == DEAD, "{lines:?}");
            let sent = format!("the browser carries our request to {name}");
            assert_eq!(lines.contains(&sent), life == ALIVE, "{lines:?}");
        }
        let cause = if not_told.is_empty() { String::new() } else { format!("not told: {not_told}") };
        assert_eq!(world.newest_cause().await.1, cause);
        assert!(calls.fetched().len() >= 2, "each is asked anew");
    }
}

/// An upstream that dies while the browser tells apps: the person goes back from where nobody answers.
#[tokio::test]
async fn whoever_comes_back_from_a_dead_upstream_is_not_sent_there_again() {
    let (mut world, calls) = world(vec![looked_at(2, ALIVE)], &[("plan", by("front"))]).await;
    world.log_in("plan").await;
    let reply = asks_to_log_out(&mut world).await;
    let ReplyKind::Page(Page::LoggingOut(frames)) = &reply.kind else { panic!("{reply:?}") };
    calls.upstreams_die();
    // It was looked at when the page was made, and the person has waited for the frames already.
    assert!(goes_to(&world.step(&frames.next).await).contains("/connections/one/"));
    assert_eq!(calls.fetched(), ["alive.example"]);
    let reply = world.step(&frames.next).await;
    let ReplyKind::Page(Page::LoggedOut(out)) = &reply.kind else { panic!("{reply:?}") };
    assert_eq!((out.told.len(), out.not_told.join(", ")), (0, "one, plan".into()));
    assert_eq!(calls.fetched().len(), 2);
}

/// Nobody is asked whom no browser will go to: an upstream that asks itself, and a server's logout.
#[tokio::test]
async fn only_upstreams_that_the_browser_will_go_to_are_looked_at() {
    for (back, asked) in [("", vec!["two.example"]), ("&back=1", vec![])] {
        let upstreams = vec![looked_at(2, "http://one.example/"), looked_at(3, "http://two.example/")];
        let (mut world, calls, _) = joined_by(upstreams, &[("wiki", by("back")), ("plan", by("back"))]).await;
        world.visit(&format!("{BASE}t/acme/connections/one/fake/logout?logout=alice{back}")).await;
        assert_eq!(calls.fetched(), asked, "{back}");
    }
}

#[tokio::test]
async fn coming_back_by_the_first_upstream_keeps_the_second() {
    let (mut world, _, sub) = joined(["back", "back"], &[("asker", by("front")), ("wiki", by("back"))]).await;
    world.log_in_by("asker", "one").await;
    assert_eq!(world.found().await, (1, 1));
    let reply = world.visit(&format!("{BASE}t/acme/fake/slo?app=asker&key={sub}")).await;
    assert_eq!(goes_to(&reply), "http://asker.example/out?end=Complete");
    let told = told(&world).await;
    assert_eq!(told.iter().filter(|line| line.contains("our server's call")).count(), 3, "{told:?}");
}

#[tokio::test]
async fn a_session_is_found_by_its_index_alone() {
    let (mut world, _, _) = joined(["back", "back"], &[("wiki", by("back")), ("plan", by("back"))]).await;
    let at = |sid: &str| format!("{BASE}t/acme/connections/two/fake/logout?sid={sid}&back=1");
    assert_eq!(goes_to(&world.visit(&at("s3")).await), "http://idp.example/out?for=upstream&end=NoSession");
    assert_eq!(world.found().await, (1, 1), "another index is nobody's");
    assert_eq!(goes_to(&world.visit(&at("s2")).await), "http://idp.example/out?for=upstream&end=Complete");
    assert_eq!(world.found().await, (0, 0));
    // The same index at the other upstream is another session.
    world.log_in_by("wiki", "two").await;
    let other = format!("{BASE}t/acme/connections/one/fake/logout?sid=s2&back=1");
    assert_eq!(goes_to(&world.visit(&other).await), "http://idp.example/out?for=upstream&end=NoSession");
    assert_eq!(world.found().await, (0, 1));
}

/// A provider's server waits for 2.5 s, and an app that is dead takes 3.
#[tokio::test]
async fn a_server_that_can_not_wait_is_answered_at_once_and_everybody_is_told_behind_it() {
    let apps = [("wiki", by("back")), ("dead-pay", by("back"))];
    let answered = async || {
        let (mut world, calls, _) = joined(["back", "back"], &apps).await;
        let outbox = world.outbox();
        let started = Instant::now();
        let asks = format!("{BASE}t/acme/connections/two/fake/logout?logout=alice@two&back=1&manner=at_once");
        let reply = world.visit(&asks).await;
        let took = started.elapsed();
        ((world, calls, outbox, reply), took)
    };
    let (world, calls, outbox, reply) = in_time(Duration::from_millis(1500), answered).await;
    assert_eq!(goes_to(&reply), "http://idp.example/out?for=upstream&end=Complete");
    assert_eq!(world.found().await, (0, 0), "the session is over with the answer");
    let all = ["127.0.0.1:8080", "dead-pay.example", "wiki.example"];
    eventually("all are called", async || (calls.hosts() == all).then_some(())).await;
    let cause = ("Error".into(), "not told: dead-pay".into());
    eventually("it is recorded", async || (world.newest_cause().await == cause).then_some(())).await;
    outbox.abort();
}

/// Where the process dies behind the answer, the outbox of another one tells the apps.
#[tokio::test]
async fn what_was_answered_at_once_stands_in_the_outbox() {
    let (mut world, calls, _) = joined(["back", "back"], &[("wiki", by("back")), ("plan", by("back"))]).await;
    world.visit(&format!("{BASE}t/acme/connections/one/fake/logout?logout=alice&back=1&manner=at_once")).await;
    assert_eq!(calls.hosts(), Vec::<String>::new());
    world.wait(Duration::from_secs(11));
    let system = Arc::clone(&world.foundation.system);
    assert_eq!(world.hub.deliver_notices(system.as_ref()).await.unwrap(), 2);
    assert_eq!(calls.hosts(), ["plan.example", "wiki.example"]);
}

/// LemonLDAP::NG names a person where others name a session, in a frame of anybody's page.
#[tokio::test]
async fn a_request_for_this_browser_ends_no_other_session() {
    let (mut world, _) = world(vec![upstream("front")], &[("wiki", by("back"))]).await;
    world.log_in("wiki").await;
    let elsewhere = std::mem::take(&mut world.cookies);
    let asks = format!("{BASE}t/acme/connections/one/fake/logout?logout=alice&manner=here");
    assert_eq!(goes_to(&world.visit(&asks).await), "http://idp.example/out?for=upstream&end=NoSession");
    world.log_in("wiki").await;
    assert_eq!(goes_to(&world.visit(&asks).await), "http://idp.example/out?for=upstream&end=Complete");
    assert!(!world.has_session());
    world.cookies = elsewhere.clone();
    world.log_in("wiki").await;
    assert_eq!(world.cookies, elsewhere, "the other browser's session lives");
}

/// Nobody signs the request of a frame: whoever guesses names leaves no record of each.
#[tokio::test]
async fn a_stranger_who_guesses_sessions_does_not_fill_the_store() {
    let (mut world, _) = world(vec![upstream("front")], &[("wiki", by("back"))]).await;
    for guess in 0..300 {
        let asks = format!("{BASE}t/acme/connections/one/fake/logout?sid=guess-{guess}");
        assert_eq!(goes_to(&world.step(&asks).await), "http://idp.example/out?for=upstream&end=NoSession");
    }
    world.recorder.flush().await;
    let filter = TraceFilter { limit: 1000, ..TraceFilter::default() };
    let kept = world.foundation.system.list(&filter).await.unwrap();
    assert!((120..=130).contains(&kept.len()), "{} records", kept.len());
}

#[tokio::test]
async fn an_upstream_ends_all_of_a_person_and_a_replay_ends_nothing() {
    let mut first = json!({ "subject": "alice", "logout": "back" });
    first["attributes"] = json!({ "email": ["alice@acme.example"] });
    let change = connection(2, "one", first, json!({}));
    let bob = json!({ "subject": "bob", "attributes": { "email": ["bob@acme.example"] } });
    let (mut world, _) = world(vec![change, connection(3, "two", bob, json!({}))], &[("wiki", by("back"))]).await;
    for (named, number) in [("person=alice", 1), ("email=ALICE@acme.example", 2)] {
        world.cookies.clear();
        world.log_in_by("wiki", "one").await;
        let person = world.person_of(2, "alice").await.unwrap();
        let before = world.cookies.clone();
        let asks =
            format!("{BASE}t/acme/connections/one/fake/logout?{named}&back=1&manner=everything,at_once&id=g{number}");
        assert_eq!(goes_to(&world.visit(&asks).await), "http://idp.example/out?for=upstream&end=Complete");
        let linked = world.foundation.store.linked_person(id(1), id(2), "alice").await.unwrap().unwrap();
        assert_eq!((linked.person, linked.epoch.0), (person, number), "the person was killed");
        // Who logs in again lives, and a replay of the request finds that it was used.
        world.log_in_by("wiki", "one").await;
        assert_ne!(world.cookies, before);
        let own = world.cookies.clone();
        assert_eq!(goes_to(&world.visit(&asks).await), "http://idp.example/out?for=upstream&end=Refused");
        world.log_in_by("wiki", "one").await;
        assert_eq!(world.cookies, own, "the new session lives");
    }
    for nobody in ["person=bob", "email=bob@acme.example", "person=carol"] {
        let asks = format!("{BASE}t/acme/connections/one/fake/logout?{nobody}&back=1&manner=everything");
        assert_eq!(goes_to(&world.visit(&asks).await), "http://idp.example/out?for=upstream&end=NoSession", "{nobody}");
    }
}

#[tokio::test]
async fn tokens_of_an_upstream_are_given_back_with_the_session() {
    let settings = json!({ "subject": "alice", "logout": "back", "tokens": { "every": 900 } });
    let apps = [("asker", by("back")), ("wiki", by("back"))];
    let (mut world, calls) = world(vec![connection(2, "one", settings, json!({}))], &apps).await;
    world.log_in("wiki").await;
    let sub = world.log_in("asker").await;
    let asks = format!("{BASE}t/acme/fake/slo?app=asker&key={sub}&back=1");
    assert_eq!(goes_to(&world.visit(&asks).await), "http://asker.example/out?end=Complete");
    assert_eq!(calls.bodies("/fake/revoke"), ["upstream-refresh-token-of-alice"]);
    let lines = super::records::decisions(&world, "upstream's tokens").await;
    assert_eq!(lines, ["one: revoked there"]);
}
