//! What of a document the hub wants to know: who it is, what it is looked up by, and what the mapping's rules see.

use std::io;

use fedbridge_contract::identity::Attributes;
use fedbridge_contract::password::Password;
use fedbridge_contract::push::{RecordData, RecordKey, RecordKind};
use fedbridge_scim_core::filter::folded;
use fedbridge_scim_core::path::{Place, resolve};
use fedbridge_scim_core::resource::Resource;
use fedbridge_scim_core::{Fault, ResourceKind};
use serde_json::{Map, Value};

use crate::endpoint::Endpoint;

/// E-mail addresses of one user: each is looked up by.
const MOST_EMAILS: usize = 100;

/// Octets of one resource as JSON, without its members.
const MOST_OCTETS: usize = 256 * 1024;

pub const fn record_kind(kind: ResourceKind) -> RecordKind {
    match kind {
        ResourceKind::User => RecordKind::User,
        ResourceKind::Group => RecordKind::Group,
    }
}

pub const fn resource_kind(kind: RecordKind) -> ResourceKind {
    match kind {
        RecordKind::User => ResourceKind::User,
        RecordKind::Group => ResourceKind::Group,
    }
}

impl Endpoint {
    /// # Errors
    /// `invalidValue` for more than can be kept.
    pub fn data(&self, resource: &Resource, password: Option<String>) -> Result<RecordData, Fault> {
        let document = &resource.document;
        if !fits(document) {
            return Err(Fault::plain(413, format!("a resource has {MOST_OCTETS} octets at most")));
        }
        let external_id = resource.text("externalId").map(str::to_owned);
        let shared = RecordData { document: Value::Object(document.clone()), external_id, ..RecordData::default() };
        let name = resource.text("displayName");
        Ok(match resource.kind {
            ResourceKind::User => {
                let user_name = resource.text("userName").unwrap_or_default();
                let emails = values_of(document.get("emails"), "value");
                if emails.len() > MOST_EMAILS {
                    return Err(Fault::value(format!("a user has {MOST_EMAILS} e-mail addresses at most")));
                }
                RecordData {
                    display: name.unwrap_or(user_name).to_owned(),
                    unique: Some(folded(user_name)),
                    keys: emails.iter().map(|email| RecordKey::Email(folded(email))).collect(),
                    active: resource.is_active(),
                    attributes: attributes(document),
                    match_value: self.match_value(document),
                    password: password.filter(|_| self.settings.passwords).and_then(Password::new),
                    ..shared
                }
            }
            ResourceKind::Group => {
                let name = name.unwrap_or_default();
                RecordData {
                    display: name.to_owned(),
                    unique: self.settings.profile.unique_group_names.then(|| folded(name)),
                    keys: vec![RecordKey::Display(folded(name))],
                    active: true,
                    group_name: Some(name.to_owned()),
                    ..shared
                }
            }
        })
    }

    /// The first value, the preferred one before others.
    fn match_value(&self, document: &Map<String, Value>) -> Option<String> {
        let place = resolve(&self.settings.schemas, ResourceKind::User, &self.settings.match_path).ok()?;
        let Place::Attribute(target) = place else { return None };
        let holder = match target.extension {
            Some(schema) => document.get(&schema.urn)?.as_object()?,
            None => document,
        };
        let part = target.sub.or_else(|| target.attribute.default_sub());
        let value = holder.get(&target.attribute.name);
        match part {
            Some(part) => values_of(value, &part.name).into_iter().next(),
            None => texts(value?).into_iter().next(),
        }
    }
}

/// Counts, and writes nothing.
fn fits(document: &Map<String, Value>) -> bool {
    struct Left(usize);
    impl io::Write for Left {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            self.0 = self.0.checked_sub(octets.len()).ok_or(io::ErrorKind::WriteZero)?;
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    serde_json::to_writer(Left(MOST_OCTETS), document).is_ok()
}

/// Under the names of RFC 7643: `name.givenName`, `emails` with the preferred one first, `emails[type eq "work"].value`,
/// and a schema's URN before what is its own. What is in an extension has its short name too.
fn attributes(document: &Map<String, Value>) -> Attributes {
    let mut found = Attributes::new();
    for (name, value) in document {
        match value {
            Value::Object(members) if name.contains(':') => {
                for (inner, value) in members {
                    add(&mut found, &format!("{name}:{inner}"), value);
                    if !document.contains_key(inner) {
                        add(&mut found, inner, value);
                    }
                }
            }
            value => add(&mut found, name, value),
        }
    }
    found
}

fn add(found: &mut Attributes, name: &str, value: &Value) {
    match value {
        Value::Object(members) => {
            for (part, value) in members {
                push_all(found, &format!("{name}.{part}"), texts(value));
            }
            // A manager is the manager's id.
            push_all(found, name, members.get("value").map(texts).unwrap_or_default());
        }
        Value::Array(values) if values.iter().any(Value::is_object) => {
            let values = preferred_first(values);
            push_all(found, name, values.iter().flat_map(|one| values_of(Some(one), "value")).collect());
            for one in &values {
                let Some(members) = one.as_object() else { continue };
                let kind = members.get("type").and_then(Value::as_str);
                for (part, value) in members.iter().filter(|(part, _)| *part != "primary" && *part != "type") {
                    if part != "value" {
                        push_all(found, &format!("{name}.{part}"), texts(value));
                    }
                    if let Some(kind) = kind {
                        push_all(found, &format!("{name}[type eq \"{kind}\"].{part}"), texts(value));
                    }
                }
            }
        }
        value => push_all(found, name, texts(value)),
    }
}

fn push_all(found: &mut Attributes, name: &str, values: Vec<String>) {
    for value in values {
        found.push(name, value);
    }
}

/// A part of each value, the preferred value first.
fn values_of(value: Option<&Value>, part: &str) -> Vec<String> {
    match value {
        Some(Value::Array(values)) => {
            preferred_first(values).into_iter().filter_map(|one| one.get(part)).flat_map(texts).collect()
        }
        Some(Value::Object(members)) => members.get(part).map(texts).unwrap_or_default(),
        _ => Vec::new(),
    }
}

fn preferred_first(values: &[Value]) -> Vec<&Value> {
    let mut values: Vec<_> = values.iter().collect();
    values.sort_by_key(|value| value.get("primary") != Some(&Value::Bool(true)));
    values
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Bool(_) | Value::Number(_) => vec![value.to_string()],
        Value::Array(values) => values.iter().filter(|value| !value.is_array()).flat_map(texts).collect(),
        Value::Null | Value::Object(_) => Vec::new(),
    }
}
