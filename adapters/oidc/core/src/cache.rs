//! Documents that others publish, by address: fetched through the one way out, kept for a while, and never
//! fetched again and again for an attacker.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fedbridge_contract::services::{Egress, EgressLimits};
use fedbridge_contract::time::Timestamp;

/// For this long a document is used without asking.
const FRESH: Duration = Duration::from_secs(3600);
/// For this long an old document is better than none.
const STALE: Duration = Duration::from_secs(24 * 3600);
/// The shortest time between two attempts at one address.
const PAUSE: Duration = Duration::from_secs(300);
/// The first look for a key that is not there may come sooner, once.
const EARLY_PAUSE: Duration = Duration::from_secs(10);
/// Documents kept at most; the oldest goes first.
const MAX_DOCUMENTS: usize = 1024;
const LIMITS: EgressLimits = EgressLimits { max_body: 256 * 1024, timeout: Duration::from_secs(5) };

/// Documents of one kind.
pub struct Cache<T> {
    entries: Mutex<HashMap<String, Entry<T>>>,
}

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self { entries: Mutex::default() }
    }
}

struct Entry<T> {
    value: Option<Arc<T>>,
    fetched: Timestamp,
    attempted: Timestamp,
    /// Whether the last attempt was an early look for something that was missing.
    early: bool,
    last: Last,
    /// Held by whoever fetches while there is nothing to go on with.
    first: Arc<tokio::sync::Mutex<()>>,
}

/// What came of the last attempt.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    /// It went well, or is under way.
    Good,
    Failed,
    /// Whoever waited for it hung up.
    Abandoned,
}

enum Look<T> {
    Use(Arc<T>),
    /// Fetch; until it is there, this will do.
    Renew(Arc<T>),
    /// There is nothing to go on with: fetch, or wait for whoever does so already.
    First(Arc<tokio::sync::Mutex<()>>),
    Wait,
}

impl<T: Send + Sync> Cache<T> {
    /// The document at an address. `satisfied` says whether it holds what is wanted: if not, it is fetched
    /// once more, unless that was tried a short while ago. Where there is nothing yet, all callers wait for
    /// one fetch.
    ///
    /// # Errors
    /// One clause that names the address, and why it can't be used.
    pub async fn get(
        &self,
        egress: &dyn Egress,
        url: &str,
        now: Timestamp,
        satisfied: impl Fn(&T) -> bool + Send + Sync,
        read: fn(&[u8]) -> Result<T, String>,
    ) -> Result<Arc<T>, String> {
        match self.look(url, now, satisfied) {
            Look::Use(value) => Ok(value),
            Look::Wait => Err(wait(url)),
            Look::Renew(held) => Ok(self.fetch(egress, url, now, read).await.unwrap_or(held)),
            Look::First(turn) => {
                let _turn = turn.lock().await;
                // Somebody else may have fetched it while this one waited.
                match self.outcome(url, now) {
                    Ok(Some(value)) => Ok(value),
                    Ok(None) => self.fetch(egress, url, now, read).await,
                    Err(cause) => Err(cause),
                }
            }
        }
    }

    async fn fetch(
        &self,
        egress: &dyn Egress,
        url: &str,
        now: Timestamp,
        read: fn(&[u8]) -> Result<T, String>,
    ) -> Result<Arc<T>, String> {
        let mut attempt = Attempt { cache: self, url, came: Came::Nothing, now };
        match fetch(egress, url, read).await {
            Ok(value) => {
                let value = Arc::new(value);
                attempt.came = Came::Document(Arc::clone(&value));
                Ok(value)
            }
            Err(cause) => {
                attempt.came = Came::Failure;
                Err(cause)
            }
        }
    }

    /// Decides without waiting, and notes an attempt before it is made, so that many
    /// requests at once make one fetch where an older document can serve them.
    fn look(&self, url: &str, now: Timestamp, satisfied: impl Fn(&T) -> bool) -> Look<T> {
        let mut entries = self.entries();
        let Some(entry) = entries.get_mut(url) else {
            make_room(&mut entries);
            let first = Arc::default();
            let look = Look::First(Arc::clone(&first));
            let entry = Entry { value: None, fetched: now, attempted: now, early: false, last: Last::Good, first };
            entries.insert(url.to_owned(), entry);
            return look;
        };
        let held = entry.held(now);
        let good = held.as_ref().is_some_and(|value| satisfied(value));
        if good && now.since(entry.fetched) < FRESH {
            return held.map_or(Look::Wait, Look::Use);
        }
        if held.is_none() && entry.last == Last::Good {
            return Look::First(Arc::clone(&entry.first));
        }
        let early = !entry.early && now.since(entry.attempted) >= EARLY_PAUSE;
        if early || now.since(entry.attempted) >= PAUSE {
            entry.early = now.since(entry.attempted) < PAUSE;
            entry.attempted = now;
            return match held {
                Some(held) => Look::Renew(held),
                None => {
                    entry.last = Last::Good;
                    Look::First(Arc::clone(&entry.first))
                }
            };
        }
        held.map_or(Look::Wait, Look::Use)
    }

    /// What came of the fetch that this caller waited for; `None` where there was none, or it was given up.
    fn outcome(&self, url: &str, now: Timestamp) -> Result<Option<Arc<T>>, String> {
        match self.entries().get(url) {
            Some(entry) if entry.last == Last::Failed => Err(wait(url)),
            Some(entry) => Ok(entry.held(now)),
            None => Ok(None),
        }
    }

