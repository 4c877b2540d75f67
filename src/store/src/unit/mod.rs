//! The hub's commands as guarded changes.

mod links;
mod logout;
mod profiles;
mod proofs;
mod pushed;
mod sessions;
mod signals;

use std::time::Duration;

use fedbridge_contract::error::StoreError;
use fedbridge_contract::grant::{GrantRecord, MAX_ACCESS_TOKEN, NewGrant};
use fedbridge_contract::ids::{AppPasswordId, ConnectionId, GrantId, PersonId, TenantId, TransactionId};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{
    Adopted, Command, GuardFailed, NewLink, NewTransaction, PosixOwner, Sealer, ShutOut, TombstoneReason, Unit,
    UnitError,
};

use crate::app_passwords::{drop_app_password, keep_app_password};
use crate::consents::{forget_consent, hold_consent, keep_consent};
use crate::factors::{drop_factor, keep_factor};
use crate::upstream_tokens::keep_tokens;
use crate::work::{Arg, Change, digest};
use links::{create_person, hold_identity, keep_name_id, leave_tombstone, link_person, note_scope, unlink};
pub use links::{delete_person, hold_person, leave_tombstones, reason};
pub use logout::participant_place;
use logout::{join, open_logout};
pub use profiles::{SealedProfile, profile_place, seal_profile, source, touch_profiles};
use profiles::{ensure_group, give_number, hold_tenant, keep_profile, see_profile};
pub use proofs::forget_proofs;
use proofs::{bind_proof, open_proof, use_proof};
use pushed::{forget_gone, hold_active, hold_unknown, identity_of, move_identity, shut_person, take_record};
use sessions::{also_upstream, end_session, renew_session, start_session, touch_session};
use signals::signal;
pub use signals::{sealed as sealed_signal, signal_place};

/// How long a grant is kept after its code was used or its refresh family ended: the longest
/// that the last access token made from it can be good, and an hour for clocks that differ.
/// Within this time a code that comes back is known as used, and the tokens find their grant.
pub const KEEP_GRANT: Duration = MAX_ACCESS_TOKEN.saturating_add(Duration::from_secs(60 * 60));

/// A unit's changes, with what it means when each of them is refused.
pub struct Plan {
    pub changes: Vec<Change>,
    pub guards: Vec<Option<GuardFailed>>,
    /// Each change has to see what others did before it.
    pub in_turn: bool,
}

/// # Errors
/// A guard that fails within the unit itself, or something that can't be written as JSON.
pub fn plan(tenant: TenantId, unit: Unit, sealer: &dyn Sealer) -> Result<Plan, UnitError> {
    let mut plan = Plan { changes: Vec::new(), guards: Vec::new(), in_turn: false };
    let (mut seen, mut held) = (Vec::new(), false);
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
                plan.link(tenant, link, now);
            }
            Command::StartSession(new) => plan.free(start_session(tenant, new)),
            Command::RenewSession(new) => plan.guarded(renew_session(tenant, new, now), GuardFailed::SessionEnded),
            Command::TouchSession { session, idle_expires } => {
                plan.guarded(touch_session(tenant, session, idle_expires, now), GuardFailed::SessionEnded);
            }
            Command::EndSession(session) => plan.all(end_session(tenant, session, now)),
            Command::OpenLogout(new) => plan.free(open_logout(tenant, new, now)?),
            Command::Join { session, expires, participant } => {
                plan.free(join(tenant, session, expires, &participant, sealer)?);
            }
            Command::AlsoUpstream { session, connection, key, index, expires } => {
                plan.free(also_upstream(tenant, session, connection, (key, index), expires));
            }
            Command::KeepNameId(new) => plan.guarded(keep_name_id(tenant, new, now), GuardFailed::NameIdExists),
            Command::LinkIdentity(link) => plan.link(tenant, link, now),
            Command::HoldIdentity { person, connection, subject_key, news } => {
                plan.guarded(hold_identity(tenant, person, connection, &subject_key, news), GuardFailed::LinkGone);
            }
            Command::UnlinkIdentity { person, connection, subject_key, reason } => {
                plan.unlink(tenant, person, (connection, &subject_key), reason, now);
            }
            Command::OpenLinkProof(new) => plan.free(open_proof(tenant, new)),
            Command::BindLinkProof { proof, subject, sealed } => {
                plan.guarded(bind_proof(tenant, proof, subject, sealed, now), GuardFailed::ProofGone);
            }
            Command::UseLinkProof { proof, person, session, subject } => {
                plan.guarded(use_proof(tenant, proof, person, session, subject, now), GuardFailed::ProofGone);
            }
            Command::KeepConsent { person, consent } => plan.free(keep_consent(tenant, person, &consent)?),
            Command::ForgetConsent { person, app } => plan.free(forget_consent(tenant, person, app)),
            Command::HoldConsent { person, app, at } => {
                plan.guarded(hold_consent(tenant, person, app, at), GuardFailed::ConsentChanged);
            }
            Command::KeepUpstreamTokens { session, kept } => plan.free(keep_tokens(tenant, session, &kept, sealer)?),
            Command::InsertGrant(grant) => plan.free(insert_grant(tenant, &grant, sealer)?),
            Command::KeepProfile(new) => plan.free(keep_profile(tenant, &new, now, sealer)?),
            Command::SeeProfile { connection, subject_key, sweep } => {
                plan.free(see_profile(tenant, connection, &subject_key, sweep));
            }
            Command::EnsureGroup { id, name } => plan.free(ensure_group(tenant, id, name, now)),
            Command::GiveNumber { owner, range } => {
                plan.give_number(tenant, owner, range, !std::mem::replace(&mut held, true), now);
            }
            Command::KeepFactor { person, factor } => plan.free(keep_factor(tenant, person, &factor, now, sealer)),
            Command::DropFactor { person, id } => plan.free(drop_factor(tenant, person, id)),
            Command::KeepAppPassword(new) => plan.free(keep_app_password(tenant, &new, now)),
            Command::DropAppPassword { person, id } => plan.drop_app_password(tenant, person, id, now),
            Command::ShutPerson(shut) => plan.shut(tenant, shut, now),
            Command::Signal(new) => plan.free(signal(tenant, &new, sealer)?),
            Command::HoldActive(of, record) => plan.guarded(hold_active(tenant, of, record), GuardFailed::RecordTaken),
            Command::AdoptRecord(adopted) => plan.adopt(tenant, adopted, now),
            Command::PasswordChanged { person } => plan.free(touch_profiles(tenant, person, now)),
        }
    }
    Ok(plan)
}

