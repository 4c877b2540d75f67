//! Hears of changes: kills, and new versions of the configuration, made by the command line or another node.
//!
//! Both have a counter in the store. The counters are asked for at every poll, and at once when the
//! database tells that one of them moved; so a lost message costs one poll. Where the store is not heard
//! for longer than the lease, the gate refuses until it is.

use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::error::StoreError;
use fedbridge_contract::services::Clock;
use fedbridge_hub::ports::{EpochStore, Signals};
use fedbridge_hub::run::Epochs;
use metrics::counter;
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::reload::Follower;
use super::settings::RevocationSettings;

/// Between two tries to listen again.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(2);

/// After a configuration that could not be taken over.
const RETRY: Duration = Duration::from_millis(250);

pub struct Watcher {
    pub store: Arc<dyn EpochStore>,
    pub epochs: Arc<Epochs>,
    pub clock: Arc<dyn Clock>,
    pub follower: Arc<Follower>,
    pub settings: RevocationSettings,
    pub calls: Calls,
}

/// How the watcher's parts call each other.
#[derive(Default)]
pub struct Calls {
    /// A counter has moved: look now.
    moved: Notify,
    /// The configuration is newer than the one in force.
    newer: Notify,
    /// The database did not answer: who listens may do so on a connection that nobody serves any more.
    deaf: Notify,
}

impl Watcher {
    /// Goes on for ever.
    pub async fn run(self) {
        let watcher = Arc::new(self);
        let mut parts = JoinSet::new();
        // Apart from each other: building a tenant takes its time, and no kill waits for it.
        parts.spawn(Arc::clone(&watcher).look());
        parts.spawn(Arc::clone(&watcher).listen());
        parts.spawn(watcher.follow());
        while parts.join_next().await.is_some() {}
    }

    async fn look(self: Arc<Self>) {
        let mut poll = interval(self.settings.poll);
        poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Tried again within the lease: one answer that never comes must not use it up.
        let patience = (self.settings.lease / 4).max(self.settings.poll);
        let mut silent = false;
        loop {
            tokio::select! {
                _ = poll.tick() => {}
                () = self.calls.moved.notified() => {}
            }
            let asked = self.clock.steady();
            let cause = match timeout(patience, self.epochs.catch_up(self.store.as_ref())).await {
                Ok(Ok(versions)) => {
                    self.epochs.heard(asked);
                    counter!("fedbridge_revocation_polls_total", "result" => "done").increment(1);
                    if versions.configuration != self.follower.version() {
                        self.calls.newer.notify_one();
                    }
                    if std::mem::take(&mut silent) {
                        tracing::info!("the database answers again: tokens are served again");
                    }
                    continue;
                }
                Ok(Err(error)) => error.to_string(),
                Err(_) => "no answer came in time".to_owned(),
            };
            counter!("fedbridge_revocation_polls_total", "result" => "failed").increment(1);
            self.calls.deaf.notify_one();
            if !silent && !self.epochs.sure(self.clock.steady()) {
                silent = true;
                tracing::error!(%cause, "the database is silent for longer than revocation.lease: everything is refused");
            }
        }
    }

    /// Turns messages of the database into looks. Without any, the poll alone hears.
    async fn listen(self: Arc<Self>) {
        if !self.settings.notify {
            return;
        }
        let (mut pause, mut told) = (FIRST_PAUSE, false);
        loop {
            let cause = match self.store.signals().await {
                Ok(None) => return,
                Ok(Some(signals)) => {
                    (pause, told) = (FIRST_PAUSE, false);
                    // What happened until now was not told.
                    self.calls.moved.notify_one();
                    self.relay(signals).await
                }
                Err(error) => error,
            };
            if !std::mem::replace(&mut told, true) {
                tracing::warn!(%cause, "changes are not told by the database; they are heard at the next poll");
            }
            sleep(pause).await;
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    /// Until the channel breaks, or the database does not answer elsewhere either.
    async fn relay(&self, mut signals: Box<dyn Signals>) -> StoreError {
        loop {
            tokio::select! {
                signal = signals.next() => match signal {
                    Ok(()) => {
                        counter!("fedbridge_revocation_signals_total").increment(1);
                        self.calls.moved.notify_one();
                    }
                    Err(error) => return error,
                },
                () = self.calls.deaf.notified() => return StoreError("the database does not answer".into()),
            }
        }
    }

    async fn follow(self: Arc<Self>) {
        loop {
            self.calls.newer.notified().await;
            if let Err(error) = self.follower.step().await {
                tracing::error!(%error, "the configuration could not be taken over; the last one stays in force");
                sleep(RETRY).await;
            }
        }
    }
}
