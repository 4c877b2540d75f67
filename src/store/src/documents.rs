//! The port of partners' documents: who looks at which, and what came of it.

use std::time::Duration;

use async_trait::async_trait;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::TenantId;
use fedbridge_contract::logout::Party;
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{
    ApplyError, ConfigStore as _, DocumentStanding, DocumentStore, HeldDocument, Look, NewDocument, StoredDocument,
};
use fedbridge_hub::spec::ConfigChange;
use sea_orm::{ColumnTrait as _, EntityTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _};
use uuid::Uuid;

use crate::config::documents::{hash_of, party, stored};
use crate::config::words::json;
use crate::entity::document;
use crate::error::{damaged, store_error};
use crate::system::SystemStore;
use crate::unit::{millis, uuid};
use crate::work::{Arg, Change};

/// How often a document is put in force again where others change the configuration meanwhile.
const ATTEMPTS: usize = 8;

#[async_trait]
impl DocumentStore for SystemStore {
    async fn claim_due(&self, now: Timestamp, lease: Duration, most: u32) -> Result<Vec<StoredDocument>, StoreError> {
        let due = document::Entity::find()
            .filter(document::Column::NextLookAt.lte(now.millis()))
            .order_by_asc(document::Column::NextLookAt)
            .limit(u64::from(most))
            .all(&self.0.inner.orm)
            .await
            .map_err(|cause| store_error(&cause))?;
        let mut claimed = Vec::new();
        for row in due {
            // Whoever moves the date from where it stood has the document.
            let take = Change::new(
                "UPDATE documents SET next_look_at = ? WHERE tenant_id = ? AND party_id = ? AND next_look_at = ?",
                vec![
                    millis(now + lease),
                    Arg::Uuid(row.tenant_id),
                    Arg::Uuid(row.party_id),
                    Arg::Int(row.next_look_at),
                ],
            );
            if self.0.change(take).await? == 1 {
                claimed.push(stored(row)?);
            }
        }
        Ok(claimed)
    }

    async fn document(&self, tenant: TenantId, party: Party) -> Result<Option<StoredDocument>, StoreError> {
        let row = document::Entity::find_by_id((tenant.uuid(), party.uuid())).one(&self.0.inner.orm).await;
        row.map_err(|cause| store_error(&cause))?.map(stored).transpose()
    }

    async fn standings(&self) -> Result<Vec<DocumentStanding>, StoreError> {
        use document::Column::{Failures, HeldSince, LastLookAt, PartyId, PartyKind, TenantId as Tenant};
        let query = document::Entity::find().select_only();
        let query = query.columns([Tenant, PartyId, PartyKind, LastLookAt, Failures, HeldSince]);
        let rows = query.into_tuple::<(Uuid, Uuid, String, i64, i64, Option<i64>)>().all(&self.0.inner.orm).await;
        let rows = rows.map_err(|cause| store_error(&cause))?.into_iter();
        rows.map(|(tenant, id, kind, confirmed, failures, held)| {
            Ok(DocumentStanding {
                tenant: TenantId::from_uuid(tenant),
                party: party(&kind, id)?,
                confirmed: Timestamp::from_millis(confirmed),
                failures: u32::try_from(failures).map_err(|_| damaged("a document"))?,
                held: held.is_some(),
            })
        })
        .collect()
    }

    async fn looked(&self, tenant: TenantId, party: Party, look: Look) -> Result<(), StoreError> {
        let key = [uuid(tenant), Arg::Uuid(party.uuid())];
        let change = match look.result {
            Ok(etag) => Change::new(
                "UPDATE documents SET last_look_at = ?, next_look_at = ?, failures = 0, last_failure = NULL, etag = ? \
                 WHERE tenant_id = ? AND party_id = ?",
                [millis(look.at), millis(look.next), Arg::OptText(etag)].into_iter().chain(key).collect(),
            ),
            Err(failure) => Change::new(
                "UPDATE documents SET next_look_at = ?, failures = failures + 1, last_failure = ? \
                 WHERE tenant_id = ? AND party_id = ?",
                [millis(look.next), Arg::Text(failure)].into_iter().chain(key).collect(),
            ),
        };
        self.0.change(change).await.map(drop)
    }

    async fn adopt(
        &self,
        tenant: TenantId,
        party: Party,
        expected: &[u8; 32],
        new: &NewDocument,
    ) -> Result<bool, StoreError> {
        for _ in 0..ATTEMPTS {
            // The version is read first: whatever changes after it makes the change below fail.
            let version = self.version().await?;
            let Some(there) = self.document(tenant, party).await? else { return Ok(false) };
            if hash_of(&there.current.xml) != *expected {
                return Ok(false);
            }
            let next = StoredDocument {
                current: new.clone(),
                last_look: new.fetched,
                next_look: new.next_look,
                failures: 0,
                last_failure: None,
                held: None,
                ..there
            };
            match self.apply(version, &[ConfigChange::PutDocument(next)]).await {
                Ok(_) => return Ok(true),
                Err(ApplyError::Conflict) => {}
                Err(ApplyError::Store(cause)) => return Err(cause),
                Err(other @ ApplyError::HasPeople { .. }) => return Err(StoreError(other.to_string())),
            }
        }
        Err(StoreError("the configuration changed all the time; the document is looked at again later".to_owned()))
    }

    async fn hold(&self, tenant: TenantId, party: Party, held: &HeldDocument) -> Result<(), StoreError> {
        let change = Change::new(
            "UPDATE documents SET held_xml = ?, held_drift = ?, held_since = ? WHERE tenant_id = ? AND party_id = ?",
            vec![
                Arg::Text(held.xml.clone()),
                Arg::Text(json(&held.drift)?),
                millis(held.since),
                uuid(tenant),
                Arg::Uuid(party.uuid()),
            ],
        );
        self.0.change(change).await.map(drop)
    }

    async fn release(&self, tenant: TenantId, party: Party) -> Result<bool, StoreError> {
        let change = Change::new(
            "UPDATE documents SET held_xml = NULL, held_drift = NULL, held_since = NULL \
             WHERE tenant_id = ? AND party_id = ? AND held_xml IS NOT NULL",
            vec![uuid(tenant), Arg::Uuid(party.uuid())],
        );
        Ok(self.0.change(change).await? == 1)
    }
}
