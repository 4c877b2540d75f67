//! The edges of time, with both clocks apart by as much as is tolerated, and a second more.

use std::sync::OnceLock;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fedbridge_contract::upstream::{LoginOutcome, LoginWish};
use fedbridge_oidc_core::testkit::{LIES, Person};
use serde_json::{Value, json};

use crate::world::{NOW, World, failed_check};

const SKEW: i64 = 120;

/// What a login with these claims fails at.
async fn fails_at(world: &World, wish: LoginWish, claims: &[(&str, Value)]) -> Option<String> {
    let person = claims.iter().fold(Person::new("alice"), |person, (name, value)| person.with(name, value.clone()));
    world.op.person(person);
    let (outcome, trace) = world.login(wish).await;
    assert_eq!(matches!(outcome, LoginOutcome::Authenticated(_)), trace.cause().is_none(), "{outcome:?}");
    failed_check(&trace)
}

#[tokio::test]
async fn each_time_counts_to_the_second() {
    let world = World::with(json!({ "clock_skew": "120s" }));
    let now = NOW.seconds();
    for (claim, good, bad) in [
        ("exp", now - SKEW, now - SKEW - 1),
        ("iat", now + SKEW, now + SKEW + 1),
        ("iat", now - 600, now - 601),
        ("nbf", now + SKEW, now + SKEW + 1),
        ("auth_time", now + SKEW, now + SKEW + 1),
    ] {
        assert_eq!(fails_at(&world, LoginWish::default(), &[(claim, json!(good))]).await, None, "{claim} {good}");
        let failed = fails_at(&world, LoginWish::default(), &[(claim, json!(bad))]).await;
        assert_eq!(failed.as_deref(), Some(claim), "{claim} {bad}");
    }
}

#[tokio::test]
async fn an_authentication_is_as_fresh_as_was_asked() {
    let world = World::with(json!({ "clock_skew": "120s" }));
    let now = NOW.seconds();
    let aged = LoginWish { max_age: Some(300), ..LoginWish::default() };
    let forced = LoginWish { force_authn: true, ..LoginWish::default() };
    for (wish, good) in [(&aged, now - 300 - SKEW), (&forced, now - SKEW)] {
        assert_eq!(fails_at(&world, wish.clone(), &[("auth_time", json!(good))]).await, None);
        let failed = fails_at(&world, wish.clone(), &[("auth_time", json!(good - 1))]).await;
        assert_eq!(failed.as_deref(), Some("auth_time"));
    }
    // Also where the provider was not told of it.
    let silent = World::with(json!({ "clock_skew": "120s", "pass_on": [] }));
    for wish in [aged, forced] {
        let failed = fails_at(&silent, wish, &[("auth_time", json!(now - 3600))]).await;
        assert_eq!(failed.as_deref(), Some("auth_time"));
    }
}

/// The time of a token is no word about when the person authenticated.
#[tokio::test]
async fn a_provider_says_when_or_it_does_not() {
    let world = World::new();
    assert!(world.enter().await.authn.auth_time_said);
    let unsaid = |name: &str| LIES.iter().copied().flatten().find(|lie| lie.name == name).unwrap();
    world.op.tell(unsaid("auth_time absent where nobody asked"));
    let authn = world.enter().await.authn;
    assert_eq!((authn.auth_time, authn.auth_time_said), (NOW, false));
    // Whoever asks for a fresh authentication gets nobody in, and is told why.
    world.op.tell(unsaid("auth_time absent though asked for"));
    for wish in [
        LoginWish { force_authn: true, ..LoginWish::default() },
        LoginWish { max_age: Some(300), ..LoginWish::default() },
    ] {
        let (outcome, trace) = world.login(wish).await;
        assert!(matches!(outcome, LoginOutcome::Rejected(_)), "{outcome:?}");
        let cause = trace.cause().unwrap();
        assert!(cause.ends_with("got none: a provider that is asked for max_age must say it (3.1.2.1)"), "{cause}");
    }
}

#[tokio::test]
async fn nobody_authenticates_in_the_future() {
    let world = World::with(json!({ "clock_skew": "120s" }));
    world.op.person(Person::new("alice").with("auth_time", json!(NOW.seconds() + 60)));
    assert_eq!(world.enter().await.authn.auth_time, NOW);
    world.clock.pass(Duration::from_secs(1));
    world.op.person(Person::new("alice").with("auth_time", json!(NOW.seconds() - 5)));
    assert_eq!(world.enter().await.authn.auth_time.seconds(), NOW.seconds() - 5);
}

#[tokio::test]
async fn a_token_that_names_a_code_names_this_one() {
    let world = World::new();
    for (right, failed) in [(true, None), (false, Some("c_hash"))] {
        let pending = world.begin().await;
        let answer = world.op.answer(&pending.location);
        let login = world.op.last_login().unwrap();
        let mut plan = world.op.id_token(&login);
        let code = if right { login.code.as_str() } else { "another code" };
        plan.set("c_hash", json!(URL_SAFE_NO_PAD.encode(&openssl::sha::sha256(code.as_bytes())[..16])));
        let tokens = json!({ "token_type": "Bearer", "access_token": login.access_token, "id_token": plan.token() });
        let fetched = OnceLock::new();
        fetched.set(tokens.to_string().into_bytes()).unwrap();
        let (_, trace) = world.complete_with(&pending, &answer, &fetched).await;
        assert_eq!(failed_check(&trace).as_deref(), failed);
    }
}
