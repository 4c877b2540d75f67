//! Deleting what has expired.
//!
//! The janitor walks each table in the order of its primary key, a stretch at a
//! time behind the logins, and begins again at the end. An index of expiry times
//! would find the rows sooner, and every login would pay for it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fedbridge_contract::error::StoreError;
use fedbridge_contract::time::Timestamp;
use uuid::Uuid;

use crate::row::{get, uuid as read_uuid};
use crate::system::SystemStore;
use crate::upstream_tokens::{UNNEEDED, unneeded_at};
use crate::work::{Arg, Change, WorkError};

/// Rows of one stretch: short enough for nobody to wait.
const STRETCH: u64 = 500;

/// Stretches of one call for one table.
const ROUNDS: u32 = 20;

/// Notices are kept for this long behind their end, so that a late page still finds them.
const KEEP_NOTICE: Duration = Duration::from_secs(60 * 60);

/// What is needed until some time is kept for this long behind it: clocks of nodes differ.
const LATE: Duration = Duration::from_secs(60 * 60);

/// Wrong passwords count for so long, at the most, and some time.
const KEEP_FAILURES: Duration = Duration::from_secs(2 * 60 * 60);

/// How many expired rows the janitor deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    pub transactions: u64,
    pub one_time_keys: u64,
    pub sessions: u64,
    pub grants: u64,
    pub revoked_tokens: u64,
    pub participants: u64,
    pub logouts: u64,
    pub logout_notices: u64,
    pub handles: u64,
    pub link_proofs: u64,
    pub session_upstreams: u64,
    pub upstream_tokens: u64,
    pub failures: u64,
    pub known_devices: u64,
    pub signals: u64,
    pub traces: u64,
    /// A table was not walked to its end: expired rows may be left, and the next call should come soon.
    pub more: bool,
}

impl Swept {
    /// Of all tables together.
    pub fn deleted(self) -> u64 {
        let Self { transactions, one_time_keys, sessions, grants, revoked_tokens, participants, logouts, .. } = self;
        let Self { logout_notices, handles, link_proofs, session_upstreams, upstream_tokens, .. } = self;
        let Self { failures, known_devices, signals, traces, .. } = self;
        [transactions, one_time_keys, sessions, grants, revoked_tokens, participants, logouts]
            .into_iter()
            .chain([logout_notices, handles, link_proofs, session_upstreams, upstream_tokens])
            .chain([failures, known_devices, signals, traces])
            .sum()
    }
}

