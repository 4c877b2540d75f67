//! Requests that try to make much work, and fetches that hang.

use std::future::Future;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use fedbridge_contract::downstream::{Accepted, Downstream as _, Request};
use fedbridge_contract::http::{HttpInput, Method};
use fedbridge_contract::ids::TraceId;
use fedbridge_contract::trace::{Step, TraceLog};

use crate::support::services::CountingRng;
use crate::support::{World, claims_of, form, front_params, input, page_status, world};

fn with<'a>(world: &World, name: &'a str, value: String) -> Vec<(&'a str, String)> {
    let mut params = world.request("portal", "openid email");
    params.retain(|(there, _)| *there != name);
    params.push((name, value));
    params
}

fn posted(params: &[(&str, String)]) -> HttpInput {
    let pairs: Vec<_> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut post = input("authorize", Method::Post);
    post.content_type = Some("application/x-www-form-urlencoded".into());
    post.body = form(&pairs).into();
    post
}

#[tokio::test]
async fn lists_of_words_are_short() {
    let world = world();
    let many: String = (0..100).map(|n| format!(" w{n}")).collect();
    for (name, first) in [("scope", "openid"), ("acr_values", "a"), ("prompt", "login")] {
        let answer = world.refused(&with(&world, name, format!("{first}{many}"))).await;
        assert_eq!(answer["error"], "invalid_request", "{name}");
        assert_eq!(answer["error_description"], format!("The parameter {name} has more than 100 words."));
    }
    let login = world.accepted(&with(&world, "scope", format!("openid{}", " email".repeat(99)))).await;
    assert_eq!(login.scope, ["openid", "email"]);
    let scope = "api:read ".repeat(101);
    let params = [("grant_type", "client_credentials"), ("scope", scope.as_str())];
    assert_eq!(world.token("machine", &params).await.error(), "invalid_scope");
    let (tokens, _) = world.tokens("portal", "openid offline_access").await;
    let (token, scope) = (tokens.text("refresh_token"), "openid ".repeat(101));
    let params = [("grant_type", "refresh_token"), ("refresh_token", token.as_str()), ("scope", scope.as_str())];
    assert_eq!(world.token("portal", &params).await.error(), "invalid_scope");
}

#[tokio::test]
async fn kept_values_are_short() {
    let world = world();
    for name in ["state", "nonce", "login_hint", "domain_hint", "connection", "idp_hint", "ui_locales", "acr_values"] {
        world.accepted(&with(&world, name, "x".repeat(4096))).await;
        let answer = world.refused(&with(&world, name, "x".repeat(4097))).await;
        assert_eq!(answer["error"], "invalid_request", "{name}");
        assert_eq!(answer["error_description"], format!("The parameter {name} is longer than 4096 octets."));
        assert_eq!(answer.contains_key("state"), name != "state", "a state that long is not sent back");
    }
}

#[tokio::test]
async fn a_request_has_the_same_bound_by_get_and_post() {
    let world = world();
    let params = with(&world, "unknown", "x".repeat(32 * 1024));
    assert_eq!(page_status(world.authorize(&params).await), 413);
    assert_eq!(page_status(world.send(&world.acme, posted(&params)).await), 413);
    assert!(world.last_cause().contains("32768 are the most"), "{}", world.last_cause());
    let params = with(&world, "unknown", "x".repeat(31 * 1024));
    world.accepted(&params).await;
    assert!(matches!(world.send(&world.acme, posted(&params)).await, Accepted::Login(_)));
}

