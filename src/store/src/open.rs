//! Opening and closing a store.

use std::path::PathBuf;
use std::sync::Arc;
use tokio::time::Instant;

use fedbridge_contract::error::StoreError;
use fedbridge_hub::ports::Sealer;
use sea_orm::{ConnectionTrait as _, DatabaseConnection, DbBackend};

use crate::ear::Ear;
use crate::error::{rusqlite_error, sqlx_error, store_error};
use crate::janitor::Walks;
use crate::row::Row;
use crate::stats::{Counters, StoreStats};
use crate::system::SystemStore;
use crate::work::{Arg, Change, Done, WorkError, statement};
use crate::{postgres, sqlite};

/// An open store. Clones share it.
#[derive(Clone)]
pub struct Store {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub backend: Backend,
    /// The schema and the configuration; on PostgreSQL everything.
    pub orm: DatabaseConnection,
    pub sealer: Arc<dyn Sealer>,
    pub counters: Arc<Counters>,
    /// Of the janitor.
    pub walks: Walks,
}

pub(crate) enum Backend {
    Sqlite { writer: sqlite::Writer, reader: sqlite::Reader },
    Postgres { ear: Box<Ear> },
}

#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// Connections for reads on SQLite, for everything on PostgreSQL.
    pub connections: u32,
    /// Bring the schema up to date at the start.
    pub migrate: bool,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self { connections: 8, migrate: true }
    }
}

/// Why a store could not be opened. The address is not repeated: it may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("the database address starts with neither sqlite:// nor postgres://")]
    UnknownScheme,
    #[error("the PostgreSQL address is not valid; expected postgres://user@host:port/database")]
    BadAddress,
    #[error("a SQLite database needs the path of a file: sqlite://data/fedbridge.db")]
    NoFile,
    #[error("the database file can't be made: {0}")]
    File(#[from] std::io::Error),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the schema could not be brought up to date: {0}")]
    Migrate(StoreError),
}