    fn note(&self, url: &str, came: &Came<T>, now: Timestamp) {
        let mut entries = self.entries();
        let Some(entry) = entries.get_mut(url) else { return };
        match came {
            Came::Document(value) => {
                entry.value = Some(Arc::clone(value));
                entry.fetched = now;
                entry.last = Last::Good;
            }
            Came::Failure => entry.last = Last::Failed,
            Came::Nothing => entry.last = Last::Abandoned,
        }
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, Entry<T>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Entry<T> {
    fn held(&self, now: Timestamp) -> Option<Arc<T>> {
        self.value.clone().filter(|_| now.since(self.fetched) < STALE)
    }
}

/// A fetch under way. Whoever waits for it may hang up at any time: then it came to nothing, and counts as
/// an attempt all the same.
struct Attempt<'a, T: Send + Sync> {
    cache: &'a Cache<T>,
    url: &'a str,
    came: Came<T>,
    now: Timestamp,
}

enum Came<T> {
    Document(Arc<T>),
    Failure,
    Nothing,
}

impl<T: Send + Sync> Drop for Attempt<'_, T> {
    fn drop(&mut self) {
        self.cache.note(self.url, &self.came, self.now);
    }
}

fn wait(url: &str) -> String {
    format!("{url} could not be used a short while ago; it is not asked again yet")
}

fn make_room<T>(entries: &mut HashMap<String, Entry<T>>) {
    if entries.len() >= MAX_DOCUMENTS {
        let oldest = entries.iter().min_by_key(|(_, entry)| entry.attempted).map(|(url, _)| url.clone());
        if let Some(oldest) = oldest {
            entries.remove(&oldest);
        }
    }
}

async fn fetch<T>(egress: &dyn Egress, url: &str, read: fn(&[u8]) -> Result<T, String>) -> Result<T, String> {
    let fetched = egress.get(url, LIMITS).await.map_err(|error| error.to_string())?;
    if fetched.status != 200 {
        return Err(format!("{url} answered with status {}", fetched.status));
    }
    read(&fetched.body).map_err(|cause| format!("{url}: {cause}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic)]
    use std::sync::atomic::{AtomicUsize, Ordering};

    use async_trait::async_trait;
    use fedbridge_contract::services::{EgressError, EgressPost, Fetched};
    use tokio::sync::Semaphore;

    use super::*;

    const URL: &str = "https://op.example/jwks";

    /// Answers as often as it has leave to.
    struct Slow {
        leave: Semaphore,
        asked: AtomicUsize,
        status: u16,
    }

    impl Slow {
        fn with(status: u16) -> Arc<Self> {
            Arc::new(Self { leave: Semaphore::new(0), asked: AtomicUsize::new(0), status })
        }

        fn asked(&self) -> usize {
            self.asked.load(Ordering::SeqCst)
        }
    }

    #[async_trait]
    impl Egress for Slow {
        async fn get(&self, _: &str, _: EgressLimits) -> Result<Fetched, EgressError> {
            self.asked.fetch_add(1, Ordering::SeqCst);
            self.leave.acquire().await.unwrap().forget();
            Ok(Fetched {
                status: self.status,
                content_type: None,
                etag: None,
                max_age: None,
                body: bytes::Bytes::from_static(b"7"),
            })
        }

        async fn get_if_changed(&self, _: &str, _: &str, _: EgressLimits) -> Result<Fetched, EgressError> {
            panic!("a cache keeps no etag")
        }

        async fn post(&self, _: &EgressPost, _: EgressLimits) -> Result<Fetched, EgressError> {
            panic!("a cache sends nothing")
        }
    }

    fn read(body: &[u8]) -> Result<u8, String> {
        body.first().copied().ok_or_else(String::new)
    }

    fn ask(cache: &Arc<Cache<u8>>, web: &Arc<Slow>) -> tokio::task::JoinHandle<Result<Arc<u8>, String>> {
        let (cache, web) = (Arc::clone(cache), Arc::clone(web));
        let now = Timestamp::from_seconds(1_000_000);
        tokio::spawn(async move { cache.get(web.as_ref(), URL, now, |_| true, read).await })
    }

    async fn settle() {
        for _ in 0..1000 {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn all_wait_for_one_fetch() {
        let (cache, web) = (Arc::default(), Slow::with(200));
        let asking: Vec<_> = (0..100).map(|_| ask(&cache, &web)).collect();
        settle().await;
        assert_eq!(web.asked(), 1);
        web.leave.add_permits(1);
        for one in asking {
            assert_eq!(*one.await.unwrap().unwrap(), b'7');
        }
        assert_eq!(web.asked(), 1);
    }

    #[tokio::test]
    async fn all_that_wait_learn_of_a_failure() {
        let (cache, web) = (Arc::default(), Slow::with(500));
        let asking: Vec<_> = (0..100).map(|_| ask(&cache, &web)).collect();
        settle().await;
        web.leave.add_permits(100);
        for one in asking {
            assert!(one.await.unwrap().unwrap_err().starts_with(URL));
        }
        assert_eq!(web.asked(), 1, "a server that fails is not asked by everybody");
    }

    #[tokio::test]
    async fn one_who_hangs_up_spoils_it_for_nobody_who_waits() {
        let (cache, web) = (Arc::default(), Slow::with(200));
        let first = ask(&cache, &web);
        settle().await;
        let second = ask(&cache, &web);
        settle().await;
        first.abort();
        settle().await;
        assert_eq!(web.asked(), 2, "the next one takes over");
        web.leave.add_permits(1);
        assert_eq!(*second.await.unwrap().unwrap(), b'7');
    }
}
