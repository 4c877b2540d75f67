//! The hub's commands as guarded changes.

use std::time::Duration;

use fedbridge_contract::downstream::NewNameId;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::grant::{MAX_ACCESS_TOKEN, NewGrant};
use fedbridge_contract::ids::{AppId, GrantId, SessionId, TenantId, TransactionId};
use fedbridge_contract::logout::Participant;
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{
    Command, GuardFailed, NewLink, NewLogout, NewSession, NewTransaction, Sealer, Unit, UnitError,
};

use crate::work::{Arg, Change, digest};

/// How long a grant is kept after its code was used or its refresh family ended: the longest
/// that the last access token made from it can be good, and an hour for clocks that differ.
/// Within this time a code that comes back is known as used, and the tokens find their grant.
pub const KEEP_GRANT: Duration = MAX_ACCESS_TOKEN.saturating_add(Duration::from_secs(60 * 60));

/// A unit's changes, with what it means when each of them is refused.
pub struct Plan {
    pub changes: Vec<Change>,
    pub guards: Vec<Option<GuardFailed>>,
}

/// # Errors
/// A guard that fails within the unit itself, or a grant that can't be written as JSON.
pub fn plan(tenant: TenantId, unit: Unit, sealer: &dyn Sealer) -> Result<Plan, UnitError> {
    let mut plan = Plan { changes: Vec::new(), guards: Vec::new() };
    let mut seen = Vec::new();
    let now = unit.now;
    for command in unit.commands {
        match command {
            Command::OpenTransaction(new) => plan.free(open_transaction(tenant, new)),
            Command::FinishTransaction(id) => {
                plan.guarded(finish_transaction(tenant, id, now), GuardFailed::TransactionGone);
            }
            Command::Once { purpose, key, expires } => {
                let hash = digest(&[&purpose, &key]);
                // Two statements of one PostgreSQL snapshot can't see each other.
                if seen.contains(&hash) {
                    return Err(UnitError::Guard(GuardFailed::SeenBefore { purpose }));
                }
                seen.push(hash.clone());
                plan.guarded(once(tenant, hash, expires, now), GuardFailed::SeenBefore { purpose });
            }
            Command::CreatePerson(link) => {
                plan.free(create_person(tenant, &link, now));
                plan.guarded(link_person(tenant, link, now), GuardFailed::LinkExists);
            }
            Command::StartSession(new) => plan.free(start_session(tenant, new)),
            Command::RenewSession(new) => plan.guarded(renew_session(tenant, new, now), GuardFailed::SessionEnded),
            Command::TouchSession { session, idle_expires } => {
                plan.guarded(touch_session(tenant, session, idle_expires, now), GuardFailed::SessionEnded);
            }
            Command::EndSession(session) => {
                plan.free(revoke_grants_of_session(tenant, session, now));
                plan.free(end_session(tenant, session));
            }
            Command::OpenLogout(new) => plan.free(open_logout(tenant, new, now)?),
            Command::Join { session, expires, participant } => {
                plan.free(join(tenant, session, expires, &participant, sealer)?);
            }
            Command::KeepNameId(new) => plan.guarded(keep_name_id(tenant, new, now), GuardFailed::NameIdExists),
            Command::InsertGrant(grant) => plan.free(insert_grant(tenant, &grant, sealer)?),
        }
    }
    Ok(plan)
}

impl Plan {
    fn free(&mut self, change: Change) {
        self.changes.push(change);
        self.guards.push(None);
    }

    fn guarded(&mut self, change: Change, refusal: GuardFailed) {
        self.changes.push(Change { guarded: true, ..change });
        self.guards.push(Some(refusal));
    }
}

/// Remembers a key; a row that is there counts only until it expires.
fn once(tenant: TenantId, hash: Vec<u8>, expires: Timestamp, now: Timestamp) -> Change {
    Change::new(
        "INSERT INTO one_time_keys (tenant_id, key_hash, expires_at) VALUES (?, ?, ?) \
         ON CONFLICT (tenant_id, key_hash) DO UPDATE SET expires_at = excluded.expires_at \
         WHERE one_time_keys.expires_at <= ?",
        vec![uuid(tenant), Arg::Octets(hash), millis(expires), millis(now)],
    )
}

