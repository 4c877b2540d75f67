//! The life of a resource (RFC 7644 sections 3.3 to 3.6 and 3.14).

use fedbridge_contract::http::Method;
use serde_json::json;

use crate::world::{Sent, World};

#[tokio::test]
async fn a_user_is_made_read_changed_and_deleted() {
    let world = World::new("generic");
    let body = json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "id": "mine", "userName": "Ann", "externalId": "7", "meta": { "version": "x" } });
    let made = world.post("Users", body).await;
    let id = made.id();
    let location = format!("https://bridge.example/t/acme/connections/hr/scim/v2/Users/{id}");
    assert_eq!(
        (made.status, &made.headers["location"], &made.headers["etag"]),
        (201, &location, &"W/\"1\"".to_owned())
    );
    assert_ne!(id, "mine", "the server gives ids");
    assert_eq!((&made.body["meta"]["location"], &made.body["meta"]["version"]), (&json!(location), &json!("W/\"1\"")));
    let path = format!("Users/{id}");
    assert_eq!(world.get(&path).await.body, made.body);
    let put = world.put(&path, &json!({ "userName": "Ann", "title": "Dr" })).await;
    assert_eq!((put.status, &put.body["title"], put.body.get("externalId")), (200, &json!("Dr"), None));
    assert_eq!(
        (&put.body["meta"]["version"], &put.body["meta"]["created"]),
        (&json!("W/\"2\""), &made.body["meta"]["created"])
    );
    assert_ne!(put.body["meta"]["lastModified"], made.body["meta"]["lastModified"]);
    let patched = world.patch(&path, json!([{ "op": "remove", "path": "title" }])).await;
    assert_eq!(
        (patched.status, patched.body.get("title"), &patched.headers["etag"]),
        (200, None, &"W/\"3\"".to_owned())
    );
    assert_eq!(world.delete(&path).await.status, 204);
    for gone in
        [world.get(&path).await, world.delete(&path).await, world.put(&path, &json!({ "userName": "Ann" })).await]
    {
        assert_eq!(gone.refusal(), (404, ""));
    }
    assert_eq!(world.get("Users").await.body["totalResults"], 0);
}

#[tokio::test]
async fn what_changes_nothing_is_not_written() {
    let world = World::new("generic");
    let ann = world.user("ann").await;
    let group = world.group("Ops", &[&ann]).await;
    let path = format!("Users/{ann}");
    let before = world.get(&path).await.body;
    let orders = world.desk.state.lock().unwrap().orders;
    let patched = world.patch(&path, json!([{ "op": "replace", "path": "userName", "value": "ann" }])).await;
    assert_eq!((patched.status, &patched.body), (200, &before));
    assert_eq!(world.put(&path, &before).await.body, before, "what was read is put back");
    assert_eq!(world.desk.state.lock().unwrap().orders, orders, "the hub hears of nothing");
    let again = world
        .patch(&format!("Groups/{group}"), json!([{ "op": "add", "path": "members", "value": [{ "value": ann }] }]))
        .await;
    assert_eq!(again.body["meta"]["version"], "W/\"1\"", "who is a member already changes nothing");
}

#[tokio::test]
async fn versions_keep_changes_from_being_lost() {
    let world = World::new("generic");
    let path = format!("Users/{}", world.user("ann").await);
    let with = |method, if_match, body: serde_json::Value| Sent {
        method,
        path: &path,
        if_match: Some(if_match),
        body: body.to_string(),
        ..Sent::default()
    };
    let title = |title: &str| json!({ "userName": "ann", "title": title });
    assert_eq!(world.send(with(Method::Put, "W/\"1\"", title("a"))).await.status, 200);
    for tags in ["W/\"1\"", "\"x\""] {
        for method in [Method::Put, Method::Delete] {
            assert_eq!(world.send(with(method, tags, title("b"))).await.refusal(), (412, ""));
        }
    }
    assert_eq!(world.get(&path).await.body["title"], "a");
    assert_eq!(world.send(with(Method::Put, "*", title("c"))).await.status, 200);
    let unchanged = world.send(Sent { path: &path, if_none_match: Some("W/\"3\""), ..Sent::default() }).await;
    assert_eq!((unchanged.status, unchanged.headers["etag"].as_str()), (304, "W/\"3\""));
    let changed = world.send(Sent { path: &path, if_none_match: Some("W/\"2\""), ..Sent::default() }).await;
    assert_eq!(changed.status, 200);
}

