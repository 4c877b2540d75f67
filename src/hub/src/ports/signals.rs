//! Signals that are on their way to receivers.

use std::time::Duration;

use async_trait::async_trait;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{AppId, TenantId};
use fedbridge_contract::signals::Signal;
use fedbridge_contract::time::Timestamp;

/// One event for one receiver, in the unit of what it tells of.
#[derive(Debug, Clone, PartialEq)]
pub struct NewSignal {
    pub app: AppId,
    /// See [`subject_hash`](fedbridge_contract::signals::subject_hash).
    pub subject: [u8; 32],
    pub expires: Timestamp,
    /// It is sealed.
    pub signal: Signal,
}

/// What looks across tenants.
#[async_trait]
pub trait SignalOutbox: Send + Sync {
    /// Takes receivers that have something to be pushed for `lease`, so that of several nodes one serves each.
    async fn take(&self, now: Timestamp, lease: Duration, most: u32) -> Result<Vec<TakenReceiver>, StoreError>;

    /// Gives one back. It is not taken again before `until`.
    async fn give_back(&self, taken: TakenReceiver, until: Timestamp) -> Result<(), StoreError>;

    /// What waits for this receiver waits for its polls.
    async fn park(&self, taken: TakenReceiver) -> Result<(), StoreError>;

    /// Drops what has waited for too long, or all that waits. Gives back how many there were.
    async fn drop_waiting(&self, taken: TakenReceiver, before: Option<Timestamp>) -> Result<u64, StoreError>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TakenReceiver {
    pub tenant: TenantId,
    pub app: AppId,
    /// Rounds that have failed, one after the other.
    pub failures: u32,
}
