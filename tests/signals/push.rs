//! Pushed events: at once, in order, again where the receiver was away, and to nobody else.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::json;

use super::receiver::Receiver;
use super::{CAEP, OTHER_TOKEN, RISC, TOKEN, event, receiver, world};
use crate::support::scripted::person;

/// CAEP and RISC events reach a receiver that is there within this time.
const SOON: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread")]
async fn who_is_switched_off_is_told_at_once() {
    let (ours, theirs) = (Receiver::start().await, Receiver::start().await);
    let push =
        |url: &str| format!("        push_url: {url}\n        push_authorization: {{ value: \"Bearer pushed\" }}\n");
    let mine = receiver("siem", TOKEN, &format!("        client: app\n{}", push(&ours.url)));
    let world = world(&mine, &receiver("siem", OTHER_TOKEN, &push(&theirs.url))).await;
    let directory = world.directory("acme");
    let user = directory.user("alice").await;
    let tokens = world.app().tokens(&world.idp, &person("alice")).await;
    let sub = world.app().introspect(tokens["access_token"].as_str().unwrap()).await["sub"].clone();

    let began = Instant::now();
    directory.switch(&user, false).await;
    let got = ours.has(2).await;
    let took = got[1].at.duration_since(began);
    assert!(took <= SOON, "{took:?}");
    let mut events = BTreeSet::new();
    let mut txns = BTreeSet::new();
    for one in &got[..2] {
        assert!(one.head.contains("content-type: application/secevent+jwt"), "{}", one.head);
        assert!(one.head.contains("authorization: bearer pushed"), "{}", one.head);
        let claims = world.read("acme", &one.token).await;
        assert_eq!(claims["iss"], world.issuer("acme"));
        assert_eq!(claims["aud"], format!("{}/signals/siem", world.issuer("acme")));
        assert_eq!(claims["sub_id"], json!({ "format": "iss_sub", "iss": world.issuer("acme"), "sub": sub }));
        assert!(claims.get("sub").is_none() && claims.get("exp").is_none() && claims["iat"].is_i64(), "{claims}");
        txns.insert(claims["txn"].as_str().unwrap().to_owned());
        events.insert(event(&claims));
    }
    assert_eq!(events, [format!("{CAEP}session-revoked"), format!("{RISC}account-disabled")].into());
    assert_eq!(txns.len(), 1, "one change");

    directory.switch(&user, true).await;
    let claims = world.read("acme", &ours.has(3).await[2].token).await;
    assert_eq!(event(&claims), format!("{RISC}account-enabled"));
    let (status, _) = directory.send(reqwest::Method::DELETE, &format!("Users/{user}"), json!(null)).await;
    assert_eq!(status, 204);
    let mut last = BTreeSet::new();
    for one in &ours.has(5).await[3..] {
        last.insert(event(&world.read("acme", &one.token).await));
    }
    assert_eq!(last, [format!("{CAEP}session-revoked"), format!("{RISC}account-purged")].into());
    assert!(theirs.got().is_empty(), "another tenant's receiver hears nothing: {:?}", theirs.got());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_was_away_hears_the_same_later() {
    let away = Receiver::start().await;
    away.down(true);
    let world =
        world(&receiver("siem", TOKEN, &format!("        push_url: {}\n", away.url)), &receiver("x", OTHER_TOKEN, ""))
            .await;
    let directory = world.directory("acme");
    let user = directory.user("bob").await;
    directory.switch(&user, false).await;
    crate::support::eventually("it is tried again", async || (away.refused().len() >= 2).then_some(())).await;
    away.down(false);
    let got = away.has(2).await;
    let jti = async |token: &str| world.read("acme", token).await["jti"].as_str().unwrap().to_owned();
    let mut first = BTreeSet::new();
    for token in away.refused() {
        first.insert(jti(&token).await);
    }
    let mut then = BTreeSet::new();
    for one in &got {
        assert!(then.insert(jti(&one.token).await), "told twice");
    }
    assert!(first.is_subset(&then), "{first:?} {then:?}");
    assert!(world.bridge.log().contains("could not be told yet"), "an administrator sees it");
}

/// A session's end is that of one session.
#[tokio::test(flavor = "multi_thread")]
async fn a_logout_is_told_with_its_session() {
    let ours = Receiver::start().await;
    let mine = receiver("siem", TOKEN, &format!("        push_url: {}\n", ours.url));
    let world = world(&mine, &receiver("x", OTHER_TOKEN, "")).await;
    world.directory("acme").user("carol").await;
    let mut browser = crate::support::browser::Browser::new();
    world.app().login(&mut browser, &world.idp, &person("carol")).await;
    let page = browser.get(&format!("{}/logout", world.issuer("acme"))).await;
    let form = crate::support::html::Form::of(&page.body, &page.url).unwrap();
    browser.post(&form.action, &form.fields).await;
    let claims = world.read("acme", &ours.has(1).await[0].token).await;
    assert_eq!(event(&claims), format!("{CAEP}session-revoked"));
    assert_eq!(
        (&claims["sub_id"]["format"], &claims["sub_id"]["user"]["format"]),
        (&json!("complex"), &json!("iss_sub"))
    );
    assert_eq!(claims["events"][format!("{CAEP}session-revoked")]["initiating_entity"], "user");
}
