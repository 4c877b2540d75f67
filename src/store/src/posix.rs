//! Groups of a tenant's directory, with their POSIX numbers.

use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{GroupId, TenantId};
use fedbridge_hub::ports::StoredGroup;

use crate::open::Store;
use crate::profiles::number;
use crate::row::{get, time, uuid as read_uuid};
use crate::unit::uuid;

impl Store {
    pub(crate) async fn read_groups(&self, tenant: TenantId) -> Result<Vec<StoredGroup>, StoreError> {
        let sql = "SELECT g.id, g.name, n.number, g.created_at FROM directory_groups g \
                   LEFT JOIN posix_numbers n ON n.tenant_id = g.tenant_id AND n.owner_id = g.id \
                   WHERE g.tenant_id = ? ORDER BY g.id";
        let rows = self.all(sql, vec![uuid(tenant)]).await?;
        rows.iter()
            .map(|row| {
                Ok(StoredGroup {
                    id: GroupId::from_uuid(read_uuid(row, 0)?),
                    name: get(row, 1)?,
                    number: number(row, 2)?,
                    created: time(row, 3)?,
                })
            })
            .collect()
    }
}
