//! Everything about one login that a rule may see. Plain data: a trace keeps
//! it, and a replay decides on it again.

use fedbridge_contract::identity::{Attributes, UpstreamSubject};
use fedbridge_contract::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::PushedFacts;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    pub attributes: Attributes,
    pub subject: UpstreamSubject,
    pub connection: ConnectionFacts,
    /// The app, where one is asking. A push or a sync has none.
    #[serde(default)]
    pub client: Option<ClientFacts>,
    /// What SCIM pushed about this person, as a JSON object.
    #[serde(default)]
    pub user: Option<Value>,
    /// The claims that a directory makes of it, for a login of somebody whom it pushes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed: Option<PushedFacts>,
    #[serde(default)]
    pub request: RequestFacts,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ConnectionFacts {
    pub slug: String,
    /// Mail domains whose e-mail counts as verified.
    pub domains: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClientFacts {
    /// The client_id, or the slug of another kind of app.
    pub name: String,
    /// Scopes that the app is registered for.
    #[serde(default)]
    pub scopes: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RequestFacts {
    /// The browser's address.
    #[serde(default)]
    pub ip: Option<String>,
    #[serde(default)]
    pub time: Timestamp,
    /// Scopes granted to this login.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// The authentication context that the upstream named.
    #[serde(default)]
    pub acr: Option<String>,
    /// Claims asked for by name (OpenID Connect Core 5.5).
    #[serde(default)]
    pub claims: Vec<String>,
}
