//! Tenants, connections and apps as an admin describes them and as the store
//! keeps them. The bridge file, the console and the API all end here.

use std::collections::{BTreeMap, HashSet};

use fedbridge_contract::config::{AppKind, LdapDirectory, Locale, Look, SecondFactorPolicy};
use fedbridge_contract::ids::{AppId, ConnectionId, TenantId};
use fedbridge_contract::keys::{KeyPurpose, KeyState, SignatureAlgorithm};
use fedbridge_contract::logout::Party;
use fedbridge_contract::time::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ports::{Rollover, StoredDocument};

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TenantSpec {
    pub slug: String,
    pub display_name: String,
    /// Administrators of that tenant govern this one too; nothing else is inherited.
    pub parent: Option<TenantId>,
    /// Verified mail domains, in lower case, unique in the installation.
    pub domains: Vec<String>,
    pub enabled: bool,
    #[serde(default)]
    pub extras: TenantExtras,
}

/// What a tenant has besides; kept as one JSON text.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TenantExtras {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub look: Option<Look>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub locales: Vec<Locale>,
    /// Host names, or `*.` with a name below which all are meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub egress_hosts: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ldap: Option<LdapDirectory>,
    #[serde(default, skip_serializing_if = "is_off")]
    pub second_factor: SecondFactorPolicy,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's form
fn is_off(policy: &SecondFactorPolicy) -> bool {
    *policy == SecondFactorPolicy::Off
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ConnectionSpec {
    pub slug: String,
    pub protocol: String,
    pub display_name: Option<String>,
    pub enabled: bool,
    /// A subset of the tenant's domains.
    pub domains: Vec<String>,
    #[serde(default)]
    pub mapping: MappingSpec,
    #[serde(default)]
    pub people: PeopleSpec,
    /// What the adapter reads, file references replaced by their text.
    pub settings: Value,
}

/// Who may become a person here, and what is done about an address that is known already.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PeopleSpec {
    /// People appear when they log in for the first time.
    pub create: Create,
    /// With [`Create::Listed`]: a verified address of one of these domains lets a new person in, and so does one
    /// of these groups.
    pub domains: Vec<String>,
    pub groups: Vec<String>,
    pub same_email: SameEmail,
    /// People may connect this login to an account that they have already.
    pub linking: bool,
}

impl Default for PeopleSpec {
    fn default() -> Self {
        Self {
            create: Create::Everybody,
            domains: Vec::new(),
            groups: Vec::new(),
            same_email: SameEmail::Separate,
            linking: true,
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Create {
    #[default]
    Everybody,
    Listed,
    /// Somebody else makes people: a push, a sync.
    Nobody,
}

/// A subject that was never here comes with a verified address that a person of the tenant has already.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SameEmail {
    /// Two people, who share an address.
    #[default]
    Separate,
    /// A page says so, and offers to log in the old way and connect both; or two people.
    Ask,
    /// An administrator has to look.
    Refuse,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AppSpec {
    pub kind: AppKind,
    /// The client_id, or the slug of another kind of app.
    pub name: String,
    /// What messages call it, where that is another name: the entity ID.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol_name: Option<String>,
    pub display_name: String,
    pub enabled: bool,
    /// Connections that may log people in to it; `None` means all of the tenant.
    pub connections: Option<Vec<ConnectionId>>,
    #[serde(default)]
    pub release: Vec<String>,
    /// The app's own CEL rules, by claim.
    #[serde(default)]
    pub claims: Map<String, Value>,
    #[serde(default)]
    pub subject_type: SubjectType,
    /// Only members of these groups may log in through it; empty: everybody.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    pub settings: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SubjectType {
    #[default]
    Public,
    /// Another `sub` for each sector (OpenID Connect Core 8.1).
    Pairwise,
}

/// A mapping as it is written: section 5 of the interface.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MappingSpec {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preset: Option<String>,
    /// Rules by claim name, in the order in which they are written.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub claims: Map<String, Value>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deny_when: Vec<Value>,
}

/// A tenant in the store.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredTenant {
    pub id: TenantId,
    pub managed: Managed,
    pub spec: TenantSpec,
}

#[derive(Debug, Clone, PartialEq)]
pub struct StoredConnection {
    pub tenant: TenantId,
    pub id: ConnectionId,
    pub managed: Managed,
    pub spec: ConnectionSpec,
}

#[derive(Debug, Clone, PartialEq)]
pub struct StoredApp {
    pub tenant: TenantId,
    pub id: AppId,
    pub managed: Managed,
    pub spec: AppSpec,
}

/// Who made an object, and so who may delete it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Managed {
    /// A bridge file: `apply` deletes it when it is no longer there.
    File,
    /// Made elsewhere: shown as unmanaged and kept.
    Elsewhere,
}

