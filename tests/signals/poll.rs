//! Streams that a receiver asks for by itself, and polls.

use reqwest::Method;
use serde_json::{Value, json};

use super::receiver::Receiver;
use super::{CAEP, OTHER_TOKEN, RISC, TOKEN, event, receiver, world};
use crate::support::browser::HTTP;
use crate::support::eventually;

const VERIFICATION: &str = "https://schemas.openid.net/secevent/ssf/event-type/verification";
const POLL: &str = "urn:ietf:rfc:8936";

impl super::World {
    /// What waits now, by `jti`.
    async fn poll(&self, token: &str, body: Value) -> (Vec<(String, String)>, Value) {
        let mut whole = json!({ "returnImmediately": true });
        whole.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        let (status, answer) = self.ask(Method::POST, "poll", token, whole).await;
        assert_eq!(status, 200, "{answer}");
        let sets = answer["sets"].as_object().unwrap();
        (sets.iter().map(|(jti, set)| (jti.clone(), set.as_str().unwrap().to_owned())).collect(), answer)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_asks_for_a_stream_and_polls() {
    let world = world(&receiver("siem", TOKEN, ""), &receiver("siem", OTHER_TOKEN, "")).await;
    let at = format!("{}/.well-known/ssf-configuration/t/acme", world.bridge.base_url);
    let found: Value = serde_json::from_str(&HTTP.get(at).send().await.unwrap().text().await.unwrap()).unwrap();
    assert_eq!((&found["issuer"], &found["spec_version"]), (&json!(world.issuer("acme")), &json!("1_0")));
    assert_eq!(found["verification_endpoint"], format!("{}/signals/verify", world.issuer("acme")));

    // Nobody else's token, and nothing without a stream.
    assert_eq!(world.ask(Method::GET, "stream", OTHER_TOKEN, Value::Null).await.0, 401);
    assert_eq!(world.ask(Method::POST, "poll", TOKEN, json!({})).await.0, 404);
    assert_eq!(world.ask(Method::GET, "stream", TOKEN, Value::Null).await, (200, json!([])));

    let wanted = json!({ "delivery": { "method": POLL }, "events_requested": [format!("{RISC}account-disabled")] });
    let (status, stream) = world.ask(Method::POST, "stream", TOKEN, wanted.clone()).await;
    assert_eq!(status, 201, "{stream}");
    assert_eq!(stream["events_delivered"], json!([format!("{RISC}account-disabled")]));
    assert_eq!(stream["delivery"]["endpoint_url"], format!("{}/signals/poll", world.issuer("acme")));
    assert_eq!(world.ask(Method::POST, "stream", TOKEN, wanted).await.0, 409);

    let id = stream["stream_id"].as_str().unwrap();
    let verify = json!({ "stream_id": id, "state": "a-state" });
    assert_eq!(world.ask(Method::POST, "verify", TOKEN, verify.clone()).await.0, 204);
    assert_eq!(world.ask(Method::POST, "verify", TOKEN, verify).await.0, 429);
    let (sets, _) = world.poll(TOKEN, json!({})).await;
    let claims = world.read("acme", &sets[0].1).await;
    assert_eq!(claims["events"][VERIFICATION]["state"], "a-state");
    assert_eq!(claims["sub_id"], json!({ "format": "opaque", "id": id }));

    // The answer is lost: the same comes again, until it is acknowledged.
    let again = world.poll(TOKEN, json!({})).await.0;
    assert_eq!(again[0].0, sets[0].0);
    assert!(world.poll(TOKEN, json!({ "ack": [sets[0].0] })).await.0.is_empty());

    // Of two events it has asked for one.
    let directory = world.directory("acme");
    let user = directory.user("alice").await;
    directory.switch(&user, false).await;
    let (sets, _) = world.poll(TOKEN, json!({ "maxEvents": 5 })).await;
    assert_eq!(sets.len(), 1);
    let first = world.read("acme", &sets[0].1).await;
    assert_eq!((event(&first), &first["jti"]), (format!("{RISC}account-disabled"), &json!(sets[0].0)));
    let lost = world.read("acme", &world.poll(TOKEN, json!({})).await.0[0].1).await;
    assert_eq!(lost, first, "the same token, but for its signature");
    assert!(world.poll(TOKEN, json!({ "setErrs": { &sets[0].0: { "err": "jwtAud" } } })).await.0.is_empty());

    assert_eq!(world.ask(Method::DELETE, &format!("stream?stream_id={id}"), TOKEN, Value::Null).await.0, 204);
    assert_eq!(world.ask(Method::POST, "poll", TOKEN, json!({})).await.0, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_can_rest_and_leave_somebody_out() {
    let world = world(&receiver("siem", TOKEN, ""), &receiver("x", OTHER_TOKEN, "")).await;
    let (_, stream) = world.ask(Method::POST, "stream", TOKEN, json!({ "delivery": { "method": POLL } })).await;
    let id = stream["stream_id"].as_str().unwrap();
    let status = async |status: &str| {
        let (code, answer) =
            world.ask(Method::POST, "status", TOKEN, json!({ "stream_id": id, "status": status })).await;
        assert_eq!((code, &answer["status"]), (200, &json!(status)));
    };
    let directory = world.directory("acme");
    let user = directory.user("alice").await;

    status("paused").await;
    directory.switch(&user, false).await;
    assert!(world.poll(TOKEN, json!({})).await.0.is_empty());
    status("enabled").await;
    let (sets, _) = world.poll(TOKEN, json!({})).await;
    assert_eq!(sets.len(), 2, "what happened meanwhile was kept");
    let subject = world.read("acme", &sets[0].1).await["sub_id"].clone();
    let acks: Vec<_> = sets.iter().map(|(jti, _)| jti.clone()).collect();
    world.poll(TOKEN, json!({ "ack": acks })).await;

    status("disabled").await;
    directory.switch(&user, true).await;
    eventually("nothing is kept", async || {
        status("enabled").await;
        let left = world.poll(TOKEN, json!({})).await.0.is_empty();
        status("disabled").await;
        left.then_some(())
    })
    .await;
    status("enabled").await;

    let about = |subject: &Value| json!({ "stream_id": id, "subject": subject });
    assert_eq!(world.ask(Method::POST, "subjects/remove", TOKEN, about(&subject)).await.0, 204);
    directory.switch(&user, false).await;
    assert!(world.poll(TOKEN, json!({})).await.0.is_empty(), "nobody wants to hear of them");
    assert_eq!(world.ask(Method::POST, "subjects/add", TOKEN, about(&subject)).await.0, 200);
    directory.switch(&user, true).await;
    let (sets, _) = world.poll(TOKEN, json!({})).await;
    assert_eq!(event(&world.read("acme", &sets[0].1).await), format!("{RISC}account-enabled"));
    let wrong = about(&json!({ "format": "email", "email": "a@acme.example" }));
    assert_eq!(world.ask(Method::POST, "subjects/remove", TOKEN, wrong).await.0, 400);
}

/// From a poll to pushes: what waited goes there.
#[tokio::test(flavor = "multi_thread")]
async fn a_stream_changes_how_it_is_told() {
    let ours = Receiver::start().await;
    let world = world(&receiver("siem", TOKEN, ""), &receiver("x", OTHER_TOKEN, "")).await;
    let (_, stream) = world.ask(Method::POST, "stream", TOKEN, json!({ "delivery": { "method": POLL } })).await;
    let directory = world.directory("acme");
    let user = directory.user("alice").await;
    directory.switch(&user, false).await;
    let waits = async || (!world.poll(TOKEN, json!({})).await.0.is_empty()).then_some(());
    eventually("it waits", waits).await;
    let push = json!({
        "stream_id": stream["stream_id"],
        "delivery": { "method": "urn:ietf:rfc:8935", "endpoint_url": ours.url, "authorization_header": "Bearer theirs" },
    });
    let (status, changed) = world.ask(Method::PATCH, "stream", TOKEN, push).await;
    assert_eq!((status, &changed["delivery"]["endpoint_url"]), (200, &json!(ours.url)));
    assert!(!changed.to_string().contains("theirs"), "the secret is not shown: {changed}");
    let got = ours.has(2).await;
    assert!(got.iter().all(|one| one.head.contains("authorization: bearer theirs")));
    let events: Vec<_> = [&got[0], &got[1]].map(|one| one.token.clone()).into();
    let mut found = Vec::new();
    for token in events {
        found.push(event(&world.read("acme", &token).await));
    }
    found.sort();
    assert_eq!(found, [format!("{CAEP}session-revoked"), format!("{RISC}account-disabled")]);
}

/// A secret of the administrator's goes where the administrator has said, and to no address that the receiver names.
#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_gets_no_secret_of_the_administrators() {
    let theirs = Receiver::start().await;
    let secret = "        push_authorization: { value: \"Bearer pushed\" }\n";
    let world = world(&receiver("siem", TOKEN, secret), &receiver("x", OTHER_TOKEN, "")).await;
    let push = json!({ "delivery": { "method": "urn:ietf:rfc:8935", "endpoint_url": theirs.url } });
    let (status, stream) = world.ask(Method::POST, "stream", TOKEN, push).await;
    assert_eq!(status, 201, "{stream}");
    let directory = world.directory("acme");
    directory.switch(&directory.user("alice").await, false).await;
    let got = theirs.has(2).await;
    assert!(got.iter().all(|one| !one.head.contains("bearer pushed")), "{}", got[0].head);
}
