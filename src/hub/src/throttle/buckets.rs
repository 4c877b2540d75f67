//! What failed of one kind, in stretches of ten seconds, on this node and on the others.

use std::time::Duration;

use fedbridge_contract::time::Timestamp;

use super::Limit;

/// The length of a stretch, in milliseconds.
const STRETCH: i64 = 10_000;

/// The most stretches of one key. Where there would be more, the oldest goes.
const MOST: usize = 256;

/// Failures of one key.
#[derive(Debug, Default)]
pub(super) struct Failures {
    /// The oldest first; those without any failure are left out.
    buckets: Vec<Bucket>,
}

#[derive(Debug, Default, Clone, Copy)]
struct Bucket {
    /// Its number: milliseconds since 1970 by [`STRETCH`].
    number: i64,
    /// Tries that nothing is known of yet.
    open: u32,
    /// Wrong ones of this node that the others don't know of.
    untold: u32,
    /// Wrong ones of all nodes, as far as they have told.
    told: u32,
}

impl Bucket {
    fn all(&self) -> u32 {
        self.open.saturating_add(self.untold).saturating_add(self.told)
    }
}

/// When the stretch of this number begins; the one behind it is its end.
fn begin(number: i64) -> Timestamp {
    Timestamp::from_millis(number.saturating_mul(STRETCH))
}

fn number(at: Timestamp) -> i64 {
    at.millis().div_euclid(STRETCH)
}

impl Failures {
    /// `Some` where there were as many within the time, and for how long that holds.
    pub fn too_many(&self, limit: Limit, now: Timestamp) -> Option<Duration> {
        let mut left = 0_u32;
        for bucket in self.buckets.iter().rev() {
            // The whole stretch counts while any part of it does.
            let counts_until = begin(bucket.number + 1) + limit.per;
            if counts_until <= now {
                break;
            }
            left = left.saturating_add(bucket.all());
            if left >= limit.count {
                return Some(counts_until.since(now));
            }
        }
        None
    }

    /// The same as an upstream counts that forgets when none has come for `forgets`, or at a right password, the last
    /// of which came at `right`.
    pub fn run_of(&self, most: u32, forgets: Duration, right: Option<Timestamp>, now: Timestamp) -> Option<Duration> {
        let run = self.run(forgets, right, now);
        let newest = self.buckets.last()?;
        (run >= most).then(|| (begin(newest.number + 1) + forgets).since(now))
    }

    /// How long that run is.
    pub fn run(&self, forgets: Duration, right: Option<Timestamp>, now: Timestamp) -> u32 {
        let (mut run, mut later) = (0_u32, now);
        for bucket in self.buckets.iter().rev() {
            // What came in the stretch of the right password may have come behind it.
            let forgotten = right.is_some_and(|right| bucket.number < number(right));
            if forgotten || later.since(begin(bucket.number + 1)) >= forgets {
                break;
            }
            run = run.saturating_add(bucket.all());
            later = begin(bucket.number);
        }
        run
    }

    /// The newest stretch with a failure.
    pub fn newest(&self) -> Option<Timestamp> {
        self.buckets.last().map(|bucket| begin(bucket.number))
    }

    /// A try is let through.
    pub fn open(&mut self, at: Timestamp) {
        let bucket = self.bucket(number(at));
        bucket.open = bucket.open.saturating_add(1);
    }

    /// It is over; `wrong`: it stays counted. False: there was none.
    pub fn close(&mut self, at: Timestamp, wrong: bool) -> bool {
        let number = number(at);
        let Some(bucket) = self.buckets.iter_mut().find(|bucket| bucket.number == number && bucket.open > 0) else {
            return false;
        };
        bucket.open -= 1;
        bucket.untold = bucket.untold.saturating_add(u32::from(wrong));
        self.buckets.retain(|bucket| bucket.all() > 0);
        true
    }

    /// Counts one that was never open.
    pub fn add(&mut self, at: Timestamp) {
        let bucket = self.bucket(number(at));
        bucket.untold = bucket.untold.saturating_add(1);
    }

    /// Takes what the others don't know of yet, by the beginning of its stretch.
    pub fn take_untold(&mut self) -> Vec<(Timestamp, u32)> {
        let untold = self.buckets.iter_mut().filter(|bucket| bucket.untold > 0);
        untold
            .map(|bucket| {
                let count = std::mem::take(&mut bucket.untold);
                bucket.told = bucket.told.saturating_add(count);
                (begin(bucket.number), count)
            })
            .collect()
    }

