//! Records that upstreams push, and the unit in which one changes together with the people whom it is about.

use async_trait::async_trait;
use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::identity::Attributes;
use fedbridge_contract::ids::{PersonId, RecordId, TenantId, TraceId};
use fedbridge_contract::push::{Origins, PushPlace, Record, RecordKind, Related};
use fedbridge_contract::time::Timestamp;
use serde_json::Value;

use super::{Command, GuardFailed};

#[async_trait]
pub trait PushedStore: Send + Sync {
    async fn record(&self, place: PushPlace, id: RecordId) -> Result<Option<StoredRecord>, StoreError>;

    /// By a hash of [`NewRecord::keys`], [`NewRecord::unique`] or [`NewRecord::external`]; the oldest first.
    async fn look_up(
        &self,
        place: PushPlace,
        kind: RecordKind,
        by: RecordHash,
        most: u32,
    ) -> Result<Vec<StoredRecord>, StoreError>;

    /// By id, which begins with the time when it was made, behind one of them.
    async fn page(
        &self,
        place: PushPlace,
        kind: RecordKind,
        after: Option<RecordId>,
        most: u32,
    ) -> Result<Vec<StoredRecord>, StoreError>;

    /// The same, behind the first `skip` ones.
    async fn page_at(
        &self,
        place: PushPlace,
        kind: RecordKind,
        skip: u64,
        most: u32,
    ) -> Result<Vec<StoredRecord>, StoreError>;

    async fn count(&self, place: PushPlace, kind: RecordKind) -> Result<u64, StoreError>;

    /// Direct ones, by id, behind one of them.
    async fn members(
        &self,
        place: PushPlace,
        group: RecordId,
        after: Option<RecordId>,
        most: u32,
    ) -> Result<Vec<Related>, StoreError>;

    /// Which of these a group has directly.
    async fn has_members(
        &self,
        place: PushPlace,
        group: RecordId,
        of: &[RecordId],
    ) -> Result<Vec<RecordId>, StoreError>;

    /// Groups that each of these is directly in, by the member's id.
    async fn groups_of(&self, place: PushPlace, members: &[RecordId]) -> Result<Vec<(RecordId, Related)>, StoreError>;

    /// Records by what a login must bring; the oldest first, 2 at most.
    async fn matching(&self, place: PushPlace, matches: &[u8; 32]) -> Result<Vec<StoredRecord>, StoreError>;

    /// All that connections of a tenant have pushed of one person, the oldest first.
    async fn of_person(&self, tenant: TenantId, person: PersonId)
    -> Result<Vec<(PushPlace, StoredRecord)>, StoreError>;

    /// How many users of a connection were switched off or deleted since then.
    async fn shut_since(&self, place: PushPlace, since: Timestamp) -> Result<u64, StoreError>;

    /// Until when an administrator lets more of them be switched off than the connection's guard does; in the past: it was
    /// let so.
    async fn guard_open_until(&self, place: PushPlace) -> Result<Option<Timestamp>, StoreError>;

    /// In the place of what was said before.
    async fn open_guard(&self, place: PushPlace, until: Timestamp) -> Result<(), StoreError>;

    /// Carries a unit out, whole and durably, or not at all.
    async fn push(&self, unit: PushUnit) -> Result<Pushed, PushError>;
}

/// What looks across tenants.
#[async_trait]
pub trait PushedWork: Send + Sync {
    /// People whose profile is to be written again by now, because a group of theirs has changed: the longest waiting first.
    /// Where more wait than are asked for, each connection gets its share.
    async fn to_restate(&self, now: Timestamp, most: u32) -> Result<Vec<(PushPlace, RecordId)>, StoreError>;
}

#[derive(Debug, Clone, PartialEq)]
pub struct StoredRecord {
    pub record: Record,
    pub display: String,
    /// Of a user.
    pub active: bool,
    pub attributes: Attributes,
    /// Of a group: the name that stands in people's `groups`.
    pub group_name: Option<String>,
    /// See [`RecordWrite::Restate`].
    pub restate: bool,
    pub origins: Origins,
    /// When the groups that it is in have changed last, and by which change.
    pub regrouped: Option<(Timestamp, TraceId)>,
}

