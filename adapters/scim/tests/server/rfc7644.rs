//! The examples of RFC 7644, section by section, with people of ours: each asserted on what is stored then.

use fedbridge_contract::http::Method;
use serde_json::{Value, json};

use crate::world::{Sent, World};

const USER: &str = "urn:ietf:params:scim:schemas:core:2.0:User";
const ENTERPRISE: &str = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User";
const GROUP: &str = "urn:ietf:params:scim:schemas:core:2.0:Group";
const BULK: &str = "urn:ietf:params:scim:api:messages:2.0:BulkRequest";

fn bjarne() -> Value {
    json!({
        "schemas": [USER],
        "userName": "bjarne",
        "externalId": "bjarne-at-hr",
        "name": { "formatted": "Mr. Bjarne Holm III", "familyName": "Holm", "givenName": "Bjarne" },
        "title": "Sales Rep",
        "userType": "Employee",
        "active": true,
        "emails": [
            { "type": "work", "value": "bjarne@example.com", "primary": true },
            { "type": "home", "value": "bjarne@holm.example.org" },
        ],
        "addresses": [
            { "type": "work", "streetAddress": "911 Universal City Plaza", "country": "US" },
            { "type": "home", "streetAddress": "1 Hill Street", "country": "DK" },
        ],
    })
}

async fn made(world: &World) -> String {
    let made = world.post("Users", bjarne()).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.id()
}

/// Sections 3.3, 3.4.1, 3.6 and 3.14: what comes back, and what is there then.
#[tokio::test]
async fn a_resource_is_created_retrieved_and_deleted() {
    let world = World::new("generic");
    let made = world.post("Users", bjarne()).await;
    let location = format!("https://bridge.example/t/acme/connections/hr/scim/v2/Users/{}", made.id());
    assert_eq!((made.status, &made.headers["location"]), (201, &location));
    assert_eq!(
        (&made.body["meta"]["location"], &made.body["meta"]["resourceType"]),
        (&json!(location), &json!("User"))
    );
    assert_eq!(made.body["meta"]["version"], made.headers["etag"]);
    assert_eq!(made.body["meta"]["created"], made.body["meta"]["lastModified"]);
    let path = format!("Users/{}", made.id());
    assert_eq!(world.get(&path).await.body, made.body);
    let unchanged = Sent { path: &path, if_none_match: Some(&made.headers["etag"]), ..Sent::default() };
    assert_eq!(world.send(unchanged).await.status, 304);
    let stale = Sent { method: Method::Delete, path: &path, if_match: Some("W/\"e180\""), ..Sent::default() };
    assert_eq!(world.send(stale).await.status, 412);
    assert_eq!(world.delete(&path).await.status, 204);
    // Section 3.12.
    let gone = world.get(&path).await;
    assert_eq!(gone.status, 404);
    assert_eq!(gone.body["schemas"], json!(["urn:ietf:params:scim:api:messages:2.0:Error"]));
    assert_eq!(gone.body["status"], "404");
}

