//! The port of wrong passwords, which crosses tenants: nodes tell each other all that they have counted at once.

use async_trait::async_trait;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::TenantId;
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{FailureCount, FailureStore};

use crate::error::damaged;
use crate::row::{Row, get, time, uuid as read_uuid};
use crate::system::SystemStore;
use crate::unit::{millis, uuid};
use crate::work::{Arg, Change, WorkError};

/// Rows of one transaction.
const AT_ONCE: usize = 500;

#[async_trait]
impl FailureStore for SystemStore {
    async fn add(&self, more: &[FailureCount], now: Timestamp) -> Result<(), StoreError> {
        let mut sorted: Vec<_> = more.iter().collect();
        // Two nodes that write the same rows take them in one order, so that neither waits for the other.
        sorted.sort_by_key(|one| (one.tenant, one.key, one.window));
        for batch in sorted.chunks(AT_ONCE) {
            match self.0.background(batch.iter().map(|one| add(one, now)).collect()).await {
                Ok(_) | Err(WorkError::Guard(_)) => {}
                Err(WorkError::Store(cause)) => return Err(cause),
            }
        }
        Ok(())
    }

    async fn since(&self, at: Timestamp) -> Result<Vec<FailureCount>, StoreError> {
        let sql = "SELECT tenant_id, key_hash, window_at, count FROM failures WHERE changed_at >= ?";
        self.0.all(sql, vec![millis(at)]).await?.iter().map(read).collect()
    }
}

fn add(one: &FailureCount, now: Timestamp) -> Change {
    Change::new(
        "INSERT INTO failures (tenant_id, key_hash, window_at, count, changed_at) VALUES (?, ?, ?, ?, ?) \
         ON CONFLICT (tenant_id, key_hash, window_at) DO UPDATE SET count = failures.count + excluded.count, \
         changed_at = excluded.changed_at",
        vec![
            uuid(one.tenant),
            Arg::Octets(one.key.to_vec()),
            millis(one.window),
            Arg::Int(i64::from(one.count)),
            millis(now),
        ],
    )
}

fn read(row: &Row) -> Result<FailureCount, StoreError> {
    let key: Vec<u8> = get(row, 1)?;
    let count: i64 = get(row, 3)?;
    Ok(FailureCount {
        tenant: TenantId::from_uuid(read_uuid(row, 0)?),
        key: key.try_into().map_err(|_| damaged("a count of wrong passwords"))?,
        window: time(row, 2)?,
        count: u32::try_from(count).unwrap_or(u32::MAX),
    })
}
