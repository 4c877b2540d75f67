//! Logins with an honest provider, and what it sees of us.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use fedbridge_contract::upstream::{LoginOutcome, LoginWish, UpstreamRefusalKind};
use fedbridge_oidc_core::jws::Parts;
use fedbridge_oidc_core::testkit::{Change, Endpoint, Lie, Person, ScriptedOp, Wires, basic, parameter};
use serde_json::json;

use crate::requests::with_key;
use crate::world::{ADDRESS, Hands, NOW, World, accepted, failed_check};

#[tokio::test]
async fn an_honest_provider_logs_people_in() {
    let world = World::new();
    let identity = world.enter().await;
    assert_eq!(identity.subject.display, "alice");
    assert_eq!(identity.attributes.get("email"), ["alice@acme.example"]);
    let seen = world.op.seen();
    assert_eq!((seen.count(Endpoint::Token), seen.count(Endpoint::Keys), seen.count(Endpoint::Other)), (1, 1, 0));
    let call = seen.of(Endpoint::Token).next().unwrap();
    let (id, secret) = world.op.client();
    assert_eq!(basic(call.asked.header("authorization")), Some((id, secret)));
    let form = call.asked.parameters();
    assert_eq!(parameter(&form, "redirect_uri"), Some(format!("{ADDRESS}/oidc/callback").as_str()));
    assert_eq!(parameter(&form, "client_secret"), None, "the secret goes one way only");
    let asked = &world.op.last_login().unwrap().asked;
    for (name, least) in [("state", 22), ("nonce", 43), ("code_challenge", 43)] {
        assert!(parameter(asked, name).is_some_and(|value| value.len() >= least), "{name}: {asked:?}");
    }
    assert_eq!(parameter(asked, "response_type"), Some("code"));
    assert_eq!(parameter(asked, "code_challenge_method"), Some("S256"));
}

#[tokio::test]
async fn a_code_goes_to_the_provider_that_was_asked_alone() {
    let clock = Hands::at(NOW);
    let honest = ScriptedOp::new("https://op.example", clock.clone()).unwrap();
    let evil = ScriptedOp::new("https://evil.example", clock.clone()).unwrap();
    let wires = Wires::new(&[&honest, &evil]);
    let ours = World::on(honest.clone(), clock.clone(), json!({}), wires.clone()).unwrap();
    let theirs = World::on(evil.clone(), clock, json!({}), wires).unwrap();
    // The browser was sent to the honest provider, and comes back to the other connection's callback.
    let (to_honest, to_evil) = (ours.begin().await, theirs.begin().await);
    let answer = honest.answer(&to_honest.location);
    let (outcome, trace) = theirs.complete(&to_evil, &answer).await;
    assert!(matches!(outcome, LoginOutcome::Rejected(_)), "{outcome:?}");
    assert_eq!(failed_check(&trace).as_deref(), Some("iss of the answer"));
    // With the state of the other connection's login.
    let (outcome, trace) = theirs.complete(&to_honest, &evil.answer(&to_evil.location)).await;
    assert!(matches!(outcome, LoginOutcome::Rejected(_)), "{outcome:?}");
    assert_eq!(failed_check(&trace).as_deref(), Some("Outstanding request"));
    for op in [&honest, &evil] {
        assert_eq!(op.seen().count(Endpoint::Token), 0, "a code left the house");
    }
}

/// Audience injection: a provider names somebody else's token endpoint as its own, and would like to use there what
/// it gets from us.
#[tokio::test]
async fn what_a_lying_provider_gets_of_us_is_good_nowhere_else() {
    static LIE: LazyLock<Lie> = LazyLock::new(|| {
        const AT_THE_OTHER: &[Change] =
            &[Change::Metadata(|plan| plan.json["token_endpoint"] = json!("https://op.example/token"))];
        Lie::told(21, "the other's token endpoint", "token endpoint: error", AT_THE_OTHER)
    });
    let clock = Hands::at(NOW);
    let honest = ScriptedOp::new("https://op.example", clock.clone()).unwrap();
    let evil = ScriptedOp::new("https://evil.example", clock.clone()).unwrap();
    evil.tell(&LIE);
    let wires = Wires::new(&[&honest, &evil]);
    let settings = json!({ "token_endpoint_auth_method": "private_key_jwt" });
    let mut world = World::on(evil, clock, settings, wires).unwrap();
    honest.trust_client_keys(with_key(&mut world));
    let (outcome, trace) = world.login(LoginWish::default()).await;
    assert!(matches!(outcome, LoginOutcome::Rejected(_)), "{outcome:?}");
    assert!(trace.cause().is_some_and(|cause| cause.contains("invalid_client")), "{:?}", trace.cause());
    let form = honest.seen().of(Endpoint::Token).next().unwrap().asked.parameters();
    let claims = Parts::split(parameter(&form, "client_assertion").unwrap()).unwrap().claims;
    let claims: serde_json::Value = serde_json::from_slice(&claims).unwrap();
    assert_eq!(claims["aud"], "https://evil.example", "the assertion names the issuer that was asked");
}

