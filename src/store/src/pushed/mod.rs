//! The ports of records that upstreams push.

mod lists;
mod members;
mod read;
mod unit;
mod writes;

use async_trait::async_trait;
use fedbridge_contract::epoch::Killed;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{PersonId, RecordId, TenantId};
use fedbridge_contract::push::{PushPlace, RecordKind, Related};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{
    PushError, PushGuard, PushUnit, Pushed, PushedStore, PushedWork, RecordHash, RecordWrite, StoredRecord,
};
use uuid::Uuid;

use crate::error::{damaged, is_gone, is_taken};
use crate::open::{Backend, Store};
use crate::postgres::NOTIFY;
use crate::row::{Row, get, time, uuid as read_uuid};
use crate::system::SystemStore;
use crate::unit::{millis, uuid};
use crate::work::{Arg, Change, Done, WorkError};
use lists::{distinct, parts};
use read::{RECORD, connection, kind_word, related, stored};
use unit::{PushPlan, Refusal, push_plan};
pub use writes::forget_person;

#[async_trait]
impl PushedStore for Store {
    async fn record(&self, place: PushPlace, id: RecordId) -> Result<Option<StoredRecord>, StoreError> {
        let sql =
            format!("SELECT {RECORD} FROM pushed_records r WHERE r.tenant_id = ? AND r.id = ? AND r.connection_id = ?");
        let args = vec![uuid(place.tenant), Arg::Uuid(id.uuid()), Arg::Uuid(place.connection.uuid())];
        self.one(&sql, args).await?.map(|row| stored(place, &row, &*self.inner.sealer)).transpose()
    }

    async fn look_up(
        &self,
        place: PushPlace,
        kind: RecordKind,
        by: RecordHash,
        most: u32,
    ) -> Result<Vec<StoredRecord>, StoreError> {
        let (from, hash) = match by {
            RecordHash::Unique(hash) => ("pushed_records r WHERE {place} AND r.kind = ? AND r.unique_hash = ?", hash),
            RecordHash::External(hash) => {
                ("pushed_records r WHERE {place} AND r.kind = ? AND r.external_hash = ?", hash)
            }
            RecordHash::Key(hash) => (
                "pushed_keys k JOIN pushed_records r ON r.tenant_id = k.tenant_id AND r.id = k.record_id \
                 WHERE k.tenant_id = ? AND k.connection_id = ? AND r.kind = ? AND k.key_hash = ?",
                hash,
            ),
        };
        let from = from.replace("{place}", "r.tenant_id = ? AND r.connection_id = ?");
        let sql = format!("SELECT {RECORD} FROM {from} ORDER BY r.id LIMIT ?");
        let args = [in_place(place), vec![kind_word(kind), Arg::Octets(hash.to_vec()), Arg::Int(i64::from(most))]];
        self.stored_records(place, &self.few(&sql, args.concat()).await?)
    }

    async fn page(
        &self,
        place: PushPlace,
        kind: RecordKind,
        after: Option<RecordId>,
        most: u32,
    ) -> Result<Vec<StoredRecord>, StoreError> {
        let sql = format!(
            "SELECT {RECORD} FROM pushed_records r WHERE r.tenant_id = ? AND r.connection_id = ? AND r.kind = ? \
             AND r.id > ? ORDER BY r.id LIMIT ?"
        );
        let args = [in_place(place), vec![kind_word(kind), behind(after), Arg::Int(i64::from(most))]].concat();
        self.stored_records(place, &self.all(&sql, args).await?)
    }

    async fn page_at(
        &self,
        place: PushPlace,
        kind: RecordKind,
        skip: u64,
        most: u32,
    ) -> Result<Vec<StoredRecord>, StoreError> {
        // What is skipped is read in the index alone.
        let sql = format!(
            "SELECT {RECORD} FROM (SELECT id FROM pushed_records WHERE tenant_id = ? AND connection_id = ? \
             AND kind = ? ORDER BY id LIMIT ? OFFSET ?) page JOIN pushed_records r ON r.tenant_id = ? \
             AND r.id = page.id ORDER BY r.id"
        );
        let skip = Arg::Int(i64::try_from(skip).unwrap_or(i64::MAX));
        let args = [in_place(place), vec![kind_word(kind), Arg::Int(i64::from(most)), skip, uuid(place.tenant)]];
        self.stored_records(place, &self.all(&sql, args.concat()).await?)
    }

