//! One run of a sync: a turn, a stream of people, who is missing, and where the next run goes on.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fedbridge_contract::directory::{DirectorySource, RecordSink, Seen, SyncCookie, SyncError, SyncSchedule};
use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::PersonId;
use fedbridge_contract::services::TraceEvent;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::Outcome;
use futures_util::{StreamExt as _, stream};

use super::batch::{Named, Place, Tally};
use super::sweep::{Ending, Swept};
use crate::ports::{Sweep, SyncState};
use crate::run::snapshot::{OpenConnection, TenantSnapshot};
use crate::run::{Happened, Hub, Initiator};

/// How long a node may be silent before another one takes its turn over.
const TURN: Duration = Duration::from_secs(120);

/// People of one unit: short enough for no login to wait.
const BATCH: usize = 200;

/// Keys that are gone and wait for the end of a run. A directory that names more has lost everybody.
const MOST_GONE: usize = 100_000;

/// Whoever came by a login so shortly before a run may have been too new for it; clocks of nodes differ.
const TOO_NEW: Duration = Duration::from_secs(120);

/// People whose apps are told at the same time.
const TOLD_AT_ONCE: usize = 8;

/// What is asked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct SyncWish {
    /// Read everybody, whether or not it is time for that.
    pub full: bool,
    /// End also very many.
    pub allow_missing: bool,
}

