//! Who is in a tenant's directory, and what becomes of them.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::claims::Claims;
use crate::config::Tenant;
use crate::epoch::Epoch;
use crate::error::StoreError;
use crate::ids::{ConnectionId, GroupId, PersonId, TenantId};
use crate::time::Timestamp;

/// People and groups of a tenant, and what becomes of them. Cheap to poll: a node asks every 50 ms.
#[async_trait]
pub trait DirectoryFeed: Send + Sync {
    /// Tenants that have a directory, as they are now.
    fn tenants(&self) -> Vec<Arc<Tenant>>;

    /// Everybody, by id, `most` at once: for the first reading.
    async fn page(
        &self,
        tenant: TenantId,
        after: Option<PersonId>,
        most: u32,
    ) -> Result<Vec<DirectoryPerson>, StoreError>;

    /// These people as they are now, in any order; who is in the directory no more is left out. For a reader that keeps
    /// less than everything.
    async fn people(&self, tenant: TenantId, ids: &[PersonId]) -> Result<Vec<DirectoryPerson>, StoreError>;

    async fn groups(&self, tenant: TenantId) -> Result<Vec<DirectoryGroup>, StoreError>;

    /// Who changed since the mark, and the next mark. The same person may come twice.
    async fn changed(&self, tenant: TenantId, since: Mark) -> Result<Changes, StoreError>;

    /// Waits until something may have changed, or `at most` is over.
    async fn wake(&self, at_most: Duration);

    /// Whether this node has heard from the store within the lease.
    fn sure(&self) -> bool;
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Mark {
    pub at: Timestamp,
    pub epoch: Epoch,
}

#[derive(Debug, Clone, Default)]
pub struct Changes {
    pub people: Vec<DirectoryPerson>,
    pub deleted: Vec<PersonId>,
    /// Some group is new: read them again.
    pub groups: bool,
    pub mark: Mark,
}

/// A person as an entry is made of them.
#[derive(Debug, Clone, PartialEq)]
pub struct DirectoryPerson {
    pub id: PersonId,
    /// All that the mappings made, `groups` among them; the precedence of several sources is the hub's.
    pub claims: Claims,
    /// Of the upstream's entry, for people of password connections.
    pub logins: Vec<KnownLogin>,
    pub disabled: bool,
    /// The last kill of the person.
    pub epoch: Epoch,
    pub posix: Option<PosixNumbers>,
    pub created: Timestamp,
    pub changed: Timestamp,
}

/// How a person's password is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownLogin {
    pub connection: ConnectionId,
    pub key: String,
    pub place: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PosixNumbers {
    pub uid: u32,
    pub gid: u32,
}

#[derive(Debug, Clone, PartialEq)]
pub struct DirectoryGroup {
    pub id: GroupId,
    pub name: String,
    pub gid: Option<u32>,
    pub created: Timestamp,
}
