//! Many operations in one request.

use serde_json::{Value, json};

use crate::world::World;

fn request(operations: Value) -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations })
}

#[tokio::test]
async fn a_user_and_a_group_with_them_are_made_at_once() {
    let world = World::new("generic");
    let done = world
        .post("Bulk", request(json!([
            { "method": "POST", "path": "/Groups", "bulkId": "g", "data": { "displayName": "Ops", "members": [{ "value": "bulkId:u" }] } },
            { "method": "POST", "path": "/Users", "bulkId": "u", "data": { "userName": "ann" } },
            { "method": "PATCH", "path": "/Users/bulkId:u", "data": { "Operations": [{ "op": "add", "path": "title", "value": "Dr" }] } },
        ])))
        .await;
    let statuses: Vec<_> =
        done.body["Operations"].as_array().unwrap().iter().map(|it| it["status"].as_str().unwrap()).collect();
    assert_eq!((done.status, statuses), (200, vec!["201", "201", "200"]), "{}", done.body);
    let groups = world.get("Groups").await.body;
    assert_eq!(groups["Resources"][0]["members"][0]["type"], "User");
    assert_eq!(world.get("Users").await.body["Resources"][0]["title"], "Dr");
}

#[tokio::test]
async fn what_names_nobody_fails_and_the_others_are_made() {
    let world = World::new("generic");
    let group = |name: &str, member: &str| json!({ "method": "POST", "path": "/Groups", "bulkId": name, "data": { "displayName": name, "members": [{ "value": format!("bulkId:{member}") }] } });
    let done = world.post("Bulk", request(json!([group("a", "b"), group("b", "c"), group("c", "x")]))).await;
    let statuses: Vec<_> = done.body["Operations"].as_array().unwrap().iter().map(|it| it["status"].clone()).collect();
    assert_eq!(statuses.len(), 3);
    assert_eq!(done.body["Operations"][2]["response"]["scimType"], "invalidValue", "x is nobody");
}

#[tokio::test]
async fn it_stops_after_as_many_errors_as_are_wanted() {
    let world = World::new("generic");
    let delete = |id: &str| json!({ "method": "DELETE", "path": format!("/Users/{id}") });
    let ann = world.user("ann").await;
    let mut body = request(json!([delete("1"), delete("2"), delete(&ann)]));
    body["failOnErrors"] = json!(2);
    let done = world.post("Bulk", body).await;
    assert_eq!(done.body["Operations"].as_array().unwrap().len(), 2);
    assert_eq!(world.get("Users").await.body["totalResults"], 1);
    let done = world.post("Bulk", request(json!([delete("1"), delete(&ann)]))).await;
    assert_eq!(
        (&done.body["Operations"][0]["status"], &done.body["Operations"][1]["status"]),
        (&json!("404"), &json!("204"))
    );
    assert_eq!(world.post("Bulk", json!({})).await.refusal(), (400, "invalidSyntax"));
}
