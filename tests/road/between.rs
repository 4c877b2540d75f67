//! A login store with somebody in between, for what happens at the worst moment.

use std::sync::Arc;

use async_trait::async_trait;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{ConnectionId, SessionId, TenantId, TransactionId};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{GuardFailed, LinkedPerson, LoginStore, StoredSession, Unit, UnitError};

/// What somebody does between the hub and its store.
#[async_trait]
pub trait Meddler: Send + Sync {
    /// After the store has said who a login or a session is of, before the hub hears it.
    async fn has_read(&self) {}

    /// After a unit is stored, before the hub hears it.
    async fn has_written(&self) {}

    /// Whether the store gives way instead of writing.
    fn loses(&self, _unit: &Unit) -> bool {
        false
    }

    /// The guard that fails, whatever the store holds.
    fn refuses(&self, _unit: &Unit) -> Option<GuardFailed> {
        None
    }
}

pub struct Between<M> {
    pub inner: Arc<dyn LoginStore>,
    pub meddler: Arc<M>,
}

#[async_trait]
impl<M: Meddler> LoginStore for Between<M> {
    async fn transaction(
        &self,
        tenant: TenantId,
        id: TransactionId,
        handle: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        self.inner.transaction(tenant, id, handle, now).await
    }

    async fn linked_person(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
        key: &str,
    ) -> Result<Option<LinkedPerson>, StoreError> {
        let found = self.inner.linked_person(tenant, connection, key).await;
        self.meddler.has_read().await;
        found
    }

    async fn session(
        &self,
        tenant: TenantId,
        id: SessionId,
        cookie: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<StoredSession>, StoreError> {
        let found = self.inner.session(tenant, id, cookie, now).await;
        self.meddler.has_read().await;
        found
    }

    async fn commit(&self, tenant: TenantId, unit: Unit) -> Result<(), UnitError> {
        if self.meddler.loses(&unit) {
            return Err(UnitError::Store(StoreError("it gave way".into())));
        }
        if let Some(guard) = self.meddler.refuses(&unit) {
            return Err(UnitError::Guard(guard));
        }
        let done = self.inner.commit(tenant, unit).await;
        self.meddler.has_written().await;
        done
    }
}
