//! The process's own clock and random source: the one place that asks the
//! system for either.

use std::cell::RefCell;
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use fedbridge_contract::services::{Clock, Rng};
use fedbridge_contract::time::Timestamp;

/// The wall clock, and beside it one that only goes on.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

/// Where the steady clock begins: when this process first asked.
#[allow(clippy::disallowed_methods)] // This is the place that the others get it from.
static BEGUN: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)] // This is the place that the others get it from.
    fn now(&self) -> Timestamp {
        // A clock before 1970 reads as 1970: everything is then in the future, and refused.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    fn steady(&self) -> Duration {
        BEGUN.elapsed()
    }
}

/// openssl's random generator (a CTR-DRBG seeded by the kernel), some octets ahead of what is asked.
///
/// A draw costs openssl 6,700 instructions, whatever its length, and a login makes some 20 short
/// ones. So each thread draws [`AHEAD`] octets at once and gives each of them out one time: a short
/// draw then costs some 300.
#[derive(Debug, Clone, Copy, Default)]
pub struct OpensslRng;

impl Rng for OpensslRng {
    fn fill(&self, buffer: &mut [u8]) {
        if buffer.len() > AHEAD / 4 {
            draw(buffer);
        } else {
            POOL.with_borrow_mut(|pool| pool.take(buffer));
        }
    }
}

const AHEAD: usize = 512;

thread_local! {
    static POOL: RefCell<Pool> = const { RefCell::new(Pool { octets: [0; AHEAD], left: 0 }) };
}

/// Random octets that nobody has seen: the first `left`. The others are zero.
struct Pool {
    octets: [u8; AHEAD],
    left: usize,
}

impl Pool {
    /// Takes `buffer.len()` octets, at most [`AHEAD`].
    fn take(&mut self, buffer: &mut [u8]) {
        if self.left < buffer.len() {
            draw(&mut self.octets);
            self.left = AHEAD;
        }
        let rest = self.left - buffer.len();
        let taken = &mut self.octets[rest..self.left];
        buffer.copy_from_slice(taken);
        // What was given out is a secret of somebody else now.
        taken.fill(0);
        self.left = rest;
    }
}

fn draw(buffer: &mut [u8]) {
    if let Err(cause) = openssl::rand::rand_bytes(buffer) {
        // Nothing may go on with predictable octets, and there is no caller who could do better.
        tracing::error!(%cause, "openssl has no random octets; the process stops");
        std::process::abort();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_octets_are_given_out_twice() {
        let mut seen = HashSet::new();
        for length in [8, 12, 16, 24, 28, 32, 128, 129, 600].into_iter().cycle().take(2_000) {
            let mut buffer = vec![0; length];
            OpensslRng.fill(&mut buffer);
            for part in buffer.chunks_exact(8) {
                assert!(seen.insert(part.to_vec()), "8 octets came twice");
            }
        }
    }

    #[test]
    fn what_was_given_out_is_not_kept() {
        let mut pool = Pool { octets: [0; AHEAD], left: 0 };
        let mut buffer = [0; 32];
        for number in 1..=AHEAD / 32 {
            pool.take(&mut buffer);
            assert_eq!(pool.left, AHEAD - 32 * number);
            assert!(pool.octets[pool.left..].iter().all(|octet| *octet == 0));
            assert_ne!(buffer, [0; 32]);
        }
    }
}
