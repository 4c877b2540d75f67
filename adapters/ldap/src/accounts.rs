//! What was seen of accounts of late: where the entry is, and whether it may be used. A bind of somebody who is known
//! then costs one round trip.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::state::Barred;

/// The most accounts that are remembered, by each connection.
const MOST: usize = 50_000;

#[derive(Debug, Default)]
pub struct Accounts(Mutex<HashMap<String, Seen>>);

/// An account as it was a moment ago.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// The DN.
    pub place: String,
    pub barred: Option<Barred>,
    /// By the steady clock.
    pub at: Duration,
}

impl Accounts {
    /// What was seen of this key within `age`.
    pub fn fresh(&self, key: &str, now: Duration, age: Duration) -> Option<Seen> {
        self.all().get(key).filter(|seen| now.saturating_sub(seen.at) < age).cloned()
    }

    pub fn saw(&self, key: &str, seen: Seen, age: Duration) {
        let mut all = self.all();
        if all.len() >= MOST && !all.contains_key(key) {
            let now = seen.at;
            all.retain(|_, seen| now.saturating_sub(seen.at) < age);
            if all.len() >= MOST {
                all.clear();
            }
        }
        all.insert(key.to_owned(), seen);
    }

    pub fn forget(&self, key: &str) {
        self.all().remove(key);
    }

    fn all(&self) -> MutexGuard<'_, HashMap<String, Seen>> {
        // A map that another thread left is whole: each change of it is one call.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_old_is_not_believed() {
        let accounts = Accounts::default();
        let (age, second) = (Duration::from_secs(60), Duration::from_secs(1));
        let seen = Seen { place: "uid=a".to_owned(), barred: None, at: second };
        accounts.saw("k", seen.clone(), age);
        assert_eq!(accounts.fresh("k", second * 60, age), Some(seen));
        assert_eq!(accounts.fresh("k", second * 61, age), None);
        assert_eq!(accounts.fresh("k", second, Duration::ZERO), None, "an age of nothing asks each time");
        accounts.forget("k");
        assert_eq!(accounts.fresh("k", second, age), None);
    }

    #[test]
    fn memory_has_a_bound() {
        let accounts = Accounts::default();
        for number in 0..MOST + 10 {
            let seen = Seen { place: String::new(), barred: None, at: Duration::from_secs(9) };
            accounts.saw(&number.to_string(), seen, Duration::from_secs(60));
        }
        assert!(accounts.all().len() <= MOST);
    }
}
