//! A YAML document as a tree in which every value knows its line.

use fedbridge_contract::error::Complaint;
use saphyr::{LoadableYamlNode as _, MarkedYamlOwned, ScalarOwned, YamlDataOwned};
use serde_json::{Map, Number, Value};

use crate::settings::complaints::{Complaints, Place};

#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The line of the key, where the value stands behind one.
    pub place: Place,
    pub value: NodeValue,
}

#[derive(Debug, Clone, PartialEq)]
pub enum NodeValue {
    Null,
    Flag(bool),
    Integer(i64),
    Float(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    pub key: String,
    pub node: Node,
}

impl Node {
    /// Parses one document. `source` is the file's name as it is shown.
    ///
    /// YAML's own errors (and a key that stands twice) stop the reading of that file.
    pub fn parse(source: &str, text: &str, complaints: &mut Complaints) -> Option<Self> {
        let documents = match MarkedYamlOwned::load_from_str(text) {
            Ok(documents) => documents,
            Err(error) => {
                let place = Place::new(source, error.marker().line().max(1));
                complaints.add(&place, "", format!("this is not valid YAML: {}", error.info()));
                return None;
            }
        };
        let mut documents = documents.into_iter();
        let Some(first) = documents.next() else {
            complaints.add(&Place::new(source, 1), "", "the file is empty; it starts with `version: 1`");
            return None;
        };
        if let Some(second) = documents.next() {
            let place = Place::new(source, second.span.start.line());
            complaints.add(&place, "", "a second document starts here; a bridge file is one document");
            return None;
        }
        let place = Place::new(source, first.span.start.line().max(1));
        convert(first, place, complaints)
    }

    /// The entry of a map; `None` for any other value, for a missing key and for `null`.
    pub fn get(&self, key: &str) -> Option<&Node> {
        let NodeValue::Map(entries) = &self.value else { return None };
        let entry = entries.iter().find(|entry| entry.key == key)?;
        (entry.node.value != NodeValue::Null).then_some(&entry.node)
    }

