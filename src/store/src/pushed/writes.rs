//! Records as changes.

use std::time::Duration;

use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{PersonId, RecordId, TenantId};
use fedbridge_contract::push::PushPlace;
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{NewRecord, Sealer, Seen};

use super::read::{kind_word, seal};
use crate::unit::{millis, uuid};
use crate::work::{Arg, Change};

/// How long it is known who was switched off: longer than any guard looks back (65,535 minutes).
const KEEP_SHUT: Duration = Duration::from_secs(46 * 24 * 60 * 60);

/// Guard: the name is free.
pub fn insert(place: PushPlace, new: &NewRecord, now: Timestamp, sealer: &dyn Sealer) -> Result<Change, StoreError> {
    let args = vec![
        uuid(place.tenant),
        Arg::Uuid(new.id.uuid()),
        Arg::Uuid(place.connection.uuid()),
        kind_word(new.kind),
        Arg::Int(1),
        millis(now),
        millis(now),
        Arg::Text(new.display.clone()),
        Arg::Flag(new.active),
        Arg::OptOctets(hash(new.unique)),
        Arg::OptOctets(hash(new.external)),
        Arg::OptOctets(hash(new.matches)),
        Arg::Octets(seal(place, new, sealer)?),
    ];
    let (person, args) = with_person(new.person, args, 9);
    let sql = format!(
        "INSERT INTO pushed_records (tenant_id, id, connection_id, kind, version, created_at, modified_at, display, \
         active, person_id, unique_hash, external_hash, match_hash, sealed) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, {person}, ?, ?, ?, ?) \
         ON CONFLICT (tenant_id, connection_id, kind, unique_hash) DO NOTHING"
    );
    Ok(Change { guarded: true, ..Change::new(sql, args) })
}

/// Guard: it is there as it was seen. The unique index keeps the name.
pub fn update(
    place: PushPlace,
    seen: &Seen,
    new: &NewRecord,
    now: Timestamp,
    sealer: &dyn Sealer,
) -> Result<Change, StoreError> {
    let args = vec![
        millis(now),
        Arg::Text(new.display.clone()),
        Arg::Flag(new.active),
        Arg::OptOctets(hash(new.unique)),
        Arg::OptOctets(hash(new.external)),
        Arg::OptOctets(hash(new.matches)),
        Arg::Octets(seal(place, new, sealer)?),
        uuid(place.tenant),
        Arg::Uuid(new.id.uuid()),
        Arg::Uuid(place.connection.uuid()),
        kind_word(new.kind),
    ];
    let (person, mut args) = with_person(new.person, args, 3);
    let (as_seen, seen) = as_seen(seen);
    args.extend(seen);
    let sql = format!(
        "UPDATE pushed_records SET version = version + 1, modified_at = ?, display = ?, active = ?, \
         person_id = {person}, unique_hash = ?, external_hash = ?, match_hash = ?, sealed = ? \
         WHERE tenant_id = ? AND id = ? AND connection_id = ? AND kind = ? AND {as_seen}"
    );
    Ok(Change { guarded: true, ..Change::new(sql, args) })
}

/// Guard: it is there.
pub fn touch(place: PushPlace, id: RecordId, now: Timestamp) -> Change {
    let sql = "UPDATE pushed_records SET version = version + 1, modified_at = ? \
               WHERE tenant_id = ? AND id = ? AND connection_id = ?";
    Change { guarded: true, ..Change::new(sql, [vec![millis(now)], this(place, id)].concat()) }
}

/// Nobody else changes it until the unit is done.
pub fn hold(place: PushPlace, id: RecordId) -> Change {
    let sql = "UPDATE pushed_records SET version = version WHERE tenant_id = ? AND id = ? AND connection_id = ?";
    Change::new(sql, this(place, id))
}

/// Guard: it is there, with this version where one is given. Keys and memberships go with it.
pub fn delete(place: PushPlace, id: RecordId, version: Option<i64>) -> Change {
    let sql = "DELETE FROM pushed_records WHERE tenant_id = ? AND id = ? AND connection_id = ?";
    let change = match version {
        None => Change::new(sql, this(place, id)),
        Some(version) => {
            Change::new(format!("{sql} AND version = ?"), [this(place, id), vec![Arg::Int(version)]].concat())
        }
    };
    Change { guarded: true, ..change }
}

/// A mark that was made since then stays. Guard: it is there as it was seen.
pub fn restated(place: PushPlace, id: RecordId, seen: &Seen, looked: Timestamp) -> Change {
    let (as_seen, args) = as_seen(seen);
    let sql = format!(
        "UPDATE pushed_records SET restate_at = CASE WHEN restate_at < ? THEN NULL ELSE restate_at END \
         WHERE tenant_id = ? AND id = ? AND connection_id = ? AND {as_seen}"
    );
    Change { guarded: true, ..Change::new(sql, [vec![millis(looked)], this(place, id), args].concat()) }
}