#[tokio::test]
async fn a_connection_that_is_pointed_elsewhere_takes_no_answer() {
    let mut world = World::new();
    let pending = world.begin().await;
    let answer = world.op.answer(&pending.location);
    let moved = ScriptedOp::new("https://new.example", world.clock.clone()).unwrap();
    let old = std::mem::replace(&mut world.op, moved);
    world.reopen(json!({})).unwrap();
    let (outcome, trace) = world.complete(&pending, &answer).await;
    assert!(matches!(outcome, LoginOutcome::Rejected(_)), "{outcome:?}");
    assert_eq!(failed_check(&trace).as_deref(), Some("the issuer that was asked"));
    assert_eq!(old.seen().count(Endpoint::Token), 0);
}

#[tokio::test]
async fn a_refusal_of_the_provider_is_a_word_and_never_a_page() {
    let world = World::new();
    let refused = [
        ("access_denied", UpstreamRefusalKind::Denied, "access_denied"),
        ("login_required", UpstreamRefusalKind::LoginRequired, "login_required"),
        (
            "unmet_authentication_requirements",
            UpstreamRefusalKind::UnmetAuthnContext,
            "unmet_authentication_requirements",
        ),
        ("tomorrows_error", UpstreamRefusalKind::Failed, "tomorrows_error"),
        ("<script>alert(1)</script>", UpstreamRefusalKind::Failed, "an error without a name"),
    ];
    for (error, kind, word) in refused {
        let pending = world.begin().await;
        let mut answer = world.op.answer(&pending.location);
        let state = parameter(&answer.query_params(), "state").unwrap().to_owned();
        let pairs =
            [("error", error), ("error_description", "<b>evil</b>"), ("state", &state), ("iss", "https://op.example")];
        answer.query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let (outcome, _) = world.complete(&pending, &answer).await;
        let LoginOutcome::UpstreamRefused(refusal) = outcome else { panic!("{error}: {outcome:?}") };
        assert_eq!((refusal.kind, refusal.upstream_code.as_str()), (kind, word));
    }
    assert_eq!(world.op.seen().count(Endpoint::Token), 0);
}

#[tokio::test]
async fn rotation_is_followed_and_strangers_cause_no_storm() {
    let world = World::new();
    world.enter().await;
    // Rotated just before it signs.
    world.op.rotate_keys();
    world.enter().await;
    assert_eq!(world.op.seen().count(Endpoint::Keys), 2);
    // A stranger's keys, again and again: one look a minute.
    static STRANGER: LazyLock<Lie> = LazyLock::new(|| {
        const CHANGES: &[Change] = &[Change::IdToken(|plan| {
            let kid = format!("kid-{}", plan.scene.login.as_ref().map_or("", |login| login.code.as_str()));
            plan.header.insert("kid".into(), json!(kid));
        })];
        Lie::told(32, "a name of a key that nobody has", "key of the ID token", CHANGES)
    });
    world.op.tell(&STRANGER);
    for _ in 0..300 {
        let (outcome, trace) = world.login(LoginWish::default()).await;
        assert!(matches!(outcome, LoginOutcome::KeyUnknown(_)), "{outcome:?}");
        assert_eq!(failed_check(&trace).as_deref(), Some("key of the ID token"));
    }
    assert!(world.op.seen().count(Endpoint::Keys) <= 3, "{}", world.op.seen().count(Endpoint::Keys));
}

#[tokio::test]
async fn an_outage_of_the_key_set_is_bridged_for_a_day() {
    let world = World::new();
    world.enter().await;
    const DOWN: &[Change] = &[Change::Keys(|plan| plan.status = 503)];
    static LIE: LazyLock<Lie> = LazyLock::new(|| Lie::told(36, "no key set", "the key set", DOWN));
    world.op.tell(&LIE);
    for _ in 0..4 {
        world.clock.pass(Duration::from_secs(5 * 3600 + 1800));
        world.enter().await;
    }
    world.clock.pass(Duration::from_secs(3 * 3600));
    let (outcome, trace) = world.login(LoginWish::default()).await;
    assert!(!matches!(outcome, LoginOutcome::Authenticated(_)));
    assert_eq!(failed_check(&trace).as_deref(), Some("the key set"));
    world.op.truth();
    world.clock.pass(Duration::from_secs(61));
    world.enter().await;
}

#[tokio::test]
async fn a_key_that_the_provider_takes_back_is_refused_after_a_refresh() {
    let mut world = World::new();
    world.enter().await;
    let kept = world.op.keys().rsa.jwk();
    world.op.publish(Some(vec![kept]));
    // Nobody has looked yet.
    world.enter().await;
    // The button: the connection is opened anew.
    world.reopen(json!({})).unwrap();
    let (outcome, trace) = world.login(LoginWish::default()).await;
    assert!(matches!(outcome, LoginOutcome::KeyUnknown(_)), "{outcome:?}");
    assert_eq!(failed_check(&trace).as_deref(), Some("key of the ID token"));
    // Distrusted by hand: in force whatever the provider publishes.
    world.op.publish(None);
    let kid = world.op.keys().active.kid.clone();
    world.reopen(json!({ "distrusted_keys": [kid] })).unwrap();
    let (outcome, _) = world.login(LoginWish::default()).await;
    assert!(!matches!(outcome, LoginOutcome::Authenticated(_)), "{outcome:?}");
}

