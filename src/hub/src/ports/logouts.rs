//! What a logout reads and writes. Ending a session and telling others are two units: once the first
//! is durable nobody can join the session any more, and then the second copies whoever is in it.

use std::time::Duration;

use async_trait::async_trait;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{AppId, ConnectionId, LogoutId, PersonId, SessionId, TenantId};
use fedbridge_contract::logout::{Participant, Told};
use fedbridge_contract::time::Timestamp;

use super::StoredSession;

#[async_trait]
pub trait LogoutStore: Send + Sync {
    /// A live session by its id.
    async fn session_by_id(
        &self,
        tenant: TenantId,
        session: SessionId,
        now: Timestamp,
    ) -> Result<Option<StoredSession>, StoreError>;

    /// Live sessions that an app is in under this key; with indexes, only those named.
    async fn sessions_of_participant(
        &self,
        tenant: TenantId,
        app: AppId,
        key: &str,
        indexes: &[String],
        now: Timestamp,
    ) -> Result<Vec<StoredSession>, StoreError>;

    /// Live sessions that came from a connection under this logout key; with indexes, only those named.
    async fn sessions_of_upstream(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
        key: &str,
        indexes: &[String],
        now: Timestamp,
    ) -> Result<Vec<StoredSession>, StoreError>;

    /// Live sessions of a person, the oldest first.
    async fn sessions_of_person(
        &self,
        tenant: TenantId,
        person: PersonId,
        now: Timestamp,
    ) -> Result<Vec<StoredSession>, StoreError>;

    /// Live sessions that came from a connection with this session index, whoever is in them.
    async fn sessions_of_upstream_index(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
        index: &str,
        now: Timestamp,
    ) -> Result<Vec<StoredSession>, StoreError>;

    /// Makes a notice for every participant of the logout's sessions but `asker`, and takes them out of
    /// their sessions: one unit. Doing it twice does nothing more. Gives back the notices.
    async fn spread(
        &self,
        tenant: TenantId,
        logout: LogoutId,
        asker: Option<AppId>,
        now: Timestamp,
    ) -> Result<Vec<StoredNotice>, StoreError>;

    /// The logout as its first unit stored it, with its notices as they are now.
    async fn logout(&self, tenant: TenantId, logout: LogoutId) -> Result<Option<StoredLogout>, StoreError>;

    /// Settles a notice that is still waiting. False: it was settled before, or there is none.
    async fn settle(
        &self,
        tenant: TenantId,
        logout: LogoutId,
        app: AppId,
        told: Told,
        now: Timestamp,
    ) -> Result<bool, StoreError>;

    /// Notes what came of telling one upstream of a session, for the answer at the end.
    async fn note_upstream(
        &self,
        tenant: TenantId,
        logout: LogoutId,
        connection: ConnectionId,
        told: Told,
        now: Timestamp,
    ) -> Result<(), StoreError>;

    /// Puts back-channel notices off after a failure; past the notice's end it settles them as silent.
    async fn put_off(
        &self,
        tenant: TenantId,
        logout: LogoutId,
        app: AppId,
        next_attempt: Timestamp,
    ) -> Result<(), StoreError>;
}

/// The outbox, across tenants.
#[async_trait]
pub trait LogoutOutbox: Send + Sync {
    /// Takes due notices for `lease`, so that of several nodes one sends each. Also spreads logouts whose
    /// node died between the two units.
    async fn claim(&self, now: Timestamp, lease: Duration, most: u32) -> Result<Vec<StoredNotice>, StoreError>;
}

#[derive(Debug, Clone, PartialEq)]
pub struct NewLogout {
    pub id: LogoutId,
    pub sessions: Vec<SessionId>,
    pub expires: Timestamp,
    /// Sealed by the hub: who asked, what is to be answered, the upstream's session.
    pub sealed: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct StoredLogout {
    pub id: LogoutId,
    pub started: Timestamp,
    pub sealed: Vec<u8>,
    pub notices: Vec<StoredNotice>,
    /// Upstreams that were told, with what came of it.
    pub upstreams: Vec<(ConnectionId, Told)>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct StoredNotice {
    pub tenant: TenantId,
    pub logout: LogoutId,
    pub session: SessionId,
    pub participant: Participant,
    /// `None`: still waited for.
    pub told: Option<Told>,
    pub attempts: u32,
    pub expires: Timestamp,
}
