//! The ports of profiles: what upstreams say of people, and who has changed.

use async_trait::async_trait;
use fedbridge_contract::epoch::{Epoch, Killed};
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{ConnectionId, PersonId, TenantId};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{
    ChangedPerson, KeptOut, KnownSubject, LastSaid, Profile, ProfileNews, ProfileStore, ProfiledPerson, StoredGroup,
    StoredProfile, Sweep, SweepCount, Unit, UnitError, Unseen,
};
use uuid::Uuid;

use crate::error::damaged;
use crate::login::answered;
use crate::open::Store;
use crate::row::{Row, get, time, time_or_none, uuid as read_uuid};
use crate::system::SystemStore;
use crate::unit::{SealedProfile, millis, plan, profile_place, seal_profile, source, uuid};
use crate::work::{Arg, Change, digest};

/// What [`Store::read_profiled`] reads, and from where.
const PROFILED: &str = "p.id, (p.disabled OR p.shut_at IS NOT NULL), coalesce(p.epoch, 0), p.created_at, n.number, r.connection_id, r.source, \
    r.disabled, r.created_at, r.changed_at, r.subject_hash, r.sealed FROM profiles r \
    JOIN people p ON p.tenant_id = r.tenant_id AND p.id = r.person_id \
    LEFT JOIN posix_numbers n ON n.tenant_id = r.tenant_id AND n.owner_id = r.person_id";

/// How the rows of one person lie together.
const BY_PERSON: &str = "ORDER BY r.person_id, r.created_at, r.connection_id, r.subject_hash";

/// How many people are asked for with one statement: two sizes, so that PostgreSQL keeps few statements, and few
/// people, so that it looks for each of them.
const SIZES: [usize; 2] = [1, 4];

/// Both bounds are named, because SQLite takes a range without an end for a quarter of the table.
const CHANGED: &str = "SELECT person_id, max(at), max(epoch) FROM (\
    SELECT person_id, changed_at AS at, CAST(0 AS bigint) AS epoch FROM profiles \
    WHERE changed_at BETWEEN ? AND ? AND tenant_id = ? UNION ALL \
    SELECT person_id, at, CAST(0 AS bigint) FROM tombstones WHERE at BETWEEN ? AND ? AND tenant_id = ? UNION ALL \
    SELECT id, CAST(0 AS bigint), epoch FROM people \
    WHERE epoch BETWEEN ? AND ? AND epoch IS NOT NULL AND tenant_id = ?) changes GROUP BY person_id";

const NEWS: &str = "SELECT tenant_id FROM profiles WHERE changed_at BETWEEN ? AND ? UNION \
    SELECT tenant_id FROM directory_groups WHERE changed_at BETWEEN ? AND ? UNION \
    SELECT tenant_id FROM tombstones WHERE at BETWEEN ? AND ? UNION \
    SELECT tenant_id FROM people WHERE epoch BETWEEN ? AND ? AND epoch IS NOT NULL";

/// Identities, with what was said of them last.
const SAID: &str = "FROM identities i LEFT JOIN profiles r ON r.tenant_id = i.tenant_id \
    AND r.connection_id = i.connection_id AND r.subject_hash = i.subject_hash";

#[async_trait]
impl ProfileStore for Store {
    async fn provision(&self, tenant: TenantId, unit: Unit) -> Result<(), UnitError> {
        let plan = plan(tenant, unit, &*self.inner.sealer)?;
        let done = self.background(plan.changes).await;
        answered(done, plan.guards)
    }

