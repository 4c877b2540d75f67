//! Global Token Revocation: the provider ends all that a person was given.

use std::sync::Arc;

use fedbridge_contract::http::{HttpInput, Method};
use fedbridge_contract::logout::{Channel, LogoutEnd, LogoutSelector, Manner, Named, ReceivedLogout};
use fedbridge_oidc_core::testkit::{JwtPlan, Signature};
use serde_json::{Value, json};

use crate::logout::status;
use crate::world::{ADDRESS, World, failed_check, input};

const ROUTE: &str = "global-token-revocation";

fn world() -> World {
    World::with(json!({
        "global_token_revocation": { "issuer": "https://op.example", "jwks_uri": "https://op.example/jwks" },
    }))
}

fn token(world: &World) -> JwtPlan {
    world.op.revocation_token(&format!("{ADDRESS}/{ROUTE}"))
}

fn call(token: &str, body: &Value) -> HttpInput {
    HttpInput {
        authorization: Some(format!("Bearer {token}")),
        content_type: Some("application/json".into()),
        body: body.to_string().into(),
        ..input(ROUTE, Method::Post)
    }
}

fn alice() -> Value {
    json!({ "sub_id": { "format": "iss_sub", "iss": "https://op.example", "sub": "alice" } })
}

#[tokio::test]
async fn a_signed_call_names_a_person_and_ends_everything() {
    let world = world();
    let identity = world.enter().await;
    let cases = [
        (alice(), Named::Subject(identity.subject.key.clone())),
        (json!({ "sub_id": { "format": "opaque", "id": "alice" } }), Named::Subject(identity.subject.key.clone())),
        (
            json!({ "sub_id": { "format": "email", "email": "alice@acme.example" } }),
            Named::Email("alice@acme.example".into()),
        ),
    ];
    for (body, expected) in cases {
        let (received, trace) = world.receive(&call(&token(&world).token(), &body)).await;
        let ReceivedLogout::Request(request) = received else { panic!("{body}: {:?}", trace.cause()) };
        let LogoutSelector::Person { connection, named } = &request.selector else { panic!("{request:?}") };
        assert_eq!((*connection, named), (world.connection, &expected));
        assert_eq!(request.channel, Channel::Back);
        assert_eq!(request.manner, Manner { everything: true, at_once: true, ..Manner::default() });
        assert_eq!(request.once.len(), 1, "the token is used up");
        for (end, status_of) in [
            (LogoutEnd::Complete, 204),
            (LogoutEnd::Partial, 204),
            (LogoutEnd::NoSession, 404),
            (LogoutEnd::Refused, 400),
            (LogoutEnd::Failed, 503),
        ] {
            assert_eq!(status(&world.conclude(&request, end).await), status_of, "{end:?}");
        }
    }
}

#[tokio::test]
async fn a_token_that_does_not_prove_the_caller_is_401() {
    type Change = fn(&mut JwtPlan);
    let cases: [(&str, &str, Change); 14] = [
        ("alg none", "revocation token: form", |plan| {
            plan.header.insert("alg".into(), json!("none"));
            plan.signature = Signature::Empty;
        }),
        ("a stranger's key", "revocation token: signature", |plan| {
            plan.signature = Signature::By(Arc::clone(&plan.scene.keys.stranger));
        }),
        ("HS256", "revocation token: form", |plan| plan.sign_hs256(&[7; 32])),
        ("a logout token", "revocation token: form", |plan| {
            plan.header.insert("typ".into(), json!("logout+jwt"));
        }),
        ("another issuer", "revocation token: iss", |plan| plan.set("iss", json!("https://evil.example"))),
        ("no issuer", "revocation token: iss", |plan| plan.cut("iss")),
        ("another address", "revocation token: aud", |plan| plan.set("aud", json!(ADDRESS))),
        ("several addresses", "revocation token: aud", |plan| {
            let own = plan.claims["aud"].clone();
            plan.set("aud", json!([own, "https://other.example"]));
        }),
        ("the client as audience", "revocation token: aud", |plan| plan.set("aud", json!("bridge"))),
        ("iat old", "revocation token: iat", |plan| plan.set_time("iat", -661)),
        ("iat of tomorrow", "revocation token: iat", |plan| plan.set_time("iat", 61)),
        ("exp past", "revocation token: exp", |plan| plan.set_time("exp", -61)),
        ("exp absent", "revocation token: exp", |plan| plan.cut("exp")),
        ("no jti", "revocation token: jti", |plan| plan.cut("jti")),
    ];
    for (name, check, change) in cases {
        let world = world();
        let mut plan = token(&world);
        change(&mut plan);
        let (received, trace) = world.receive(&call(&plan.token(), &alice())).await;
        let ReceivedLogout::Reply(reply) = received else { panic!("{name}: {received:?}") };
        assert_eq!((status(&reply), failed_check(&trace).as_deref()), (401, Some(check)), "{name}");
    }
    let world = world();
    let mut bare = call("", &alice());
    bare.authorization = None;
    let (received, _) = world.receive(&bare).await;
    assert!(matches!(received, ReceivedLogout::Reply(reply) if status(&reply) == 401));
}

#[tokio::test]
async fn a_key_that_is_distrusted_proves_nothing() {
    let mut world = world();
    let kid = world.op.keys().active.kid.clone();
    world
        .reopen(json!({
            "global_token_revocation": { "issuer": "https://op.example", "jwks_uri": "https://op.example/jwks" },
            "distrusted_keys": [kid],
        }))
        .unwrap();
    for named in [true, false] {
        let mut plan = token(&world);
        if !named {
            plan.header.shift_remove("kid");
        }
        let (received, trace) = world.receive(&call(&plan.token(), &alice())).await;
        let ReceivedLogout::Reply(reply) = received else { panic!("{named}: {received:?}") };
        let check = if named { "revocation token: key" } else { "revocation token: signature" };
        assert_eq!((status(&reply), failed_check(&trace).as_deref()), (401, Some(check)), "{named}");
    }
}

#[tokio::test]
async fn a_body_that_names_nobody_is_400() {
    let world = world();
    let bad = [
        json!({}),
        json!({ "sub_id": "alice" }),
        json!({ "sub_id": { "format": "phone_number", "phone_number": "+491234" } }),
        json!({ "sub_id": { "iss": "https://op.example", "sub": "alice" } }),
        json!({ "sub_id": { "format": "iss_sub", "iss": "https://evil.example", "sub": "alice" } }),
        json!({ "sub_id": { "format": "iss_sub", "iss": "https://op.example" } }),
        json!({ "sub_id": { "format": "email", "email": "" } }),
        json!({ "sub_id": { "format": "opaque", "id": 7 } }),
        json!([alice()]),
    ];
    for body in bad {
        let (received, trace) = world.receive(&call(&token(&world).token(), &body)).await;
        let ReceivedLogout::Reply(reply) = received else { panic!("{body}: {received:?}") };
        assert_eq!((status(&reply), failed_check(&trace).as_deref()), (400, Some("sub_id")), "{body}");
    }
}

#[tokio::test]
async fn without_the_setting_there_is_nothing() {
    let world = World::new();
    let (received, _) = world.receive(&call(&token(&world).token(), &alice())).await;
    assert!(matches!(received, ReceivedLogout::Reply(reply) if status(&reply) == 404));
}
