//! Stand-ins for services that an adapter under test makes plain use of.

use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use crate::ids::TenantId;
use crate::services::{Clock, Closed, Counters, Rng, Services, Throttle, TokenSecrets, TraceEvent, TraceSink};
use crate::testkit::Unused;
use crate::time::Timestamp;

/// Services for an adapter that needs a clock and randomness and nothing else: whatever else it uses is a failed
/// test, but that it may count. A test puts its own in the place of what it is about.
pub fn bare_services(clock: Arc<dyn Clock>) -> Services {
    Services {
        clock,
        rng: Arc::new(Distinct),
        egress: Arc::new(Unused),
        grants: Arc::new(Unused),
        gate: Arc::new(Unused),
        tokens: Arc::new(Unused),
        traces: Arc::new(Unused),
        counters: Arc::new(Quiet),
        throttle: Arc::new(Unused),
        handles: Arc::new(Closed),
        name_ids: Arc::new(Closed),
        sightings: Arc::new(Closed),
        dialer: Arc::new(Closed),
        revalidator: Arc::new(Closed),
        current_claims: Arc::new(Closed),
        pushed: Arc::new(Closed),
        signals: Arc::new(Closed),
    }
}

/// A clock that stands still until it is moved.
pub struct Hands(AtomicI64);

impl Hands {
    pub fn at(now: Timestamp) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(now.millis())))
    }

    pub fn pass(&self, time: Duration) {
        self.0.fetch_add(i64::try_from(time.as_millis()).unwrap_or(i64::MAX), Ordering::Relaxed);
    }
}

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::Relaxed))
    }
}

/// The same octets in every run, and others at each call.
#[derive(Default)]
pub struct Counting(AtomicU64);

impl Counting {
    pub const fn new() -> Self {
        Self(AtomicU64::new(0))
    }
}

impl Rng for Counting {
    fn fill(&self, octets: &mut [u8]) {
        for chunk in octets.chunks_mut(8) {
            let number = hash(&self.0.fetch_add(1, Ordering::Relaxed));
            chunk.copy_from_slice(&number.to_be_bytes()[..chunk.len()]);
        }
    }
}

/// Octets that no other call in this process gets, for ids that must differ whoever asks for them.
pub struct Distinct;

impl Rng for Distinct {
    fn fill(&self, octets: &mut [u8]) {
        static ALL: Counting = Counting::new();
        ALL.fill(octets);
    }
}

/// A function of all that it is given, as one of [`TokenSecrets`] is; anybody can compute it.
pub struct Keyed;

impl TokenSecrets for Keyed {
    fn mac(&self, tenant: TenantId, purpose: &str, message: &[u8]) -> [u8; 32] {
        let mut octets = [0; 32];
        for (part, chunk) in octets.chunks_mut(8).enumerate() {
            chunk.copy_from_slice(&hash(&(part, tenant.uuid().as_bytes(), purpose, message)).to_be_bytes());
        }
        octets
    }
}

/// Takes what it is told, and says nothing.
pub struct Quiet;

impl Counters for Quiet {
    fn token_issued(&self, _: &'static str) {}
    fn refused(&self, _: &'static str, _: &'static str) {}
    fn refresh_reused(&self) {}
}

impl TraceSink for Quiet {
    fn record(&self, _: TraceEvent) {}
}

impl Throttle for Quiet {
    fn failed(&self, _: TenantId, _: &str, _: IpAddr, _: Timestamp) -> Option<Duration> {
        None
    }
}

/// The same in every process: a new `DefaultHasher` has fixed keys.
fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_comes_twice() {
        let texts = |rng: &dyn Rng| [(); 3].map(|()| crate::services::random_text::<20>(rng));
        let [first, second, third] = texts(&Counting::new());
        assert!(first != second && second != third && first != third);
        assert_eq!(texts(&Counting::new()), [first, second, third], "each run is the same");
        let [first, second, third] = texts(&Distinct);
        assert!(first != second && second != third && first != third);
    }

    #[test]
    fn a_mac_is_of_everything() {
        let tenants = [TenantId::random(&Distinct), TenantId::random(&Distinct)];
        let mac = |tenant: usize, purpose: &str, message: &[u8]| Keyed.mac(tenants[tenant], purpose, message);
        assert_eq!(mac(0, "a", b"b"), mac(0, "a", b"b"));
        for other in [mac(1, "a", b"b"), mac(0, "ab", b""), mac(0, "", b"ab"), mac(0, "a", b"c"), mac(0, "b", b"b")] {
            assert_ne!(mac(0, "a", b"b"), other);
        }
    }
}
