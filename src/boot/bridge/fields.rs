//! Reading one map by its fields. Whatever was not asked for is an unknown key.

use fedbridge_contract::factory::Field;
use fedbridge_contract::text::{self, A_DURATION, unknown_key};

use crate::settings::complaints::{Complaints, Place};

use super::node::{Entry, Node, NodeValue};

/// A map under reading.
pub struct Fields<'a> {
    node: &'a Node,
    entries: &'a [Entry],
    path: String,
    asked: Vec<String>,
}

impl<'a> Fields<'a> {
    /// Complains where the node is not a map.
    pub fn of(node: &'a Node, path: impl Into<String>, complaints: &mut Complaints) -> Option<Self> {
        let path = path.into();
        match &node.value {
            NodeValue::Map(entries) => Some(Self { node, entries, path, asked: Vec::new() }),
            _ => {
                complaints.add(&node.place, path, format!("expected a map, found {}", node.kind()));
                None
            }
        }
    }

    pub fn node(&self) -> &'a Node {
        self.node
    }

    /// The path of a field of this map.
    pub fn path(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }

    pub fn own_path(&self) -> &str {
        &self.path
    }

    /// A field, if it is there and not `null`.
    pub fn take(&mut self, key: &str) -> Option<&'a Node> {
        self.asked.push(key.to_owned());
        self.node.get(key)
    }

    pub fn text(&mut self, key: &str, complaints: &mut Complaints) -> Option<String> {
        let node = self.take(key)?;
        match &node.value {
            NodeValue::Text(text) => Some(text.clone()),
            NodeValue::Integer(_) | NodeValue::Float(_) | NodeValue::Flag(_) => {
                complaints.add(
                    &node.place,
                    self.path(key),
                    format!("expected text, found {}; put it in quotes", node.kind()),
                );
                None
            }
            _ => {
                complaints.add(&node.place, self.path(key), format!("expected text, found {}", node.kind()));
                None
            }
        }
    }

    /// A duration, as it is written.
    pub fn duration(&mut self, key: &str, complaints: &mut Complaints) -> Option<String> {
        let node = self.take(key)?;
        let Some(text) = node.text() else {
            complaints.add(&node.place, self.path(key), format!("expected {A_DURATION}, found {}", node.kind()));
            return None;
        };
        match text::duration(text) {
            Ok(_) => Some(text.to_owned()),
            Err(message) => {
                complaints.add(&node.place, self.path(key), message);
                None
            }
        }
    }

    pub fn required(&mut self, key: &str, complaints: &mut Complaints) -> Option<String> {
        if self.take(key).is_none() {
            complaints.add(self.node.place_of(key), self.path(key), "missing; it is required");
            return None;
        }
        self.text(key, complaints)
    }

    pub fn flag(&mut self, key: &str, default: bool, complaints: &mut Complaints) -> bool {
        match self.take(key) {
            None => default,
            Some(Node { value: NodeValue::Flag(value), .. }) => *value,
            Some(node) => {
                complaints.add(&node.place, self.path(key), format!("expected true or false, found {}", node.kind()));
                default
            }
        }
    }

    /// One of these words.
    pub fn choice<T: Copy>(&mut self, key: &str, words: &[(&str, T)], complaints: &mut Complaints) -> Option<T> {
        let node = self.take(key)?;
        let found = node.text().and_then(|text| words.iter().find(|(word, _)| *word == text));
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            let there = node.text().map_or_else(|| node.kind().to_owned(), |text| format!("`{text}`"));
            let message = format!("expected one of {}, found {there}", known.join(", "));
            complaints.add(&node.place, self.path(key), message);
        }
        found.map(|(_, value)| *value)
    }

    /// The items of a list; empty where it is absent.
    pub fn list(&mut self, key: &str, complaints: &mut Complaints) -> &'a [Node] {
        match self.take(key) {
            None => &[],
            Some(Node { value: NodeValue::List(items), .. }) => items,
            Some(node) => {
                complaints.add(&node.place, self.path(key), format!("expected a list, found {}", node.kind()));
                &[]
            }
        }
    }

    /// Texts of a list, each with its place; `None` where the field is absent.
    pub fn texts(&mut self, key: &str, complaints: &mut Complaints) -> Option<Vec<(String, &'a Place)>> {
        self.take(key)?;
        let mut texts: Vec<(String, &Place)> = Vec::new();
        for (index, item) in self.list(key, complaints).iter().enumerate() {
            let path = format!("{}[{index}]", self.path(key));
            match item.text() {
                Some(text) if texts.iter().any(|(there, _)| there == text) => {
                    complaints.add(&item.place, path, format!("`{text}` stands here twice"));
                }
                Some(text) => texts.push((text.to_owned(), &item.place)),
                None => complaints.add(&item.place, path, format!("expected text, found {}", item.kind())),
            }
        }
        Some(texts)
    }

    /// Everything beside the keys that the reference has of such an object: the protocol's own settings. What
    /// is read here and is not in the reference would be refused there.
    pub fn beside(&self, reference: &[Field]) -> Vec<&'a Entry> {
        self.entries.iter().filter(|entry| !reference.iter().any(|field| field.name == entry.key)).collect()
    }

    /// Complains about the keys that nobody asked for.
    pub fn finish(self, complaints: &mut Complaints) {
        let known: Vec<&str> = self.asked.iter().map(String::as_str).collect();
        for entry in self.entries.iter().filter(|entry| !known.contains(&entry.key.as_str())) {
            unknown(entry, &self.path(&entry.key), &known, complaints);
        }
    }
}

/// The complaint about a key that nobody knows.
pub fn unknown(entry: &Entry, path: &str, known: &[&str], complaints: &mut Complaints) {
    complaints.add(&entry.node.place, path, unknown_key(&entry.key, known, &[]));
}
