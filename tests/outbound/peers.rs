//! Two SCIM servers that others have written: scim2-server, which keeps strictly to the standard, and SCIMMY.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use super::world::{APP_TOKEN, Remote, asked, directory, file, patch, push, push_group, server, tenant};
use crate::support::Scratch;
use crate::support::bridge::Setup;
use crate::support::peers::Peer;

const GROUPS: &str = "        push_groups: all\n";

#[tokio::test(flavor = "multi_thread")]
async fn scim2_server_follows_the_directory() {
    follows("scim2-server").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scimmy_follows_the_directory() {
    follows("scimmy").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_at_scim2_server_is_found_and_mended() {
    drift("scim2-server").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn drift_at_scimmy_is_found_and_mended() {
    drift("scimmy").await;
}

async fn follows(peer: &str) {
    let scratch = Scratch::new("outbound-peer");
    let peer = Peer::start(peer, scratch.path(), &[("SCIM_TOKEN", APP_TOKEN)]);
    let app = Remote::of(&peer);
    let (_scratch, setup, bridge) = server(&peer.url, GROUPS).await;
    let hr = directory(&bridge, "acme");
    let (ada, bob) = (push(&hr, "ada").await, push(&hr, "bob").await);
    let staff = push_group(&hr, "staff", &[&ada, &bob]).await;

    let there = app.becomes("ada", "is there", |_| true).await;
    assert_eq!(there["name"]["givenName"], "ada", "{there}");
    assert_eq!(there["emails"][0]["value"], "ada@acme.example", "{there}");
    assert_eq!(there["displayName"], "The ada", "{there}");
    assert_eq!(there["externalId"].as_str().unwrap().len(), 32, "the sub: {there}");
    app.group_of("staff", 2).await;

    // Renamed: the same user there, and nothing else of it.
    let rename = json!([{ "op": "replace", "path": "userName", "value": "ada.l" },
        { "op": "remove", "path": "name.familyName" }]);
    patch(&hr, &format!("Users/{ada}"), rename).await;
    let renamed = app.becomes("ada.l", "is renamed", |user| user["name"]["familyName"].is_null()).await;
    assert_eq!((&renamed["id"], &renamed["externalId"]), (&there["id"], &there["externalId"]));

    // Switched off by the directory: off there within seconds, and out of the group.
    let began = Instant::now();
    hr.switch(&bob, false).await;
    let off = app.becomes("bob", "is off", |user| user["active"] == false).await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    app.group_of("staff", 1).await;
    hr.switch(&bob, true).await;
    let again = app.becomes("bob", "is on again", |user| user["active"] == true).await;
    assert_eq!(off["id"], again["id"]);
    app.group_of("staff", 2).await;
    let left = json!([{ "op": "remove", "path": format!("members[value eq \"{ada}\"]") }]);
    patch(&hr, &format!("Groups/{staff}"), left).await;
    app.group_of("staff", 1).await;
    let (status, _) = hr.send(Method::DELETE, &format!("Users/{ada}"), Value::Null).await;
    assert_eq!(status, 204);
    app.becomes("ada.l", "is off", |user| user["active"] == false).await;

    assert_eq!(app.all("Users").await.len(), 2);
    let plan = asked(&setup, "plan");
    let idle = |step: &Value| matches!(step["do"].as_str(), Some("nothing" | "note"));
    let all = [plan["users"].as_array().unwrap(), plan["groups"].as_array().unwrap()];
    assert!(all.iter().all(|steps| steps.iter().all(idle)), "{plan:#}\n{}", bridge.log());
    // What was done is told, step by step, and holds no secret.
    let traces = setup.ok(&["trace", "list", "--kind", "provisioning", "--json"]);
    assert!(traces.contains("wiki") && !traces.contains(APP_TOKEN), "{traces}");
    let checked = setup.ok(&["check"]);
    assert!(checked.contains("acme/wiki: the SCIM server answers"), "{checked}");
}

/// The server is not running: only the commands tell the app.
async fn drift(peer: &str) {
    let scratch = Scratch::new("outbound-drift");
    let peer = Peer::start(peer, scratch.path(), &[("SCIM_TOKEN", APP_TOKEN)]);
    let app = Remote::of(&peer);
    let setup = Setup::sqlite(scratch.path());
    let off = format!("{GROUPS}        enabled: false\n");
    setup.apply(&scratch, &file(&tenant("acme", &peer.url, &off)));
    let bridge = setup.serve(&scratch).await;
    let hr = directory(&bridge, "acme");
    let (ada, bob) = (push(&hr, "ada").await, push(&hr, "bob").await);
    push(&hr, "eve").await;
    push_group(&hr, "staff", &[&ada, &bob]).await;
    assert_eq!(bridge.stop().code(), Some(0));
    assert_eq!(app.all("Users").await.len(), 0, "the app is switched off");

    setup.apply(&scratch, &file(&tenant("acme", &peer.url, GROUPS)));
    // Whoever was made there by hand becomes the person's; the dry run says so, and the run does what it says.
    let (status, by_hand) = app.send(Method::POST, "Users", user("eve")).await;
    assert_eq!(status, 201, "{by_hand}");
    let plan = asked(&setup, "plan");
    let words = |plan: &Value| -> Vec<(String, String)> {
        let text = |step: &Value, key: &str| step[key].as_str().unwrap_or_default().to_owned();
        let users = plan["users"].as_array().unwrap().iter().map(|step| (text(step, "user"), text(step, "do")));
        let groups = plan["groups"].as_array().unwrap().iter().map(|step| (text(step, "group"), text(step, "do")));
        users.chain(groups).collect()
    };
    let want = [("eve", "link"), ("ada", "create"), ("bob", "create"), ("staff", "create")];
    assert_eq!(words(&plan), want.map(|(who, what)| (who.to_owned(), what.to_owned())), "{plan:#}");
    assert_eq!(app.all("Users").await.len(), 1, "a dry run is dry");
    let run = asked(&setup, "run");
    assert_eq!(run["plan"], plan, "the run does what the dry run says");
    assert_eq!((&run["done"], &run["failed"]), (&json!(4), &json!([])), "{run:#}");
    assert_eq!(app.user("eve").await.unwrap()["id"], by_hand["id"]);
    app.group_of("staff", 2).await;

    // Somebody works at the app.
    let (ada, bob) = (app.user("ada").await.unwrap(), app.user("bob").await.unwrap());
    let meddled = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [
        { "op": "replace", "path": "displayName", "value": "Somebody else" },
        { "op": "add", "path": "title", "value": "the app's own" }] });
    let (status, said) = app.send(Method::PATCH, &format!("Users/{}", ada["id"].as_str().unwrap()), meddled).await;
    assert!(matches!(status, 200 | 204), "{said}");
    let (status, _) = app.send(Method::DELETE, &format!("Users/{}", bob["id"].as_str().unwrap()), Value::Null).await;
    assert_eq!(status, 204);
    let (status, said) = app.send(Method::POST, "Users", user("root")).await;
    assert_eq!(status, 201, "{said}");
    let output = setup.run(&["provisioning", "drift", "acme/wiki"]);
    let found = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(3), "{found}");
    for line in [
        "user ada: changed there",
        "displayName: \"Somebody else\" -> \"The ada\", from name",
        "user bob: missing there",
        "user root (",
        "): unknown here",
    ] {
        assert!(found.contains(line), "{line}: {found}");
    }
    setup.ok(&["provisioning", "run", "acme/wiki"]);
    let mended = app.user("ada").await.unwrap();
    assert_eq!((&mended["displayName"], &mended["title"]), (&json!("The ada"), &json!("the app's own")));
    assert!(app.user("bob").await.is_some() && app.user("root").await.is_some());
    let bob = app.user("bob").await.unwrap();
    let members = app.group("staff").await.unwrap()["members"].as_array().unwrap().clone();
    assert!(members.iter().any(|one| one["value"] == bob["id"]), "{members:?}");
    let plan = asked(&setup, "plan");
    assert!(words(&plan).iter().all(|(_, what)| what == "nothing"), "{plan:#}");
    assert_eq!(plan["unknown"][0]["user"], "root");
}

fn user(name: &str) -> Value {
    json!({ "schemas": ["urn:ietf:params:scim:schemas:core:2.0:User"], "userName": name, "active": true })
}
