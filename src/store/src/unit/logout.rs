//! Who takes part in a session, and the record of its logout.

use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{AppId, SessionId, TenantId};
use fedbridge_contract::logout::Participant;
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{NewLogout, Sealer};

use super::{millis, uuid};
use crate::work::{Arg, Change, digest};

pub fn open_logout(tenant: TenantId, new: NewLogout, now: Timestamp) -> Result<Change, StoreError> {
    let sessions = serde_json::to_string(&new.sessions).map_err(|_| StoreError("ids can't be written".into()))?;
    Ok(Change::new(
        "INSERT INTO logouts (tenant_id, id, created_at, expires_at, spread, sessions, sealed) \
         VALUES (?, ?, ?, ?, ?, ?, ?)",
        vec![
            uuid(tenant),
            Arg::Uuid(new.id.uuid()),
            millis(now),
            millis(new.expires),
            Arg::Flag(false),
            Arg::Text(sessions),
            Arg::Octets(new.sealed),
        ],
    ))
}

/// A second login renews the app's part.
pub fn join(
    tenant: TenantId,
    session: SessionId,
    expires: Timestamp,
    new: &Participant,
    sealer: &dyn Sealer,
) -> Result<Change, StoreError> {
    let plain = serde_json::to_vec(new).map_err(|_| StoreError("the participant can't be written as JSON".into()))?;
    Ok(Change::new(
        "INSERT INTO participants (tenant_id, session_id, app_id, key_hash, index_hash, expires_at, sealed) \
         VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tenant_id, session_id, app_id) DO UPDATE SET \
         key_hash = excluded.key_hash, index_hash = excluded.index_hash, expires_at = excluded.expires_at, \
         sealed = excluded.sealed",
        vec![
            uuid(tenant),
            Arg::Uuid(session.uuid()),
            Arg::Uuid(new.app.uuid()),
            Arg::Octets(digest(&[&new.key])),
            Arg::OptOctets(new.index.as_deref().map(|index| digest(&[index]))),
            millis(expires),
            Arg::Octets(sealer.seal(&participant_place(tenant, session, new.app), &plain)),
        ],
    ))
}

/// The place that a participant is sealed for. Its notices keep the same text.
pub fn participant_place(tenant: TenantId, session: SessionId, app: AppId) -> Vec<u8> {
    format!("{tenant}/participant/{session}/{app}").into_bytes()
}
