//! The port of syncs. Whoever reads an upstream writes until when into the row first, and that time names the turn.

use async_trait::async_trait;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{ConnectionId, TenantId};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{SyncState, SyncStore};

use crate::error::damaged;
use crate::open::Store;
use crate::row::{get, time_or_none};
use crate::unit::{millis, uuid};
use crate::work::{Arg, Change};

#[async_trait]
impl SyncStore for Store {
    async fn sync_state(&self, tenant: TenantId, connection: ConnectionId) -> Result<SyncState, StoreError> {
        let sql = "SELECT full_at, delta_at, sweep, stopped, sealed FROM sync_states \
                   WHERE tenant_id = ? AND connection_id = ?";
        let Some(row) = self.one(sql, key(tenant, connection)).await? else { return Ok(SyncState::default()) };
        let cookie = match get::<Option<Vec<u8>>>(&row, 4)? {
            None => None,
            Some(sealed) => {
                let plain = self.inner.sealer.open(&place(tenant, connection), &sealed);
                let plain = plain.map_err(|_| damaged("how far a sync has got"))?;
                Some(serde_json::from_slice(&plain).map_err(|_| damaged("how far a sync has got"))?)
            }
        };
        Ok(SyncState {
            cookie,
            full_at: time_or_none(&row, 0)?,
            delta_at: time_or_none(&row, 1)?,
            sweep: get(&row, 2)?,
            stopped: get(&row, 3)?,
        })
    }

    async fn take_sync_turn(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
        now: Timestamp,
        lease: Timestamp,
    ) -> Result<Option<SyncState>, StoreError> {
        let take = Change::new(
            "INSERT INTO sync_states (tenant_id, connection_id, turn_until, sweep) VALUES (?, ?, ?, 1) \
             ON CONFLICT (tenant_id, connection_id) DO UPDATE SET turn_until = excluded.turn_until, \
             sweep = sync_states.sweep + 1 WHERE sync_states.turn_until IS NULL OR sync_states.turn_until <= ?",
            [key(tenant, connection), vec![millis(lease), millis(now)]].concat(),
        );
        match self.change(take).await? {
            0 => Ok(None),
            _ => self.sync_state(tenant, connection).await.map(Some),
        }
    }

    async fn extend_sync_turn(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
        lease: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError> {
        let extend = Change::new(
            "UPDATE sync_states SET turn_until = ? WHERE tenant_id = ? AND connection_id = ? AND turn_until = ?",
            [vec![millis(until)], key(tenant, connection), vec![millis(lease)]].concat(),
        );
        Ok(self.change(extend).await? == 1)
    }

    async fn end_sync_turn(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
        lease: Timestamp,
        state: &SyncState,
    ) -> Result<bool, StoreError> {
        let sealed = match &state.cookie {
            None => None,
            Some(cookie) => {
                let plain = serde_json::to_vec(cookie)
                    .map_err(|_| StoreError("how far a sync has got can't be written as JSON".into()))?;
                Some(self.inner.sealer.seal(&place(tenant, connection), &plain))
            }
        };
        let end = Change::new(
            "UPDATE sync_states SET turn_until = NULL, full_at = ?, delta_at = ?, stopped = ?, sealed = ? \
             WHERE tenant_id = ? AND connection_id = ? AND turn_until = ?",
            [
                vec![
                    Arg::OptInt(state.full_at.map(Timestamp::millis)),
                    Arg::OptInt(state.delta_at.map(Timestamp::millis)),
                    Arg::OptText(state.stopped.clone()),
                    Arg::OptOctets(sealed),
                ],
                key(tenant, connection),
                vec![millis(lease)],
            ]
            .concat(),
        );
        Ok(self.change(end).await? == 1)
    }
}

fn key(tenant: TenantId, connection: ConnectionId) -> Vec<Arg> {
    vec![uuid(tenant), Arg::Uuid(connection.uuid())]
}

/// The place that a cookie is sealed for.
fn place(tenant: TenantId, connection: ConnectionId) -> Vec<u8> {
    format!("{tenant}/sync/{connection}").into_bytes()
}
