//! The values of a multi-valued attribute, one by one.

use std::collections::{HashMap, HashSet};

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
    let mut known = Known::of(attribute, values);
    let mut touched = Vec::new();
    for one in new {
        match known.place(&one) {
            Some(at) => {
                if let (Some(Value::Object(there)), Value::Object(more)) = (values.get_mut(at), one) {
                    there.extend(more);
                }
                touched.push(at);
            }
            None => {
                touched.push(values.len());
                known.learn(&one, values.len());
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
    let Some(main) = attribute.default_sub() else {
        let named: HashSet<&Value> = named.iter().collect();
        values.retain(|value| !named.contains(value));
        return;
    };
    let wanted = |named: &Value| match named {
        Value::Object(members) => {
            members.iter().find(|(name, _)| name.eq_ignore_ascii_case("value")).map(|(_, it)| compared(main, it))
        }
        one => Some(compared(main, one)),
    };
    let named: HashSet<Value> = named.iter().filter_map(wanted).collect();
    values.retain(|value| value.get("value").is_none_or(|value| !named.contains(&compared(main, value))));
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

/// Where the first of the values is that says a thing: by its main part and what it is used for, or throughout where
/// it has no main part. Kept beside the values, because a request may bring tens of thousands.
struct Known<'a> {
    attribute: &'a Attribute,
    by_main: HashMap<Value, usize>,
    by_use: HashMap<(Value, Option<Value>), usize>,
}

impl<'a> Known<'a> {
    fn of(attribute: &'a Attribute, values: &[Value]) -> Self {
        let mut known = Self { attribute, by_main: HashMap::new(), by_use: HashMap::new() };
        values.iter().enumerate().for_each(|(at, value)| known.learn(value, at));
        known
    }

    fn learn(&mut self, value: &Value, at: usize) {
        let Some(main) = self.main(value) else { return };
        self.by_use.entry((main.clone(), self.used_for(value))).or_insert(at);
        self.by_main.entry(main).or_insert(at);
    }

    fn place(&self, value: &Value) -> Option<usize> {
        let main = self.main(value)?;
        match self.used_for(value) {
            // What does not say what it is used for is the one that is there.
            None => self.by_main.get(&main).copied(),
            used_for => self.by_use.get(&(main, used_for)).copied(),
        }
    }

    fn main(&self, value: &Value) -> Option<Value> {
        match self.attribute.default_sub() {
            Some(main) => value.get("value").map(|value| compared(main, value)),
            None => Some(value.clone()),
        }
    }

    fn used_for(&self, value: &Value) -> Option<Value> {
        self.attribute.default_sub()?;
        let part = self.attribute.sub("type")?;
        value.get("type").map(|value| compared(part, value))
    }
}

/// Equal where the values are.
fn compared(attribute: &Attribute, value: &Value) -> Value {
    match value {
        Value::String(text) if attribute.kind == Kind::String && !attribute.case_exact => folded(text).into(),
        value => value.clone(),
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
