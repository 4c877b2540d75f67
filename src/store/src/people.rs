//! The port of people: what hangs on a person, and taking it away.

use async_trait::async_trait;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{AppId, ConnectionId, GrantId, LinkProofId, PersonId, SessionId, TenantId};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{
    Consent, LogoutStore as _, PeopleStore, PersonStanding, StoredIdentity, StoredProof, StoredSession, Tombstone,
    TombstoneReason,
};

use crate::consents::{CONSENT, consent};
use crate::error::damaged;
use crate::open::Store;
use crate::pushed::forget_person;
use crate::row::{Row, get, time, time_or_none, uuid as read_uuid};
use crate::unit::{delete_person, hold_person, leave_tombstones, millis, reason, touch_profiles, uuid};
use crate::work::{Arg, Change, WorkError, digest};

/// What [`identity`] reads.
const IDENTITY: &str = "SELECT person_id, connection_id, subject_key, display, created_at FROM identities ";

#[async_trait]
impl PeopleStore for Store {
    async fn identities(&self, tenant: TenantId, person: PersonId) -> Result<Vec<StoredIdentity>, StoreError> {
        let sql = format!("{IDENTITY} WHERE tenant_id = ? AND person_id = ? ORDER BY created_at, connection_id");
        let rows = self.few(&sql, vec![uuid(tenant), Arg::Uuid(person.uuid())]).await?;
        rows.iter().map(identity).collect()
    }

    async fn by_email(&self, tenant: TenantId, email: &[u8; 32]) -> Result<Vec<StoredIdentity>, StoreError> {
        // The second condition lets SQLite use the partial index.
        let sql = format!("{IDENTITY} WHERE tenant_id = ? AND email_hash = ? AND email_hash IS NOT NULL LIMIT 5");
        let rows = self.few(&sql, vec![uuid(tenant), Arg::Octets(email.to_vec())]).await?;
        rows.iter().map(identity).collect()
    }

    async fn by_display(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
        display: &str,
    ) -> Result<Vec<StoredIdentity>, StoreError> {
        let sql = format!("{IDENTITY} WHERE tenant_id = ? AND connection_id = ? AND display = ? LIMIT 2");
        let args = vec![uuid(tenant), Arg::Uuid(connection.uuid()), Arg::Text(display.to_owned())];
        self.few(&sql, args).await?.iter().map(identity).collect()
    }

    async fn people_by_email(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
        email: &[u8; 32],
    ) -> Result<Vec<PersonId>, StoreError> {
        let sql = "SELECT DISTINCT person_id FROM identities \
                   WHERE tenant_id = ? AND email_hash = ? AND email_hash IS NOT NULL AND connection_id = ?";
        let args = vec![uuid(tenant), Arg::Octets(email.to_vec()), Arg::Uuid(connection.uuid())];
        let rows = self.few(sql, args).await?;
        rows.iter().map(|row| read_uuid(row, 0).map(PersonId::from_uuid)).collect()
    }

    async fn tombstone(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
        subject_key: &str,
    ) -> Result<Option<Tombstone>, StoreError> {
        let sql = "SELECT person_id, reason, at FROM tombstones \
                   WHERE tenant_id = ? AND connection_id = ? AND subject_hash = ?";
        let args = vec![uuid(tenant), Arg::Uuid(connection.uuid()), Arg::Octets(digest(&[subject_key]))];
        let row = self.one(sql, args).await?;
        row.map(|row| {
            let reason = reason(&get::<String>(&row, 1)?).ok_or_else(|| damaged("a tombstone"))?;
            Ok(Tombstone { person: PersonId::from_uuid(read_uuid(&row, 0)?), reason, at: time(&row, 2)? })
        })
        .transpose()
    }