impl Plan {
    fn all(&mut self, changes: impl IntoIterator<Item = Change>) {
        changes.into_iter().for_each(|change| self.free(change));
    }

    fn link(&mut self, tenant: TenantId, link: NewLink, now: Timestamp) {
        let scope = link.scope.as_deref().map(|scope| note_scope(tenant, link.connection, scope, now));
        self.guarded(link_person(tenant, link, now), GuardFailed::LinkExists);
        if let Some(scope) = scope {
            self.free(scope);
        }
    }

    fn unlink(
        &mut self,
        tenant: TenantId,
        person: PersonId,
        (connection, subject): (ConnectionId, &str),
        reason: TombstoneReason,
        now: Timestamp,
    ) {
        // Two unlinks in two snapshots would each see the other's identity, and leave none.
        self.in_turn = true;
        self.guarded(hold_person(tenant, person), GuardFailed::LastLink);
        self.free(leave_tombstone(tenant, person, (connection, subject), reason, now));
        self.guarded(unlink(tenant, person, connection, subject), GuardFailed::LastLink);
        self.free(forget_proofs(tenant, person));
    }

    fn adopt(&mut self, tenant: TenantId, Adopted { connection, record, from, person }: Adopted, now: Timestamp) {
        self.in_turn = true;
        let this = identity_of(connection, record);
        self.guarded(take_record(tenant, (connection, record), from, person, now), GuardFailed::RecordTaken);
        if let Some(from) = from {
            self.guarded(hold_unknown(tenant, from, &this), GuardFailed::RecordTaken);
            move_identity(tenant, &this, (from, person), now).into_iter().for_each(|change| self.free(change));
        }
        forget_gone(tenant, &this, person).into_iter().for_each(|change| self.free(change));
        self.shut(tenant, ShutOut { person, connection, out: false, said: None }, now);
    }

    fn shut(&mut self, tenant: TenantId, shut: ShutOut, now: Timestamp) {
        self.in_turn = true;
        self.all(shut_person(tenant, shut, now));
    }

    fn give_number(
        &mut self,
        tenant: TenantId,
        owner: PosixOwner,
        range: (u32, u32),
        first_of_unit: bool,
        now: Timestamp,
    ) {
        // Two in two snapshots would give the same number.
        self.in_turn = true;
        if first_of_unit {
            self.free(hold_tenant(tenant));
        }
        for change in give_number(tenant, owner, range, now) {
            self.free(change);
        }
    }

    fn drop_app_password(&mut self, tenant: TenantId, person: PersonId, id: AppPasswordId, now: Timestamp) {
        self.free(drop_app_password(tenant, person, id));
        self.free(touch_profiles(tenant, person, now));
    }

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

fn insert_grant(tenant: TenantId, grant: &NewGrant, sealer: &dyn Sealer) -> Result<Change, StoreError> {
    let record = &grant.record;
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
            Arg::Octets(seal_grant(tenant, grant.id, record, sealer)?),
        ],
    ))
}

pub fn seal_grant(
    tenant: TenantId,
    id: GrantId,
    record: &GrantRecord,
    sealer: &dyn Sealer,
) -> Result<Vec<u8>, StoreError> {
    let plain = serde_json::to_vec(record).map_err(|_| StoreError("the grant can't be written as JSON".into()))?;
    Ok(sealer.seal(&grant_place(tenant, id), &plain))
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
