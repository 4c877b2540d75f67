//! Lists, searches and cursors (RFC 7644 section 3.4, RFC 9865).

use std::collections::BTreeSet;
use std::time::Duration;

use fedbridge_contract::http::Method;
use serde_json::{Value, json};

use crate::world::{SECOND, Sent, World};

fn names(answer: &Value) -> Vec<&str> {
    answer["Resources"].as_array().unwrap().iter().map(|one| one["userName"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn pages_have_numbers() {
    let world = World::new("generic");
    for number in 0..7 {
        world.user(&format!("user{number}")).await;
    }
    let page = world.get("Users?startIndex=3&count=2").await.body;
    assert_eq!(
        (names(&page), &page["totalResults"], &page["itemsPerPage"], &page["startIndex"]),
        (vec!["user2", "user3"], &json!(7), &json!(2), &json!(3))
    );
    assert_eq!(names(&world.get("Users?startIndex=-4&count=1").await.body), ["user0"]);
    let none = world.get("Users?count=0").await.body;
    assert_eq!((&none["totalResults"], &none["Resources"]), (&json!(7), &json!([])));
    assert_eq!(world.get("Users?count=-3").await.body["Resources"], json!([]));
    assert_eq!(world.get("Users?startIndex=100").await.body["Resources"], json!([]));
    assert_eq!(world.get("Users?count=x").await.refusal(), (400, "invalidCount"));
}

#[tokio::test]
async fn filters_find_by_an_index_or_by_looking() {
    let world = World::new("generic");
    for (name, external, email) in
        [("Ann", "A1", "ann@x.example"), ("bob", "B1", "bob@x.example"), ("cem", "a1", "ANN@x.example")]
    {
        let body = json!({ "userName": name, "externalId": external, "emails": [{ "value": email, "type": "work" }] });
        world.post("Users", body).await;
    }
    for (filter, wanted) in [
        ("userName eq \"ANN\"", vec!["Ann"]),
        ("externalId eq \"a1\"", vec!["cem"]),
        ("emails[type eq \"work\" and value eq \"ann@X.example\"]", vec!["Ann", "cem"]),
        ("emails.value eq \"bob@x.example\"", vec!["bob"]),
        ("userName eq \"ann\" and externalId eq \"x\"", vec![]),
        ("userName eq \"f47ac10b-58cc-4372-a567-0e02b2c3d479\"", vec![]),
        ("userName co \"b\"", vec!["bob"]),
        ("userName pr", vec!["Ann", "bob", "cem"]),
        ("groups pr", vec![]),
        ("meta.created pr and not (userName sw \"a\")", vec!["bob", "cem"]),
    ] {
        let found = world.get(&format!("Users?filter={filter}")).await;
        assert_eq!((found.status, names(&found.body)), (200, wanted.clone()), "{filter}");
        assert_eq!(found.body["totalResults"], wanted.len(), "{filter}");
        let by_cursor = world.get(&format!("Users?cursor=&filter={filter}")).await;
        assert_eq!(names(&by_cursor.body), wanted, "{filter}");
    }
    let page = world.get("Users?filter=userName pr&startIndex=2&count=1").await.body;
    assert_eq!((names(&page), &page["totalResults"]), (vec!["bob"], &json!(3)));
    assert_eq!(world.get("Users?filter=usrName pr").await.refusal(), (400, "invalidFilter"));
    assert_eq!(world.get("Users?filter=password pr").await.refusal(), (403, "sensitive"));
}

#[tokio::test]
async fn searches_are_posted() {
    let world = World::new("generic");
    let ann = world.user("ann").await;
    world.group("ann's group", &[&ann]).await;
    let search = |filter: &str| json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:SearchRequest"], "filter": filter, "attributes": ["userName", "displayName"] });
    let found = world.post("Users/.search", search("userName eq \"ann\"")).await;
    assert_eq!((found.status, names(&found.body)), (200, vec!["ann"]));
    assert!(found.body["Resources"][0].get("meta").is_none());
    let both = world.post(".search", search("userName sw \"a\" or displayName sw \"a\"")).await;
    assert_eq!(both.body["totalResults"], 2);
    let root = world.get("?filter=userName eq \"ann\"").await;
    assert_eq!(root.body["totalResults"], 1);
    assert_eq!(world.get("?startIndex=2&count=5").await.body["Resources"][0]["displayName"], "ann's group");
}

#[tokio::test]
async fn a_walk_by_cursors_skips_nobody_while_others_come_and_go() {
    let world = World::new("generic");
    let mut there = BTreeSet::new();
    let mut ids = Vec::new();
    for number in 0..500 {
        let name = format!("user{number:04}");
        ids.push((name.clone(), world.user(&name).await));
        there.insert(name);
    }
    let (mut seen, mut cursor, mut pages) = (Vec::new(), Some(String::new()), 0);
    while let Some(at) = cursor {
        let page = world.get(&format!("Users?count=50&cursor={at}")).await;
        assert_eq!(page.status, 200, "{}", page.body);
        seen.extend(names(&page.body).into_iter().map(str::to_owned));
        cursor = page.body["nextCursor"].as_str().map(str::to_owned);
        pages += 1;
        // Of those that were read and of those that were not.
        for at in [pages * 20, 499 - pages * 20] {
            let (name, id) = &ids[at];
            world.delete(&format!("Users/{id}")).await;
            there.remove(name);
        }
        world.user(&format!("late{pages}")).await;
    }
    let walked: BTreeSet<_> = seen.iter().cloned().collect();
    assert_eq!(walked.len(), seen.len(), "nobody comes twice");
    assert!(there.iter().all(|name| walked.contains(name)), "nobody is skipped who was there all the time");
    assert!(pages > 9);
}

#[tokio::test]
async fn a_cursor_is_good_for_one_list_of_one_client_for_a_while() {
    let world = World::new("generic");
    for number in 0..5 {
        world.user(&format!("user{number}")).await;
    }
    let first = world.get("Users?count=2&cursor=").await.body;
    let cursor = first["nextCursor"].as_str().unwrap();
    let query = format!("count=2&cursor={cursor}");
    assert_eq!(names(&world.get(&format!("Users?{query}")).await.body), ["user2", "user3"]);
    let mut changed = cursor.to_owned();
    changed.replace_range(4..5, if &changed[4..5] == "A" { "B" } else { "A" });
    let none_of_it = [
        world.get(&format!("Users?cursor={changed}")).await,
        world.get("Users?cursor=x").await,
        world.get(&format!("Users?cursor={cursor}&filter=userName pr")).await,
        world.get(&format!("Groups?cursor={cursor}")).await,
        world.send(Sent { query: &query, token: Some(SECOND), ..Sent::default() }).await,
        world.send(Sent { query: &query, connection: 1, ..Sent::default() }).await,
    ];
    for refused in &none_of_it {
        assert_eq!(refused.refusal(), (400, "invalidCursor"));
        assert_eq!(refused.body["detail"], none_of_it[0].body["detail"], "nothing tells why");
    }
    world.clock.pass(Duration::from_secs(3_600));
    assert_eq!(world.get(&format!("Users?{query}")).await.refusal(), (400, "expiredCursor"));
    assert_eq!(world.get(&format!("Users?startIndex=1&{query}")).await.refusal(), (400, "invalidValue"));
}

#[tokio::test]
async fn nothing_is_left_out_of_what_many_share() {
    let world = World::new("generic");
    for number in 0..1_050 {
        let emails: Vec<_> = (0..2).map(|at| json!({ "value": format!("{number}-{at}@x.example") })).collect();
        let body = json!({ "userName": format!("user{number:04}"), "externalId": "shared", "emails": emails });
        assert_eq!(world.post("Users", body).await.status, 201);
    }
    let shared = world.get("Users?filter=externalId eq \"shared\"&count=7&startIndex=1047").await.body;
    assert_eq!((&shared["totalResults"], &shared["itemsPerPage"]), (&json!(1_050), &json!(4)));
    let (mut seen, mut start) = (BTreeSet::new(), 1);
    while seen.len() < 1_050 {
        let page = world.get(&format!("Users?startIndex={start}&count=100")).await.body;
        assert_eq!(page["totalResults"], 1_050);
        seen.extend(names(&page).into_iter().map(str::to_owned));
        start += 100;
    }
    assert_eq!(start, 1_101, "eleven pages");
    let many: Vec<_> = (0..101).map(|at| json!({ "value": format!("{at}@x.example") })).collect();
    let refused = world.post("Users", json!({ "userName": "many", "emails": many })).await;
    assert_eq!(refused.refusal(), (400, "invalidValue"));
}

#[tokio::test]
async fn a_page_of_nothing_goes_on_where_it_was() {
    let world = World::new("generic");
    world.user("ann").await;
    let page = world.get("Users?cursor=&count=0").await.body;
    assert_eq!(page["Resources"], json!([]));
    let next = page["nextCursor"].as_str().unwrap();
    assert_eq!(names(&world.get(&format!("Users?cursor={next}")).await.body), ["ann"]);
}

#[tokio::test]
async fn a_cursor_goes_on_from_users_to_groups() {
    let world = World::new("generic");
    world.user("ann").await;
    world.group("a", &[]).await;
    world.group("b", &[]).await;
    let (mut kinds, mut cursor) = (Vec::new(), Some(String::new()));
    while let Some(at) = cursor {
        let page = world.post(".search", json!({ "count": 1, "cursor": at })).await;
        assert_eq!(page.status, 200, "{}", page.body);
        kinds.extend(page.body["Resources"].as_array().unwrap().iter().map(|one| one["meta"]["resourceType"].clone()));
        cursor = page.body["nextCursor"].as_str().map(str::to_owned);
    }
    assert_eq!(kinds, ["User", "Group", "Group"]);
}

#[tokio::test]
async fn a_store_that_is_down_is_told_and_can_be_tried_again() {
    let world = World::new("generic");
    let id = world.user("ann").await;
    world.desk.state.lock().unwrap().down = true;
    for answer in [
        world.get("Users").await,
        world.get(&format!("Users/{id}")).await,
        world.post("Users", json!({ "userName": "b" })).await,
    ] {
        assert_eq!((answer.refusal(), answer.headers["retry-after"].as_str()), ((503, ""), "5"));
    }
    let sent = Sent { method: Method::Delete, path: "Users/x", ..Sent::default() };
    assert_eq!(world.send(sent).await.status, 404, "no such id can be");
}
