//! Consent: who is asked, by whom the answer must come, and what is remembered.

use std::sync::atomic::Ordering;

use fedbridge_contract::epoch::Killed;
use fedbridge_contract::http::{Reply, ReplyKind};
use fedbridge_contract::ids::{AppId, TenantId};
use fedbridge_contract::page::{ConsentPage, OwnForm, Page};
use fedbridge_hub::ports::{EpochStore as _, PeopleStore as _, TraceStore as _};
use fedbridge_hub::run::{TracePayload, trace_place};
use fedbridge_hub::spec::SubjectType;
use serde_json::json;

use super::logout::{goes_to, status_of};
use super::records::records;
use super::{BASE, World, alice, app, body_of, client, connection, id, param};

const YES: [(&str, &str); 1] = [("answer", "allow")];

async fn world() -> World {
    let changes = vec![
        connection(2, "one", alice(), json!({})),
        // One that can prove who it is: others at such an address are asked about each time.
        client(30, "shop", json!({ "consent": "remember", "public": false, "jwks_uri": "https://shop.example/jwks" })),
        client(31, "bank", json!({ "consent": "always" })),
        app(20, "wiki", json!({ "notice": "back" })),
    ];
    World::new(changes, SubjectType::Public).await
}

fn asked(reply: &Reply) -> &ConsentPage {
    let ReplyKind::Page(Page::Consent(page)) = &reply.kind else { panic!("nobody is asked: {reply:?}") };
    page
}

#[tokio::test]
async fn an_app_gets_something_when_the_person_has_agreed_and_is_remembered() {
    let mut world = world().await;
    let reply = world.authorize_for("shop", "openid%20email", "").await;
    let page = asked(&reply).clone();
    assert_eq!((page.person.as_str(), page.app.as_str(), page.host.as_deref()), ("alice", "shop", Some("127.0.0.1")));
    assert_eq!(page.asks, ["email", "openid"]);
    let reply = world.send(&page.form, &YES).await;
    assert!(param(&reply, "code").is_some(), "{reply:?}");
    assert_eq!(param(&reply, "state").as_deref(), Some("s"));
    // The same and less is not asked again; more is.
    for scope in ["openid%20email", "openid"] {
        assert!(param(&world.authorize_for("shop", scope, "&prompt=none").await, "code").is_some(), "{scope}");
    }
    let reply = world.authorize_for("shop", "openid%20groups", "&prompt=none").await;
    assert_eq!(param(&reply, "error").as_deref(), Some("consent_required"));
    let reply = world.authorize_for("shop", "openid%20groups", "").await;
    let form = asked(&reply).form.clone();
    world.send(&form, &YES).await;
    assert!(param(&world.authorize_for("shop", "openid%20email%20groups", "&prompt=none").await, "code").is_some());
    // Who asks for it is asked every time, and so is an app that always asks.
    asked(&world.authorize_for("shop", "openid", "&prompt=consent").await);
    for _ in 0..2 {
        let reply = world.authorize_for("bank", "openid", "").await;
        let form = asked(&reply).form.clone();
        assert!(param(&world.send(&form, &YES).await, "code").is_some());
    }
    assert!(param(&world.authorize("").await, "code").is_some(), "the company's own app asks nobody");
}

#[tokio::test]
async fn a_person_may_say_no() {
    let mut world = world().await;
    let reply = world.authorize_for("shop", "openid%20email", "").await;
    let form = asked(&reply).form.clone();
    let reply = world.send(&form, &[("answer", "deny")]).await;
    assert_eq!(param(&reply, "error").as_deref(), Some("access_denied"));
    let (outcome, cause) = world.newest_cause().await;
    assert_eq!((outcome.as_str(), cause.as_str()), ("Refused", "consent: the person said no"));
    assert_eq!(status_of(&world.send(&form, &YES).await), 400, "a question is answered once");
    asked(&world.authorize_for("shop", "openid%20email", "").await);
    let person = world.person_of(2, "alice").await.unwrap();
    let kept = world.foundation.store.consents(id::<TenantId>(1), person).await.unwrap();
    assert_eq!(kept, [], "a no is not remembered");
}

/// The person takes the yes back between the moment that a login reads it and the one that it stores its grant.
#[tokio::test]
async fn no_login_on_its_way_outruns_a_consent_that_is_taken_back() {
    let mut world = world().await;
    let wiki = format!("{BASE}t/acme/fake/login?app=wiki&consent=remember");
    for login in ["shop", "wiki"] {
        let asks = async |world: &mut World| match login {
            "shop" => world.authorize_for("shop", "openid", "").await,
            _ => world.visit(&wiki).await,
        };
        let reply = asks(&mut world).await;
        let form = asked(&reply).form.clone();
        world.send(&form, &YES).await;
        assert!(matches!(asks(&mut world).await.kind, ReplyKind::Redirect(_)), "{login} is remembered");
        let people = world.watch_people();
        people.forgets.store(true, Ordering::Relaxed);
        asked(&asks(&mut world).await);
        assert!(!people.forgets.load(Ordering::Relaxed), "{login}: nothing was taken back");
    }
}

/// The store fails at the yes: the app hears nothing yet, and the same page takes the yes a moment later.
#[tokio::test]
async fn a_yes_that_could_not_be_kept_can_be_said_again() {
    let mut world = world().await;
    let reply = world.authorize_for("shop", "openid", "").await;
    let form = asked(&reply).form.clone();
    let store = world.watch_people();
    store.silent.store(true, Ordering::Relaxed);
    assert_eq!(status_of(&world.send(&form, &YES).await), 503);
    store.silent.store(false, Ordering::Relaxed);
    assert!(param(&world.send(&form, &YES).await, "code").is_some());
}

