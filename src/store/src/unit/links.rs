//! People, the upstream identities that they come by, and the identifiers that they were given.

use fedbridge_contract::downstream::NewNameId;
use fedbridge_contract::ids::{ConnectionId, PersonId, TenantId};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{IdentityNews, NewLink, TombstoneReason};

use super::{millis, uuid};
use crate::config::{OF_PERSON, OF_SESSION};
use crate::work::{Arg, Change, digest};

const LEAVE: &str = "INSERT INTO tombstones (tenant_id, connection_id, subject_hash, person_id, reason, at) \
    SELECT tenant_id, connection_id, subject_hash, person_id, ?, ? FROM identities WHERE tenant_id = ? AND person_id = ?";

/// A door that was closed stays closed.
const OVER: &str = "ON CONFLICT (tenant_id, connection_id, subject_hash) DO UPDATE SET \
    person_id = excluded.person_id, reason = excluded.reason, at = excluded.at WHERE tombstones.reason <> 'blocked'";

/// Each reason with its word in the table.
const REASONS: [(TombstoneReason, &str); 3] = [
    (TombstoneReason::Unlinked, "unlinked"),
    (TombstoneReason::Deleted, "deleted"),
    (TombstoneReason::Blocked, "blocked"),
];

pub fn create_person(tenant: TenantId, link: &NewLink, now: Timestamp) -> Change {
    Change::new(
        "INSERT INTO people (tenant_id, id, disabled, created_at) VALUES (?, ?, ?, ?)",
        vec![uuid(tenant), Arg::Uuid(link.person.uuid()), Arg::Flag(false), millis(now)],
    )
}

/// With all that hangs on them, the person last.
pub fn delete_person(tenant: TenantId, person: PersonId) -> Vec<Change> {
    let both = || vec![uuid(tenant), Arg::Uuid(person.uuid())];
    let of_sessions = OF_SESSION.map(|table| {
        let sessions = "SELECT id FROM sessions WHERE tenant_id = ? AND person_id = ?";
        let sql = format!("DELETE FROM {table} WHERE tenant_id = ? AND session_id IN ({sessions})");
        Change::new(sql, [vec![uuid(tenant)], both()].concat())
    });
    let of_person = OF_PERSON.map(|(table, column)| {
        Change::new(format!("DELETE FROM {table} WHERE tenant_id = ? AND {column} = ?"), both())
    });
    of_sessions.into_iter().chain(of_person).collect()
}

/// A subject that an administrator has blocked is nobody's, whatever was read before the door closed.
pub fn link_person(tenant: TenantId, link: NewLink, now: Timestamp) -> Change {
    let subject = Arg::Octets(digest(&[&link.subject_key]));
    Change::new(
        "INSERT INTO identities \
         (tenant_id, connection_id, subject_hash, subject_key, display, person_id, created_at, email_hash) \
         SELECT ?, ?, ?, ?, ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM tombstones t WHERE t.tenant_id = ? \
         AND t.connection_id = ? AND t.subject_hash = ? AND t.reason = 'blocked') \
         ON CONFLICT (tenant_id, connection_id, subject_hash) DO NOTHING",
        vec![
            uuid(tenant),
            Arg::Uuid(link.connection.uuid()),
            subject.clone(),
            Arg::Text(link.subject_key),
            Arg::Text(link.display),
            Arg::Uuid(link.person.uuid()),
            millis(now),
            Arg::OptOctets(link.email.map(Vec::from)),
            uuid(tenant),
            Arg::Uuid(link.connection.uuid()),
            subject,
        ],
    )
}

/// The first person under a scope notes it; all others find it there.
pub fn note_scope(tenant: TenantId, connection: ConnectionId, scope: &str, now: Timestamp) -> Change {
    Change::new(
        "INSERT INTO subject_scopes (tenant_id, connection_id, scope_hash, scope, first_at) VALUES (?, ?, ?, ?, ?) \
         ON CONFLICT (tenant_id, connection_id, scope_hash) DO NOTHING",
        vec![
            uuid(tenant),
            Arg::Uuid(connection.uuid()),
            Arg::Octets(digest(&[scope])),
            Arg::Text(scope.to_owned()),
            millis(now),
        ],
    )
}