    async fn count(&self, place: PushPlace, kind: RecordKind) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM pushed_records WHERE tenant_id = ? AND connection_id = ? AND kind = ?";
        self.number(sql, [in_place(place), vec![kind_word(kind)]].concat()).await
    }

    async fn members(
        &self,
        place: PushPlace,
        group: RecordId,
        after: Option<RecordId>,
        most: u32,
    ) -> Result<Vec<Related>, StoreError> {
        let sql = "SELECT r.id, r.kind, r.display FROM pushed_members m JOIN pushed_records r \
                   ON r.tenant_id = m.tenant_id AND r.id = m.member_id WHERE m.tenant_id = ? AND m.group_id = ? \
                   AND m.member_id > ? AND r.connection_id = ? ORDER BY m.member_id LIMIT ?";
        let args = vec![
            uuid(place.tenant),
            Arg::Uuid(group.uuid()),
            behind(after),
            Arg::Uuid(place.connection.uuid()),
            Arg::Int(i64::from(most)),
        ];
        self.all(sql, args).await?.iter().map(|row| related(row, 0)).collect()
    }

    async fn has_members(
        &self,
        place: PushPlace,
        group: RecordId,
        of: &[RecordId],
    ) -> Result<Vec<RecordId>, StoreError> {
        let mut found = Vec::new();
        for part in parts(&distinct(of)) {
            let sql = format!(
                "SELECT m.member_id FROM pushed_members m JOIN pushed_records r ON r.tenant_id = m.tenant_id \
                 AND r.id = m.group_id WHERE m.tenant_id = ? AND m.group_id = ? AND r.connection_id = ? \
                 AND m.member_id IN ({})",
                part.places()
            );
            let mut args = vec![uuid(place.tenant), Arg::Uuid(group.uuid()), Arg::Uuid(place.connection.uuid())];
            args.extend(part.args());
            for row in self.few(&sql, args).await? {
                found.push(RecordId::from_uuid(read_uuid(&row, 0)?));
            }
        }
        Ok(found)
    }

    async fn groups_of(&self, place: PushPlace, members: &[RecordId]) -> Result<Vec<(RecordId, Related)>, StoreError> {
        let mut found = Vec::new();
        for part in parts(&distinct(members)) {
            let sql = format!(
                "SELECT m.member_id, r.id, r.kind, r.display FROM pushed_members m JOIN pushed_records r \
                 ON r.tenant_id = m.tenant_id AND r.id = m.group_id WHERE m.tenant_id = ? AND r.connection_id = ? \
                 AND m.member_id IN ({}) ORDER BY m.member_id, m.group_id",
                part.places()
            );
            for row in self.few(&sql, in_place(place).into_iter().chain(part.args()).collect()).await? {
                found.push((RecordId::from_uuid(read_uuid(&row, 0)?), related(&row, 1)?));
            }
        }
        Ok(found)
    }

    async fn matching(&self, place: PushPlace, matches: &[u8; 32]) -> Result<Vec<StoredRecord>, StoreError> {
        let sql = format!(
            "SELECT {RECORD} FROM pushed_records r WHERE r.tenant_id = ? AND r.connection_id = ? \
             AND r.match_hash = ? ORDER BY r.id LIMIT 2"
        );
        let args = [in_place(place), vec![Arg::Octets(matches.to_vec())]].concat();
        self.stored_records(place, &self.few(&sql, args).await?)
    }

    async fn of_person(
        &self,
        tenant: TenantId,
        person: PersonId,
    ) -> Result<Vec<(PushPlace, StoredRecord)>, StoreError> {
        let sql =
            format!("SELECT {RECORD} FROM pushed_records r WHERE r.tenant_id = ? AND r.person_id = ? ORDER BY r.id");
        let rows = self.few(&sql, vec![uuid(tenant), Arg::Uuid(person.uuid())]).await?;
        rows.iter()
            .map(|row| {
                let place = PushPlace { tenant, connection: connection(row)? };
                Ok((place, stored(place, row, &*self.inner.sealer)?))
            })
            .collect()
    }

    async fn shut_since(&self, place: PushPlace, since: Timestamp) -> Result<u64, StoreError> {
        let sql = "SELECT count(*) FROM pushed_shuts WHERE tenant_id = ? AND connection_id = ? \
                   AND at BETWEEN ? AND ?";
        let args = [in_place(place), vec![millis(since), Arg::Int(i64::MAX)]].concat();
        self.number(sql, args).await
    }

    async fn guard_open_until(&self, place: PushPlace) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT until FROM open_guards WHERE tenant_id = ? AND connection_id = ?";
        self.one(sql, in_place(place).to_vec()).await?.map(|row| time(&row, 0)).transpose()
    }

    async fn open_guard(&self, place: PushPlace, until: Timestamp) -> Result<(), StoreError> {
        let sql = "INSERT INTO open_guards (tenant_id, connection_id, until) VALUES (?, ?, ?) \
                   ON CONFLICT (tenant_id, connection_id) DO UPDATE SET until = excluded.until";
        self.change(Change::new(sql, [in_place(place).to_vec(), vec![millis(until)]].concat())).await.map(drop)
    }

    async fn push(&self, unit: PushUnit) -> Result<Pushed, PushError> {
        let PushPlan { mut changes, refusals, in_turn, versions } = push_plan(&unit, &*self.inner.sealer)?;
        if !unit.ends.is_empty() && matches!(self.inner.backend, Backend::Postgres { .. }) {
            changes.push(Change::new(NOTIFY, Vec::new()));
        }
        let done = if in_turn { self.work_in_turn(changes).await } else { self.work(changes).await };
        refused(done, &unit, refusals)?;
        let mut pushed = Pushed { ended: Vec::new(), versions: Vec::with_capacity(versions.len()) };
        for (id, version) in versions {
            let version = match version {
                Some(version) => Some(version),
                None => self.version(unit.place, id).await?,
            };
            pushed.versions.extend(version.map(|version| (id, version)));
        }
        for person in unit.ends {
            let killed = Killed::Person(unit.place.tenant, person);
            let epoch = self.system().last_kill_or_none(killed).await?;
            pushed.ended.extend(epoch.map(|epoch| (person, epoch)));
        }
        Ok(pushed)
    }
}