/// Section 3.4.2.2: every form of filter that it shows.
#[tokio::test]
async fn filters_have_all_forms() {
    let world = World::new("generic");
    made(&world).await;
    let later = world.post("Users", json!({ "userName": "Jonas", "userType": "Intern", "title": "" })).await;
    assert_eq!(later.status, 201);
    let created = later.body["meta"]["lastModified"].as_str().unwrap();
    for (filter, names) in [
        ("userName Eq \"bjarne\"", vec!["bjarne"]),
        ("name.familyName co \"OL\"", vec!["bjarne"]),
        ("userName sw \"J\"", vec!["Jonas"]),
        (&format!("{USER}:userName sw \"J\""), vec!["Jonas"]),
        ("title pr", vec!["bjarne"]),
        (&format!("meta.lastModified gt \"{created}\""), vec![]),
        (&format!("meta.lastModified ge \"{created}\""), vec!["Jonas"]),
        (&format!("meta.lastModified lt \"{created}\""), vec!["bjarne"]),
        (&format!("meta.lastModified le \"{created}\""), vec!["bjarne", "Jonas"]),
        ("title pr and userType eq \"Employee\"", vec!["bjarne"]),
        ("title pr or userType eq \"Intern\"", vec!["bjarne", "Jonas"]),
        (&format!("schemas eq \"{ENTERPRISE}\""), vec![]),
        ("userType eq \"Employee\" and (emails co \"example.com\" or emails.value co \"example.org\")", vec!["bjarne"]),
        (
            "userType ne \"Employee\" and not (emails co \"example.com\" or emails.value co \"example.org\")",
            vec!["Jonas"],
        ),
        ("userType eq \"Employee\" and (emails.type eq \"work\")", vec!["bjarne"]),
        ("userType eq \"Employee\" and emails[type eq \"work\" and value co \"@example.com\"]", vec!["bjarne"]),
        (
            "emails[type eq \"work\" and value co \"@example.com\"] or ims[type eq \"xmpp\" and value co \"@foo.com\"]",
            vec!["bjarne"],
        ),
        ("emails[type eq \"home\" and value co \"@example.com\"]", vec![]),
    ] {
        let found = world.get(&format!("Users?filter={filter}")).await;
        assert_eq!(found.status, 200, "{filter}: {}", found.body);
        let resources = found.body["Resources"].as_array().unwrap();
        let found: Vec<_> = resources.iter().map(|user| user["userName"].as_str().unwrap()).collect();
        assert_eq!(found, names, "{filter}");
    }
}

/// Sections 3.4.2.4, 3.4.2.5, 3.4.3 and 3.9.
#[tokio::test]
async fn lists_have_pages_and_show_what_is_asked_for() {
    let world = World::new("generic");
    let id = made(&world).await;
    for number in 0..14 {
        world.user(&format!("other{number}")).await;
    }
    let page = world.get("Users?startIndex=1&count=10").await.body;
    let numbers = ["totalResults", "itemsPerPage", "startIndex"].map(|name| page[name].as_u64().unwrap());
    assert_eq!((numbers, page["Resources"].as_array().unwrap().len()), ([15, 10, 1], 10));
    let few = world.get(&format!("Users/{id}?attributes=userName")).await.body;
    let mut names: Vec<_> = few.as_object().unwrap().keys().map(String::as_str).collect();
    names.sort_unstable();
    assert_eq!(names, ["id", "schemas", "userName"]);
    let search = json!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"],
        "attributes": ["displayName", "userName"],
        "filter": "userName sw \"bjarne\"",
        "startIndex": 1,
        "count": 10,
    });
    let found = world.post(".search", search).await;
    assert_eq!((found.status, &found.body["totalResults"]), (200, &json!(1)), "{}", found.body);
    assert_eq!(found.body["Resources"][0]["userName"], "bjarne");
    assert_eq!(found.body["Resources"][0].get("emails"), None);
}

/// Section 3.5.1: what is not sent is gone, what is read-only is not looked at.
#[tokio::test]
async fn a_resource_is_replaced() {
    let world = World::new("generic");
    let id = made(&world).await;
    let path = format!("Users/{id}");
    let body = json!({
        "schemas": [USER], "id": id, "userName": "bjarne", "externalId": "bjarne-at-hr",
        "name": { "formatted": "Ms. Barbara Holm", "familyName": "Holm", "givenName": "Barbara", "middleName": "Jane" },
        "roles": [],
        "emails": [{ "value": "bjarne@example.com" }, { "value": "babs@holm.example.org" }],
    });
    assert_eq!(world.put(&path, &body).await.status, 200);
    let kept = world.get(&path).await.body;
    assert_eq!((&kept["name"], &kept["emails"]), (&body["name"], &body["emails"]));
    for gone in ["title", "addresses", "roles"] {
        assert_eq!(kept.get(gone), None, "{gone}");
    }
}