/// Writes the person's row as it is, which holds it: of several who take away what a person comes by, the next
/// one sees what the first has left.
pub fn hold_person(tenant: TenantId, person: PersonId) -> Change {
    Change::new(
        "UPDATE people SET created_at = created_at WHERE tenant_id = ? AND id = ?",
        vec![uuid(tenant), Arg::Uuid(person.uuid())],
    )
}

/// As [`hold_person`], for a login of a person. Only what is new is written, the index of addresses among it.
/// On PostgreSQL, a link whose statement began before the door was closed may be there still: it opens nothing.
pub fn hold_identity(
    tenant: TenantId,
    person: PersonId,
    connection: ConnectionId,
    subject: &str,
    news: IdentityNews,
) -> Change {
    let (held, mut args) = match (news.email, news.display) {
        (None, None) => ("created_at = created_at", Vec::new()),
        (Some(email), None) => ("email_hash = ?", vec![Arg::Octets(email.to_vec())]),
        (None, Some(display)) => ("display = ?", vec![Arg::Text(display)]),
        (Some(email), Some(display)) => {
            ("email_hash = ?, display = ?", vec![Arg::Octets(email.to_vec()), Arg::Text(display)])
        }
    };
    let this = [uuid(tenant), Arg::Uuid(connection.uuid()), Arg::Octets(digest(&[subject])), Arg::Uuid(person.uuid())];
    args.extend(this);
    Change::new(
        format!(
            "UPDATE identities SET {held} WHERE tenant_id = ? AND connection_id = ? AND subject_hash = ? \
             AND person_id = ? AND NOT EXISTS (SELECT 1 FROM tombstones t WHERE t.tenant_id = identities.tenant_id \
             AND t.connection_id = identities.connection_id AND t.subject_hash = identities.subject_hash \
             AND t.reason = 'blocked')"
        ),
        args,
    )
}

pub fn leave_tombstone(
    tenant: TenantId,
    person: PersonId,
    (connection, subject): (ConnectionId, &str),
    reason: TombstoneReason,
    now: Timestamp,
) -> Change {
    let mut args = leaving(tenant, person, reason, now);
    args.extend([Arg::Uuid(connection.uuid()), Arg::Octets(digest(&[subject]))]);
    Change::new(format!("{LEAVE} AND connection_id = ? AND subject_hash = ? {OVER}"), args)
}

/// As [`leave_tombstone`], for all identities of a person.
pub fn leave_tombstones(tenant: TenantId, person: PersonId, reason: TombstoneReason, now: Timestamp) -> Change {
    Change::new(format!("{LEAVE} {OVER}"), leaving(tenant, person, reason, now))
}

fn leaving(tenant: TenantId, person: PersonId, reason: TombstoneReason, now: Timestamp) -> Vec<Arg> {
    let word = REASONS.iter().find(|(it, _)| *it == reason).map_or("blocked", |(_, word)| word);
    vec![Arg::Text(word.to_owned()), millis(now), uuid(tenant), Arg::Uuid(person.uuid())]
}

pub fn reason(word: &str) -> Option<TombstoneReason> {
    REASONS.iter().find(|(_, it)| *it == word).map(|(reason, _)| *reason)
}

/// Nobody loses their last way in.
pub fn unlink(tenant: TenantId, person: PersonId, connection: ConnectionId, subject: &str) -> Change {
    let this = || [Arg::Uuid(connection.uuid()), Arg::Octets(digest(&[subject]))];
    let mut args = vec![uuid(tenant)];
    args.extend(this());
    args.extend([Arg::Uuid(person.uuid()), uuid(tenant), Arg::Uuid(person.uuid())]);
    args.extend(this());
    Change::new(
        "DELETE FROM identities WHERE tenant_id = ? AND connection_id = ? AND subject_hash = ? AND person_id = ? \
         AND EXISTS (SELECT 1 FROM identities o WHERE o.tenant_id = ? AND o.person_id = ? \
         AND NOT (o.connection_id = ? AND o.subject_hash = ?))",
        args,
    )
}

pub fn keep_name_id(tenant: TenantId, new: NewNameId, now: Timestamp) -> Change {
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
