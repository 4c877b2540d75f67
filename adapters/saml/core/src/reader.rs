//! Reads typed values out of a map and collects what is wrong with it.

use fedbridge_contract::error::Complaint;
use fedbridge_contract::text::nearest;
use serde_json::{Map, Value};

/// Each method complains where a value has the wrong type and gives `None` then;
/// `null` counts as absent.
#[derive(Default)]
pub struct Reader {
    complaints: Vec<Complaint>,
}

impl Reader {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn complain(&mut self, path: &str, message: impl Into<String>) {
        self.complaints.push(Complaint::new(path, message));
    }

    pub fn finish<T>(self, value: T) -> Result<T, Vec<Complaint>> {
        if self.complaints.is_empty() { Ok(value) } else { Err(self.complaints) }
    }

    /// Complains about every other key, with the nearest that is known.
    pub fn only_keys(&mut self, object: &Map<String, Value>, path: &str, known: &[&str]) {
        for key in object.keys().filter(|key| !known.contains(&key.as_str())) {
            let message = match nearest(key, known.iter().copied()) {
                Some(name) => format!("unknown key; the nearest known one is `{name}`"),
                None => format!("unknown key; known are {}", known.join(", ")),
            };
            self.complain(&join(path, key), message);
        }
    }

    /// A text that is not empty.
    pub fn text(&mut self, object: &Map<String, Value>, path: &str, key: &str) -> Option<String> {
        match object.get(key) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if !text.trim().is_empty() => Some(text.clone()),
            Some(Value::String(_)) => {
                self.complain(&join(path, key), "is empty");
                None
            }
            Some(_) => {
                self.complain(&join(path, key), "must be a text");
                None
            }
        }
    }

    pub fn texts(&mut self, object: &Map<String, Value>, path: &str, key: &str) -> Option<Vec<String>> {
        let list = match object.get(key) {
            None | Some(Value::Null) => return None,
            Some(Value::Array(list)) => list,
            Some(_) => {
                self.complain(&join(path, key), "must be a list of texts");
                return None;
            }
        };
        let texts: Vec<_> =
            list.iter().filter_map(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned).collect();
        if texts.len() != list.len() {
            self.complain(&join(path, key), "must hold texts alone, none of them empty");
        }
        Some(texts)
    }

    pub fn boolean(&mut self, object: &Map<String, Value>, path: &str, key: &str) -> Option<bool> {
        match object.get(key) {
            None | Some(Value::Null) => None,
            Some(Value::Bool(value)) => Some(*value),
            Some(_) => {
                self.complain(&join(path, key), "must be true or false");
                None
            }
        }
    }

    pub fn map<'a>(&mut self, object: &'a Map<String, Value>, path: &str, key: &str) -> Option<&'a Map<String, Value>> {
        match object.get(key) {
            None | Some(Value::Null) => None,
            Some(Value::Object(inner)) => Some(inner),
            Some(_) => {
                self.complain(&join(path, key), "must be a map");
                None
            }
        }
    }

    pub fn choice<T: Copy>(
        &mut self,
        object: &Map<String, Value>,
        path: &str,
        key: &str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let value = match object.get(key) {
            None | Some(Value::Null) => return None,
            Some(value) => value,
        };
        let found = value.as_str().and_then(|text| choices.iter().find(|(name, _)| *name == text));
        if found.is_none() {
            let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
            self.complain(&join(path, key), format!("must be one of {}", names.join(", ")));
        }
        found.map(|(_, value)| *value)
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
