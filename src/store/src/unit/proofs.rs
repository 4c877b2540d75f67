//! Link proofs: the right of one person, in one session, to connect one upstream identity.

use fedbridge_contract::ids::{LinkProofId, PersonId, SessionId, TenantId};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::NewProof;

use super::{millis, uuid};
use crate::work::{Arg, Change};

pub fn open_proof(tenant: TenantId, new: NewProof) -> Change {
    Change::new(
        "INSERT INTO link_proofs (tenant_id, id, secret_hash, person_id, connection_id, session_id, expires_at, sealed) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        vec![
            uuid(tenant),
            Arg::Uuid(new.id.uuid()),
            Arg::Octets(new.secret.to_vec()),
            Arg::Uuid(new.person.uuid()),
            Arg::Uuid(new.connection.uuid()),
            Arg::Uuid(new.session.uuid()),
            millis(new.expires),
            Arg::Octets(new.sealed),
        ],
    )
}

pub fn bind_proof(tenant: TenantId, proof: LinkProofId, subject: [u8; 32], sealed: Vec<u8>, now: Timestamp) -> Change {
    Change::new(
        "UPDATE link_proofs SET subject_hash = ?, sealed = ? \
         WHERE tenant_id = ? AND id = ? AND subject_hash IS NULL AND expires_at > ?",
        vec![Arg::Octets(subject.to_vec()), Arg::Octets(sealed), uuid(tenant), Arg::Uuid(proof.uuid()), millis(now)],
    )
}

/// The session is asked for itself: one that expires takes nothing along.
pub fn use_proof(
    tenant: TenantId,
    proof: LinkProofId,
    person: PersonId,
    session: SessionId,
    subject: [u8; 32],
    now: Timestamp,
) -> Change {
    Change::new(
        "DELETE FROM link_proofs WHERE tenant_id = ? AND id = ? AND person_id = ? AND session_id = ? \
         AND subject_hash = ? AND expires_at > ? AND EXISTS (SELECT 1 FROM sessions s WHERE s.tenant_id = ? \
         AND s.id = ? AND s.person_id = ? AND s.idle_expires_at > ? AND s.absolute_expires_at > ?)",
        vec![
            uuid(tenant),
            Arg::Uuid(proof.uuid()),
            Arg::Uuid(person.uuid()),
            Arg::Uuid(session.uuid()),
            Arg::Octets(subject.to_vec()),
            millis(now),
            uuid(tenant),
            Arg::Uuid(session.uuid()),
            Arg::Uuid(person.uuid()),
            millis(now),
            millis(now),
        ],
    )
}

pub fn forget_proofs(tenant: TenantId, person: PersonId) -> Change {
    Change::new(
        "DELETE FROM link_proofs WHERE tenant_id = ? AND person_id = ?",
        vec![uuid(tenant), Arg::Uuid(person.uuid())],
    )
}
