//! Works on SQLite: one writer, many works in one durable commit.
//!
//! The writer owns the one connection that writes. It takes all works that
//! wait, runs each in a savepoint of one transaction, commits once
//! (synchronous=FULL), and only then answers. While a commit waits for the disk,
//! the next works gather. A failed guard undoes its own savepoint and no more.
//!
//! A work goes to SQLite as one text of several statements: going from thread to
//! thread costs more than most statements do. The shapes of units are few, so the
//! connection keeps each text compiled. A background work may be of any length; its
//! statements go one by one, or each length would be kept.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::error::StoreError;
use futures_util::StreamExt as _;
use futures_util::future::BoxFuture;
use sea_orm::sqlx::pool::PoolConnection;
use sea_orm::sqlx::sqlite::{
    SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous,
};
use sea_orm::sqlx::{
    self, Arguments as _, AssertSqlSafe, ConnectOptions as _, Either, Executor as _, Sqlite, SqlitePool,
};
use sea_orm::{DatabaseConnection, SqlxSqliteConnector};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use crate::error::{Fault, fault, sqlx_error, store_error};
use crate::open::{OpenError, StoreOptions};
use crate::stats::Counters;
use crate::work::{Arg, Change, Done, WorkError};

/// KiB of pages that a connection keeps: the one that writes, and each one that reads. The system's
/// own cache of the file is behind it, so this bounds memory more than it slows.
const WRITE_CACHE: &str = "-8000";
const READ_CACHE: &str = "-1000";

/// The most works of one commit, and how many may wait.
const MAX_BATCH: usize = 256;
const MAX_WAITING: usize = 4096;

/// Background works run when nothing else waits, and after this in any case.
const MAX_DELAY: Duration = Duration::from_millis(250);

/// How often a commit that met another process is tried; each waits for `BUSY`.
const TRIES: u32 = 3;
const BUSY: Duration = Duration::from_secs(5);

/// Fails, with this text, where the change before it changed no row. It gives no row itself: each
/// one would wake this side of the connection's thread.
const GUARD: &str = "SELECT 1 WHERE abs(-9223372036854775807 - (changes() = 0)) < 0;";
const GUARD_FAILED: &str = "integer overflow";

type Exclusive = Box<dyn FnOnce(DatabaseConnection) -> BoxFuture<'static, ()> + Send>;

/// The way to the writer.
pub struct Writer {
    jobs: mpsc::Sender<Job>,
    background: mpsc::Sender<Work>,
}

enum Job {
    Work(Work),
    /// Has the connection for itself.
    Exclusive(Exclusive),
    Close(oneshot::Sender<()>),
}

struct Work {
    changes: Changes,
    answer: oneshot::Sender<Done>,
}

/// What a work does, and how it goes to SQLite.
enum Changes {
    /// As one text, which stays compiled.
    Together(Vec<Change>),
    /// Statement by statement.
    OneByOne(Vec<Change>),
}

pub async fn open(
    path: &Path,
    options: &StoreOptions,
    counters: Arc<Counters>,
) -> Result<(Writer, DatabaseConnection), OpenError> {
    make_file(path)?;
    let connect = SqliteConnectOptions::new()
        .filename(path)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .busy_timeout(BUSY)
        .foreign_keys(true)
        .pragma("temp_store", "memory")
        .pragma("wal_autocheckpoint", "4000")
        .statement_cache_capacity(256)
        .disable_statement_logging();
    let pool = |size| {
        SqlitePoolOptions::new().max_connections(size).test_before_acquire(false).idle_timeout(None).max_lifetime(None)
    };
    let writing = pool(1).connect_with(connect.clone().pragma("cache_size", WRITE_CACHE)).await?;
    if options.migrate {
        let db = SqlxSqliteConnector::from_sqlx_sqlite_pool(writing.clone());
        fedbridge_migrations::migrate(&db).await.map_err(|cause| OpenError::Migrate(store_error(&cause)))?;
    }
    let connect = connect.pragma("cache_size", READ_CACHE).pragma("query_only", "ON");
    let reading = pool(options.connections.max(1)).connect_with(connect).await?;

    let (jobs, job_inbox) = mpsc::channel(MAX_WAITING);
    let (background, background_inbox) = mpsc::channel(MAX_WAITING);
    let task = WriterTask { pool: writing, counters, background: background_inbox, pending: None };
    tokio::spawn(task.run(job_inbox));
    Ok((Writer { jobs, background }, SqlxSqliteConnector::from_sqlx_sqlite_pool(reading)))
}

