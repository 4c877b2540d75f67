//! Which attributes an answer has (RFC 7644 section 3.9).

use std::collections::HashSet;

use serde_json::{Map, Value};

use crate::error::Fault;
use crate::path::{Place, Target, resolve};
use crate::schema::{ResourceKind, Returned, Schemas};

/// Names in one request.
const NAMES: usize = 200;

#[derive(Debug, Clone, PartialEq)]
pub struct Projection<'s> {
    schemas: &'s Schemas,
    kind: ResourceKind,
    mode: Mode<'s>,
}

#[derive(Debug, Clone, PartialEq)]
enum Mode<'s> {
    Default,
    Only(Vec<Place<'s>>),
    Without(Vec<Place<'s>>),
}

impl<'s> Projection<'s> {
    /// Names that are not known ask for nothing.
    ///
    /// # Errors
    /// `invalidValue` where both lists are given.
    pub fn read(
        attributes: Option<&[String]>,
        excluded: Option<&[String]>,
        schemas: &'s Schemas,
        kind: ResourceKind,
    ) -> Result<Self, Fault> {
        let places = |names: &[String]| {
            let found = names.iter().filter_map(|name| resolve(schemas, kind, name.trim()).ok());
            // Each costs a walk through all values, so one that comes again is left out.
            let mut seen = HashSet::new();
            found.filter(|place| seen.insert(place.text())).collect::<Vec<_>>()
        };
        let mode = match (attributes, excluded) {
            (Some(_), Some(_)) => {
                return Err(Fault::value("attributes and excludedAttributes exclude each other"));
            }
            (Some(names), None) | (None, Some(names)) if names.len() > NAMES => {
                return Err(Fault::value(format!("{NAMES} attributes can be named at most")));
            }
            (Some(names), None) => Mode::Only(places(names)),
            (None, Some(names)) => Mode::Without(places(names)),
            (None, None) => Mode::Default,
        };
        Ok(Self { schemas, kind, mode })
    }

    /// Whether an attribute of the core schema has to be found out: a group's members, a user's groups.
    pub fn wants(&self, name: &str) -> bool {
        let named = |place: &Place<'_>| matches!(place, Place::Attribute(target) if target.is_core(name));
        let whole = |place: &Place<'_>| matches!(place, Place::Attribute(target) if target.is_core(name) && target.sub.is_none());
        match &self.mode {
            Mode::Default => true,
            Mode::Only(places) => places.iter().any(named),
            Mode::Without(places) => !places.iter().any(whole),
        }
    }

    /// Whether a part of an attribute of the core schema is asked for by its name.
    pub fn names(&self, name: &str, part: &str) -> bool {
        let named = |place: &Place<'_>| matches!(place, Place::Attribute(target) if target.is_core(name) && target.sub.is_some_and(|sub| sub.name == part));
        matches!(&self.mode, Mode::Only(places) if places.iter().any(named))
    }

    /// What of a resource is shown.
    pub fn apply(&self, view: Map<String, Value>) -> Map<String, Value> {
        match &self.mode {
            Mode::Default => self.by_default(view),
            Mode::Without(places) => {
                let mut view = self.by_default(view);
                places.iter().for_each(|place| self.take_out(&mut view, place));
                view
            }
            Mode::Only(places) => {
                let mut shown = Map::new();
                for (name, value) in &view {
                    if self.returned(name) == Returned::Always {
                        shown.insert(name.clone(), value.clone());
                    }
                }
                places.iter().for_each(|place| bring_in(&mut shown, &view, place));
                shown
            }
        }
    }

    fn by_default(&self, mut view: Map<String, Value>) -> Map<String, Value> {
        if view.keys().any(|name| !matches!(self.returned(name), Returned::Default | Returned::Always)) {
            view.retain(|name, _| matches!(self.returned(name), Returned::Default | Returned::Always));
        }
        view
    }

    fn returned(&self, name: &str) -> Returned {
        self.schemas.attribute(self.kind, name).map_or(Returned::Default, |attribute| attribute.returned)
    }

    fn take_out(&self, view: &mut Map<String, Value>, place: &Place<'_>) {
        let target = match place {
            Place::Extension(schema) => {
                view.shift_remove(&schema.urn);
                return;
            }
            Place::Attribute(target) => target,
        };
        if target.attribute.returned == Returned::Always {
            return;
        }
        let holder = match target.extension {
            Some(schema) => view.get_mut(&schema.urn).and_then(Value::as_object_mut),
            None => Some(&mut *view),
        };
        let Some(holder) = holder else { return };
        match (target.sub, holder.get_mut(&target.attribute.name)) {
            (None, _) => drop(holder.shift_remove(&target.attribute.name)),
            (Some(sub), Some(Value::Array(values))) => {
                for value in values.iter_mut().filter_map(Value::as_object_mut) {
                    value.shift_remove(&sub.name);
                }
            }
            (Some(sub), Some(Value::Object(members))) => drop(members.shift_remove(&sub.name)),
            (Some(_), _) => {}
        }
    }
}

/// Copies what a place names.
fn bring_in(shown: &mut Map<String, Value>, view: &Map<String, Value>, place: &Place<'_>) {
    let (holder, into) = match place {
        Place::Extension(schema) => {
            if let Some(value) = view.get(&schema.urn) {
                shown.insert(schema.urn.clone(), value.clone());
            }
            return;
        }
        Place::Attribute(Target { extension: Some(schema), attribute, .. }) => {
            let Some(Value::Object(holder)) = view.get(&schema.urn) else { return };
            if !holder.contains_key(&attribute.name) {
                return;
            }
            let into = shown.entry(schema.urn.clone()).or_insert_with(|| Value::Object(Map::new()));
            let Value::Object(into) = into else { return };
            (holder, into)
        }
        Place::Attribute(_) => (view, shown),
    };
    let Place::Attribute(Target { attribute, sub, .. }) = place else { return };
    let (Some(value), false) = (holder.get(&attribute.name), attribute.returned == Returned::Never) else { return };
    match sub {
        None => drop(into.insert(attribute.name.clone(), value.clone())),
        Some(sub) => {
            let there = into.get(&attribute.name);
            let part = with_part(there, value, &sub.name);
            into.insert(attribute.name.clone(), part);
        }
    }
}

/// `there` with one part more of each value.
fn with_part(there: Option<&Value>, value: &Value, part: &str) -> Value {
    match value {
        Value::Array(values) => {
            let there = there.and_then(Value::as_array);
            let each = values.iter().enumerate();
            Value::Array(each.map(|(at, value)| with_part(there.and_then(|all| all.get(at)), value, part)).collect())
        }
        Value::Object(members) => {
            let mut shown = there.and_then(Value::as_object).cloned().unwrap_or_default();
            if let Some(value) = members.get(part) {
                shown.insert(part.to_owned(), value.clone());
            }
            Value::Object(shown)
        }
        other => other.clone(),
    }
}

impl PartialEq for Schemas {
    /// An endpoint has one.
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
    }
}
