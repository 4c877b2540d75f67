//! What upstreams say of people, groups, and POSIX numbers.

use std::borrow::Cow;

use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{ConnectionId, GroupId, PersonId, TenantId};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{NewProfile, PosixOwner, Profile, ProfileBy, ProfileSource, Sealer};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{millis, uuid};
use crate::work::{Arg, Change, digest};

/// Each source with its word in the table.
const SOURCES: [(ProfileSource, &str); 3] =
    [(ProfileSource::Login, "login"), (ProfileSource::Sync, "sync"), (ProfileSource::Push, "push")];

const INSERT: &str = "INSERT INTO profiles (tenant_id, connection_id, subject_hash, person_id, source, digest, disabled, \
    sweep, created_at, changed_at, sealed) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) \
    ON CONFLICT (tenant_id, connection_id, subject_hash) DO UPDATE SET ";

const SAID: &str = "source = excluded.source, digest = excluded.digest, sealed = excluded.sealed";

/// What a login says stands until a sync says it.
const LOGIN: &str = "digest = CASE WHEN profiles.source = 'login' THEN excluded.digest ELSE profiles.digest END, \
    sealed = CASE WHEN profiles.source = 'login' THEN excluded.sealed ELSE profiles.sealed END";

/// What is said of a person who is not kept out counts as new where it differs; so does being kept out.
const CHANGED: &str = "changed_at = CASE WHEN profiles.digest <> excluded.digest \
    OR coalesce(profiles.disabled, '') <> coalesce(excluded.disabled, '') THEN excluded.changed_at \
    ELSE profiles.changed_at END";

/// What is sealed, with whose it is: the row holds but a hash of that.
#[derive(Serialize, Deserialize)]
pub struct SealedProfile<'a> {
    pub subject_key: Cow<'a, str>,
    pub profile: Cow<'a, Profile>,
}

pub fn keep_profile(
    tenant: TenantId,
    new: &NewProfile,
    now: Timestamp,
    sealer: &dyn Sealer,
) -> Result<Change, StoreError> {
    let (update, sweep) = match new.by {
        ProfileBy::Login { synced: true } => {
            let sql = format!(
                "{INSERT} {LOGIN}, disabled = excluded.disabled, changed_at = excluded.changed_at \
                 WHERE profiles.disabled IS NOT NULL \
                 OR (profiles.source = 'login' AND profiles.digest <> excluded.digest)"
            );
            (sql, 0)
        }
        ProfileBy::Login { synced: false } => {
            let sql = format!(
                "{INSERT} {SAID}, disabled = excluded.disabled, changed_at = excluded.changed_at \
                 WHERE profiles.digest <> excluded.digest OR profiles.disabled IS NOT NULL"
            );
            (sql, 0)
        }
        // Always: the number has to be written.
        ProfileBy::Sync { sweep } => {
            (format!("{INSERT} {SAID}, disabled = excluded.disabled, sweep = excluded.sweep, {CHANGED}"), sweep)
        }
        ProfileBy::Push => (format!("{INSERT} {SAID}, disabled = excluded.disabled, {CHANGED}"), 0),
    };
    Ok(Change::new(
        update,
        vec![
            uuid(tenant),
            Arg::Uuid(new.connection.uuid()),
            Arg::Octets(digest(&[&new.subject_key])),
            Arg::Uuid(new.person.uuid()),
            Arg::Text(source_word(new.by.source()).to_owned()),
            Arg::Octets(new.digest.to_vec()),
            Arg::OptText(new.disabled.clone()),
            Arg::Int(sweep),
            millis(now),
            millis(now),
            Arg::Octets(seal_profile(tenant, new.connection, &new.subject_key, &new.profile, sealer)?),
        ],
    ))
}

pub fn see_profile(tenant: TenantId, connection: ConnectionId, subject: &str, sweep: i64) -> Change {
    Change::new(
        "UPDATE profiles SET sweep = ? WHERE tenant_id = ? AND connection_id = ? AND subject_hash = ?",
        vec![Arg::Int(sweep), uuid(tenant), Arg::Uuid(connection.uuid()), Arg::Octets(digest(&[subject]))],
    )
}

/// Nodes look for what has changed: a person who was killed, disabled or numbered has.
pub fn touch_profiles(tenant: TenantId, person: PersonId, now: Timestamp) -> Change {
    Change::new(
        "UPDATE profiles SET changed_at = ? WHERE tenant_id = ? AND person_id = ?",
        vec![millis(now), uuid(tenant), Arg::Uuid(person.uuid())],
    )
}

