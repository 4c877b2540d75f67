//! What differs between two descriptions of one object, by the names of the bridge file.

use std::collections::BTreeSet;

use fedbridge_hub::spec::{Managed, SecretOwner, SecretValue, StoredSecret};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::bridge::desired::Secrets;

/// Names of fields that differ. Settings count one by one.
pub fn fields<T: Serialize>(old: &T, new: &T, managed: Managed, names: &[(&str, &str)]) -> Vec<String> {
    let (old, new) = (flat(old), flat(new));
    let mut differing = Vec::new();
    for key in new.keys().chain(old.keys().filter(|key| !new.contains_key(*key))) {
        if old.get(key) != new.get(key) {
            let shown = names.iter().find(|(from, _)| from == key).map_or(key.as_str(), |(_, to)| to);
            differing.push(shown.to_owned());
        }
    }
    if managed == Managed::Elsewhere {
        differing.push("owned by the file from now on".to_owned());
    }
    differing
}

/// The fields of a description, those of `settings` and `extras` among them; `null` counts as absent.
fn flat<T: Serialize>(spec: &T) -> Map<String, Value> {
    let mut flat = Map::new();
    if let Ok(Value::Object(fields)) = serde_json::to_value(spec) {
        for (key, value) in fields {
            match value {
                Value::Object(inner) if key == "settings" || key == "extras" => flat.extend(inner),
                value => {
                    flat.insert(key, value);
                }
            }
        }
    }
    flat.retain(|_, value| !value.is_null());
    flat
}

/// Secrets to put, and the names of those to delete.
pub struct SecretChanges {
    pub put: Vec<(String, SecretValue)>,
    pub delete: Vec<String>,
}

impl SecretChanges {
    pub fn between(stored: &[StoredSecret], owner: SecretOwner, desired: &Secrets) -> Self {
        let old: Vec<_> = stored.iter().filter(|secret| secret.owner == owner).collect();
        let same = |name: &str, value: &SecretValue| old.iter().any(|s| s.name == name && same_secret(&s.value, value));
        let put = desired.0.iter().filter(|(name, value)| !same(name, value));
        let delete = old.iter().filter(|secret| !desired.0.contains_key(&secret.name));
        Self {
            put: put.map(|(name, value)| (name.clone(), value.clone())).collect(),
            delete: delete.map(|secret| secret.name.clone()).collect(),
        }
    }

    /// The settings whose secrets change, without an index and each once.
    pub fn fields(&self) -> BTreeSet<String> {
        let names = self.put.iter().map(|(name, _)| name).chain(&self.delete);
        names.map(|name| name.split('/').next().unwrap_or(name).to_owned()).collect()
    }
}

fn same_secret(a: &SecretValue, b: &SecretValue) -> bool {
    match (a, b) {
        (SecretValue::Hashed(a), SecretValue::Hashed(b)) => a == b,
        (SecretValue::Clear(a), SecretValue::Clear(b)) => a.len() == b.len() && openssl::memcmp::eq(a, b),
        _ => false,
    }
}
