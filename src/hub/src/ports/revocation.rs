//! Kills, and how nodes hear of them.

use async_trait::async_trait;
use fedbridge_contract::epoch::{Epoch, Killed};
use fedbridge_contract::error::StoreError;
use fedbridge_contract::time::Timestamp;

#[async_trait]
pub trait EpochStore: Send + Sync {
    /// Both counters of the installation in one statement: cheap, polled.
    async fn versions(&self) -> Result<Versions, StoreError>;

    /// Kills of tenants, connections and apps that are newer than `since`. Those of people stand in their rows.
    async fn epochs_since(&self, since: Epoch) -> Result<Vec<(Killed, Epoch)>, StoreError>;

    /// Kills: takes the next number, writes it, and tells all nodes, in one transaction. For a person all
    /// grants are revoked in their rows too. Durable on return. `None`: there is no such object.
    async fn kill(&self, killed: Killed, now: Timestamp) -> Result<Option<Epoch>, StoreError>;

    /// What tells of changes at once; `None` where the database has no such channel.
    async fn signals(&self) -> Result<Option<Box<dyn Signals>>, StoreError>;
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Versions {
    pub configuration: i64,
    pub epoch: Epoch,
}

/// One node's ear. A message says that a counter has moved, not to where.
#[async_trait]
pub trait Signals: Send {
    /// Waits for the next message. `Err`: the channel broke, and messages may be lost.
    async fn next(&mut self) -> Result<(), StoreError>;
}
