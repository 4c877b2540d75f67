//! Shapes of what LDAP apps ask, while they are learnt.

use async_trait::async_trait;
use fedbridge_contract::directory::Shape;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{AppId, TenantId};
use fedbridge_contract::time::Timestamp;

#[async_trait]
pub trait ShapeStore: Send + Sync {
    /// Adds up what was seen. Shapes of an app that is gone are left out.
    async fn note_shapes(&self, batch: &[SeenShape]) -> Result<(), StoreError>;

    /// What was seen of an app, the most frequent first.
    async fn shapes(&self, tenant: TenantId, app: AppId) -> Result<Vec<StoredShape>, StoreError>;
}

/// So many times within a short while.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenShape {
    pub tenant: TenantId,
    pub app: AppId,
    pub shape: Shape,
    pub count: u32,
    pub first: Timestamp,
    pub last: Timestamp,
}

#[derive(Debug, Clone, PartialEq)]
pub struct StoredShape {
    pub shape: Shape,
    pub count: u64,
    pub first: Timestamp,
    pub last: Timestamp,
}