/// A secret of a tenant, by its path: `connections/entra/client_secret`,
/// `clients/portal/client_secret/0`. Paths follow ids, not slugs, inside the store.
#[derive(Clone, PartialEq)]
pub struct StoredSecret {
    pub tenant: TenantId,
    pub owner: SecretOwner,
    /// The setting's name, with an index where it is a list: `client_secret/0`.
    pub name: String,
    pub value: SecretValue,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SecretOwner {
    Connection(ConnectionId),
    App(AppId),
}

#[derive(Clone, PartialEq)]
pub enum SecretValue {
    /// SHA-256 of a high-entropy secret that is only ever compared.
    Hashed([u8; 32]),
    /// A secret that is used; sealed under the master key in the store, in clear here.
    Clear(Vec<u8>),
}

impl std::fmt::Debug for StoredSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredSecret").field("owner", &self.owner).field("name", &self.name).finish_non_exhaustive()
    }
}

/// A private key at rest.
#[derive(Clone, PartialEq)]
pub struct StoredKey {
    pub tenant: TenantId,
    pub kid: String,
    pub purpose: KeyPurpose,
    /// Of a key that one connection has for itself.
    pub connection: Option<ConnectionId>,
    pub algorithm: SignatureAlgorithm,
    pub state: KeyState,
    pub created: Timestamp,
    /// When it last changed state.
    pub changed: Timestamp,
    /// PKCS #8 DER under the master key, the kid and tenant as associated data.
    pub sealed_private: Vec<u8>,
    pub public_jwk: Value,
    pub certificate: Option<Vec<u8>>,
}

impl std::fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredKey")
            .field("kid", &self.kid)
            .field("purpose", &self.purpose)
            .field("state", &self.state)
            .finish_non_exhaustive()
    }
}

/// Everything that a snapshot is built from.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Configuration {
    /// Grows with every change.
    pub version: i64,
    pub tenants: BTreeMap<TenantId, TenantConfiguration>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct TenantConfiguration {
    /// The installation's version at this tenant's last change.
    pub version: i64,
    pub tenant: StoredTenant,
    pub connections: Vec<StoredConnection>,
    pub apps: Vec<StoredApp>,
    pub secrets: Vec<StoredSecret>,
    pub keys: Vec<StoredKey>,
    /// In force, by whose they are. The settings of an object hold the address, this the text.
    pub documents: Vec<StoredDocument>,
}

/// What of a tenant is switched on. It can be told of a tenant that can't be opened, or of which not all can be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Switches {
    pub tenant: TenantId,
    /// The tenant itself.
    pub enabled: bool,
    pub connections: HashSet<ConnectionId>,
    pub apps: HashSet<AppId>,
}

impl TenantConfiguration {
    pub fn switches(&self) -> Switches {
        Switches {
            tenant: self.tenant.id,
            enabled: self.tenant.spec.enabled,
            connections: self.connections.iter().filter(|it| it.spec.enabled).map(|it| it.id).collect(),
            apps: self.apps.iter().filter(|it| it.spec.enabled).map(|it| it.id).collect(),
        }
    }
}

/// One change of the configuration. A list of them is applied whole or not at all.
#[derive(Debug, Clone, PartialEq)]
pub enum ConfigChange {
    PutTenant(StoredTenant),
    /// Refused while the tenant has people, unless `with_people`.
    DeleteTenant {
        id: TenantId,
        with_people: bool,
    },
    PutConnection(StoredConnection),
    DeleteConnection {
        tenant: TenantId,
        id: ConnectionId,
        with_people: bool,
    },
    PutApp(StoredApp),
    DeleteApp {
        tenant: TenantId,
        id: AppId,
    },
    PutSecret(StoredSecret),
    DeleteSecret {
        tenant: TenantId,
        owner: SecretOwner,
        name: String,
    },
    PutKey(StoredKey),
    /// A document that was fetched for a new address. An object whose setting has no address loses its
    /// document with `DeleteDocument`.
    PutDocument(StoredDocument),
    DeleteDocument {
        tenant: TenantId,
        party: Party,
    },
    /// Starts a rollover or moves it on, together with the keys that change with it.
    PutRollover(Rollover),
    EndRollover {
        tenant: TenantId,
        purpose: KeyPurpose,
    },
}
