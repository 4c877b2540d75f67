//! Reading columns by their place.

use fedbridge_contract::error::StoreError;
use fedbridge_contract::time::Timestamp;
use sea_orm::{QueryResult, TryGetable};
use uuid::Uuid;

use crate::error::store_error;

pub fn get<T: TryGetable>(row: &QueryResult, at: usize) -> Result<T, StoreError> {
    row.try_get_by_index(at).map_err(|cause| store_error(&cause))
}

pub fn uuid(row: &QueryResult, at: usize) -> Result<Uuid, StoreError> {
    get(row, at)
}

pub fn time(row: &QueryResult, at: usize) -> Result<Timestamp, StoreError> {
    get(row, at).map(Timestamp::from_millis)
}

pub fn time_or_none(row: &QueryResult, at: usize) -> Result<Option<Timestamp>, StoreError> {
    Ok(get::<Option<i64>>(row, at)?.map(Timestamp::from_millis))
}
