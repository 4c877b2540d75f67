//! What is different between two documents.

use serde_json::{Map, Value};

/// One attribute that changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// `userName`, `name.familyName`, or a URN with an attribute.
    pub path: String,
    /// `None`: it was not there, or is never shown.
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// In the order of the names. A password is named, and nothing more.
pub fn between(before: &Map<String, Value>, after: &Map<String, Value>, password: bool) -> Vec<Change> {
    let mut changes = Vec::new();
    compare(before, after, "", &mut changes);
    if password {
        changes.push(Change { path: "password".to_owned(), before: None, after: None });
    }
    changes.sort_by(|one, other| one.path.cmp(&other.path));
    changes
}

fn compare(before: &Map<String, Value>, after: &Map<String, Value>, prefix: &str, changes: &mut Vec<Change>) {
    let names = before.keys().chain(after.keys().filter(|name| !before.contains_key(*name)));
    for name in names {
        let (old, new) = (before.get(name), after.get(name));
        if old == new {
            continue;
        }
        if name.contains(':') {
            let none = Map::new();
            let members = |value: Option<&'_ Value>| value.and_then(Value::as_object).cloned();
            let (old, new) = (members(old).unwrap_or_else(|| none.clone()), members(new).unwrap_or(none));
            compare(&old, &new, &format!("{name}:"), changes);
        } else if let (Some(Value::Object(old)), Some(Value::Object(new))) = (old, new) {
            compare(old, new, &format!("{prefix}{name}."), changes);
        } else {
            changes.push(Change { path: format!("{prefix}{name}"), before: old.cloned(), after: new.cloned() });
        }
    }
}
