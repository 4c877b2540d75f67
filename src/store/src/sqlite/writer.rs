//! The one thread that writes: many works in one durable commit.
//!
//! It takes all works that wait, runs each in a savepoint of one transaction,
//! commits once (synchronous=FULL), and only then answers. While a commit waits
//! for the disk, the next works gather. A failed guard undoes its own savepoint
//! and no more.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::error::StoreError;
use futures_util::future::BoxFuture;
use rusqlite::Connection;
use sea_orm::DatabaseConnection;
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::connection::{change, open};
use crate::error::{Fault, closed, fault_of_sqlite, rusqlite_error};
use crate::open::OpenError;
use crate::stats::Counters;
use crate::work::{Change, Done, WorkError};

/// KiB of pages that the connection keeps. The system's own cache of the file is behind it.
const CACHE: i64 = 4000;

/// Pages of the WAL after which a commit copies them into the file: 64 MiB. Pages that many commits write are copied once.
const CHECKPOINT_PAGES: i64 = 16_000;

/// The most works of one commit, and how many may wait.
const MAX_BATCH: usize = 256;
const MAX_WAITING: usize = 4096;

/// Background works run when nothing else waits, and after this in any case.
const MAX_DELAY: Duration = Duration::from_millis(250);

/// How often a commit that met another process is tried; each waits for the connection's busy time.
const TRIES: u32 = 3;

type Exclusive = Box<dyn FnOnce(DatabaseConnection) -> BoxFuture<'static, ()> + Send>;

/// The way to the thread that writes.
pub struct Writer {
    jobs: mpsc::Sender<Job>,
    background: mpsc::Sender<Work>,
}

enum Job {
    Work(Work),
    /// Runs while nothing else is written, on a connection of sea-orm.
    Exclusive(Exclusive),
    Close(oneshot::Sender<()>),
}

struct Work {
    changes: Vec<Change>,
    answer: oneshot::Sender<Done>,
}

impl Writer {
    pub fn start(path: &Path, orm: DatabaseConnection, counters: Arc<Counters>) -> Result<Self, OpenError> {
        let connection = open(path, CACHE)?;
        connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
        let (jobs, inbox) = mpsc::channel(MAX_WAITING);
        let (background, background_inbox) = mpsc::channel(MAX_WAITING);
        let thread = WriterThread { connection, orm, counters, background: background_inbox, pending: None };
        let runtime = Handle::current();
        std::thread::Builder::new().name("sqlite-writer".into()).spawn(move || runtime.block_on(thread.run(inbox)))?;
        Ok(Self { jobs, background })
    }

    pub async fn work(&self, changes: Vec<Change>) -> Done {
        let (answer, done) = oneshot::channel();
        self.jobs.send(Job::Work(Work { changes, answer })).await.map_err(|_| WorkError::Store(closed()))?;
        done.await.unwrap_or_else(|_| Err(WorkError::Store(closed())))
    }

    pub async fn background(&self, changes: Vec<Change>) -> Done {
        let (answer, done) = oneshot::channel();
        self.background.send(Work { changes, answer }).await.map_err(|_| WorkError::Store(closed()))?;
        done.await.unwrap_or_else(|_| Err(WorkError::Store(closed())))
    }

    /// Runs a task of sea-orm while nothing else is written.
    pub async fn exclusive<T: Send + 'static>(
        &self,
        task: impl FnOnce(DatabaseConnection) -> BoxFuture<'static, T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, done) = oneshot::channel();
        let boxed: Exclusive = Box::new(move |orm| {
            Box::pin(async move {
                // Nobody waits for the answer any more where this fails.
                let _ = answer.send(task(orm).await);
            })
        });
        self.jobs.send(Job::Exclusive(boxed)).await.map_err(|_| closed())?;
        done.await.map_err(|_| closed())
    }

    pub async fn close(&self) {
        let (answer, done) = oneshot::channel();
        if self.jobs.send(Job::Close(answer)).await.is_ok() {
            let _ = done.await;
        }
    }
}

struct WriterThread {
    connection: Connection,
    orm: DatabaseConnection,
    counters: Arc<Counters>,
    background: mpsc::Receiver<Work>,
    /// A background work that waits, and since when.
    pending: Option<(Work, Instant)>,
}

/// What the thread does besides committing a batch.
enum Then {
    Nothing,
    Exclusive(Exclusive),
    Close(oneshot::Sender<()>),
}

