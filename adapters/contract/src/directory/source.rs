//! What a sync reads from an upstream directory, without anybody logging in.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::config::Tenant;
use crate::identity::{Attributes, UpstreamSubject};

/// Reads people from an upstream directory.
#[async_trait]
pub trait DirectorySource: Send + Sync {
    fn schedule(&self) -> SyncSchedule;

    /// Everybody in the base, in a stream. The cookie is where a delta goes on; it was read before the first entry.
    async fn full(&self, tenant: &Tenant, sink: &mut dyn RecordSink) -> Result<SyncCookie, SyncError>;

    /// What changed since the cookie. Where deletions can't be seen, it names everybody from time to time and ends
    /// with [`Seen::NobodyElse`].
    async fn delta(
        &self,
        tenant: &Tenant,
        since: &SyncCookie,
        sink: &mut dyn RecordSink,
    ) -> Result<SyncCookie, SyncError>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyncSchedule {
    pub full: Duration,
    pub delta: Option<Duration>,
    /// More than this part of the known people missing stops a sync before anybody is ended, in percent.
    pub most_missing: u8,
}

/// The adapter's own: server, invocation id, highest USN; a syncrepl cookie; a time. Sealed in the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SyncCookie(pub serde_json::Value);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SyncError {
    #[error("the directory did not answer: {0}")]
    Unavailable(String),
    /// The cookie means nothing any more: another server, a restored one, too old.
    #[error("a full sync is needed: {0}")]
    FullNeeded(String),
    #[error("the directory refused: {0}")]
    Refused(String),
    /// The sink said stop.
    #[error("{0}")]
    Stopped(String),
}

/// Takes records one by one; waiting in it holds the directory back.
#[async_trait]
pub trait RecordSink: Send + Sync {
    async fn take(&mut self, seen: Seen) -> Result<(), SyncError>;
}

#[derive(Debug, Clone, PartialEq)]
pub enum Seen {
    Person(Box<ProvisionedRecord>),
    /// It is there, unchanged.
    Present(String),
    /// It is there, and not all of it could be read: it stays as it was.
    Unclear {
        key: String,
        why: String,
    },
    /// It was deleted, or left the base: [`UpstreamSubject::key`].
    Gone(String),
    /// Whoever was not named in this run is not there. A full sync that ends without an error says so by itself.
    NobodyElse,
}

/// Somebody as a directory or a push describes them. It logs nobody in.
#[derive(Debug, Clone, PartialEq)]
pub struct ProvisionedRecord {
    pub subject: UpstreamSubject,
    /// Where the entry is: its DN.
    pub place: Option<String>,
    pub attributes: Attributes,
    /// Why the person may not log in, in the directory's words: `userAccountControl 2`.
    pub disabled: Option<String>,
}
