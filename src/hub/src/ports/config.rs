//! Reading and changing the configuration.

use std::sync::Arc;

use async_trait::async_trait;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{ConnectionId, TenantId};
use fedbridge_contract::keys::KeyRing;

use crate::spec::{ConfigChange, Configuration, StoredKey, Switches, TenantConfiguration};

#[async_trait]
pub trait ConfigStore: Send + Sync {
    /// The installation's version: cheap, polled.
    async fn version(&self) -> Result<i64, StoreError>;

    async fn load(&self) -> Result<Configuration, StoreError>;

    /// What changed after `version`; everything, where that is a version of the future. It is read past whatever
    /// holds up logins, because a change may switch something off.
    async fn load_since(&self, version: i64) -> Result<Changed, StoreError>;

    /// Applies all changes in one transaction, if the version is still `expected`.
    async fn apply(&self, expected: i64, changes: &[ConfigChange]) -> Result<i64, ApplyError>;

    /// How many people a connection, or a whole tenant, has.
    async fn people(&self, tenant: TenantId, connection: Option<ConnectionId>) -> Result<u64, StoreError>;
}

/// The tenants that changed after a version.
#[derive(Debug, Clone, Default)]
pub struct Changed {
    pub version: i64,
    pub tenants: Vec<TenantConfiguration>,
    /// Those of which something can't be read: one of them doesn't stop the others.
    pub unreadable: Vec<(Switches, StoreError)>,
    /// All that exist now.
    pub existing: Vec<TenantId>,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum ApplyError {
    #[error("somebody else changed the configuration meanwhile; run plan again")]
    Conflict,
    #[error("{what} still has {people} people; pass --allow-delete to delete it with them")]
    HasPeople { what: String, people: u64 },
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Opens stored keys. The private side is unsealed when it is first used.
pub trait KeyOpener: Send + Sync {
    fn ring(&self, keys: &[StoredKey]) -> Result<Arc<KeyRing>, String>;

    /// SHA-256, of a secret that is compared and kept sealed.
    fn digest(&self, octets: &[u8]) -> [u8; 32];
}
