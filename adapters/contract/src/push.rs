//! What an upstream pushes: records of people and groups (RFC 7643), kept by the hub as the upstream describes them.
//!
//! An adapter that takes pushes is a [`PushServer`]: it speaks the protocol, and knows what a record's document means.
//! The hub is the [`PushDesk`]: it keeps records, finds out whose they are, and draws the consequences, all in one
//! durable unit before anybody is told that it is done.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::Tenant;
use crate::error::StoreError;
use crate::http::{HttpInput, Reply, Route};
use crate::identity::Attributes;
use crate::ids::{ConnectionId, PersonId, RecordId, TenantId, TraceId};
use crate::password::Password;
use crate::services::{Closed, closed};
use crate::time::Timestamp;
use crate::trace::TraceLog;

/// Takes pushes at the connection's address.
#[async_trait]
pub trait PushServer: Send + Sync {
    /// Relative to the connection's address.
    fn routes(&self) -> &'static [Route];

    async fn answer(&self, request: PushRequest<'_>) -> Reply;

    /// How the connection's people are found at logins of other connections.
    fn belonging(&self) -> &Belonging;
}

pub struct PushRequest<'a> {
    pub tenant: &'a Arc<Tenant>,
    pub input: &'a HttpInput,
    pub now: Timestamp,
    pub trace_id: TraceId,
}

/// Whose logins belong to the people that are pushed here.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Belonging {
    /// Slugs of connections.
    pub provisions: Vec<String>,
    /// What of such a login is compared with [`RecordData::match_value`].
    pub login: LoginKey,
    /// Who logs in there and was not pushed.
    pub unmatched: Unmatched,
    /// What is ended of somebody whom the upstream switches off or deletes.
    pub shut: Shut,
    pub precedence: Precedence,
    /// More than this part of the people switched off or deleted within [`Belonging::guard_minutes`] stops further
    /// ones, in percent. `None`: nothing does.
    pub most_shut: Option<u8>,
    /// In minutes.
    pub guard_minutes: u16,
}

impl Belonging {
    /// What settings name as [`Belonging::provisions`], also where they can't be opened.
    pub fn names(settings: &Value) -> impl Iterator<Item = &str> {
        settings.get("provisions").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum LoginKey {
    /// The upstream's subject, as people read it (`UpstreamSubject::display`).
    #[default]
    Subject,
    /// The first value of an attribute.
    Attribute(String),
    /// The e-mail address, where it counts as verified at the login's connection.
    Email,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Unmatched {
    /// The pushing directory is the authority.
    #[default]
    Deny,
    Create,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Shut {
    /// All that the person was given, whatever they logged in with.
    #[default]
    Person,
    /// What came of logins of the provisioned connections; the person may still log in elsewhere.
    Connection,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RecordKind {
    User,
    Group,
}

/// Whose records are meant: those of one connection are invisible to others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PushPlace {
    pub tenant: TenantId,
    pub connection: ConnectionId,
}

/// A record as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    pub id: RecordId,
    pub kind: RecordKind,
    /// 1 at first, and one more with each change.
    pub version: i64,
    pub created: Timestamp,
    pub modified: Timestamp,
    /// The adapter's own form, without id, meta, members and passwords.
    pub document: Value,
    /// Of a user: who that is here.
    pub person: Option<PersonId>,
    /// Whether it is in a group.
    pub grouped: bool,
}

/// For each claim that both a login and the directory make, whose value counts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Precedence {
    #[serde(default)]
    pub otherwise: ClaimSource,
    #[serde(default)]
    pub claims: BTreeMap<String, ClaimSource>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ClaimSource {
    /// The directory that pushes is the authority.
    #[default]
    Push,
    Login,
}

impl Precedence {
    pub fn of(&self, claim: &str) -> ClaimSource {
        // An address and the word about it are one statement.
        let claim = if claim == "email_verified" { "email" } else { claim };
        self.claims.get(claim).copied().unwrap_or(self.otherwise)
    }
}

/// What an adapter makes of a document for the hub.
#[derive(Debug, Default)]
pub struct RecordData {
    pub document: Value,
    /// How people read it.
    pub display: String,
    /// Folded; no other record of the kind has the same.
    pub unique: Option<String>,
    pub external_id: Option<String>,
    /// To look records up by, folded: e-mail addresses, the name that a group shows. 100 at most count.
    pub keys: Vec<RecordKey>,
    /// False: the upstream switches the person off.
    pub active: bool,
    /// What the mapping's rules see of a user. The hub adds `groups`, from the groups that the user is in.
    pub attributes: Attributes,
    /// What a login must bring to belong to it.
    pub match_value: Option<String>,
    /// A new password, where the connection keeps them.
    pub password: Option<Password>,
    /// Of a group: the name that stands in people's `groups`.
    pub group_name: Option<String>,
}

/// What a record is looked up by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RecordKey {
    /// [`RecordData::unique`].
    Unique(String),
    ExternalId(String),
    /// Folded.
    Email(String),
    /// Folded.
    Display(String),
}

/// A member of a group, or a group of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Related {
    pub id: RecordId,
    pub kind: RecordKind,
    pub display: String,
    /// False: by way of another group.
    pub direct: bool,
}

/// Who pushes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushActor {
    /// Which credential, never the credential itself.
    pub credential: String,
    pub peer: IpAddr,
}

