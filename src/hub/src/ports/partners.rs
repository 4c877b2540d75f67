//! The life of what partners publish, and of the keys that they know of us.

use std::time::Duration;

use async_trait::async_trait;
use fedbridge_contract::documents::Drift;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::TenantId;
use fedbridge_contract::keys::KeyPurpose;
use fedbridge_contract::logout::Party;
use fedbridge_contract::sightings::Sighting;
use fedbridge_contract::time::Timestamp;

#[async_trait]
pub trait DocumentStore: Send + Sync {
    /// Takes documents that are due for `lease`, so that of several nodes one fetches each.
    async fn claim_due(&self, now: Timestamp, lease: Duration, most: u32) -> Result<Vec<StoredDocument>, StoreError>;

    async fn document(&self, tenant: TenantId, party: Party) -> Result<Option<StoredDocument>, StoreError>;

    /// How every document stands, without its text: for the metrics.
    async fn standings(&self) -> Result<Vec<DocumentStanding>, StoreError>;

    /// Notes a look that changed nothing that counts: the time, the tag, or the failure. It raises no version.
    async fn looked(&self, tenant: TenantId, party: Party, look: Look) -> Result<(), StoreError>;

    /// Puts a document in force and raises the tenant's version. False: it is not the one expected any more.
    async fn adopt(
        &self,
        tenant: TenantId,
        party: Party,
        expected: &[u8; 32],
        new: &NewDocument,
    ) -> Result<bool, StoreError>;

    /// Keeps a document that waits for approval beside the one in force.
    async fn hold(&self, tenant: TenantId, party: Party, held: &HeldDocument) -> Result<(), StoreError>;

    /// Removes what waits: it was approved by `adopt`, or refused.
    async fn release(&self, tenant: TenantId, party: Party) -> Result<bool, StoreError>;
}

/// A document that a partner publishes at an address, as it is in force.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredDocument {
    pub tenant: TenantId,
    pub party: Party,
    pub url: String,
    pub current: NewDocument,
    /// The last good one.
    pub last_look: Timestamp,
    pub next_look: Timestamp,
    /// Since the last good look.
    pub failures: u32,
    pub last_failure: Option<String>,
    pub held: Option<HeldDocument>,
}

/// A document as the metrics see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DocumentStanding {
    pub tenant: TenantId,
    pub party: Party,
    /// The last good look.
    pub confirmed: Timestamp,
    /// Since the last good look.
    pub failures: u32,
    pub held: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct NewDocument {
    pub xml: String,
    pub etag: Option<String>,
    pub valid_until: Option<Timestamp>,
    pub fetched: Timestamp,
    pub next_look: Timestamp,
}

#[derive(Debug, Clone, PartialEq)]
pub struct HeldDocument {
    pub xml: String,
    pub drift: Vec<Drift>,
    pub since: Timestamp,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Look {
    pub at: Timestamp,
    pub next: Timestamp,
    pub result: Result<Option<String>, String>,
}

/// What partners know of our keys, and where a rollover stands.
#[async_trait]
pub trait RolloverStore: Send + Sync {
    /// Writes sightings in one batch; of each kind the first and the last time stay.
    async fn note_sightings(&self, batch: &[NewSighting]) -> Result<(), StoreError>;

    async fn sightings(&self, tenant: TenantId) -> Result<Vec<StoredSighting>, StoreError>;

    async fn last_sighting(
        &self,
        tenant: TenantId,
        party: Party,
        kid: &str,
        how: Sighting,
    ) -> Result<Option<Timestamp>, StoreError>;

    /// The rollovers under way, of one tenant or of all. They change with the configuration: see
    /// [`crate::spec::ConfigChange`].
    async fn rollovers(&self, tenant: Option<TenantId>) -> Result<Vec<Rollover>, StoreError>;
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSighting {
    pub tenant: TenantId,
    pub party: Party,
    pub kid: String,
    pub how: Sighting,
    pub at: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredSighting {
    pub party: Party,
    pub kid: String,
    pub how: Sighting,
    pub first: Timestamp,
    pub last: Timestamp,
}

/// A rollover under way. Which key is next, active or retiring stands with the keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollover {
    pub tenant: TenantId,
    pub purpose: KeyPurpose,
    pub phase: RolloverPhase,
    pub started: Timestamp,
    /// Switch by itself then; `None`: by command.
    pub switch_at: Option<Timestamp>,
    pub switched: Option<Timestamp>,
    /// Retire the old key by itself then.
    pub retire_at: Option<Timestamp>,
    /// Its dates count even where partners lag.
    pub forced: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RolloverPhase {
    /// The next key is published, the old one is used.
    Announced,
    /// The next key is used, the old one is still published, or still decrypts.
    Switched,
}