impl Writer {
    pub async fn work(&self, changes: Vec<Change>) -> Done {
        let (answer, done) = oneshot::channel();
        self.jobs.send(Job::Work(Work { changes: Changes::Together(changes), answer })).await.map_err(|_| closed())?;
        done.await.unwrap_or_else(|_| Err(closed()))
    }

    pub async fn background(&self, changes: Vec<Change>) -> Done {
        let (answer, done) = oneshot::channel();
        self.background.send(Work { changes: Changes::OneByOne(changes), answer }).await.map_err(|_| closed())?;
        done.await.unwrap_or_else(|_| Err(closed()))
    }

    /// Runs a task that has the writing connection for itself.
    pub async fn exclusive<T: Send + 'static>(
        &self,
        task: impl FnOnce(DatabaseConnection) -> BoxFuture<'static, T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, done) = oneshot::channel();
        let boxed: Exclusive = Box::new(move |db| {
            Box::pin(async move {
                // Nobody waits for the answer any more where this fails.
                let _ = answer.send(task(db).await);
            })
        });
        self.jobs.send(Job::Exclusive(boxed)).await.map_err(|_| closed_store())?;
        done.await.map_err(|_| closed_store())
    }

    pub async fn close(&self) {
        let (answer, done) = oneshot::channel();
        if self.jobs.send(Job::Close(answer)).await.is_ok() {
            let _ = done.await;
        }
    }
}

struct WriterTask {
    pool: SqlitePool,
    counters: Arc<Counters>,
    background: mpsc::Receiver<Work>,
    /// A background work that waits, and since when.
    pending: Option<(Work, Instant)>,
}

/// What the writer does besides committing a batch.
enum Then {
    Nothing,
    Exclusive(Exclusive),
    Close(oneshot::Sender<()>),
}

impl WriterTask {
    async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut connection = None;
        loop {
            let first = match self.next(&mut jobs).await {
                Some(job) => job,
                None if self.pending.is_some() => {
                    self.commit_pending(&mut connection).await;
                    continue;
                }
                None => break,
            };
            let (batch, then) = gather(first, &mut jobs);
            if !batch.is_empty() {
                self.commit(&mut connection, batch).await;
            }
            match then {
                Then::Nothing => {}
                Then::Exclusive(task) => {
                    connection = None;
                    task(SqlxSqliteConnector::from_sqlx_sqlite_pool(self.pool.clone())).await;
                }
                Then::Close(answer) => {
                    jobs.close();
                    self.drain(&mut connection, &mut jobs).await;
                    drop(connection);
                    self.pool.close().await;
                    let _ = answer.send(());
                    return;
                }
            }
        }
        drop(connection);
        self.pool.close().await;
    }

    /// The next job; `None` when a background work is due, or everybody is gone.
    async fn next(&mut self, jobs: &mut mpsc::Receiver<Job>) -> Option<Job> {
        if let Some((_, since)) = &self.pending {
            // A batch has just been committed: whatever waits by now goes first, for a while.
            return if since.elapsed() > MAX_DELAY { None } else { jobs.try_recv().ok() };
        }
        tokio::select! {
            biased;
            job = jobs.recv() => job,
            Some(work) = self.background.recv() => {
                self.pending = Some((work, Instant::now()));
                jobs.try_recv().ok()
            }
        }
    }

    async fn commit_pending(&mut self, connection: &mut Option<PoolConnection<Sqlite>>) {
        if let Some((work, _)) = self.pending.take() {
            self.commit(connection, vec![work]).await;
        }
    }

    /// Carries out what was sent before the end.
    async fn drain(&mut self, connection: &mut Option<PoolConnection<Sqlite>>, jobs: &mut mpsc::Receiver<Job>) {
        while let Some(job) = jobs.recv().await {
            match job {
                Job::Work(work) => self.commit(connection, vec![work]).await,
                Job::Exclusive(task) => {
                    *connection = None;
                    task(SqlxSqliteConnector::from_sqlx_sqlite_pool(self.pool.clone())).await;
                }
                Job::Close(answer) => drop(answer),
            }
        }
        self.commit_pending(connection).await;
        self.background.close();
        while let Some(work) = self.background.recv().await {
            self.commit(connection, vec![work]).await;
        }
    }

    async fn commit(&self, connection: &mut Option<PoolConnection<Sqlite>>, batch: Vec<Work>) {
        let (changes, answers): (Vec<_>, Vec<_>) = batch.into_iter().map(|work| (work.changes, work.answer)).unzip();
        let done = match self.connected(connection).await {
            Ok(connection) => with_retries(connection, &changes).await,
            Err(cause) => Err(cause),
        };
        self.counters.committed();
        let done = done.unwrap_or_else(|cause| {
            let cause = sqlx_error(&cause);
            changes.iter().map(|_| Err(WorkError::Store(cause.clone()))).collect()
        });
        for (answer, done) in answers.into_iter().zip(done) {
            // A caller who went away does not undo what is durable.
            let _ = answer.send(done);
        }
    }

    async fn connected<'a>(
        &self,
        connection: &'a mut Option<PoolConnection<Sqlite>>,
    ) -> Result<&'a mut SqliteConnection, sqlx::Error> {
        let there = match connection.take() {
            Some(there) => there,
            None => self.pool.acquire().await?,
        };
        Ok(&mut *connection.insert(there))
    }
}