fn open_transaction(tenant: TenantId, new: NewTransaction) -> Change {
    Change::new(
        "INSERT INTO transactions (tenant_id, id, handle_hash, expires_at, sealed) VALUES (?, ?, ?, ?, ?)",
        vec![
            uuid(tenant),
            Arg::Uuid(new.id.uuid()),
            Arg::Octets(new.handle_hash.to_vec()),
            millis(new.expires),
            Arg::Octets(new.sealed),
        ],
    )
}

fn finish_transaction(tenant: TenantId, id: TransactionId, now: Timestamp) -> Change {
    Change::new(
        "DELETE FROM transactions WHERE tenant_id = ? AND id = ? AND expires_at > ?",
        vec![uuid(tenant), Arg::Uuid(id.uuid()), millis(now)],
    )
}

fn create_person(tenant: TenantId, link: &NewLink, now: Timestamp) -> Change {
    Change::new(
        "INSERT INTO people (tenant_id, id, disabled, created_at) VALUES (?, ?, ?, ?)",
        vec![uuid(tenant), Arg::Uuid(link.person.uuid()), Arg::Flag(false), millis(now)],
    )
}

fn link_person(tenant: TenantId, link: NewLink, now: Timestamp) -> Change {
    Change::new(
        "INSERT INTO identities \
         (tenant_id, connection_id, subject_hash, subject_key, display, person_id, created_at) \
         VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (tenant_id, connection_id, subject_hash) DO NOTHING",
        vec![
            uuid(tenant),
            Arg::Uuid(link.connection.uuid()),
            Arg::Octets(digest(&[&link.subject_key])),
            Arg::Text(link.subject_key),
            Arg::Text(link.display),
            Arg::Uuid(link.person.uuid()),
            millis(now),
        ],
    )
}

fn start_session(tenant: TenantId, new: NewSession) -> Change {
    let (key, index) = upstream_hashes(new.upstream.as_ref());
    Change::new(
        "INSERT INTO sessions \
         (tenant_id, id, cookie_hash, person_id, connection_id, idle_expires_at, absolute_expires_at, \
         upstream_hash, upstream_index_hash, sealed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        vec![
            uuid(tenant),
            Arg::Uuid(new.id.uuid()),
            Arg::Octets(new.cookie_hash.to_vec()),
            Arg::Uuid(new.person.uuid()),
            Arg::Uuid(new.connection.uuid()),
            millis(new.idle_expires),
            millis(new.absolute_expires),
            key,
            index,
            Arg::Octets(new.sealed),
        ],
    )
}

/// The person stays the same: a session never passes from one to another.
fn renew_session(tenant: TenantId, new: NewSession, now: Timestamp) -> Change {
    let (key, index) = upstream_hashes(new.upstream.as_ref());
    Change::new(
        "UPDATE sessions SET cookie_hash = ?, connection_id = ?, idle_expires_at = ?, absolute_expires_at = ?, \
         upstream_hash = ?, upstream_index_hash = ?, sealed = ? WHERE tenant_id = ? AND id = ? AND person_id = ? \
         AND idle_expires_at > ? AND absolute_expires_at > ?",
        vec![
            Arg::Octets(new.cookie_hash.to_vec()),
            Arg::Uuid(new.connection.uuid()),
            millis(new.idle_expires),
            millis(new.absolute_expires),
            key,
            index,
            Arg::Octets(new.sealed),
            uuid(tenant),
            Arg::Uuid(new.id.uuid()),
            Arg::Uuid(new.person.uuid()),
            millis(now),
            millis(now),
        ],
    )
}

