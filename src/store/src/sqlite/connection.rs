//! A connection to the file, and the two things that are done on it.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::types::{ToSql, ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, OpenFlags, params_from_iter};

use crate::row::Row;
use crate::work::{Arg, Change};

/// How long a statement waits for another process that writes.
pub const BUSY: Duration = Duration::from_secs(5);

/// Compiled statements that a connection keeps: more than there are in this crate.
const STATEMENTS: usize = 128;

pub fn open(path: &Path, cache_kib: i64) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.pragma_update(None, "temp_store", "memory")?;
    connection.pragma_update(None, "cache_size", -cache_kib)?;
    // Else a statement whose plan could hang on a value is compiled anew for every value.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    Ok(connection)
}

/// Carries one change out, and tells how many rows it changed.
pub fn change(connection: &Connection, change: &Change) -> rusqlite::Result<u64> {
    tracing::trace!(sql = %change.sql, "a change");
    let rows = connection.prepare_cached(&change.sql)?.execute(params_from_iter(&change.args))?;
    Ok(rows as u64)
}

/// Rows of a query, `most` at the most.
pub fn rows(connection: &Connection, sql: &str, args: &[Arg], most: usize) -> rusqlite::Result<Vec<Row>> {
    tracing::trace!(sql, "a read");
    let mut statement = connection.prepare_cached(sql)?;
    let columns = statement.column_count();
    let mut rows = statement.query(params_from_iter(args))?;
    let mut out = Vec::new();
    while out.len() < most
        && let Some(row) = rows.next()?
    {
        out.push(Row::Sqlite((0..columns).map(|at| row.get::<_, Value>(at)).collect::<rusqlite::Result<_>>()?));
    }
    Ok(out)
}

impl ToSql for Arg {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let borrowed = match self {
            Self::Uuid(value) => ValueRef::Blob(value.as_bytes()),
            Self::Int(value) => ValueRef::Integer(*value),
            Self::OptInt(value) => value.map_or(ValueRef::Null, ValueRef::Integer),
            Self::Flag(value) => ValueRef::Integer(i64::from(*value)),
            Self::Text(value) => ValueRef::Text(value.as_bytes()),
            Self::OptText(value) => value.as_ref().map_or(ValueRef::Null, |value| ValueRef::Text(value.as_bytes())),
            Self::Octets(value) => ValueRef::Blob(value),
            Self::OptOctets(value) => value.as_ref().map_or(ValueRef::Null, |value| ValueRef::Blob(value)),
        };
        Ok(ToSqlOutput::Borrowed(borrowed))
    }
}
