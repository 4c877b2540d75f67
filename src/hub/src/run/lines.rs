//! Lines in which whoever is about the same thing waits for their turn, on this node.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OwnedMutexGuard;

/// Lines that are kept, whether somebody stands in them or not, before they are tidied up.
const KEPT: usize = 1024;

pub struct Lines<K>(Mutex<HashMap<K, Arc<tokio::sync::Mutex<()>>>>);

impl<K> Default for Lines<K> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Eq + Hash> Lines<K> {
    /// Waits for the turn, which lasts until what is given back is dropped. `None`: so many wait already.
    pub async fn turn(&self, key: K, most: usize) -> Option<OwnedMutexGuard<()>> {
        let line = {
            let mut lines = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if lines.len() >= KEPT {
                lines.retain(|_, line| Arc::strong_count(line) > 1);
            }
            let line = lines.entry(key).or_default();
            if Arc::strong_count(line) > most {
                return None;
            }
            Arc::clone(line)
        };
        Some(line.lock_owned().await)
    }

    /// Whoever has the turn and whoever waits for it, and one.
    #[cfg(test)]
    pub fn length(&self, key: &K) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).map_or(0, Arc::strong_count)
    }
}
