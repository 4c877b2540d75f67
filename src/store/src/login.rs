//! The port of logins: transactions, links, sessions, and the unit of work.

use async_trait::async_trait;
use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{ConnectionId, PersonId, SessionId, TenantId, TransactionId};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{GuardFailed, LinkedPerson, LoginStore, StoredSession, Unit, UnitError};

use crate::error::damaged;
use crate::open::Store;
use crate::row::{Row, get, time, uuid as read_uuid};
use crate::unit::{millis, plan, uuid};
use crate::work::{Arg, Done, WorkError, digest};

/// What [`stored_session`] reads, and from where.
pub const SESSION: &str = "s.id, s.person_id, (p.disabled OR p.shut_at IS NOT NULL), coalesce(p.epoch, 0), s.connection_id, s.idle_expires_at, s.absolute_expires_at, \
    s.sealed FROM sessions s JOIN people p ON p.tenant_id = s.tenant_id AND p.id = s.person_id";

#[async_trait]
impl LoginStore for Store {
    async fn transaction(
        &self,
        tenant: TenantId,
        id: TransactionId,
        handle_hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let sql = "SELECT sealed FROM transactions \
                   WHERE tenant_id = ? AND id = ? AND handle_hash = ? AND expires_at > ?";
        let args = vec![uuid(tenant), Arg::Uuid(id.uuid()), Arg::Octets(handle_hash.to_vec()), millis(now)];
        self.one(sql, args).await?.map(|row| get(&row, 0)).transpose()
    }

    async fn linked_person(
        &self,
        tenant: TenantId,
        connection: ConnectionId,
        subject_key: &str,
    ) -> Result<Option<LinkedPerson>, StoreError> {
        let sql = "SELECT p.id, p.disabled, coalesce(p.epoch, 0), i.email_hash, i.display, p.shut_at FROM identities i \
                   JOIN people p ON p.tenant_id = i.tenant_id AND p.id = i.person_id \
                   WHERE i.tenant_id = ? AND i.connection_id = ? AND i.subject_hash = ?";
        let args = vec![uuid(tenant), Arg::Uuid(connection.uuid()), Arg::Octets(digest(&[subject_key]))];
        let row = self.one(sql, args).await?;
        row.map(|row| {
            let person = PersonId::from_uuid(read_uuid(&row, 0)?);
            let email = get::<Option<Vec<u8>>>(&row, 3)?;
            let email = email.map(|hash| hash.try_into().map_err(|_| damaged("an identity"))).transpose()?;
            Ok(LinkedPerson {
                person,
                disabled: get(&row, 1)?,
                shut: get::<Option<i64>>(&row, 5)?.is_some(),
                epoch: Epoch(get(&row, 2)?),
                email,
                display: get(&row, 4)?,
            })
        })
        .transpose()
    }

    async fn session(
        &self,
        tenant: TenantId,
        id: SessionId,
        cookie_hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<StoredSession>, StoreError> {
        let sql = format!(
            "SELECT {SESSION} WHERE s.tenant_id = ? AND s.id = ? AND s.cookie_hash = ? \
             AND s.idle_expires_at > ? AND s.absolute_expires_at > ?"
        );
        let hash = Arg::Octets(cookie_hash.to_vec());
        let args = vec![uuid(tenant), Arg::Uuid(id.uuid()), hash, millis(now), millis(now)];
        self.one(&sql, args).await?.map(|row| stored_session(&row, 0)).transpose()
    }

    async fn commit(&self, tenant: TenantId, unit: Unit) -> Result<(), UnitError> {
        let plan = plan(tenant, unit, &*self.inner.sealer)?;
        let done = if plan.in_turn { self.work_in_turn(plan.changes).await } else { self.work(plan.changes).await };
        answered(done, plan.guards)
    }
}

/// What became of a unit, in the words of its guards.
pub fn answered(done: Done, guards: Vec<Option<GuardFailed>>) -> Result<(), UnitError> {
    match done {
        Ok(_) => Ok(()),
        Err(WorkError::Store(cause)) => Err(cause.into()),
        Err(WorkError::Guard(at)) => match guards.into_iter().nth(at).flatten() {
            Some(refusal) => Err(UnitError::Guard(refusal)),
            None => Err(StoreError("a guard failed that is not of this unit".into()).into()),
        },
    }
}

/// Reads a row of [`SESSION`], whose columns begin at `at`.
pub fn stored_session(row: &Row, at: usize) -> Result<StoredSession, StoreError> {
    Ok(StoredSession {
        id: SessionId::from_uuid(read_uuid(row, at)?),
        person: PersonId::from_uuid(read_uuid(row, at + 1)?),
        person_disabled: get(row, at + 2)?,
        person_epoch: Epoch(get(row, at + 3)?),
        connection: ConnectionId::from_uuid(read_uuid(row, at + 4)?),
        idle_expires: time(row, at + 5)?,
        absolute_expires: time(row, at + 6)?,
        sealed: get(row, at + 7)?,
    })
}
