//! Works on PostgreSQL: each is one statement, so one round trip, and correct
//! over any number of processes at READ COMMITTED.
//!
//! The changes of a work become common table expressions of one statement. All
//! see the same snapshot, foreign keys are checked at its end, and a guard that
//! changed no row makes the statement fail, which undoes all of it.

use std::fmt::Write as _;
use std::time::Duration;

use sea_orm::sqlx::ConnectOptions as _;
use sea_orm::sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, RuntimeErr, Statement, TransactionTrait as _, Value, sqlx,
};

use crate::ear::Ear;
use crate::error::{Fault, fault_of, store_error};
use crate::open::{OpenError, StoreOptions};
use crate::work::{Change, Done, WorkError, numbered, statement};

/// How often a work that met another one is tried, and the first pause between.
const TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(1);

/// A connection that was idle for longer is tested before it is used.
const TEST_AFTER: Duration = Duration::from_secs(2);

const GUARD: &str = "fedbridge-guard-";

/// Where nodes are told that a counter of the installation has moved.
pub const CHANNEL: &str = "fedbridge";

/// Part of the transaction that moves it: told when that is durable, and not at all where it is undone.
/// Never part of a login, because a commit that notifies takes a lock of the whole database.
pub const NOTIFY: &str = "SELECT pg_notify('fedbridge', '')";

pub async fn open(url: &str, options: &StoreOptions) -> Result<(DatabaseConnection, Ear), OpenError> {
    let connect: PgConnectOptions = url.parse().map_err(|_| OpenError::BadAddress)?;
    let connect = connect.application_name("fedbridge").statement_cache_capacity(256).disable_statement_logging();
    let ear = Ear::new(connect.clone());
    let pool = PgPoolOptions::new()
        .max_connections(options.connections.max(1))
        .acquire_timeout(Duration::from_secs(10))
        .test_before_acquire(false)
        .before_acquire(|connection, facts| {
            Box::pin(async move {
                if facts.idle_for > TEST_AFTER {
                    sqlx::Connection::ping(connection).await?;
                }
                Ok(true)
            })
        })
        .connect_with(connect)
        .await?;
    let db = sea_orm::SqlxPostgresConnector::from_sqlx_postgres_pool(pool);
    if options.migrate {
        fedbridge_migrations::migrate(&db).await.map_err(|cause| OpenError::Migrate(store_error(&cause)))?;
    }
    Ok((db, ear))
}

pub async fn work(db: &DatabaseConnection, changes: Vec<Change>) -> Done {
    let mut pause = FIRST_PAUSE;
    let mut tries = 1;
    loop {
        match attempt(db, &changes).await {
            Err(cause) if tries < TRIES && fault_of(&cause) == Fault::Busy => {
                tokio::time::sleep(pause).await;
                pause *= 2;
                tries += 1;
            }
            Err(cause) => return Err(failed_guard(&cause).unwrap_or_else(|| WorkError::Store(store_error(&cause)))),
            Ok(rows) => match changes.iter().zip(&rows).position(|(change, rows)| change.guarded && *rows == 0) {
                Some(at) => return Err(WorkError::Guard(at)),
                None => return Ok(rows),
            },
        }
    }
}

/// As [`work`], statement by statement in one transaction: as one statement, a work of any length
/// would leave a prepared statement for each length.
pub async fn work_one_by_one(db: &DatabaseConnection, changes: Vec<Change>) -> Done {
    if changes.len() < 2 {
        return work(db, changes).await;
    }
    let mut pause = FIRST_PAUSE;
    let mut tries = 1;
    loop {
        match in_turn(db, &changes).await {
            Err(cause) if tries < TRIES && fault_of(&cause) == Fault::Busy => {
                tokio::time::sleep(pause).await;
                pause *= 2;
                tries += 1;
            }
            Err(cause) => return Err(WorkError::Store(store_error(&cause))),
            Ok(done) => return done.map_err(WorkError::Guard),
        }
    }
}

/// `Ok(Err(_))`: the guard at this place failed.
async fn in_turn(db: &DatabaseConnection, changes: &[Change]) -> Result<Result<Vec<u64>, usize>, DbErr> {
    // What is dropped before its commit is undone.
    let transaction = db.begin().await?;
    let mut rows = Vec::with_capacity(changes.len());
    for (at, change) in changes.iter().enumerate() {
        let done = transaction.execute_raw(statement(DbBackend::Postgres, &change.sql, change.args.clone())).await?;
        if change.guarded && done.rows_affected() == 0 {
            return Ok(Err(at));
        }
        rows.push(done.rows_affected());
    }
    transaction.commit().await?;
    Ok(Ok(rows))
}

async fn attempt(db: &DatabaseConnection, changes: &[Change]) -> Result<Vec<u64>, DbErr> {
    match changes {
        [] => Ok(Vec::new()),
        [only] => {
            let done = db.execute_raw(statement(DbBackend::Postgres, &only.sql, only.args.clone())).await?;
            Ok(vec![done.rows_affected()])
        }
        several => {
            let row = db.query_one_raw(one_statement(several)).await?;
            let row = row.ok_or(DbErr::RecordNotFound(String::new()))?;
            (0..several.len()).map(|at| row.try_get_by_index::<i64>(at + 1).map(i64::unsigned_abs)).collect()
        }
    }
}

fn one_statement(changes: &[Change]) -> Statement {
    let mut used = 0;
    let mut with = String::with_capacity(256 * changes.len());
    let mut check = String::from("CASE");
    let mut counts = String::new();
    for (at, change) in changes.iter().enumerate() {
        let comma = if at == 0 { "WITH" } else { "," };
        // Writing to a String does not fail.
        let _ = write!(with, "{comma} c{at} AS ({} RETURNING 1)", numbered(&change.sql, &mut used));
        let _ = write!(counts, ", (SELECT count(*) FROM c{at})");
        if change.guarded {
            // The count inside keeps the planner from working the failing cast out beforehand.
            let _ = write!(
                check,
                " WHEN (SELECT count(*) FROM c{at}) = 0 \
                 THEN CAST('{GUARD}{at}/' || (SELECT count(*) FROM c{at})::text AS bigint)"
            );
        }
    }
    let check = if check.len() > 4 { check + " ELSE 0 END" } else { "0".to_owned() };
    let args = changes.iter().flat_map(|change| change.args.clone()).map(Value::from);
    Statement::from_sql_and_values(DbBackend::Postgres, format!("{with} SELECT {check}{counts}"), args)
}

/// The guard's number, out of the text that PostgreSQL could not read as a number (22P02).
fn failed_guard(cause: &DbErr) -> Option<WorkError> {
    let (DbErr::Exec(RuntimeErr::SqlxError(inner)) | DbErr::Query(RuntimeErr::SqlxError(inner))) = cause else {
        return None;
    };
    let inner = inner.as_database_error().filter(|inner| inner.code().as_deref() == Some("22P02"))?;
    let (_, rest) = inner.message().split_once(GUARD)?;
    let (number, _) = rest.split_once('/')?;
    number.parse().ok().map(WorkError::Guard)
}
