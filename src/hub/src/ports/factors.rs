//! Second factors of people who log in with a password.

use async_trait::async_trait;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{FactorId, PersonId, TenantId};
use fedbridge_contract::time::Timestamp;
use serde::{Deserialize, Serialize};

#[async_trait]
pub trait FactorStore: Send + Sync {
    /// Those of a person, the oldest first.
    async fn factors(&self, tenant: TenantId, person: PersonId) -> Result<Vec<StoredFactor>, StoreError>;

    /// Uses one, so that the same code or answer is good for nothing a second time. False: it was used before.
    async fn use_factor(
        &self,
        tenant: TenantId,
        id: FactorId,
        used: FactorUse,
        now: Timestamp,
    ) -> Result<bool, StoreError>;
}

#[derive(Clone, PartialEq, Eq)]
pub struct StoredFactor {
    pub id: FactorId,
    pub kind: FactorKind,
    /// What the person reads.
    pub label: String,
    /// As [`NewFactor::secret`].
    pub secret: Vec<u8>,
    /// The newest time step that was used, or a passkey's counter.
    pub last_step: i64,
    pub created: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FactorKind {
    /// RFC 6238.
    Totp,
    /// WebAuthn.
    Passkey,
    /// A code from a sheet, good once.
    Recovery,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewFactor {
    pub id: FactorId,
    pub kind: FactorKind,
    pub label: String,
    /// The shared secret, a [`Passkey`](super::Passkey) as JSON, or a keyed hash of the code. The store seals it.
    pub secret: Vec<u8>,
    pub last_step: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FactorUse {
    /// A time step, newer than any before (RFC 6238 section 5.2).
    Step(i64),
    /// A passkey's counter: newer than any before, or zero as ever (WebAuthn 3 section 7.2).
    Counter(u32),
    /// It is gone then.
    Up,
}

impl std::fmt::Debug for StoredFactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoredFactor").field("id", &self.id).field("kind", &self.kind).finish_non_exhaustive()
    }
}

impl std::fmt::Debug for NewFactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewFactor").field("id", &self.id).field("kind", &self.kind).finish_non_exhaustive()
    }
}
