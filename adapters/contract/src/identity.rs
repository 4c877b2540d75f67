//! What an adapter hands to the hub once it has checked everything it can.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::proof::Proof;
use crate::time::Timestamp;

/// Upstream attributes under their original names, each a list of texts in the
/// order in which they came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes {
    values: BTreeMap<String, Vec<String>>,
    /// LDAP names match without case (RFC 4512 section 2.5); those of other protocols exactly.
    #[serde(default)]
    ignore_case: bool,
}

impl Attributes {
    pub fn new() -> Self {
        Self::default()
    }

    /// Attributes whose names match without case.
    pub fn ignoring_case() -> Self {
        Self { values: BTreeMap::new(), ignore_case: true }
    }

    /// Adds a value behind those that are there.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<String>) {
        let name = name.into();
        let key = self.key(&name).cloned().unwrap_or(name);
        self.values.entry(key).or_default().push(value.into());
    }

    /// Declares a name, so that an attribute without values is known as present.
    pub fn declare(&mut self, name: impl Into<String>) {
        self.values.entry(name.into()).or_default();
    }

    /// The values of a name; empty when it is absent.
    pub fn get(&self, name: &str) -> &[String] {
        match self.values.get(name) {
            Some(values) => values,
            None => self.key(name).and_then(|key| self.values.get(key)).map_or(&[], Vec::as_slice),
        }
    }

    pub fn contains(&self, name: &str) -> bool {
        self.values.contains_key(name) || self.key(name).is_some()
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &[String])> {
        self.values.iter().map(|(name, values)| (name.as_str(), values.as_slice()))
    }

    fn key(&self, name: &str) -> Option<&String> {
        if self.ignore_case { self.values.keys().find(|key| key.eq_ignore_ascii_case(name)) } else { None }
    }
}

/// Who the upstream says the person is. Opaque inside one connection, and never
/// a link to another by itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpstreamSubject {
    /// The key that finds the person again. For SAML it covers Format and qualifiers (SAML core 8.3.7).
    pub key: String,
    /// What an admin reads in a trace, for example the NameID's text.
    pub display: String,
    /// False when the upstream will send another key next time (a transient NameID).
    pub stable: bool,
    /// Who gives such keys out, as the connection is configured (an OIDC issuer). People who came under
    /// another one do not move here: then the login is a conflict for an administrator. `None`: not watched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

/// What an upstream gave us to ask again with. Kept only where the connection re-validates or must log out
/// with it, sealed, and never given to an app.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpstreamTokens {
    /// RFC 6749 section 6. `None`: [`access_token`](Self::access_token) serves at userinfo, while it lasts.
    pub refresh_token: Option<String>,
    pub access_token: Option<String>,
    /// When the access token ends, if the upstream said so.
    pub access_expires: Option<Timestamp>,
    /// What a renewed ID token must repeat (OpenID Connect Core 12.2), in the adapter's own form.
    pub memory: serde_json::Value,
}

impl std::fmt::Debug for UpstreamTokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UpstreamTokens").field("refresh_token", &self.refresh_token.is_some()).finish_non_exhaustive()
    }
}

/// How and when the person authenticated, in the upstream's own words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuthnFacts {
    /// When the person last authenticated: AuthnInstant, `auth_time`, or the bind.
    pub auth_time: Timestamp,
    /// Whether the upstream itself said when. Otherwise `auth_time` is when its token was made, which is always
    /// just now, and shows nothing about how fresh the authentication is.
    #[serde(default)]
    pub auth_time_said: bool,
    /// Authentication context class (SAML) or `acr` (OIDC), if the upstream names one.
    pub acr: Option<String>,
    /// Methods of RFC 8176, as far as the upstream's word can be put into them.
    #[serde(default)]
    pub amr: Vec<String>,
    /// The upstream's own name, such as its entity ID.
    #[serde(default)]
    pub authority: Option<String>,
    /// Identity providers behind the upstream (SAML core 2.7.2.2), nearest first.
    #[serde(default)]
    pub authorities: Vec<String>,
}

/// The upstream's own session, for its end and for logout.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpstreamSession {
    /// SAML SessionIndex or OIDC `sid`.
    pub index: Option<String>,
    /// After this the bridge's session and its refresh tokens end too (SAML core 2.7.2).
    pub not_on_or_after: Option<Timestamp>,
    /// How the upstream names the person in a logout request of its own, where it can send one. The
    /// store keeps a hash of it to search by.
    #[serde(default)]
    pub logout_key: Option<String>,
    /// What the adapter needs to log this session out again, in its own form.
    #[serde(default)]
    pub logout_state: Option<String>,
}

/// To whom the upstream lets its statement be passed on (SAML core 2.5.1.6).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Onward {
    #[default]
    Unrestricted,
    /// A ProxyRestriction with Count 0: the bridge's own session only.
    Nobody,
    /// Only these downstream parties (client IDs or entity IDs).
    Only(Vec<String>),
}

/// Something that may be used once until it expires, such as an assertion ID.
/// The hub records it in the same unit of work as the login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneTimeKey {
    /// A namespace, for example `saml.assertion`.
    pub purpose: &'static str,
    pub key: String,
    pub expires: Timestamp,
}

/// A person whom an adapter has authenticated. The [`Proof`] can only come from
/// the transaction that the hub opened for this login.
#[derive(Debug)]
pub struct AuthenticatedIdentity {
    pub subject: UpstreamSubject,
    pub attributes: Attributes,
    pub authn: AuthnFacts,
    pub session: UpstreamSession,
    pub onward: Onward,
    pub once: Vec<OneTimeKey>,
    /// Kept beside the session where the connection needs them later.
    pub tokens: Option<UpstreamTokens>,
    pub proof: Proof,
}
