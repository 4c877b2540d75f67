//! Signals, in the unit of what they tell of.

use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{AppId, SignalId, TenantId};
use fedbridge_contract::signals::Signal;
use fedbridge_hub::ports::{NewSignal, Sealer};

use super::{millis, uuid};
use crate::work::{Arg, Change};

/// Nothing happens where the receiver is gone, or does not want to hear of the person.
pub fn signal(tenant: TenantId, new: &NewSignal, sealer: &dyn Sealer) -> Result<Change, StoreError> {
    let (app, id) = (Arg::Uuid(new.app.uuid()), new.signal.id);
    Ok(Change::new(
        "INSERT INTO signals (tenant_id, app_id, id, expires_at, parked, sealed) \
         SELECT a.tenant_id, a.id, ?, ?, ?, ? FROM apps a WHERE a.tenant_id = ? AND a.id = ? \
         AND NOT EXISTS (SELECT 1 FROM signal_mutes m WHERE m.tenant_id = ? AND m.app_id = ? AND m.subject_hash = ?)",
        vec![
            Arg::Uuid(id.uuid()),
            millis(new.expires),
            Arg::Flag(false),
            Arg::Octets(sealed(tenant, new.app, &new.signal, sealer)?),
            uuid(tenant),
            app.clone(),
            uuid(tenant),
            app,
            Arg::Octets(new.subject.to_vec()),
        ],
    ))
}

pub fn sealed(tenant: TenantId, app: AppId, signal: &Signal, sealer: &dyn Sealer) -> Result<Vec<u8>, StoreError> {
    let plain = serde_json::to_vec(signal).map_err(|_| StoreError("a signal can't be written as JSON".into()))?;
    Ok(sealer.seal(&signal_place(tenant, app, signal.id), &plain))
}

/// The place that a signal is sealed for.
pub fn signal_place(tenant: TenantId, app: AppId, id: SignalId) -> Vec<u8> {
    format!("{tenant}/signal/{app}/{id}").into_bytes()
}