/// What a run came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Synced {
    pub full: bool,
    pub seen: u64,
    pub created: u64,
    pub changed: u64,
    /// Nobody was made of them.
    pub left_out: u64,
    /// They stay as they were.
    pub failed: u64,
    pub ended: u64,
    /// Why nobody was ended.
    pub stopped: Option<String>,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum SyncFailed {
    #[error("this connection has nothing to synchronise with")]
    NoDirectory,
    #[error("another node synchronises this connection just now")]
    Taken,
    #[error("this node was silent for too long, and another one took over")]
    TurnLost,
    #[error(transparent)]
    Directory(#[from] SyncError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Hub {
    /// Reads what is new at a directory, or everybody. Of several nodes one does.
    ///
    /// # Errors
    /// [`SyncFailed`]. What was kept until then stays; nobody is ended who was not named.
    pub async fn sync(
        &self,
        tenant: &Arc<TenantSnapshot>,
        connection: &Arc<OpenConnection>,
        wish: SyncWish,
    ) -> Result<Synced, SyncFailed> {
        let source = connection.state.as_ref().ok().and_then(|ready| ready.adapter.directory.as_deref());
        let source = source.ok_or(SyncFailed::NoDirectory)?;
        let (id, began) = (tenant.view.id, self.services.clock.now());
        let lease = began + TURN;
        let state = self.profile_syncs.take_sync_turn(id, connection.view.id, began, lease).await?;
        let before = state.ok_or(SyncFailed::Taken)?;
        let place = Place { tenant, connection, sweep: before.sweep };
        let mut run = Run::new(self, place, lease);
        let ran = self.run_sync(&mut run, source, wish, (began, &before)).await;
        let (after, ran) = match ran {
            Ok((after, ended)) => (after, Ok(ended)),
            Err(failed) => (before, Err(failed)),
        };
        let kept = self.profile_syncs.end_sync_turn(id, connection.view.id, run.lease, &after).await;
        self.record_sync(&mut run, began, &ran, &after);
        let ended = ran?;
        if !kept? {
            return Err(SyncFailed::TurnLost);
        }
        let synced = run.synced(ended.len() as u64, after.stopped);
        self.tell_ended(tenant, ended).await?;
        Ok(synced)
    }

    async fn run_sync(
        &self,
        run: &mut Run<'_>,
        source: &dyn DirectorySource,
        wish: SyncWish,
        (began, before): (Timestamp, &SyncState),
    ) -> Result<(SyncState, Vec<(PersonId, Epoch)>), SyncFailed> {
        let schedule = source.schedule();
        run.full = wish.full || full_is_due(before, schedule, began);
        let cookie = run.read(source, before).await;
        let cookie = run.or_why(cookie)?;
        let sweep = Sweep { number: before.sweep, began: began - TOO_NEW };
        let ending = Ending {
            gone: &std::mem::take(&mut run.gone),
            everybody: (run.full || run.everybody).then_some(sweep),
            most_missing: schedule.most_missing,
            allow_missing: wish.allow_missing,
        };
        let swept = self.sweep(&run.place, &ending, &mut run.tally).await?;
        let (ended, stopped) = match swept {
            Swept::Ended(ended) => (ended, None),
            Swept::Stopped(why) => (Vec::new(), Some(why)),
        };
        // What a delta named as gone is named once: nobody was ended, so it has to be read again.
        let again = stopped.is_some() && !run.full;
        let after = SyncState {
            cookie: if again { before.cookie.clone() } else { Some(cookie) },
            full_at: if run.full { Some(began) } else { before.full_at },
            delta_at: Some(began),
            stopped: stopped.or_else(|| before.stopped.clone().filter(|_| !run.full)),
            ..before.clone()
        };
        Ok((after, ended))
    }

    /// Sessions of people who were ended go one by one, so that their apps hear of it. They are dead already.
    async fn tell_ended(&self, tenant: &Arc<TenantSnapshot>, ended: Vec<(PersonId, Epoch)>) -> Result<(), StoreError> {
        let told = ended.into_iter().map(|(person, epoch)| self.tell_one(tenant, person, epoch));
        let mut told = stream::iter(told).buffer_unordered(TOLD_AT_ONCE);
        let mut failed = Ok(());
        while let Some(one) = told.next().await {
            failed = failed.and(one.map(drop));
        }
        failed
    }

    /// Receivers of signals hear of it first. They are told behind the kill, which is a unit of its own.
    async fn tell_one(
        &self,
        tenant: &Arc<TenantSnapshot>,
        person: PersonId,
        epoch: Epoch,
    ) -> Result<usize, StoreError> {
        let revoked = Happened::SessionRevoked { session: None, by: Initiator::Policy };
        self.announce_behind(tenant, person, &[revoked, Happened::AccountDisabled]).await;
        self.end_killed(tenant, person, epoch).await
    }

    /// A run that changed nothing leaves no trace.
    fn record_sync<T>(&self, run: &mut Run<'_>, began: Timestamp, ran: &Result<T, SyncFailed>, after: &SyncState) {
        let counts = run.synced(0, None);
        let (outcome, cause) = match (ran, &after.stopped) {
            (Err(failed), _) => (Outcome::Error, failed.to_string()),
            (Ok(_), Some(stopped)) => (Outcome::Refused, stopped.clone()),
            (Ok(_), None) => (Outcome::Success, String::new()),
        };
        let mut steps = std::mem::take(&mut run.tally.steps);
        if outcome == Outcome::Success
            && !counts.full
            && steps.steps().is_empty()
            && counts.changed + counts.created == 0
        {
            return;
        }
        let what = if counts.full { "everybody was read" } else { "what has changed was read" };
        let Synced { seen, created, changed, left_out, failed, .. } = counts;
        let sum = format!("{seen} seen, {created} new, {changed} changed, {left_out} left out, {failed} failed");
        steps.decide(what, sum, outcome == Outcome::Success);
        self.services.traces.record(TraceEvent {
            tenant: run.place.tenant.view.id,
            id: self.new_trace_id(),
            at: began,
            kind: "sync",
            app: None,
            connection: Some(run.place.connection.view.slug.clone()),
            person: None,
            peer: None,
            outcome,
            cause,
            steps,
        });
    }
}

fn full_is_due(before: &SyncState, schedule: SyncSchedule, now: Timestamp) -> bool {
    let last = before.full_at.filter(|_| before.cookie.is_some() && schedule.delta.is_some());
    last.is_none_or(|last| last + schedule.full <= now)
}

/// Takes what a directory names, batch by batch; the directory waits meanwhile.
struct Run<'a> {
    hub: &'a Hub,
    place: Place<'a>,
    lease: Timestamp,
    waiting: Vec<Named>,
    gone: Vec<String>,
    full: bool,
    /// Whether everybody was named.
    everybody: bool,
    tally: Tally,
    /// Why the run was stopped on our side.
    failed: Option<SyncFailed>,
}