#[async_trait]
impl PushedWork for SystemStore {
    async fn to_restate(&self, now: Timestamp, most: u32) -> Result<Vec<(PushPlace, RecordId)>, StoreError> {
        // Both bounds are named, because SQLite takes a range without an end for a quarter of the table.
        let sql = "SELECT tenant_id, connection_id, id FROM pushed_records WHERE restate_at BETWEEN ? AND ? \
                   AND restate_at IS NOT NULL ORDER BY restate_at LIMIT ?";
        let args = || vec![Arg::Int(0), millis(now), Arg::Int(i64::from(most))];
        let mut rows = self.0.all(sql, args()).await?;
        if rows.len() >= most as usize {
            // More wait than are done now. Each connection gets its share, so that none waits for all of another one.
            let sql = "SELECT tenant_id, connection_id, id FROM (SELECT tenant_id, connection_id, id, restate_at, \
                       ROW_NUMBER() OVER (PARTITION BY tenant_id, connection_id ORDER BY restate_at) AS place \
                       FROM pushed_records WHERE restate_at BETWEEN ? AND ? AND restate_at IS NOT NULL) waiting \
                       ORDER BY place, restate_at LIMIT ?";
            rows = self.0.all(sql, args()).await?;
        }
        rows.iter()
            .map(|row| {
                let tenant = TenantId::from_uuid(read_uuid(row, 0)?);
                let connection = fedbridge_contract::ids::ConnectionId::from_uuid(read_uuid(row, 1)?);
                Ok((PushPlace { tenant, connection }, RecordId::from_uuid(read_uuid(row, 2)?)))
            })
            .collect()
    }
}

impl Store {
    fn stored_records(&self, place: PushPlace, rows: &[Row]) -> Result<Vec<StoredRecord>, StoreError> {
        rows.iter().map(|row| stored(place, row, &*self.inner.sealer)).collect()
    }

    async fn number(&self, sql: &str, args: Vec<Arg>) -> Result<u64, StoreError> {
        let rows = self.all(sql, args).await?;
        let row = rows.first().ok_or_else(|| damaged("a count"))?;
        get::<i64>(row, 0).map(i64::unsigned_abs)
    }

    /// As it is now, which may be a newer one than ours; `None` where it is gone again.
    async fn version(&self, place: PushPlace, id: RecordId) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT version FROM pushed_records WHERE tenant_id = ? AND id = ? AND connection_id = ?";
        let args = vec![uuid(place.tenant), Arg::Uuid(id.uuid()), Arg::Uuid(place.connection.uuid())];
        self.one(sql, args).await?.map(|row| get(&row, 0)).transpose()
    }
}

fn refused(done: Done, unit: &PushUnit, refusals: Vec<Option<Refusal>>) -> Result<(), PushError> {
    let named = |write: &RecordWrite| matches!(write, RecordWrite::Insert(_) | RecordWrite::Update { .. });
    let joins =
        |write: &RecordWrite| matches!(write, RecordWrite::AddMembers { .. } | RecordWrite::ReplaceMembers { .. });
    match done {
        Ok(_) => Ok(()),
        // Another unit was faster by less than a statement.
        Err(WorkError::Store(cause)) if is_taken(&cause) && unit.writes.iter().any(named) => {
            Err(PushError::Record(PushGuard::Taken))
        }
        Err(WorkError::Store(cause)) if is_gone(&cause) && unit.writes.iter().any(joins) => {
            Err(PushError::Record(PushGuard::NoSuchMember))
        }
        Err(WorkError::Store(cause)) => Err(cause.into()),
        Err(WorkError::Guard(at)) => match refusals.into_iter().nth(at).flatten() {
            Some(Refusal::Record(guard)) => Err(PushError::Record(guard)),
            Some(Refusal::People(guard)) => Err(PushError::People(guard)),
            None => Err(StoreError("a guard failed that is not of this unit".into()).into()),
        },
    }
}

fn in_place(place: PushPlace) -> Vec<Arg> {
    vec![uuid(place.tenant), Arg::Uuid(place.connection.uuid())]
}

fn behind(after: Option<RecordId>) -> Arg {
    Arg::Uuid(after.map_or(Uuid::nil(), RecordId::uuid))
}
