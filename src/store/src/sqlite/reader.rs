//! Reads on SQLite.
//!
//! In WAL mode a reader waits for nobody, so a read by a key runs at once, on the
//! thread that asks. A read of many rows goes to a blocking thread, and so does one by
//! a key that turns out to have many.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fedbridge_contract::error::StoreError;
use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::connection::{open, rows};
use crate::error::{closed, rusqlite_error};
use crate::row::Row;
use crate::work::Arg;

/// KiB of pages that a connection keeps. The system's own cache of the file is behind it.
const CACHE: i64 = 1000;

/// So many rows are read faster than a thread is woken.
const FEW: usize = 50;

#[derive(Clone)]
pub struct Reader(Arc<Inner>);

struct Inner {
    path: PathBuf,
    /// Connections that nobody uses now; `None` when the store is closed. There are never more of
    /// them than threads that read.
    idle: Mutex<Option<Vec<Connection>>>,
    in_use: AtomicU64,
    /// How many reads of many rows run at a time.
    long: Semaphore,
}

impl Reader {
    /// `long` is how many reads of many rows may run at a time.
    pub fn new(path: &Path, long: u32) -> rusqlite::Result<Self> {
        let first = open(path, CACHE)?;
        Ok(Self(Arc::new(Inner {
            path: path.to_owned(),
            idle: Mutex::new(Some(vec![first])),
            in_use: AtomicU64::new(0),
            long: Semaphore::new(long.max(1) as usize),
        })))
    }

    /// The row of a key.
    pub fn one(&self, sql: &str, args: &[Arg]) -> Result<Option<Row>, StoreError> {
        Ok(self.read(sql, args, 1)?.pop())
    }

    /// Rows of a key, where there are no more than [`FEW`].
    pub fn few(&self, sql: &str, args: &[Arg]) -> Result<Option<Vec<Row>>, StoreError> {
        let rows = self.read(sql, args, FEW + 1)?;
        Ok((rows.len() <= FEW).then_some(rows))
    }

    /// All rows of a query, however long it takes.
    pub async fn all(&self, sql: String, args: Vec<Arg>) -> Result<Vec<Row>, StoreError> {
        let _turn = self.0.long.acquire().await.map_err(|_| closed())?;
        let this = self.clone();
        let read = tokio::task::spawn_blocking(move || this.read(&sql, &args, usize::MAX));
        read.await.map_err(|_| StoreError("a read was broken off".into()))?
    }

    /// Connections that are open, and those in use.
    pub fn connections(&self) -> (u64, u64) {
        let in_use = self.0.in_use.load(Relaxed);
        let idle = self.idle().as_ref().map_or(0, Vec::len);
        (in_use + idle as u64, in_use)
    }

    pub fn close(&self) {
        self.idle().take();
    }

    fn read(&self, sql: &str, args: &[Arg], most: usize) -> Result<Vec<Row>, StoreError> {
        let idle = self.idle().as_mut().ok_or_else(closed)?.pop();
        self.0.in_use.fetch_add(1, Relaxed);
        let read = idle.map_or_else(|| open(&self.0.path, CACHE), Ok).and_then(|connection| {
            let rows = rows(&connection, sql, args, most)?;
            Ok((rows, connection))
        });
        self.0.in_use.fetch_sub(1, Relaxed);
        // A connection on which something failed is not used again.
        let (rows, connection) = read.map_err(|cause| rusqlite_error(&cause))?;
        if let Some(idle) = self.idle().as_mut() {
            idle.push(connection);
        }
        Ok(rows)
    }

    fn idle(&self) -> MutexGuard<'_, Option<Vec<Connection>>> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