    /// The others did not hear of it after all.
    pub fn untell(&mut self, at: Timestamp, count: u32) {
        let bucket = self.bucket(number(at));
        bucket.told = bucket.told.saturating_sub(count);
        bucket.untold = bucket.untold.saturating_add(count);
    }

    /// All nodes together have counted so many.
    pub fn learn(&mut self, at: Timestamp, count: u32) {
        let bucket = self.bucket(number(at));
        bucket.told = bucket.told.max(count);
    }

    /// Whether nothing in it matters any more where nothing matters for longer than `longest`.
    pub fn is_over(&self, longest: Duration, now: Timestamp) -> bool {
        self.buckets.last().is_none_or(|bucket| begin(bucket.number + 1) + longest <= now)
    }

    fn bucket(&mut self, number: i64) -> &mut Bucket {
        let at = match self.buckets.binary_search_by_key(&number, |bucket| bucket.number) {
            Ok(at) => at,
            Err(at) if self.buckets.len() >= MOST && at > 0 => {
                self.buckets.remove(0);
                self.buckets.insert(at - 1, Bucket { number, ..Bucket::default() });
                at - 1
            }
            Err(at) => {
                self.buckets.insert(at, Bucket { number, ..Bucket::default() });
                at
            }
        };
        &mut self.buckets[at]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Limit = Limit { count: 2, per: Duration::from_secs(60) };
    const HALF_HOUR: Duration = Duration::from_secs(1800);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    #[test]
    fn a_rate_looks_back_from_now() {
        let mut failures = Failures::default();
        failures.add(at(59));
        assert_eq!(failures.too_many(MINUTE, at(60)), None);
        failures.add(at(61));
        // No window begins anew at the full minute.
        assert_eq!(failures.too_many(MINUTE, at(62)), Some(Duration::from_secs(58)));
        assert_eq!(failures.too_many(MINUTE, at(119)), Some(Duration::from_secs(1)));
        assert_eq!(failures.too_many(MINUTE, at(120)), None);
    }

    #[test]
    fn a_run_ends_with_silence_or_with_the_right_password() {
        let mut failures = Failures::default();
        // Each is less than half an hour behind the one before: a directory has counted three.
        for minute in [0, 29, 58] {
            failures.add(at(minute * 60));
        }
        let now = at(60 * 60);
        assert_eq!(failures.run(HALF_HOUR, None, now), 3);
        assert!(failures.run_of(3, HALF_HOUR, None, now).is_some());
        assert_eq!(failures.run_of(4, HALF_HOUR, None, now), None);
        assert_eq!(failures.run(HALF_HOUR, Some(at(30 * 60)), now), 1);
        let quiet = at(58 * 60 + 10) + HALF_HOUR;
        assert_eq!(failures.run(HALF_HOUR, None, quiet), 0);
        assert_eq!(failures.run(HALF_HOUR, None, at(58 * 60 + 9) + HALF_HOUR), 3);
    }

    #[test]
    fn a_try_counts_until_it_is_known_to_be_none() {
        let mut failures = Failures::default();
        failures.open(at(1));
        failures.open(at(2));
        assert!(failures.too_many(MINUTE, at(3)).is_some(), "two at once are two");
        assert!(failures.close(at(1), false));
        assert_eq!(failures.too_many(MINUTE, at(3)), None);
        assert!(failures.close(at(2), true));
        assert!(!failures.close(at(2), true), "there is no third");
        assert_eq!(failures.take_untold(), [(at(0), 1)]);
        assert_eq!(failures.take_untold(), []);
    }

    #[test]
    fn nodes_add_up_and_nothing_counts_twice() {
        let mut failures = Failures::default();
        failures.add(at(5));
        assert_eq!(failures.take_untold(), [(at(0), 1)]);
        // Our own, and one of another node.
        failures.learn(at(0), 1);
        assert_eq!(failures.run(HALF_HOUR, None, at(6)), 1);
        failures.learn(at(0), 2);
        failures.add(at(7));
        assert_eq!(failures.run(HALF_HOUR, None, at(8)), 3);
        let taken = failures.take_untold();
        failures.untell(taken[0].0, taken[0].1);
        assert_eq!(failures.run(HALF_HOUR, None, at(8)), 3);
        assert_eq!(failures.take_untold(), taken);
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let mut failures = Failures::default();
        for stretch in 0..2000 {
            failures.add(at(stretch * 10));
        }
        assert_eq!(failures.buckets.len(), MOST);
        assert_eq!(failures.newest(), Some(at(19_990)));
    }
}
