//! A tenant whose people a directory pushes, and an app that is told of them.

use reqwest::Method;
use serde_json::{Value, json};

use crate::scim::client::{Directory, TOKEN, connection};
use crate::support::bridge::{Bridge, Setup};
use crate::support::browser::HTTP;
use crate::support::peers::Peer;
use crate::support::{Scratch, eventually};

/// What the bridge calls apps with.
pub const APP_TOKEN: &str = "what-the-bridge-calls-the-app-with";

/// An app, as somebody who works there sees it.
#[derive(Clone)]
pub struct Remote {
    pub at: String,
}

impl Remote {
    pub fn of(peer: &Peer) -> Self {
        Self { at: peer.url.clone() }
    }

    pub async fn send(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let request = HTTP.request(method, format!("{}/{path}", self.at)).bearer_auth(APP_TOKEN);
        let request = match body {
            Value::Null => request,
            body => request.header("content-type", "application/scim+json").body(body.to_string()),
        };
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    }

    pub async fn all(&self, endpoint: &str) -> Vec<Value> {
        let mut all: Vec<Value> = Vec::new();
        loop {
            let path = format!("{endpoint}?startIndex={}&count=1000", all.len() + 1);
            let (status, list) = self.send(Method::GET, &path, Value::Null).await;
            assert_eq!(status, 200, "{list}");
            let page = list["Resources"].as_array().cloned().unwrap_or_default();
            all.extend(page.iter().cloned());
            if page.is_empty() || all.len() as u64 >= list["totalResults"].as_u64().unwrap() {
                return all;
            }
        }
    }

    pub async fn user(&self, name: &str) -> Option<Value> {
        self.all("Users").await.into_iter().find(|user| user["userName"] == name)
    }

    pub async fn group(&self, name: &str) -> Option<Value> {
        self.all("Groups").await.into_iter().find(|group| group["displayName"] == name)
    }

    /// Waits for a user for whom this holds.
    pub async fn becomes(&self, name: &str, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        eventually(&format!("{name}: {what}"), async || self.user(name).await.filter(&holds)).await
    }

    /// Waits for a group with so many members.
    pub async fn group_of(&self, name: &str, members: usize) -> Value {
        let count = |group: &Value| group["members"].as_array().map_or(0, Vec::len);
        let what = format!("{name} has {members} members");
        eventually(&what, async || self.group(name).await.filter(|group| count(group) == members)).await
    }
}

/// A tenant with a directory, and an app at this address.
pub fn tenant(slug: &str, app: &str, more: &str) -> String {
    let hr = connection("hr", "");
    format!(
        "  - slug: {slug}
    connections:
{hr}
    scim_apps:
      - slug: wiki
        base_url: {app}
        bearer_token: {{ value: {APP_TOKEN} }}
        guard: 100
{more}"
    )
}

pub fn file(tenants: &str) -> String {
    format!("version: 1\ntenants:\n{tenants}")
}

/// A server with one such tenant, on SQLite.
pub async fn server(app: &str, more: &str) -> (Scratch, Setup, Bridge) {
    let scratch = Scratch::new("outbound");
    let setup = Setup::sqlite(scratch.path());
    setup.apply(&scratch, &file(&tenant("acme", app, more)));
    let bridge = setup.serve(&scratch).await;
    (scratch, setup, bridge)
}

pub fn directory(bridge: &Bridge, tenant: &str) -> Directory {
    Directory::of(&format!("{}/t/{tenant}", bridge.base_url), "hr")
}

/// The directory's id of somebody new.
pub async fn push(directory: &Directory, name: &str) -> String {
    let body = json!({ "userName": name, "displayName": format!("The {name}"),
        "name": { "givenName": name, "familyName": "Pushed" },
        "emails": [{ "type": "work", "value": format!("{name}@acme.example") }] });
    let (status, user) = directory.send(Method::POST, "Users", body).await;
    assert_eq!(status, 201, "{user} with {TOKEN}");
    user["id"].as_str().unwrap().to_owned()
}

pub async fn push_group(directory: &Directory, name: &str, members: &[&str]) -> String {
    let members: Vec<_> = members.iter().map(|id| json!({ "value": id })).collect();
    let body = json!({ "displayName": name, "members": members });
    let (status, group) = directory.send(Method::POST, "Groups", body).await;
    assert_eq!(status, 201, "{group}");
    group["id"].as_str().unwrap().to_owned()
}

pub async fn patch(directory: &Directory, path: &str, operations: Value) {
    let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations });
    let (status, said) = directory.send(Method::PATCH, path, body).await;
    assert!(matches!(status, 200 | 204), "{said}");
}

/// What the command prints as JSON.
pub fn asked(setup: &Setup, command: &str) -> Value {
    let output = setup.run(&["provisioning", command, "acme/wiki", "--json"]);
    let said = String::from_utf8_lossy(&output.stdout);
    serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}{}", String::from_utf8_lossy(&output.stderr)))
}
