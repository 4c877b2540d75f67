//! OAuth client credentials of a connection.

use std::time::Duration;

use fedbridge_contract::http::Method;
use serde_json::json;

use crate::world::{CLIENT_SECRETS, Sent, World};

const BOTH: &str = "grant_type=client_credentials&client_id=hr&client_secret=";

fn world(scope: &str) -> World {
    World::with(json!({ "oauth_client_id": "hr", "oauth_scope": scope }))
}

#[tokio::test]
async fn a_client_gets_tokens_that_are_good_for_its_connection_and_for_a_while() {
    let world = world("write");
    for secret in CLIENT_SECRETS {
        let given = world.token(0, &format!("{BOTH}{secret}"), None).await;
        assert_eq!((given.status, &given.body["token_type"]), (200, &json!("Bearer")), "{}", given.body);
        assert_eq!((&given.body["expires_in"], &given.body["scope"]), (&json!(3600), &json!("write")));
        assert_eq!(given.headers["cache-control"], "no-store");
        let token = given.body["access_token"].as_str().unwrap();
        let sent = |connection| Sent { token: Some(token), connection, ..Sent::default() };
        assert_eq!(world.send(sent(0)).await.status, 200);
        assert_eq!(world.send(sent(1)).await.status, 401, "another connection with the same settings");
        for changed in [token[..token.len() - 1].to_owned(), token.replacen("fbscim_", "", 1), format!("{token}AA")] {
            let refused = world.send(Sent { token: Some(&changed), ..Sent::default() }).await;
            assert_eq!(refused.status, 401, "{changed}");
        }
        world.clock.pass(Duration::from_secs(3598));
        assert_eq!(world.send(sent(0)).await.status, 200);
        world.clock.pass(Duration::from_secs(2));
        assert_eq!(world.send(sent(0)).await.status, 401, "its time is over");
    }
    assert_eq!(world.get("ServiceProviderConfig").await.body["authenticationSchemes"][1]["type"], "oauth2");
}

#[tokio::test]
async fn a_token_ends_with_the_secret_that_it_was_given_for() {
    let before = world("write");
    let given = before.token(0, &format!("{BOTH}{}", CLIENT_SECRETS[0]), None).await;
    let token = given.body["access_token"].as_str().unwrap();
    let after = before.with_secrets(json!({ "oauth_client_id": "hr" }), &[CLIENT_SECRETS[1]]);
    assert_eq!(after.send(Sent { token: Some(token), ..Sent::default() }).await.status, 401);
}

#[tokio::test]
async fn a_client_that_may_less_may_less_with_every_token() {
    let before = world("write");
    let given = before.token(0, &format!("{BOTH}{}", CLIENT_SECRETS[0]), None).await;
    let token = given.body["access_token"].as_str();
    let settings = json!({ "oauth_client_id": "hr", "oauth_scope": "read" });
    let after = before.with_secrets(settings, &CLIENT_SECRETS);
    assert_eq!(after.send(Sent { token, ..Sent::default() }).await.status, 200);
    let body = json!({ "userName": "ann" }).to_string();
    let post = Sent { method: Method::Post, body, token, ..Sent::default() };
    assert_eq!(after.send(post).await.refusal(), (403, ""));
}

#[tokio::test]
async fn a_secret_and_its_tokens_end_with_its_day() {
    let world = World::with(json!({ "oauth_client_id": "hr", "oauth_client_secret_expires": "2023-11-14" }));
    world.clock.pass(Duration::from_secs(90 * 60));
    let [first, second] = CLIENT_SECRETS.map(|secret| format!("{BOTH}{secret}"));
    let given = world.token(0, &first, None).await;
    let token = given.body["access_token"].as_str();
    assert_eq!(world.send(Sent { token, ..Sent::default() }).await.status, 200);
    world.clock.pass(Duration::from_secs(30 * 60));
    assert_eq!(world.send(Sent { token, ..Sent::default() }).await.status, 401);
    let refused = world.token(0, &first, None).await;
    assert_eq!((refused.status, &refused.body["error"]), (401, &json!("invalid_client")));
    assert!(refused.body["error_description"].as_str().unwrap().contains("past its date"), "{}", refused.body);
    assert_eq!(world.token(0, &second, None).await.status, 200, "the other one has no date");
}

#[tokio::test]
async fn a_token_for_reading_changes_nothing() {
    let world = world("write");
    let form = format!("{BOTH}{}&scope=read", CLIENT_SECRETS[0]);
    let given = world.token(0, &form, None).await;
    assert_eq!(given.body["scope"], "read");
    let token = given.body["access_token"].as_str();
    let body = || json!({ "userName": "ann" }).to_string();
    let post = |path| Sent { method: Method::Post, path, body: body(), token, ..Sent::default() };
    assert_eq!(world.send(post("Users")).await.refusal(), (403, ""));
    assert_eq!(world.send(post("Bulk")).await.refusal(), (403, ""));
    assert_eq!(world.send(post("Users/.search")).await.status, 200, "a search is no change");
    assert_eq!(world.send(Sent { token, ..Sent::default() }).await.body["totalResults"], 0);
}

#[tokio::test]
async fn wrong_requests_get_the_errors_of_rfc_6749() {
    let (write, read) = (world("write"), world("read"));
    let secret = CLIENT_SECRETS[0];
    let good = format!("{BOTH}{secret}");
    let form = |client: &str| format!("grant_type=client_credentials&client_id={client}&client_secret={secret}");
    for (form, authorization, status, error) in [
        (format!("{BOTH}wrong"), None, 401, "invalid_client"),
        (form("other"), None, 401, "invalid_client"),
        ("grant_type=client_credentials".to_owned(), None, 401, "invalid_client"),
        (good.clone(), Some("Bearer x"), 401, "invalid_client"),
        (good.clone(), Some("Basic %%%"), 401, "invalid_client"),
        (good.replace("client_credentials", "password"), None, 400, "unsupported_grant_type"),
        (good.replace("grant_type=client_credentials&", ""), None, 400, "invalid_request"),
        (format!("{good}&client_id=hr"), None, 400, "invalid_request"),
        (format!("{good}&scope=admin"), None, 400, "invalid_scope"),
    ] {
        let refused = write.token(0, &form, authorization).await;
        assert_eq!((refused.status, &refused.body["error"]), (status, &json!(error)), "{form} {authorization:?}");
    }
    assert_eq!(read.token(0, &format!("{good}&scope=write"), None).await.body["error"], "invalid_scope");
    assert_eq!(read.token(0, &good, None).await.body["scope"], "read");
    let none = World::new("generic").token(0, &good, None).await;
    assert_eq!((none.status, &none.body["error"]), (400, &json!("invalid_request")));

    // Name and secret in a header, form-encoded (RFC 6749 section 2.3.1).
    let header = |text: &str| format!("Basic {}", base64::Engine::encode(&base64::prelude::BASE64_STANDARD, text));
    let escaped = header(&format!("h%72:{secret}"));
    assert_eq!(write.token(0, "grant_type=client_credentials", Some(&escaped)).await.status, 200);
    let cut = header(&format!("hr:{secret}%4"));
    assert_eq!(write.token(0, "grant_type=client_credentials", Some(&cut)).await.status, 401);
}
