//! What upstreams push: kept as they describe it, mapped as a login would be, and drawn the consequences of.
//!
//! [`change`] takes an order in: [`user`] and [`group`] make one unit of it, in which the record, its person and what
//! ends for them change together. [`said`] maps a record as the connection's rules want it, [`shut`] ends whoever is
//! switched off, but not too many at once; [`outside`] ends what a lost group had opened. A group that changes changes what is said of its members: they are marked in the
//! same unit, and [`restate`] maps them anew. [`news`] and [`events`] are what receivers of signals hear of it. [`before`] finds
//! whoever logged in before they were pushed. [`whose`] is the other end: which logins belong to people who are pushed; and [`current`] says to rules and apps what is pushed
//! of them by now.

mod before;
mod change;
mod current;
mod events;
mod group;
mod keys;
mod membership;
mod news;
mod origins;
mod outside;
mod restate;
mod said;
mod shut;
mod user;
mod whose;

use std::sync::{Arc, OnceLock, Weak};

use async_trait::async_trait;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::RecordId;
use fedbridge_contract::push::{
    PushCompleted, PushDesk, PushDone, PushOrder, PushPlace, PushRefused, Record, RecordKey, RecordKind, Related,
};
use fedbridge_contract::trace::TraceLog;

use super::Hub;
use crate::ports::StoredRecord;

pub use current::HubCurrentClaims;
pub(super) use current::SaidByPush;
pub(super) use whose::{Barred, Comer, Pushed, Theirs};

/// The hub as the desk of what is pushed. Adapters are opened with it before there is a hub.
#[derive(Default)]
pub struct HubPushDesk(OnceLock<Weak<Hub>>);

impl HubPushDesk {
    /// From now on this hub answers.
    pub fn serve(&self, hub: &Arc<Hub>) {
        let _ = self.0.set(Arc::downgrade(hub));
    }

    fn hub(&self) -> Result<Arc<Hub>, StoreError> {
        let hub = self.0.get().and_then(Weak::upgrade);
        hub.ok_or_else(|| StoreError("nothing is served here".to_owned()))
    }
}

#[async_trait]
impl PushDesk for HubPushDesk {
    async fn record(&self, place: PushPlace, kind: RecordKind, id: RecordId) -> Result<Option<Record>, StoreError> {
        let found = self.hub()?.pushed.record(place, id).await?;
        Ok(found.map(|stored| stored.record).filter(|record| record.kind == kind))
    }

    async fn look_up(
        &self,
        place: PushPlace,
        kind: RecordKind,
        key: &RecordKey,
        most: u32,
    ) -> Result<Vec<Record>, StoreError> {
        let hub = self.hub()?;
        let hash = keys::hash(hub.services.tokens.as_ref(), place, kind, key);
        hub.pushed.look_up(place, kind, hash, most).await.map(records)
    }

    async fn page(
        &self,
        place: PushPlace,
        kind: RecordKind,
        after: Option<RecordId>,
        most: u32,
    ) -> Result<Vec<Record>, StoreError> {
        self.hub()?.pushed.page(place, kind, after, most).await.map(records)
    }

    async fn page_at(
        &self,
        place: PushPlace,
        kind: RecordKind,
        skip: u64,
        most: u32,
    ) -> Result<Vec<Record>, StoreError> {
        self.hub()?.pushed.page_at(place, kind, skip, most).await.map(records)
    }

    async fn count(&self, place: PushPlace, kind: RecordKind) -> Result<u64, StoreError> {
        self.hub()?.pushed.count(place, kind).await
    }

    async fn members(
        &self,
        place: PushPlace,
        group: RecordId,
        after: Option<RecordId>,
        most: u32,
    ) -> Result<Vec<Related>, StoreError> {
        self.hub()?.pushed.members(place, group, after, most).await
    }

    async fn has_members(
        &self,
        place: PushPlace,
        group: RecordId,
        of: &[RecordId],
    ) -> Result<Vec<RecordId>, StoreError> {
        self.hub()?.pushed.has_members(place, group, of).await
    }

    async fn groups_of(
        &self,
        place: PushPlace,
        members: &[RecordId],
    ) -> Result<Vec<(RecordId, Vec<Related>)>, StoreError> {
        self.hub()?.pushed_groups_of(place, members).await
    }

    async fn push(&self, order: PushOrder<'_>, trace: &mut TraceLog) -> Result<PushDone, PushRefused> {
        self.hub()?.push(order, trace).await
    }

    async fn completed(&self, done: PushCompleted<'_>) -> Result<bool, StoreError> {
        self.hub()?.tell_completed(done).await
    }
}

fn records(stored: Vec<StoredRecord>) -> Vec<Record> {
    stored.into_iter().map(|stored| stored.record).collect()
}
