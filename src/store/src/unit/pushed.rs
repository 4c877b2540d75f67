//! What a pushed record does to people: it keeps them out, and it becomes somebody else's where a login shows whose it is.

use fedbridge_contract::ids::{ConnectionId, PersonId, RecordId, TenantId};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::ShutOut;

use super::links::{delete_person, hold_person};
use super::{millis, uuid};
use crate::work::{Arg, Change, digest};

/// One statement after the other: of two that say something of one person the second one sees what the first has said.
pub fn shut_person(tenant: TenantId, shut: ShutOut, now: Timestamp) -> [Change; 3] {
    let ShutOut { person, connection, out, said } = shut;
    let (tenant_id, id) = (uuid(tenant), Arg::Uuid(person.uuid()));
    let only_later = if said.is_some() { "WHERE standings.said_at <= excluded.said_at" } else { "" };
    let word = Change::new(
        format!(
            "INSERT INTO standings (tenant_id, person_id, connection_id, is_out, said_at) \
             SELECT tenant_id, id, ?, ?, ? FROM people WHERE tenant_id = ? AND id = ? \
             ON CONFLICT (tenant_id, person_id, connection_id) DO UPDATE SET is_out = excluded.is_out, \
             said_at = excluded.said_at {only_later}"
        ),
        vec![Arg::Uuid(connection.uuid()), Arg::Flag(out), millis(said.unwrap_or(now)), tenant_id.clone(), id.clone()],
    );
    let kept = Change::new(
        "UPDATE people SET shut_at = CASE WHEN EXISTS (SELECT 1 FROM standings s WHERE s.tenant_id = ? \
         AND s.person_id = ? AND s.is_out = ?) THEN coalesce(shut_at, ?) ELSE NULL END WHERE tenant_id = ? AND id = ?",
        vec![tenant_id.clone(), id.clone(), Arg::Flag(true), millis(now), tenant_id, id],
    );
    [hold_person(tenant, person), word, kept]
}

/// Guard: the record is there, is of a user who is switched on, and is `from`'s. Its version grows, so that nobody
/// writes the person before over this one; what it shows stays as old as it was.
pub fn take_record(
    tenant: TenantId,
    (connection, record): (ConnectionId, RecordId),
    from: Option<PersonId>,
    person: PersonId,
    now: Timestamp,
) -> Change {
    // What is said of the person is mapped anew, by whoever looks for marks.
    let mut sql = "UPDATE pushed_records SET person_id = ?, version = version + 1, restate_at = ? \
                   WHERE tenant_id = ? AND id = ? AND connection_id = ? AND active = ? AND person_id"
        .to_owned();
    let mut args = vec![
        Arg::Uuid(person.uuid()),
        millis(now),
        uuid(tenant),
        Arg::Uuid(record.uuid()),
        Arg::Uuid(connection.uuid()),
        Arg::Flag(true),
    ];
    match from {
        None => sql.push_str(" IS NULL"),
        Some(from) => {
            sql.push_str(" = ?");
            args.push(Arg::Uuid(from.uuid()));
        }
    }
    Change::new(sql, args)
}

/// Guard: the record is there, and of a user who is switched on.
pub fn hold_active(tenant: TenantId, connection: ConnectionId, record: RecordId) -> Change {
    Change::new(
        "UPDATE pushed_records SET version = version WHERE tenant_id = ? AND id = ? AND connection_id = ? AND active = ?",
        vec![uuid(tenant), Arg::Uuid(record.uuid()), Arg::Uuid(connection.uuid()), Arg::Flag(true)],
    )
}

/// Guard: nobody has ever come by another way to the person whose record it was.
pub fn hold_unknown(tenant: TenantId, from: PersonId, this: &[Arg; 2]) -> Change {
    let [connection, subject] = this.clone();
    let (tenant, from) = (uuid(tenant), Arg::Uuid(from.uuid()));
    Change::new(
        "UPDATE people SET created_at = created_at WHERE tenant_id = ? AND id = ? AND disabled = ? \
         AND NOT EXISTS (SELECT 1 FROM identities o WHERE o.tenant_id = ? AND o.person_id = ? \
         AND NOT (o.connection_id = ? AND o.subject_hash = ?))",
        vec![tenant.clone(), from.clone(), Arg::Flag(false), tenant, from, connection, subject],
    )
}

/// The identity that the record is, as the columns of its row name it.
pub fn identity_of(connection: ConnectionId, record: RecordId) -> [Arg; 2] {
    [Arg::Uuid(connection.uuid()), Arg::Octets(digest(&[&record.to_string()]))]
}

/// Identity and profile of the record become `person`'s, in the place of those of records that are gone; whose they
/// were is gone then. Their tombstone says so to whoever follows what changes: it stands for the person, and for no
/// subject that could come.
pub fn move_identity(
    tenant: TenantId,
    this: &[Arg; 2],
    (from, person): (PersonId, PersonId),
    now: Timestamp,
) -> Vec<Change> {
    let [connection, subject] = this.clone();
    let (to, was) = (Arg::Uuid(person.uuid()), Arg::Uuid(from.uuid()));
    let at = || vec![uuid(tenant), connection.clone(), subject.clone(), was.clone()];
    let mine = "WHERE tenant_id = ? AND connection_id = ? AND subject_hash = ? AND person_id = ?";
    let mut changes = vec![
        Change::new(format!("UPDATE identities SET person_id = ? {mine}"), [vec![to.clone()], at()].concat()),
        Change::new(
            format!("UPDATE profiles SET person_id = ?, changed_at = ? {mine}"),
            [vec![to, millis(now)], at()].concat(),
        ),
        Change::new(
            "INSERT INTO tombstones (tenant_id, connection_id, subject_hash, person_id, reason, at) \
             VALUES (?, ?, ?, ?, 'deleted', ?) ON CONFLICT (tenant_id, connection_id, subject_hash) DO NOTHING",
            vec![
                uuid(tenant),
                connection.clone(),
                Arg::Octets(digest(&["person", &from.to_string()])),
                was.clone(),
                millis(now),
            ],
        ),
    ];
    changes.extend(delete_person(tenant, from));
    changes
}

/// What records of the connection that are gone have left of the person.
pub fn forget_gone(tenant: TenantId, this: &[Arg; 2], person: PersonId) -> [Change; 2] {
    let [connection, subject] = this.clone();
    let args = || vec![uuid(tenant), connection.clone(), subject.clone(), Arg::Uuid(person.uuid())];
    let gone = "WHERE tenant_id = ? AND connection_id = ? AND subject_hash <> ? AND person_id = ?";
    let off = "AND EXISTS (SELECT 1 FROM profiles r WHERE r.tenant_id = identities.tenant_id \
               AND r.connection_id = identities.connection_id AND r.subject_hash = identities.subject_hash \
               AND r.source = 'push' AND r.disabled IS NOT NULL)";
    [
        Change::new(format!("DELETE FROM identities {gone} {off}"), args()),
        Change::new(format!("DELETE FROM profiles {gone} AND source = 'push' AND disabled IS NOT NULL"), args()),
    ]
}
