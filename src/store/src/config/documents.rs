//! Documents of partners, as rows.

use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{AppId, ConnectionId, TenantId};
use fedbridge_contract::logout::Party;
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{ApplyError, HeldDocument, NewDocument, StoredDocument};
use sea_orm::sea_query::OnConflict;
use sea_orm::{ActiveValue::Set, DatabaseTransaction, EntityTrait, Iterable as _};
use uuid::Uuid;

use crate::config::apply::failed;
use crate::config::words::{from_json, json};
use crate::entity::document;
use crate::error::damaged;

/// The word that says which kind of party an id is of.
pub fn kind_of(party: Party) -> &'static str {
    match party {
        Party::App(_) => "app",
        Party::Connection(_) => "connection",
    }
}

pub fn party(kind: &str, id: Uuid) -> Result<Party, StoreError> {
    match kind {
        "app" => Ok(Party::App(AppId::from_uuid(id))),
        "connection" => Ok(Party::Connection(ConnectionId::from_uuid(id))),
        _ => Err(damaged("a partner")),
    }
}

/// What tells one text from another.
pub fn hash_of(xml: &str) -> [u8; 32] {
    openssl::sha::sha256(xml.as_bytes())
}

pub async fn put(db: &DatabaseTransaction, it: &StoredDocument) -> Result<(), ApplyError> {
    use document::Column::{PartyId, TenantId};
    let held = it.held.as_ref();
    let row = document::ActiveModel {
        tenant_id: Set(it.tenant.uuid()),
        party_id: Set(it.party.uuid()),
        party_kind: Set(kind_of(it.party).to_owned()),
        url: Set(it.url.clone()),
        xml: Set(it.current.xml.clone()),
        xml_hash: Set(hash_of(&it.current.xml).to_vec()),
        etag: Set(it.current.etag.clone()),
        fetched_at: Set(it.current.fetched.millis()),
        valid_until: Set(it.current.valid_until.map(|until| until.millis())),
        last_look_at: Set(it.last_look.millis()),
        next_look_at: Set(it.next_look.millis()),
        failures: Set(it.failures.into()),
        last_failure: Set(it.last_failure.clone()),
        held_xml: Set(held.map(|held| held.xml.clone())),
        held_drift: Set(held.map(|held| json(&held.drift)).transpose()?),
        held_since: Set(held.map(|held| held.since.millis())),
    };
    let others = document::Column::iter().filter(|column| !matches!(column, TenantId | PartyId));
    let replace = OnConflict::columns([TenantId, PartyId]).update_columns(others).to_owned();
    document::Entity::insert(row).on_conflict(replace).exec_without_returning(db).await.map(drop).map_err(failed)
}

pub async fn delete(db: &DatabaseTransaction, tenant: TenantId, party: Party) -> Result<(), ApplyError> {
    document::Entity::delete_by_id((tenant.uuid(), party.uuid())).exec(db).await.map(drop).map_err(failed)
}

pub fn stored(row: document::Model) -> Result<StoredDocument, StoreError> {
    let held = match (row.held_xml, row.held_drift, row.held_since) {
        (Some(xml), Some(drift), Some(since)) => {
            Some(HeldDocument { xml, drift: from_json(&drift)?, since: Timestamp::from_millis(since) })
        }
        (None, None, None) => None,
        _ => return Err(damaged("a document that waits")),
    };
    let next_look = Timestamp::from_millis(row.next_look_at);
    Ok(StoredDocument {
        tenant: TenantId::from_uuid(row.tenant_id),
        party: party(&row.party_kind, row.party_id)?,
        url: row.url,
        current: NewDocument {
            xml: row.xml,
            etag: row.etag,
            valid_until: row.valid_until.map(Timestamp::from_millis),
            fetched: Timestamp::from_millis(row.fetched_at),
            next_look,
        },
        last_look: Timestamp::from_millis(row.last_look_at),
        next_look,
        failures: u32::try_from(row.failures).map_err(|_| damaged("a document"))?,
        last_failure: row.last_failure,
        held,
    })
}
