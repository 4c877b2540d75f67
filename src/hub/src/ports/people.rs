//! A person with all that hangs on them: logins of several upstreams, sessions, apps, consents.

use async_trait::async_trait;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::identity::UpstreamTokens;
use fedbridge_contract::ids::{AppId, ConnectionId, GrantId, LinkProofId, PersonId, SessionId, TenantId};
use fedbridge_contract::time::Timestamp;

use super::StoredSession;

#[async_trait]
pub trait PeopleStore: Send + Sync {
    /// The identities of a person, oldest first.
    async fn identities(&self, tenant: TenantId, person: PersonId) -> Result<Vec<StoredIdentity>, StoreError>;

    /// Whose identities have this address, by its keyed hash: five at most. Only ever a reason to ask or to
    /// refuse, never to link.
    async fn by_email(&self, tenant: TenantId, email: &[u8; 32]) -> Result<Vec<StoredIdentity>, StoreError>;

    /// Identities of a connection that people read as this, letter by letter: two at most.
    async fn by_display(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
        display: &str,
    ) -> Result<Vec<StoredIdentity>, StoreError>;

    /// The people who came from a connection with this address, by its keyed hash: all of them, each once. For
    /// whoever ends what they hold.
    async fn people_by_email(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
        email: &[u8; 32],
    ) -> Result<Vec<PersonId>, StoreError>;

    /// Connections that keep a person out by their last word.
    async fn kept_out_by(&self, tenant: TenantId, person: PersonId) -> Result<Vec<ConnectionId>, StoreError>;

    /// An identity that was here before and was unlinked or deleted.
    async fn tombstone(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
        subject_key: &str,
    ) -> Result<Option<Tombstone>, StoreError>;

    /// The scopes under which this connection's people came: more than one means that it was pointed elsewhere.
    async fn scopes(&self, tenant: TenantId, connection: ConnectionId) -> Result<Vec<String>, StoreError>;

    /// A proof that is under way, where its secret has this keyed hash.
    async fn link_proof(
        &self,
        tenant: TenantId,
        id: LinkProofId,
        secret: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<StoredProof>, StoreError>;

    /// Live sessions of a person, newest first.
    async fn sessions(
        &self,
        tenant: TenantId,
        person: PersonId,
        now: Timestamp,
    ) -> Result<Vec<StoredSession>, StoreError>;

    /// Unrevoked grants of a person that can still be refreshed, newest first.
    async fn grants(
        &self,
        tenant: TenantId,
        person: PersonId,
        now: Timestamp,
    ) -> Result<Vec<(GrantId, AppId)>, StoreError>;

    /// All grants of a person that are not revoked, also those whose code nobody has redeemed yet.
    async fn unrevoked(&self, tenant: TenantId, person: PersonId, now: Timestamp) -> Result<Vec<GrantId>, StoreError>;

    async fn consent(&self, tenant: TenantId, person: PersonId, app: AppId) -> Result<Option<Consent>, StoreError>;

    async fn consents(&self, tenant: TenantId, person: PersonId) -> Result<Vec<Consent>, StoreError>;

    /// Revokes what an app was given for a person, offline access too.
    async fn revoke_app(
        &self,
        tenant: TenantId,
        person: PersonId,
        app: AppId,
        now: Timestamp,
    ) -> Result<u64, StoreError>;

    /// Who keeps the person out. `None`: there is no such person.
    async fn standing(&self, tenant: TenantId, person: PersonId) -> Result<Option<PersonStanding>, StoreError>;

    /// Deletes a person with all that hangs on them. A tombstone of each identity stays, so that nobody is ever given
    /// their `sub`. Kill them first, so that apps and upstreams are told. False: there is no such person.
    async fn delete(&self, tenant: TenantId, person: PersonId, now: Timestamp) -> Result<bool, StoreError>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PersonStanding {
    /// An administrator does.
    pub disabled: bool,
    /// A directory that pushes the person does, since then.
    pub shut: Option<Timestamp>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredIdentity {
    pub person: PersonId,
    pub connection: ConnectionId,
    pub subject_key: String,
    pub display: String,
    pub since: Timestamp,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tombstone {
    /// Never given to anybody again.
    pub person: PersonId,
    pub reason: TombstoneReason,
    pub at: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TombstoneReason {
    /// By the person, or by an administrator: the subject may come again, as somebody new.
    Unlinked,
    /// The person was deleted: as before.
    Deleted,
    /// An administrator has closed the door.
    Blocked,
}

/// The right of one person to connect one identity. Opened -> bound to an exact subject -> used; it dies
/// with its session, with any unlink of the person, and after ten minutes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredProof {
    pub id: LinkProofId,
    pub person: PersonId,
    pub connection: ConnectionId,
    pub session: SessionId,
    /// Keyed hash of the subject that was proved; `None` until then.
    pub subject: Option<[u8; 32]>,
    /// Sealed by the hub: what is shown on the confirmation page.
    pub sealed: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Consent {
    pub app: AppId,
    /// Scopes and claims by name, sorted.
    pub items: Vec<String>,
    pub at: Timestamp,
}

/// Tokens of upstreams, sealed, by the session that they came with. They outlive it while offline access does.
#[async_trait]
pub trait UpstreamTokenStore: Send + Sync {
    /// Takes the turn to ask the upstream, where it is due: of several callers one gets the tokens, until `lease`.
    async fn take_turn(
        &self,
        tenant: TenantId,
        session: SessionId,
        connection: ConnectionId,
        now: Timestamp,
        lease: Timestamp,
    ) -> Result<Turn, StoreError>;

    /// Ends a turn, which is named by its `lease`: new tokens, and when the upstream is asked next. False: the turn
    /// was lost, because it took too long, the person logged in again, or the tokens were given up meanwhile. Then
    /// nothing was kept.
    async fn keep(
        &self,
        tenant: TenantId,
        session: SessionId,
        lease: Timestamp,
        tokens: &KeptTokens,
    ) -> Result<bool, StoreError>;

    /// The tokens of an ended session, which are gone then; none while a grant with offline access needs them. Each
    /// is given to one caller.
    async fn give_up(
        &self,
        tenant: TenantId,
        session: SessionId,
        now: Timestamp,
    ) -> Result<Vec<KeptTokens>, StoreError>;

    /// All tokens of a person, which are gone then, whatever still lives: for a kill.
    async fn give_up_all(&self, tenant: TenantId, person: PersonId) -> Result<Vec<KeptTokens>, StoreError>;
}

#[derive(Debug, Clone, PartialEq)]
pub enum Turn {
    /// There is nothing to ask with.
    Nothing,
    /// With what is kept: it says what the upstream said last.
    NotDue(KeptTokens),
    /// Somebody else asks just now.
    Taken,
    Yours(KeptTokens),
}

#[derive(Debug, Clone, PartialEq)]
pub struct KeptTokens {
    pub person: PersonId,
    pub connection: ConnectionId,
    pub tokens: UpstreamTokens,
    pub due: Timestamp,
    pub expires: Timestamp,
}
