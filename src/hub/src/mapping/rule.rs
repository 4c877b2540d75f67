//! One rule for one claim: `{from: …}`, `{value: …}` or `{cel: …}`.

use fedbridge_contract::claims::PROTOCOL_CLAIMS;
use fedbridge_contract::error::Complaint;
use fedbridge_contract::trace::clip;
use serde_json::{Map, Value};

use super::cel::Program;
use super::names::Wanted;
use super::shape::{Item, Shape};
use crate::suggest::hint;

/// A rule that needs no expression.
#[derive(Debug)]
pub(crate) struct PlainRule {
    /// `preset` or `mapping`.
    pub(crate) stage: &'static str,
    pub(crate) claim: String,
    /// As the trace shows it.
    pub(crate) shown: String,
    pub(crate) shape: Shape,
    pub(crate) make: Make,
}

#[derive(Debug)]
pub(crate) enum Make {
    /// The first attribute that is there.
    From(Vec<Wanted>),
    Value(Value),
}

#[derive(Debug)]
pub(crate) struct CelRule {
    /// `mapping.cel` or `client.cel`.
    pub(crate) stage: &'static str,
    pub(crate) claim: String,
    pub(crate) shown: String,
    pub(crate) shape: Shape,
    pub(crate) program: Program,
}

impl PlainRule {
    pub(super) fn preset(claim: &str, names: &[&str]) -> Self {
        // A preset names no shape, so its claims have their own, which can't fail.
        let shape = Shape::of(claim, None, None).unwrap_or(Shape::One(Item::Text));
        Self {
            stage: "preset",
            claim: claim.to_owned(),
            shown: show_from(names.iter().copied()),
            shape,
            make: Make::From(names.iter().map(|name| Wanted::new(name)).collect()),
        }
    }

    /// An admin wrote it, so a value that does not fit is an error and not just absent.
    pub(crate) fn is_explicit(&self) -> bool {
        self.stage != "preset"
    }
}

