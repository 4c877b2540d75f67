//! A store of people that a test looks at, and that does not answer when it is told so.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{AppId, ConnectionId, GrantId, LinkProofId, PersonId, TenantId};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{
    Command, Consent, LoginStore, PeopleStore, PersonStanding, StoredIdentity, StoredProof, StoredSession, Tombstone,
    TombstoneReason, Unit,
};

use super::World;

pub struct Watched {
    inner: Arc<dyn PeopleStore>,
    store: Arc<dyn LoginStore>,
    /// Consents can't be read.
    pub silent: AtomicBool,
    /// An app was revoked while the person's consent for it still stood.
    pub agreed_at_revocation: AtomicBool,
    /// After the next consent is read, before the hub hears it, the person forgets it.
    pub forgets: AtomicBool,
    /// An administrator has blocked everybody, although they are linked still.
    pub blocked: AtomicBool,
}

impl World {
    /// Puts it between the hub and its store.
    pub fn watch_people(&mut self) -> Arc<Watched> {
        let hub = Arc::get_mut(&mut self.hub).unwrap();
        let inner = Arc::clone(&hub.people);
        let watched = Arc::new(Watched {
            inner,
            store: Arc::clone(&hub.store),
            silent: false.into(),
            agreed_at_revocation: false.into(),
            forgets: false.into(),
            blocked: false.into(),
        });
        hub.people = Arc::clone(&watched) as _;
        watched
    }
}

#[async_trait]
impl PeopleStore for Watched {
    async fn identities(&self, tenant: TenantId, person: PersonId) -> Result<Vec<StoredIdentity>, StoreError> {
        self.inner.identities(tenant, person).await
    }

    async fn by_email(&self, tenant: TenantId, email: &[u8; 32]) -> Result<Vec<StoredIdentity>, StoreError> {
        self.inner.by_email(tenant, email).await
    }

    async fn by_display(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
        display: &str,
    ) -> Result<Vec<StoredIdentity>, StoreError> {
        self.inner.by_display(tenant, connection, display).await
    }

    async fn people_by_email(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
        email: &[u8; 32],
    ) -> Result<Vec<PersonId>, StoreError> {
        self.inner.people_by_email(tenant, connection, email).await
    }

    async fn kept_out_by(&self, tenant: TenantId, person: PersonId) -> Result<Vec<ConnectionId>, StoreError> {
        self.inner.kept_out_by(tenant, person).await
    }

    async fn tombstone(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
        subject_key: &str,
    ) -> Result<Option<Tombstone>, StoreError> {
        if self.blocked.load(Ordering::Relaxed) {
            let person = PersonId::from_uuid(connection.uuid());
            return Ok(Some(Tombstone { person, reason: TombstoneReason::Blocked, at: Timestamp::from_millis(0) }));
        }
        self.inner.tombstone(tenant, connection, subject_key).await
    }

    async fn scopes(&self, tenant: TenantId, connection: ConnectionId) -> Result<Vec<String>, StoreError> {
        self.inner.scopes(tenant, connection).await
    }

    async fn link_proof(
        &self,
        tenant: TenantId,
        id: LinkProofId,
        secret: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<StoredProof>, StoreError> {
        self.inner.link_proof(tenant, id, secret, now).await
    }

    async fn sessions(
        &self,
        tenant: TenantId,
        person: PersonId,
        now: Timestamp,
    ) -> Result<Vec<StoredSession>, StoreError> {
        self.inner.sessions(tenant, person, now).await
    }

    async fn grants(
        &self,
        tenant: TenantId,
        person: PersonId,
        now: Timestamp,
    ) -> Result<Vec<(GrantId, AppId)>, StoreError> {
        self.inner.grants(tenant, person, now).await
    }

    async fn unrevoked(&self, tenant: TenantId, person: PersonId, now: Timestamp) -> Result<Vec<GrantId>, StoreError> {
        self.inner.unrevoked(tenant, person, now).await
    }

    async fn consent(&self, tenant: TenantId, person: PersonId, app: AppId) -> Result<Option<Consent>, StoreError> {
        if self.silent.load(Ordering::Relaxed) {
            return Err(StoreError("it does not answer".into()));
        }
        let found = self.inner.consent(tenant, person, app).await;
        if self.forgets.swap(false, Ordering::Relaxed) {
            let unit = Unit { commands: vec![Command::ForgetConsent { person, app }], now: Timestamp::from_millis(0) };
            self.store.commit(tenant, unit).await.map_err(|error| StoreError(error.to_string()))?;
        }
        found
    }

    async fn consents(&self, tenant: TenantId, person: PersonId) -> Result<Vec<Consent>, StoreError> {
        self.inner.consents(tenant, person).await
    }

    async fn revoke_app(
        &self,
        tenant: TenantId,
        person: PersonId,
        app: AppId,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let consent = self.inner.consent(tenant, person, app).await?;
        self.agreed_at_revocation.fetch_or(consent.is_some(), Ordering::Relaxed);
        self.inner.revoke_app(tenant, person, app, now).await
    }

    async fn standing(&self, tenant: TenantId, person: PersonId) -> Result<Option<PersonStanding>, StoreError> {
        self.inner.standing(tenant, person).await
    }

    async fn delete(&self, tenant: TenantId, person: PersonId, now: Timestamp) -> Result<bool, StoreError> {
        self.inner.delete(tenant, person, now).await
    }
}
