//! Security events that are pushed to a connection: whose are taken, and what is done for them.

use std::sync::Arc;

use fedbridge_contract::http::{HttpInput, Method};
use fedbridge_contract::logout::{DeviceWord, LogoutEnd, LogoutSelector, Manner, Named, ReceivedLogout, Standing};
use fedbridge_oidc_core::testkit::{JwtPlan, Signature};
use serde_json::{Value, json};

use crate::logout::status;
use crate::world::{World, failed_check, input};

const ROUTE: &str = "signals/events";
const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type/";
const RISC: &str = "https://schemas.openid.net/secevent/risc/event-type/";

fn settings() -> Value {
    json!({ "signals": {
        "issuer": "https://op.example", "jwks_uri": "https://op.example/jwks", "audience": "https://bridge.example/signals",
    } })
}

/// A right token with one event.
fn token(world: &World, event: &str) -> JwtPlan {
    let mut plan = world.op.revocation_token("https://bridge.example/signals");
    plan.header.insert("typ".into(), json!("secevent+jwt"));
    plan.cut("exp");
    plan.cut("sub");
    plan.set("sub_id", alice());
    plan.set("events", json!({ event: { "event_timestamp": 1 } }));
    plan
}

fn alice() -> Value {
    json!({ "format": "iss_sub", "iss": "https://op.example", "sub": "alice" })
}

fn call(token: &str) -> HttpInput {
    HttpInput {
        content_type: Some("application/secevent+jwt".into()),
        body: token.to_owned().into(),
        ..input(ROUTE, Method::Post)
    }
}

#[tokio::test]
async fn events_end_what_a_person_holds() {
    let world = World::with(settings());
    let identity = world.enter().await;
    let own = Named::Subject(identity.subject.key.clone());
    let email = json!({ "format": "email", "email": "alice@acme.example" });
    let complex = json!({ "format": "complex", "user": alice(), "session": { "format": "opaque", "id": "s" } });
    let cases = [
        (format!("{CAEP}session-revoked"), alice(), own.clone(), Standing::AsItIs),
        (format!("{CAEP}session-revoked"), complex, own.clone(), Standing::AsItIs),
        (format!("{RISC}account-disabled"), email, Named::Email("alice@acme.example".into()), Standing::Out),
        (format!("{RISC}account-purged"), alice(), own.clone(), Standing::Out),
        (format!("{RISC}account-enabled"), alice(), own.clone(), Standing::In),
    ];
    for (event, subject, expected, standing) in cases {
        for inside in [false, true] {
            let mut plan = token(&world, &event);
            plan.set("sub_id", subject.clone());
            if inside {
                plan.cut("sub_id");
                plan.set("events", json!({ &event: { "subject": subject } }));
            }
            let (received, trace) = world.receive(&call(&plan.token())).await;
            let ReceivedLogout::Request(request) = received else { panic!("{event}: {:?}", trace.cause()) };
            let LogoutSelector::Person { connection, named } = &request.selector else { panic!("{request:?}") };
            assert_eq!((*connection, named), (world.connection, &expected), "{event}");
            let said = request.manner.said;
            assert!(said.is_some(), "when that was");
            assert_eq!(request.manner, Manner { everything: true, at_once: true, standing, said, ..Manner::default() });
            assert_eq!(request.once.len(), 1, "the token is used up");
            for (end, expected) in [
                (LogoutEnd::Complete, 202),
                (LogoutEnd::NoSession, 202),
                (LogoutEnd::Refused, 202),
                (LogoutEnd::Failed, 503),
            ] {
                assert_eq!(status(&world.conclude(&request, end).await), expected, "{end:?}");
            }
        }
    }
}

#[tokio::test]
async fn events_that_mean_nothing_here_are_taken_note_of() {
    let world = World::with(settings());
    let level = format!("{CAEP}assurance-level-change");
    for (event, claims) in [
        (&level, json!({})),
        (&level, json!({ "change_direction": "increase" })),
        (&"https://example.com/event".to_owned(), json!({})),
    ] {
        let mut plan = token(&world, event);
        plan.set("events", json!({ event: claims }));
        let (received, _) = world.receive(&call(&plan.token())).await;
        let ReceivedLogout::Reply(reply) = received else { panic!("{received:?}") };
        assert_eq!(status(&reply), 202, "{event}");
    }
}