    async fn known(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
        subject_key: &str,
    ) -> Result<Option<KnownSubject>, StoreError> {
        let sql = format!(
            "SELECT i.person_id, i.email_hash, n.number, r.digest, r.source, r.disabled, i.display {SAID} \
             LEFT JOIN posix_numbers n ON n.tenant_id = i.tenant_id AND n.owner_id = i.person_id \
             WHERE i.tenant_id = ? AND i.connection_id = ? AND i.subject_hash = ?"
        );
        let row = self.one(&sql, subject(tenant, connection, subject_key)).await?;
        row.map(|row| {
            let last = match get::<Option<Vec<u8>>>(&row, 3)? {
                None => None,
                Some(digest) => Some(LastSaid {
                    digest: hash(digest)?,
                    source: source(&get::<String>(&row, 4)?).ok_or_else(|| damaged("a profile"))?,
                    disabled: get(&row, 5)?,
                }),
            };
            Ok(KnownSubject {
                person: PersonId::from_uuid(read_uuid(&row, 0)?),
                email: get::<Option<Vec<u8>>>(&row, 1)?.map(hash).transpose()?,
                numbered: get::<Option<i64>>(&row, 2)?.is_some(),
                display: get(&row, 6)?,
                last,
            })
        })
        .transpose()
    }

    async fn profiles_of(&self, tenant: TenantId, person: PersonId) -> Result<Vec<StoredProfile>, StoreError> {
        let found = self.profiled(tenant, &[person]).await?;
        Ok(found.into_iter().next().map(|person| person.profiles).unwrap_or_default())
    }

    async fn profiled(&self, tenant: TenantId, ids: &[PersonId]) -> Result<Vec<ProfiledPerson>, StoreError> {
        let mut found = Vec::with_capacity(ids.len());
        let mut left = ids;
        while let Some(last) = left.last() {
            let size = SIZES.into_iter().find(|size| *size >= left.len()).unwrap_or(SIZES[SIZES.len() - 1]);
            let (these, rest) = left.split_at(size.min(left.len()));
            let places = vec!["?"; size].join(", ");
            let sql = format!("SELECT {PROFILED} WHERE r.tenant_id = ? AND r.person_id IN ({places}) {BY_PERSON}");
            let padded = these.iter().chain(std::iter::repeat(last)).take(size);
            let args = std::iter::once(uuid(tenant)).chain(padded.map(|id| Arg::Uuid(id.uuid()))).collect();
            found.extend(self.read_profiled(tenant, &self.all(&sql, args).await?)?);
            left = rest;
        }
        // Where the list was padded with somebody of a later part, they were found twice.
        found.sort_by_key(|one| one.person);
        found.dedup_by_key(|one| one.person);
        Ok(found)
    }

    async fn page(
        &self,
        tenant: TenantId,
        after: Option<PersonId>,
        most: u32,
    ) -> Result<Vec<ProfiledPerson>, StoreError> {
        let sql = format!("SELECT {PROFILED} WHERE r.tenant_id = ? AND r.person_id > ? {BY_PERSON} LIMIT ?");
        let after = after.map_or(Uuid::nil(), PersonId::uuid);
        let most = most.max(2);
        let rows = self.all(&sql, vec![uuid(tenant), Arg::Uuid(after), Arg::Int(i64::from(most))]).await?;
        let cut = rows.len() == most as usize;
        let mut found = self.read_profiled(tenant, &rows)?;
        if cut && found.len() > 1 {
            // Somebody's rows may go on behind the page.
            found.pop();
        }
        Ok(found)
    }

    async fn changed(
        &self,
        tenant: TenantId,
        since: Timestamp,
        epoch: Epoch,
    ) -> Result<Vec<ChangedPerson>, StoreError> {
        let between = |first: i64| [Arg::Int(first.saturating_add(1)), Arg::Int(i64::MAX), uuid(tenant)];
        let args = [between(since.millis()), between(since.millis()), between(epoch.0)].concat();
        let rows = self.all(CHANGED, args).await?;
        rows.iter()
            .map(|row| {
                let person = PersonId::from_uuid(read_uuid(row, 0)?);
                Ok(ChangedPerson { person, at: time(row, 1)?, epoch: Epoch(get(row, 2)?) })
            })
            .collect()
    }

    async fn groups(&self, tenant: TenantId) -> Result<Vec<StoredGroup>, StoreError> {
        self.read_groups(tenant).await
    }