fn as_seen(seen: &Seen) -> (&'static str, Vec<Arg>) {
    let version = Arg::Int(seen.version);
    match seen.regrouped {
        None => ("version = ? AND regrouped_at IS NULL", vec![version]),
        Some((at, by)) => {
            ("version = ? AND regrouped_at = ? AND regrouped_by = ?", vec![version, millis(at), Arg::Uuid(by.uuid())])
        }
    }
}

pub fn add_keys(place: PushPlace, new: &NewRecord) -> Option<Change> {
    if new.keys.is_empty() {
        return None;
    }
    let rows = vec!["(?, ?, ?, ?)"; new.keys.len()].join(", ");
    let row = |key: &[u8; 32]| {
        [uuid(place.tenant), Arg::Uuid(place.connection.uuid()), Arg::Octets(key.to_vec()), Arg::Uuid(new.id.uuid())]
    };
    let sql = format!(
        "INSERT INTO pushed_keys (tenant_id, connection_id, key_hash, record_id) VALUES {rows} \
         ON CONFLICT (tenant_id, connection_id, key_hash, record_id) DO NOTHING"
    );
    Some(Change::new(sql, new.keys.iter().flat_map(row).collect()))
}

/// Keys that it had and has no more.
pub fn drop_keys(place: PushPlace, new: &NewRecord) -> Change {
    let mut sql = "DELETE FROM pushed_keys WHERE tenant_id = ? AND record_id = ? AND connection_id = ?".to_owned();
    let mut args = this(place, new.id);
    if !new.keys.is_empty() {
        sql.push_str(&format!(" AND key_hash NOT IN ({})", vec!["?"; new.keys.len()].join(", ")));
        args.extend(new.keys.iter().map(|key| Arg::Octets(key.to_vec())));
    }
    Change::new(sql, args)
}

/// Notes that a user is switched off, where they were on. It goes before the write that does it.
pub fn note_shut(place: PushPlace, id: RecordId, now: Timestamp) -> [Change; 2] {
    noted(place, id, now, ("AND r.active = ? ", vec![Arg::Flag(true)]))
}

/// Notes that something keeps a user out.
pub fn note_out(place: PushPlace, id: RecordId, now: Timestamp) -> [Change; 2] {
    noted(place, id, now, ("", Vec::new()))
}

fn noted(place: PushPlace, id: RecordId, now: Timestamp, (only, args): (&str, Vec<Arg>)) -> [Change; 2] {
    let note = Change::new(
        format!(
            "INSERT INTO pushed_shuts (tenant_id, connection_id, record_id, at) \
             SELECT r.tenant_id, r.connection_id, r.id, ? FROM pushed_records r \
             WHERE r.tenant_id = ? AND r.id = ? AND r.connection_id = ? AND r.kind = 'user' {only}\
             ON CONFLICT (tenant_id, connection_id, record_id) DO UPDATE SET at = excluded.at"
        ),
        [vec![millis(now)], this(place, id), args].concat(),
    );
    let old = now.millis().saturating_sub(i64::try_from(KEEP_SHUT.as_millis()).unwrap_or(i64::MAX));
    let sweep = Change::new(
        "DELETE FROM pushed_shuts WHERE tenant_id = ? AND connection_id = ? AND at BETWEEN ? AND ?",
        vec![uuid(place.tenant), Arg::Uuid(place.connection.uuid()), Arg::Int(0), Arg::Int(old)],
    );
    [note, sweep]
}

/// A person who is deleted is nobody's any more. The version grows, so that nobody writes them back.
pub fn forget_person(tenant: TenantId, person: PersonId) -> Change {
    Change::new(
        "UPDATE pushed_records SET person_id = NULL, version = version + 1 WHERE tenant_id = ? AND person_id = ?",
        vec![uuid(tenant), Arg::Uuid(person.uuid())],
    )
}

/// The person's place in the statement, and the values with the person at this place.
fn with_person(person: Option<PersonId>, mut args: Vec<Arg>, at: usize) -> (&'static str, Vec<Arg>) {
    match person {
        None => ("NULL", args),
        Some(person) => {
            args.insert(at, Arg::Uuid(person.uuid()));
            ("?", args)
        }
    }
}

fn this(place: PushPlace, id: RecordId) -> Vec<Arg> {
    vec![uuid(place.tenant), Arg::Uuid(id.uuid()), Arg::Uuid(place.connection.uuid())]
}

fn hash(hash: Option<[u8; 32]>) -> Option<Vec<u8>> {
    hash.map(Vec::from)
}
