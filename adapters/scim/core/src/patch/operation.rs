//! One operation: its verb, where it points, and the value as it came.

use serde_json::Value;

use super::take;
use crate::error::{Fault, quoted};
use crate::filter::Filter;
use crate::path::{Place, Target, resolve};
use crate::schema::{Attribute, Kind, ResourceKind, Schemas};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Add,
    Replace,
    Remove,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Operation<'s> {
    pub verb: Verb,
    /// `None`: the value is an object, whose members are paths.
    pub path: Option<PatchPath<'s>>,
    pub value: Option<Value>,
}

/// RFC 7644 figure 1: an attribute, some of its values, a part of them.
#[derive(Debug, Clone, PartialEq)]
pub struct PatchPath<'s> {
    pub place: Place<'s>,
    pub filter: Option<Filter<'s>>,
}

impl<'s> Operation<'s> {
    pub(super) fn read(kind: ResourceKind, operation: Value, schemas: &'s Schemas) -> Result<Self, Fault> {
        let Value::Object(mut members) = operation else { return Err(Fault::syntax("it has to be an object")) };
        let verb = match take(&mut members, "op") {
            Some(Value::String(word)) => verb(&word)
                .ok_or_else(|| Fault::syntax(format!("op is add, replace or remove, and not {}", quoted(&word))))?,
            _ => return Err(Fault::syntax("op is missing")),
        };
        let path = match take(&mut members, "path") {
            None | Some(Value::Null) => None,
            Some(Value::String(path)) if path.trim().is_empty() => None,
            Some(Value::String(path)) => Some(PatchPath::parse(path.trim(), schemas, kind)?),
            Some(_) => return Err(Fault::path("path has to be a text")),
        };
        let value = take(&mut members, "value");
        if verb != Verb::Remove && value.is_none() {
            return Err(Fault::value("value is missing"));
        }
        Ok(Self { verb, path, value })
    }

    pub(super) fn is_of_members(&self) -> bool {
        match self.path.as_ref().map(|path| path.place) {
            Some(Place::Attribute(target)) => target.is_core("members"),
            _ => false,
        }
    }
}

/// Entra ID begins them with capitals.
fn verb(word: &str) -> Option<Verb> {
    [("add", Verb::Add), ("replace", Verb::Replace), ("remove", Verb::Remove)]
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(word))
        .map(|(_, verb)| verb)
}

impl<'s> PatchPath<'s> {
    /// # Errors
    /// `invalidPath`, or what is wrong with the filter in it.
    pub fn parse(text: &str, schemas: &'s Schemas, kind: ResourceKind) -> Result<Self, Fault> {
        let Some((name, rest)) = text.split_once('[') else {
            let place = resolve(schemas, kind, text).map_err(|unknown| Fault::path(unknown.sentence()))?;
            return Ok(Self { place, filter: None });
        };
        let place = resolve(schemas, kind, name.trim()).map_err(|unknown| Fault::path(unknown.sentence()))?;
        let Place::Attribute(Target { extension, attribute, sub: None }) = place else {
            return Err(Fault::path(format!("{} has no values that could be chosen from", quoted(name))));
        };
        if attribute.kind != Kind::Complex || !attribute.multi_valued {
            return Err(Fault::path(format!("{} has no values that could be chosen from", quoted(name))));
        }
        let end = closing(rest).ok_or_else(|| Fault::path(format!("a ] is missing in {}", quoted(text))))?;
        let inner = rest.get(..end).unwrap_or_default();
        let filter = Filter::parse_inner(inner, attribute)?;
        let sub = part(attribute, rest.get(end + 1..).unwrap_or_default())?;
        Ok(Self { place: Place::Attribute(Target { extension, attribute, sub }), filter: Some(filter) })
    }
}

/// What stands behind the brackets.
fn part<'s>(attribute: &'s Attribute, rest: &str) -> Result<Option<&'s Attribute>, Fault> {
    if rest.is_empty() {
        return Ok(None);
    }
    let name = rest.strip_prefix('.').unwrap_or_default();
    match attribute.sub(name) {
        Some(sub) => Ok(Some(sub)),
        None => Err(Fault::path(format!("{} has no part {}", attribute.name, quoted(rest)))),
    }
}

/// Where the bracket ends that is open: texts may hold one.
fn closing(rest: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, octet) in rest.bytes().enumerate() {
        match octet {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b']' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}
