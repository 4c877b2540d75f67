//! Documents that clients publish: key sets and sector lists. Fetched through the
//! one way out, kept for a while, and never fetched again and again for an attacker.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fedbridge_contract::services::{Egress, EgressLimits};
use fedbridge_contract::time::Timestamp;
use serde_json::Value;

use super::client_keys::{ClientKey, published_set};
use super::strict_json;

/// For this long a document is used without asking.
const FRESH: Duration = Duration::from_secs(3600);
/// For this long an old document is better than none.
const STALE: Duration = Duration::from_secs(24 * 3600);
/// The shortest time between two attempts at one address.
const PAUSE: Duration = Duration::from_secs(300);
/// The first look for a key that is not there may come sooner, once.
const EARLY_PAUSE: Duration = Duration::from_secs(10);
/// Documents kept at most; the oldest goes first.
const MAX_DOCUMENTS: usize = 1024;
const LIMITS: EgressLimits = EgressLimits { max_body: 256 * 1024, timeout: Duration::from_secs(5) };

/// Key sets and sector lists by address.
pub(crate) struct Remote {
    keys: Cache<Vec<ClientKey>>,
    sectors: Cache<Vec<String>>,
}

impl Remote {
    pub(crate) fn new() -> Self {
        Self { keys: Cache::new(), sectors: Cache::new() }
    }

    /// The keys at an address. `satisfied` says whether a set holds the key that is wanted: if
    /// not, it is fetched once more, unless that was tried a short while ago.
    pub(crate) async fn keys(
        &self,
        egress: &dyn Egress,
        url: &str,
        now: Timestamp,
        satisfied: impl Fn(&[ClientKey]) -> bool + Send + Sync,
    ) -> Result<Arc<Vec<ClientKey>>, String> {
        self.keys.get(egress, url, now, |keys: &Vec<ClientKey>| satisfied(keys), read_keys).await
    }

    /// The addresses that a sector_identifier_uri lists (OpenID Connect Core 8.1).
    pub(crate) async fn sector(
        &self,
        egress: &dyn Egress,
        url: &str,
        now: Timestamp,
        satisfied: impl Fn(&[String]) -> bool + Send + Sync,
    ) -> Result<Arc<Vec<String>>, String> {
        self.sectors.get(egress, url, now, |list: &Vec<String>| satisfied(list), read_sector).await
    }
}

fn read_keys(body: &[u8]) -> Result<Vec<ClientKey>, String> {
    let set = strict_json::object(body).map_err(|why| format!("the key set is {why}"))?;
    let keys = published_set(&set);
    if keys.is_empty() { Err("the key set has no usable signature key".into()) } else { Ok(keys) }
}

fn read_sector(body: &[u8]) -> Result<Vec<String>, String> {
    let list = serde_json::from_slice::<Value>(body).ok();
    let list = list.as_ref().and_then(Value::as_array).ok_or("the sector document is not a JSON list")?;
    list.iter()
        .map(|item| item.as_str().map(str::to_owned).ok_or("the sector document lists more than texts".into()))
        .collect()
}

struct Cache<T> {
    entries: Mutex<HashMap<String, Entry<T>>>,
}

struct Entry<T> {
    value: Option<Arc<T>>,
    fetched: Timestamp,
    attempted: Timestamp,
    /// Whether the last attempt was an early look for something that was missing.
    early: bool,
    failed: bool,
}

impl<T: Send + Sync> Cache<T> {
    fn new() -> Self {
        Self { entries: Mutex::new(HashMap::new()) }
    }

    async fn get(
        &self,
        egress: &dyn Egress,
        url: &str,
        now: Timestamp,
        satisfied: impl Fn(&T) -> bool + Send + Sync,
        read: fn(&[u8]) -> Result<T, String>,
    ) -> Result<Arc<T>, String> {
        let held = match self.look(url, now, satisfied) {
            Look::Use(value) => return Ok(value),
            Look::Wait => return Err(format!("{url} could not be used a short while ago; it is not asked again yet")),
            Look::Fetch(held) => held,
        };
        // Whoever waits for this may hang up at any time: then it is a failed attempt.
        let attempt = Attempt { cache: self, url, succeeded: false };
        match fetch(egress, url, read).await {
            Ok(value) => {
                let value = Arc::new(value);
                attempt.succeed(Arc::clone(&value), now);
                Ok(value)
            }
            Err(cause) => held.ok_or(cause),
        }
    }

    /// Decides without waiting, and notes an attempt before it is made, so that many
    /// requests at once make one fetch where an older document can serve them.
    fn look(&self, url: &str, now: Timestamp, satisfied: impl Fn(&T) -> bool) -> Look<T> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(entry) = entries.get_mut(url) else {
            make_room(&mut entries);
            let entry = Entry { value: None, fetched: now, attempted: now, early: false, failed: false };
            entries.insert(url.to_owned(), entry);
            return Look::Fetch(None);
        };
        let held = entry.value.clone().filter(|_| now.since(entry.fetched) < STALE);
        let good = held.as_ref().is_some_and(|value| satisfied(value));
        if good && now.since(entry.fetched) < FRESH {
            return held.map_or(Look::Wait, Look::Use);
        }
        if held.is_none() && !entry.failed {
            // The first fetch is under way; this request makes its own.
            return Look::Fetch(None);
        }
        let early = !entry.early && now.since(entry.attempted) >= EARLY_PAUSE;
        if early || now.since(entry.attempted) >= PAUSE {
            entry.early = now.since(entry.attempted) < PAUSE;
            entry.attempted = now;
            return Look::Fetch(held);
        }
        held.map_or(Look::Wait, Look::Use)
    }

    fn keep(&self, url: &str, value: Arc<T>, now: Timestamp) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get_mut(url) {
            entry.value = Some(value);
            entry.fetched = now;
            entry.failed = false;
        }
    }

    fn note_failure(&self, url: &str) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = entries.get_mut(url) {
            entry.failed = true;
        }
    }
}

/// A fetch under way. Dropped before it succeeded, it counts as failed.
struct Attempt<'a, T: Send + Sync> {
    cache: &'a Cache<T>,
    url: &'a str,
    succeeded: bool,
}

impl<T: Send + Sync> Attempt<'_, T> {
    fn succeed(mut self, value: Arc<T>, now: Timestamp) {
        self.cache.keep(self.url, value, now);
        self.succeeded = true;
    }
}

impl<T: Send + Sync> Drop for Attempt<'_, T> {
    fn drop(&mut self) {
        if !self.succeeded {
            self.cache.note_failure(self.url);
        }
    }
}

enum Look<T> {
    Use(Arc<T>),
    Fetch(Option<Arc<T>>),
    Wait,
}

fn make_room<T>(entries: &mut HashMap<String, Entry<T>>) {
    if entries.len() >= MAX_DOCUMENTS {
        let oldest = entries.iter().min_by_key(|(_, entry)| entry.attempted).map(|(url, _)| url.clone());
        if let Some(oldest) = oldest {
            entries.remove(&oldest);
        }
    }
}

async fn fetch<T>(egress: &dyn Egress, url: &str, read: fn(&[u8]) -> Result<T, String>) -> Result<T, String> {
    let fetched = egress.get(url, LIMITS).await.map_err(|error| error.to_string())?;
    if fetched.status != 200 {
        return Err(format!("{url} answered with status {}", fetched.status));
    }
    read(&fetched.body).map_err(|cause| format!("{url}: {cause}"))
}
