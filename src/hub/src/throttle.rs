//! Failed authentications with a secret, counted by address and by account.
//!
//! Counts are of this process; several nodes each allow the limit.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fedbridge_contract::ids::TenantId;
use fedbridge_contract::services::Throttle;
use fedbridge_contract::time::Timestamp;

/// So many failures in so much time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    pub count: u32,
    pub per: Duration,
}

/// The most addresses, and the most accounts, that are counted at once.
const MOST: usize = 50_000;

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
}

impl FailureLimits {
    pub fn new(per_peer: Limit, per_account: Limit) -> Self {
        Self { by_peer: ByPeer::new(per_peer), by_account: Mutex::new(Windows::new(per_account)) }
    }
}

impl Throttle for FailureLimits {
    fn failed(&self, tenant: TenantId, account: &str, peer: IpAddr, now: Timestamp) -> Option<Duration> {
        let by_peer = self.by_peer.count(peer, now);
        let by_account = held(&self.by_account).count((tenant, account.to_owned()), now);
        by_peer.max(by_account)
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// An IPv6 subscriber has a whole /64 to guess from.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(ip) => IpAddr::V6((u128::from(ip) & !u128::from(u64::MAX)).into()),
        v4 => v4,
    }
}

/// Fixed windows: each key's first failure opens one.
struct Windows<K> {
    limit: Limit,
    open: HashMap<K, Window>,
}

struct Window {
    opened: Timestamp,
    failures: u32,
}

impl<K: Hash + Eq> Windows<K> {
    fn new(limit: Limit) -> Self {
        Self { limit, open: HashMap::new() }
    }

    fn count(&mut self, key: K, now: Timestamp) -> Option<Duration> {
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    #[test]
    fn counts_addresses_and_accounts_apart() {
        let limit = |count| Limit { count, per: MINUTE };
        let limits = FailureLimits::new(limit(3), limit(2));
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
        let limits = FailureLimits::new(limit, Limit { count: 100, per: MINUTE });
        let tenant: TenantId = "00000000000000000000000000000001".parse().unwrap();
        assert_eq!(limits.failed(tenant, "a", "2001:db8::1".parse().unwrap(), at(0)), None);
        assert!(limits.failed(tenant, "a", "2001:db8::2".parse().unwrap(), at(0)).is_some());
        assert_eq!(limits.failed(tenant, "a", "2001:db8:0:1::2".parse().unwrap(), at(0)), None);
    }
}
