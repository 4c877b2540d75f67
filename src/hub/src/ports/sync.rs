//! How far the sync of a connection has got, and whose turn it is.

use async_trait::async_trait;
use fedbridge_contract::directory::SyncCookie;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{ConnectionId, TenantId};
use fedbridge_contract::time::Timestamp;

#[async_trait]
pub trait SyncStore: Send + Sync {
    /// How far it has got; nothing, where it never ran.
    async fn sync_state(&self, tenant: TenantId, connection: ConnectionId) -> Result<SyncState, StoreError>;

    /// Takes the turn until `lease`, with a sweep number of its own. `None`: another node has it.
    async fn take_sync_turn(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
        now: Timestamp,
        lease: Timestamp,
    ) -> Result<Option<SyncState>, StoreError>;

    /// Holds the turn that lasts until `lease` for longer. False: it was lost.
    async fn extend_sync_turn(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
        lease: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Ends the turn, and keeps how far the sync has got. False: the turn was lost, and nothing was kept.
    async fn end_sync_turn(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
        lease: Timestamp,
        state: &SyncState,
    ) -> Result<bool, StoreError>;
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct SyncState {
    /// Where a delta goes on.
    pub cookie: Option<SyncCookie>,
    /// When the last one began that ended well.
    pub full_at: Option<Timestamp>,
    pub delta_at: Option<Timestamp>,
    /// Counts the turns. Whoever a turn sees carries its number.
    pub sweep: i64,
    /// Why the last one ended without ending anybody: too many would have been missing. An administrator has to look.
    pub stopped: Option<String>,
}