/// Keyed hashes, made by the hub: the store sees no names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordHash {
    Unique([u8; 32]),
    External([u8; 32]),
    Key([u8; 32]),
}

#[derive(Debug, Clone, PartialEq)]
pub struct NewRecord {
    pub id: RecordId,
    pub kind: RecordKind,
    pub display: String,
    pub unique: Option<[u8; 32]>,
    pub external: Option<[u8; 32]>,
    /// Without duplicates, 100 at most.
    pub keys: Vec<[u8; 32]>,
    pub matches: Option<[u8; 32]>,
    pub active: bool,
    pub person: Option<PersonId>,
    /// This and what follows is sealed.
    pub document: Value,
    pub attributes: Attributes,
    pub group_name: Option<String>,
    pub origins: Origins,
}

/// One change with its consequences.
#[derive(Debug, Clone, PartialEq)]
pub struct PushUnit {
    pub place: PushPlace,
    /// In order; each sees what the ones before it have done.
    pub writes: Vec<RecordWrite>,
    /// Behind the writes.
    pub commands: Vec<Command>,
    /// Killed in the same unit (see [`EpochStore::kill`](super::EpochStore::kill)).
    pub ends: Vec<PersonId>,
    /// The change that an upstream asked for; `None` where the unit is what became of one before.
    pub txn: Option<TraceId>,
    pub now: Timestamp,
}

#[derive(Debug, Clone, PartialEq)]
pub enum RecordWrite {
    /// With version 1. Guard: no record of the kind has its `unique`.
    Insert(Box<NewRecord>),
    /// Everything anew but its kind and when it was made. The version grows by one. Guards: it is as it was seen; no other
    /// one has its `unique`.
    Update {
        seen: Seen,
        new: Box<NewRecord>,
    },
    /// Its members change: the version grows by one. Guard: it is there.
    Touch {
        id: RecordId,
    },
    /// With its keys and memberships, and those in it. Guard: it is there, with this version where one is given.
    /// A user who was switched on counts for [`PushedStore::shut_since`].
    Delete {
        id: RecordId,
        version: Option<i64>,
    },
    /// A user counts for [`PushedStore::shut_since`], whatever keeps them out. Who is gone does not.
    Shut {
        id: RecordId,
    },
    /// Guard: all of them are there. Who is in it already stays.
    AddMembers {
        group: RecordId,
        members: Vec<RecordId>,
    },
    RemoveMembers {
        group: RecordId,
        members: Vec<RecordId>,
    },
    /// Guard: all of them are there. Who is in it already stays, everybody else goes.
    ReplaceMembers {
        group: RecordId,
        members: Vec<RecordId>,
    },
    /// Direct members, users and groups, are to be looked at again by [`PushedWork::to_restate`]: the groups that they are in
    /// have changed.
    Restate {
        group: RecordId,
    },
    /// Users at any depth below a group are. Groups are not marked by it: they may be in circles.
    RestateBelow {
        group: RecordId,
    },
    /// The same for these, users and groups.
    RestateThese {
        ids: Vec<RecordId>,
    },
    /// It was looked at: a mark that is older than the unit goes. Guard: it is as it was seen, so what was made of it is
    /// not of something older than what somebody else has made of it meanwhile.
    Restated {
        id: RecordId,
        seen: Seen,
    },
}

/// How a record was when something was worked out of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    pub version: i64,
    /// The groups that it is in are no part of its version.
    pub regrouped: Option<(Timestamp, TraceId)>,
}

impl StoredRecord {
    pub const fn seen(&self) -> Seen {
        Seen { version: self.record.version, regrouped: self.regrouped }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pushed {
    /// Those who were ended, with the number of the kill.
    pub ended: Vec<(PersonId, Epoch)>,
    /// The new version of each record that has one, in the order of the writes.
    pub versions: Vec<(RecordId, i64)>,
}

/// Why nothing of a unit happened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PushGuard {
    #[error("another record has this name")]
    Taken,
    #[error("the record is gone, or has another version")]
    Stale,
    #[error("a member is gone")]
    NoSuchMember,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum PushError {
    #[error("nothing was changed: {0}")]
    Record(PushGuard),
    #[error("nothing was changed: {0}")]
    People(GuardFailed),
    #[error(transparent)]
    Store(#[from] StoreError),
}
