//! The database schema, one for SQLite and PostgreSQL.
//!
//! Rules of every migration: ids are made by the program (uuid), times are
//! milliseconds since 1970 (i64), JSON is text, and there are no database
//! defaults, no native enums and no triggers. Every row belongs to a tenant, and
//! every key and foreign key starts with the tenant.

mod column;
mod m0001_configuration;
mod m0002_logins;
mod m0003_admins;
mod m0004_federation;
mod m0005_rollovers;
mod m0006_kills;
mod m0007_chaining;
mod m0008_directory;
mod m0009_pushed;
mod m0010_shut;
mod m0011_origins;
mod m0012_outbound;
mod m0013_signals;
mod m0014_standings;
mod statistics;

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, SqliteTransactionMode};
use sea_orm_migration::sea_orm::{DatabaseConnection, DbBackend, Statement, TransactionOptions, TransactionTrait};

/// Processes that start together take turns under this lock (PostgreSQL).
const ADVISORY_LOCK: i64 = 0x6665_6462_7269_6467;

/// Brings the schema up to date: all that is missing, or nothing at all.
///
/// # Errors
/// The database does not answer, or was written by a newer version of the program.
pub async fn migrate(db: &DatabaseConnection) -> Result<(), DbErr> {
    if is_current(db).await? {
        return Ok(());
    }
    up(db, None).await
}

/// The schema of an earlier version of the program, whose last migration was this one: for tests of upgrades. A name
/// that is not known means all.
///
/// # Errors
/// The database does not answer, or is newer than that.
pub async fn migrate_until(db: &DatabaseConnection, last: &str) -> Result<(), DbErr> {
    let steps = (1..).zip(names()).find(|(_, name)| name == last).map(|(steps, _)| steps);
    up(db, steps).await
}

async fn up(db: &DatabaseConnection, steps: Option<u32>) -> Result<(), DbErr> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let transaction = db.begin_with_options(options).await?;
    if db.get_database_backend() == DbBackend::Postgres {
        let lock = format!("SELECT pg_advisory_xact_lock({ADVISORY_LOCK})");
        transaction.execute_raw(Statement::from_string(DbBackend::Postgres, lock)).await?;
    }
    Migrator::up(&transaction, steps).await?;
    if db.get_database_backend() == DbBackend::Sqlite {
        statistics::tell(&transaction).await?;
    }
    transaction.commit().await
}

/// The migrations by name, in order, with whether each was applied.
///
/// # Errors
/// The database does not answer.
pub async fn status(db: &DatabaseConnection) -> Result<Vec<(String, bool)>, DbErr> {
    let applied = applied(db).await?;
    Ok(names().into_iter().map(|name| (name.clone(), applied.contains(&name))).collect())
}

/// One statement where nothing is to be done: a start must not wait for more.
async fn is_current(db: &DatabaseConnection) -> Result<bool, DbErr> {
    let mut applied = applied(db).await?;
    applied.sort();
    Ok(applied == names())
}

async fn applied(db: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    let query = "SELECT version FROM seaql_migrations";
    match db.query_all_raw(Statement::from_string(db.get_database_backend(), query)).await {
        Ok(rows) => rows.iter().map(|row| row.try_get_by_index(0)).collect(),
        // A new database has no such table. Any other fault will show again at the next statement.
        Err(DbErr::Query(_)) => Ok(Vec::new()),
        Err(other) => Err(other),
    }
}

fn names() -> Vec<String> {
    Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect()
}

struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m0001_configuration::Migration),
            Box::new(m0002_logins::Migration),
            Box::new(m0003_admins::Migration),
            Box::new(m0004_federation::Migration),
            Box::new(m0005_rollovers::Migration),
            Box::new(m0006_kills::Migration),
            Box::new(m0007_chaining::Migration),
            Box::new(m0008_directory::Migration),
            Box::new(m0009_pushed::Migration),
            Box::new(m0010_shut::Migration),
            Box::new(m0011_origins::Migration),
            Box::new(m0012_outbound::Migration),
            Box::new(m0013_signals::Migration),
            Box::new(m0014_standings::Migration),
        ]
    }
}
