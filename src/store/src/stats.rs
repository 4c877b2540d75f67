//! Counters for the metrics page.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// What the store has done since it was opened, and what it does now.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Works carried out or refused by a guard.
    pub units: u64,
    /// Time from asking for a work to its answer, summed, in microseconds.
    pub unit_micros: u64,
    /// Works that a guard refused.
    pub refused: u64,
    /// Works that failed.
    pub failed: u64,
    /// Durable commits; on SQLite one serves many units.
    pub commits: u64,
    /// Works that wait for an answer now.
    pub queue: u64,
    /// Database connections that are open, and those in use.
    pub pool_size: u64,
    pub pool_in_use: u64,
}

#[derive(Debug, Default)]
pub struct Counters {
    units: AtomicU64,
    unit_micros: AtomicU64,
    refused: AtomicU64,
    failed: AtomicU64,
    commits: AtomicU64,
    queue: AtomicU64,
}

impl Counters {
    pub fn begin(&self) {
        self.queue.fetch_add(1, Relaxed);
    }

    pub fn end(&self, took: Duration, refused: bool, failed: bool) {
        self.queue.fetch_sub(1, Relaxed);
        self.units.fetch_add(1, Relaxed);
        self.unit_micros.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Relaxed);
        self.refused.fetch_add(u64::from(refused), Relaxed);
        self.failed.fetch_add(u64::from(failed), Relaxed);
    }

    pub fn committed(&self) {
        self.commits.fetch_add(1, Relaxed);
    }

    pub fn read(&self, pool_size: u64, pool_in_use: u64) -> StoreStats {
        StoreStats {
            units: self.units.load(Relaxed),
            unit_micros: self.unit_micros.load(Relaxed),
            refused: self.refused.load(Relaxed),
            failed: self.failed.load(Relaxed),
            commits: self.commits.load(Relaxed),
            queue: self.queue.load(Relaxed),
            pool_size,
            pool_in_use,
        }
    }
}