/// Where the walk through each table has got to.
#[derive(Default)]
pub struct Walks(Mutex<HashMap<&'static str, Key>>);

/// The values of a primary key, in its order.
type Key = Vec<Arg>;

/// What is walked.
struct Table {
    name: &'static str,
    /// The columns of the primary key, each with what lies before every value of it.
    key: Vec<(&'static str, Arg)>,
    expiry: &'static str,
    /// Rows go before they expire where nobody needs them: a session that just expires gives nothing up, nor does
    /// a grant that is revoked behind its session's end.
    unneeded: bool,
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
        let table = |name, key: &[(&'static str, Arg)], expiry| {
            let tenant = ("tenant_id", Arg::Uuid(Uuid::nil()));
            let key = std::iter::once(tenant).chain(key.iter().cloned()).collect();
            Table { name, key, expiry, unneeded: false }
        };
        let (id, hash) = (Arg::Uuid(Uuid::nil()), Arg::Octets(Vec::new()));
        let by_id = |name, expiry| table(name, &[("id", id.clone())], expiry);
        let by_hash = |name, column| table(name, &[(column, hash.clone())], "expires_at");
        let in_window = [("key_hash", hash.clone()), ("window_at", Arg::Int(i64::MIN))];
        let in_session = [("session_id", id.clone()), ("app_id", id.clone())];
        let of_receiver = [("app_id", id.clone()), ("id", id.clone())];
        let of_upstream = [("session_id", id.clone()), ("connection_id", id.clone())];
        let of_logout = [("logout_id", id.clone()), ("app_id", id.clone()), ("session_id", id.clone())];
        for (table, before, count) in [
            (by_id("transactions", "expires_at"), now, &mut swept.transactions),
            (by_hash("one_time_keys", "key_hash"), now, &mut swept.one_time_keys),
            (by_id("sessions", "absolute_expires_at"), now, &mut swept.sessions),
            (by_id("grants", "expires_at"), now, &mut swept.grants),
            (by_hash("revoked_tokens", "jti_hash"), now, &mut swept.revoked_tokens),
            (table("participants", &in_session, "expires_at"), now, &mut swept.participants),
            (by_id("logouts", "expires_at"), now, &mut swept.logouts),
            (table("logout_notices", &of_logout, "expires_at"), now - KEEP_NOTICE, &mut swept.logout_notices),
            (by_hash("handles", "handle_hash"), now, &mut swept.handles),
            (by_id("link_proofs", "expires_at"), now, &mut swept.link_proofs),
            (table("session_upstreams", &of_upstream, "expires_at"), now, &mut swept.session_upstreams),
            (
                Table { unneeded: true, ..table("upstream_tokens", &of_upstream, "expires_at") },
                now,
                &mut swept.upstream_tokens,
            ),
            (table("failures", &in_window, "changed_at"), now - KEEP_FAILURES, &mut swept.failures),
            (by_hash("known_devices", "key_hash"), now, &mut swept.known_devices),
            (table("signals", &of_receiver, "expires_at"), now - LATE, &mut swept.signals),
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
        let first = || table.key.iter().map(|(_, first)| first.clone()).collect();
        let mut from = walks.get(table.name).unwrap_or_else(first);
        let mut deleted = 0;
        for _ in 0..ROUNDS {
            let to = self.end_of_stretch(table, &from).await?;
            deleted += self.delete_behind(table, &from, before).await?;
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
        let (name, columns, places) = (table.name, table.columns(), table.places());
        let sql = format!(
            "SELECT {columns} FROM {name} WHERE ({columns}) > ({places}) ORDER BY {columns} LIMIT 1 OFFSET {}",
            STRETCH - 1
        );
        let rows = self.0.all(&sql, from.clone()).await?;
        let value = |row, (at, (_, first)): (usize, &(&str, Arg))| match first {
            Arg::Uuid(_) => read_uuid(row, at).map(Arg::Uuid),
            Arg::Int(_) => get(row, at).map(Arg::Int),
            _ => get(row, at).map(Arg::Octets),
        };
        rows.first().map(|row| table.key.iter().enumerate().map(|column| value(row, column)).collect()).transpose()
    }

    /// Deletes what has expired of the stretch behind a key.
    async fn delete_behind(&self, table: &Table, from: &Key, before: Timestamp) -> Result<u64, StoreError> {
        let (name, expiry, columns, places) = (table.name, table.expiry, table.columns(), table.places());
        // The rows are named by their keys: where a condition says between which keys they are, PostgreSQL looks at
        // the tenant alone, and reads the whole table.
        let (over, more) = match table.unneeded {
            true => (format!("({expiry} < ? OR ({UNNEEDED}))"), unneeded_at(before - LATE)),
            false => (format!("{expiry} < ?"), Vec::new()),
        };
        let sql = format!(
            "DELETE FROM {name} WHERE {over} AND ({columns}) IN \
             (SELECT {columns} FROM {name} WHERE ({columns}) > ({places}) ORDER BY {columns} LIMIT {STRETCH})"
        );
        let args = std::iter::once(Arg::Int(before.millis())).chain(more).chain(from.iter().cloned()).collect();
        match self.0.background(vec![Change::new(sql, args)]).await {
            Ok(rows) => Ok(rows.iter().sum()),
            Err(WorkError::Store(cause)) => Err(cause),
            Err(WorkError::Guard(_)) => Ok(0),
        }
    }
}

impl Table {
    fn columns(&self) -> String {
        self.key.iter().map(|(column, _)| *column).collect::<Vec<_>>().join(", ")
    }

    fn places(&self) -> String {
        vec!["?"; self.key.len()].join(", ")
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
