//! Who is in a group, as changes.

use fedbridge_contract::ids::{RecordId, TraceId};
use fedbridge_contract::push::PushPlace;
use fedbridge_contract::time::Timestamp;
use uuid::Uuid;

use super::lists::{Part, parts};
use crate::unit::{millis, uuid};
use crate::work::{Arg, Change};

/// Writes the group's row as it is, which holds it: of several who change its members the next one sees what the
/// first has done. Guard: it is there.
pub fn hold(place: PushPlace, group: RecordId) -> Change {
    let change = Change::new(
        "UPDATE pushed_records SET version = version WHERE tenant_id = ? AND connection_id = ? AND id = ? \
         AND kind = 'group'",
        vec![uuid(place.tenant), Arg::Uuid(place.connection.uuid()), Arg::Uuid(group.uuid())],
    );
    Change { guarded: true, ..change }
}

/// Guard: all of these are there.
pub fn all_there(place: PushPlace, group: RecordId, part: &Part<'_>) -> Change {
    let sql = format!(
        "UPDATE pushed_records SET version = version WHERE tenant_id = ? AND id = ? AND ? = (SELECT count(*) \
         FROM pushed_records m WHERE m.tenant_id = ? AND m.connection_id = ? AND m.id IN ({}))",
        part.places()
    );
    let mut args = vec![
        uuid(place.tenant),
        Arg::Uuid(group.uuid()),
        Arg::Int(i64::try_from(part.ids.len()).unwrap_or(i64::MAX)),
        uuid(place.tenant),
        Arg::Uuid(place.connection.uuid()),
    ];
    args.extend(part.args());
    Change { guarded: true, ..Change::new(sql, args) }
}

pub fn add(place: PushPlace, group: RecordId, part: &Part<'_>) -> Change {
    let sql = format!(
        "INSERT INTO pushed_members (tenant_id, group_id, member_id) SELECT r.tenant_id, ?, r.id \
         FROM pushed_records r WHERE r.tenant_id = ? AND r.connection_id = ? AND r.id IN ({}) \
         ON CONFLICT (tenant_id, group_id, member_id) DO NOTHING",
        part.places()
    );
    let mut args = vec![Arg::Uuid(group.uuid()), uuid(place.tenant), Arg::Uuid(place.connection.uuid())];
    args.extend(part.args());
    Change::new(sql, args)
}

pub fn remove(place: PushPlace, group: RecordId, part: &Part<'_>) -> Change {
    let sql = format!(
        "DELETE FROM pushed_members WHERE tenant_id = ? AND group_id = ? AND member_id IN ({}) AND {OWN}",
        part.places()
    );
    let mut args = vec![uuid(place.tenant), Arg::Uuid(group.uuid())];
    args.extend(part.args());
    args.extend(own(place, group));
    Change::new(sql, args)
}

/// Takes out everybody who is not in a list of distinct ids in order: part by part, each with all ids up to the next
/// part, so that no statement holds the whole list.
pub fn keep_only(place: PushPlace, group: RecordId, members: &[RecordId]) -> Vec<Change> {
    let head = || vec![uuid(place.tenant), Arg::Uuid(group.uuid())];
    if members.is_empty() {
        let sql = format!("DELETE FROM pushed_members WHERE tenant_id = ? AND group_id = ? AND {OWN}");
        return vec![Change::new(sql, [head(), own(place, group)].concat())];
    }
    let mut first = Uuid::nil();
    let mut changes = Vec::new();
    let mut left = parts(members).peekable();
    while let Some(part) = left.next() {
        let next = left.peek().and_then(|next| next.ids.first()).map(|id| id.uuid());
        // The next part begins with its own first id, which is there to stay.
        let last = next.unwrap_or(Uuid::max());
        let sql = format!(
            "DELETE FROM pushed_members WHERE tenant_id = ? AND group_id = ? AND member_id BETWEEN ? AND ? \
             AND member_id <> ? AND member_id NOT IN ({}) AND {OWN}",
            part.places()
        );
        let mut args = head();
        args.extend([Arg::Uuid(first), Arg::Uuid(last), Arg::Uuid(next.unwrap_or(Uuid::nil()))]);
        args.extend(part.args());
        args.extend(own(place, group));
        changes.push(Change::new(sql, args));
        first = last;
    }
    changes
}

/// Members of the group, users and groups.
pub fn restate(place: PushPlace, group: RecordId, (txn, now): (Option<TraceId>, Timestamp)) -> Change {
    let (by, mut args) = regrouped(txn, now);
    let sql = format!(
        "UPDATE pushed_records SET restate_at = ?{by} WHERE tenant_id = ? AND connection_id = ? \
         AND id IN (SELECT m.member_id FROM pushed_members m WHERE m.tenant_id = ? AND m.group_id = ?)"
    );
    args.extend([uuid(place.tenant), Arg::Uuid(place.connection.uuid()), uuid(place.tenant), Arg::Uuid(group.uuid())]);
    Change::new(sql, args)
}

/// Users at any depth. Their groups have changed by what those of the group have changed by. What was found already is
/// not looked at again, so circles end.
pub fn restate_below(place: PushPlace, group: RecordId, now: Timestamp) -> Change {
    let this = || [uuid(place.tenant), Arg::Uuid(group.uuid())];
    let mut args = vec![millis(now)];
    args.extend(this());
    args.extend(this());
    args.extend([uuid(place.tenant), Arg::Uuid(place.connection.uuid())]);
    args.extend(this());
    args.push(uuid(place.tenant));
    Change::new(
        "UPDATE pushed_records SET restate_at = ?, \
         regrouped_at = (SELECT g.regrouped_at FROM pushed_records g WHERE g.tenant_id = ? AND g.id = ?), \
         regrouped_by = (SELECT g.regrouped_by FROM pushed_records g WHERE g.tenant_id = ? AND g.id = ?) \
         WHERE tenant_id = ? AND connection_id = ? AND kind = 'user' AND id IN ( \
         WITH RECURSIVE below(id) AS (SELECT d.member_id FROM pushed_members d \
         WHERE d.tenant_id = ? AND d.group_id = ? UNION SELECT m.member_id FROM below b JOIN pushed_members m ON m.tenant_id = ? AND m.group_id = b.id) SELECT id FROM below)",
        args,
    )
}

pub fn restate_these(place: PushPlace, part: &Part<'_>, (txn, now): (Option<TraceId>, Timestamp)) -> Change {
    let (by, mut args) = regrouped(txn, now);
    let sql = format!(
        "UPDATE pushed_records SET restate_at = ?{by} WHERE tenant_id = ? AND connection_id = ? AND id IN ({})",
        part.places()
    );
    args.extend([uuid(place.tenant), Arg::Uuid(place.connection.uuid())]);
    args.extend(part.args());
    Change::new(sql, args)
}

/// The mark, and the change by which groups have changed where it is one.
fn regrouped(txn: Option<TraceId>, now: Timestamp) -> (&'static str, Vec<Arg>) {
    match txn {
        Some(txn) => (", regrouped_at = ?, regrouped_by = ?", vec![millis(now), millis(now), Arg::Uuid(txn.uuid())]),
        None => ("", vec![millis(now)]),
    }
}

/// The group is one of this connection.
const OWN: &str = "EXISTS (SELECT 1 FROM pushed_records g WHERE g.tenant_id = ? AND g.id = ? AND g.connection_id = ?)";

fn own(place: PushPlace, group: RecordId) -> Vec<Arg> {
    vec![uuid(place.tenant), Arg::Uuid(group.uuid()), Arg::Uuid(place.connection.uuid())]
}
