//! What nodes tell each other about failed logins, and where accounts were logged in with before.

use async_trait::async_trait;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::TenantId;
use fedbridge_contract::time::Timestamp;

#[async_trait]
pub trait FailureStore: Send + Sync {
    /// Adds to the counts that are there, as one unit.
    async fn add(&self, more: &[FailureCount], now: Timestamp) -> Result<(), StoreError>;

    /// Counts that any node has changed since then, of all nodes together.
    async fn since(&self, at: Timestamp) -> Result<Vec<FailureCount>, StoreError>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FailureCount {
    pub tenant: TenantId,
    /// A keyed hash of an account, a network or a device.
    pub key: [u8; 32],
    /// When the stretch of time begins that is counted.
    pub window: Timestamp,
    pub count: u32,
}

#[async_trait]
pub trait DeviceStore: Send + Sync {
    /// Writes them down, or until when they are known.
    async fn know(&self, devices: &[KnownDevice]) -> Result<(), StoreError>;

    async fn knows(&self, tenant: TenantId, key: &[u8; 32], now: Timestamp) -> Result<bool, StoreError>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownDevice {
    pub tenant: TenantId,
    /// A keyed hash of an account and a device.
    pub key: [u8; 32],
    pub expires: Timestamp,
}
