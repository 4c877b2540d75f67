//! Sessions, from their start to their end, and the upstreams that people came into them by.

use fedbridge_contract::ids::{ConnectionId, SessionId, TenantId};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::NewSession;

use super::{millis, uuid};
use crate::work::{Arg, Change, digest};

pub fn start_session(tenant: TenantId, new: NewSession) -> Change {
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
pub fn renew_session(tenant: TenantId, new: NewSession, now: Timestamp) -> Change {
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

pub fn touch_session(tenant: TenantId, session: SessionId, idle_expires: Timestamp, now: Timestamp) -> Change {
    Change::new(
        "UPDATE sessions SET idle_expires_at = ? WHERE tenant_id = ? AND id = ? \
         AND idle_expires_at > ? AND absolute_expires_at > ?",
        vec![millis(idle_expires), uuid(tenant), Arg::Uuid(session.uuid()), millis(now), millis(now)],
    )
}

pub fn also_upstream(
    tenant: TenantId,
    session: SessionId,
    connection: ConnectionId,
    (key, index): (Option<String>, Option<String>),
    expires: Timestamp,
) -> Change {
    Change::new(
        "INSERT INTO session_upstreams \
         (tenant_id, session_id, connection_id, upstream_hash, upstream_index_hash, expires_at) \
         VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (tenant_id, session_id, connection_id) DO UPDATE SET \
         upstream_hash = excluded.upstream_hash, upstream_index_hash = excluded.upstream_index_hash, \
         expires_at = excluded.expires_at",
        vec![
            uuid(tenant),
            Arg::Uuid(session.uuid()),
            Arg::Uuid(connection.uuid()),
            Arg::OptOctets(key.map(|key| digest(&[&key]))),
            Arg::OptOctets(index.map(|index| digest(&[&index]))),
            millis(expires),
        ],
    )
}

/// The session goes last: the others find the person by it.
pub fn end_session(tenant: TenantId, session: SessionId, now: Timestamp) -> [Change; 4] {
    let both = || vec![uuid(tenant), Arg::Uuid(session.uuid())];
    [
        revoke_grants_of_session(tenant, session, now),
        forget_proofs_of_session(tenant, session),
        Change::new("DELETE FROM session_upstreams WHERE tenant_id = ? AND session_id = ?", both()),
        Change::new("DELETE FROM sessions WHERE tenant_id = ? AND id = ?", both()),
    ]
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

/// As [`revoke_grants_of_session`].
fn forget_proofs_of_session(tenant: TenantId, session: SessionId) -> Change {
    Change::new(
        "DELETE FROM link_proofs WHERE tenant_id = ? \
         AND person_id = (SELECT person_id FROM sessions WHERE tenant_id = ? AND id = ?) AND session_id = ?",
        vec![uuid(tenant), uuid(tenant), Arg::Uuid(session.uuid()), Arg::Uuid(session.uuid())],
    )
}
