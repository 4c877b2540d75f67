//! Rows of records as the hub sees them, and what of a record is sealed.

use std::borrow::Cow;

use fedbridge_contract::error::StoreError;
use fedbridge_contract::identity::Attributes;
use fedbridge_contract::ids::{ConnectionId, PersonId, RecordId, TraceId};
use fedbridge_contract::push::{Origins, PushPlace, Record, RecordKind, Related};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{NewRecord, Sealer, StoredRecord};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::error::damaged;
use crate::row::{Row, get, time, uuid};
use crate::work::Arg;

/// What [`stored`] reads.
pub const RECORD: &str = "r.id, r.kind, r.version, r.created_at, r.modified_at, r.display, r.active, r.person_id, \
    r.restate_at, r.sealed, r.connection_id, r.regrouped_at, r.regrouped_by, \
    EXISTS (SELECT 1 FROM pushed_members m WHERE m.tenant_id = r.tenant_id AND m.member_id = r.id)";

const KINDS: [(RecordKind, &str); 2] = [(RecordKind::User, "user"), (RecordKind::Group, "group")];

#[derive(Serialize, Deserialize)]
struct Sealed<'a> {
    document: Cow<'a, Value>,
    attributes: Cow<'a, Attributes>,
    group_name: Option<Cow<'a, str>>,
    #[serde(default)]
    origins: Cow<'a, Origins>,
}

pub fn seal(place: PushPlace, new: &NewRecord, sealer: &dyn Sealer) -> Result<Vec<u8>, StoreError> {
    let sealed = Sealed {
        document: Cow::Borrowed(&new.document),
        attributes: Cow::Borrowed(&new.attributes),
        group_name: new.group_name.as_deref().map(Cow::Borrowed),
        origins: Cow::Borrowed(&new.origins),
    };
    let plain = serde_json::to_vec(&sealed).map_err(|_| StoreError("the record can't be written as JSON".into()))?;
    Ok(sealer.seal(&sealed_for(place, new.id), &plain))
}

pub fn stored(place: PushPlace, row: &Row, sealer: &dyn Sealer) -> Result<StoredRecord, StoreError> {
    let id = RecordId::from_uuid(uuid(row, 0)?);
    let plain = sealer.open(&sealed_for(place, id), &get::<Vec<u8>>(row, 9)?);
    let plain = plain.map_err(|_| damaged("a pushed record"))?;
    let open: Sealed<'static> = serde_json::from_slice(&plain).map_err(|_| damaged("a pushed record"))?;
    Ok(StoredRecord {
        record: Record {
            id,
            kind: kind(&get::<String>(row, 1)?)?,
            version: get(row, 2)?,
            created: time(row, 3)?,
            modified: time(row, 4)?,
            document: open.document.into_owned(),
            person: get::<Option<Uuid>>(row, 7)?.map(PersonId::from_uuid),
            grouped: get(row, 13)?,
        },
        display: get(row, 5)?,
        active: get(row, 6)?,
        attributes: open.attributes.into_owned(),
        group_name: open.group_name.map(Cow::into_owned),
        restate: get::<Option<i64>>(row, 8)?.is_some(),
        origins: open.origins.into_owned(),
        regrouped: regrouped(row)?,
    })
}

fn regrouped(row: &Row) -> Result<Option<(Timestamp, TraceId)>, StoreError> {
    let (at, by) = (get::<Option<i64>>(row, 11)?, get::<Option<Uuid>>(row, 12)?);
    Ok(at.zip(by).map(|(at, by)| (Timestamp::from_millis(at), TraceId::from_uuid(by))))
}

/// The connection of a row of [`RECORD`].
pub fn connection(row: &Row) -> Result<ConnectionId, StoreError> {
    uuid(row, 10).map(ConnectionId::from_uuid)
}

/// Id, kind and display from this column on.
pub fn related(row: &Row, at: usize) -> Result<Related, StoreError> {
    Ok(Related {
        id: RecordId::from_uuid(uuid(row, at)?),
        kind: kind(&get::<String>(row, at + 1)?)?,
        display: get(row, at + 2)?,
        direct: true,
    })
}

pub fn kind_word(kind: RecordKind) -> Arg {
    Arg::Text(KINDS.iter().find(|(it, _)| *it == kind).map_or("user", |(_, word)| word).to_owned())
}

fn kind(word: &str) -> Result<RecordKind, StoreError> {
    let found = KINDS.iter().find(|(_, it)| *it == word);
    found.map(|(kind, _)| *kind).ok_or_else(|| damaged("a pushed record"))
}

/// The place that a record is sealed for.
fn sealed_for(place: PushPlace, id: RecordId) -> Vec<u8> {
    format!("{}/pushed/{}/{id}", place.tenant, place.connection).into_bytes()
}