pub fn ensure_group(tenant: TenantId, id: GroupId, name: String, now: Timestamp) -> Change {
    Change::new(
        "INSERT INTO directory_groups (tenant_id, id, name_hash, name, created_at, changed_at) \
         VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (tenant_id, name_hash) DO NOTHING",
        vec![
            uuid(tenant),
            Arg::Uuid(id.uuid()),
            Arg::Octets(digest(&[&name.to_lowercase()])),
            Arg::Text(name),
            millis(now),
            millis(now),
        ],
    )
}

/// Writes the tenant's row as it is, which holds it: of several who give numbers the next one sees what the first
/// has given.
pub fn hold_tenant(tenant: TenantId) -> Change {
    Change::new("UPDATE tenants SET slug = slug WHERE tenant_id = ?", vec![uuid(tenant)])
}

/// The number behind the highest one of the range that was ever given: one below it may have been somebody's.
pub fn give_number(tenant: TenantId, owner: PosixOwner, (first, last): (u32, u32), now: Timestamp) -> [Change; 2] {
    let (kind, table, id) = match owner {
        PosixOwner::Person(person) => ("user", "people", person.uuid()),
        PosixOwner::Group(group) => ("group", "directory_groups", group.uuid()),
    };
    let (first, last) = (Arg::Int(i64::from(first)), Arg::Int(i64::from(last)));
    let before = match &first {
        Arg::Int(first) => Arg::Int(first - 1),
        other => other.clone(),
    };
    let give = Change::new(
        format!(
            "INSERT INTO posix_numbers (tenant_id, number, kind, owner_id, at) SELECT ?, free.number, ?, ?, ? FROM \
             (SELECT coalesce(max(number), ?) + 1 AS number FROM posix_numbers WHERE tenant_id = ? \
             AND number BETWEEN ? AND ?) free WHERE free.number <= ? \
             AND EXISTS (SELECT 1 FROM {table} o WHERE o.tenant_id = ? AND o.id = ?) \
             AND NOT EXISTS (SELECT 1 FROM posix_numbers h WHERE h.tenant_id = ? AND h.owner_id = ?)"
        ),
        vec![
            uuid(tenant),
            Arg::Text(kind.to_owned()),
            Arg::Uuid(id),
            millis(now),
            before,
            uuid(tenant),
            first,
            last.clone(),
            last,
            uuid(tenant),
            Arg::Uuid(id),
            uuid(tenant),
            Arg::Uuid(id),
        ],
    );
    let told = match owner {
        PosixOwner::Person(person) => touch_profiles(tenant, person, now),
        PosixOwner::Group(_) => touch_group(tenant, id, now),
    };
    [give, told]
}

fn touch_group(tenant: TenantId, group: Uuid, now: Timestamp) -> Change {
    Change::new(
        "UPDATE directory_groups SET changed_at = ? WHERE tenant_id = ? AND id = ?",
        vec![millis(now), uuid(tenant), Arg::Uuid(group)],
    )
}

pub fn seal_profile(
    tenant: TenantId,
    connection: ConnectionId,
    subject: &str,
    profile: &Profile,
    sealer: &dyn Sealer,
) -> Result<Vec<u8>, StoreError> {
    let sealed = SealedProfile { subject_key: Cow::Borrowed(subject), profile: Cow::Borrowed(profile) };
    let plain = serde_json::to_vec(&sealed).map_err(|_| StoreError("the profile can't be written as JSON".into()))?;
    Ok(sealer.seal(&profile_place(tenant, connection, &digest(&[subject])), &plain))
}

/// The place that a profile is sealed for.
pub fn profile_place(tenant: TenantId, connection: ConnectionId, subject_hash: &[u8]) -> Vec<u8> {
    let mut place = format!("{tenant}/profile/{connection}/").into_bytes();
    place.extend_from_slice(subject_hash);
    place
}

pub fn source(word: &str) -> Option<ProfileSource> {
    SOURCES.iter().find(|(_, it)| *it == word).map(|(source, _)| *source)
}

pub fn source_word(source: ProfileSource) -> &'static str {
    SOURCES.iter().find(|(it, _)| *it == source).map_or("login", |(_, word)| word)
}
