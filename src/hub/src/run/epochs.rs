//! What this node knows of kills (see [`fedbridge_contract::epoch`]), and how sure it can be of it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};
use std::time::Duration;

use fedbridge_contract::epoch::{Epoch, Killed};
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{AppId, ConnectionId, TenantId};
use fedbridge_contract::services::Clock;
use tokio::sync::Notify;
use tokio::time::timeout;

use crate::ports::{EpochStore, Versions};

/// The kills of tenants, connections and apps. Those of people stand in their rows.
#[derive(Default)]
pub struct Epochs {
    known: RwLock<Arc<Known>>,
    /// Set where somebody keeps this up to date; a command that ends knows what it read at its start.
    lease: OnceLock<Duration>,
    /// When the store was last heard, in microseconds of the steady clock.
    heard: AtomicU64,
    /// Tells those who wait that it was heard.
    word: Notify,
}

/// No request waits for longer than this, whatever the lease: whoever sent it has given up then.
const PATIENCE: Duration = Duration::from_secs(2);

#[derive(Default)]
struct Known {
    newest: Epoch,
    last: HashMap<Killed, Epoch>,
}

impl Epochs {
    /// The newest kill that this node knows: what is given out now carries it.
    pub fn newest(&self) -> Epoch {
        self.known().newest
    }

    /// Whether what was given out in `epoch` is dead.
    pub fn dead(
        &self,
        epoch: Epoch,
        tenant: TenantId,
        connection: Option<ConnectionId>,
        app: Option<AppId>,
        person: Epoch,
    ) -> bool {
        if epoch.is_before(person) {
            return true;
        }
        let known = self.known();
        if !epoch.is_before(known.newest) {
            return false;
        }
        let kills = [
            Some(Killed::Tenant(tenant)),
            connection.map(|id| Killed::Connection(tenant, id)),
            app.map(|id| Killed::App(tenant, id)),
        ];
        kills.into_iter().flatten().any(|kill| known.last.get(&kill).is_some_and(|last| epoch.is_before(*last)))
    }

    /// Reads what is new. Gives back the counters as they were then. Several may do so at once.
    ///
    /// # Errors
    /// The store does not answer; what is known stays.
    pub async fn catch_up(&self, store: &dyn EpochStore) -> Result<Versions, StoreError> {
        loop {
            // Before the store is asked: else a lower number there could be an answer that somebody has overtaken.
            let newest = self.newest();
            let versions = store.versions().await?;
            if versions.epoch == newest {
                return Ok(versions);
            }
            // A lower number than before: another state of the database was restored. What is known of the
            // one before means nothing any more.
            let anew = versions.epoch < newest;
            let kills = store.epochs_since(if anew { Epoch::default() } else { newest }).await?;
            if self.take(newest, kills, versions.epoch, anew) {
                return Ok(versions);
            }
        }
    }

    /// False: somebody else has taken something since `before` was the newest, and it may be newer than this.
    fn take(&self, before: Epoch, kills: Vec<(Killed, Epoch)>, read: Epoch, anew: bool) -> bool {
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.newest != before {
            return false;
        }
        let mut last = if anew { HashMap::new() } else { known.last.clone() };
        // The kills were read after the counter, and may be newer.
        let newest = kills.iter().map(|(_, epoch)| *epoch).max().unwrap_or_default().max(read);
        last.extend(kills);
        // At once, so that nobody carries a number without what it stands for.
        *known = Arc::new(Known { newest, last });
        true
    }

    /// From now on this must hear of the store at least as often as `lease`.
    pub fn watched(&self, lease: Duration, now: Duration) {
        self.heard(now);
        let _ = self.lease.set(lease);
    }

    /// The store was asked at this time of the steady clock, and has answered.
    pub fn heard(&self, at: Duration) {
        self.heard.fetch_max(micros(at), Ordering::Relaxed);
        self.word.notify_waiters();
    }