/// Sections 3.5.2.1 to 3.5.2.3 on a user: each operation on the user of the beginning, and what is there then.
#[tokio::test]
async fn patches_of_a_user() {
    let emails = bjarne()["emails"].clone();
    let (work, home) = (emails[0].clone(), emails[1].clone());
    let addresses = bjarne()["addresses"].clone();
    let moved = json!({ "type": "work", "streetAddress": "1010 Broadway Ave", "country": "US" });
    let cases = [
        // 3.5.2.1: a merge of several attributes; a value that is there already.
        (
            json!({ "op": "add", "value": { "emails": [{ "value": "babs@example.org", "type": "other" }], "nickName": "Babs" } }),
            json!({ "emails": [work, home, { "value": "babs@example.org", "type": "other" }], "nickName": "Babs" }),
        ),
        (json!({ "op": "add", "path": "emails", "value": [home] }), json!({ "emails": emails })),
        // 3.5.2.2: an attribute, some of its values, a part of some.
        (json!({ "op": "remove", "path": "title" }), json!({ "title": null })),
        (
            json!({ "op": "remove", "path": "emails[type eq \"work\" and value ew \"example.com\"]" }),
            json!({ "emails": [home] }),
        ),
        (
            json!({ "op": "remove", "path": "addresses[type eq \"home\"].streetAddress" }),
            json!({ "addresses": [addresses[0], { "type": "home", "country": "DK" }] }),
        ),
        // 3.5.2.3: all values, one of them, a part of one, several attributes.
        (json!({ "op": "replace", "path": "emails", "value": [home] }), json!({ "emails": [home] })),
        (
            json!({ "op": "replace", "path": "addresses[type eq \"work\"]", "value": moved }),
            json!({ "addresses": [moved, addresses[1]] }),
        ),
        (
            json!({ "op": "replace", "path": "addresses[type eq \"work\"].streetAddress", "value": "1010 Broadway Ave" }),
            json!({ "addresses": [moved, addresses[1]] }),
        ),
        (
            json!({ "op": "replace", "value": { "emails": [work], "nickName": "Babs" } }),
            json!({ "emails": [work], "nickName": "Babs" }),
        ),
        // Section 3.10: names with their schema.
        (
            json!({ "op": "add", "path": format!("{ENTERPRISE}:department"), "value": "Sales" }),
            json!({ ENTERPRISE: { "department": "Sales" } }),
        ),
    ];
    for (operation, wanted) in cases {
        let world = World::new("generic");
        let path = format!("Users/{}", made(&world).await);
        let patched = world.patch(&path, json!([operation])).await;
        assert_eq!(patched.status, 200, "{operation}: {}", patched.body);
        let (kept, mut all) = (world.get(&path).await.body, bjarne());
        for (name, value) in wanted.as_object().unwrap() {
            all[name] = value.clone();
        }
        for (name, value) in all.as_object().unwrap().iter().filter(|(name, _)| *name != "schemas") {
            let kept = kept.get(name).cloned().unwrap_or_default();
            assert_eq!(&kept, value, "{operation}: {name}");
        }
    }
    // 3.5.2.3: nothing that would be replaced.
    let world = World::new("generic");
    let path = format!("Users/{}", made(&world).await);
    let none = json!([{ "op": "replace", "path": "addresses[type eq \"other\"].country", "value": "SE" }]);
    assert_eq!(world.patch(&path, none).await.refusal(), (400, "noTarget"));
}

/// Sections 3.5.2.1 to 3.5.2.3 on the members of a group.
#[tokio::test]
async fn patches_of_a_group() {
    let world = World::new("generic");
    let (a, b) = (world.user("a").await, world.user("b").await);
    let group = world.group("Tour Guides", &[&a]).await;
    let path = format!("Groups/{group}");
    for (operations, members) in [
        (json!([{ "op": "add", "path": "members", "value": [{ "display": "B", "value": b }] }]), vec![&a, &b]),
        (json!([{ "op": "remove", "path": format!("members[value eq \"{a}\"]") }]), vec![&b]),
        (
            json!([
                { "op": "remove", "path": format!("members[value eq \"{b}\"]") },
                { "op": "add", "path": "members", "value": [{ "display": "A", "value": a }] },
            ]),
            vec![&a],
        ),
        (json!([{ "op": "replace", "path": "members", "value": [{ "value": a }, { "value": b }] }]), vec![&a, &b]),
        (
            json!([
                { "op": "remove", "path": "members" },
                { "op": "add", "path": "members", "value": [{ "value": b }] },
            ]),
            vec![&b],
        ),
        (json!([{ "op": "remove", "path": "members" }]), vec![]),
    ] {
        let patched = world.patch(&path, operations.clone()).await;
        assert!([200, 204].contains(&patched.status), "{operations}: {}", patched.body);
        let kept = world.get(&path).await.body;
        let mut found: Vec<_> = kept["members"].as_array().into_iter().flatten().map(|it| &it["value"]).collect();
        found.sort_by_key(|id| id.to_string());
        let mut members: Vec<_> = members.into_iter().map(|id| json!(id)).collect();
        members.sort_by_key(Value::to_string);
        assert_eq!(found, members.iter().collect::<Vec<_>>(), "{operations}");
    }
}

