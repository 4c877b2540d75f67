//! A work: guarded statements that happen whole or not at all.
//!
//! SQL is written once for both databases, with a `?` for each value in order.

use std::borrow::Cow;

use fedbridge_contract::error::StoreError;
use sea_orm::{DbBackend, Statement as OrmStatement, Value};
use uuid::Uuid;

/// A value for a `?`.
#[derive(Debug, Clone)]
pub enum Arg {
    Uuid(Uuid),
    Int(i64),
    OptInt(Option<i64>),
    Flag(bool),
    Text(String),
    OptText(Option<String>),
    Octets(Vec<u8>),
    OptOctets(Option<Vec<u8>>),
}

/// One statement that changes rows.
#[derive(Debug, Clone)]
pub struct Change {
    pub sql: Cow<'static, str>,
    pub args: Vec<Arg>,
    /// Guarded: when it changes no row, the whole work is undone.
    pub guarded: bool,
}

impl Change {
    pub fn new(sql: impl Into<Cow<'static, str>>, args: Vec<Arg>) -> Self {
        Self { sql: sql.into(), args, guarded: false }
    }
}

/// How a work that did not happen failed.
#[derive(Debug, Clone)]
pub enum WorkError {
    /// The guarded change at this place changed no row.
    Guard(usize),
    Store(StoreError),
}

/// For each change, how many rows it changed.
pub type Done = Result<Vec<u64>, WorkError>;

/// A statement for sea-orm, its places written as the backend wants them.
pub fn statement(backend: DbBackend, sql: &str, args: Vec<Arg>) -> OrmStatement {
    let values = args.into_iter().map(Value::from);
    match backend {
        DbBackend::Postgres => OrmStatement::from_sql_and_values(backend, numbered(sql, &mut 0), values),
        _ => OrmStatement::from_sql_and_values(backend, sql, values),
    }
}

/// `?` becomes `$1`, `$2` and so on, counting on from `used`. No literal of ours holds a `?`.
pub fn numbered(sql: &str, used: &mut usize) -> String {
    let mut out = String::with_capacity(sql.len() + 16);
    for (at, piece) in sql.split('?').enumerate() {
        if at > 0 {
            *used += 1;
            out.push('$');
            out.push_str(&used.to_string());
        }
        out.push_str(piece);
    }
    out
}

impl From<Arg> for Value {
    fn from(arg: Arg) -> Self {
        match arg {
            Arg::Uuid(value) => value.into(),
            Arg::Int(value) => value.into(),
            Arg::OptInt(value) => value.into(),
            Arg::Flag(value) => value.into(),
            Arg::Text(value) => value.into(),
            Arg::OptText(value) => value.into(),
            Arg::Octets(value) => value.into(),
            Arg::OptOctets(value) => value.into(),
        }
    }
}

/// SHA-256 of texts, each behind its length, so that their borders count.
pub fn digest(parts: &[&str]) -> Vec<u8> {
    let mut hash = openssl::sha::Sha256::new();
    for part in parts {
        hash.update(&(part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finish().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_places_across_statements() {
        let mut used = 0;
        assert_eq!(numbered("a = ? AND b = ?", &mut used), "a = $1 AND b = $2");
        assert_eq!(numbered("c = ?", &mut used), "c = $3");
    }

    #[test]
    fn digests_keep_borders() {
        assert_ne!(digest(&["ab", "c"]), digest(&["a", "bc"]));
    }
}
