//! Claims: what an app learns about a person.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Claim names with JSON values. An absent claim is absent, never `null`
/// (OpenID Connect Core 5.3.2).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Claims(pub Map<String, Value>);

impl Claims {
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.get(name)
    }

    /// Sets a claim; `null` and the empty string or list remove it.
    pub fn set(&mut self, name: impl Into<String>, value: Value) {
        let name = name.into();
        let empty = match &value {
            Value::Null => true,
            Value::String(text) => text.is_empty(),
            Value::Array(items) => items.is_empty(),
            _ => false,
        };
        if empty {
            self.0.remove(&name);
        } else {
            self.0.insert(name, value);
        }
    }

    pub fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Value::as_str)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.0.iter()
    }
}

/// Claims of the protocol itself. A mapping can't make or change them.
pub const PROTOCOL_CLAIMS: &[&str] = &[
    "iss",
    "sub",
    "aud",
    "exp",
    "iat",
    "nbf",
    "jti",
    "nonce",
    "at_hash",
    "c_hash",
    "azp",
    "cnf",
    "client_id",
    "scope",
    "sid",
    "acr",
    "amr",
    "auth_time",
    "idp",
    "typ",
    "act",
    "may_act",
    "events",
];
