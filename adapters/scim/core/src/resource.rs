//! A resource in the form that is kept, and how it is read from the body of a POST or PUT (RFC 7644 sections 3.3, 3.5.1).

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::error::Fault;
use crate::schema::{Attribute, Mutability, ResourceKind, Schema, Schemas};
use crate::value::{Reader, primaries};
pub use crate::value::{UnknownAttributes, VALUES};

/// What a client says of a resource: attributes under their canonical names, extensions below their URN. Without `id`,
/// `meta`, `schemas`, a group's members and a user's groups and password, none of which is the client's to keep here.
#[derive(Debug, Clone, PartialEq)]
pub struct Resource {
    pub kind: ResourceKind,
    pub document: Map<String, Value>,
}

/// What a body asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    pub resource: Resource,
    /// Never stored, logged or given back.
    pub password: Option<String>,
    /// Of a group, ids as they came; `None`: the body says nothing of them.
    pub members: Option<Vec<String>>,
    /// Paths that were left out, because nobody knows them here.
    pub ignored: Vec<String>,
}

/// What counts for all of an endpoint's resources.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rules {
    pub unknown: UnknownAttributes,
}

impl Draft {
    /// Reads the body of a POST or PUT. What only a server writes is left out (RFC 7644 section 3.3).
    ///
    /// # Errors
    /// `invalidValue`, or `invalidSyntax` where it is no object.
    pub fn read(kind: ResourceKind, body: Value, schemas: &Schemas, rules: Rules) -> Result<Self, Fault> {
        let Value::Object(members) = body else { return Err(Fault::syntax("the body has to be an object")) };
        let mut ignored = Vec::new();
        let mut reader = Reader { unknown: rules.unknown, ignored: &mut ignored };
        let (mut document, mut password, mut in_group) = (Map::new(), None, None);
        for (name, value) in members {
            if let Some(extension) = schemas.extension(kind, &name) {
                if let Some(value) = read_extension(&mut reader, extension, value)? {
                    document.insert(extension.urn.clone(), value);
                }
                continue;
            }
            let Some(attribute) = schemas.attribute(kind, &name) else {
                reader.leave_out(&name)?;
                continue;
            };
            match attribute.name.as_str() {
                "schemas" => check_schemas(kind, &value)?,
                "password" => password = text_of(&value, "password")?,
                "members" if kind == ResourceKind::Group => {
                    in_group = Some(member_ids(&mut reader, attribute, value)?);
                }
                _ if attribute.mutability == Mutability::ReadOnly => {}
                name => {
                    if let Some(value) = reader.value(attribute, value, name)? {
                        document.insert(name.to_owned(), value);
                    }
                }
            }
        }
        let resource = Resource { kind, document };
        resource.check(schemas)?;
        Ok(Self { resource, password, members: in_group, ignored })
    }

    /// A PUT may not change what was to be given once (RFC 7644 section 3.5.1).
    ///
    /// # Errors
    /// `mutability`.
    pub fn check_against(&self, before: &Resource, schemas: &Schemas) -> Result<(), Fault> {
        let core = schemas.core(before.kind).attributes.iter().map(|attribute| (None, attribute));
        let extensions = schemas.extensions(before.kind).iter();
        let extended =
            extensions.flat_map(|schema| schema.attributes.iter().map(move |attribute| (Some(schema), attribute)));
        for (extension, attribute) in core.chain(extended).filter(|(_, it)| it.mutability == Mutability::Immutable) {
            let (old, new) = (before.get(extension, attribute), self.resource.get(extension, attribute));
            if old.is_some() && old != new {
                let detail = format!("{} can't be changed once it is there", attribute.name);
                return Err(Fault::new(crate::ScimType::Mutability, detail));
            }
        }
        Ok(())
    }
}

impl Resource {
    pub fn get(&self, extension: Option<&Schema>, attribute: &Attribute) -> Option<&Value> {
        match extension {
            Some(schema) => self.document.get(&schema.urn)?.get(&attribute.name),
            None => self.document.get(&attribute.name),
        }
    }