/// Takes what waits, up to the first job that wants the connection for itself.
fn gather(first: Job, jobs: &mut mpsc::Receiver<Job>) -> (Vec<Work>, Then) {
    let mut batch = Vec::new();
    let mut next = Some(first);
    while let Some(job) = next {
        match job {
            Job::Work(work) => batch.push(work),
            Job::Exclusive(task) => return (batch, Then::Exclusive(task)),
            Job::Close(answer) => return (batch, Then::Close(answer)),
        }
        next = if batch.len() < MAX_BATCH { jobs.try_recv().ok() } else { None };
    }
    (batch, Then::Nothing)
}

async fn with_retries(connection: &mut SqliteConnection, batch: &[Changes]) -> Result<Vec<Done>, sqlx::Error> {
    let mut tries = 1;
    loop {
        let done = match batch {
            [Changes::Together(only)] => commit_one(connection, only).await.map(|done| vec![done]),
            several => commit_several(connection, several).await,
        };
        match done {
            Err(cause) => {
                // Where no transaction is open this fails, and that is fine.
                let _ = connection.execute("ROLLBACK").await;
                if tries == TRIES || fault(&cause) != Fault::Busy {
                    return Err(cause);
                }
                tries += 1;
            }
            done => return done,
        }
    }
}

async fn commit_one(connection: &mut SqliteConnection, changes: &[Change]) -> Result<Done, sqlx::Error> {
    match run(connection, "BEGIN IMMEDIATE;", changes, "COMMIT").await {
        Err(Failed { guard: Some(at), .. }) => {
            connection.execute("ROLLBACK").await?;
            Ok(Err(WorkError::Guard(at)))
        }
        Err(Failed { cause, .. }) => Err(cause),
        Ok(rows) => Ok(Ok(rows)),
    }
}

async fn commit_several(connection: &mut SqliteConnection, batch: &[Changes]) -> Result<Vec<Done>, sqlx::Error> {
    connection.execute("BEGIN IMMEDIATE").await?;
    let mut out = Vec::with_capacity(batch.len());
    for changes in batch {
        let ran = match changes {
            Changes::Together(changes) => run(connection, "SAVEPOINT work;", changes, "RELEASE work").await,
            Changes::OneByOne(changes) => run_each(connection, changes).await,
        };
        let done = match ran {
            Ok(rows) => Ok(rows),
            Err(Failed { cause, guard }) => {
                // Where the savepoint is gone SQLite has undone the whole transaction: so everybody fails.
                connection.execute("ROLLBACK TO work; RELEASE work").await?;
                Err(guard.map_or_else(|| WorkError::Store(sqlx_error(&cause)), WorkError::Guard))
            }
        };
        out.push(done);
    }
    connection.execute("COMMIT").await?;
    Ok(out)
}

