//! What the integration tests share: the built binary as a server, real peers,
//! and a small browser.

pub mod authenticator;
pub mod bridge;
pub mod browser;
pub mod clients;
pub mod due;
pub mod html;
pub mod ldap;
pub mod line;
pub mod nodes;
pub mod peers;
pub mod publisher;
pub mod scripted;

use std::collections::BTreeSet;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A folder that goes when it is dropped, unless the test failed.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn new(name: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("fedbridge-{name}-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, text).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

/// A loopback port that was free a moment ago, below those that the system gives to outgoing connections:
/// one of these could take it before its server does. Each is given once: a server needs a moment to take it.
pub fn free_port() -> u16 {
    use std::hash::{BuildHasher, Hasher};
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let random = std::hash::RandomState::new().build_hasher().finish();
        let port = 15000 + u16::try_from(random % 17000).unwrap();
        if TcpListener::bind(("127.0.0.1", port)).is_ok() && GIVEN.lock().unwrap().insert(port) {
            return port;
        }
    }
}

/// How long a test waits for what only has to happen at some time: a machine may be busy, or its disk may stall.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// Asks until there is something, and gives it.
///
/// # Panics
/// With `what`, when there is nothing within [`PATIENCE`].
pub async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = ask().await {
            return found;
        }
        assert!(Instant::now() < until, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Gives what a run within the limit gives. One of a few must keep it: all of this runs beside other tests, on the
/// same few cores.
///
/// # Panics
/// When none does.
pub async fn in_time<T>(limit: Duration, mut run: impl AsyncFnMut() -> (T, Duration)) -> T {
    let mut missed = Vec::new();
    while missed.len() < 3 {
        match run().await {
            (out, took) if took < limit => return out,
            (_, took) => missed.push(took),
        }
    }
    panic!("it took {missed:?}, and {limit:?} is the limit");
}

/// The two databases that every test of a whole login runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    Sqlite,
    Postgres,
}

pub const REPOSITORY: &str = env!("CARGO_MANIFEST_DIR");
