//! Shared signals: what happened to people, told to whoever wants to hear of it as Security Event Tokens (RFC 8417).
//!
//! The hub makes a [`Signal`] for each receiver in the unit of the change that it tells of. From then on it waits in the
//! [`SignalQueue`], until the receiver has it: by a call of ours (RFC 8935), or by a poll (RFC 8936).

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::config::{App, Tenant};
use crate::error::StoreError;
use crate::ids::{AppId, SignalId, TenantId};
use crate::keys::KeyError;
use crate::services::{Closed, TokenSecrets, closed};
use crate::time::Timestamp;

/// The event by which a receiver sees that its stream works (Shared Signals Framework 1.0 section 8.1.4).
pub const VERIFICATION: &str = "https://schemas.openid.net/secevent/ssf/event-type/verification";

/// One event for one receiver.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signal {
    /// The `jti`, which stays the same however often it is sent.
    pub id: SignalId,
    pub made: Timestamp,
    /// The same for all that one change has brought about.
    pub txn: String,
    /// The event's type, a URI.
    pub event: String,
    /// What stands in `events` under that URI.
    pub claims: Value,
    /// The `sub_id` (RFC 9493).
    pub subject: Value,
}

/// How a receiver wants its events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stream {
    pub id: String,
    pub delivery: Delivery,
    /// Types of events; empty: all that it may have.
    pub requested: Vec<String>,
    pub status: StreamStatus,
    pub reason: Option<String>,
    pub description: Option<String>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Delivery {
    /// RFC 8935.
    Push {
        url: String,
        /// The value of the `Authorization` header.
        authorization: Option<String>,
    },
    /// RFC 8936.
    Poll,
}

/// Without the secret.
impl std::fmt::Debug for Delivery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Push { url, .. } => f.debug_struct("Push").field("url", url).finish_non_exhaustive(),
            Self::Poll => f.write_str("Poll"),
        }
    }
}

/// Shared Signals Framework 1.0 section 8.1.2.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamStatus {
    #[default]
    Enabled,
    /// What happens is kept for it.
    Paused,
    /// What happens is not kept for it.
    Disabled,
}

impl Stream {
    pub fn wants(&self, event: &str) -> bool {
        event == VERIFICATION || self.requested.is_empty() || self.requested.iter().any(|wanted| wanted == event)
    }
}

/// What the administrator lets a receiver hear of.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Hears {
    /// The client_id of the app whose names of people it knows; `None`: their public `sub`.
    pub client: Option<String>,
    /// Types of events.
    pub events: Vec<String>,
    /// What directories push; `None`: nothing of it.
    pub scim: Option<ScimEvents>,
}

/// SCIM events (RFC 9967).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScimEvents {
    /// With the values; else with the names of attributes alone.
    pub full: bool,
    /// Attributes that it may hear of; `None`: all names.
    pub attributes: Option<Vec<String>>,
}

/// A downstream protocol whose apps receive signals.
pub trait SignalTransmitter: Send + Sync {
    /// `None`: the settings can't be read.
    fn hears(&self, app: &App) -> Option<Hears>;

    /// The stream in force, of what the administrator has written and what the receiver has asked for. `None`: it has
    /// asked for none yet.
    fn stream(&self, app: &App, kept: Option<Stream>) -> Option<Stream>;

    /// Where the administrator has it pushed to, with a secret of the administrator's choice.
    fn written_url(&self, app: &App) -> Option<String>;

    /// The signed token that says it.
    ///
    /// # Errors
    /// The tenant has no active key of the algorithm, or it can't be used.
    fn token(&self, tenant: &Tenant, app: &App, signal: &Signal) -> Result<String, KeyError>;
}

/// Signals that wait, and the streams of their receivers.
#[async_trait]
pub trait SignalQueue: Send + Sync {
    /// As the receiver has asked for it.
    async fn stream(&self, tenant: TenantId, app: AppId) -> Result<Option<Stream>, StoreError>;

    async fn keep_stream(&self, tenant: TenantId, app: AppId, stream: &Stream) -> Result<(), StoreError>;

    /// With all that waits for it.
    async fn forget_stream(&self, tenant: TenantId, app: AppId) -> Result<(), StoreError>;

    /// The oldest ones that wait.
    async fn waiting(&self, tenant: TenantId, app: AppId, most: u32, now: Timestamp)
    -> Result<Vec<Signal>, StoreError>;

    /// One that comes of no change.
    async fn add(&self, tenant: TenantId, app: AppId, signal: &Signal, expires: Timestamp) -> Result<(), StoreError>;

    /// They need not be sent any more. Gives back how many there were.
    async fn settle(&self, tenant: TenantId, app: AppId, signals: &[SignalId]) -> Result<u64, StoreError>;

    /// Whether a receiver hears nothing of a person, by [`subject_hash`].
    async fn mute(&self, tenant: TenantId, app: AppId, subject: [u8; 32], muted: bool) -> Result<(), StoreError>;
}

/// By what a person is found whom a receiver does not want to hear of: a keyed hash of the `sub` that it knows.
pub fn subject_hash(tokens: &dyn TokenSecrets, tenant: TenantId, sub: &str) -> [u8; 32] {
    tokens.mac(tenant, "signal subject", sub.as_bytes())
}

#[async_trait]
impl SignalQueue for Closed {
    async fn stream(&self, _: TenantId, _: AppId) -> Result<Option<Stream>, StoreError> {
        Err(closed())
    }

    async fn keep_stream(&self, _: TenantId, _: AppId, _: &Stream) -> Result<(), StoreError> {
        Err(closed())
    }

    async fn forget_stream(&self, _: TenantId, _: AppId) -> Result<(), StoreError> {
        Err(closed())
    }

    async fn waiting(&self, _: TenantId, _: AppId, _: u32, _: Timestamp) -> Result<Vec<Signal>, StoreError> {
        Err(closed())
    }

    async fn add(&self, _: TenantId, _: AppId, _: &Signal, _: Timestamp) -> Result<(), StoreError> {
        Err(closed())
    }

    async fn settle(&self, _: TenantId, _: AppId, _: &[SignalId]) -> Result<u64, StoreError> {
        Err(closed())
    }

    async fn mute(&self, _: TenantId, _: AppId, _: [u8; 32], _: bool) -> Result<(), StoreError> {
        Err(closed())
    }
}