    /// An attribute of the core schema that is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.document.get(name).and_then(Value::as_str)
    }

    /// A user is, unless the client says that it is not.
    pub fn is_active(&self) -> bool {
        self.document.get("active") != Some(&Value::Bool(false))
    }

    /// What `schemas` is to say: the core schema and each extension that has values (RFC 7643 section 3).
    pub fn schemas(&self) -> Vec<&str> {
        let mut urns = vec![self.kind.urn()];
        urns.extend(self.document.keys().map(String::as_str).filter(|name| name.contains(':')));
        urns
    }

    /// What has to be there is there, and at most one value is the preferred one.
    pub(crate) fn check(&self, schemas: &Schemas) -> Result<(), Fault> {
        check_attributes(&schemas.core(self.kind).attributes, &self.document, "")?;
        for schema in schemas.extensions(self.kind) {
            if let Some(Value::Object(members)) = self.document.get(&schema.urn) {
                check_attributes(&schema.attributes, members, &format!("{}:", schema.urn))?;
            }
        }
        Ok(())
    }
}

fn check_attributes(attributes: &[Attribute], members: &Map<String, Value>, before: &str) -> Result<(), Fault> {
    for attribute in attributes {
        let name = &attribute.name;
        match members.get(name) {
            None if attribute.required => return Err(Fault::value(format!("{before}{name} is missing"))),
            Some(Value::String(text)) if attribute.required && text.trim().is_empty() => {
                return Err(Fault::value(format!("{before}{name} is empty")));
            }
            Some(Value::Array(values)) if primaries(values) > 1 => {
                return Err(Fault::value(format!("{before}{name} has more than one value that is primary")));
            }
            _ => {}
        }
    }
    Ok(())
}

fn read_extension(reader: &mut Reader<'_>, schema: &Schema, value: Value) -> Result<Option<Value>, Fault> {
    let members = match value {
        Value::Null => return Ok(None),
        Value::Object(members) => members,
        _ => return Err(Fault::value(format!("{} has to be an object", schema.urn))),
    };
    let mut read = Map::new();
    for (name, value) in members {
        let place = format!("{}:{name}", schema.urn);
        match schema.attribute(&name) {
            Some(attribute) if attribute.mutability == Mutability::ReadOnly => {}
            Some(attribute) => {
                if let Some(value) = reader.value(attribute, value, &place)? {
                    read.insert(attribute.name.clone(), value);
                }
            }
            None => reader.leave_out(&place)?,
        }
    }
    Ok((!read.is_empty()).then_some(Value::Object(read)))
}

/// Clients name more than we know, which is no mistake; but a body that says it is something else is one.
fn check_schemas(kind: ResourceKind, value: &Value) -> Result<(), Fault> {
    let Some(urns) = value.as_array() else { return Err(Fault::value("schemas has to be a list")) };
    let named = |urn: &Value| urn.as_str().is_some_and(|urn| urn.eq_ignore_ascii_case(kind.urn()));
    if urns.iter().any(named) { Ok(()) } else { Err(Fault::value(format!("schemas does not name {}", kind.urn()))) }
}

fn text_of(value: &Value, name: &str) -> Result<Option<String>, Fault> {
    match value {
        Value::Null => Ok(None),
        Value::String(text) if text.is_empty() => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        _ => Err(Fault::value(format!("{name} has to be a text"))),
    }
}

/// The ids of members as they come, each once.
pub(crate) fn member_ids(reader: &mut Reader<'_>, members: &Attribute, value: Value) -> Result<Vec<String>, Fault> {
    let values = match value {
        Value::Null => Vec::new(),
        Value::Array(values) => values,
        one => vec![one],
    };
    let mut ids: Vec<String> = Vec::with_capacity(values.len());
    let mut seen = HashSet::with_capacity(values.len());
    for value in values {
        let read = reader.single(members, value, "members")?;
        let id = read.as_ref().and_then(|member| member.get("value")).and_then(Value::as_str);
        let Some(id) = id.filter(|id| !id.is_empty()) else { return Err(Fault::value("a member has no value")) };
        if seen.insert(id.to_owned()) {
            ids.push(id.to_owned());
        }
    }
    Ok(ids)
}