impl WriterThread {
    /// Nothing else runs on this thread, so a statement may block it.
    async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        loop {
            let first = match self.next(&mut jobs).await {
                Some(job) => job,
                None if self.pending.is_some() => {
                    self.commit_pending();
                    continue;
                }
                None => return,
            };
            let (batch, then) = gather(first, &mut jobs);
            self.commit(batch);
            match then {
                Then::Nothing => {}
                Then::Exclusive(task) => task(self.orm.clone()).await,
                Then::Close(answer) => {
                    jobs.close();
                    self.drain(&mut jobs).await;
                    drop(self.connection);
                    let _ = answer.send(());
                    return;
                }
            }
        }
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

    /// Carries out what was sent before the end.
    async fn drain(&mut self, jobs: &mut mpsc::Receiver<Job>) {
        while let Some(job) = jobs.recv().await {
            match job {
                Job::Work(work) => self.commit(vec![work]),
                Job::Exclusive(task) => task(self.orm.clone()).await,
                Job::Close(answer) => drop(answer),
            }
        }
        self.commit_pending();
        self.background.close();
        while let Some(work) = self.background.recv().await {
            self.commit(vec![work]);
        }
    }

    fn commit_pending(&mut self) {
        if let Some((work, _)) = self.pending.take() {
            self.commit(vec![work]);
        }
    }

    fn commit(&self, batch: Vec<Work>) {
        if batch.is_empty() {
            return;
        }
        let done = with_retries(&self.connection, &batch);
        self.counters.committed();
        let done = done.unwrap_or_else(|cause| {
            let cause = rusqlite_error(&cause);
            batch.iter().map(|_| Err(WorkError::Store(cause.clone()))).collect()
        });
        for (work, done) in batch.into_iter().zip(done) {
            // A caller who went away does not undo what is durable.
            let _ = work.answer.send(done);
        }
    }
}

/// Takes what waits, up to the first job that is not a work.
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

fn with_retries(connection: &Connection, batch: &[Work]) -> rusqlite::Result<Vec<Done>> {
    let mut tries = 1;
    loop {
        let done = match batch {
            [only] => commit_one(connection, &only.changes).map(|done| vec![done]),
            several => commit_several(connection, several),
        };
        match done {
            Err(cause) => {
                // Where no transaction is open this fails, and that is fine.
                let _ = frame(connection, "ROLLBACK");
                if tries == TRIES || fault_of_sqlite(&cause) != Fault::Busy {
                    return Err(cause);
                }
                tries += 1;
            }
            done => return done,
        }
    }
}

fn commit_one(connection: &Connection, changes: &[Change]) -> rusqlite::Result<Done> {
    frame(connection, "BEGIN IMMEDIATE")?;
    match run(connection, changes) {
        Ok(rows) => frame(connection, "COMMIT").map(|()| Ok(rows)),
        Err(Failed::Guard(at)) => frame(connection, "ROLLBACK").map(|()| Err(WorkError::Guard(at))),
        Err(Failed::Sqlite(cause)) => Err(cause),
    }
}

fn commit_several(connection: &Connection, batch: &[Work]) -> rusqlite::Result<Vec<Done>> {
    frame(connection, "BEGIN IMMEDIATE")?;
    let mut out = Vec::with_capacity(batch.len());
    for work in batch {
        frame(connection, "SAVEPOINT work")?;
        let failed = match run(connection, &work.changes) {
            Ok(rows) => {
                frame(connection, "RELEASE work")?;
                out.push(Ok(rows));
                continue;
            }
            Err(Failed::Guard(at)) => WorkError::Guard(at),
            Err(Failed::Sqlite(cause)) => WorkError::Store(rusqlite_error(&cause)),
        };
        // Where the savepoint is gone SQLite has undone the whole transaction: so everybody fails.
        frame(connection, "ROLLBACK TO work")?;
        frame(connection, "RELEASE work")?;
        out.push(Err(failed));
    }
    frame(connection, "COMMIT")?;
    Ok(out)
}

enum Failed {
    /// The guarded change at this place changed no row.
    Guard(usize),
    Sqlite(rusqlite::Error),
}

fn run(connection: &Connection, changes: &[Change]) -> Result<Vec<u64>, Failed> {
    let mut rows = Vec::with_capacity(changes.len());
    for (at, one) in changes.iter().enumerate() {
        let changed = change(connection, one).map_err(Failed::Sqlite)?;
        if one.guarded && changed == 0 {
            return Err(Failed::Guard(at));
        }
        rows.push(changed);
    }
    Ok(rows)
}

/// A statement around the changes.
fn frame(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}
