//! What crosses tenants: the configuration as a whole, the operator's list of
//! traces, the janitor. Whoever holds a [`SystemStore`] can see everybody.

use fedbridge_contract::error::StoreError;
use fedbridge_contract::time::Timestamp;

use crate::open::Store;
use crate::work::{Arg, Change, WorkError};

/// See the module's text. Made by [`Store::system`].
#[derive(Clone)]
pub struct SystemStore(pub(crate) Store);

/// Rows that one statement of the janitor deletes: short enough for nobody to wait.
const BATCH: u64 = 500;

/// Statements of one call for one table.
const ROUNDS: u32 = 20;

/// The most rows of one table that one call deletes.
const MOST: u64 = BATCH * ROUNDS as u64;

/// How many expired rows the janitor deleted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Swept {
    pub transactions: u64,
    pub one_time_keys: u64,
    pub sessions: u64,
    pub grants: u64,
    pub revoked_tokens: u64,
    pub traces: u64,
    /// A bound was met: expired rows may be left, and the next call should come soon.
    pub more: bool,
}

impl SystemStore {
    /// Deletes what has expired, and traces from before `traces_before`, in small batches behind the
    /// logins. One call deletes a bounded number of rows; where [`Swept::more`] is true, the next
    /// one goes on.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn janitor(&self, now: Timestamp, traces_before: Timestamp) -> Result<Swept, StoreError> {
        let transactions = self.sweep("transactions", "expires_at", now).await?;
        let one_time_keys = self.sweep("one_time_keys", "expires_at", now).await?;
        let sessions = self.sweep("sessions", "absolute_expires_at", now).await?;
        let grants = self.sweep("grants", "expires_at", now).await?;
        let revoked_tokens = self.sweep("revoked_tokens", "expires_at", now).await?;
        let traces = self.sweep("traces", "at", traces_before).await?;
        let tables = [transactions, one_time_keys, sessions, grants, revoked_tokens, traces];
        Ok(Swept {
            transactions,
            one_time_keys,
            sessions,
            grants,
            revoked_tokens,
            traces,
            more: tables.contains(&MOST),
        })
    }

    /// Whether the database answers: one statement.
    ///
    /// # Errors
    /// It does not.
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.0.one("SELECT version FROM installation WHERE id = ?", vec![Arg::Int(1)]).await.map(drop)
    }

    /// Deletes rows of a table whose `column` lies before a time.
    pub(crate) async fn sweep(
        &self,
        table: &'static str,
        column: &'static str,
        before: Timestamp,
    ) -> Result<u64, StoreError> {
        let id = match table {
            "one_time_keys" => "key_hash",
            "revoked_tokens" => "jti_hash",
            _ => "id",
        };
        let sql = format!(
            "DELETE FROM {table} WHERE (tenant_id, {id}) IN \
             (SELECT tenant_id, {id} FROM {table} WHERE {column} < ? ORDER BY {column} LIMIT {BATCH})"
        );
        let mut deleted = 0;
        for _ in 0..ROUNDS {
            let change = Change::new(sql.clone(), vec![Arg::Int(before.millis())]);
            let rows = match self.0.background(vec![change]).await {
                Ok(rows) => rows.first().copied().unwrap_or_default(),
                Err(WorkError::Store(cause)) => return Err(cause),
                Err(WorkError::Guard(_)) => 0,
            };
            deleted += rows;
            if rows < BATCH {
                break;
            }
        }
        Ok(deleted)
    }
}
