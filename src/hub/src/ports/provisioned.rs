//! Whom apps with a SCIM server have, by our word, and whose turn it is to tell them.

use async_trait::async_trait;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{AppId, GroupId, PersonId, TenantId};
use fedbridge_contract::time::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

#[async_trait]
pub trait ProvisionedStore: Send + Sync {
    /// By the subject.
    async fn provisioned(
        &self,
        tenant: TenantId,
        app: AppId,
        kind: ProvisionedKind,
        which: Which<'_>,
    ) -> Result<Vec<ProvisionedLink>, StoreError>;

    /// Keeps these, in the place of what was known of the same subjects. An app that is gone keeps nothing.
    ///
    /// # Errors
    /// The store does not answer, or what the app calls one of them is another one there: then nothing is kept.
    async fn keep_provisioned(
        &self,
        tenant: TenantId,
        app: AppId,
        kind: ProvisionedKind,
        links: &[ProvisionedLink],
    ) -> Result<(), StoreError>;

    async fn forget_provisioned(
        &self,
        tenant: TenantId,
        app: AppId,
        kind: ProvisionedKind,
        subject: Uuid,
    ) -> Result<(), StoreError>;

    /// Users whom the app lets in, and those who were switched off there since then.
    async fn count_provisioned(
        &self,
        tenant: TenantId,
        app: AppId,
        since: Timestamp,
    ) -> Result<ProvisionedCount, StoreError>;

    /// How the runs of an app stand; nothing, where there was none.
    async fn provisioning_state(&self, tenant: TenantId, app: AppId) -> Result<ProvisioningState, StoreError>;

    /// Takes the turn until `lease`. `None`: another node has it.
    async fn take_provisioning_turn(
        &self,
        tenant: TenantId,
        app: AppId,
        now: Timestamp,
        lease: Timestamp,
    ) -> Result<Option<ProvisioningState>, StoreError>;

    /// Holds the turn that lasts until `lease` for longer. False: it was lost.
    async fn extend_provisioning_turn(
        &self,
        tenant: TenantId,
        app: AppId,
        lease: Timestamp,
        until: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Ends the turn. False: it was lost, and nothing was kept.
    async fn end_provisioning_turn(
        &self,
        tenant: TenantId,
        app: AppId,
        lease: Timestamp,
        state: &ProvisioningState,
    ) -> Result<bool, StoreError>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProvisionedKind {
    User,
    Group,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which<'a> {
    All,
    Subjects(&'a [Uuid]),
    /// By what the app calls them.
    Remotes(&'a [String]),
}

/// A person or a group whom an app has. It outlives the person, until the app was told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvisionedLink {
    /// A [`PersonId`] or a [`GroupId`].
    pub subject: Uuid,
    /// The app's own id.
    pub remote: String,
    /// A user: may come in there. A group: made by us.
    pub on: bool,
    /// Keyed hash of what was sent last; `None`: nobody knows what the app has.
    pub digest: Option<[u8; 32]>,
    /// Of a user: groups that the app has them in, by our word.
    pub groups: Vec<GroupId>,
    pub changed: Timestamp,
}

impl ProvisionedLink {
    pub const fn person(&self) -> PersonId {
        PersonId::from_uuid(self.subject)
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ProvisionedCount {
    pub on: u64,
    pub off_lately: u64,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct ProvisioningState {
    /// When the last run began that looked at everything of the app, and ended well.
    pub full_at: Option<Timestamp>,
    pub last: Option<ProvisioningReport>,
}

/// What came of a run, for administrators.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProvisioningReport {
    pub at: Timestamp,
    /// Everything was looked at.
    pub full: bool,
    /// How many steps of each kind there were, in the words of the plan.
    pub counts: Vec<(String, u64)>,
    pub failed: u64,
    /// How much the app had otherwise than we left it.
    pub drift: u64,
    /// Why the run did not come to its end, or why nobody was removed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<String>,
    /// By what settings it was made: with others, everything is looked at again.
    pub settings: String,
}
