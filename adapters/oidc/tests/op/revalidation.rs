//! A refresh asks the upstream first, where its connection wants that.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use fedbridge_contract::services::Valid;
use fedbridge_contract::trace::Step;

use crate::support::{Answer, World, world};

async fn refresh(world: &World, token: &str) -> Answer {
    world.token("portal", &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
}

fn answers(world: &World, answers: impl IntoIterator<Item = Valid>) {
    world.upstream.answers.lock().unwrap().extend(answers);
}

#[tokio::test]
async fn a_refresh_waits_for_the_upstream_and_loses_nothing() {
    let world = world();
    let (first, id) = world.tokens("portal", "openid offline_access").await;
    assert!(world.upstream.asked.lock().unwrap().is_empty(), "a login has asked the upstream already");
    let token = first.text("refresh_token");
    answers(&world, [Valid::Later("the upstream is away".into()), Valid::Later("still".into())]);
    for cause in ["the upstream is away", "still"] {
        let later = refresh(&world, &token).await;
        assert_eq!((later.status, later.error()), (503, "temporarily_unavailable"));
        assert_eq!(later.headers["retry-after"], "1");
        assert!(later.json.get("access_token").is_none());
        assert_eq!(world.last_cause(), cause);
        assert!(!later.json.to_string().contains(cause), "the cause stays inside");
        assert_eq!(world.grant(id).refresh.unwrap().generation, 1, "the token was not used up");
    }
    assert_eq!(refresh(&world, &token).await.status, 200);
    assert_eq!(*world.upstream.asked.lock().unwrap(), [id, id, id]);
}

#[tokio::test]
async fn who_is_gone_upstream_gets_nothing() {
    let world = world();
    let (first, id) = world.tokens("portal", "openid offline_access").await;
    answers(&world, [Valid::No("the upstream does not know the person any more".into())]);
    let refused = refresh(&world, &first.text("refresh_token")).await;
    assert_eq!((refused.status, refused.error()), (400, "invalid_grant"));
    assert_eq!(world.last_cause(), "the upstream does not know the person any more");
    assert_eq!(world.grant(id).refresh.unwrap().generation, 1);
    let traces = world.traces.0.lock().unwrap();
    let said = |step: &Step| matches!(step, Step::Decision { what, allowed: false, .. } if what == "upstream");
    assert!(traces.last().unwrap().steps.steps().iter().any(said), "the record says what the upstream said");
}

#[tokio::test]
async fn only_a_good_token_asks() {
    let mut world = world();
    let (first, id) = world.tokens("portal", "openid offline_access").await;
    let old = first.text("refresh_token");
    let next = refresh(&world, &old).await.text("refresh_token");
    assert_eq!(refresh(&world, &old).await.text("refresh_token"), next);
    assert_eq!(world.upstream.asked.lock().unwrap().len(), 2, "a retry within the grace asks too");

    // Somebody else's client, another tenant's token, a scope that it never had.
    let params = [("grant_type", "refresh_token"), ("refresh_token", next.as_str())];
    assert_eq!(world.token("opaque", &params).await.error(), "invalid_grant");
    assert_eq!(world.token("portal", &[params[0], params[1], ("scope", "api:read")]).await.error(), "invalid_scope");
    assert_eq!(refresh(&world, "fbr_AAAA").await.error(), "invalid_grant");

    // Reuse ends the family, though the upstream could not say.
    world.later(10);
    answers(&world, [Valid::Later("away".into())]);
    assert_eq!(refresh(&world, &old).await.error(), "invalid_grant");
    assert_eq!(world.counts.reused.load(Ordering::Relaxed), 1);
    assert!(world.grant(id).standing.revoked);
    assert_eq!(world.upstream.asked.lock().unwrap().len(), 2);
}

/// What was allowed before the upstream was asked may be dead when it has answered.
#[tokio::test]
async fn a_kill_while_the_upstream_is_asked_leaves_nothing() {
    let world = world();
    let (first, id) = world.tokens("portal", "openid offline_access").await;
    let gate = Arc::clone(&world.gate);
    let kill = move || gate.kills.store(5, Ordering::Relaxed);
    *world.upstream.meanwhile.lock().unwrap() = Some(Box::new(kill));
    let refused = refresh(&world, &first.text("refresh_token")).await;
    assert_eq!((refused.status, refused.error()), (400, "invalid_grant"), "{:?}", refused.json);
    assert_eq!(world.grant(id).refresh.unwrap().generation, 1);

    // The same with what only the grant's row knows.
    let world = crate::support::world();
    let (first, id) = world.tokens("portal", "openid offline_access").await;
    let (grants, tenant) = (Arc::clone(&world.grants), world.acme.id);
    let end = move || grants.change(tenant, id, |grant| grant.standing.session_ended = true);
    *world.upstream.meanwhile.lock().unwrap() = Some(Box::new(end));
    assert_eq!(refresh(&world, &first.text("refresh_token")).await.error(), "invalid_grant");
    assert_eq!(world.grant(id).refresh.unwrap().generation, 1);
}
