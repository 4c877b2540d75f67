//! Time as a value. Nothing in the adapters or the hub asks the system for it.

use std::ops::{Add, Sub};
use std::time::Duration;

use ::time::OffsetDateTime;
use ::time::format_description::well_known::Rfc3339;
use serde::{Deserialize, Serialize};

/// Whole seconds, rounded up and never none: delay-seconds of `Retry-After` (RFC 9110 section 10.2.3). Whoever comes back
/// then is not too early.
pub fn delay_seconds(wait: Duration) -> u64 {
    u64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(u64::MAX).max(1)
}

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(i64);

impl Timestamp {
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    pub const fn millis(self) -> i64 {
        self.0
    }

    /// Whole seconds, as JWT's NumericDate counts them (RFC 7519 section 2).
    pub const fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// Time from `earlier` to this, zero when `earlier` is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// RFC 3339 in UTC with a `Z`, with the fraction left out when it is zero.
    pub fn rfc3339(self) -> String {
        OffsetDateTime::from_unix_timestamp_nanos(i128::from(self.0) * 1_000_000)
            .ok()
            .and_then(|at| at.format(&Rfc3339).ok())
            .unwrap_or_else(|| format!("{} ms", self.0))
    }

    /// UTC, whole seconds: the form that SAML messages carry (SAML core 1.3.3).
    pub fn rfc3339_seconds(self) -> String {
        Self::from_seconds(self.seconds()).rfc3339()
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, by: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_round_towards_the_past() {
        assert_eq!(Timestamp::from_millis(1_999).seconds(), 1);
        assert_eq!(Timestamp::from_millis(-1).seconds(), -1);
    }

    #[test]
    fn a_wait_is_never_nothing_and_never_too_short() {
        for (millis, said) in [(0, 1), (1, 1), (999, 1), (1000, 1), (1001, 2), (59_000, 59)] {
            assert_eq!(delay_seconds(Duration::from_millis(millis)), said, "{millis}");
        }
    }

    #[test]
    fn prints_as_saml_wants_it() {
        let at = Timestamp::from_millis(1_763_776_800_123);
        assert_eq!(at.rfc3339_seconds(), "2025-11-22T02:00:00Z");
        assert_eq!(at.rfc3339(), "2025-11-22T02:00:00.123Z");
    }
}
