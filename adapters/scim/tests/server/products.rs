//! Whole conversations, as products document them.

use serde_json::{Value, json};

use crate::world::World;

fn fixture(name: &str) -> Value {
    let path = format!("{}/../../fixtures/scim/{name}", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// What is kept, as it is shown.
fn assert_kept(shown: &Value, kept: &Value, what: &str) {
    for (name, value) in kept.as_object().unwrap() {
        assert_eq!(&shown[name], value, "{what}: {name}");
    }
    let own = ["schemas", "id", "meta", "groups", "members"];
    let more: Vec<_> = shown.as_object().unwrap().keys().filter(|name| kept.get(*name).is_none()).collect();
    assert!(more.iter().all(|name| own.contains(&name.as_str())), "{what}: {more:?}");
}

#[tokio::test]
async fn entra_provisions_a_user() {
    let world = World::new("entra");
    let test = world.get("Users?filter=userName eq \"7b1a6e0c-2f0d-4e0e-9d0a-000000000000\"").await;
    assert_eq!((test.status, &test.body["totalResults"], &test.body["Resources"]), (200, &json!(0), &json!([])));
    let sequence = fixture("entra-user.json");
    let steps = sequence["steps"].as_array().unwrap();
    let made = world.post("Users", steps[0]["body"].clone()).await;
    assert_eq!(made.status, 201);
    assert_kept(&made.body, &steps[0]["kept"], "create");
    let path = format!("Users/{}", made.id());
    for step in &steps[1..] {
        let what = step["what"].as_str().unwrap();
        let patched = world.patch(&path, step["body"]["Operations"].clone()).await;
        assert_eq!(patched.status, 200, "{what}: {}", patched.body);
        assert_kept(&world.get(&path).await.body, &step["kept"], what);
    }
    for filter in [
        "userName eq \"adele@acme.example\"",
        "externalId eq \"0a21f0f2-8d2a-4f8e-bf98-7363c4aed4ef\"",
        "emails[type eq \"work\"].value eq \"Adele.Vance@acme.example\"",
    ] {
        let found = world.get(&format!("Users?filter={filter}")).await;
        assert_eq!((found.status, &found.body["totalResults"]), (200, &json!(1)), "{filter}");
    }
    assert_eq!(world.delete(&path).await.status, 204);
}

#[tokio::test]
async fn entra_provisions_a_group() {
    let world = World::new("entra");
    let user = world.user("adele@acme.example").await;
    let sequence = fixture("entra-group.json");
    let steps = sequence["steps"].as_array().unwrap();
    let made = world.post("Groups", steps[0]["body"].clone()).await;
    let (group, path) = (made.id(), format!("Groups/{}", made.id()));
    assert_eq!(world.post("Groups", steps[0]["body"].clone()).await.refusal(), (409, "uniqueness"));
    for (step, members) in steps[1..].iter().zip([1, 0, 0]) {
        let what = step["what"].as_str().unwrap();
        let text = step["body"]["Operations"].to_string().replace("f648f8d5ea4e4cd38e9c", &user);
        let patched = world.patch(&path, serde_json::from_str(&text).unwrap()).await;
        assert_eq!((patched.status, &patched.body), (204, &Value::Null), "{what}");
        let is_member = world
            .get(&format!("Groups?filter=id eq \"{group}\" and members eq \"{user}\"&excludedAttributes=members"))
            .await;
        assert_eq!(is_member.body["totalResults"], members, "{what}");
        assert_kept(&world.get(&path).await.body, &step["kept"], what);
    }
}

#[tokio::test]
async fn okta_provisions_a_user() {
    let world = World::new("okta");
    let exists = "Users?filter=userName eq \"test.user@okta.example\"&startIndex=1&count=100";
    assert_eq!(world.get(exists).await.body["totalResults"], 0);
    let sequence = fixture("okta-user.json");
    let steps = sequence["steps"].as_array().unwrap();
    let made = world.post("Users", steps[0]["body"].clone()).await;
    assert_kept(&made.body, &steps[0]["kept"], "Okta needs the whole body");
    assert_eq!(world.get(exists).await.body["Resources"][0]["id"], made.id());
    let path = format!("Users/{}", made.id());
    for step in &steps[1..] {
        let what = step["what"].as_str().unwrap();
        let answer = match step["method"].as_str() {
            Some("PUT") => world.put(&path, &step["body"]).await,
            _ => world.patch(&path, step["body"]["Operations"].clone()).await,
        };
        assert_eq!(answer.status, 200, "{what}: {}", answer.body);
        assert_kept(&world.get(&path).await.body, &step["kept"], what);
    }
}

#[tokio::test]
async fn okta_pushes_a_group() {
    let world = World::new("okta");
    let (old, new) = (world.user("old").await, world.user("new").await);
    let group = world.group("Test SCIMv2", &[&old]).await;
    let path = format!("Groups/{group}");
    let name =
        world.patch(&path, json!([{ "op": "replace", "value": { "id": group, "displayName": "Test SCIMv2" } }])).await;
    assert_eq!(name.status, 204);
    let changes = json!([
        { "op": "remove", "path": format!("members[value eq \"{old}\"]") },
        { "op": "add", "path": "members", "value": [{ "value": new, "display": "new" }] },
    ]);
    assert_eq!(world.patch(&path, changes).await.status, 204);
    assert_eq!(world.get(&path).await.body["members"][0]["value"], new);
    assert_eq!(world.delete(&path).await.status, 204);
    assert_eq!(world.get(&format!("Users/{new}")).await.body.get("groups"), None);
}

/// The same POST after a timeout is no second user, and the first one can be found.
#[tokio::test]
async fn a_retry_makes_nobody_twice() {
    let world = World::new("generic");
    let id = world.user("ann").await;
    assert_eq!(world.post("Users", json!({ "userName": "ANN" })).await.refusal(), (409, "uniqueness"));
    assert_eq!(world.get("Users?filter=userName eq \"ann\"").await.body["Resources"][0]["id"], id);
    let other = world.user("bob").await;
    let renamed =
        world.patch(&format!("Users/{other}"), json!([{ "op": "replace", "path": "userName", "value": "Ann" }])).await;
    assert_eq!(renamed.refusal(), (409, "uniqueness"));
}
