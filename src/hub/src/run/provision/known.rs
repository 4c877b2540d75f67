//! What this node has kept already: a login that says nothing new writes nothing.

use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fedbridge_contract::ids::{ConnectionId, PersonId, TenantId};

/// Profiles that are remembered: two times as many at the most, some megabytes.
const MOST: usize = 50_000;

/// Shared by all logins of a node.
#[derive(Default)]
pub struct Provisioned {
    profiles: Mutex<Recent<Subject, Said>>,
    groups: Mutex<HashMap<TenantId, Groups>>,
}

/// Of whom something was said, by a person's subject at one connection.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct Subject {
    pub tenant: TenantId,
    pub connection: ConnectionId,
    pub person: PersonId,
    pub key: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Said {
    pub digest: [u8; 32],
    /// Whether the person was given a number, too.
    pub numbered: bool,
}

#[derive(Default)]
struct Groups {
    /// Folded.
    names: HashSet<String>,
    numbered: bool,
}

impl Provisioned {
    pub(super) fn said(&self, subject: &Subject) -> Option<Said> {
        lock(&self.profiles).get(subject)
    }

    pub(super) fn remember(&self, subject: Subject, said: Said) {
        lock(&self.profiles).put(subject, said);
    }

    /// Which of these groups are not known to be there; all of them, where groups are numbered since.
    pub(super) fn unknown<'n>(
        &self,
        tenant: TenantId,
        numbered: bool,
        names: impl IntoIterator<Item = &'n str>,
    ) -> Vec<&'n str> {
        let all = lock(&self.groups);
        let known = all.get(&tenant).filter(|known| known.numbered || !numbered);
        names.into_iter().filter(|name| known.is_none_or(|known| !known.names.contains(&folded(name)))).collect()
    }

    pub(super) fn know<'n>(&self, tenant: TenantId, numbered: bool, names: impl IntoIterator<Item = &'n str>) {
        let mut all = lock(&self.groups);
        let known = all.entry(tenant).or_default();
        known.numbered = numbered;
        known.names.extend(names.into_iter().map(folded));
    }
}

/// Groups of a directory are the same in any case.
pub(in crate::run) fn folded(name: &str) -> String {
    name.to_lowercase()
}

/// Keeps what was used last: the older half goes at once.
struct Recent<K, V> {
    new: HashMap<K, V>,
    old: HashMap<K, V>,
}

impl<K, V> Default for Recent<K, V> {
    fn default() -> Self {
        Self { new: HashMap::new(), old: HashMap::new() }
    }
}

impl<K: Hash + Eq + Clone, V: Copy> Recent<K, V> {
    fn get(&mut self, key: &K) -> Option<V> {
        if let Some(value) = self.new.get(key) {
            return Some(*value);
        }
        let value = *self.old.get(key)?;
        self.put(key.clone(), value);
        Some(value)
    }

    fn put(&mut self, key: K, value: V) {
        if self.new.len() >= MOST {
            self.old = std::mem::take(&mut self.new);
        }
        self.new.insert(key, value);
    }
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn what_is_not_used_for_long_is_forgotten() {
        let mut recent = Recent::default();
        for n in 0..MOST + 10 {
            recent.put(n, n);
            assert_eq!(recent.get(&0), Some(0), "it is used all the time");
        }
        assert_eq!(recent.get(&5), Some(5), "not yet");
        for n in MOST + 10..3 * MOST {
            recent.put(n, n);
        }
        assert_eq!((recent.get(&5), recent.get(&(3 * MOST - 1))), (None, Some(3 * MOST - 1)));
        assert!(recent.new.len() + recent.old.len() <= 2 * MOST);
    }

    #[test]
    fn groups_are_known_in_any_case_until_they_are_numbered() {
        let (known, tenant) = (Provisioned::default(), TenantId::from_uuid(Uuid::nil()));
        let unknown = |numbered| known.unknown(tenant, numbered, ["Dev", "ops"]);
        assert_eq!(unknown(false), ["Dev", "ops"]);
        known.know(tenant, false, ["dEV"]);
        assert_eq!(unknown(false), ["ops"]);
        assert_eq!(unknown(true), ["Dev", "ops"]);
        known.know(tenant, true, ["dev"]);
        assert_eq!((unknown(true), unknown(false)), (vec!["ops"], vec!["ops"]));
    }
}
