//! The port of the configuration: reading it whole or in part, and changing it
//! in one transaction.

pub mod apply;
mod delete;
pub mod documents;
mod load;
mod put;
pub mod words;

pub use delete::{OF_PERSON, OF_SESSION};

use std::time::Duration;

use async_trait::async_trait;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{ConnectionId, TenantId};
use fedbridge_hub::ports::{ApplyError, Changed, ConfigStore};
use fedbridge_hub::spec::{ConfigChange, Configuration};

use crate::open::Backend;
use crate::row::get;
use crate::system::SystemStore;
use crate::unit::uuid;
use crate::work::Arg;

/// How long reading what has changed may take: on a connection whose other end is gone without a word, it would not
/// end.
const READ: Duration = Duration::from_secs(30);

#[async_trait]
impl ConfigStore for SystemStore {
    async fn version(&self) -> Result<i64, StoreError> {
        let row = self.0.one("SELECT version FROM installation WHERE id = ?", vec![Arg::Int(1)]).await?;
        row.map_or(Ok(0), |row| get(&row, 0))
    }

    async fn load(&self) -> Result<Configuration, StoreError> {
        let mut loaded = load::load(&self.0.inner.orm, &*self.0.inner.sealer, None).await?;
        if let Some((_, cause)) = loaded.unreadable.pop() {
            return Err(cause);
        }
        let tenants = loaded.tenants.into_iter().map(|tenant| (tenant.tenant.id, tenant)).collect();
        Ok(Configuration { version: loaded.version, tenants })
    }

    async fn load_since(&self, version: i64) -> Result<Changed, StoreError> {
        let (orm, sealer) = (&self.0.inner.orm, &*self.0.inner.sealer);
        let Backend::Postgres { ear } = &self.0.inner.backend else {
            return load::load(orm, sealer, Some(version)).await;
        };
        let Ok(own) = ear.reader().await else {
            return load::load(orm, sealer, Some(version)).await;
        };
        let read = tokio::time::timeout(READ, load::load(&own, sealer, Some(version))).await;
        // The database notices without it too.
        let _ = own.close().await;
        read.map_err(|_| StoreError("no answer came in time".into()))?
    }

    async fn apply(&self, expected: i64, changes: &[ConfigChange]) -> Result<i64, ApplyError> {
        let sealer = self.0.inner.sealer.clone();
        let changes = changes.to_vec();
        match &self.0.inner.backend {
            Backend::Sqlite { writer, .. } => {
                let task = move |db| -> futures_util::future::BoxFuture<'static, _> {
                    Box::pin(async move { apply::apply(&db, &*sealer, expected, &changes).await })
                };
                writer.exclusive(task).await.map_err(ApplyError::Store)?
            }
            Backend::Postgres { .. } => apply::apply(&self.0.inner.orm, &*sealer, expected, &changes).await,
        }
    }

    async fn people(&self, tenant: TenantId, connection: Option<ConnectionId>) -> Result<u64, StoreError> {
        let (sql, args) = match connection {
            Some(id) => (
                "SELECT count(DISTINCT person_id) FROM identities WHERE tenant_id = ? AND connection_id = ?",
                vec![uuid(tenant), Arg::Uuid(id.uuid())],
            ),
            None => ("SELECT count(*) FROM people WHERE tenant_id = ?", vec![uuid(tenant)]),
        };
        let rows = self.0.all(sql, args).await?;
        Ok(rows.first().map_or(Ok(0), |row| get::<i64>(row, 0))?.unsigned_abs())
    }
}
