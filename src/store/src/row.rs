//! One row of an answer, from either database, and its columns by their place.

use fedbridge_contract::error::StoreError;
use fedbridge_contract::time::Timestamp;
use rusqlite::types::{FromSql, Value};
use sea_orm::{QueryResult, TryGetable};
use uuid::Uuid;

use crate::error::{damaged, store_error};

pub enum Row {
    Sqlite(Vec<Value>),
    Postgres(QueryResult),
}

pub fn get<T: TryGetable + FromSql>(row: &Row, at: usize) -> Result<T, StoreError> {
    match row {
        Row::Sqlite(columns) => {
            let value = columns.get(at).ok_or_else(|| damaged("a row"))?;
            T::column_result(value.into()).map_err(|_| damaged("a row"))
        }
        Row::Postgres(row) => row.try_get_by_index(at).map_err(|cause| store_error(&cause)),
    }
}

pub fn uuid(row: &Row, at: usize) -> Result<Uuid, StoreError> {
    get(row, at)
}

pub fn time(row: &Row, at: usize) -> Result<Timestamp, StoreError> {
    get(row, at).map(Timestamp::from_millis)
}

pub fn time_or_none(row: &Row, at: usize) -> Result<Option<Timestamp>, StoreError> {
    Ok(get::<Option<i64>>(row, at)?.map(Timestamp::from_millis))
}
