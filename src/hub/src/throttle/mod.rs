//! Failed authentications with a secret, counted by address and by account.
//!
//! What apps fail at is counted in [`windows`], by each process for itself: it slows them down behind the failure. What
//! people guess is counted in [`guesses`] before an upstream is asked, and [`sharing`] tells the other nodes.
//! [`devices`] knows from where an account was logged in with before.

mod buckets;
mod devices;
mod guesses;
mod sharing;
mod windows;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fedbridge_contract::ids::TenantId;
use fedbridge_contract::services::{Admission, Guess, Throttle, TokenSecrets};
use fedbridge_contract::time::Timestamp;

use guesses::Guesses;
use windows::Windows;

pub use devices::{DeviceKey, KnownDevices};
pub use sharing::Sharing;

/// So many failures in so much time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    pub count: u32,
    pub per: Duration,
}

/// Events by address, each network of IPv6 as one.
pub struct ByPeer(Mutex<Windows<IpAddr>>);

impl ByPeer {
    pub fn new(limit: Limit) -> Self {
        Self(Mutex::new(Windows::new(limit)))
    }

    /// Counts an event. `Some` says that there were too many, and for how long that holds.
    pub fn count(&self, peer: IpAddr, now: Timestamp) -> Option<Duration> {
        held(&self.0).count(network(peer), now)
    }
}

/// See the module's text.
pub struct FailureLimits {
    by_peer: ByPeer,
    by_account: Mutex<Windows<(TenantId, String)>>,
    guesses: Guesses,
}

impl FailureLimits {
    pub fn new(per_peer: Limit, per_account: Limit, tokens: Arc<dyn TokenSecrets>) -> Self {
        Self {
            by_peer: ByPeer::new(per_peer),
            by_account: Mutex::new(Windows::new(per_account)),
            guesses: Guesses::new(per_peer, per_account, tokens),
        }
    }
}

impl Throttle for FailureLimits {
    fn failed(&self, tenant: TenantId, account: &str, peer: IpAddr, now: Timestamp) -> Option<Duration> {
        let by_peer = self.by_peer.count(peer, now);
        let by_account = held(&self.by_account).count((tenant, account.to_owned()), now);
        by_peer.max(by_account)
    }

    fn admits(&self, guess: &Guess<'_>, now: Timestamp) -> Result<Box<dyn Admission>, Duration> {
        Ok(Box::new(self.guesses.admits(guess, now)?))
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An IPv6 subscriber has a whole /64 to guess from.
pub(crate) fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6((u128::from(ip) & !u128::from(u64::MAX)).into()),
        v4 => v4,
    }
}

/// In one form for both versions of IP.
pub(crate) fn octets(ip: IpAddr) -> [u8; 16] {
    match ip {
        IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
        IpAddr::V6(ip) => ip.octets(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::guesses::tests::PlainMac;
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    #[test]
    fn counts_addresses_and_accounts_apart() {
        let limit = |count| Limit { count, per: MINUTE };
        let limits = FailureLimits::new(limit(3), limit(2), Arc::new(PlainMac));
        let tenant: TenantId = "00000000000000000000000000000001".parse().unwrap();
        let peer = |text: &str| text.parse::<IpAddr>().unwrap();
        let fail = |account: &str, from: &str, second| limits.failed(tenant, account, peer(from), at(second));
        assert_eq!(fail("a", "192.0.2.1", 0), None);
        assert_eq!(fail("a", "192.0.2.2", 10), None);
        // The third failure of this account, from a third address.
        assert_eq!(fail("a", "192.0.2.3", 20), Some(Duration::from_secs(40)));
        assert_eq!(fail("b", "192.0.2.1", 20), None);
        assert_eq!(fail("c", "192.0.2.1", 20), None);
        assert_eq!(fail("d", "192.0.2.1", 20), Some(Duration::from_secs(40)));
        // A minute after the first failure it starts anew.
        assert_eq!(fail("a", "192.0.2.1", 60), None);
    }

    #[test]
    fn one_network_is_one_address() {
        let limit = Limit { count: 1, per: MINUTE };
        let limits = FailureLimits::new(limit, Limit { count: 100, per: MINUTE }, Arc::new(PlainMac));
        let tenant: TenantId = "00000000000000000000000000000001".parse().unwrap();
        assert_eq!(limits.failed(tenant, "a", "2001:db8::1".parse().unwrap(), at(0)), None);
        assert!(limits.failed(tenant, "a", "2001:db8::2".parse().unwrap(), at(0)).is_some());
        assert_eq!(limits.failed(tenant, "a", "2001:db8:0:1::2".parse().unwrap(), at(0)), None);
    }
}
