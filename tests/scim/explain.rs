//! The truth table of a person: what the directory said, what is kept, which request made it so, what apps were told.

use reqwest::Method;
use serde_json::{Value, json};

use super::client::{Directory, connection};
use crate::support::scripted::{App, idp, person, server_with};

#[tokio::test(flavor = "multi_thread")]
async fn each_attribute_names_the_request_that_made_it_what_it_is() {
    let idp = idp();
    let (_scratch, setup, bridge) = server_with(&idp, &connection("hr", "        provisions: [idp]\n"), "").await;
    let (app, directory) = (App::of(&bridge), Directory::of(&format!("{}/t/acme", bridge.base_url), "hr"));
    let explain = || -> Value {
        let said = setup.ok(&["users", "explain", "Ada@acme.example", "--tenant", "acme", "--json"]);
        serde_json::from_str(&said).unwrap()
    };
    let body =
        json!({ "userName": "ada@acme.example", "name": { "familyName": "L", "givenName": "Ada" }, "title": "Dr" });
    let (status, user) = directory.send(Method::POST, "Users", body).await;
    assert_eq!(status, 201, "{user}");
    let id = user["id"].as_str().unwrap();
    directory.user("grace@acme.example").await;
    let tokens = app.tokens(&idp, &person("ada@acme.example")).await;

    let patch = async |operation| directory.send(Method::PATCH, &format!("Users/{id}"), operations(operation)).await;
    assert_eq!(patch(json!({ "op": "replace", "path": "name.familyName", "value": "Lovelace" })).await.0, 200);
    assert_eq!(patch(json!({ "op": "remove", "path": "title" })).await.0, 200);
    let taken = patch(json!({ "op": "replace", "path": "userName", "value": "grace@acme.example" })).await;
    assert_eq!((taken.0, &taken.1["scimType"]), (409, &json!("uniqueness")));
    let group = json!({ "displayName": "staff", "members": [{ "value": id }] });
    assert_eq!(directory.send(Method::POST, "Groups", group).await.0, 201);

    let table = explain();
    assert_eq!((&table["disabled"], &table["switched_off"]), (&json!(false), &Value::Null));
    let record = &table["records"][0];
    assert_eq!((&record["connection"], &record["id"]), (&json!("hr"), &user["id"]));
    let attribute = |path: &str| {
        let rows = record["attributes"].as_array().unwrap();
        let row = rows.iter().find(|row| row["path"] == path).unwrap_or_else(|| panic!("{path}: {rows:#?}"));
        (row["stored"].clone(), row["changed"]["request"].as_str().unwrap().to_owned())
    };
    let [(given, first), (family, second), (title, third)] =
        ["name.givenName", "name.familyName", "title"].map(attribute);
    assert_eq!((given, family, title), (json!("Ada"), json!("Lovelace"), Value::Null));
    assert!(first != second && second != third && attribute("userName").1 == first);
    assert_eq!(record["groups"], json!(["staff"]));
    let requests: Vec<_> = record["requests"].as_array().unwrap().iter().map(|it| it["request"].clone()).collect();
    for request in [&first, &second, &third] {
        assert!(requests.contains(&json!(request)), "{request} is not among {requests:?}");
        assert!(setup.ok(&["trace", "show", request]).contains("user"));
    }
    let regrouped = record["groups_changed"]["request"].as_str().unwrap();
    assert!(setup.ok(&["trace", "show", regrouped]).contains("create a group"));
    let refused = record["requests"].as_array().unwrap().iter().find(|it| it["result"] == "refused");
    assert!(refused.is_some_and(|it| it["cause"].as_str().unwrap().contains("name")), "{record:#}");

    // What the app was told, and what it will be told.
    let token = |table: &Value| {
        let claim = |name: &str| {
            let rows = table["claims"].as_array().unwrap();
            rows.iter().find(|row| row["claim"] == name).map(|row| row["tokens"][0].clone()).unwrap_or_default()
        };
        (table["tokens"][0]["next"]["is"].clone(), claim("family_name"))
    };
    assert_eq!(token(&table), (json!("others"), json!({ "last": "L", "next": "Lovelace" })));
    app.refresh(tokens["refresh_token"].as_str().unwrap()).await;
    assert_eq!(token(&explain()), (json!("same"), json!({ "last": "Lovelace", "next": "Lovelace" })));

    let words = || setup.ok(&["users", "explain", "ada@acme.example", "--tenant", "acme"]);
    assert!(words().contains("nobody keeps them out"), "{}", words());
    directory.switch(id, false).await;
    let said = words();
    for part in ["switched off by the directory", "pushed to hr: switched off", "taken away", "Lovelace", "staff"] {
        assert!(said.contains(part), "{part} is missing:\n{said}");
    }
    assert!(explain()["switched_off"].is_string());
    eprintln!("{said}");
}

fn operations(operation: Value) -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [operation] })
}
