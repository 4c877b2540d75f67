//! Shapes of what LDAP apps ask, while they are learnt. They hold no value of anybody.

use async_trait::async_trait;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{AppId, TenantId};
use fedbridge_hub::ports::{SeenShape, ShapeStore, StoredShape};
use openssl::sha::sha256;

use crate::config::words::{from_json, json};
use crate::error::damaged;
use crate::row::{Row, get, time};
use crate::system::SystemStore;
use crate::unit::{millis, uuid};
use crate::work::{Arg, Change, WorkError};

#[async_trait]
impl ShapeStore for SystemStore {
    async fn note_shapes(&self, batch: &[SeenShape]) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        let changes: Vec<Change> = batch.iter().map(note).collect::<Result<_, _>>()?;
        match self.0.background(changes).await {
            Ok(_) | Err(WorkError::Guard(_)) => Ok(()),
            Err(WorkError::Store(cause)) => Err(cause),
        }
    }

    async fn shapes(&self, tenant: TenantId, app: AppId) -> Result<Vec<StoredShape>, StoreError> {
        let sql = "SELECT shape, count, first_at, last_at FROM ldap_shapes WHERE tenant_id = ? AND app_id = ? \
                   ORDER BY count DESC, shape";
        self.0.all(sql, vec![uuid(tenant), Arg::Uuid(app.uuid())]).await?.iter().map(stored).collect()
    }
}

/// An app that was deleted meanwhile gets no row: nothing would ever take it away again.
fn note(seen: &SeenShape) -> Result<Change, StoreError> {
    let shape = json(&seen.shape)?;
    let sql = "INSERT INTO ldap_shapes (tenant_id, app_id, shape_hash, shape, count, first_at, last_at) \
               SELECT tenant_id, id, ?, ?, ?, ?, ? FROM apps WHERE tenant_id = ? AND id = ? \
               ON CONFLICT (tenant_id, app_id, shape_hash) DO UPDATE SET count = ldap_shapes.count + excluded.count, \
               first_at = CASE WHEN excluded.first_at < ldap_shapes.first_at THEN excluded.first_at \
               ELSE ldap_shapes.first_at END, \
               last_at = CASE WHEN excluded.last_at > ldap_shapes.last_at THEN excluded.last_at \
               ELSE ldap_shapes.last_at END";
    let args = vec![
        Arg::Octets(sha256(shape.as_bytes()).to_vec()),
        Arg::Text(shape),
        Arg::Int(i64::from(seen.count)),
        millis(seen.first),
        millis(seen.last),
        uuid(seen.tenant),
        Arg::Uuid(seen.app.uuid()),
    ];
    Ok(Change::new(sql, args))
}

fn stored(row: &Row) -> Result<StoredShape, StoreError> {
    let (shape, count): (String, i64) = (get(row, 0)?, get(row, 1)?);
    Ok(StoredShape {
        shape: from_json(&shape)?,
        count: u64::try_from(count).map_err(|_| damaged("a shape"))?,
        first: time(row, 2)?,
        last: time(row, 3)?,
    })
}