#[tokio::test]
async fn what_is_said_of_devices_and_levels_is_heard() {
    let world = World::with(settings());
    world.enter().await;
    let laptop = json!({ "format": "opaque", "id": "laptop" });
    let long = json!({ "format": "opaque", "id": "x".repeat(2000) });
    let said = async |name: &str, subject: Value, claims: Value| {
        let event = format!("{CAEP}{name}");
        let mut plan = token(&world, &event);
        plan.set("sub_id", subject);
        plan.set("events", json!({ event: claims }));
        world.receive(&call(&plan.token())).await.0
    };
    let with = |device: &Value| json!({ "format": "complex", "user": alice(), "device": device });
    let ends = Manner { everything: true, at_once: true, ..Manner::default() };
    for (subject, word, device) in [
        (with(&laptop), "not-compliant", Some(laptop.clone())),
        (with(&laptop), "compliant", Some(laptop.clone())),
        (with(&long), "compliant", None),
        (with(&json!("laptop")), "not-compliant", None),
        (alice(), "not-compliant", None),
    ] {
        let received = said("device-compliance-change", subject, json!({ "current_status": word })).await;
        let ReceivedLogout::Request(request) = received else { panic!("{received:?}") };
        let compliant = word == "compliant";
        let said = request.manner.said;
        assert_eq!(request.manner, Manner { device: Some(DeviceWord { device, compliant }), said, ..ends.clone() });
        assert_eq!(request.manner.ends(), !compliant);
    }
    for wrong in [json!({}), json!({ "current_status": "fine" })] {
        let received = said("device-compliance-change", alice(), wrong).await;
        let ReceivedLogout::Reply(reply) = received else { panic!("{received:?}") };
        assert_eq!(status(&reply), 400);
    }
    let sunk = said("assurance-level-change", alice(), json!({ "change_direction": "decrease" })).await;
    assert!(
        matches!(sunk, ReceivedLogout::Request(request) if request.manner == Manner { said: request.manner.said, ..ends })
    );
}

#[tokio::test]
async fn forged_events_are_refused() {
    type Change = fn(&mut JwtPlan);
    let cases: [(&str, &str, Change); 11] = [
        ("alg none", "security event: form", |plan| {
            plan.header.insert("alg".into(), json!("none"));
            plan.signature = Signature::Empty;
        }),
        ("a stranger's key", "security event: signature", |plan| {
            plan.signature = Signature::By(Arc::clone(&plan.scene.keys.stranger));
        }),
        ("a plain JWT", "security event: form", |plan| drop(plan.header.insert("typ".into(), json!("JWT")))),
        ("a logout token", "security event: form", |plan| {
            plan.header.insert("typ".into(), json!("logout+jwt"));
        }),
        ("another issuer", "security event: iss", |plan| plan.set("iss", json!("https://evil.example"))),
        ("another audience", "security event: aud", |plan| plan.set("aud", json!("bridge"))),
        ("of long ago", "security event: iat", |plan| plan.set_time("iat", -8 * 24 * 3600)),
        ("of tomorrow", "security event: iat", |plan| plan.set_time("iat", 24 * 3600)),
        ("expired", "security event: exp", |plan| plan.set_time("exp", -3600)),
        ("no jti", "security event: jti", |plan| plan.cut("jti")),
        ("somebody of another issuer", "sub_id", |plan| {
            plan.set("sub_id", json!({ "format": "iss_sub", "iss": "https://evil.example", "sub": "alice" }));
        }),
    ];
    for (name, check, change) in cases {
        let world = World::with(settings());
        let mut plan = token(&world, &format!("{CAEP}session-revoked"));
        change(&mut plan);
        let (received, trace) = world.receive(&call(&plan.token())).await;
        let ReceivedLogout::Reply(reply) = received else { panic!("{name}: {received:?}") };
        assert_eq!((status(&reply), failed_check(&trace).as_deref()), (400, Some(check)), "{name}");
    }
    let world = World::with(settings());
    let mut plain = call(&token(&world, &format!("{CAEP}session-revoked")).token());
    plain.content_type = Some("application/json".into());
    let (received, trace) = world.receive(&plain).await;
    assert!(matches!(received, ReceivedLogout::Reply(reply) if status(&reply) == 400));
    assert_eq!(failed_check(&trace).as_deref(), Some("security event: media type"));
}

#[tokio::test]
async fn who_does_not_show_what_was_agreed_on_is_401() {
    let mut world = World::with(json!({}));
    let secrets =
        [("client_secret/0", "secret-secret-secret-secret-secret"), ("signals_authorization", "Bearer agreed")];
    let secrets = secrets.map(|(name, secret)| (name.to_owned(), secret.as_bytes().to_vec())).into();
    world.reopen_with(settings(), &secrets).unwrap();
    for (shown, expected) in [(None, 401), (Some("Bearer other"), 401), (Some("Bearer agreed"), 202)] {
        let mut call = call(&token(&world, "https://example.com/event").token());
        call.authorization = shown.map(str::to_owned);
        let (received, _) = world.receive(&call).await;
        let ReceivedLogout::Reply(reply) = received else { panic!("{received:?}") };
        assert_eq!(status(&reply), expected, "{shown:?}");
    }
}

#[tokio::test]
async fn without_the_setting_nobody_is_heard() {
    let world = World::new();
    let (received, _) = world.receive(&call(&token(&world, &format!("{CAEP}session-revoked")).token())).await;
    assert!(matches!(received, ReceivedLogout::Reply(reply) if status(&reply) == 404));
}
