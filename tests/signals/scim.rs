//! SCIM events (RFC 9967): what a directory pushes, told to who may hear of it.

use reqwest::Method;
use serde_json::{Value, json};

use super::receiver::Receiver;
use super::{OTHER_TOKEN, TOKEN, World, event, receiver, world};
use crate::support::browser::HTTP;

const PROV: &str = "urn:ietf:params:scim:event:prov";

impl World {
    /// SCIM events of some tokens: the last part of the type, what it says, and whom it is about.
    async fn pushed(&self, receiver: &Receiver, from: usize, count: usize) -> Vec<(String, Value, Value)> {
        let mut found = Vec::new();
        for one in &receiver.has(from + count).await[from..] {
            let claims = self.read("acme", &one.token).await;
            let name = event(&claims);
            let short = name.strip_prefix(PROV).unwrap_or(&name).to_owned();
            found.push((short, claims["events"][&name].clone(), claims["sub_id"].clone()));
        }
        found.sort_by(|one, other| one.0.cmp(&other.0));
        found
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_directory_pushes_is_told() {
    let (notice, full) = (Receiver::start().await, Receiver::start().await);
    let of = |slug: &str, token: &str, url: &str, more: &str| {
        receiver(slug, token, &format!("        push_url: {url}\n        events: []\n{more}"))
    };
    let receivers = format!(
        "{}{}",
        of("names", TOKEN, &notice.url, "        scim: notice\n"),
        of(
            "values",
            "a-token-of-the-receiver-of-values-0123456",
            &full.url,
            "        scim: full\n        scim_attributes: [userName, active]\n"
        ),
    );
    let world = world(&receivers, &receiver("x", OTHER_TOKEN, "")).await;
    let directory = world.directory("acme");
    let (_, config) = directory.send(Method::GET, "ServiceProviderConfig", Value::Null).await;
    assert_eq!(config["securityEvents"]["asyncRequest"], "request");
    let other = world.directory("globex").send(Method::GET, "ServiceProviderConfig", Value::Null).await.1;
    assert!(other.get("securityEvents").is_none(), "nobody hears of it there");

    let ada = json!({ "userName": "ada", "externalId": "7", "password": "canary-password", "title": "Countess" });
    let (status, user) = directory.send(Method::POST, "Users", ada).await;
    assert_eq!(status, 201, "{user}");
    let id = user["id"].as_str().unwrap();
    let told = world.pushed(&notice, 0, 1).await;
    assert_eq!(told[0].0, ":create:notice");
    let names: Vec<_> = told[0].1["attributes"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
    assert!(names.contains(&"title") && !told[0].1.to_string().contains("Countess"), "{told:?}");
    assert_eq!(told[0].2, json!({ "format": "scim", "uri": format!("/Users/{id}"), "externalId": "7" }));
    let told = world.pushed(&full, 0, 1).await;
    assert_eq!((told[0].0.as_str(), &told[0].1["data"]["userName"]), (":create:full", &json!("ada")));
    assert!(!told[0].1.to_string().contains("Countess"), "only what is allowed: {told:?}");

    directory.switch(id, false).await;
    let told = world.pushed(&notice, 1, 2).await;
    assert_eq!((told[0].0.as_str(), told[1].0.as_str()), (":deactivate", ":patch:notice"));
    assert_eq!(told[1].1, json!({ "attributes": ["active"], "version": "W/\"2\"" }));

    let group = json!({ "displayName": "staff" });
    let (_, group) = directory.send(Method::POST, "Groups", group).await;
    let path = format!("Groups/{}", group["id"].as_str().unwrap());
    let add = json!({ "Operations": [{ "op": "add", "path": "members", "value": [{ "value": id }] }] });
    assert!(directory.send(Method::PATCH, &path, add).await.0 < 300);
    let told = world.pushed(&notice, 3, 2).await;
    assert_eq!((told[0].0.as_str(), &told[1].1), (":create:notice", &json!({ "attributes": ["members"] })));

    assert_eq!(directory.send(Method::DELETE, &format!("Users/{id}"), Value::Null).await.0, 204);
    let told = world.pushed(&notice, 5, 1).await;
    assert_eq!(
        (told[0].0.as_str(), &told[0].1, &told[0].2["uri"]),
        (":delete", &json!({}), &json!(format!("/Users/{id}")))
    );
    for one in notice.got().iter().chain(&full.got()) {
        assert!(!world.read("acme", &one.token).await.to_string().contains("canary-password"));
    }
}

/// The one who asks is answered before the deed is told of, and both have one name for it.
#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_wait_is_told_by_an_event() {
    let hears = Receiver::start().await;
    let more = format!("        push_url: {}\n        events: []\n        scim: notice\n", hears.url);
    let world = world(&receiver("names", TOKEN, &more), &receiver("x", OTHER_TOKEN, "")).await;
    let directory = world.directory("acme");
    let id = directory.user("ada").await;
    world.pushed(&hears, 0, 1).await;
    let address = format!("{}/Users/{id}", directory.at);
    let body = json!({ "userName": "ada", "title": "Countess" }).to_string();
    let put = HTTP.put(&address).bearer_auth(crate::scim::client::TOKEN).header("prefer", "respond-async");
    let answer = put.header("content-type", "application/scim+json").body(body).send().await.unwrap();
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["preference-applied"]),
        (202, &"respond-async".parse().unwrap())
    );
    let txn = answer.headers()["set-txn"].to_str().unwrap().to_owned();
    let told = hears.has(3).await;
    let mut found = Vec::new();
    for one in &told[1..3] {
        let claims = world.read("acme", &one.token).await;
        assert_eq!(claims["txn"], txn, "{claims}");
        found.push((event(&claims), claims["events"][event(&claims)].clone()));
    }
    found.sort_by(|one, other| one.0.cmp(&other.0));
    let done = json!({ "method": "PUT", "location": address, "status": "200", "version": "W/\"2\"" });
    assert_eq!(found[0], ("urn:ietf:params:scim:event:misc:asyncresp".to_owned(), done));
    assert_eq!(found[1].0, format!("{PROV}:put:notice"));
    assert!(found[1].1["attributes"].as_array().unwrap().contains(&json!("userName")), "all of it: {found:?}");
}
