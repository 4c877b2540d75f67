//! Hears of changes: kills, and new versions of the configuration, made by the command line or another node.
//!
//! Both have a counter in the store. The counters are asked for at every poll, and at once when the
//! database tells that one of them moved; so a lost message costs one poll. Where the store is not heard
//! for longer than the lease, the gate lets requests wait for it, and refuses when that takes too long.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use fedbridge_contract::error::StoreError;
use fedbridge_contract::services::Clock;
use fedbridge_hub::ports::{EpochStore, Signals, Versions};
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

/// How long opening a channel may take.
const OPEN: Duration = Duration::from_secs(2);

/// A change that the poll has found and that nobody told for so long was told to a channel whose other end is gone.
const LATE: Duration = Duration::from_secs(1);

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
    /// The database did not answer, or a change was not told: who listens may do so on a connection that
    /// nobody serves any more.
    deaf: Notify,
    /// Whether a channel is open, and how many messages came until now.
    listening: AtomicBool,
    told: AtomicU64,
}

/// Finds out that messages are lost. Without that, a connection that died in silence would be listened to for
/// hours, and each kill would wait for the poll.
#[derive(Default)]
struct Doubt {
    seen: Option<Versions>,
    /// Messages until the last change was seen.
    told: u64,
    /// Since when the message of a change is missing.
    missing: Option<Duration>,
}

impl Doubt {
    /// After each poll. True: messages are lost.
    fn of(&mut self, versions: Versions, told: u64, now: Duration) -> bool {
        if told != self.told {
            self.missing = None;
        } else if self.seen.is_some_and(|seen| seen != versions) {
            self.missing = self.missing.or(Some(now));
        }
        (self.seen, self.told) = (Some(versions), told);
        let late = self.missing.is_some_and(|since| now.saturating_sub(since) > LATE);
        if late {
            self.missing = None;
        }
        late
    }
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
        let (mut silent, mut doubt) = (false, Doubt::default());
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
                    let told = self.calls.told.load(Ordering::Relaxed);
                    if !self.calls.listening.load(Ordering::Relaxed) {
                        doubt = Doubt::default();
                    } else if doubt.of(versions, told, asked) {
                        self.calls.deaf.notify_one();
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
                tracing::error!(%cause, "the database is silent for longer than revocation.lease: requests wait a moment, then all are refused");
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
            let cause = match timeout(OPEN, self.store.signals()).await {
                Ok(Ok(None)) => return,
                Ok(Ok(Some(signals))) => {
                    (pause, told) = (FIRST_PAUSE, false);
                    // What happened until now was not told.
                    self.calls.moved.notify_one();
                    self.calls.listening.store(true, Ordering::Relaxed);
                    let broken = self.relay(signals).await;
                    self.calls.listening.store(false, Ordering::Relaxed);
                    broken
                }
                Ok(Err(error)) => error,
                Err(_) => StoreError("no answer came in time".into()),
            };
            if !std::mem::replace(&mut told, true) {
                tracing::warn!(%cause, "changes are not told by the database; they are heard at the next poll");
            }
            sleep(pause).await;
            pause = (pause * 2).min(LAST_PAUSE);
        }
    }

    /// Until the channel breaks, or there is reason to believe so.
    async fn relay(&self, mut signals: Box<dyn Signals>) -> StoreError {
        loop {
            tokio::select! {
                signal = signals.next() => match signal {
                    Ok(()) => {
                        counter!("fedbridge_revocation_signals_total").increment(1);
                        self.calls.told.fetch_add(1, Ordering::Relaxed);
                        self.calls.moved.notify_one();
                    }
                    Err(error) => return error,
                },
                () = self.calls.deaf.notified() => return StoreError("the database is silent".into()),
            }
        }
    }

    async fn follow(self: Arc<Self>) {
        loop {
            self.calls.newer.notified().await;
            let follower = Arc::clone(&self.follower);
            // In a task: should an adapter panic over its settings, later versions are taken over all the same.
            let step = tokio::spawn(async move { follower.step().await.map_err(|error| format!("{error:#}")) });
            if let Err(error) = step.await.unwrap_or_else(|panicked| Err(panicked.to_string())) {
                tracing::error!(%error, "the configuration could not be taken over; the last one stays in force");
                sleep(RETRY).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use fedbridge_contract::epoch::Epoch;

    use super::*;

    fn versions(epoch: i64) -> Versions {
        Versions { configuration: 0, epoch: Epoch(epoch) }
    }

    #[test]
    fn a_change_that_nobody_told_raises_doubt_once_and_late() {
        let mut doubt = Doubt::default();
        let mut after = |millis, epoch, told| doubt.of(versions(epoch), told, Duration::from_millis(millis));
        assert!(!after(0, 7, 0), "what was there before is no change");
        // Told before the poll, and told behind it.
        assert!(!after(100, 8, 1) && !after(5000, 8, 1));
        assert!(!after(5050, 9, 1) && !after(5100, 9, 2) && !after(9000, 9, 2));
        // Not told.
        assert!(!after(9050, 10, 2) && !after(10_050, 10, 2));
        assert!(after(10_100, 10, 2));
        assert!(!after(10_150, 10, 2) && !after(20_000, 10, 2), "said once");
    }
}