    async fn groups_changed(&self, tenant: TenantId, since: Timestamp) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT max(changed_at) FROM directory_groups WHERE changed_at BETWEEN ? AND ? AND tenant_id = ?";
        let args = vec![Arg::Int(since.millis().saturating_add(1)), Arg::Int(i64::MAX), uuid(tenant)];
        let rows = self.all(sql, args).await?;
        rows.first().map_or(Ok(None), |row| time_or_none(row, 0))
    }

    async fn not_seen(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
        sweep: Sweep,
        after: Option<[u8; 32]>,
        most: u32,
    ) -> Result<Vec<Unseen>, StoreError> {
        let sql = format!(
            "SELECT i.subject_key, i.subject_hash {SAID} WHERE i.tenant_id = ? AND i.connection_id = ? \
             AND i.subject_hash > ? AND r.disabled IS NULL AND coalesce(r.sweep, 0) < ? \
             AND (coalesce(r.sweep, 0) > 0 OR i.created_at < ?) \
             ORDER BY i.subject_hash LIMIT ?"
        );
        let after = after.map(Vec::from).unwrap_or_default();
        let args = vec![
            uuid(tenant),
            Arg::Uuid(connection.uuid()),
            Arg::Octets(after),
            Arg::Int(sweep.number),
            millis(sweep.began),
            Arg::Int(i64::from(most)),
        ];
        let rows = self.all(&sql, args).await?;
        rows.iter().map(|row| Ok(Unseen { subject_key: get(row, 0)?, hash: hash(get(row, 1)?)? })).collect()
    }

    async fn count(&self, tenant: TenantId, connection: ConnectionId, sweep: Sweep) -> Result<SweepCount, StoreError> {
        let sql = format!(
            "SELECT count(*), coalesce(sum(CASE WHEN coalesce(r.sweep, 0) < ? \
             AND (coalesce(r.sweep, 0) > 0 OR i.created_at < ?) THEN 1 ELSE 0 END), 0) {SAID} WHERE i.tenant_id = ? AND i.connection_id = ? AND r.disabled IS NULL"
        );
        let args = vec![Arg::Int(sweep.number), millis(sweep.began), uuid(tenant), Arg::Uuid(connection.uuid())];
        let rows = self.all(&sql, args).await?;
        let row = rows.first().ok_or_else(|| damaged("a count"))?;
        let number = |at| get::<i64>(row, at).map(i64::unsigned_abs);
        Ok(SweepCount { all: number(0)?, unseen: number(1)? })
    }
}

#[async_trait]
impl ProfileNews for SystemStore {
    async fn news(&self, since: Timestamp, epoch: Epoch) -> Result<Vec<TenantId>, StoreError> {
        let between = |first: i64| [Arg::Int(first.saturating_add(1)), Arg::Int(i64::MAX)];
        let at = since.millis();
        let args = [between(at), between(at), between(at), between(epoch.0)].concat();
        let rows = self.0.all(NEWS, args).await?;
        rows.iter().map(|row| read_uuid(row, 0).map(TenantId::from_uuid)).collect()
    }

    async fn keep_out(&self, out: &KeptOut<'_>, now: Timestamp) -> Result<Option<(PersonId, Epoch)>, StoreError> {
        let sql = "SELECT person_id FROM identities WHERE tenant_id = ? AND connection_id = ? AND subject_hash = ?";
        let Some(row) = self.0.one(sql, subject(out.tenant, out.connection, out.subject_key)).await? else {
            return Ok(None);
        };
        let person = PersonId::from_uuid(read_uuid(&row, 0)?);
        let note = self.0.note_kept_out(out, person, now)?;
        let killed = self.kill_with(Killed::Person(out.tenant, person), vec![note], now).await?;
        Ok(killed.map(|epoch| (person, epoch)))
    }
}

