//! What a bridge file asks for, free of YAML.

use std::collections::BTreeMap;

use fedbridge_hub::spec::{MappingSpec, PeopleSpec, SecretValue, SubjectType, TenantExtras};
use serde_json::{Map, Value};

use crate::settings::complaints::Place;

#[derive(Debug, Clone, Default, PartialEq)]
pub struct Desired {
    pub tenants: Vec<DesiredTenant>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct DesiredTenant {
    pub place: Place,
    pub slug: String,
    /// Its name before a rename.
    pub was: Option<String>,
    pub display_name: String,
    pub enabled: bool,
    /// A slug.
    pub parent: Option<String>,
    /// In lower case, sorted.
    pub domains: Vec<String>,
    pub extras: TenantExtras,
    pub connections: Vec<DesiredConnection>,
    pub clients: Vec<DesiredClient>,
    pub service_providers: Vec<DesiredProvider>,
    pub ldap_apps: Vec<DesiredLdapApp>,
    pub scim_apps: Vec<DesiredScimApp>,
    pub signal_receivers: Vec<DesiredReceiver>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct DesiredConnection {
    pub place: Place,
    pub slug: String,
    pub was: Option<String>,
    pub protocol: String,
    pub display_name: Option<String>,
    pub enabled: bool,
    pub domains: Vec<String>,
    pub mapping: MappingSpec,
    pub people: PeopleSpec,
    pub settings: Value,
    pub secrets: Secrets,
}

#[derive(Debug, Clone, PartialEq)]
pub struct DesiredClient {
    pub place: Place,
    pub client_id: String,
    pub was: Option<String>,
    pub name: String,
    pub enabled: bool,
    /// Slugs; `None` means all of the tenant.
    pub connections: Option<Vec<String>>,
    pub release: Vec<String>,
    pub claims: Map<String, Value>,
    pub subject_type: SubjectType,
    pub settings: Value,
    pub secrets: Secrets,
}

/// A downstream SAML service provider.
#[derive(Debug, Clone, PartialEq)]
pub struct DesiredProvider {
    pub place: Place,
    pub slug: String,
    pub was: Option<String>,
    /// What its own messages call it; `None` where the settings don't say it.
    pub entity_id: Option<String>,
    pub name: String,
    pub enabled: bool,
    /// Slugs; `None` means all of the tenant.
    pub connections: Option<Vec<String>>,
    /// Claims that its attributes and its NameID are made of.
    pub release: Vec<String>,
    pub claims: Map<String, Value>,
    /// Only their members may log in; empty: everybody.
    pub groups: Vec<String>,
    pub settings: Value,
}

/// An app that speaks LDAP.
#[derive(Debug, Clone, PartialEq)]
pub struct DesiredLdapApp {
    pub place: Place,
    pub slug: String,
    pub was: Option<String>,
    pub name: String,
    pub enabled: bool,
    /// Only their members may bind through it; empty: everybody.
    pub groups: Vec<String>,
    pub settings: Value,
    pub secrets: Secrets,
}

/// Who hears of what happens to people.
#[derive(Debug, Clone, PartialEq)]
pub struct DesiredReceiver {
    pub place: Place,
    pub slug: String,
    pub was: Option<String>,
    pub name: String,
    pub enabled: bool,
    pub settings: Value,
    pub secrets: Secrets,
}

/// An app with a SCIM server of its own.
#[derive(Debug, Clone, PartialEq)]
pub struct DesiredScimApp {
    pub place: Place,
    pub slug: String,
    pub was: Option<String>,
    pub name: String,
    pub enabled: bool,
    /// Only their members are there; empty: everybody.
    pub groups: Vec<String>,
    pub claims: Map<String, Value>,
    /// Claims that its attributes are made of.
    pub release: Vec<String>,
    pub settings: Value,
    pub secrets: Secrets,
}

/// Secrets of one object by name: `client_secret/0`. It never prints a value.
#[derive(Clone, Default, PartialEq)]
pub struct Secrets(pub BTreeMap<String, SecretValue>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
