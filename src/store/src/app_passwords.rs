//! The port of passwords for single apps, and what changes them.

use async_trait::async_trait;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{AppId, AppPasswordId, PersonId, TenantId};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{AppPasswordStore, NewAppPassword, StoredAppPassword};

use crate::open::Store;
use crate::row::{Row, get, time, time_or_none, uuid as read_uuid};
use crate::unit::{millis, uuid};
use crate::work::{Arg, Change};

#[async_trait]
impl AppPasswordStore for Store {
    async fn app_passwords(
        &self,
        tenant: TenantId,
        person: PersonId,
        app: Option<AppId>,
    ) -> Result<Vec<StoredAppPassword>, StoreError> {
        let mut sql = "SELECT id, app_id, label, hash, created_at, expires_at, used_at FROM app_passwords \
                       WHERE tenant_id = ? AND person_id = ?"
            .to_owned();
        let mut args = vec![uuid(tenant), Arg::Uuid(person.uuid())];
        if let Some(app) = app {
            sql.push_str(" AND app_id = ?");
            args.push(Arg::Uuid(app.uuid()));
        }
        sql.push_str(" ORDER BY created_at, id");
        self.all(&sql, args).await?.iter().map(read).collect()
    }

    async fn app_password_used(&self, tenant: TenantId, id: AppPasswordId, now: Timestamp) -> Result<(), StoreError> {
        let change = Change::new(
            "UPDATE app_passwords SET used_at = ? WHERE tenant_id = ? AND id = ?",
            vec![millis(now), uuid(tenant), Arg::Uuid(id.uuid())],
        );
        self.change(change).await.map(drop)
    }
}

fn read(row: &Row) -> Result<StoredAppPassword, StoreError> {
    Ok(StoredAppPassword {
        id: AppPasswordId::from_uuid(read_uuid(row, 0)?),
        app: AppId::from_uuid(read_uuid(row, 1)?),
        label: get(row, 2)?,
        hash: get(row, 3)?,
        created: time(row, 4)?,
        expires: time_or_none(row, 5)?,
        used: time_or_none(row, 6)?,
    })
}

pub fn keep_app_password(tenant: TenantId, new: &NewAppPassword, now: Timestamp) -> Change {
    Change::new(
        "INSERT INTO app_passwords (tenant_id, id, person_id, app_id, label, hash, created_at, expires_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        vec![
            uuid(tenant),
            Arg::Uuid(new.id.uuid()),
            Arg::Uuid(new.person.uuid()),
            Arg::Uuid(new.app.uuid()),
            Arg::Text(new.label.clone()),
            Arg::Text(new.hash.clone()),
            millis(now),
            Arg::OptInt(new.expires.map(Timestamp::millis)),
        ],
    )
}

pub fn drop_app_password(tenant: TenantId, person: PersonId, id: AppPasswordId) -> Change {
    Change::new(
        "DELETE FROM app_passwords WHERE tenant_id = ? AND id = ? AND person_id = ?",
        vec![uuid(tenant), Arg::Uuid(id.uuid()), Arg::Uuid(person.uuid())],
    )
}
