//! Which partner was seen with which key or credential of ours.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::ids::TenantId;
use crate::logout::Party;
use crate::services::{Closed, closed};
use crate::time::Timestamp;

/// Notes it, for rollovers and for whoever administers.
#[async_trait]
pub trait Sightings: Send + Sync {
    /// Never waits: it is written soon, and not again within minutes.
    fn seen(&self, tenant: TenantId, party: Party, kid: &str, how: Sighting, at: Timestamp);

    /// When that was noted last, to within minutes.
    async fn last(
        &self,
        tenant: TenantId,
        party: Party,
        kid: &str,
        how: Sighting,
    ) -> Result<Option<Timestamp>, StoreError>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sighting {
    /// It fetched metadata of ours that publishes the key.
    Published,
    /// It encrypted to the key.
    EncryptedTo,
    /// It answered a message that the key had signed.
    Verified,
    /// Somebody who administers this installation said that it has the key.
    Confirmed,
    /// It showed the credential, such as a bearer token; in the place of a key's id stands the credential's.
    Presented,
}

#[async_trait]
impl Sightings for Closed {
    fn seen(&self, _: TenantId, _: Party, _: &str, _: Sighting, _: Timestamp) {}

    async fn last(&self, _: TenantId, _: Party, _: &str, _: Sighting) -> Result<Option<Timestamp>, StoreError> {
        Err(closed())
    }
}