    async fn scopes(&self, tenant: TenantId, connection: ConnectionId) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT scope FROM subject_scopes WHERE tenant_id = ? AND connection_id = ? ORDER BY first_at, scope";
        let rows = self.few(sql, vec![uuid(tenant), Arg::Uuid(connection.uuid())]).await?;
        rows.iter().map(|row| get(row, 0)).collect()
    }

    async fn link_proof(
        &self,
        tenant: TenantId,
        id: LinkProofId,
        secret: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<StoredProof>, StoreError> {
        let sql = "SELECT person_id, connection_id, session_id, subject_hash, sealed FROM link_proofs \
                   WHERE tenant_id = ? AND id = ? AND secret_hash = ? AND expires_at > ?";
        let args = vec![uuid(tenant), Arg::Uuid(id.uuid()), Arg::Octets(secret.to_vec()), millis(now)];
        let row = self.one(sql, args).await?;
        row.map(|row| {
            let subject = get::<Option<Vec<u8>>>(&row, 3)?;
            Ok(StoredProof {
                id,
                person: PersonId::from_uuid(read_uuid(&row, 0)?),
                connection: ConnectionId::from_uuid(read_uuid(&row, 1)?),
                session: SessionId::from_uuid(read_uuid(&row, 2)?),
                subject: subject.map(|hash| hash.try_into().map_err(|_| damaged("a link proof"))).transpose()?,
                sealed: get(&row, 4)?,
            })
        })
        .transpose()
    }

    async fn sessions(
        &self,
        tenant: TenantId,
        person: PersonId,
        now: Timestamp,
    ) -> Result<Vec<StoredSession>, StoreError> {
        let mut sessions = self.sessions_of_person(tenant, person, now).await?;
        sessions.reverse();
        Ok(sessions)
    }

    async fn grants(
        &self,
        tenant: TenantId,
        person: PersonId,
        now: Timestamp,
    ) -> Result<Vec<(GrantId, AppId)>, StoreError> {
        // Ids begin with their time.
        let sql = "SELECT g.id, g.app_id FROM grants g WHERE g.tenant_id = ? AND g.person_id = ? \
                   AND g.revoked_at IS NULL AND g.idle_expires_at > ? AND g.absolute_expires_at > ? \
                   AND (g.offline = ? OR EXISTS (SELECT 1 FROM sessions s WHERE s.tenant_id = g.tenant_id \
                   AND s.id = g.session_id AND s.idle_expires_at > ? AND s.absolute_expires_at > ?)) \
                   ORDER BY g.id DESC";
        let (person, now) = (Arg::Uuid(person.uuid()), millis(now));
        let args = vec![uuid(tenant), person, now.clone(), now.clone(), Arg::Flag(true), now.clone(), now];
        let rows = self.all(sql, args).await?;
        rows.iter()
            .map(|row| Ok((GrantId::from_uuid(read_uuid(row, 0)?), AppId::from_uuid(read_uuid(row, 1)?))))
            .collect()
    }

    async fn unrevoked(&self, tenant: TenantId, person: PersonId, now: Timestamp) -> Result<Vec<GrantId>, StoreError> {
        let sql = "SELECT id FROM grants WHERE tenant_id = ? AND person_id = ? AND revoked_at IS NULL \
                   AND expires_at > ?";
        let rows = self.few(sql, vec![uuid(tenant), Arg::Uuid(person.uuid()), millis(now)]).await?;
        rows.iter().map(|row| read_uuid(row, 0).map(GrantId::from_uuid)).collect()
    }

    async fn consent(&self, tenant: TenantId, person: PersonId, app: AppId) -> Result<Option<Consent>, StoreError> {
        let sql = format!("{CONSENT} AND app_id = ?");
        let row = self.one(&sql, vec![uuid(tenant), Arg::Uuid(person.uuid()), Arg::Uuid(app.uuid())]).await?;
        row.map(|row| consent(&row)).transpose()
    }

    async fn consents(&self, tenant: TenantId, person: PersonId) -> Result<Vec<Consent>, StoreError> {
        let sql = format!("{CONSENT} ORDER BY at DESC, app_id");
        let rows = self.few(&sql, vec![uuid(tenant), Arg::Uuid(person.uuid())]).await?;
        rows.iter().map(consent).collect()
    }

    async fn revoke_app(
        &self,
        tenant: TenantId,
        person: PersonId,
        app: AppId,
        now: Timestamp,
    ) -> Result<u64, StoreError> {
        let change = Change::new(
            "UPDATE grants SET revoked_at = ? WHERE tenant_id = ? AND person_id = ? AND app_id = ? \
             AND revoked_at IS NULL",
            vec![millis(now), uuid(tenant), Arg::Uuid(person.uuid()), Arg::Uuid(app.uuid())],
        );
        self.change(change).await
    }

    async fn kept_out_by(&self, tenant: TenantId, person: PersonId) -> Result<Vec<ConnectionId>, StoreError> {
        let sql = "SELECT connection_id FROM standings WHERE tenant_id = ? AND person_id = ? AND is_out = ?";
        let rows = self.few(sql, vec![uuid(tenant), Arg::Uuid(person.uuid()), Arg::Flag(true)]).await?;
        rows.iter().map(|row| Ok(ConnectionId::from_uuid(read_uuid(row, 0)?))).collect()
    }

    async fn standing(&self, tenant: TenantId, person: PersonId) -> Result<Option<PersonStanding>, StoreError> {
        let sql = "SELECT disabled, shut_at FROM people WHERE tenant_id = ? AND id = ?";
        let row = self.one(sql, vec![uuid(tenant), Arg::Uuid(person.uuid())]).await?;
        row.map(|row| Ok(PersonStanding { disabled: get(&row, 0)?, shut: time_or_none(&row, 1)? })).transpose()
    }

    async fn delete(&self, tenant: TenantId, person: PersonId, now: Timestamp) -> Result<bool, StoreError> {
        let mut changes = vec![
            Change { guarded: true, ..hold_person(tenant, person) },
            leave_tombstones(tenant, person, TombstoneReason::Deleted, now),
            forget_person(tenant, person),
        ];
        changes.extend(delete_person(tenant, person));
        match self.work_in_turn(changes).await {
            Ok(_) => Ok(true),
            Err(WorkError::Guard(_)) => Ok(false),
            Err(WorkError::Store(cause)) => Err(cause),
        }
    }
}

impl Store {
    /// Disables a person or lets them in again. True when there is such a person.
    ///
    /// What they were given stays, and the gate refuses it while they are disabled.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn set_person_disabled(
        &self,
        tenant: TenantId,
        person: PersonId,
        disabled: bool,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let change = Change::new(
            "UPDATE people SET disabled = ? WHERE tenant_id = ? AND id = ?",
            vec![Arg::Flag(disabled), uuid(tenant), Arg::Uuid(person.uuid())],
        );
        let changes = vec![Change { guarded: true, ..change }, touch_profiles(tenant, person, now)];
        match self.work(changes).await {
            Ok(_) => Ok(true),
            Err(WorkError::Guard(_)) => Ok(false),
            Err(WorkError::Store(cause)) => Err(cause),
        }
    }
}

fn identity(row: &Row) -> Result<StoredIdentity, StoreError> {
    Ok(StoredIdentity {
        person: PersonId::from_uuid(read_uuid(row, 0)?),
        connection: ConnectionId::from_uuid(read_uuid(row, 1)?),
        subject_key: get(row, 2)?,
        display: get(row, 3)?,
        since: time(row, 4)?,
    })
}