pub(super) enum Parsed {
    Plain(PlainRule),
    Cel(CelRule),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Owner {
    Mapping,
    App,
}

const MAPPING_KEYS: &[&str] = &["from", "value", "cel", "list", "type"];
const APP_KEYS: &[&str] = &["value", "cel", "list", "type"];

/// The most attribute names in one `from`, and the longest name.
const MAX_NAMES: usize = 32;
const MAX_NAME: usize = 512;

/// Reads one rule; `None` after at least one complaint.
pub(super) fn parse(claim: &str, written: &Value, owner: Owner, complaints: &mut Vec<Complaint>) -> Option<Parsed> {
    let path = format!("claims.{claim}");
    let before = complaints.len();
    check_name(claim, &path, complaints);
    let Value::Object(fields) = written else {
        let forms = match owner {
            Owner::Mapping => "`{ from: [name] }`, `{ value: … }` or `{ cel: \"…\" }`",
            Owner::App => "`{ cel: \"…\" }` or `{ value: … }`",
        };
        complaints.push(Complaint::new(path, format!("a rule is {forms}")));
        return None;
    };
    let known = if owner == Owner::Mapping { MAPPING_KEYS } else { APP_KEYS };
    for key in fields.keys().filter(|key| !known.contains(&key.as_str())) {
        let message = if owner == Owner::App && key == "from" {
            "an app's rule can't use `from`; write `cel: \"attr['name']\"`".to_owned()
        } else {
            format!("a rule has no key `{key}`{}", hint(key, known.iter().copied()))
        };
        complaints.push(Complaint::new(format!("{path}.{key}"), message));
    }
    let shape = parse_shape(claim, fields, &path, complaints);
    let parsed = parse_make(claim, fields, &path, shape, owner, complaints);
    if complaints.len() == before { parsed } else { None }
}

fn check_name(claim: &str, path: &str, complaints: &mut Vec<Complaint>) {
    if PROTOCOL_CLAIMS.contains(&claim) {
        complaints.push(Complaint::new(path, format!("`{claim}` is a claim of the protocol and can't be mapped over")));
    } else if claim.is_empty() || claim.len() > MAX_NAME || claim.chars().any(char::is_control) {
        complaints.push(Complaint::new(path, format!("a claim's name has 1 to {MAX_NAME} printable octets")));
    }
}

fn parse_shape(claim: &str, fields: &Map<String, Value>, path: &str, complaints: &mut Vec<Complaint>) -> Shape {
    let list = match fields.get("list") {
        None => None,
        Some(Value::Bool(list)) => Some(*list),
        Some(_) => {
            complaints.push(Complaint::new(format!("{path}.list"), "`list` is true or false"));
            None
        }
    };
    let item = match fields.get("type") {
        None => None,
        Some(Value::String(name)) if Item::parse(name).is_some() => Item::parse(name),
        Some(other) => {
            let near = other.as_str().map(|name| hint(name, Item::NAMES.iter().copied())).unwrap_or_default();
            let message = format!("`type` is one of {}{near}", Item::NAMES.join(", "));
            complaints.push(Complaint::new(format!("{path}.type"), message));
            None
        }
    };
    Shape::of(claim, list, item).unwrap_or_else(|message| {
        complaints.push(Complaint::new(path, message));
        Shape::One(Item::Json)
    })
}

fn parse_make(
    claim: &str,
    fields: &Map<String, Value>,
    path: &str,
    shape: Shape,
    owner: Owner,
    complaints: &mut Vec<Complaint>,
) -> Option<Parsed> {
    let sources: Vec<&str> = ["from", "value", "cel"].into_iter().filter(|key| fields.contains_key(*key)).collect();
    let &[source] = sources.as_slice() else {
        let message = if sources.is_empty() {
            "a rule needs one of `from`, `value` and `cel`".to_owned()
        } else {
            format!("a rule has one of `from`, `value` and `cel`, not {}", sources.join(" and "))
        };
        complaints.push(Complaint::new(path, message));
        return None;
    };
    let written = &fields[source];
    let path = format!("{path}.{source}");
    if source == "cel" {
        let Value::String(expression) = written else {
            complaints.push(Complaint::new(path, "an expression is a text"));
            return None;
        };
        let program = compile(expression, &path, complaints)?;
        let stage = if owner == Owner::Mapping { "mapping.cel" } else { "client.cel" };
        return Some(Parsed::Cel(CelRule {
            stage,
            claim: claim.to_owned(),
            shown: show_cel(expression),
            shape,
            program,
        }));
    }
    let stage = if owner == Owner::Mapping { "mapping" } else { "client" };
    let (shown, make) = if source == "from" {
        let names = parse_from(written, &path, complaints)?;
        (show_from(names.iter().copied()), Make::From(names.into_iter().map(Wanted::new).collect()))
    } else {
        let several = matches!(written, Value::Array(values) if values.len() > 1);
        let made = match shape {
            Shape::One(item) if several && item != Item::Json => Err("a list needs `list: true`".to_owned()),
            shape => shape.read_json(written.clone()),
        };
        match made {
            Ok(value) => (clip(format!("value {written}")), Make::Value(value.unwrap_or(Value::Null))),
            Err(message) => {
                complaints.push(Complaint::new(path, message));
                return None;
            }
        }
    };
    Some(Parsed::Plain(PlainRule { stage, claim: claim.to_owned(), shown, shape, make }))
}

fn parse_from<'a>(written: &'a Value, path: &str, complaints: &mut Vec<Complaint>) -> Option<Vec<&'a str>> {
    let names: Option<Vec<&str>> = match written {
        Value::String(name) => Some(vec![name.as_str()]),
        Value::Array(names) if !names.is_empty() => names.iter().map(Value::as_str).collect(),
        _ => None,
    };
    match names {
        Some(names)
            if names.len() <= MAX_NAMES && names.iter().all(|name| !name.is_empty() && name.len() <= MAX_NAME) =>
        {
            Some(names)
        }
        _ => {
            let message = format!("`from` is an attribute name, or a list of 1 to {MAX_NAMES} of them");
            complaints.push(Complaint::new(path, message));
            None
        }
    }
}

pub(super) fn compile(expression: &str, path: &str, complaints: &mut Vec<Complaint>) -> Option<Program> {
    match Program::compile(expression) {
        Ok(program) => Some(program),
        Err(problems) => {
            complaints.extend(problems.into_iter().map(|problem| Complaint::new(path, problem.to_string())));
            None
        }
    }
}

pub(super) fn show_cel(expression: &str) -> String {
    clip(format!("cel \"{expression}\""))
}

fn show_from<'a>(names: impl Iterator<Item = &'a str>) -> String {
    clip(format!("from [{}]", names.collect::<Vec<_>>().join(", ")))
}
