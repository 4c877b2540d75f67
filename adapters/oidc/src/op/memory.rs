//! What the provider keeps in its own words: with a login under way, and with a grant.

use fedbridge_contract::grant::GrantRecord;
use fedbridge_contract::ids::AppId;
use serde::{Deserialize, Serialize};

/// How the answer goes back to the app (OAuth 2.0 Multiple Response Types 2.1, form_post 1.0).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ResponseMode {
    #[serde(rename = "q")]
    Query,
    #[serde(rename = "f")]
    FormPost,
}

impl ResponseMode {
    /// As the parameter `response_mode` names it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Query => "query",
            Self::FormPost => "form_post",
        }
    }
}

/// Where the answer goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Destination {
    #[serde(rename = "r")]
    pub(crate) redirect_uri: String,
    #[serde(rename = "m")]
    pub(crate) mode: ResponseMode,
    #[serde(rename = "s", default, skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<String>,
}

/// An authorization request that was accepted and waits for its login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pending {
    #[serde(rename = "a")]
    pub(crate) app: AppId,
    #[serde(rename = "d")]
    pub(crate) destination: Destination,
    /// One of these must come out (`acr` as an essential claim); empty: any.
    #[serde(rename = "e", default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) essential_acr: Vec<String>,
    #[serde(rename = "g")]
    pub(crate) memory: GrantMemory,
}

/// What a grant remembers of its request.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GrantMemory {
    #[serde(default)]
    pub(crate) redirect_uri: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) nonce: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) code_challenge: Option<String>,
    /// Claims asked for by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) requested_claims: Vec<String>,
}

impl GrantMemory {
    /// An unreadable memory matches no redirect URI, so its code can't be redeemed.
    pub(crate) fn of(record: &GrantRecord) -> Self {
        Self::deserialize(&record.protocol).unwrap_or_default()
    }
}

/// Adds parameters to an address, which may have a query already (RFC 6749 section 4.1.2).
pub(crate) fn append_query(address: &str, params: &[(&str, &str)]) -> String {
    let separator = match address.split_once('?') {
        None => "?",
        Some((_, query)) if query.is_empty() || query.ends_with('&') => "",
        Some(_) => "&",
    };
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish();
    format!("{address}{separator}{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn appends_to_any_query() {
        assert_eq!(append_query("https://a/", &[("state", "x y&z")]), "https://a/?state=x+y%26z");
        assert_eq!(append_query("https://a/?b=1", &[("state", "x")]), "https://a/?b=1&state=x");
        assert_eq!(append_query("https://a/?", &[("state", "x")]), "https://a/?state=x");
    }
}
