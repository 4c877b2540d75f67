//! Fixed windows, of this process alone: each key's first event opens one.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use fedbridge_contract::time::Timestamp;

use super::Limit;

/// The most keys that are counted at once.
const MOST: usize = 50_000;

pub(super) struct Windows<K> {
    limit: Limit,
    open: HashMap<K, Window>,
}

struct Window {
    opened: Timestamp,
    failures: u32,
}

impl<K: Hash + Eq> Windows<K> {
    pub fn new(limit: Limit) -> Self {
        Self { limit, open: HashMap::new() }
    }

    /// Counts an event. `Some` says that there were too many, and for how long that holds.
    pub fn count(&mut self, key: K, now: Timestamp) -> Option<Duration> {
        let Limit { count, per } = self.limit;
        if self.open.len() >= MOST && !self.open.contains_key(&key) {
            self.open.retain(|_, window| now.since(window.opened) < per);
            if self.open.len() >= MOST {
                // Nobody new can be counted: whoever fails now waits.
                return Some(per);
            }
        }
        let window = self.open.entry(key).or_insert(Window { opened: now, failures: 0 });
        if now.since(window.opened) >= per {
            *window = Window { opened: now, failures: 0 };
        }
        window.failures = window.failures.saturating_add(1);
        (window.failures > count).then(|| per.saturating_sub(now.since(window.opened)))
    }
}
