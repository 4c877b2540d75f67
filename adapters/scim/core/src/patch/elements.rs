//! The values of a multi-valued attribute, one by one.

use serde_json::{Map, Value};

use super::operation::Verb;
use crate::filter::{Filter, Literal, Operator, folded};
use crate::schema::{Attribute, Kind};
use crate::value::is_primary;

/// Which of them a filter means.
pub(super) fn chosen(values: &[Value], filter: &Filter<'_>) -> Vec<usize> {
    let means = |value: &Value| value.as_object().is_some_and(|members| filter.matches(members));
    values.iter().enumerate().filter(|(_, value)| means(value)).map(|(at, _)| at).collect()
}

/// Sets a part, or takes it away.
pub(super) fn set(members: &mut Map<String, Value>, part: &Attribute, value: Option<Value>) {
    match value {
        Some(value) => drop(members.insert(part.name.clone(), value)),
        None => drop(members.shift_remove(&part.name)),
    }
}

/// Adds those that are not there yet. What says more of one that is there becomes a part of it.
pub(super) fn add(values: &mut Vec<Value>, attribute: &Attribute, new: Vec<Value>) {
    let mut touched = Vec::new();
    for one in new {
        match values.iter().position(|there| same(attribute, there, &one)) {
            Some(at) => {
                if let (Some(Value::Object(there)), Value::Object(more)) = (values.get_mut(at), one) {
                    there.extend(more);
                }
                touched.push(at);
            }
            None => {
                touched.push(values.len());
                values.push(one);
            }
        }
    }
    one_primary(values, &touched);
}

/// Replaces or extends those that a filter has chosen, or a part of each.
pub(super) fn put(
    values: &mut [Value],
    chosen: &[usize],
    part: Option<&Attribute>,
    (verb, read): (Verb, Option<Value>),
) {
    for at in chosen {
        let Some(one) = values.get_mut(*at) else { continue };
        match (part, &read) {
            (Some(part), read) => {
                if let Some(members) = one.as_object_mut() {
                    set(members, part, read.clone());
                }
            }
            (None, Some(Value::Object(more))) if verb == Verb::Add => {
                if let Some(members) = one.as_object_mut() {
                    members.extend(more.clone());
                }
            }
            (None, Some(value)) => one.clone_from(value),
            (None, None) => *one = Value::Object(Map::new()),
        }
    }
    one_primary(values, chosen);
}

pub(super) fn remove_chosen(values: &mut Vec<Value>, filter: &Filter<'_>, part: Option<&Attribute>) {
    let means = |value: &Value| value.as_object().is_some_and(|members| filter.matches(members));
    match part {
        None => values.retain(|value| !means(value)),
        Some(part) => {
            for value in values.iter_mut().filter(|value| means(value)) {
                if let Some(members) = value.as_object_mut() {
                    members.shift_remove(&part.name);
                }
            }
        }
    }
}

/// Removes those that are in a list, by what they are alone: how Entra ID does it at times.
pub(super) fn remove_named(values: &mut Vec<Value>, attribute: &Attribute, named: &Value) {
    let named = match named {
        Value::Array(named) => named.as_slice(),
        one => std::slice::from_ref(one),
    };
    values.retain(|value| !named.iter().any(|one| means(attribute, value, one)));
}

fn means(attribute: &Attribute, value: &Value, named: &Value) -> bool {
    let Some(main) = attribute.default_sub() else { return value == named };
    let wanted = match named {
        Value::Object(members) => members.iter().find(|(name, _)| name.eq_ignore_ascii_case("value")).map(|(_, it)| it),
        one => Some(one),
    };
    match (value.get("value"), wanted) {
        (Some(value), Some(wanted)) => equal(main, value, wanted),
        _ => false,
    }
}

/// The value that a filter asks for, where it says all of it by `eq` and `and`.
pub(super) fn made_of(attribute: &Attribute, filter: &Filter<'_>) -> Option<Map<String, Value>> {
    let mut made = Map::new();
    gather(attribute, filter, &mut made)?;
    Some(made)
}

fn gather(attribute: &Attribute, filter: &Filter<'_>, made: &mut Map<String, Value>) -> Option<()> {
    match filter {
        Filter::And(all) => all.iter().try_for_each(|one| gather(attribute, one, made)),
        Filter::Compare { target, operator: Operator::Eq, value } => {
            let value = match value {
                Literal::Text { sent, .. } => Value::String(sent.clone()),
                Literal::Bool(value) => Value::Bool(*value),
                Literal::Number(number) => Value::Number(number.clone()),
                Literal::Time(_) | Literal::Null => return None,
            };
            let part = attribute.sub(&target.attribute.name)?;
            made.insert(part.name.clone(), value);
            Some(())
        }
        _ => None,
    }
}

/// Whether two values say the same: by their main part and what they are used for, or throughout where they have no
/// main part.
fn same(attribute: &Attribute, one: &Value, other: &Value) -> bool {
    let Some(main) = attribute.default_sub() else { return one == other };
    let part = |value: &Value, name: &str| value.get(name).cloned();
    let kind = attribute.sub("type");
    let same_part = |part: &Attribute, one: Option<Value>, other: Option<Value>| match (one, other) {
        (Some(one), Some(other)) => equal(part, &one, &other),
        (one, other) => one == other,
    };
    let has_value = one.get("value").is_some() && other.get("value").is_some();
    has_value
        && same_part(main, part(one, "value"), part(other, "value"))
        // What does not say what it is used for is the one that is there.
        && (other.get("type").is_none() || kind.is_none_or(|kind| same_part(kind, part(one, "type"), part(other, "type"))))
}

fn equal(attribute: &Attribute, one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::String(one), Value::String(other)) if attribute.kind == Kind::String && !attribute.case_exact => {
            folded(one) == folded(other)
        }
        _ => one == other,
    }
}

/// Of several preferred values the one that was touched last stays (RFC 7644 section 3.5.2).
fn one_primary(values: &mut [Value], touched: &[usize]) {
    let is = |at: &usize| values.get(*at).is_some_and(is_primary);
    let Some(stays) = touched.iter().rev().copied().find(is) else { return };
    for (at, value) in values.iter_mut().enumerate() {
        if at != stays
            && is_primary(value)
            && let Some(members) = value.as_object_mut()
        {
            members.insert("primary".to_owned(), Value::Bool(false));
        }
    }
}