fn upstream_hashes(upstream: Option<&(String, Option<String>)>) -> (Arg, Arg) {
    let index = upstream.and_then(|(_, index)| index.as_deref());
    (Arg::OptOctets(upstream.map(|(key, _)| digest(&[key]))), Arg::OptOctets(index.map(|index| digest(&[index]))))
}

fn touch_session(tenant: TenantId, session: SessionId, idle_expires: Timestamp, now: Timestamp) -> Change {
    Change::new(
        "UPDATE sessions SET idle_expires_at = ? WHERE tenant_id = ? AND id = ? \
         AND idle_expires_at > ? AND absolute_expires_at > ?",
        vec![millis(idle_expires), uuid(tenant), Arg::Uuid(session.uuid()), millis(now), millis(now)],
    )
}

/// The person is named so that the index of people serves here too.
fn revoke_grants_of_session(tenant: TenantId, session: SessionId, now: Timestamp) -> Change {
    Change::new(
        "UPDATE grants SET revoked_at = ? WHERE tenant_id = ? \
         AND person_id = (SELECT person_id FROM sessions WHERE tenant_id = ? AND id = ?) \
         AND session_id = ? AND offline = ? AND revoked_at IS NULL",
        vec![
            millis(now),
            uuid(tenant),
            uuid(tenant),
            Arg::Uuid(session.uuid()),
            Arg::Uuid(session.uuid()),
            Arg::Flag(false),
        ],
    )
}

fn end_session(tenant: TenantId, session: SessionId) -> Change {
    Change::new("DELETE FROM sessions WHERE tenant_id = ? AND id = ?", vec![uuid(tenant), Arg::Uuid(session.uuid())])
}

fn insert_grant(tenant: TenantId, grant: &NewGrant, sealer: &dyn Sealer) -> Result<Change, StoreError> {
    let record = &grant.record;
    let plain = serde_json::to_vec(record).map_err(|_| StoreError("the grant can't be written as JSON".into()))?;
    let offline = record.scope.iter().any(|scope| scope == "offline_access");
    Ok(Change::new(
        "INSERT INTO grants \
         (tenant_id, id, app_id, person_id, session_id, offline, code_hash, code_expires_at, expires_at, sealed) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        vec![
            uuid(tenant),
            Arg::Uuid(grant.id.uuid()),
            Arg::Uuid(record.app.uuid()),
            Arg::Uuid(record.person.uuid()),
            Arg::Uuid(record.session.uuid()),
            Arg::Flag(offline),
            Arg::Octets(grant.code_hash.to_vec()),
            millis(grant.code_expires),
            millis(grant.code_expires + KEEP_GRANT),
            Arg::Octets(sealer.seal(&grant_place(tenant, grant.id), &plain)),
        ],
    ))
}

fn open_logout(tenant: TenantId, new: NewLogout, now: Timestamp) -> Result<Change, StoreError> {
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
fn join(
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

fn keep_name_id(tenant: TenantId, new: NewNameId, now: Timestamp) -> Change {
    Change::new(
        "INSERT INTO name_ids (tenant_id, qualifier_hash, person_id, qualifier, value, created_at) \
         VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (tenant_id, qualifier_hash, person_id) DO NOTHING",
        vec![
            uuid(tenant),
            Arg::Octets(digest(&[&new.qualifier])),
            Arg::Uuid(new.person.uuid()),
            Arg::Text(new.qualifier),
            Arg::Text(new.value),
            millis(now),
        ],
    )
}

/// The place that a participant is sealed for. Its notices keep the same text.
pub fn participant_place(tenant: TenantId, session: SessionId, app: AppId) -> Vec<u8> {
    format!("{tenant}/participant/{session}/{app}").into_bytes()
}

/// The place that a grant's record is sealed for.
pub fn grant_place(tenant: TenantId, grant: GrantId) -> Vec<u8> {
    format!("{tenant}/grant/{grant}").into_bytes()
}

pub fn uuid(tenant: TenantId) -> Arg {
    Arg::Uuid(tenant.uuid())
}

pub fn millis(at: Timestamp) -> Arg {
    Arg::Int(at.millis())
}