/// One change, with its consequences one durable unit.
pub struct PushOrder<'a> {
    pub tenant: &'a Tenant,
    pub connection: ConnectionId,
    pub actor: &'a PushActor,
    pub change: PushChange,
    /// Names the change in the audit, in events and in traces.
    pub txn: TraceId,
    pub now: Timestamp,
}

#[derive(Debug)]
pub enum PushChange {
    Create {
        kind: RecordKind,
        data: Box<RecordData>,
        members: Vec<RecordId>,
    },
    Update {
        kind: RecordKind,
        id: RecordId,
        /// `None`: the document stays as it is, and then the version does not matter.
        data: Option<Box<RecordData>>,
        /// The version on which `data` was computed.
        version: i64,
        members: Vec<MemberChange>,
        /// Paths that changed, for the audit and events; values of them without secrets.
        changed: Vec<Changed>,
        /// The upstream has sent the whole of it, and not what is to be different.
        whole: bool,
    },
    Delete {
        kind: RecordKind,
        id: RecordId,
        /// `None`: whatever it is.
        version: Option<i64>,
    },
}

/// In order. Adding a member that is there and removing one that is not change nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MemberChange {
    Add(Vec<RecordId>),
    Remove(Vec<RecordId>),
    Replace(Vec<RecordId>),
    Clear,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Changed {
    pub path: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Value>,
}

/// The change that made something what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    pub at: Timestamp,
    /// See [`PushOrder::txn`].
    pub txn: TraceId,
    /// See [`PushActor::credential`].
    pub by: String,
}

/// By the path of an attribute; the empty path is that of the whole document. What has none of its own has that of the
/// longest path that it lies under.
pub type Origins = BTreeMap<String, Origin>;

/// A change that is done, told of to those who were not waited for (RFC 9967 section 2.5.1).
pub struct PushCompleted<'a> {
    pub tenant: &'a Tenant,
    pub connection: ConnectionId,
    /// See [`PushOrder::txn`].
    pub txn: TraceId,
    pub now: Timestamp,
    /// Of the record, below the endpoint: `/Users/2819c223`.
    pub uri: String,
    /// As an operation of a bulk response says it (RFC 7644 section 3.7.3).
    pub outcome: Value,
}

/// What a change came to. It is durable.
#[derive(Debug, Clone, PartialEq)]
pub struct PushDone {
    /// As it is now; of one that was deleted, as it was.
    pub record: Record,
    /// False: it was as wanted already, and nothing was written.
    pub changed: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PushRefused {
    #[error("there is no such record")]
    Gone,
    /// The name that has to be unique is another record's.
    #[error("another record has this name already")]
    Taken(Option<RecordId>),
    /// The record has another version by now.
    #[error("the record was changed meanwhile")]
    Stale,
    #[error("there is no record {0} that could be a member")]
    NoSuchMember(String),
    /// A limit of the product or the mass-change guard. The sentence says what an administrator may do.
    #[error("{0}")]
    Guarded(String),
    /// The connection's rules fail, or an administrator has shut the door.
    #[error("{0}")]
    Denied(String),
    /// Too many ask for the same at a time; whoever comes again soon is served.
    #[error("{0}")]
    Busy(String),
    #[error("the store did not answer: {0}")]
    Store(String),
}

impl From<StoreError> for PushRefused {
    fn from(error: StoreError) -> Self {
        Self::Store(error.0)
    }
}

/// Keeps what is pushed, and draws the consequences.
#[async_trait]
pub trait PushDesk: Send + Sync {
    async fn record(&self, place: PushPlace, kind: RecordKind, id: RecordId) -> Result<Option<Record>, StoreError>;