/// What waits at the page was begun before the kill, like a code that waits at the app.
#[tokio::test]
async fn a_question_dies_with_its_app() {
    let mut world = world().await;
    let (shop, bank) = (id::<AppId>(30), id::<AppId>(31));
    for (killed, lives) in [(bank, true), (shop, false)] {
        let reply = world.authorize_for("shop", "openid", "&prompt=consent").await;
        let form = asked(&reply).form.clone();
        let kill = Killed::App(id::<TenantId>(1), killed);
        world.foundation.system.kill(kill, world.now()).await.unwrap().unwrap();
        world.foundation.epochs.catch_up(world.foundation.system.as_ref()).await.unwrap();
        let reply = world.send(&form, &YES).await;
        assert_eq!(param(&reply, "code").is_some(), lives, "{reply:?}");
    }
    // The session lives on, and a question that is asked now is another one.
    let reply = world.authorize_for("shop", "openid", "&prompt=consent").await;
    let form = asked(&reply).form.clone();
    assert!(param(&world.send(&form, &YES).await, "code").is_some());
}

/// Core 3.1.2.4, RFC 9700 4.16: nobody else can say yes.
#[tokio::test]
async fn a_forged_answer_is_refused_and_leaves_the_question_open() {
    let mut world = world().await;
    let reply = world.authorize_for("shop", "openid", "").await;
    let form = asked(&reply).form.clone();
    let alice = world.cookies.clone();
    let session: Vec<_> = alice.iter().filter(|(name, _)| name.ends_with("-s")).cloned().collect();
    let correlation: Vec<_> = alice.iter().filter(|(name, _)| !name.ends_with("-s")).cloned().collect();
    // Without the session's cookie, and without the question's.
    for cookies in [correlation.clone(), session.clone(), Vec::new()] {
        world.cookies = cookies;
        assert_eq!(status_of(&world.send(&form, &YES).await), 400);
    }
    // In another session of the same person, and in that of somebody else.
    for who in ["", "&as=bob"] {
        world.cookies.clear();
        let started = world.step(&format!("{BASE}t/acme/connections/one/login")).await;
        let answer = format!("{}{who}", goes_to(&started));
        world.step(&answer).await;
        world.cookies.extend(correlation.clone());
        assert_eq!(status_of(&world.send(&form, &YES).await), 400, "{who}");
    }
    // Another site's form, a made-up question, and a question of a login at an upstream.
    world.cookies = alice.clone();
    for origin in ["https://evil.example", "null", "http://127.0.0.1:8081"] {
        world.origin = Some(origin.into());
        assert_eq!(status_of(&world.send(&form, &YES).await), 400, "{origin}");
    }
    world.origin = Some("http://127.0.0.1:8080".into());
    let forged = OwnForm { fields: vec![("question".into(), "x".repeat(60))], ..form.clone() };
    assert_eq!(status_of(&world.send(&forged, &YES).await), 400);
    let started = world.step(&format!("{BASE}t/acme/connections/one/fake/answer?handle={}", form.fields[0].1)).await;
    assert_eq!(status_of(&started), 400, "an upstream's answer is none to the question");
    // None of it used the question up.
    world.cookies = alice;
    assert!(param(&world.send(&form, &YES).await, "code").is_some());
    assert_eq!(status_of(&world.post(&form.action, body_of(&form, &YES)).await), 400, "a question is answered once");
}

#[tokio::test]
async fn an_app_of_another_protocol_asks_for_what_it_gets() {
    let mut world = world().await;
    let login = format!("{BASE}t/acme/fake/login?app=wiki&consent=remember&id=r1&ui_locales=de");
    let reply = world.visit(&login).await;
    let page = asked(&reply).clone();
    assert_eq!(page.asks, Vec::<String>::new(), "nothing is released to it");
    assert_eq!(reply.dress.locale, Some(fedbridge_contract::config::Locale::De));
    // The request was not used up by the question; the answer does that.
    let reply = world.send(&page.form, &YES).await;
    assert!(goes_to(&reply).starts_with("http://wiki.example/in"), "{reply:?}");
    assert_eq!(status_of(&world.visit(&login).await), 400);
    let passive = format!("{BASE}t/acme/fake/login?app=wiki&consent=always&passive=1");
    assert_eq!(goes_to(&world.visit(&passive).await), "http://wiki.example/refused?kind=ConsentRequired");
}

/// Two records: the login up to the question, and the answer with what it takes to decide again.
#[tokio::test]
async fn the_answer_is_recorded_and_can_be_decided_again() {
    let mut world = world().await;
    let reply = world.authorize_for("shop", "openid%20email", "").await;
    let form = asked(&reply).form.clone();
    world.send(&form, &YES).await;
    let all = records(&world).await;
    let kinds: Vec<_> = all.iter().map(|(summary, _)| (summary.kind.as_str(), summary.app.as_deref())).collect();
    assert_eq!(kinds, [("consent", Some("shop")), ("login", Some("shop"))]);
    let summary = &all[0].0;
    let sealed = world.foundation.system.find(summary.id).await.unwrap().unwrap().sealed;
    let plain = world.foundation.sealer.open(&trace_place(summary.tenant, summary.id), &sealed).unwrap();
    let payload: TracePayload = serde_json::from_slice(&plain).unwrap();
    let decision = payload.replay.unwrap().compile().unwrap().decide();
    let fedbridge_hub::decide::Verdict::Allowed { released } = decision.verdict else { panic!("denied") };
    assert_eq!(released.text("email"), Some("alice@acme.example"));
}
