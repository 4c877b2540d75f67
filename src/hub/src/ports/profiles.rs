//! What upstreams say of people, beside the identities by which they come; groups; POSIX numbers.

use async_trait::async_trait;
use fedbridge_contract::claims::Claims;
use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::identity::Attributes;
use fedbridge_contract::ids::{ConnectionId, GroupId, PersonId, TenantId};
use fedbridge_contract::time::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Unit, UnitError};

#[async_trait]
pub trait ProfileStore: Send + Sync {
    /// Carries a unit of a sync out: as [`LoginStore::commit`](super::LoginStore::commit), behind everything that a
    /// login waits for, and each command sees what the ones before it have done.
    async fn provision(&self, tenant: TenantId, unit: Unit) -> Result<(), UnitError>;

    /// Who this subject is, and what was said of them last.
    async fn known(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
        subject_key: &str,
    ) -> Result<Option<KnownSubject>, StoreError>;

    /// Of one person, the oldest first.
    async fn profiles_of(&self, tenant: TenantId, person: PersonId) -> Result<Vec<StoredProfile>, StoreError>;

    /// These people, as far as they have a profile; in the order of their ids.
    async fn profiled(&self, tenant: TenantId, ids: &[PersonId]) -> Result<Vec<ProfiledPerson>, StoreError>;

    /// Everybody who has a profile, by id, about `most` at once; nobody behind the last one.
    async fn page(
        &self,
        tenant: TenantId,
        after: Option<PersonId>,
        most: u32,
    ) -> Result<Vec<ProfiledPerson>, StoreError>;

    /// Whose entry may have changed since then, each with what says so: the newest time, and the number of the last
    /// kill. Somebody who was deleted, or has lost a login, is among them.
    async fn changed(&self, tenant: TenantId, since: Timestamp, epoch: Epoch)
    -> Result<Vec<ChangedPerson>, StoreError>;

    async fn groups(&self, tenant: TenantId) -> Result<Vec<StoredGroup>, StoreError>;

    /// When a group was made or numbered last, where that is since then.
    async fn groups_changed(&self, tenant: TenantId, since: Timestamp) -> Result<Option<Timestamp>, StoreError>;

    /// Subjects of a connection that are not kept out, were seen or known before a sweep began, and that it has not seen;
    /// behind a hash, `most` at once.
    async fn not_seen(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
        sweep: Sweep,
        after: Option<[u8; 32]>,
        most: u32,
    ) -> Result<Vec<Unseen>, StoreError>;

    /// How many subjects of a connection are not kept out, and how many of those [`ProfileStore::not_seen`] gives.
    async fn count(&self, tenant: TenantId, connection: ConnectionId, sweep: Sweep) -> Result<SweepCount, StoreError>;
}

/// What looks across tenants: one node asks for all of them.
#[async_trait]
pub trait ProfileNews: Send + Sync {
    /// Tenants in which somebody or some group may have changed since then: cheap, polled.
    async fn news(&self, since: Timestamp, epoch: Epoch) -> Result<Vec<TenantId>, StoreError>;

    /// Notes that an upstream keeps a subject out, and kills the person, in one transaction: see
    /// [`EpochStore::kill`](super::EpochStore::kill). `None`: it was noted before, or there is no such subject.
    async fn keep_out(&self, kept_out: &KeptOut<'_>, now: Timestamp) -> Result<Option<(PersonId, Epoch)>, StoreError>;
}

/// Somebody whom an upstream does not let in any more.
#[derive(Debug, Clone, Copy)]
pub struct KeptOut<'a> {
    pub tenant: TenantId,
    pub connection: ConnectionId,
    pub subject_key: &'a str,
    /// In the upstream's words, for administrators.
    pub reason: &'a str,
}

#[derive(Debug, Clone, PartialEq)]
pub struct NewProfile {
    pub person: PersonId,
    pub connection: ConnectionId,
    pub subject_key: String,
    pub profile: Profile,
    /// Keyed hash of everything below that counts: nothing else tells whether it is new.
    pub digest: [u8; 32],
    pub disabled: Option<String>,
    pub by: ProfileBy,
}

/// Who says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProfileBy {
    /// A login, which shows that the person is not kept out. Where the connection is `synced`, what a sync has said
    /// stays.
    Login { synced: bool },
    /// A sync, with its number.
    Sync { sweep: i64 },
    /// The upstream, of its own accord (SCIM).
    Push,
}

impl ProfileBy {
    pub const fn source(self) -> ProfileSource {
        match self {
            Self::Login { .. } => ProfileSource::Login,
            Self::Sync { .. } => ProfileSource::Sync,
            Self::Push => ProfileSource::Push,
        }
    }
}

/// How a profile came. The later ones go before the earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProfileSource {
    Login,
    Sync,
    Push,
}

/// What is sealed of a profile.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// All that the mapping made, without an app that asks.
    pub claims: Claims,
    pub attributes: Attributes,
    /// Where the entry is, for one of a directory: its DN.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct StoredProfile {
    pub connection: ConnectionId,
    pub source: ProfileSource,
    pub subject_key: String,
    pub profile: Profile,
    pub disabled: Option<String>,
    pub created: Timestamp,
    pub changed: Timestamp,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ProfiledPerson {
    pub person: PersonId,
    pub disabled: bool,
    /// The last kill of the person.
    pub epoch: Epoch,
    pub created: Timestamp,
    pub number: Option<u32>,
    /// One at least, the oldest first.
    pub profiles: Vec<StoredProfile>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChangedPerson {
    pub person: PersonId,
    pub at: Timestamp,
    pub epoch: Epoch,
}

/// A subject that is somebody's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownSubject {
    pub person: PersonId,
    /// Keyed hash of the address that the identity brought, where one was verified.
    pub email: Option<[u8; 32]>,
    /// How people read the identity.
    pub display: String,
    pub numbered: bool,
    /// `None`: nothing was said of them by now.
    pub last: Option<LastSaid>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastSaid {
    pub digest: [u8; 32],
    pub source: ProfileSource,
    pub disabled: Option<String>,
}

/// One run of a sync.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sweep {
    pub number: i64,
    /// Whoever appeared later, and by a login, may have been too late to be seen.
    pub began: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unseen {
    pub subject_key: String,
    /// What the next page is asked for behind.
    pub hash: [u8; 32],
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SweepCount {
    pub all: u64,
    pub unseen: u64,
}

#[derive(Debug, Clone, PartialEq)]
pub struct StoredGroup {
    pub id: GroupId,
    pub name: String,
    pub number: Option<u32>,
    pub created: Timestamp,
}

/// Whose a POSIX number is (RFC 2307). People and groups share one row of numbers, because a person may have a group
/// of the same number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PosixOwner {
    Person(PersonId),
    Group(GroupId),
}
