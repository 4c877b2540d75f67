//! Administrators and API keys. Both are governed across tenants, so these are
//! ports of the operator.

use async_trait::async_trait;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::time::Timestamp;

use crate::admin::{Administrator, ApiKey, ApiKeyId, SetupCode};

#[async_trait]
pub trait AdminStore: Send + Sync {
    /// All administrators, by name.
    async fn administrators(&self) -> Result<Vec<Administrator>, StoreError>;

    /// Fails with [`AdminStoreError::NameTaken`] where the installation has the name.
    async fn create_administrator(&self, new: &Administrator) -> Result<(), AdminStoreError>;

    /// Replaces an administrator's setup code: the one before is void. Fails with
    /// [`AdminStoreError::Gone`] where there is no such name.
    async fn renew_setup(&self, name: &str, code: SetupCode) -> Result<(), AdminStoreError>;

    /// Uses a setup code up. True once, for the right code, before it expires.
    async fn use_setup(&self, name: &str, hash: &[u8; 32], now: Timestamp) -> Result<bool, StoreError>;
}

#[async_trait]
pub trait ApiKeyStore: Send + Sync {
    /// All keys, by name; those of the installation first.
    async fn api_keys(&self) -> Result<Vec<ApiKey>, StoreError>;

    async fn api_key(&self, id: ApiKeyId) -> Result<Option<ApiKey>, StoreError>;

    /// Fails with [`AdminStoreError::NameTaken`] where a key of the same reach has the name.
    async fn create_api_key(&self, new: &ApiKey) -> Result<(), AdminStoreError>;

    /// Gives a key a new text. Fails with [`AdminStoreError::Gone`] where the key is revoked or
    /// expired, or its hash is not the expected one any more.
    async fn rotate_api_key(&self, rotation: Rotation) -> Result<(), AdminStoreError>;

    /// True when this call revoked it, false when it was revoked before or does not exist.
    async fn revoke_api_key(&self, id: ApiKeyId, now: Timestamp) -> Result<bool, StoreError>;
}

/// A new text for an API key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    pub id: ApiKeyId,
    /// The hash as it was read: of two rotations at once, one wins.
    pub expected: [u8; 32],
    pub hash: [u8; 32],
    /// Until when the text before stays good.
    pub previous_until: Timestamp,
    pub now: Timestamp,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum AdminStoreError {
    #[error("the name is taken")]
    NameTaken,
    #[error("it is gone, or somebody else changed it meanwhile")]
    Gone,
    #[error(transparent)]
    Store(#[from] StoreError),
}