/// Sections 3.7.1 to 3.7.3: users and groups that name each other, and what became of each.
#[tokio::test]
async fn bulk_requests_may_name_each_other() {
    let world = World::new("generic");
    let id = world.user("carla").await;
    let kept = world.user("david").await;
    let request = json!({
        "schemas": [BULK],
        "failOnErrors": 1,
        "Operations": [
            { "method": "POST", "path": "/Groups", "bulkId": "qwerty", "data": {
                "schemas": [GROUP], "displayName": "Group A", "members": [{ "type": "Group", "value": "bulkId:ytrewq" }] } },
            { "method": "POST", "path": "/Groups", "bulkId": "ytrewq", "data": {
                "schemas": [GROUP], "displayName": "Group B", "members": [{ "type": "User", "value": "bulkId:alice" }] } },
            { "method": "POST", "path": "/Users", "bulkId": "alice", "data": { "schemas": [USER], "userName": "alice" } },
            { "method": "PUT", "path": format!("/Users/{kept}"), "data": { "schemas": [USER], "userName": "dave" } },
            { "method": "PATCH", "path": format!("/Users/{kept}"), "data": {
                "Operations": [{ "op": "add", "path": "nickName", "value": "D" }] } },
            { "method": "DELETE", "path": format!("/Users/{id}") },
        ],
    });
    let done = world.post("Bulk", request).await;
    assert_eq!(done.status, 200, "{}", done.body);
    let operations = done.body["Operations"].as_array().unwrap();
    let statuses: Vec<_> = operations.iter().map(|it| it["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["201", "201", "201", "200", "200", "204"], "{}", done.body);
    let of = |bulk: &str| {
        let one = operations.iter().find(|it| it["bulkId"] == bulk).unwrap();
        one["location"].as_str().unwrap().rsplit('/').next().unwrap().to_owned()
    };
    let members = async |group: String| world.get(&format!("Groups/{group}")).await.body["members"].clone();
    assert_eq!(members(of("qwerty")).await[0]["value"], of("ytrewq"));
    assert_eq!(members(of("ytrewq")).await[0]["value"], of("alice"));
    let dave = world.get(&format!("Users/{kept}")).await.body;
    assert_eq!((&dave["userName"], &dave["nickName"]), (&json!("dave"), &json!("D")));
    assert_eq!(world.get(&format!("Users/{id}")).await.status, 404);
    // 3.7.4: it stops at the first error that is one too many.
    let failing = json!({ "schemas": [BULK], "failOnErrors": 1, "Operations": [
        { "method": "POST", "path": "/Users", "bulkId": "x", "data": { "userName": "alice" } },
        { "method": "POST", "path": "/Users", "bulkId": "y", "data": { "userName": "never" } },
    ]});
    let done = world.post("Bulk", failing).await.body;
    assert_eq!(done["Operations"].as_array().unwrap().len(), 1, "{done}");
    assert_eq!(done["Operations"][0]["response"]["scimType"], "uniqueness");
    assert_eq!(world.get("Users?filter=userName eq \"never\"").await.body["totalResults"], 0);
}

/// Sections 3.11 and 4.
#[tokio::test]
async fn the_other_addresses_answer() {
    let world = World::new("generic");
    assert_eq!(world.get("Me").await.refusal(), (501, ""));
    for (path, name) in [("ServiceProviderConfig", "patch"), ("ResourceTypes/User", "endpoint")] {
        let answer = world.get(path).await;
        assert_eq!(answer.status, 200);
        assert!(answer.body.get(name).is_some(), "{path}: {}", answer.body);
    }
    assert_eq!(world.get(&format!("Schemas/{ENTERPRISE}")).await.body["name"], "EnterpriseUser");
    assert_eq!(world.get("Schemas?filter=id pr").await.refusal(), (403, ""));
}
