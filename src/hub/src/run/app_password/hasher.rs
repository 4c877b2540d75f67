//! The slow hash, away from the threads that others wait for, and few at once: each takes much memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fedbridge_contract::ids::PersonId;
use tokio::sync::{OwnedMutexGuard, Semaphore};

use crate::ports::PasswordHasher;
use crate::run::lines::Lines;

/// Hashes at one time.
const AT_ONCE: usize = 2;

/// Whoever comes when so many wait is sent away.
const WAITING: usize = 64;

/// See the module's text.
#[derive(Clone)]
pub struct Hasher {
    inner: Arc<dyn PasswordHasher>,
    permits: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    lines: Arc<Lines<PersonId>>,
}

/// Too many wait already, or the process stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::run) struct Busy;

impl Hasher {
    pub fn new(inner: Arc<dyn PasswordHasher>) -> Self {
        Self { inner, permits: Arc::new(Semaphore::new(AT_ONCE)), waiting: Arc::default(), lines: Arc::default() }
    }

    /// One after the other for each person: nobody alone keeps everybody else waiting, and what was wrong is counted
    /// before the next one is looked at.
    pub(in crate::run) async fn turn(&self, person: PersonId) -> Result<OwnedMutexGuard<()>, Busy> {
        self.lines.turn(person, WAITING).await.ok_or(Busy)
    }

    /// SHA-256, right here.
    pub(in crate::run) fn digest(&self, secret: &[u8]) -> [u8; 32] {
        self.inner.digest(secret)
    }

    pub(in crate::run) async fn hash(&self, password: String) -> Result<String, Busy> {
        let inner = Arc::clone(&self.inner);
        let hashed = self.behind(move || inner.hash(password.as_bytes())).await?;
        hashed.map_err(|error| {
            tracing::error!(error, "a password can't be hashed");
            Busy
        })
    }

    pub(in crate::run) async fn verify(&self, password: String, hash: String) -> Result<bool, Busy> {
        let inner = Arc::clone(&self.inner);
        self.behind(move || inner.verify(password.as_bytes(), &hash)).await
    }

    async fn behind<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Busy> {
        let _place = Place::take(&self.waiting).ok_or(Busy)?;
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| Busy)?;
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            // Also where nobody waits for it any more.
            drop(permit);
            done
        });
        done.await.map_err(|_| Busy)
    }
}

/// A place among those who wait, given up when it is dropped.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize) -> Option<Self> {
        let before = waiting.fetch_add(1, Ordering::Relaxed);
        let place = Self(waiting);
        (before < WAITING).then_some(place)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    struct Plain;

    impl PasswordHasher for Plain {
        fn hash(&self, password: &[u8]) -> Result<String, String> {
            Ok(String::from_utf8_lossy(password).into_owned())
        }

        fn digest(&self, _: &[u8]) -> [u8; 32] {
            [0; 32]
        }

        fn verify(&self, password: &[u8], hash: &str) -> bool {
            password == hash.as_bytes()
        }
    }

    #[tokio::test]
    async fn people_have_their_turns_and_each_a_line_of_their_own() {
        let hasher = Hasher::new(Arc::new(Plain));
        let [one, other] = [1, 2].map(|number| PersonId::from_uuid(uuid::Uuid::from_u128(number)));
        let turn = hasher.turn(one).await.unwrap();
        assert!(hasher.turn(other).await.is_ok(), "others do not wait");
        let crowd: Vec<_> = (1..WAITING)
            .map(|_| {
                let hasher = hasher.clone();
                tokio::spawn(async move { hasher.turn(one).await.is_ok() })
            })
            .collect();
        while hasher.lines.length(&one) <= WAITING {
            tokio::task::yield_now().await;
        }
        assert!(hasher.turn(one).await.is_err(), "so many wait already");
        drop(turn);
        for one in crowd {
            assert!(one.await.unwrap());
        }
        assert!(hasher.turn(one).await.is_ok());
    }

    #[tokio::test]
    async fn a_crowd_is_sent_away_and_a_few_are_served() {
        let hasher = Hasher::new(Arc::new(Plain));
        assert_eq!(hasher.verify("a".into(), "a".into()).await, Ok(true));
        assert_eq!(hasher.verify("a".into(), "b".into()).await, Ok(false));
        let held: Vec<_> = (0..AT_ONCE).map(|_| Arc::clone(&hasher.permits).try_acquire_owned().unwrap()).collect();
        let waiting: Vec<_> = (0..WAITING)
            .map(|_| {
                let hasher = hasher.clone();
                tokio::spawn(async move { hasher.verify("a".into(), "a".into()).await })
            })
            .collect();
        while hasher.waiting.load(Ordering::Relaxed) < WAITING {
            tokio::task::yield_now().await;
        }
        assert_eq!(hasher.verify("a".into(), "a".into()).await, Err(Busy));
        drop(held);
        for one in waiting {
            assert_eq!(one.await.unwrap(), Ok(true));
        }
        assert_eq!(hasher.waiting.load(Ordering::Relaxed), 0);
        assert_eq!(hasher.hash("a".into()).await.as_deref(), Ok("a"));
    }
}
