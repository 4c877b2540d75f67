//! The process's own clock and random source: the one place that asks the
//! system for either.

use std::time::{SystemTime, UNIX_EPOCH};

use fedbridge_contract::services::{Clock, Rng};
use fedbridge_contract::time::Timestamp;

/// The wall clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[allow(clippy::disallowed_methods)] // This is the place that the others get it from.
    fn now(&self) -> Timestamp {
        // A clock before 1970 reads as 1970: everything is then in the future, and refused.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// openssl's random generator (a CTR-DRBG seeded by the kernel).
#[derive(Debug, Clone, Copy, Default)]
pub struct OpensslRng;

impl Rng for OpensslRng {
    fn fill(&self, buffer: &mut [u8]) {
        if let Err(cause) = openssl::rand::rand_bytes(buffer) {
            // Nothing may go on with predictable octets, and there is no caller who could do better.
            tracing::error!(%cause, "openssl has no random octets; the process stops");
            std::process::abort();
        }
    }
}
