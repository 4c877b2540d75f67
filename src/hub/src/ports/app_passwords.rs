//! Passwords of people for single apps.

use async_trait::async_trait;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{AppId, AppPasswordId, PersonId, TenantId};
use fedbridge_contract::time::Timestamp;

#[async_trait]
pub trait AppPasswordStore: Send + Sync {
    /// Those of a person, for one app or for all, the oldest first.
    async fn app_passwords(
        &self,
        tenant: TenantId,
        person: PersonId,
        app: Option<AppId>,
    ) -> Result<Vec<StoredAppPassword>, StoreError>;

    /// Notes that one was used.
    async fn app_password_used(&self, tenant: TenantId, id: AppPasswordId, now: Timestamp) -> Result<(), StoreError>;
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAppPassword {
    pub id: AppPasswordId,
    pub app: AppId,
    /// What the person calls it.
    pub label: String,
    /// `$argon2id$…`
    pub hash: String,
    pub created: Timestamp,
    pub expires: Option<Timestamp>,
    pub used: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewAppPassword {
    pub id: AppPasswordId,
    pub person: PersonId,
    pub app: AppId,
    pub label: String,
    pub hash: String,
    pub expires: Option<Timestamp>,
}
