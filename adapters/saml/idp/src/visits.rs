//! How often a parked request was come back to.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use fedbridge_contract::time::Timestamp;

/// A person who chooses, goes back and chooses again needs a handful.
const MOST: u8 = 16;

/// Above this, what is over is thrown away before something new is counted.
const FULL: usize = 4096;

/// Counts on this node alone, and while it runs: enough to keep one address from filling the store.
#[derive(Default)]
pub(crate) struct Visits(Mutex<HashMap<String, (u8, Timestamp)>>);

impl Visits {
    /// Counts a visit, and says whether it is one of the first few. `ends`: after this nobody needs the count.
    pub(crate) fn may_come(&self, handle: &str, ends: Timestamp, now: Timestamp) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= FULL {
            all.retain(|_, (_, ends)| *ends > now);
        }
        let (count, _) = all.entry(handle.to_owned()).or_insert((0, ends));
        *count = count.saturating_add(1);
        *count <= MOST
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn counts_end_with_what_they_count() {
        let (visits, now) = (Visits::default(), Timestamp::from_millis(0));
        let ends = now + Duration::from_secs(1);
        assert!((0..MOST).all(|_| visits.may_come("a", ends, now)) && !visits.may_come("a", ends, now));
        (0..FULL).for_each(|number| assert!(visits.may_come(&number.to_string(), ends, now)));
        assert!(!visits.may_come("a", ends, now), "what is not over stays");
        assert!(visits.may_come("b", ends + Duration::from_secs(1), ends));
        assert_eq!(visits.0.lock().unwrap_or_else(PoisonError::into_inner).len(), 1);
    }
}
