//! Who may push, and what they see.

use std::time::Duration;

use fedbridge_contract::http::Method;
use serde_json::json;

use crate::world::{FORGIVEN, SECOND, Sent, TOKEN, World};

#[tokio::test]
async fn a_token_of_the_connection_is_needed() {
    let world = World::new("generic");
    for token in [Some(TOKEN), Some(SECOND)] {
        assert_eq!(world.send(Sent { token, ..Sent::default() }).await.status, 200, "two overlap while they change");
    }
    for token in [None, Some(""), Some("x"), Some(&TOKEN[1..])] {
        for path in ["Users", "Schemas", "ServiceProviderConfig", "nothing"] {
            let refused = world.send(Sent { token, path, ..Sent::default() }).await;
            assert_eq!(refused.refusal(), (401, ""));
            assert!(refused.headers["www-authenticate"].starts_with("Bearer"));
        }
    }
}

#[tokio::test]
async fn whoever_guesses_is_told_to_wait() {
    let world = World::with(json!({ "oauth_client_id": "hr" }));
    let wrong = async || world.send(Sent { token: Some("x"), ..Sent::default() }).await;
    for _ in 0..FORGIVEN {
        assert_eq!(wrong().await.status, 401);
    }
    let refused = wrong().await;
    assert_eq!((refused.refusal(), refused.headers["retry-after"].as_str()), ((429, ""), "3"));
    let form = "grant_type=client_credentials&client_id=hr&client_secret=x";
    let refused = world.token(0, form, None).await;
    assert_eq!((refused.status, refused.headers["retry-after"].as_str()), (429, "3"));
    assert_eq!(world.get("Users").await.status, 200, "the right token is no guess");
}

#[tokio::test]
async fn a_token_is_taken_to_the_end_of_its_day() {
    let world = World::with(json!({ "bearer_token_expires": ["2023-11-14", "2023-11-15"] }));
    let with = async |token| world.send(Sent { token: Some(token), ..Sent::default() }).await;
    assert_eq!((with(TOKEN).await.status, with(SECOND).await.status), (200, 200));
    world.clock.pass(Duration::from_secs(2 * 60 * 60));
    let refused = with(TOKEN).await;
    assert_eq!((refused.status, with(SECOND).await.status), (401, 200), "{}", refused.body);
    assert!(refused.body["detail"].as_str().unwrap().contains("past its date"), "{}", refused.body);
    world.clock.pass(Duration::from_secs(24 * 60 * 60));
    assert_eq!(with(SECOND).await.status, 401);
}

#[tokio::test]
async fn what_one_connection_pushes_no_other_one_sees() {
    let world = World::new("generic");
    let id = world.user("ann").await;
    let path = format!("Users/{id}");
    let other = |method, path: &'static str| Sent { method, path, connection: 1, ..Sent::default() };
    assert_eq!(world.send(other(Method::Get, "Users")).await.body["totalResults"], 0);
    for method in [Method::Get, Method::Delete] {
        let refused = world.send(Sent { method, path: &path, connection: 1, ..Sent::default() }).await;
        assert_eq!(refused.status, 404);
    }
    let same = Sent { body: json!({ "userName": "ann" }).to_string(), ..other(Method::Post, "Users") };
    assert_eq!(world.send(same).await.status, 201, "names are unique in one connection");
    let body = json!({ "displayName": "x", "members": [{ "value": id }] }).to_string();
    let stolen = world.send(Sent { body, ..other(Method::Post, "Groups") }).await;
    assert_eq!(stolen.refusal(), (400, "invalidValue"));
}

#[tokio::test]
async fn a_connection_that_is_switched_off_takes_and_shows_nothing() {
    let mut world = World::new("generic");
    let id = world.user("ann").await;
    world.switch(false);
    let path = format!("Users/{id}");
    for answer in
        [world.get(&path).await, world.post("Users", json!({ "userName": "b" })).await, world.delete(&path).await]
    {
        assert_eq!(answer.refusal(), (403, ""));
    }
    world.switch(true);
    assert_eq!(world.get("Users").await.body["totalResults"], 1);
}

#[tokio::test]
async fn media_types_are_looked_at() {
    let world = World::new("generic");
    let body = |name: &str| json!({ "userName": name }).to_string();
    for (content_type, status) in [
        (Some("application/scim+json"), 201),
        (Some("application/scim+json; charset=utf-8"), 201),
        (Some("Application/JSON"), 201),
        (None, 201),
        (Some("text/plain"), 415),
        (Some("application/x-www-form-urlencoded"), 415),
    ] {
        let name = format!("{content_type:?}");
        let sent = Sent { method: Method::Post, body: body(&name), content_type, ..Sent::default() };
        assert_eq!(world.send(sent).await.status, status, "{name}");
    }
}

#[tokio::test]
async fn the_endpoint_describes_itself() {
    let world = World::new("generic");
    let config = world.get("ServiceProviderConfig").await;
    assert_eq!((config.status, &config.body["bulk"]["supported"]), (200, &json!(true)));
    let types = world.get("ResourceTypes").await;
    assert_eq!(types.body["totalResults"], 2);
    assert_eq!(world.get("ResourceTypes/User").await.body["endpoint"], "/Users");
    assert_eq!(world.get("Schemas").await.body["totalResults"], 3);
    let urn = "urn:ietf:params:scim:schemas:core:2.0:Group";
    assert_eq!(world.get(&format!("Schemas/{urn}")).await.body["id"], urn);
    for (path, status) in [
        ("Schemas?filter=id pr", 403),
        ("ResourceTypes/Printer", 404),
        ("Schemas/urn:x:y", 404),
        ("Me", 501),
        ("Me/x", 501),
        ("Printers", 404),
        ("Users/1/2", 404),
        ("users", 404),
    ] {
        assert_eq!(world.get(path).await.refusal().0, status, "{path}");
    }
    for (answer, allow) in [(world.post("Schemas", json!({})).await, "GET"), (world.delete("Users").await, "GET, POST")]
    {
        assert_eq!((answer.refusal(), answer.headers["allow"].as_str()), ((405, ""), allow));
    }
}
