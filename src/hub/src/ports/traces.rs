//! Recorded logins: written in batches beside the logins, read by admins.

use async_trait::async_trait;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{TenantId, TraceId};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::Outcome;

#[async_trait]
pub trait TraceStore: Send + Sync {
    /// Appends a batch in one transaction.
    async fn append(&self, batch: &[RecordedTrace]) -> Result<(), StoreError>;

    /// Newest first.
    async fn list(&self, filter: &TraceFilter) -> Result<Vec<TraceSummary>, StoreError>;

    async fn find(&self, id: TraceId) -> Result<Option<RecordedTrace>, StoreError>;
}

/// What traces are of. Of most requests only refusals are kept; of logins, logouts, what people decide about what
/// is theirs, upstreams asked again, and documents everything is.
pub const TRACE_KINDS: [&str; 17] = [
    "login",
    "logout",
    "link",
    "consent",
    "account",
    "revalidate",
    "authorize",
    "sso",
    "artifact",
    "token",
    "userinfo",
    "introspect",
    "revoke",
    "metadata",
    "sync",
    "push",
    "provisioning",
];

/// What a list shows, without opening the sealed part.
#[derive(Debug, Clone, PartialEq)]
pub struct TraceSummary {
    pub tenant: TenantId,
    pub id: TraceId,
    pub at: Timestamp,
    /// One of [`TRACE_KINDS`].
    pub kind: String,
    pub connection: Option<String>,
    pub app: Option<String>,
    /// The name that the upstream gave, for search.
    pub person: Option<String>,
    pub outcome: Outcome,
    /// One line.
    pub cause: String,
}

#[derive(Debug, Clone, PartialEq)]
pub struct RecordedTrace {
    pub summary: TraceSummary,
    /// Steps and replay input, sealed per tenant.
    pub sealed: Vec<u8>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct TraceFilter {
    pub tenant: Option<TenantId>,
    pub kind: Option<String>,
    pub connection: Option<String>,
    pub app: Option<String>,
    /// Part of the person's name, without case.
    pub person: Option<String>,
    pub outcome: Option<Outcome>,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// At most this many.
    pub limit: u32,
}