async fn run_each(connection: &mut SqliteConnection, changes: &[Change]) -> Result<Vec<u64>, Failed> {
    let plain = |cause| Failed { cause, guard: None };
    connection.execute("SAVEPOINT work").await.map_err(plain)?;
    let mut rows = Vec::with_capacity(changes.len());
    for (at, change) in changes.iter().enumerate() {
        let one = run(connection, "", std::slice::from_ref(change), "").await;
        rows.extend(one.map_err(|failed| Failed { guard: failed.guard.map(|_| at), ..failed })?);
    }
    connection.execute("RELEASE work").await.map_err(plain)?;
    Ok(rows)
}

struct Failed {
    cause: sqlx::Error,
    /// The change whose guard failed.
    guard: Option<usize>,
}

/// Which statement of the text stands for what.
#[derive(Clone, Copy)]
enum Slot {
    Frame,
    Change,
    Guard(usize),
}

/// Runs changes with their guards between two statements, as one text.
async fn run(
    connection: &mut SqliteConnection,
    before: &str,
    changes: &[Change],
    after: &str,
) -> Result<Vec<u64>, Failed> {
    let mut sql = String::with_capacity(64 + changes.len() * 256);
    let mut slots = Vec::with_capacity(2 + changes.len() * 2);
    let mut args = SqliteArguments::default();
    if !before.is_empty() {
        sql.push_str(before);
        slots.push(Slot::Frame);
    }
    for (at, change) in changes.iter().enumerate() {
        sql.push_str(&change.sql);
        sql.push(';');
        slots.push(Slot::Change);
        if change.guarded {
            sql.push_str(GUARD);
            slots.push(Slot::Guard(at));
        }
        for arg in &change.args {
            add(&mut args, arg).map_err(|cause| Failed { cause: sqlx::Error::Encode(cause), guard: None })?;
        }
    }
    sql.push_str(after);
    slots.push(Slot::Frame);

    let mut rows = Vec::with_capacity(changes.len());
    let mut slot = slots.iter();
    let mut current = slot.next();
    let mut results = connection.fetch_many(sqlx::query_with(AssertSqlSafe(sql), args));
    while let Some(result) = results.next().await {
        match result {
            Ok(Either::Left(done)) => {
                if let Some(Slot::Change) = current {
                    rows.push(done.rows_affected());
                }
                current = slot.next();
            }
            Ok(Either::Right(_)) => {}
            Err(cause) => {
                let overflow = cause.as_database_error().is_some_and(|inner| inner.message() == GUARD_FAILED);
                let guard = match current {
                    Some(Slot::Guard(at)) if overflow => Some(*at),
                    _ => None,
                };
                return Err(Failed { cause, guard });
            }
        }
    }
    Ok(rows)
}

fn add(args: &mut SqliteArguments, arg: &Arg) -> Result<(), sqlx::error::BoxDynError> {
    match arg {
        Arg::Uuid(value) => args.add(*value),
        Arg::Int(value) => args.add(*value),
        Arg::OptInt(value) => args.add(*value),
        Arg::Flag(value) => args.add(*value),
        Arg::Text(value) => args.add(value.clone()),
        Arg::OptText(value) => args.add(value.clone()),
        Arg::Octets(value) => args.add(value.clone()),
        Arg::OptOctets(value) => args.add(value.clone()),
    }
}

/// The file is made here, for its mode: it holds personal data. Its WAL takes the mode over.
fn make_file(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt as _;
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path).map(drop)
}

fn closed() -> WorkError {
    WorkError::Store(closed_store())
}

fn closed_store() -> StoreError {
    StoreError("it is closed".into())
}
