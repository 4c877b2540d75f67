//! Rollovers: which partner has seen which key of ours, and where a change of keys stands.

use async_trait::async_trait;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::TenantId;
use fedbridge_contract::keys::KeyPurpose;
use fedbridge_contract::logout::Party;
use fedbridge_contract::sightings::Sighting;
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{ApplyError, NewSighting, Rollover, RolloverPhase, RolloverStore, StoredSighting};
use sea_orm::{ConnectionTrait as _, DatabaseTransaction};

use crate::config::apply::failed;
use crate::config::documents::{kind_of, party};
use crate::config::words::{from_word, word};
use crate::error::damaged;
use crate::row::{Row, get, time, time_or_none, uuid as read_uuid};
use crate::system::SystemStore;
use crate::unit::{millis, uuid};
use crate::work::{Arg, Change, WorkError, statement};

const ROLLOVER: &str = "tenant_id, purpose, phase, started_at, switch_at, switched_at, retire_at, forced";

#[async_trait]
impl RolloverStore for SystemStore {
    async fn note_sightings(&self, batch: &[NewSighting]) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        let changes: Vec<Change> = batch.iter().map(note).collect::<Result<_, _>>()?;
        match self.0.background(changes).await {
            Ok(_) | Err(WorkError::Guard(_)) => Ok(()),
            Err(WorkError::Store(cause)) => Err(cause),
        }
    }

    async fn sightings(&self, tenant: TenantId) -> Result<Vec<StoredSighting>, StoreError> {
        let sql = "SELECT party_kind, party_id, kid, how, first_at, last_at FROM sightings WHERE tenant_id = ? \
                   ORDER BY party_id, kid, how";
        self.0.all(sql, vec![uuid(tenant)]).await?.iter().map(stored_sighting).collect()
    }

    async fn last_sighting(
        &self,
        tenant: TenantId,
        party: Party,
        kid: &str,
        how: Sighting,
    ) -> Result<Option<Timestamp>, StoreError> {
        let sql = "SELECT last_at FROM sightings WHERE tenant_id = ? AND party_id = ? AND kid = ? AND how = ?";
        let args = vec![uuid(tenant), Arg::Uuid(party.uuid()), Arg::Text(kid.to_owned()), Arg::Text(word(&how)?)];
        self.0.all(sql, args).await?.first().map(|row| time(row, 0)).transpose()
    }

    async fn rollovers(&self, tenant: Option<TenantId>) -> Result<Vec<Rollover>, StoreError> {
        let (condition, args) = match tenant {
            Some(tenant) => (" WHERE tenant_id = ?", vec![uuid(tenant)]),
            None => ("", Vec::new()),
        };
        let sql = format!("SELECT {ROLLOVER} FROM rollovers{condition} ORDER BY tenant_id, purpose");
        self.0.all(&sql, args).await?.iter().map(stored_rollover).collect()
    }
}

/// Writes where a rollover stands, within a change of the configuration.
pub async fn put(db: &DatabaseTransaction, it: &Rollover) -> Result<(), ApplyError> {
    let sql = format!(
        "INSERT INTO rollovers ({ROLLOVER}) VALUES (?, ?, ?, ?, ?, ?, ?, ?) \
         ON CONFLICT (tenant_id, purpose) DO UPDATE SET phase = excluded.phase, started_at = excluded.started_at, \
         switch_at = excluded.switch_at, switched_at = excluded.switched_at, retire_at = excluded.retire_at, \
         forced = excluded.forced"
    );
    let optional = |at: Option<Timestamp>| Arg::OptInt(at.map(|at| at.millis()));
    let args = vec![
        uuid(it.tenant),
        Arg::Text(word(&it.purpose)?),
        Arg::Text(phase_word(it.phase).to_owned()),
        millis(it.started),
        optional(it.switch_at),
        optional(it.switched),
        optional(it.retire_at),
        Arg::Flag(it.forced),
    ];
    db.execute_raw(statement(db.get_database_backend(), &sql, args)).await.map(drop).map_err(failed)
}

/// Removes a rollover that is at its end, within a change of the configuration.
pub async fn end(db: &DatabaseTransaction, tenant: TenantId, purpose: KeyPurpose) -> Result<(), ApplyError> {
    let sql = "DELETE FROM rollovers WHERE tenant_id = ? AND purpose = ?";
    let args = vec![uuid(tenant), Arg::Text(word(&purpose)?)];
    db.execute_raw(statement(db.get_database_backend(), sql, args)).await.map(drop).map_err(failed)
}

/// A partner that was deleted meanwhile gets no row: nothing would ever take it away again.
fn note(new: &NewSighting) -> Result<Change, StoreError> {
    let table = match new.party {
        Party::App(_) => "apps",
        Party::Connection(_) => "connections",
    };
    let sql = format!(
        "INSERT INTO sightings (tenant_id, party_id, party_kind, kid, how, first_at, last_at) \
         SELECT tenant_id, id, ?, ?, ?, ?, ? FROM {table} WHERE tenant_id = ? AND id = ? \
         ON CONFLICT (tenant_id, party_id, kid, how) DO UPDATE SET \
         first_at = CASE WHEN excluded.first_at < sightings.first_at THEN excluded.first_at ELSE sightings.first_at END, \
         last_at = CASE WHEN excluded.last_at > sightings.last_at THEN excluded.last_at ELSE sightings.last_at END"
    );
    let args = vec![
        Arg::Text(kind_of(new.party).to_owned()),
        Arg::Text(new.kid.clone()),
        Arg::Text(word(&new.how)?),
        millis(new.at),
        millis(new.at),
        uuid(new.tenant),
        Arg::Uuid(new.party.uuid()),
    ];
    Ok(Change::new(sql, args))
}

fn stored_sighting(row: &Row) -> Result<StoredSighting, StoreError> {
    let kind: String = get(row, 0)?;
    Ok(StoredSighting {
        party: party(&kind, read_uuid(row, 1)?)?,
        kid: get(row, 2)?,
        how: from_word(get(row, 3)?)?,
        first: time(row, 4)?,
        last: time(row, 5)?,
    })
}

fn stored_rollover(row: &Row) -> Result<Rollover, StoreError> {
    let phase: String = get(row, 2)?;
    Ok(Rollover {
        tenant: TenantId::from_uuid(read_uuid(row, 0)?),
        purpose: from_word(get(row, 1)?)?,
        phase: phase_of(&phase)?,
        started: time(row, 3)?,
        switch_at: time_or_none(row, 4)?,
        switched: time_or_none(row, 5)?,
        retire_at: time_or_none(row, 6)?,
        forced: get(row, 7)?,
    })
}

fn phase_word(phase: RolloverPhase) -> &'static str {
    match phase {
        RolloverPhase::Announced => "announced",
        RolloverPhase::Switched => "switched",
    }
}

fn phase_of(word: &str) -> Result<RolloverPhase, StoreError> {
    match word {
        "announced" => Ok(RolloverPhase::Announced),
        "switched" => Ok(RolloverPhase::Switched),
        _ => Err(damaged("a rollover")),
    }
}
