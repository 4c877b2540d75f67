//! The port of second factors, and what changes them.

use async_trait::async_trait;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{FactorId, PersonId, TenantId};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{FactorKind, FactorStore, FactorUse, NewFactor, Sealer, StoredFactor};

use crate::error::damaged;
use crate::open::Store;
use crate::row::{Row, get, time, uuid as read_uuid};
use crate::unit::{millis, uuid};
use crate::work::{Arg, Change};

const KINDS: [(FactorKind, &str); 3] =
    [(FactorKind::Totp, "totp"), (FactorKind::Passkey, "passkey"), (FactorKind::Recovery, "recovery")];

#[async_trait]
impl FactorStore for Store {
    async fn factors(&self, tenant: TenantId, person: PersonId) -> Result<Vec<StoredFactor>, StoreError> {
        let sql = "SELECT id, kind, label, last_step, created_at, sealed FROM factors \
                   WHERE tenant_id = ? AND person_id = ? ORDER BY created_at, id";
        let rows = self.few(sql, vec![uuid(tenant), Arg::Uuid(person.uuid())]).await?;
        rows.iter().map(|row| self.factor(tenant, row)).collect()
    }

    async fn use_factor(
        &self,
        tenant: TenantId,
        id: FactorId,
        used: FactorUse,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let key = [uuid(tenant), Arg::Uuid(id.uuid())];
        let step = |guard: &str, step: i64| {
            let sql =
                format!("UPDATE factors SET last_step = ?, used_at = ? WHERE tenant_id = ? AND id = ? AND {guard}");
            let args = [vec![Arg::Int(step), millis(now)], key.to_vec(), vec![Arg::Int(step)]].concat();
            Change::new(sql, args)
        };
        let change = match used {
            FactorUse::Step(new) => step("last_step < ?", new),
            FactorUse::Counter(0) => step("last_step = ?", 0),
            FactorUse::Counter(new) => step("last_step < ?", i64::from(new)),
            FactorUse::Up => Change::new("DELETE FROM factors WHERE tenant_id = ? AND id = ?", key.to_vec()),
        };
        Ok(self.change(change).await? == 1)
    }
}

impl Store {
    fn factor(&self, tenant: TenantId, row: &Row) -> Result<StoredFactor, StoreError> {
        let id = FactorId::from_uuid(read_uuid(row, 0)?);
        let word: String = get(row, 1)?;
        let kind = KINDS.iter().find(|(_, known)| *known == word).map(|(kind, _)| *kind);
        let sealed: Vec<u8> = get(row, 5)?;
        Ok(StoredFactor {
            id,
            kind: kind.ok_or_else(|| damaged("a second factor"))?,
            label: get(row, 2)?,
            secret: self.inner.sealer.open(&place(tenant, id), &sealed).map_err(|_| damaged("a second factor"))?,
            last_step: get(row, 3)?,
            created: time(row, 4)?,
        })
    }
}

pub fn keep_factor(tenant: TenantId, person: PersonId, new: &NewFactor, now: Timestamp, sealer: &dyn Sealer) -> Change {
    let word = KINDS.iter().find(|(kind, _)| *kind == new.kind).map_or("totp", |(_, word)| *word);
    Change::new(
        "INSERT INTO factors (tenant_id, id, person_id, kind, label, last_step, created_at, sealed) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        vec![
            uuid(tenant),
            Arg::Uuid(new.id.uuid()),
            Arg::Uuid(person.uuid()),
            Arg::Text(word.to_owned()),
            Arg::Text(new.label.clone()),
            Arg::Int(new.last_step),
            millis(now),
            Arg::Octets(sealer.seal(&place(tenant, new.id), &new.secret)),
        ],
    )
}

pub fn drop_factor(tenant: TenantId, person: PersonId, id: FactorId) -> Change {
    Change::new(
        "DELETE FROM factors WHERE tenant_id = ? AND id = ? AND person_id = ?",
        vec![uuid(tenant), Arg::Uuid(id.uuid()), Arg::Uuid(person.uuid())],
    )
}

/// The place that a factor's secret is sealed for.
fn place(tenant: TenantId, id: FactorId) -> Vec<u8> {
    format!("{tenant}/factor/{id}").into_bytes()
}
