//! What one operation does to a document.

use serde_json::{Map, Value};

use super::members;
use super::operation::{Operation, PatchPath, Verb};
use super::{MemberChange, elements};
use crate::error::{Fault, ScimType};
use crate::filter::Filter;
use crate::path::{Place, Target, resolve};
use crate::profiles::Profile;
use crate::resource::Rules;
use crate::schema::{Attribute, Mutability, ResourceKind, Schema, Schemas};
use crate::value::{Reader, not_too_many};

pub(super) struct Work<'s, 'p> {
    pub schemas: &'s Schemas,
    pub kind: ResourceKind,
    pub profile: &'p Profile,
    pub rules: Rules,
    pub document: Map<String, Value>,
    pub password: Option<String>,
    pub members: Vec<MemberChange<'s>>,
    pub ignored: Vec<String>,
}

impl<'s> Work<'s, '_> {
    pub fn operation(&mut self, operation: Operation<'s>) -> Result<(), Fault> {
        let Operation { verb, path, value } = operation;
        match (verb, path) {
            (Verb::Remove, None) => Err(Fault::new(ScimType::NoTarget, "remove needs a path")),
            (Verb::Remove, Some(path)) => self.remove(path, value.filter(|value| !value.is_null())),
            (verb, None) => match value {
                Some(Value::Object(members)) => self.merge(verb, members),
                _ => Err(Fault::value("without a path, value has to be an object")),
            },
            (verb, Some(path)) => self.put(verb, path, value.unwrap_or_default()),
        }
    }

    /// A part of a resource; what only the server writes is left out of it, as in a PUT. Names may be paths: Entra ID
    /// writes `name.givenName` and URNs with an attribute.
    fn merge(&mut self, verb: Verb, members: Map<String, Value>) -> Result<(), Fault> {
        for (name, value) in members {
            let Ok(path) = PatchPath::parse(&name, self.schemas, self.kind) else {
                self.reader().leave_out(&name)?;
                continue;
            };
            match path.place {
                Place::Attribute(target) if target.attribute.mutability == Mutability::ReadOnly => {}
                Place::Attribute(target) if target.is_core("schemas") => {}
                _ => self.put(verb, path, value).map_err(|fault| fault.within(&name))?,
            }
        }
        Ok(())
    }

    fn put(&mut self, verb: Verb, path: PatchPath<'s>, value: Value) -> Result<(), Fault> {
        let target = match path.place {
            Place::Extension(schema) => return self.put_extension(verb, schema, value),
            Place::Attribute(target) => target,
        };
        writable(&target)?;
        if target.is_core("members") && self.kind == ResourceKind::Group {
            self.members.push(members::put(verb, &target, path.filter.is_some(), value)?);
            return Ok(());
        }
        if target.is_core("password") {
            if let Value::String(text) = value {
                self.password = Some(text).filter(|text| !text.is_empty());
            } else if !value.is_null() {
                return Err(Fault::value("password has to be a text"));
            }
            return Ok(());
        }
        match path.filter {
            Some(filter) => self.put_chosen(verb, &target, &filter, value),
            None => match (target.sub, target.attribute.multi_valued) {
                (Some(sub), false) => self.put_part(&target, sub, value),
                (Some(sub), true) => self.put_part_of_all(&target, sub, value),
                (None, true) => self.put_values(verb, &target, value),
                (None, false) => self.put_value(&target, value),
            },
        }
    }

    fn put_extension(&mut self, verb: Verb, schema: &'s Schema, value: Value) -> Result<(), Fault> {
        let Value::Object(members) = value else {
            return Err(Fault::value(format!("{} has to be an object", schema.urn)));
        };
        for (name, value) in members {
            let place = format!("{}:{name}", schema.urn);
            match resolve(self.schemas, self.kind, &place) {
                Ok(place) => self.put(verb, PatchPath { place, filter: None }, value)?,
                Err(_) => self.reader().leave_out(&place)?,
            }
        }
        Ok(())
    }

    /// The only value. Parts of it that are not named stay (RFC 7644 section 3.5.2.3).
    fn put_value(&mut self, target: &Target<'s>, value: Value) -> Result<(), Fault> {
        let emptied = emptied_parts(target.attribute, &value);
        let read = self.read(target.attribute, value, &target.text())?;
        let name = &target.attribute.name;
        if read.is_none() && emptied.is_empty() {
            may_go(target)?;
        }
        in_holder(&mut self.document, target.extension, |holder| match (read, holder.get_mut(name)) {
            (read, Some(Value::Object(old))) if read.is_some() || !emptied.is_empty() => {
                if let Some(Value::Object(new)) = read {
                    old.extend(new);
                }
                for part in emptied {
                    old.shift_remove(&part.name);
                }
                drop_empty(holder, name);
            }
            (Some(new), _) => drop(holder.insert(name.clone(), new)),
            (None, _) => drop(holder.shift_remove(name)),
        });
        Ok(())
    }

    fn put_part(&mut self, target: &Target<'s>, sub: &'s Attribute, value: Value) -> Result<(), Fault> {
        let read = self.read(sub, value, &target.text())?;
        in_holder(&mut self.document, target.extension, |holder| {
            let name = &target.attribute.name;
            let whole = holder.entry(name.clone()).or_insert_with(|| Value::Object(Map::new()));
            if let Value::Object(members) = whole {
                elements::set(members, sub, read);
            }
            drop_empty(holder, name);
        });
        Ok(())
    }

    /// A part of every value; where there is none, of a new one.
    fn put_part_of_all(&mut self, target: &Target<'s>, sub: &'s Attribute, value: Value) -> Result<(), Fault> {
        let read = self.read(sub, value, &target.text())?;
        self.in_values(target, |values| {
            if values.is_empty() && read.is_some() {
                values.push(Value::Object(Map::new()));
            }
            for one in values.iter_mut().filter_map(Value::as_object_mut) {
                elements::set(one, sub, read.clone());
            }
        })
    }

    fn put_values(&mut self, verb: Verb, target: &Target<'s>, value: Value) -> Result<(), Fault> {
        let new = match self.read(target.attribute, value, &target.text())? {
            Some(Value::Array(values)) => values,
            _ => Vec::new(),
        };
        if verb == Verb::Replace && new.is_empty() {
            may_go(target)?;
        }
        self.in_values(target, |values| match verb {
            Verb::Replace => *values = new,
            _ => elements::add(values, target.attribute, new),
        })
    }

    fn put_chosen(&mut self, verb: Verb, target: &Target<'s>, filter: &Filter<'s>, value: Value) -> Result<(), Fault> {
        let place = target.text();
        let read = match target.sub {
            Some(sub) => self.read(sub, value, &place)?,
            None => self.reader().single(target.attribute, value, &place)?,
        };
        let creates = verb == Verb::Add || self.profile.creates_missing_target;
        let attribute = target.attribute;
        // A filter compares with any text, and a value has to be one that could have been sent.
        let made = match creates.then(|| elements::made_of(attribute, filter)).flatten() {
            Some(made) => self.reader().single(attribute, Value::Object(made), &place)?,
            None => None,
        };
        self.in_values(target, |values| {
            let chosen = elements::chosen(values, filter);
            if !chosen.is_empty() {
                elements::put(values, &chosen, target.sub, (verb, read));
                return Ok(());
            }
            let Some(Value::Object(mut made)) = made else {
                let detail = format!("no value of {} is what the path asks for", attribute.name);
                return Err(Fault::new(ScimType::NoTarget, detail));
            };
            match (target.sub, read) {
                (_, None) => return Ok(()),
                (Some(sub), read) => elements::set(&mut made, sub, read),
                (None, Some(Value::Object(members))) => made.extend(members),
                (None, Some(_)) => {}
            }
            elements::add(values, attribute, vec![Value::Object(made)]);
            Ok(())
        })?
    }

    fn remove(&mut self, path: PatchPath<'s>, value: Option<Value>) -> Result<(), Fault> {
        let target = match path.place {
            Place::Extension(schema) => {
                self.document.shift_remove(&schema.urn);
                return Ok(());
            }
            Place::Attribute(target) => target,
        };
        writable(&target)?;
        if target.is_core("members") && self.kind == ResourceKind::Group {
            self.members.push(members::remove(&target, path.filter, value)?);
            return Ok(());
        }
        let attribute = target.attribute;
        if attribute.multi_valued {
            return self.in_values(&target, |values| match (path.filter, value, target.sub) {
                (Some(filter), _, sub) => elements::remove_chosen(values, &filter, sub),
                (None, Some(value), None) => elements::remove_named(values, attribute, &value),
                (None, _, Some(sub)) => {
                    values.iter_mut().filter_map(Value::as_object_mut).for_each(|one| elements::set(one, sub, None));
                }
                (None, None, None) => values.clear(),
            });
        }
        if target.sub.is_none() {
            may_go(&target)?;
        }
        in_holder(&mut self.document, target.extension, |holder| match (target.sub, holder.get_mut(&attribute.name)) {
            (Some(sub), Some(Value::Object(members))) => {
                members.shift_remove(&sub.name);
                drop_empty(holder, &attribute.name);
            }
            (None, Some(_)) => drop(holder.shift_remove(&attribute.name)),
            _ => {}
        });
        Ok(())
    }

    fn reader(&mut self) -> Reader<'_> {
        Reader { unknown: self.rules.unknown, ignored: &mut self.ignored }
    }

    fn read(&mut self, attribute: &Attribute, value: Value, place: &str) -> Result<Option<Value>, Fault> {
        self.reader().value(attribute, value, place)
    }

    /// Does something to the values of a multi-valued attribute. Nothing empty stays (RFC 7643 section 2.5).
    ///
    /// # Errors
    /// There would be too many. Told after each operation, because the next one goes through all of them.
    fn in_values<T>(&mut self, target: &Target<'_>, work: impl FnOnce(&mut Vec<Value>) -> T) -> Result<T, Fault> {
        let name = &target.attribute.name;
        in_holder(&mut self.document, target.extension, |holder| {
            let there = holder.entry(name.clone()).or_insert(Value::Null);
            let mut values = match there.take() {
                Value::Array(values) => values,
                Value::Null => Vec::new(),
                one => vec![one],
            };
            let done = work(&mut values);
            values.retain(|value| value.as_object().is_none_or(|members| !members.is_empty()));
            not_too_many(values.len(), name)?;
            *there = Value::Array(values);
            drop_empty(holder, name);
            Ok(done)
        })
    }
}

