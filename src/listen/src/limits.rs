//! How many connections there may be, in all and of one address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// How often it is said that somebody was turned away.
const SAID: Duration = Duration::from_secs(1);

/// Says when somebody is turned away, and not for each of thousands.
#[derive(Default)]
pub(crate) struct Seldom(Mutex<(Option<Instant>, u64)>);

impl Seldom {
    /// `Some` where it is to be said, with how many there were since the last time.
    pub(crate) fn due(&self) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (last, unsaid) = &mut *state;
        *unsaid += 1;
        if last.is_some_and(|last| last.elapsed() < SAID) {
            return None;
        }
        *last = Some(Instant::now());
        Some(std::mem::take(unsaid))
    }
}

/// Counts the connections of each address.
#[derive(Default)]
pub(crate) struct Addresses {
    counts: Mutex<HashMap<IpAddr, usize>>,
}

/// A place of one address, until it is dropped.
pub(crate) struct Place {
    addresses: Arc<Addresses>,
    key: IpAddr,
}

impl Addresses {
    /// `None` where the address has `most` already.
    pub(crate) fn take(self: &Arc<Self>, address: IpAddr, most: usize) -> Option<Place> {
        let key = subscriber(address);
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Place { addresses: Arc::clone(self), key })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.addresses.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

/// Whoever has one address of IPv6 has the whole /64.
fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let network = u128::from(v6) & !u128::from(u64::MAX);
            IpAddr::V6(Ipv6Addr::from(network))
        }
        v4 => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_crowd_that_is_turned_away_is_few_lines() {
        let seldom = Seldom::default();
        assert_eq!(seldom.due(), Some(1));
        assert!((0..1_000).all(|_| seldom.due().is_none()));
        tokio::time::sleep(SAID).await;
        assert_eq!((seldom.due(), seldom.due()), (Some(1_001), None));
    }

    #[test]
    fn an_address_has_its_places_and_no_more() {
        let addresses = Arc::new(Addresses::default());
        let here: IpAddr = "192.0.2.7".parse().unwrap();
        let first = addresses.take(here, 2);
        let second = addresses.take("::ffff:192.0.2.7".parse().unwrap(), 2);
        assert!(first.is_some() && second.is_some());
        assert!(addresses.take(here, 2).is_none(), "the mapped form is the same address");
        assert!(addresses.take("192.0.2.8".parse().unwrap(), 2).is_some());
        drop(first);
        assert!(addresses.take(here, 2).is_some(), "a place that was left is free");
        drop(second);
        assert!(addresses.counts.lock().unwrap().is_empty(), "nothing is kept of who is gone");
    }

    #[test]
    fn neighbours_of_one_network_count_together() {
        let addresses = Arc::new(Addresses::default());
        let place = addresses.take("2001:db8::1".parse().unwrap(), 1);
        assert!(place.is_some());
        assert!(addresses.take("2001:db8::ffff:2".parse().unwrap(), 1).is_none());
        assert!(addresses.take("2001:db8:0:1::1".parse().unwrap(), 1).is_some());
    }
}
