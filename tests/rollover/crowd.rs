//! People who log in without a pause.

use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

/// How long a phase may take before the test is stuck.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a login may fail with, as one line.
pub type Login = Result<(), String>;

pub struct Crowd {
    people: JoinSet<()>,
    size: usize,
    tally: Arc<Tally>,
}

#[derive(Default)]
struct Tally {
    ended: AtomicUsize,
    failures: Mutex<Vec<String>>,
    over: AtomicBool,
}

impl Crowd {
    /// So many people at once, each beginning again as soon as a login has ended.
    pub fn of<L, F>(size: usize, login: L) -> Self
    where
        L: Fn() -> F + Clone + Send + 'static,
        F: Future<Output = Login> + Send,
    {
        let tally = Arc::new(Tally::default());
        let mut people = JoinSet::new();
        for _ in 0..size {
            let (login, tally) = (login.clone(), Arc::clone(&tally));
            people.spawn(async move {
                while !tally.over.load(Ordering::Relaxed) {
                    if let Err(cause) = login().await {
                        tally.failures.lock().unwrap().push(cause);
                    }
                    tally.ended.fetch_add(1, Ordering::Relaxed);
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            });
        }
        Self { people, size, tally }
    }

    /// Waits until so many logins have begun and ended from now on.
    pub async fn more(&self, number: usize) {
        // Each person may have one that began before.
        let enough = self.ended() + number + self.size;
        let until = Instant::now() + PATIENCE;
        while self.ended() < enough {
            assert!(Instant::now() < until, "the crowd is stuck: {:#?}", self.failures());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub fn ended(&self) -> usize {
        self.tally.ended.load(Ordering::Relaxed)
    }

    pub fn failures(&self) -> Vec<String> {
        self.tally.failures.lock().unwrap().clone()
    }

    /// Sends everybody home, and asserts that nobody failed.
    pub async fn all_were_let_in(mut self) -> usize {
        self.tally.over.store(true, Ordering::Relaxed);
        while let Some(ended) = self.people.join_next().await {
            ended.unwrap();
        }
        let failures = self.failures();
        assert!(failures.is_empty(), "{} of {} logins failed: {failures:#?}", failures.len(), self.ended());
        self.ended()
    }
}
