//! A directory that pushes.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::browser::HTTP;

pub const TOKEN: &str = "a-token-that-a-directory-pushes-with-1234";

/// A connection of a bridge file that pushes the people of others.
pub fn connection(slug: &str, more: &str) -> String {
    format!(
        "      - slug: {slug}
        protocol: scim
        bearer_token: {{ value: {TOKEN} }}
        guard: {{ percent: 100 }}
{more}"
    )
}

#[derive(Clone)]
pub struct Directory {
    /// The SCIM base address.
    pub at: String,
}

impl Directory {
    /// That of a node of a tenant.
    pub fn of(tenant: &str, slug: &str) -> Self {
        Self { at: format!("{tenant}/connections/{slug}/scim/v2") }
    }

    pub async fn send(&self, method: Method, path: &str, body: Value) -> (u16, Value) {
        let request = HTTP.request(method, format!("{}/{path}", self.at)).bearer_auth(TOKEN);
        let request = match body {
            Value::Null => request,
            body => request.header("content-type", "application/scim+json").body(body.to_string()),
        };
        let answer = request.send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or_default())
    }

    /// As [`Directory::user`], while the connection may not be in force yet.
    pub async fn try_user(&self, name: &str) -> Option<String> {
        let (status, user) = self.send(Method::POST, "Users", json!({ "userName": name })).await;
        (status == 201).then(|| user["id"].as_str().unwrap().to_owned())
    }

    /// The id of a user of this name.
    pub async fn user(&self, name: &str) -> String {
        let (status, user) = self.send(Method::POST, "Users", json!({ "userName": name })).await;
        assert_eq!(status, 201, "{user}");
        user["id"].as_str().unwrap().to_owned()
    }

    pub async fn switch(&self, user: &str, active: bool) {
        let set = json!({ "op": "replace", "path": "active", "value": active });
        let patch = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": [set] });
        let (status, body) = self.send(Method::PATCH, &format!("Users/{user}"), patch).await;
        assert_eq!(status, 200, "{body}");
    }
}
