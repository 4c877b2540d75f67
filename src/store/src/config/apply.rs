//! Changing the configuration: all changes or none, and only if nobody else
//! changed it meanwhile.

use std::collections::BTreeSet;

use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::TenantId;
use fedbridge_hub::ports::{ApplyError, Sealer};
use fedbridge_hub::spec::ConfigChange;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ColumnTrait, ConnectionTrait as _, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, EntityTrait,
    ExprTrait, QueryFilter, SqliteTransactionMode, TransactionOptions, TransactionTrait,
};

use crate::config::{delete, documents, put};
use crate::entity::{installation, tenant};
use crate::error::{Fault, fault_of, store_error};
use crate::postgres::NOTIFY;
use crate::rollovers;

pub async fn apply(
    db: &DatabaseConnection,
    sealer: &dyn Sealer,
    expected: i64,
    changes: &[ConfigChange],
) -> Result<i64, ApplyError> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let transaction = db.begin_with_options(options).await.map_err(failed)?;
    match apply_in(&transaction, sealer, expected, changes).await {
        Ok(version) => {
            if transaction.get_database_backend() == DbBackend::Postgres && !changes.is_empty() {
                transaction.execute_unprepared(NOTIFY).await.map_err(failed)?;
            }
            transaction.commit().await.map_err(failed)?;
            Ok(version)
        }
        Err(cause) => {
            transaction.rollback().await.map_err(failed)?;
            Err(cause)
        }
    }
}

async fn apply_in(
    db: &DatabaseTransaction,
    sealer: &dyn Sealer,
    expected: i64,
    changes: &[ConfigChange],
) -> Result<i64, ApplyError> {
    let version = raise_version(db, expected, changes.is_empty()).await?;
    let mut ordered: Vec<_> = changes.iter().collect();
    // Deletions first: a slug or a domain may move from one object to another in one go.
    ordered.sort_by_key(|change| rank(change));
    put::release_domains(db, changes).await.map_err(failed)?;
    for change in ordered {
        carry_out(db, sealer, change, version).await?;
    }
    let touched: BTreeSet<_> = changes.iter().map(|change| tenant_of(change).uuid()).collect();
    tenant::Entity::update_many()
        .col_expr(tenant::Column::Version, Expr::value(version))
        .filter(tenant::Column::TenantId.is_in(touched))
        .exec(db)
        .await
        .map_err(failed)?;
    Ok(version)
}

/// The guard: the row is written only where it still has the expected version. It is also
/// what makes two processes take turns, because the first one to write holds the row.
async fn raise_version(db: &DatabaseTransaction, expected: i64, empty: bool) -> Result<i64, ApplyError> {
    let next = if empty { expected } else { expected.saturating_add(1) };
    let done = installation::Entity::update_many()
        .col_expr(installation::Column::Version, Expr::value(next))
        .filter(installation::Column::Id.eq(1).and(installation::Column::Version.eq(expected)))
        .exec(db)
        .await
        .map_err(failed)?;
    if done.rows_affected == 1 { Ok(next) } else { Err(ApplyError::Conflict) }
}

async fn carry_out(
    db: &DatabaseTransaction,
    sealer: &dyn Sealer,
    change: &ConfigChange,
    version: i64,
) -> Result<(), ApplyError> {
    match change {
        ConfigChange::PutTenant(it) => put::tenant(db, it, version).await,
        ConfigChange::PutConnection(it) => put::connection(db, it).await,
        ConfigChange::PutApp(it) => put::app(db, it).await,
        ConfigChange::PutSecret(it) => put::secret(db, it, sealer).await,
        ConfigChange::PutKey(it) => put::key(db, it).await,
        ConfigChange::PutDocument(it) => documents::put(db, it).await,
        ConfigChange::DeleteDocument { tenant, party } => documents::delete(db, *tenant, *party).await,
        ConfigChange::PutRollover(it) => rollovers::put(db, it).await,
        ConfigChange::EndRollover { tenant, purpose } => rollovers::end(db, *tenant, *purpose).await,
        ConfigChange::DeleteTenant { id, with_people } => delete::tenant(db, *id, *with_people).await,
        ConfigChange::DeleteConnection { tenant, id, with_people } => {
            delete::connection(db, *tenant, *id, *with_people).await
        }
        ConfigChange::DeleteApp { tenant, id } => delete::app(db, *tenant, *id).await,
        ConfigChange::DeleteSecret { tenant, owner, name } => delete::secret(db, *tenant, *owner, name).await,
    }
}

fn rank(change: &ConfigChange) -> u8 {
    match change {
        ConfigChange::DeleteSecret { .. } | ConfigChange::DeleteDocument { .. } | ConfigChange::EndRollover { .. } => 0,
        ConfigChange::DeleteApp { .. } => 1,
        ConfigChange::DeleteConnection { .. } => 2,
        ConfigChange::DeleteTenant { .. } => 3,
        ConfigChange::PutTenant(_) => 4,
        ConfigChange::PutConnection(_) => 5,
        ConfigChange::PutApp(_) => 6,
        ConfigChange::PutSecret(_) => 7,
        ConfigChange::PutKey(_) => 8,
        ConfigChange::PutDocument(_) => 9,
        ConfigChange::PutRollover(_) => 10,
    }
}

fn tenant_of(change: &ConfigChange) -> TenantId {
    match change {
        ConfigChange::PutTenant(it) => it.id,
        ConfigChange::DeleteTenant { id, .. } => *id,
        ConfigChange::PutConnection(it) => it.tenant,
        ConfigChange::PutApp(it) => it.tenant,
        ConfigChange::PutSecret(it) => it.tenant,
        ConfigChange::PutKey(it) => it.tenant,
        ConfigChange::PutDocument(it) => it.tenant,
        ConfigChange::PutRollover(it) => it.tenant,
        ConfigChange::DeleteConnection { tenant, .. }
        | ConfigChange::DeleteApp { tenant, .. }
        | ConfigChange::DeleteDocument { tenant, .. }
        | ConfigChange::EndRollover { tenant, .. }
        | ConfigChange::DeleteSecret { tenant, .. } => *tenant,
    }
}

pub fn failed(cause: DbErr) -> ApplyError {
    ApplyError::Store(store_error(&cause))
}

/// As [`failed`], with a sentence for a name that is taken.
pub fn failed_put(cause: &DbErr, taken: &str) -> ApplyError {
    match fault_of(cause) {
        Fault::Unique => ApplyError::Store(StoreError(format!("{taken}; nothing was changed"))),
        _ => ApplyError::Store(store_error(cause)),
    }
}
