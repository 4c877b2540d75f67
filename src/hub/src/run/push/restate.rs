//! What is said of people whose groups have changed is mapped anew. They were marked in the unit of the change, so none
//! is forgotten; a few are done before the answer, the others by whoever has time.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{RecordId, TraceId};
use fedbridge_contract::push::{PushActor, PushPlace, PushRefused, RecordKind};

use super::change::Pushing;
use super::events::Changing;
use super::said::Described;
use super::user::Consequences;
use crate::ports::{PushUnit, RecordWrite, StoredRecord};
use crate::run::Hub;

/// People that are done before a change is answered.
const AT_ONCE: usize = 100;

/// Who could not be done is looked at again after this: an administrator may have opened the guard of their connection,
/// or mended its rules.
const WAITS: Duration = Duration::from_secs(60);

/// How often one is tried whom others change all the time.
const TRIES: usize = 8;

impl Hub {
    /// Those of a change. Where it fails, the mark stays, and somebody does it later.
    pub(super) async fn restate_now(self: &Arc<Self>, at: &Pushing<'_>, ids: &[RecordId]) {
        for id in ids.iter().take(AT_ONCE) {
            if let Err(error) = self.restate_one(at, *id).await {
                tracing::warn!(%error, record = %id, "what is said of a pushed user could not be mapped anew yet");
                return;
            }
        }
    }

    /// Does some of those who wait, of all tenants. Gives back how many were done. Who could not be done waits behind the
    /// others from now on.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn restate_pushed(self: &Arc<Self>, most: u32) -> Result<usize, StoreError> {
        let mut done = 0;
        for (place, id) in self.pushed_work.to_restate(self.services.clock.now(), most).await? {
            // Also where it can't be read: nobody else waits for it.
            let Err(why) = self.restate_at(place, id).await else {
                done += 1;
                continue;
            };
            tracing::warn!(%why, record = %id, "what is said of a pushed user could not be mapped anew yet");
            let again = RecordWrite::RestateThese { ids: vec![id] };
            let waits = bare(place, vec![again], self.services.clock.now() + WAITS);
            if let Err(PushRefused::Store(error)) = self.commit_push(waits).await {
                return Err(StoreError(error));
            }
        }
        Ok(done)
    }

    async fn restate_at(self: &Arc<Self>, place: PushPlace, id: RecordId) -> Result<(), PushRefused> {
        let broken = || PushRefused::Denied("the connection is gone, or its configuration is broken".to_owned());
        let snapshot = self.snapshots.current();
        let tenant = snapshot.tenant(place.tenant).ok_or_else(broken)?;
        let connection = tenant.connections.get(&place.connection).ok_or_else(broken)?;
        let ready = connection.state.as_ref().map_err(|_| broken())?;
        let now = self.services.clock.now();
        let txn = TraceId::at(now, self.services.rng.as_ref());
        let actor = PushActor { credential: "a change before".to_owned(), peer: IpAddr::from([0, 0, 0, 0]) };
        let changing = Changing::default();
        let at = Pushing { tenant, connection, ready, place, txn, actor: &actor, now, changing };
        self.restate_one(&at, id).await
    }

    /// Where somebody changes it meanwhile it is done again on what they leave.
    async fn restate_one(self: &Arc<Self>, at: &Pushing<'_>, id: RecordId) -> Result<(), PushRefused> {
        let mut tries = 0;
        loop {
            tries += 1;
            match self.try_restate(at, id).await {
                Err(PushRefused::Stale) if tries < TRIES => {}
                done => return done,
            }
        }
    }

    async fn try_restate(self: &Arc<Self>, at: &Pushing<'_>, id: RecordId) -> Result<(), PushRefused> {
        // From the store's clock: marks of later changes stay.
        let now = self.services.clock.now();
        let Some(stored) = self.pushed.record(at.place, id).await? else { return Ok(()) };
        let done = RecordWrite::Restated { id, seen: stored.seen() };
        if stored.record.kind == RecordKind::Group {
            // Whoever is in it is in what it is in.
            let writes = vec![RecordWrite::RestateBelow { group: id }, done];
            self.commit_push(bare(at.place, writes, now)).await?;
            return Ok(());
        }
        let Consequences { commands, ends, shuts, turn: _turn } = match stored.record.person {
            None => Consequences::default(),
            Some(person) => {
                let groups = self.names_of_groups(at.place, &stored).await?;
                let said = self.pushed_said(at, &described(&stored, &groups))?;
                self.of_person(at, person, said, false).await?
            }
        };
        let stays = stored.record.person.filter(|_| ends.is_empty());
        let mut writes = vec![done];
        writes.extend(shuts.then_some(RecordWrite::Shut { id }));
        let unit = PushUnit { commands, ends, ..bare(at.place, writes, now) };
        let pushed = self.commit_push(unit).await?;
        self.after_shut(at, pushed.ended).await;
        if let Some(person) = stays {
            self.end_what_is_outside(at, person).await;
        }
        Ok(())
    }
}

fn described<'d>(stored: &'d StoredRecord, groups: &'d [String]) -> Described<'d> {
    Described {
        id: stored.record.id,
        display: &stored.display,
        attributes: &stored.attributes,
        active: stored.active,
        groups,
    }
}

fn bare(place: PushPlace, writes: Vec<RecordWrite>, now: fedbridge_contract::time::Timestamp) -> PushUnit {
    PushUnit { place, writes, commands: Vec::new(), ends: Vec::new(), txn: None, now }
}