/// Does something to the object that an attribute stands in.
fn in_holder<T>(
    document: &mut Map<String, Value>,
    extension: Option<&Schema>,
    work: impl FnOnce(&mut Map<String, Value>) -> T,
) -> T {
    let Some(schema) = extension else { return work(document) };
    let there = document.entry(schema.urn.clone()).or_insert(Value::Null);
    let mut members = match there.take() {
        Value::Object(members) => members,
        _ => Map::new(),
    };
    let done = work(&mut members);
    *there = Value::Object(members);
    drop_empty(document, &schema.urn);
    done
}

fn drop_empty(holder: &mut Map<String, Value>, name: &str) {
    let empty = match holder.get(name) {
        Some(Value::Array(values)) => values.is_empty(),
        Some(Value::Object(members)) => members.is_empty(),
        Some(Value::Null) => true,
        _ => false,
    };
    if empty {
        holder.shift_remove(name);
    }
}

/// Parts of a complex value that are said to be none.
fn emptied_parts<'a>(attribute: &'a Attribute, value: &Value) -> Vec<&'a Attribute> {
    let Value::Object(members) = value else { return Vec::new() };
    members.iter().filter(|(_, value)| value.is_null()).filter_map(|(name, _)| attribute.sub(name)).collect()
}

/// RFC 7644 section 3.5.2: what only a server writes is no target.
fn writable(target: &Target<'_>) -> Result<(), Fault> {
    let attribute = target.sub.filter(|_| target.attribute.mutability != Mutability::ReadOnly);
    let attribute = attribute.unwrap_or(target.attribute);
    match attribute.mutability {
        Mutability::ReadOnly => {
            let detail = format!("{} is written by the server alone", target.text());
            Err(Fault::new(ScimType::Mutability, detail))
        }
        Mutability::ReadWrite | Mutability::Immutable | Mutability::WriteOnly => Ok(()),
    }
}

/// RFC 7644 section 3.5.2.2.
fn may_go(target: &Target<'_>) -> Result<(), Fault> {
    if target.attribute.required {
        return Err(Fault::new(ScimType::Mutability, format!("{} is required, and can't go", target.text())));
    }
    Ok(())
}
