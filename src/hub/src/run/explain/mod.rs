//! The truth about a person, as one table: what each upstream says, what is kept of it, which change made each attribute
//! what it is, what the last tokens carried, and what the next ones would. The command line and the console show the same.

mod attributes;
mod claims;

use std::sync::Arc;

use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{PersonId, RecordId, TraceId};
use fedbridge_contract::push::{Origin, PushPlace};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::Outcome;
use serde::Serialize;

pub use attributes::AttributeTruth;
pub use claims::{ClaimTruth, Next, SourceKind, SourceTruth, TokenTruth};

use crate::ports::{StoredRecord, TraceFilter, TraceStore};
use crate::run::Hub;
use crate::run::snapshot::TenantSnapshot;

/// Requests about a record that are shown.
const REQUESTS: u32 = 5;

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explained {
    pub person: PersonId,
    /// Switched off by an administrator.
    pub disabled: bool,
    /// Switched off by a directory that pushes them, since then.
    pub switched_off: Option<Timestamp>,
    pub posix_number: Option<u32>,
    /// What is pushed.
    pub records: Vec<RecordTruth>,
    /// What each upstream says, mapped; the oldest first.
    pub sources: Vec<SourceTruth>,
    /// What apps were given, the newest first.
    pub tokens: Vec<TokenTruth>,
    pub claims: Vec<ClaimTruth>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RecordTruth {
    pub connection: String,
    pub id: RecordId,
    pub active: bool,
    pub version: i64,
    pub modified: Timestamp,
    pub attributes: Vec<AttributeTruth>,
    /// Of groups: names, direct and by way of others.
    pub groups: Vec<String>,
    pub regrouped: Option<Regrouped>,
    /// The last ones that were about somebody of this name, refused ones too; the newest first.
    pub requests: Vec<RequestTruth>,
}

/// The change by which the groups have changed last.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Regrouped {
    pub at: Timestamp,
    pub txn: TraceId,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RequestTruth {
    pub txn: TraceId,
    pub at: Timestamp,
    pub outcome: Outcome,
    pub cause: String,
}

impl Hub {
    /// `None`: there is nobody of this id.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn explained(
        &self,
        traces: &dyn TraceStore,
        tenant: &Arc<TenantSnapshot>,
        person: PersonId,
        now: Timestamp,
    ) -> Result<Option<Explained>, StoreError> {
        let id = tenant.view.id;
        let Some(standing) = self.people.standing(id, person).await? else { return Ok(None) };
        let mut records = Vec::new();
        for (place, stored) in self.pushed.of_person(id, person).await? {
            records.push(self.record_truth(traces, tenant, (place, stored)).await?);
        }
        let profiled = self.profiles.profiled(id, &[person]).await?.into_iter().next();
        let posix_number = profiled.as_ref().and_then(|profiled| profiled.number);
        let profiles = profiled.map(|profiled| profiled.profiles).unwrap_or_default();
        let sources: Vec<_> = profiles.into_iter().map(|profile| claims::source(tenant, profile)).collect();
        let tokens = self.tokens_of(tenant, person, now).await?;
        let claims = claims::table(&sources, &tokens);
        Ok(Some(Explained {
            person,
            disabled: standing.disabled,
            switched_off: standing.shut,
            posix_number,
            records,
            sources,
            tokens,
            claims,
        }))
    }

    async fn record_truth(
        &self,
        traces: &dyn TraceStore,
        tenant: &TenantSnapshot,
        (place, stored): (PushPlace, StoredRecord),
    ) -> Result<RecordTruth, StoreError> {
        let connection = claims::slug(tenant, place.connection);
        let filter = TraceFilter {
            tenant: Some(place.tenant),
            kind: Some("push".to_owned()),
            connection: Some(connection.clone()),
            person: Some(stored.display.clone()),
            limit: REQUESTS,
            ..TraceFilter::default()
        };
        let requests = traces.list(&filter).await?.into_iter();
        // The filter takes a part of a name, too.
        let requests = requests.filter(|trace| trace.person.as_ref() == Some(&stored.display));
        Ok(RecordTruth {
            connection,
            id: stored.record.id,
            active: stored.active,
            version: stored.record.version,
            modified: stored.record.modified,
            attributes: attributes::table(&stored.record.document, &stored.origins),
            groups: self.pushed_group_names(place, stored.record.id).await?,
            regrouped: stored.regrouped.map(|(at, txn)| Regrouped { at, txn }),
            requests: requests.map(RequestTruth::of).collect(),
        })
    }
}

impl RequestTruth {
    fn of(trace: crate::ports::TraceSummary) -> Self {
        Self { txn: trace.id, at: trace.at, outcome: trace.outcome, cause: trace.cause }
    }
}
