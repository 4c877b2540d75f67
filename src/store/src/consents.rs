//! What people have allowed apps, as changes of rows. Reading them is in [`crate::people`].

use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{AppId, PersonId, TenantId};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::Consent;

use crate::config::words::{from_json, json};
use crate::row::{Row, get, time, uuid as read_uuid};
use crate::unit::{millis, uuid};
use crate::work::{Arg, Change};

/// What [`consent`] reads.
pub const CONSENT: &str = "SELECT app_id, items, at FROM consents WHERE tenant_id = ? AND person_id = ?";

pub fn keep_consent(tenant: TenantId, person: PersonId, new: &Consent) -> Result<Change, StoreError> {
    Ok(Change::new(
        "INSERT INTO consents (tenant_id, person_id, app_id, items, at) VALUES (?, ?, ?, ?, ?) \
         ON CONFLICT (tenant_id, person_id, app_id) DO UPDATE SET items = excluded.items, at = excluded.at",
        vec![
            uuid(tenant),
            Arg::Uuid(person.uuid()),
            Arg::Uuid(new.app.uuid()),
            Arg::Text(json(&new.items)?),
            millis(new.at),
        ],
    ))
}

pub fn forget_consent(tenant: TenantId, person: PersonId, app: AppId) -> Change {
    Change::new(
        "DELETE FROM consents WHERE tenant_id = ? AND person_id = ? AND app_id = ?",
        vec![uuid(tenant), Arg::Uuid(person.uuid()), Arg::Uuid(app.uuid())],
    )
}

/// Writes the row as it is, which holds it: who deletes it waits, and sees afterwards what was stored with this.
pub fn hold_consent(tenant: TenantId, person: PersonId, app: AppId, at: Timestamp) -> Change {
    Change::new(
        "UPDATE consents SET at = at WHERE tenant_id = ? AND person_id = ? AND app_id = ? AND at = ?",
        vec![uuid(tenant), Arg::Uuid(person.uuid()), Arg::Uuid(app.uuid()), millis(at)],
    )
}

pub fn consent(row: &Row) -> Result<Consent, StoreError> {
    let items: String = get(row, 1)?;
    Ok(Consent { app: AppId::from_uuid(read_uuid(row, 0)?), items: from_json(&items)?, at: time(row, 2)? })
}