#[tokio::test]
async fn subjects_are_octets() {
    for subject in ["\u{1f600}", " alice", "alice ", "ALICE", "\u{202e}ecila", &"s".repeat(255)] {
        let world = World::new();
        world.op.person(Person::new(subject));
        let identity = world.enter().await;
        assert_eq!(identity.subject.display, subject);
        assert!(identity.subject.key.contains(&json!(subject).to_string()), "{}", identity.subject.key);
    }
    let (one, other) = (World::new(), World::new());
    one.op.person(Person::new("alice"));
    other.op.person(Person::new("Alice"));
    assert_ne!(one.enter().await.subject.key, other.enter().await.subject.key);
}

#[tokio::test]
async fn claims_of_two_sources_are_never_mixed() {
    let told = |claims: serde_json::Value| claims.as_object().cloned().unwrap();
    let cases = [
        // (ID token, userinfo, attribute, expected)
        (
            json!({ "email": "a@acme.example" }),
            json!({ "email": "b@acme.example", "email_verified": true }),
            "email",
            "a@acme.example",
        ),
        (
            json!({ "email": "a@acme.example" }),
            json!({ "email": "b@acme.example", "email_verified": true }),
            "email_verified",
            "",
        ),
        (json!({}), json!({ "email": "b@acme.example", "email_verified": true }), "email_verified", "true"),
        (json!({ "hd": "acme.example" }), json!({ "hd": "evil.example" }), "hd", "acme.example"),
        (json!({}), json!({ "tid": "evil" }), "tid", ""),
        (json!({}), json!({ "sid": "evil" }), "acr", ""),
    ];
    for (id_token, userinfo, name, expected) in cases {
        let world = World::with(json!({ "userinfo": "always" }));
        let person =
            Person { subject: "alice".into(), claims: told(id_token.clone()), userinfo: Some(told(userinfo.clone())) };
        world.op.person(person);
        let identity = accepted(world.login(LoginWish::default()).await);
        let found = identity.attributes.get(name).join(",");
        assert_eq!(found, expected, "{name} of {id_token} and {userinfo}");
        let calls = world.op.seen();
        let call = calls.of(Endpoint::Userinfo).next().unwrap();
        assert!(call.asked.header("authorization").is_some_and(|value| value.starts_with("Bearer ")));
        assert!(call.asked.query.is_empty() && call.asked.body.is_empty(), "the token goes in the header alone");
    }
}

/// Some of a person's groups may let somebody in whom another one keeps out.
#[tokio::test]
async fn more_values_than_anybody_needs_are_refused_and_not_cut() {
    let world = World::with(json!({ "userinfo": "always" }));
    // The ID token has a `sub` and an `iss`, and these are the rest.
    for (count, fits) in [(9_990, true), (10_001, false)] {
        let groups: Vec<_> = (0..count).map(|number| format!("g{number}")).collect();
        let userinfo = json!({ "groups": groups }).as_object().cloned();
        world.op.person(Person { subject: "alice".into(), claims: serde_json::Map::new(), userinfo });
        let (outcome, trace) = world.login(LoginWish::default()).await;
        match outcome {
            LoginOutcome::Authenticated(identity) => {
                assert!(fits, "{count} values came through");
                assert_eq!(identity.attributes.get("groups").len(), count);
            }
            _ => {
                assert!(!fits, "{:?}", failed_check(&trace));
                assert_eq!(failed_check(&trace).as_deref(), Some("values of all claims"));
                let cause = trace.cause().unwrap();
                assert!(cause.contains("10000 at most") && cause.contains("1000"), "{cause}");
            }
        }
    }
}

#[tokio::test]
async fn addresses_in_a_token_are_never_called() {
    for endpoint in ["https://op.example/claims", "http://169.254.169.254/latest"] {
        let world = World::new();
        let person = Person::new("alice")
            .with("_claim_names", json!({ "groups": "src1" }))
            .with("_claim_sources", json!({ "src1": { "endpoint": endpoint, "access_token": "t" } }));
        world.op.person(person);
        let _ = world.login(LoginWish::default()).await;
        assert_eq!(world.op.seen().count(Endpoint::Other), 0, "{endpoint} was called");
    }
}

#[tokio::test]
async fn a_thousand_logins_at_once_read_the_keys_once() {
    let world = Arc::new(World::new());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..1000 {
        let world = Arc::clone(&world);
        tasks.spawn(async move { matches!(world.login(LoginWish::default()).await.0, LoginOutcome::Authenticated(_)) });
    }
    while let Some(done) = tasks.join_next().await {
        assert!(done.unwrap());
    }
    assert_eq!(world.op.seen().count(Endpoint::Keys), 1);
}