/// Somebody else is faster by the time between reading and writing.
#[tokio::test]
async fn a_patch_is_done_on_what_another_one_has_left() {
    let world = World::new("generic");
    let id = world.user("ann").await;
    let path = format!("Users/{id}");
    let meanwhile = |world: &World| {
        let faster = Box::new(|record: &mut fedbridge_contract::push::Record| record.document["nickName"] = json!("A"));
        world.desk.state.lock().unwrap().meanwhile.push((id.parse().unwrap(), faster));
    };
    meanwhile(&world);
    let patched = world.patch(&path, json!([{ "op": "add", "path": "title", "value": "Dr" }])).await;
    assert_eq!((&patched.body["title"], &patched.body["nickName"]), (&json!("Dr"), &json!("A")));
    meanwhile(&world);
    let body = json!({ "Operations": [{ "op": "add", "path": "title", "value": "Prof" }] }).to_string();
    let tag = patched.headers["etag"].clone();
    let refused =
        world.send(Sent { method: Method::Patch, path: &path, body, if_match: Some(&tag), ..Sent::default() }).await;
    assert_eq!(refused.refusal(), (412, ""), "the client has said on which version");
    assert_eq!(world.get(&path).await.body["title"], "Dr");
    // What becomes of whoever is deleted is worked out anew, too.
    meanwhile(&world);
    let before = world.desk.state.lock().unwrap().orders;
    assert_eq!(world.delete(&path).await.status, 204);
    assert_eq!(world.desk.state.lock().unwrap().orders - before, 2);
}

