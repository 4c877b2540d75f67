//! The port of kills.
//!
//! A kill takes the next number of one row and writes it on what it kills. That row stays locked until the
//! kill is durable, so kills become visible in the order of their numbers: who sees a number sees all before it.

use async_trait::async_trait;
use fedbridge_contract::epoch::{Epoch, Killed};
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{AppId, ConnectionId, PersonId, TenantId};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{EpochStore, Signals, Versions};
use uuid::Uuid;

use crate::error::damaged;
use crate::open::Backend;
use crate::postgres::{self, NOTIFY};
use crate::row::{Row, get, uuid as read_uuid};
use crate::system::SystemStore;
use crate::unit::{forget_proofs, millis, touch_profiles, uuid};
use crate::work::{Arg, Change, WorkError};

const VERSIONS: &str = "SELECT c.version, k.version FROM installation c JOIN installation k ON k.id = 2 WHERE c.id = 1";

/// SQLite numbers a place of this form as well as PostgreSQL does.
const SINCE: &str = "SELECT tenant_id, object_id, kind, epoch FROM epochs WHERE epoch > $1";

#[async_trait]
impl EpochStore for SystemStore {
    async fn versions(&self) -> Result<Versions, StoreError> {
        let row = match &self.0.inner.backend {
            Backend::Sqlite { .. } => self.0.one(VERSIONS, Vec::new()).await?,
            Backend::Postgres { ear } => ear.ask(VERSIONS, &[]).await?.into_iter().next(),
        };
        let row = row.ok_or_else(|| damaged("the installation"))?;
        Ok(Versions { configuration: get(&row, 0)?, epoch: Epoch(get(&row, 1)?) })
    }

    async fn epochs_since(&self, since: Epoch) -> Result<Vec<(Killed, Epoch)>, StoreError> {
        let rows = match &self.0.inner.backend {
            Backend::Sqlite { .. } => self.0.all(SINCE, vec![Arg::Int(since.0)]).await?,
            Backend::Postgres { ear } => ear.ask(SINCE, &[since.0]).await?,
        };
        rows.iter().map(killed).collect()
    }

    async fn kill(&self, killed: Killed, now: Timestamp) -> Result<Option<Epoch>, StoreError> {
        self.kill_with(killed, Vec::new(), now).await
    }

    async fn signals(&self) -> Result<Option<Box<dyn Signals>>, StoreError> {
        match &self.0.inner.backend {
            Backend::Sqlite { .. } => Ok(None),
            Backend::Postgres { ear } => Ok(Some(Box::new(ear.listen().await?))),
        }
    }
}

impl SystemStore {
    /// As [`EpochStore::kill`], with what happens in the same transaction. `None` also where a guard of that fails.
    pub(crate) async fn kill_with(
        &self,
        killed: Killed,
        also: Vec<Change>,
        now: Timestamp,
    ) -> Result<Option<Epoch>, StoreError> {
        let mut changes = killing(killed, also, now);
        let done = match &self.0.inner.backend {
            Backend::Sqlite { .. } => self.0.work(changes).await,
            Backend::Postgres { .. } => {
                changes.push(Change::new(NOTIFY, Vec::new()));
                postgres::work_one_by_one(&self.0.inner.orm, changes).await
            }
        };
        match done {
            Ok(_) => self.last_kill(killed).await.map(Some),
            Err(WorkError::Guard(_)) => Ok(None),
            Err(WorkError::Store(cause)) => Err(cause),
        }
    }

    /// The number of a kill that was made just now, or of a newer one of the same object.
    async fn last_kill(&self, killed: Killed) -> Result<Epoch, StoreError> {
        let epoch = self.last_kill_or_none(killed).await?;
        epoch.ok_or_else(|| StoreError("what was killed was deleted at the same moment".into()))
    }