    /// By a key, `most` at most, the oldest first.
    async fn look_up(
        &self,
        place: PushPlace,
        kind: RecordKind,
        key: &RecordKey,
        most: u32,
    ) -> Result<Vec<Record>, StoreError>;

    /// In the order in which they were made, behind one of them.
    async fn page(
        &self,
        place: PushPlace,
        kind: RecordKind,
        after: Option<RecordId>,
        most: u32,
    ) -> Result<Vec<Record>, StoreError>;

    /// The same, behind the first `skip` ones.
    async fn page_at(
        &self,
        place: PushPlace,
        kind: RecordKind,
        skip: u64,
        most: u32,
    ) -> Result<Vec<Record>, StoreError>;

    async fn count(&self, place: PushPlace, kind: RecordKind) -> Result<u64, StoreError>;

    /// Of a group, by id, behind one of them.
    async fn members(
        &self,
        place: PushPlace,
        group: RecordId,
        after: Option<RecordId>,
        most: u32,
    ) -> Result<Vec<Related>, StoreError>;

    /// Which of these a group has, itself and not by way of others.
    async fn has_members(
        &self,
        place: PushPlace,
        group: RecordId,
        of: &[RecordId],
    ) -> Result<Vec<RecordId>, StoreError>;

    /// Groups that each of these is in, by way of others too; 1,000 for each at most.
    async fn groups_of(
        &self,
        place: PushPlace,
        members: &[RecordId],
    ) -> Result<Vec<(RecordId, Vec<Related>)>, StoreError>;

    /// Carries a change out. When this returns `Ok`, it is durable with its consequences.
    async fn push(&self, order: PushOrder<'_>, trace: &mut TraceLog) -> Result<PushDone, PushRefused>;

    /// Has word of a change queued for whoever hears of what is pushed. Gives back whether there is anybody.
    async fn completed(&self, done: PushCompleted<'_>) -> Result<bool, StoreError>;
}

/// For whoever opens adapters and serves nobody.
#[async_trait]
impl PushDesk for Closed {
    async fn record(&self, _: PushPlace, _: RecordKind, _: RecordId) -> Result<Option<Record>, StoreError> {
        Err(closed())
    }

    async fn look_up(&self, _: PushPlace, _: RecordKind, _: &RecordKey, _: u32) -> Result<Vec<Record>, StoreError> {
        Err(closed())
    }

    async fn page(&self, _: PushPlace, _: RecordKind, _: Option<RecordId>, _: u32) -> Result<Vec<Record>, StoreError> {
        Err(closed())
    }

    async fn page_at(&self, _: PushPlace, _: RecordKind, _: u64, _: u32) -> Result<Vec<Record>, StoreError> {
        Err(closed())
    }

    async fn count(&self, _: PushPlace, _: RecordKind) -> Result<u64, StoreError> {
        Err(closed())
    }

    async fn members(
        &self,
        _: PushPlace,
        _: RecordId,
        _: Option<RecordId>,
        _: u32,
    ) -> Result<Vec<Related>, StoreError> {
        Err(closed())
    }

    async fn has_members(&self, _: PushPlace, _: RecordId, _: &[RecordId]) -> Result<Vec<RecordId>, StoreError> {
        Err(closed())
    }

    async fn groups_of(&self, _: PushPlace, _: &[RecordId]) -> Result<Vec<(RecordId, Vec<Related>)>, StoreError> {
        Err(closed())
    }

    async fn push(&self, _: PushOrder<'_>, _: &mut TraceLog) -> Result<PushDone, PushRefused> {
        Err(closed().into())
    }

    async fn completed(&self, _: PushCompleted<'_>) -> Result<bool, StoreError> {
        Err(closed())
    }
}
