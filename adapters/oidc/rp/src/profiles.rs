//! What products do their own way, as data. A setting of the connection always wins over its profile.

use crate::settings::OnOverage;

/// One row of the table.
#[derive(Debug, PartialEq, Eq)]
pub struct Profile {
    /// The word that `profile:` takes.
    pub name: &'static str,
    pub issuer: IssuerStyle,
    /// Claims that make the person's key, where the connection names none; all must be there.
    pub subject: &'static [&'static str],
    /// `prompt=consent` goes with `offline_access` (OpenID Connect Core 11).
    pub offline_prompt: bool,
    /// What asks for a refresh token in the place of the scope `offline_access`.
    pub offline_parameters: Option<&'static [(&'static str, &'static str)]>,
    /// The parameter that takes a mail domain.
    pub domain_parameter: &'static str,
    /// Hosts besides the issuer's that endpoints are known to have.
    pub endpoint_hosts: &'static [&'static str],
    /// The userinfo endpoint may tell more than the ID token.
    pub userinfo_adds: bool,
    /// So many groups may mean that there are more.
    pub groups_cap: Option<usize>,
    /// How all groups of a person can be asked for, where a token has not all, with the word of `groups.on_overage`.
    pub groups_api: Option<(&'static str, OnOverage)>,
    /// The `typ` that the token endpoint expects of a client assertion.
    pub plain_assertion: bool,
    /// Words of the token endpoint that mean that a refresh token and its session are over.
    pub refresh_over: &'static [&'static str],
}

/// How `issuer` in the metadata and `iss` in tokens are compared with the setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IssuerStyle {
    /// Octet by octet (OpenID Connect Discovery 4.3).
    Exact,
    /// Metadata may publish `{tenantid}` in it, and `tid` says what stands there.
    Entra,
    /// `iss` may lack the scheme.
    Google,
}

/// What a connection is that names no profile; the others differ from it.
const GENERIC: Profile = Profile {
    name: "generic",
    issuer: IssuerStyle::Exact,
    subject: &["sub"],
    offline_prompt: true,
    offline_parameters: None,
    domain_parameter: "domain_hint",
    endpoint_hosts: &[],
    userinfo_adds: true,
    groups_cap: None,
    groups_api: None,
    plain_assertion: false,
    refresh_over: &["invalid_grant"],
};

pub const PROFILES: &[Profile] = &[
    GENERIC,
    Profile {
        name: "entra",
        issuer: IssuerStyle::Entra,
        // `sub` is another one for each app registration, and an e-mail address belongs to nobody.
        subject: &["tid", "oid"],
        offline_prompt: false,
        endpoint_hosts: &["graph.microsoft.com"],
        // Its userinfo endpoint is Graph's, and says less.
        userinfo_adds: false,
        groups_api: Some(("graph", OnOverage::Graph)),
        plain_assertion: true,
        ..GENERIC
    },
    Profile {
        name: "okta",
        offline_prompt: false,
        groups_cap: Some(100),
        groups_api: Some(("api", OnOverage::Okta)),
        ..GENERIC
    },
    Profile {
        name: "google",
        issuer: IssuerStyle::Google,
        offline_parameters: Some(&[("access_type", "offline")]),
        domain_parameter: "hd",
        endpoint_hosts: &["oauth2.googleapis.com", "openidconnect.googleapis.com", "www.googleapis.com"],
        userinfo_adds: false,
        ..GENERIC
    },
    Profile { name: "keycloak", ..GENERIC },
    Profile { name: "adfs", userinfo_adds: false, ..GENERIC },
    Profile { name: "lemonldap", refresh_over: &["invalid_grant", "invalid_request"], ..GENERIC },
];

impl Profile {
    pub fn named(name: &str) -> Option<&'static Self> {
        PROFILES.iter().find(|profile| profile.name == name)
    }
}