    /// As [`Epochs::sure`]; where it is not, waits for a word from the store that makes it so. The wait ends one
    /// lease behind the lease, and never later than two seconds behind it. So a short silence costs time and
    /// nothing else, and when a silence has lasted for longer, nobody waits in vain.
    pub async fn sure_soon(&self, clock: &dyn Clock) -> bool {
        let now = clock.steady();
        if self.sure(now) {
            return true;
        }
        let Some(left) = self.last_word_until().checked_sub(now).filter(|left| !left.is_zero()) else { return false };
        let heard = async {
            loop {
                // Begins to listen before it looks, so that no word falls in between.
                let word = self.word.notified();
                if self.sure(clock.steady()) {
                    return;
                }
                word.await;
            }
        };
        timeout(left, heard).await.is_ok()
    }

    /// When nobody waits any more for the store to be heard again.
    fn last_word_until(&self) -> Duration {
        let lease = self.lease.get().copied().unwrap_or_default();
        Duration::from_micros(self.heard.load(Ordering::Relaxed)) + lease + lease.min(PATIENCE)
    }

    /// Whether a kill that was made longer ago than the lease is known here.
    pub fn sure(&self, now: Duration) -> bool {
        self.lease
            .get()
            .is_none_or(|lease| micros(now).saturating_sub(self.heard.load(Ordering::Relaxed)) <= micros(*lease))
    }

