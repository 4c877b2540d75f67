//! From where accounts were logged in with: browsers, and addresses of apps. Only hashes are kept.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fedbridge_contract::ids::TenantId;
use fedbridge_contract::time::Timestamp;

use super::held;
use crate::ports::{DeviceStore, KnownDevice};

/// A keyed hash of an account and what it was logged in from.
pub type DeviceKey = [u8; 32];

/// The most that this node remembers without asking the store.
const MOST: usize = 100_000;

/// What was written down less than this ago is not written again.
const FRESH: Duration = Duration::from_secs(24 * 3600);

pub struct KnownDevices {
    store: Arc<dyn DeviceStore>,
    /// Until when, and whether it is to be written.
    recent: Mutex<HashMap<(TenantId, DeviceKey), Recent>>,
}

struct Recent {
    expires: Timestamp,
    untold: bool,
}

impl KnownDevices {
    pub fn new(store: Arc<dyn DeviceStore>) -> Self {
        Self { store, recent: Mutex::default() }
    }

    /// Remembers it. It is written a moment later, by [`Sharing`](super::Sharing).
    pub fn know(&self, tenant: TenantId, device: DeviceKey, now: Timestamp, lifetime: Duration) {
        let expires = now + lifetime;
        let mut recent = held(&self.recent);
        let full = recent.len() >= MOST;
        let entry = recent.get(&(tenant, device));
        if entry.is_some_and(|there| there.expires.since(now) + FRESH > lifetime) {
            return;
        }
        if full {
            // What waits to be written stays; all else the store knows.
            recent.retain(|_, there| there.untold);
        }
        if recent.len() < MOST {
            recent.insert((tenant, device), Recent { expires, untold: true });
        }
    }

    /// Whether the account was logged in with from there. Where the store is silent: no.
    pub async fn knows(&self, tenant: TenantId, device: DeviceKey, now: Timestamp) -> bool {
        if held(&self.recent).get(&(tenant, device)).is_some_and(|there| there.expires > now) {
            return true;
        }
        self.store.knows(tenant, &device, now).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "nobody can say from where an account was logged in with");
            false
        })
    }

    pub(super) fn take_untold(&self) -> Vec<KnownDevice> {
        let mut recent = held(&self.recent);
        let untold = recent.iter_mut().filter(|(_, there)| there.untold);
        untold
            .map(|((tenant, key), there)| {
                there.untold = false;
                KnownDevice { tenant: *tenant, key: *key, expires: there.expires }
            })
            .collect()
    }

    pub(super) fn untell(&self, untold: &[KnownDevice]) {
        let mut recent = held(&self.recent);
        for device in untold {
            let there = recent.entry((device.tenant, device.key));
            there.or_insert(Recent { expires: device.expires, untold: true }).untold = true;
        }
    }

    pub(super) async fn tell(&self, untold: &[KnownDevice]) -> Result<(), fedbridge_contract::error::StoreError> {
        self.store.know(untold).await
    }
}
