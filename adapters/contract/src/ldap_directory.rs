//! What a tenant shows to apps that speak LDAP. Checked when it is saved.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// When a wrong password is answered where nothing else is said.
pub const FAILURE_DEADLINE: Duration = Duration::from_millis(400);

/// Octets of entries in memory where nothing else is said: those of more than 300,000 people.
pub const MEMORY: u64 = 256 * 1024 * 1024;

/// A tenant's directory, as its `ldap_directory` in the bridge file says. Its apps are
/// [`App`](crate::config::App)s of the kind [`LdapApp`](crate::config::AppKind::LdapApp).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LdapDirectory {
    /// The DN of its topmost entry (RFC 4514). No two tenants' are the same, and none lies below another's.
    pub base_dn: String,
    /// Slugs of the connections that check the passwords of binds, in the order in which they are asked.
    pub password_connections: Vec<String>,
    pub posix: Posix,
    pub people_may_read: PeopleMayRead,
    /// Whether a person may change the password by RFC 3062.
    pub password_modify: bool,
    pub pass_through: Vec<PassThroughRule>,
    pub schema: GroupSchema,
    /// Of user and group numbers (RFC 2307), both ends among them.
    pub uid_range: (u32, u32),
    /// Whether each person has a group of their own, with the person's number.
    pub private_groups: bool,
    /// What the first RDN of a person's DN is made of.
    pub rdn: PersonRdn,
    /// SNI names by which clients of this tenant come.
    pub server_names: Vec<String>,
    /// When a failed bind is answered, or the next multiple of it: whatever the reason.
    #[serde(with = "millis")]
    pub failure_deadline: Duration,
    /// For how long a right password is remembered; zero: not at all.
    #[serde(with = "millis")]
    pub bind_cache: Duration,
    /// Entries that one search may give.
    pub size_limit: u32,
    /// That one search may take.
    #[serde(with = "millis")]
    pub time_limit: Duration,
    /// Connections of all clients together.
    pub max_connections: u32,
    /// Octets of people's entries that a node keeps in memory. Of people beyond them it keeps what they are found by, and
    /// reads the rest from the store when somebody asks for it.
    pub memory: u64,
}

impl Default for LdapDirectory {
    fn default() -> Self {
        Self {
            base_dn: String::new(),
            password_connections: Vec::new(),
            posix: Posix::default(),
            people_may_read: PeopleMayRead::default(),
            password_modify: false,
            pass_through: Vec::new(),
            schema: GroupSchema::default(),
            uid_range: (100_000, 999_999),
            private_groups: false,
            rdn: PersonRdn::default(),
            server_names: Vec::new(),
            failure_deadline: FAILURE_DEADLINE,
            bind_cache: Duration::from_secs(30),
            size_limit: 5_000,
            time_limit: Duration::from_secs(30),
            max_connections: 1_000,
            memory: MEMORY,
        }
    }
}

/// Where the numbers of RFC 2307 come from.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Posix {
    /// People have none, and are no posixAccount.
    #[default]
    Off,
    /// Each gets one when it first appears, and nobody gets it again.
    Allocate,
    /// They are claims: `uid_number`, `gid_number`.
    Upstream,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PeopleMayRead {
    /// A person who is bound reads the own entry.
    #[default]
    #[serde(rename = "self")]
    Themselves,
    All,
}

/// How a posixGroup names its members.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum GroupSchema {
    /// By `memberUid` (RFC 2307 section 3).
    Rfc2307,
    /// By `member`, the DN.
    #[default]
    Rfc2307bis,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum PersonRdn {
    #[default]
    #[serde(rename = "uid")]
    Uid,
    /// Stays as it is when the person is renamed.
    #[serde(rename = "entryUUID")]
    EntryUuid,
}

/// A subtree of an upstream that is served as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PassThroughRule {
    /// The slug of an LDAP connection of the tenant.
    pub connection: String,
    /// The subtree's DN there.
    pub base: String,
    /// The RDNs below the tenant's base DN where it appears.
    pub at: String,
}

mod millis {
    use std::time::Duration;

    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub fn serialize<S: Serializer>(value: &Duration, to: S) -> Result<S::Ok, S::Error> {
        u64::try_from(value.as_millis()).unwrap_or(u64::MAX).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        u64::deserialize(from).map(Duration::from_millis)
    }
}