    fn known(&self) -> Arc<Known> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner))
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::Mutex;

    use async_trait::async_trait;
    use fedbridge_contract::time::Timestamp;
    use futures_util::FutureExt as _;
    use uuid::Uuid;

    use super::*;
    use crate::ports::Signals;

    /// Kills, the newest last; the numbers count from 1.
    #[derive(Default)]
    struct Store(Mutex<Vec<Killed>>);

    #[async_trait]
    impl EpochStore for Store {
        async fn versions(&self) -> Result<Versions, StoreError> {
            Ok(Versions { configuration: 0, epoch: Epoch(self.0.lock().unwrap().len() as i64) })
        }

        async fn epochs_since(&self, since: Epoch) -> Result<Vec<(Killed, Epoch)>, StoreError> {
            let kills = self.0.lock().unwrap();
            let numbered = kills.iter().enumerate().map(|(at, kill)| (*kill, Epoch(at as i64 + 1)));
            Ok(numbered.filter(|(kill, epoch)| *epoch > since && !matches!(kill, Killed::Person(..))).collect())
        }

        async fn kill(&self, killed: Killed, _: Timestamp) -> Result<Option<Epoch>, StoreError> {
            let mut kills = self.0.lock().unwrap();
            kills.push(killed);
            Ok(Some(Epoch(kills.len() as i64)))
        }

        async fn signals(&self) -> Result<Option<Box<dyn Signals>>, StoreError> {
            Ok(None)
        }
    }

    const NOW: Timestamp = Timestamp::from_millis(0);

    fn tenant(number: u128) -> TenantId {
        TenantId::from_uuid(Uuid::from_u128(number))
    }

    fn connection(number: u128) -> ConnectionId {
        ConnectionId::from_uuid(Uuid::from_u128(number))
    }

    fn app(number: u128) -> AppId {
        AppId::from_uuid(Uuid::from_u128(number))
    }

    #[tokio::test]
    async fn a_kill_ends_what_hangs_on_it_and_was_given_out_before() {
        let (store, epochs) = (Store::default(), Epochs::default());
        let dead = |epoch, tenant_id, connection_id, app_id| {
            epochs.dead(Epoch(epoch), tenant(tenant_id), Some(connection(connection_id)), Some(app(app_id)), Epoch(0))
        };
        assert!(!dead(0, 1, 1, 1), "nothing is dead without a kill");
        store.kill(Killed::App(tenant(1), app(1)), NOW).await.unwrap();
        assert!(!dead(0, 1, 1, 1), "not heard of yet");
        epochs.catch_up(&store).await.unwrap();
        assert_eq!(epochs.newest(), Epoch(1));
        assert!(dead(0, 1, 1, 1));
        assert!(!dead(0, 1, 1, 2) && !dead(0, 2, 1, 1), "another app, another tenant's app of this id");
        assert!(!dead(1, 1, 1, 1), "given out by a node that knew of it");
        store.kill(Killed::Connection(tenant(1), connection(1)), NOW).await.unwrap();
        store.kill(Killed::Tenant(tenant(2)), NOW).await.unwrap();
        epochs.catch_up(&store).await.unwrap();
        assert!(dead(1, 1, 1, 2) && !dead(2, 1, 1, 2) && !dead(1, 1, 2, 2));
        assert!(dead(2, 2, 9, 9) && !dead(3, 2, 9, 9));
    }

    #[tokio::test]
    async fn the_kill_of_a_person_is_read_with_the_record() {
        let (store, epochs) = (Store::default(), Epochs::default());
        let person = Killed::Person(tenant(1), fedbridge_contract::ids::PersonId::from_uuid(Uuid::from_u128(1)));
        store.kill(person, NOW).await.unwrap();
        assert!(epochs.dead(Epoch(0), tenant(1), None, None, Epoch(1)), "whatever this node has heard");
        epochs.catch_up(&store).await.unwrap();
        assert_eq!(epochs.newest(), Epoch(1), "the next login of the person carries it");
        assert!(!epochs.dead(Epoch(1), tenant(1), None, None, Epoch(1)));
    }

    #[tokio::test]
    async fn a_restored_database_begins_anew() {
        let (store, epochs) = (Store::default(), Epochs::default());
        for _ in 0..3 {
            store.kill(Killed::Tenant(tenant(1)), NOW).await.unwrap();
        }
        epochs.catch_up(&store).await.unwrap();
        store.0.lock().unwrap().truncate(1);
        epochs.catch_up(&store).await.unwrap();
        assert_eq!(epochs.newest(), Epoch(1));
        assert!(!epochs.dead(Epoch(1), tenant(1), None, None, Epoch(0)));
        store.kill(Killed::Tenant(tenant(1)), NOW).await.unwrap();
        epochs.catch_up(&store).await.unwrap();
        assert!(epochs.dead(Epoch(1), tenant(1), None, None, Epoch(0)), "and kills as before");
    }

    /// Where the other one's turn comes.
    #[derive(Clone, Copy, PartialEq)]
    enum Behind {
        Counter,
        Kills,
    }

    /// A store whose answer arrives late: by then somebody else has killed and caught up.
    struct Late<'a> {
        store: &'a Store,
        epochs: &'a Epochs,
        behind: Behind,
        kill: Mutex<Option<Killed>>,
    }

    impl Late<'_> {
        async fn overtaken(&self, at: Behind) {
            if at != self.behind {
                return;
            }
            let kill = self.kill.lock().unwrap().take();
            if let Some(kill) = kill {
                self.store.kill(kill, NOW).await.unwrap();
                self.epochs.catch_up(self.store).await.unwrap();
            }
        }
    }

    #[async_trait]
    impl EpochStore for Late<'_> {
        async fn versions(&self) -> Result<Versions, StoreError> {
            let versions = self.store.versions().await;
            self.overtaken(Behind::Counter).await;
            versions
        }

        async fn epochs_since(&self, since: Epoch) -> Result<Vec<(Killed, Epoch)>, StoreError> {
            let kills = self.store.epochs_since(since).await;
            self.overtaken(Behind::Kills).await;
            kills
        }

        async fn kill(&self, killed: Killed, now: Timestamp) -> Result<Option<Epoch>, StoreError> {
            self.store.kill(killed, now).await
        }

        async fn signals(&self) -> Result<Option<Box<dyn Signals>>, StoreError> {
            Ok(None)
        }
    }

    #[tokio::test]
    async fn an_answer_that_was_overtaken_takes_nothing_back() {
        let person = Killed::Person(tenant(1), fedbridge_contract::ids::PersonId::from_uuid(Uuid::from_u128(1)));
        for behind in [Behind::Counter, Behind::Kills] {
            for restored in [false, true] {
                for kill in [person, Killed::Tenant(tenant(2))] {
                    let (store, epochs) = (Store::default(), Epochs::default());
                    store.kill(Killed::Tenant(tenant(1)), NOW).await.unwrap();
                    if restored {
                        for number in 3..6 {
                            store.kill(Killed::Tenant(tenant(number)), NOW).await.unwrap();
                        }
                        epochs.catch_up(&store).await.unwrap();
                        store.0.lock().unwrap().truncate(1);
                    }
                    let late = Late { store: &store, epochs: &epochs, behind, kill: Mutex::new(Some(kill)) };
                    epochs.catch_up(&late).await.unwrap();
                    assert_eq!(epochs.newest(), Epoch(2), "restored: {restored}, {kill:?}");
                    let dead = |number| epochs.dead(Epoch(0), tenant(number), None, None, Epoch(0));
                    assert!(dead(1) && !dead(3));
                    assert_eq!(dead(2), kill != person, "restored: {restored}");
                }
            }
        }
    }

    /// Stands where it is put.
    #[derive(Default)]
    struct Hands(AtomicU64);

    impl Hands {
        fn put(&self, at: Duration) {
            self.0.store(micros(at), Ordering::Relaxed);
        }
    }

    impl Clock for Hands {
        fn now(&self) -> Timestamp {
            NOW
        }

        fn steady(&self) -> Duration {
            Duration::from_micros(self.0.load(Ordering::Relaxed))
        }
    }

    const SECOND: Duration = Duration::from_secs(1);
    const MILLI: Duration = Duration::from_millis(1);

    /// Watched with this lease, and heard at the second 100.
    fn silent_for(silence: Duration, lease: Duration) -> (Epochs, Hands) {
        let (epochs, clock) = (Epochs::default(), Hands::default());
        epochs.watched(lease, SECOND * 100);
        clock.put(SECOND * 100 + silence);
        (epochs, clock)
    }

    #[tokio::test]
    async fn who_is_not_sure_waits_for_a_word_that_is_new_enough() {
        let hour = SECOND * 3600;
        let (epochs, clock) = silent_for(hour + MILLI, hour);
        let mut waits = std::pin::pin!(epochs.sure_soon(&clock));
        assert!(waits.as_mut().now_or_never().is_none(), "it neither refuses nor lets through");
        epochs.heard(SECOND * 50);
        assert!(waits.as_mut().now_or_never().is_none(), "a word from before the silence");
        epochs.heard(SECOND * 100 + MILLI);
        assert_eq!(waits.as_mut().now_or_never(), Some(true));
        assert_eq!(epochs.sure_soon(&clock).now_or_never(), Some(true), "nobody else waits");
    }

    #[tokio::test]
    async fn all_who_wait_go_on_with_one_word() {
        let hour = SECOND * 3600;
        let (epochs, clock) = silent_for(hour + MILLI, hour);
        let mut waits: Vec<_> = (0..10).map(|_| Box::pin(epochs.sure_soon(&clock))).collect();
        assert!(waits.iter_mut().all(|one| one.now_or_never().is_none()));
        // One of them gives up.
        waits.pop();
        epochs.heard(SECOND * 101);
        assert!(waits.iter_mut().all(|one| one.now_or_never() == Some(true)));
    }

    #[tokio::test]
    async fn the_wait_ends_one_lease_behind_the_lease() {
        let (lease, begun) = (MILLI * 60, tokio::time::Instant::now());
        let (epochs, clock) = silent_for(MILLI * 80, lease);
        assert!(!epochs.sure_soon(&clock).await);
        assert!(begun.elapsed() >= MILLI * 40, "{:?}", begun.elapsed());
        // A silence that lasts holds nobody up.
        for silence in [lease * 2, lease * 3, SECOND * 1000] {
            let (epochs, clock) = silent_for(silence, lease);
            assert_eq!(epochs.sure_soon(&clock).now_or_never(), Some(false), "{silence:?}");
        }
    }

    #[tokio::test]
    async fn nobody_waits_for_minutes() {
        let minute = SECOND * 60;
        let (epochs, clock) = silent_for(minute + PATIENCE, minute);
        assert_eq!(epochs.sure_soon(&clock).now_or_never(), Some(false));
        let (epochs, clock) = silent_for(minute + PATIENCE - MILLI, minute);
        assert_eq!(epochs.sure_soon(&clock).now_or_never(), None);
    }

    #[test]
    fn without_a_word_for_longer_than_the_lease_it_is_not_sure() {
        let (epochs, second) = (Epochs::default(), Duration::from_secs(1));
        assert!(epochs.sure(second * 100), "nobody watches");
        epochs.watched(second, second * 100);
        assert!(epochs.sure(second * 101));
        assert!(!epochs.sure(second * 101 + Duration::from_micros(1)));
        epochs.heard(second * 102);
        assert!(epochs.sure(second * 103));
        epochs.heard(second * 50);
        assert!(epochs.sure(second * 103), "an answer that comes late takes nothing back");
    }
}