/// A parameter that comes a thousand times is one fact of the record.
#[tokio::test]
async fn a_flood_of_one_parameter_is_one_fact() {
    let world = world();
    for name in ["scope", "claims", "client_id"] {
        let mut params = world.request("portal", "openid");
        params.extend((0..1000).map(|n| (name, format!("v{n}"))));
        let input = posted(&params);
        let mut trace = TraceLog::new();
        let trace_id = TraceId::random(&CountingRng::default());
        let request = Request { tenant: &world.acme, input: &input, now: world.now, trace_id };
        assert!(matches!(world.provider.accept(request, &mut trace).await, Accepted::Reply(_)));
        let events = world.traces.0.lock().unwrap();
        let steps = events.last().unwrap().steps.steps();
        let Some(Step::Received { facts, .. }) = steps.first() else { panic!("no request in {steps:?}") };
        assert_eq!(facts.iter().filter(|(there, _)| there == name).count(), 1, "{facts:?}");
        assert!(facts.len() <= 7, "{facts:?}");
    }
}

/// Whoever waited for a fetch may have gone away. The next one does not start it over at once,
/// and it is tried again after the pause.
#[tokio::test]
async fn a_fetch_that_was_given_up_counts_as_an_attempt() {
    let mut world = world();
    let mut params = world.request("portal", "openid");
    params[0].1 = "paired".into();
    let list = r#"["https://portal.example/callback","https://paired.example/cb"]"#;
    world.web.documents.lock().unwrap().insert("https://paired.example/sector".into(), list.into());
    world.web.stuck.store(true, Ordering::Relaxed);
    {
        let mut waiting = Box::pin(world.authorize(&params));
        let first = std::future::poll_fn(|cx| Poll::Ready(waiting.as_mut().poll(cx).is_pending())).await;
        assert!(first, "the fetch hangs");
    }
    world.web.stuck.store(false, Ordering::Relaxed);
    assert_eq!(page_status(world.authorize(&params).await), 400);
    assert!(world.last_cause().contains("a short while ago"), "{}", world.last_cause());
    assert_eq!(world.web.fetches.load(Ordering::Relaxed), 1);
    world.later(10);
    world.accepted(&params).await;
    assert_eq!(world.web.fetches.load(Ordering::Relaxed), 2);
}

#[tokio::test]
async fn no_token_outlives_the_upstreams_session() {
    let mut world = world();
    for client in ["portal", "opaque"] {
        let login = world.accepted(&world.request(client, "openid offline_access")).await;
        let mut identity = world.identity(&world.acme, login.scope.clone());
        identity.upstream_limit = Some(world.now + Duration::from_secs(100));
        let (reply, _) = world.finish(&world.acme, &login, &identity).await;
        let tokens = world.redeem(client, &front_params(&reply).1["code"]).await;
        assert_eq!(tokens.json["expires_in"], 100, "{client}");
        let limit = world.now.seconds() + 100;
        assert_eq!(claims_of(&tokens.text("id_token"))["exp"], limit);
        let access = tokens.text("access_token");
        if client == "portal" {
            assert_eq!(claims_of(&access)["exp"], limit);
        }
        let refresh = tokens.text("refresh_token");
        world.later(99);
        assert_eq!(world.userinfo(&access).await.status, 200);
        let params = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
        let next = world.token(client, &params).await;
        assert_eq!(next.json["expires_in"], 1);
        world.later(1);
        assert_eq!(world.userinfo(&access).await.error(), "invalid_token");
        let (next, refresh) = (next.text("access_token"), next.text("refresh_token"));
        assert_eq!(world.userinfo(&next).await.error(), "invalid_token");
        let params = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str())];
        assert_eq!(world.token(client, &params).await.error(), "invalid_grant");
    }
}

#[tokio::test]
async fn a_code_is_worth_nothing_after_the_upstreams_session() {
    let mut world = world();
    let login = world.accepted(&world.request("portal", "openid")).await;
    let mut identity = world.identity(&world.acme, login.scope.clone());
    identity.upstream_limit = Some(world.now + Duration::from_secs(5));
    let (reply, _) = world.finish(&world.acme, &login, &identity).await;
    world.later(5);
    let answer = world.redeem("portal", &front_params(&reply).1["code"]).await;
    assert_eq!(answer.error(), "invalid_grant");
    assert!(world.last_cause().contains("upstream's limit"), "{}", world.last_cause());
}
