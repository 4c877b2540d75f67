//! Database errors in words. They name what kind of thing failed, and never a value.

use fedbridge_contract::error::StoreError;
use sea_orm::{DbErr, RuntimeErr, sqlx};

/// What a database error means to a caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Another transaction was in the way; trying again helps.
    Busy,
    Unique,
    ForeignKey,
    Unreachable,
    Other,
}

/// An error of sea-orm without the values that it may quote.
pub fn store_error(cause: &DbErr) -> StoreError {
    match cause {
        DbErr::ConnectionAcquire(_) => StoreError("no database connection became free in time".into()),
        DbErr::Exec(RuntimeErr::SqlxError(inner))
        | DbErr::Query(RuntimeErr::SqlxError(inner))
        | DbErr::Conn(RuntimeErr::SqlxError(inner)) => sqlx_error(inner),
        DbErr::Type(_) | DbErr::Json(_) | DbErr::TryIntoErr { .. } => damaged("a row"),
        _ => StoreError("the database refused a statement".into()),
    }
}

/// An error of sqlx without the values that it may quote.
pub fn sqlx_error(cause: &sqlx::Error) -> StoreError {
    let code = match cause {
        sqlx::Error::Database(inner) => inner.code().map(|code| format!(" (code {code})")).unwrap_or_default(),
        _ => String::new(),
    };
    worded(fault(cause), &code)
}

const TAKEN: &str = "a value that must be unique is there already";
const GONE: &str = "a tenant, connection, app or person is gone";

/// Whether a value was there already that has to be unique.
pub fn is_taken(error: &StoreError) -> bool {
    error.0.starts_with(TAKEN)
}

/// Whether something was gone that a row points to.
pub fn is_gone(error: &StoreError) -> bool {
    error.0.starts_with(GONE)
}

fn worded(fault: Fault, code: &str) -> StoreError {
    StoreError(match fault {
        Fault::Busy => format!("the database stayed busy{code}"),
        Fault::Unique => format!("{TAKEN}{code}"),
        Fault::ForeignKey => format!("{GONE}{code}"),
        Fault::Unreachable => format!("the database can't be reached{code}"),
        Fault::Other => format!("the database refused a statement{code}"),
    })
}

/// As [`sqlx_error`], for SQLite asked directly.
pub fn rusqlite_error(cause: &rusqlite::Error) -> StoreError {
    let code = match cause {
        rusqlite::Error::SqliteFailure(inner, _) => format!(" (code {})", inner.extended_code),
        _ => String::new(),
    };
    worded(fault_of_sqlite(cause), &code)
}

pub fn fault_of_sqlite(cause: &rusqlite::Error) -> Fault {
    use rusqlite::ErrorCode;
    use rusqlite::ffi::{
        SQLITE_CONSTRAINT_FOREIGNKEY, SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_ROWID, SQLITE_CONSTRAINT_UNIQUE,
    };
    let rusqlite::Error::SqliteFailure(inner, _) = cause else { return Fault::Other };
    match (inner.code, inner.extended_code) {
        (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => Fault::Busy,
        (_, SQLITE_CONSTRAINT_FOREIGNKEY) => Fault::ForeignKey,
        (_, SQLITE_CONSTRAINT_PRIMARYKEY | SQLITE_CONSTRAINT_ROWID | SQLITE_CONSTRAINT_UNIQUE) => Fault::Unique,
        (ErrorCode::CannotOpen | ErrorCode::SystemIoFailure | ErrorCode::DiskFull, _) => Fault::Unreachable,
        _ => Fault::Other,
    }
}

pub fn fault_of(cause: &DbErr) -> Fault {
    match cause {
        DbErr::Exec(RuntimeErr::SqlxError(inner))
        | DbErr::Query(RuntimeErr::SqlxError(inner))
        | DbErr::Conn(RuntimeErr::SqlxError(inner)) => fault(inner),
        _ => Fault::Other,
    }
}

pub fn fault(cause: &sqlx::Error) -> Fault {
    match cause {
        sqlx::Error::Database(inner) => match inner.code().as_deref() {
            // SQLITE_BUSY, its SNAPSHOT and RECOVERY kinds, SQLITE_LOCKED; serialization failure, deadlock.
            Some("5" | "261" | "517" | "6" | "262" | "40001" | "40P01") => Fault::Busy,
            _ if inner.is_unique_violation() => Fault::Unique,
            _ if inner.is_foreign_key_violation() => Fault::ForeignKey,
            _ => Fault::Other,
        },
        sqlx::Error::Io(_) | sqlx::Error::Tls(_) | sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => {
            Fault::Unreachable
        }
        _ => Fault::Other,
    }
}

pub fn closed() -> StoreError {
    StoreError("it is closed".into())
}

/// Something in the database is not what this program writes.
pub fn damaged(what: &str) -> StoreError {
    StoreError(format!("{what} in the database is not readable: another master key, or damage"))
}