impl Store {
    /// Guard: nobody has noted it before. A subject of whom nothing was said yet gets an empty profile.
    fn note_kept_out(&self, out: &KeptOut<'_>, person: PersonId, now: Timestamp) -> Result<Change, StoreError> {
        let empty =
            seal_profile(out.tenant, out.connection, out.subject_key, &Profile::default(), self.inner.sealer.as_ref())?;
        let this = subject(out.tenant, out.connection, out.subject_key);
        // No digest is zero, so whatever is said next counts as new.
        let note = Change::new(
            "INSERT INTO profiles (tenant_id, connection_id, subject_hash, person_id, source, digest, disabled, sweep, \
             created_at, changed_at, sealed) SELECT i.tenant_id, i.connection_id, i.subject_hash, i.person_id, 'login', \
             ?, ?, 0, ?, ?, ? FROM identities i WHERE i.tenant_id = ? AND i.connection_id = ? AND i.subject_hash = ? \
             AND i.person_id = ? ON CONFLICT (tenant_id, connection_id, subject_hash) DO UPDATE SET \
             digest = excluded.digest, disabled = excluded.disabled, changed_at = excluded.changed_at \
             WHERE profiles.disabled IS NULL",
            [
                vec![
                    Arg::Octets(vec![0; 32]),
                    Arg::Text(out.reason.to_owned()),
                    millis(now),
                    millis(now),
                    Arg::Octets(empty),
                ],
                this,
                vec![Arg::Uuid(person.uuid())],
            ]
            .concat(),
        );
        Ok(Change { guarded: true, ..note })
    }

    /// Rows of [`PROFILED`], those of one person together.
    fn read_profiled(&self, tenant: TenantId, rows: &[Row]) -> Result<Vec<ProfiledPerson>, StoreError> {
        let mut people: Vec<ProfiledPerson> = Vec::new();
        for row in rows {
            let id = PersonId::from_uuid(read_uuid(row, 0)?);
            let profile = self.stored_profile(tenant, row)?;
            match people.last_mut().filter(|last| last.person == id) {
                Some(person) => person.profiles.push(profile),
                None => people.push(ProfiledPerson {
                    person: id,
                    disabled: get(row, 1)?,
                    epoch: Epoch(get(row, 2)?),
                    created: time(row, 3)?,
                    number: number(row, 4)?,
                    profiles: vec![profile],
                }),
            }
        }
        Ok(people)
    }

    fn stored_profile(&self, tenant: TenantId, row: &Row) -> Result<StoredProfile, StoreError> {
        let connection = ConnectionId::from_uuid(read_uuid(row, 5)?);
        let (subject, sealed): (Vec<u8>, Vec<u8>) = (get(row, 10)?, get(row, 11)?);
        let plain = self.inner.sealer.open(&profile_place(tenant, connection, &subject), &sealed);
        let plain = plain.map_err(|_| damaged("a profile"))?;
        let open: SealedProfile<'static> = serde_json::from_slice(&plain).map_err(|_| damaged("a profile"))?;
        Ok(StoredProfile {
            connection,
            source: source(&get::<String>(row, 6)?).ok_or_else(|| damaged("a profile"))?,
            subject_key: open.subject_key.into_owned(),
            profile: open.profile.into_owned(),
            disabled: get(row, 7)?,
            created: time(row, 8)?,
            changed: time(row, 9)?,
        })
    }
}

fn subject(tenant: TenantId, connection: ConnectionId, key: &str) -> Vec<Arg> {
    vec![uuid(tenant), Arg::Uuid(connection.uuid()), Arg::Octets(digest(&[key]))]
}

/// A POSIX number, where there is one.
pub fn number(row: &Row, at: usize) -> Result<Option<u32>, StoreError> {
    get::<Option<i64>>(row, at)?.map(|number| u32::try_from(number).map_err(|_| damaged("a number"))).transpose()
}

fn hash(octets: Vec<u8>) -> Result<[u8; 32], StoreError> {
    octets.try_into().map_err(|_| damaged("a hash"))
}
