//! The port of devices that accounts were logged in from.

use async_trait::async_trait;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::TenantId;
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{DeviceStore, KnownDevice};

use crate::system::SystemStore;
use crate::unit::{millis, uuid};
use crate::work::{Arg, Change, WorkError};

/// Rows of one transaction.
const AT_ONCE: usize = 500;

#[async_trait]
impl DeviceStore for SystemStore {
    async fn know(&self, devices: &[KnownDevice]) -> Result<(), StoreError> {
        let mut sorted: Vec<_> = devices.iter().collect();
        // As with [`crate::failures`].
        sorted.sort_by_key(|one| (one.tenant, one.key));
        for batch in sorted.chunks(AT_ONCE) {
            match self.0.background(batch.iter().map(|one| know(one)).collect()).await {
                Ok(_) | Err(WorkError::Guard(_)) => {}
                Err(WorkError::Store(cause)) => return Err(cause),
            }
        }
        Ok(())
    }

    async fn knows(&self, tenant: TenantId, key: &[u8; 32], now: Timestamp) -> Result<bool, StoreError> {
        let sql = "SELECT expires_at FROM known_devices WHERE tenant_id = ? AND key_hash = ? AND expires_at > ?";
        let row = self.0.one(sql, vec![uuid(tenant), Arg::Octets(key.to_vec()), millis(now)]).await?;
        Ok(row.is_some())
    }
}

fn know(one: &KnownDevice) -> Change {
    Change::new(
        "INSERT INTO known_devices (tenant_id, key_hash, expires_at) VALUES (?, ?, ?) \
         ON CONFLICT (tenant_id, key_hash) DO UPDATE SET expires_at = excluded.expires_at",
        vec![uuid(one.tenant), Arg::Octets(one.key.to_vec()), millis(one.expires)],
    )
}