#[tokio::test]
async fn a_resource_has_an_end() {
    let world = World::new("generic");
    let path = format!("Users/{}", world.user("ann").await);
    let address = |street: &str| json!({ "op": "add", "path": "addresses", "value": [{ "streetAddress": street }] });
    let long = |letter: &str| letter.repeat(200 * 1024);
    assert_eq!(world.patch(&path, json!([address(&long("a"))])).await.status, 200);
    assert_eq!(world.patch(&path, json!([address(&long("b"))])).await.refusal(), (413, ""));
    assert_eq!(world.get(&path).await.body["addresses"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn groups_have_people_and_groups() {
    let world = World::new("generic");
    let (ann, bob) = (world.user("ann").await, world.user("bob").await);
    let inner = world.group("Inner", &[&ann]).await;
    let outer = world.group("Outer", &[&inner, &bob]).await;
    let read = world.get(&format!("Groups/{outer}")).await.body;
    assert_eq!(read["members"][0].get("display"), None, "names are shown where they are asked for");
    let read = world.get(&format!("Groups/{outer}?attributes=members.type,members.display")).await.body;
    let members: Vec<_> = read["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["type"].as_str().unwrap(), it["display"].as_str().unwrap()))
        .collect();
    assert!(members.contains(&("Group", "Inner")) && members.contains(&("User", "bob")));
    let groups = world.get(&format!("Users/{ann}")).await.body["groups"].clone();
    let kinds: Vec<_> = groups
        .as_array()
        .unwrap()
        .iter()
        .map(|it| (it["display"].as_str().unwrap(), it["type"].as_str().unwrap()))
        .collect();
    assert_eq!(kinds, [("Inner", "direct"), ("Outer", "indirect")]);
    let path = format!("Groups/{outer}");
    assert!(world.get(&format!("{path}?excludedAttributes=members")).await.body.get("members").is_none());
    let by_name = world.patch(&path, json!([{ "op": "remove", "path": "members[display sw \"b\"]" }])).await;
    assert_eq!(by_name.body["members"].as_array().unwrap().len(), 1);
    let absent = world.patch(&path, json!([{ "op": "remove", "path": "members[value eq \"nobody\"]" }])).await;
    assert_eq!(absent.status, 200, "who is no member stays none");
    let put = world.put(&path, &json!({ "displayName": "Outer2" })).await;
    assert_eq!(put.body["members"].as_array().unwrap().len(), 1, "a body without members says nothing of them");
    let put = world.put(&path, &json!({ "displayName": "Outer2", "members": [] })).await;
    assert!(put.body.get("members").is_none());
    for wrong in ["nobody", &"0".repeat(32)] {
        let refused =
            world.patch(&path, json!([{ "op": "add", "path": "members", "value": [{ "value": wrong }] }])).await;
        assert_eq!(refused.refusal(), (400, "invalidValue"));
    }
}

#[tokio::test]
async fn a_patch_happens_whole_or_not_at_all() {
    let world = World::new("generic");
    let ann = world.user("ann").await;
    let group = world.group("Ops", &[]).await;
    let path = format!("Groups/{group}");
    let operations = json!([
        { "op": "add", "path": "members", "value": [{ "value": ann }] },
        { "op": "add", "path": "members", "value": [{ "value": "0".repeat(32) }] },
    ]);
    assert_eq!(world.patch(&path, operations).await.refusal(), (400, "invalidValue"));
    assert!(world.get(&path).await.body.get("members").is_none());
}

#[tokio::test]
async fn a_password_is_never_shown_and_kept_only_where_it_is_wanted() {
    for (passwords, orders) in [(false, 1), (true, 2)] {
        let world = World::with(json!({ "passwords": passwords }));
        let made = world.post("Users", json!({ "userName": "ann", "password": "secret word" })).await;
        assert!(!made.body.to_string().contains("secret word"));
        let path = format!("Users/{}", made.id());
        let patched = world.patch(&path, json!([{ "op": "replace", "value": { "password": "another" } }])).await;
        assert_eq!(patched.status, 200);
        assert!(!world.get(&path).await.body.to_string().contains("another"));
        assert_eq!(world.desk.state.lock().unwrap().orders, orders);
    }
}

/// RFC 9967 section 3.
#[tokio::test]
async fn whoever_does_not_want_to_wait_hears_of_it_later() {
    let world = World::new("generic");
    let unwaited = async |method, path: &str, body: serde_json::Value| {
        let prefer = Some("handling=lenient, respond-async; wait=5");
        world.send(Sent { method, path, body: body.to_string(), prefer, ..Sent::default() }).await
    };
    let made = unwaited(Method::Post, "Users", json!({ "userName": "ann" })).await;
    assert_eq!((made.status, made.headers.get("set-txn")), (201, None), "nobody would hear of it");
    let path = format!("Users/{}", made.id());
    world.desk.state.lock().unwrap().heard = true;
    let put = unwaited(Method::Put, &path, json!({ "userName": "ann", "title": "Dr" })).await;
    assert_eq!((put.status, &put.body), (202, &serde_json::Value::Null));
    assert_eq!(put.headers["preference-applied"], "respond-async");
    assert!(!put.headers["set-txn"].is_empty());
    assert_eq!(world.get(&path).await.body["title"], "Dr", "it is done all the same");
    let taken = unwaited(Method::Post, "Users", json!({ "userName": "ANN" })).await;
    assert_eq!(taken.refusal(), (409, "uniqueness"), "what is refused is refused at once");
    let operations = json!({ "Operations": [{ "op": "remove", "path": "title" }] });
    for (method, body) in [(Method::Patch, operations), (Method::Delete, serde_json::Value::Null)] {
        assert_eq!(unwaited(method, &path, body).await.status, 202);
    }
    let completed = std::mem::take(&mut world.desk.state.lock().unwrap().completed);
    let location = made.headers["location"].as_str();
    let outcome = |method, status, version: Option<&str>| {
        let mut outcome = json!({ "method": method, "location": location, "status": status });
        if let Some(version) = version {
            outcome["version"] = json!(version);
        }
        (format!("/{path}"), outcome)
    };
    assert_eq!(
        completed,
        [
            outcome("PUT", "200", Some("W/\"2\"")),
            outcome("PATCH", "200", Some("W/\"3\"")),
            outcome("DELETE", "204", None)
        ]
    );
}