    pub fn text(&self) -> Option<&str> {
        match &self.value {
            NodeValue::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn kind(&self) -> &'static str {
        match &self.value {
            NodeValue::Null => "nothing",
            NodeValue::Flag(_) => "true or false",
            NodeValue::Integer(_) | NodeValue::Float(_) => "a number",
            NodeValue::Text(_) => "text",
            NodeValue::List(_) => "a list",
            NodeValue::Map(_) => "a map",
        }
    }

    /// The same value without lines. Entries that are `null` are left out of the outermost map.
    pub fn json(&self) -> Value {
        match &self.value {
            NodeValue::Null => Value::Null,
            NodeValue::Flag(value) => Value::Bool(*value),
            NodeValue::Integer(value) => Value::Number((*value).into()),
            NodeValue::Float(value) => Number::from_f64(*value).map_or(Value::Null, Value::Number),
            NodeValue::Text(text) => Value::String(text.clone()),
            NodeValue::List(items) => Value::Array(items.iter().map(Node::json).collect()),
            NodeValue::Map(entries) => {
                let pairs = entries.iter().map(|entry| (entry.key.clone(), entry.node.json()));
                Value::Object(pairs.collect::<Map<_, _>>())
            }
        }
    }

    /// The deepest place that a path such as `redirect_uris[1]` or `idp_metadata.file` reaches.
    pub fn place_of(&self, path: &str) -> &Place {
        let mut node = self;
        for step in path.split(['.', '[', ']']).filter(|step| !step.is_empty()) {
            let next = match &node.value {
                NodeValue::Map(entries) => entries.iter().find(|entry| entry.key == step).map(|entry| &entry.node),
                NodeValue::List(items) => step.parse::<usize>().ok().and_then(|index| items.get(index)),
                _ => None,
            };
            match next {
                Some(next) => node = next,
                None => break,
            }
        }
        &node.place
    }

    /// Turns complaints about this object into complaints about lines of the file.
    pub fn locate(&self, path: &str, found: Vec<Complaint>, complaints: &mut Complaints) {
        for complaint in found {
            let full = if complaint.path.is_empty() { path.to_owned() } else { format!("{path}.{}", complaint.path) };
            complaints.add(self.place_of(&complaint.path), full, complaint.message);
        }
    }
}

fn convert(yaml: MarkedYamlOwned, place: Place, complaints: &mut Complaints) -> Option<Node> {
    let line = |node: &MarkedYamlOwned| Place::new(place.source.clone(), node.span.start.line().max(1));
    let value = match yaml.data {
        YamlDataOwned::Value(scalar) => match scalar {
            ScalarOwned::Null => NodeValue::Null,
            ScalarOwned::Boolean(value) => NodeValue::Flag(value),
            ScalarOwned::Integer(value) => NodeValue::Integer(value),
            ScalarOwned::FloatingPoint(value) => NodeValue::Float(value.into_inner()),
            ScalarOwned::String(text) => NodeValue::Text(text),
        },
        YamlDataOwned::Sequence(items) => {
            let items = items.into_iter().filter_map(|item| {
                let place = line(&item);
                convert(item, place, complaints)
            });
            NodeValue::List(items.collect())
        }
        YamlDataOwned::Mapping(pairs) => {
            let mut entries = Vec::new();
            for (key, value) in pairs {
                let place = line(&key);
                let YamlDataOwned::Value(ScalarOwned::String(key)) = key.data else {
                    complaints.add(&place, "", "a key must be text; put it in quotes");
                    continue;
                };
                if let Some(node) = convert(value, place, complaints) {
                    entries.push(Entry { key, node });
                }
            }
            NodeValue::Map(entries)
        }
        YamlDataOwned::Tagged(..) => {
            complaints.add(&place, "", "YAML tags are not used in a bridge file; remove the tag");
            return None;
        }
        YamlDataOwned::Representation(..) | YamlDataOwned::Alias(_) | YamlDataOwned::BadValue => {
            complaints.add(&place, "", "this value can't be read as YAML");
            return None;
        }
    };
    Some(Node { place, value })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parse(text: &str) -> (Option<Node>, Vec<String>) {
        let mut complaints = Complaints::new();
        let node = Node::parse("f", text, &mut complaints);
        (node, complaints.sorted().iter().map(ToString::to_string).collect())
    }

    #[test]
    fn every_value_knows_its_line() {
        let (node, complaints) = parse("a: 1\nlist:\n  - x: one\n    y: |\n      block\n  -\n    z: null\n");
        assert_eq!(complaints, Vec::<String>::new());
        let node = node.unwrap();
        for (path, line) in
            [("a", 1), ("list", 2), ("list[0]", 3), ("list[0].x", 3), ("list[0].y", 4), ("list[1].z", 7)]
        {
            assert_eq!(node.place_of(path).line, line, "{path}");
        }
        assert_eq!(node.place_of("list[0].y.deeper").line, 4);
        assert_eq!(node.json(), serde_json::json!({"a": 1, "list": [{"x": "one", "y": "block\n"}, {"z": null}]}));
    }

    #[test]
    fn broken_documents_name_a_line() {
        for (text, start) in [
            ("a: [1\nb: 2\n", "f:"),
            ("a: 1\na: 2\n", "f:2: this is not valid YAML"),
            ("", "f:1: the file is empty"),
            ("a: 1\n---\nb: 2\n", "f:3: a second document"),
            ("a: !thing {b: 1}\n", "f:1: YAML tags"),
            ("1: x\n", "f:1: a key must be text"),
        ] {
            let (_, complaints) = parse(text);
            assert!(complaints.len() == 1 && complaints[0].starts_with(start), "{text:?}: {complaints:?}");
        }
    }
}