impl Store {
    /// Opens `sqlite://path` (the folder and the file are made when absent) or `postgres://…`.
    ///
    /// # Errors
    /// [`OpenError`]; nothing is left half done.
    pub async fn open(url: &str, sealer: Arc<dyn Sealer>, options: StoreOptions) -> Result<Self, OpenError> {
        let counters = Arc::new(Counters::default());
        let (backend, orm) = if let Some(path) = url.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            if path.is_empty() || path.contains(":memory:") {
                return Err(OpenError::NoFile);
            }
            let sqlite::Opened { writer, reader, orm } =
                sqlite::open(&PathBuf::from(path), &options, Arc::clone(&counters)).await?;
            (Backend::Sqlite { writer, reader }, orm)
        } else if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let (orm, ear) = postgres::open(url, &options).await?;
            (Backend::Postgres { ear: Box::new(ear) }, orm)
        } else {
            return Err(OpenError::UnknownScheme);
        };
        Ok(Self { inner: Arc::new(Inner { backend, orm, sealer, counters, walks: Walks::default() }) })
    }

    /// What may look across tenants.
    pub fn system(&self) -> SystemStore {
        SystemStore(self.clone())
    }

    /// The counters as they are now.
    pub fn stats(&self) -> StoreStats {
        let (size, in_use) = match &self.inner.backend {
            Backend::Sqlite { reader, .. } => {
                let (size, in_use) = reader.connections();
                (size + 1, in_use)
            }
            Backend::Postgres { .. } => {
                let pool = self.inner.orm.get_postgres_connection_pool();
                let size = u64::from(pool.size());
                (size, size.saturating_sub(pool.num_idle() as u64))
            }
        };
        self.inner.counters.read(size, in_use)
    }

    /// Carries out what was asked for before, then closes. Later calls fail.
    ///
    /// # Errors
    /// The database failed at the end; what was acknowledged is durable all the same.
    pub async fn close(&self) -> Result<(), StoreError> {
        match &self.inner.backend {
            Backend::Sqlite { writer, reader } => {
                writer.close().await;
                reader.close();
            }
            Backend::Postgres { ear } => ear.close().await,
        }
        self.inner.orm.close_by_ref().await.map_err(|cause| store_error(&cause))
    }

    /// Carries a work out. When this gives back `Ok`, it is durable.
    pub(crate) async fn work(&self, changes: Vec<Change>) -> Done {
        self.counted(async {
            match &self.inner.backend {
                Backend::Sqlite { writer, .. } => writer.work(changes).await,
                Backend::Postgres { .. } => {
                    let done = postgres::work(&self.inner.orm, changes).await;
                    self.inner.counters.committed();
                    done
                }
            }
        })
        .await
    }

    /// As [`Store::work`], where each change sees what others have committed before it.
    pub(crate) async fn work_in_turn(&self, changes: Vec<Change>) -> Done {
        match &self.inner.backend {
            // One at a time writes there.
            Backend::Sqlite { .. } => self.work(changes).await,
            Backend::Postgres { .. } => {
                self.counted(async {
                    let done = postgres::work_one_by_one(&self.inner.orm, changes).await;
                    self.inner.counters.committed();
                    done
                })
                .await
            }
        }
    }

    /// As [`Store::work`], behind everything that a login waits for.
    pub(crate) async fn background(&self, changes: Vec<Change>) -> Done {
        match &self.inner.backend {
            Backend::Sqlite { writer, .. } => writer.background(changes).await,
            Backend::Postgres { .. } => postgres::work_one_by_one(&self.inner.orm, changes).await,
        }
    }

    /// A work without guards.
    pub(crate) async fn change(&self, change: Change) -> Result<u64, StoreError> {
        match self.work(vec![change]).await {
            Ok(rows) => Ok(rows.first().copied().unwrap_or_default()),
            Err(WorkError::Store(cause)) => Err(cause),
            Err(WorkError::Guard(_)) => Ok(0),
        }
    }

    /// The row of a key. On SQLite it is read right here, so a query of many rows goes to [`Store::all`].
    pub(crate) async fn one(&self, sql: &str, args: Vec<Arg>) -> Result<Option<Row>, StoreError> {
        match &self.inner.backend {
            Backend::Sqlite { reader, .. } => reader.one(sql, &args),
            Backend::Postgres { .. } => {
                let row = self.inner.orm.query_one_raw(statement(DbBackend::Postgres, sql, args)).await;
                row.map(|row| row.map(Row::Postgres)).map_err(|cause| store_error(&cause))
            }
        }
    }

    pub(crate) async fn all(&self, sql: &str, args: Vec<Arg>) -> Result<Vec<Row>, StoreError> {
        match &self.inner.backend {
            Backend::Sqlite { reader, .. } => reader.all(sql.to_owned(), args).await,
            Backend::Postgres { .. } => {
                let rows = self.inner.orm.query_all_raw(statement(DbBackend::Postgres, sql, args)).await;
                rows.map(|rows| rows.into_iter().map(Row::Postgres).collect()).map_err(|cause| store_error(&cause))
            }
        }
    }

    /// Rows that an index finds by a key, which are few as a rule.
    pub(crate) async fn few(&self, sql: &str, args: Vec<Arg>) -> Result<Vec<Row>, StoreError> {
        if let Backend::Sqlite { reader, .. } = &self.inner.backend
            && let Some(rows) = reader.few(sql, &args)?
        {
            return Ok(rows);
        }
        self.all(sql, args).await
    }

    async fn counted(&self, work: impl Future<Output = Done>) -> Done {
        let counters = &self.inner.counters;
        let start = Instant::now();
        counters.begin();
        // A caller who goes away must not leave the queue's count too high.
        let mut ending = Ending { counters, start, refused: false, failed: true };
        let done = work.await;
        ending.refused = matches!(done, Err(WorkError::Guard(_)));
        ending.failed = matches!(done, Err(WorkError::Store(_)));
        done
    }
}

struct Ending<'a> {
    counters: &'a Counters,
    start: Instant,
    refused: bool,
    failed: bool,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.counters.end(self.start.elapsed(), self.refused, self.failed);
    }
}

impl From<sea_orm::sqlx::Error> for OpenError {
    fn from(cause: sea_orm::sqlx::Error) -> Self {
        Self::Store(sqlx_error(&cause))
    }
}

impl From<rusqlite::Error> for OpenError {
    fn from(cause: rusqlite::Error) -> Self {
        Self::Store(rusqlite_error(&cause))
    }
}