impl<'a> Run<'a> {
    fn new(hub: &'a Hub, place: Place<'a>, lease: Timestamp) -> Self {
        Self {
            hub,
            place,
            lease,
            waiting: Vec::with_capacity(BATCH),
            gone: Vec::new(),
            full: false,
            everybody: false,
            tally: Tally::default(),
            failed: None,
        }
    }

    async fn read(&mut self, source: &dyn DirectorySource, before: &SyncState) -> Result<SyncCookie, SyncError> {
        let tenant = Arc::clone(&self.place.tenant.view);
        if let Some(since) = before.cookie.as_ref().filter(|_| !self.full) {
            match source.delta(&tenant, since, self).await {
                Err(SyncError::FullNeeded(why)) => {
                    self.tally.note("what has changed", format!("can't be told ({why}): everybody is read"), true);
                    (self.full, self.everybody) = (true, false);
                    self.gone.clear();
                }
                done => {
                    let cookie = done?;
                    self.flush().await?;
                    return Ok(cookie);
                }
            }
        }
        let cookie = source.full(&tenant, self).await?;
        self.flush().await?;
        Ok(cookie)
    }

    /// What stopped the run on our side goes before what the directory made of that.
    fn or_why<T>(&mut self, done: Result<T, SyncError>) -> Result<T, SyncFailed> {
        match self.failed.take() {
            Some(failed) => Err(failed),
            None => done.map_err(SyncFailed::from),
        }
    }

    async fn flush(&mut self) -> Result<(), SyncError> {
        let batch = std::mem::replace(&mut self.waiting, Vec::with_capacity(BATCH));
        if !batch.is_empty()
            && let Err(error) = self.hub.keep_batch(&self.place, batch, &mut self.tally).await
        {
            return Err(self.stop(error.into()));
        }
        let now = self.hub.services.clock.now();
        if now + TURN / 2 < self.lease {
            return Ok(());
        }
        let (tenant, connection, until) = (self.place.tenant.view.id, self.place.connection.view.id, now + TURN);
        match self.hub.profile_syncs.extend_sync_turn(tenant, connection, self.lease, until).await {
            Ok(true) => {
                self.lease = until;
                Ok(())
            }
            Ok(false) => Err(self.stop(SyncFailed::TurnLost)),
            Err(error) => Err(self.stop(error.into())),
        }
    }

    fn stop(&mut self, failed: SyncFailed) -> SyncError {
        let told = SyncError::Stopped(failed.to_string());
        self.failed = Some(failed);
        told
    }

    fn synced(&self, ended: u64, stopped: Option<String>) -> Synced {
        let Tally { seen, created, changed, left_out, failed, .. } = self.tally;
        Synced { full: self.full, seen, created, changed, left_out, failed, ended, stopped }
    }
}

#[async_trait]
impl RecordSink for Run<'_> {
    async fn take(&mut self, seen: Seen) -> Result<(), SyncError> {
        match seen {
            Seen::Person(record) => self.waiting.push(Named::Described(record)),
            Seen::Present(key) => self.waiting.push(Named::There(key)),
            Seen::Unclear { key, why } => self.waiting.push(Named::Unclear(key, why)),
            Seen::Gone(key) if self.gone.len() < MOST_GONE => self.gone.push(key),
            Seen::Gone(_) => {
                let sentence = format!("the directory names more than {MOST_GONE} people as gone");
                return Err(self.stop(SyncError::Refused(sentence).into()));
            }
            Seen::NobodyElse => self.everybody = true,
        }
        if self.waiting.len() < BATCH { Ok(()) } else { self.flush().await }
    }
}
