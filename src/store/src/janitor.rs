//! Deleting what has expired.
//!
//! The janitor walks each table in the order of its primary key, a stretch at a
//! time behind the logins, and begins again at the end. An index of expiry times
//! would find the rows sooner, and every login would pay for it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use fedbridge_contract::error::StoreError;
use fedbridge_contract::time::Timestamp;
use uuid::Uuid;

use crate::row::{get, uuid as read_uuid};
use crate::system::SystemStore;
use crate::work::{Arg, Change, WorkError};

/// Rows of one stretch: short enough for nobody to wait.
const STRETCH: u64 = 500;

/// Stretches of one call for one table.
const ROUNDS: u32 = 20;

/// How many expired rows the janitor deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    pub transactions: u64,
    pub one_time_keys: u64,
    pub sessions: u64,
    pub grants: u64,
    pub revoked_tokens: u64,
    pub traces: u64,
    /// A table was not walked to its end: expired rows may be left, and the next call should come soon.
    pub more: bool,
}

/// Where the walk through each table has got to.
#[derive(Default)]
pub struct Walks(Mutex<HashMap<&'static str, Key>>);

/// A primary key: the tenant, and an id or a hash.
#[derive(Clone)]
struct Key(Uuid, Arg);

/// What is walked.
struct Table {
    name: &'static str,
    /// The second column of the primary key, and what lies before every value of it.
    id: &'static str,
    first: Arg,
    expiry: &'static str,
}

impl SystemStore {
    /// Deletes what has expired, and traces from before `traces_before`, in small stretches behind the
    /// logins. One call reads a bounded number of rows; where [`Swept::more`] is true, the next one
    /// goes on from there.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn janitor(&self, now: Timestamp, traces_before: Timestamp) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        let by_id = |name, expiry| Table { name, id: "id", first: Arg::Uuid(Uuid::nil()), expiry };
        let by_hash = |name, id| Table { name, id, first: Arg::Octets(Vec::new()), expiry: "expires_at" };
        for (table, before, count) in [
            (by_id("transactions", "expires_at"), now, &mut swept.transactions),
            (by_hash("one_time_keys", "key_hash"), now, &mut swept.one_time_keys),
            (by_id("sessions", "absolute_expires_at"), now, &mut swept.sessions),
            (by_id("grants", "expires_at"), now, &mut swept.grants),
            (by_hash("revoked_tokens", "jti_hash"), now, &mut swept.revoked_tokens),
            (by_id("traces", "at"), traces_before, &mut swept.traces),
        ] {
            let (deleted, ended) = self.walk(&table, before).await?;
            *count = deleted;
            swept.more |= !ended;
        }
        Ok(swept)
    }

    /// Walks on through a table; gives how many rows went, and whether its end was met.
    async fn walk(&self, table: &Table, before: Timestamp) -> Result<(u64, bool), StoreError> {
        let walks = &self.0.inner.walks;
        let mut from = walks.get(table.name).unwrap_or_else(|| Key(Uuid::nil(), table.first.clone()));
        let mut deleted = 0;
        for _ in 0..ROUNDS {
            let to = self.end_of_stretch(table, &from).await?;
            deleted += self.delete_between(table, &from, to.as_ref(), before).await?;
            walks.set(table.name, to.clone());
            match to {
                Some(to) => from = to,
                None => return Ok((deleted, true)),
            }
        }
        Ok((deleted, false))
    }

    /// The last key of the stretch behind a key; `None` where the table ends before.
    async fn end_of_stretch(&self, table: &Table, from: &Key) -> Result<Option<Key>, StoreError> {
        let Table { name, id, .. } = table;
        let sql = format!(
            "SELECT tenant_id, {id} FROM {name} WHERE (tenant_id, {id}) > (?, ?) \
             ORDER BY tenant_id, {id} LIMIT 1 OFFSET {}",
            STRETCH - 1
        );
        let rows = self.0.all(&sql, from.args().to_vec()).await?;
        let key = |row| {
            let id = match table.first {
                Arg::Uuid(_) => Arg::Uuid(read_uuid(row, 1)?),
                _ => Arg::Octets(get(row, 1)?),
            };
            Ok(Key(read_uuid(row, 0)?, id))
        };
        rows.first().map(key).transpose()
    }

    async fn delete_between(
        &self,
        table: &Table,
        from: &Key,
        to: Option<&Key>,
        before: Timestamp,
    ) -> Result<u64, StoreError> {
        let Table { name, id, expiry, .. } = table;
        let mut sql = format!("DELETE FROM {name} WHERE {expiry} < ? AND (tenant_id, {id}) > (?, ?)");
        let mut args = vec![Arg::Int(before.millis())];
        args.extend(from.args());
        if let Some(to) = to {
            sql.push_str(&format!(" AND (tenant_id, {id}) <= (?, ?)"));
            args.extend(to.args());
        }
        match self.0.background(vec![Change::new(sql, args)]).await {
            Ok(rows) => Ok(rows.iter().sum()),
            Err(WorkError::Store(cause)) => Err(cause),
            Err(WorkError::Guard(_)) => Ok(0),
        }
    }
}

impl Key {
    fn args(&self) -> [Arg; 2] {
        [Arg::Uuid(self.0), self.1.clone()]
    }
}

impl Walks {
    fn get(&self, table: &'static str) -> Option<Key> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(table).cloned()
    }

    /// `None` begins again.
    fn set(&self, table: &'static str, to: Option<Key>) {
        let mut walks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match to {
            Some(to) => walks.insert(table, to),
            None => walks.remove(table),
        };
    }
}