    /// As [`SystemStore::last_kill`]; `None` where the object is gone by now.
    pub(crate) async fn last_kill_or_none(&self, killed: Killed) -> Result<Option<Epoch>, StoreError> {
        let (sql, object) = match killed {
            Killed::Person(_, person) => ("SELECT epoch FROM people WHERE tenant_id = ? AND id = ?", person.uuid()),
            _ => ("SELECT epoch FROM epochs WHERE tenant_id = ? AND object_id = ?", object(killed)),
        };
        let row = self.0.one(sql, vec![uuid(killed.tenant()), Arg::Uuid(object)]).await?;
        row.map(|row| get(&row, 0).map(Epoch)).transpose()
    }
}

/// The changes of a kill. Guard: the object is there.
pub fn killing(killed: Killed, also: Vec<Change>, now: Timestamp) -> Vec<Change> {
    let next = Change::new("UPDATE installation SET version = version + 1 WHERE id = 2", Vec::new());
    let mut changes = vec![next, mark(killed, now)];
    changes.extend(also);
    if let Killed::Person(tenant, person) = killed {
        changes.push(revoke_all(tenant, person, now));
        changes.push(forget_proofs(tenant, person));
        changes.push(touch_profiles(tenant, person, now));
    }
    changes
}

/// Writes the number on the object. Guard: it is there.
fn mark(killed: Killed, now: Timestamp) -> Change {
    let (tenant, id) = (uuid(killed.tenant()), Arg::Uuid(object(killed)));
    let there = match killed {
        Killed::Person(..) => {
            let sql = "UPDATE people SET epoch = (SELECT version FROM installation WHERE id = 2) \
                       WHERE tenant_id = ? AND id = ?";
            return Change { guarded: true, ..Change::new(sql, vec![tenant, id]) };
        }
        Killed::Tenant(_) => "tenants o WHERE o.tenant_id = ? AND o.tenant_id = ?",
        Killed::Connection(..) => "connections o WHERE o.tenant_id = ? AND o.id = ?",
        Killed::App(..) => "apps o WHERE o.tenant_id = ? AND o.id = ?",
    };
    let sql = format!(
        "INSERT INTO epochs (tenant_id, object_id, kind, epoch, at) SELECT ?, ?, ?, i.version, ? FROM installation i \
         WHERE i.id = 2 AND EXISTS (SELECT 1 FROM {there}) \
         ON CONFLICT (tenant_id, object_id) DO UPDATE SET epoch = excluded.epoch, at = excluded.at"
    );
    let word = Arg::Text(kind(killed).into());
    let args = vec![tenant.clone(), id.clone(), word, millis(now), tenant, id];
    Change { guarded: true, ..Change::new(sql, args) }
}

/// Offline access too: a killed person keeps nothing.
fn revoke_all(tenant: TenantId, person: PersonId, now: Timestamp) -> Change {
    Change::new(
        "UPDATE grants SET revoked_at = ? WHERE tenant_id = ? AND person_id = ? AND revoked_at IS NULL",
        vec![millis(now), uuid(tenant), Arg::Uuid(person.uuid())],
    )
}

fn object(killed: Killed) -> Uuid {
    match killed {
        Killed::Tenant(tenant) => tenant.uuid(),
        Killed::Connection(_, connection) => connection.uuid(),
        Killed::App(_, app) => app.uuid(),
        Killed::Person(_, person) => person.uuid(),
    }
}

fn kind(killed: Killed) -> &'static str {
    match killed {
        Killed::Tenant(_) => "tenant",
        Killed::Connection(..) => "connection",
        Killed::App(..) => "app",
        Killed::Person(..) => "person",
    }
}

fn killed(row: &Row) -> Result<(Killed, Epoch), StoreError> {
    let (tenant, id) = (TenantId::from_uuid(read_uuid(row, 0)?), read_uuid(row, 1)?);
    let killed = match get::<String>(row, 2)?.as_str() {
        "tenant" => Killed::Tenant(tenant),
        "connection" => Killed::Connection(tenant, ConnectionId::from_uuid(id)),
        "app" => Killed::App(tenant, AppId::from_uuid(id)),
        _ => return Err(damaged("a kill")),
    };
    Ok((killed, Epoch(get(row, 3)?)))
}
