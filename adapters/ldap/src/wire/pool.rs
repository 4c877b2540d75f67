//! Connections that wait for their next use.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::{Handle, Id};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use super::error::WireError;

/// The connections of one kind to one server: at most so many, those in use and those that wait together.
pub(super) struct Shelf<T> {
    places: Arc<Semaphore>,
    waiting: Mutex<Vec<Kept<T>>>,
    idle: Duration,
    age: Duration,
}

/// A connection with what decides on its next use.
#[derive(Clone)]
pub(super) struct Kept<T> {
    pub thing: T,
    /// Whose reactor wakes it: it is quickest where it was made.
    home: Option<Id>,
    born: Duration,
    since: Duration,
}

impl<T> Kept<T> {
    pub fn new(thing: T, now: Duration) -> Self {
        let home = Handle::try_current().ok().map(|handle| handle.id());
        Self { thing, home, born: now, since: now }
    }
}

impl<T> Shelf<T> {
    pub fn new(most: usize, idle: Duration, age: Duration) -> Self {
        Self { places: Arc::new(Semaphore::new(most.max(1))), waiting: Mutex::default(), idle, age }
    }

    /// The right to have one connection. It is held while the connection is in use.
    pub async fn place(&self, patience: Duration) -> Result<OwnedSemaphorePermit, WireError> {
        let place = Arc::clone(&self.places).acquire_owned();
        match timeout(patience, place).await {
            Ok(Ok(place)) => Ok(place),
            Ok(Err(_)) | Err(_) => Err(WireError::Busy),
        }
    }

    /// The one that was used last, of this thread's reactor where there is one: so the others grow idle.
    pub fn take(&self, now: Duration) -> Option<Kept<T>> {
        let here = Handle::try_current().ok().map(|handle| handle.id());
        let mut waiting = self.lock();
        let stale = self.stale(&mut waiting, now);
        let at = waiting.iter().rposition(|kept| kept.home == here).or_else(|| waiting.len().checked_sub(1));
        let taken = at.map(|at| waiting.remove(at));
        // Closing takes time.
        drop(waiting);
        drop(stale);
        taken
    }

    /// Back for the next use. The caller's place must still be held.
    pub fn put(&self, mut kept: Kept<T>, now: Duration) {
        if now.saturating_sub(kept.born) < self.age {
            kept.since = now;
            self.lock().push(kept);
        }
    }

    /// Closes those that have waited too long.
    pub fn sweep(&self, now: Duration) {
        let mut waiting = self.lock();
        let stale = self.stale(&mut waiting, now);
        drop(waiting);
        drop(stale);
    }

    /// Closes all that wait: their server has closed one.
    pub fn clear(&self) {
        let all = std::mem::take(&mut *self.lock());
        drop(all);
    }

    fn stale(&self, waiting: &mut Vec<Kept<T>>, now: Duration) -> Vec<Kept<T>> {
        let over = |kept: &mut Kept<T>| {
            now.saturating_sub(kept.since) >= self.idle || now.saturating_sub(kept.born) >= self.age
        };
        waiting.extract_if(.., over).collect()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Kept<T>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn shelf() -> Shelf<u8> {
        Shelf::new(2, 60 * SECOND, 600 * SECOND)
    }

    #[test]
    fn the_last_used_comes_first_and_the_idle_go() {
        let shelf = shelf();
        for number in 1..=3 {
            shelf.put(Kept::new(number, Duration::ZERO), u32::from(number) * 10 * SECOND);
        }
        assert_eq!(shelf.take(80 * SECOND).map(|kept| kept.thing), Some(3), "1 and 2 were idle for a minute");
        assert!(shelf.take(80 * SECOND).is_none());
    }

    #[test]
    fn an_old_one_is_not_used_again() {
        let shelf = shelf();
        let kept = Kept::new(1, Duration::ZERO);
        shelf.put(kept, 590 * SECOND);
        let kept = shelf.take(599 * SECOND).unwrap();
        shelf.put(kept, 600 * SECOND);
        assert!(shelf.take(600 * SECOND).is_none());
        shelf.put(Kept::new(2, Duration::ZERO), 590 * SECOND);
        assert!(shelf.take(600 * SECOND).is_none(), "it grew old while it waited");
    }

    #[test]
    fn one_of_this_reactor_comes_before_others() {
        let shelf = shelf();
        let (one, other) = (runtime(), runtime());
        for (runtime, number) in [(&one, 1), (&other, 2)] {
            runtime.block_on(async { shelf.put(Kept::new(number, Duration::ZERO), Duration::ZERO) });
        }
        assert_eq!(one.block_on(async { shelf.take(SECOND) }).map(|kept| kept.thing), Some(1));
        assert_eq!(one.block_on(async { shelf.take(SECOND) }).map(|kept| kept.thing), Some(2), "any before none");
    }

    #[tokio::test]
    async fn there_are_as_many_as_the_pool_allows() {
        let shelf = shelf();
        let first = shelf.place(SECOND).await.unwrap();
        let _second = shelf.place(SECOND).await.unwrap();
        let brief = Duration::from_millis(20);
        assert!(matches!(shelf.place(brief).await, Err(WireError::Busy)));
        drop(first);
        assert!(shelf.place(brief).await.is_ok());
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().build().unwrap()
    }
}
