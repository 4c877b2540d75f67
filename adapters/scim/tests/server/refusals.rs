//! Each word of RFC 7644 table 9, as a client meets it.

use fedbridge_contract::services::Clock as _;
use serde_json::{Value, json};

use crate::world::World;

#[tokio::test]
async fn each_refusal_has_its_word() {
    let world = World::new("generic");
    let path = format!("Users/{}", world.user("ann").await);
    let patch = async |operation: Value| world.patch(&path, json!([operation])).await;
    assert_eq!(patch(json!({ "op": "replace", "path": "id", "value": "x" })).await.refusal(), (400, "mutability"));
    assert_eq!(
        patch(json!({ "op": "replace", "path": "emails[type eq \"x\"].value", "value": "y" })).await.refusal(),
        (400, "noTarget")
    );
    assert_eq!(patch(json!({ "op": "replace", "path": "nmae", "value": "y" })).await.refusal(), (400, "invalidPath"));
    assert_eq!(
        patch(json!({ "op": "replace", "path": "active", "value": "y" })).await.refusal(),
        (400, "invalidValue")
    );
    assert_eq!(patch(json!({ "op": "rename" })).await.refusal(), (400, "invalidSyntax"));
    assert_eq!(world.post("Users", json!({ "userName": "ANN" })).await.refusal(), (409, "uniqueness"));
    assert_eq!(world.post("Users", json!([])).await.refusal(), (400, "invalidSyntax"));
    assert_eq!(world.get("Users?filter=(").await.refusal(), (400, "invalidFilter"));
    assert_eq!(world.get("Users?attributes=id&excludedAttributes=id").await.refusal(), (400, "invalidValue"));
    assert_eq!(world.get("Users?cursor=x").await.refusal(), (400, "invalidCursor"));
    let deep = format!("{{\"userName\":{}1{}}}", "[".repeat(30), "]".repeat(30));
    let sent = crate::world::Sent { method: fedbridge_contract::http::Method::Post, body: deep, ..Default::default() };
    assert_eq!(world.send(sent).await.refusal(), (400, "invalidSyntax"));
    assert_eq!(world.get(&path).await.body["meta"]["version"], "W/\"1\"", "nothing was changed");
}

#[tokio::test]
async fn what_would_read_everybody_is_too_many() {
    let world = World::new("generic");
    world.user("ann").await;
    world.desk.crowd(100_000, world.clock.now());
    let refused = world.get("Users?filter=title eq \"Dr\"").await;
    assert_eq!(refused.refusal(), (400, "tooMany"), "{}", refused.body);
    let found = world.get("Users?filter=userName eq \"ann\"").await;
    assert_eq!((found.status, &found.body["totalResults"]), (200, &json!(1)), "an index serves it");
}

#[tokio::test]
async fn ids_are_one_text_each() {
    let world = World::new("generic");
    let id = world.user("ann").await;
    for other in [id.to_uppercase(), format!("{}-{}", &id[..8], &id[8..]), "1".into(), "%20".into(), "..".into()] {
        if other != id {
            assert_eq!(world.get(&format!("Users/{other}")).await.status, 404, "{other}");
        }
    }
    assert_eq!(world.get(&format!("Groups/{id}")).await.status, 404, "a user is no group");
}
