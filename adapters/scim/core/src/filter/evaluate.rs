//! Whether a resource is one of those that a filter means.

use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

use super::{Filter, Literal, Operator, folded, leaf};
use crate::path::Target;
use crate::value::instant;

impl Filter<'_> {
    /// `view` is a resource as it is shown, or one value of a multi-valued attribute for what stands in brackets.
    pub fn matches(&self, view: &Map<String, Value>) -> bool {
        match self {
            Self::And(all) => all.iter().all(|one| one.matches(view)),
            Self::Or(all) => all.iter().any(|one| one.matches(view)),
            Self::Not(inner) => !inner.matches(view),
            Self::Never => false,
            Self::Extended(urn) => view.get(urn).is_some_and(is_something),
            Self::Present(target) => has(target, view, is_something),
            Self::Value { target, inner } => {
                values(target, view).iter().any(|value| value.as_object().is_some_and(|value| inner.matches(value)))
            }
            Self::Compare { target, operator, value } => compares(target, *operator, value, view),
        }
    }
}

fn compares(target: &Target<'_>, operator: Operator, literal: &Literal, view: &Map<String, Value>) -> bool {
    match (operator, literal) {
        (Operator::Eq, Literal::Null) => !has(target, view, is_assigned),
        (Operator::Ne, Literal::Null) => has(target, view, is_assigned),
        (Operator::Ne, _) => !compares(target, Operator::Eq, literal, view),
        _ => {
            let exact = leaf(target).case_exact;
            leaves(target, view).any(|value| holds(value, operator, literal, exact))
        }
    }
}

fn holds(value: &Value, operator: Operator, literal: &Literal, exact: bool) -> bool {
    match (value, literal) {
        (Value::String(text), Literal::Text { compared, .. }) if exact => by_text(text, operator, compared),
        (Value::String(text), Literal::Text { compared, .. }) => by_text(&folded(text), operator, compared),
        (Value::String(text), Literal::Time(wanted)) => {
            instant(text).is_some_and(|time| in_order(operator, time.cmp(wanted)))
        }
        (Value::Bool(value), Literal::Bool(wanted)) => value == wanted,
        (Value::Number(value), Literal::Number(wanted)) => {
            order(value, wanted).is_some_and(|found| in_order(operator, found))
        }
        _ => false,
    }
}

fn by_text(text: &str, operator: Operator, wanted: &str) -> bool {
    match operator {
        Operator::Co => text.contains(wanted),
        Operator::Sw => text.starts_with(wanted),
        Operator::Ew => text.ends_with(wanted),
        _ => in_order(operator, text.cmp(wanted)),
    }
}

fn in_order(operator: Operator, found: Ordering) -> bool {
    match operator {
        Operator::Eq => found.is_eq(),
        Operator::Gt => found.is_gt(),
        Operator::Ge => found.is_ge(),
        Operator::Lt => found.is_lt(),
        Operator::Le => found.is_le(),
        Operator::Ne | Operator::Co | Operator::Sw | Operator::Ew => false,
    }
}

fn order(one: &Number, other: &Number) -> Option<Ordering> {
    match (one.as_i64(), other.as_i64()) {
        (Some(one), Some(other)) => Some(one.cmp(&other)),
        _ => one.as_f64()?.partial_cmp(&other.as_f64()?),
    }
}

fn has(target: &Target<'_>, view: &Map<String, Value>, what: fn(&Value) -> bool) -> bool {
    match target.sub {
        None => values(target, view).iter().any(what),
        Some(sub) => values(target, view).iter().any(|value| value.get(&sub.name).is_some_and(what)),
    }
}

/// RFC 7643 section 2.5: null and nothing are the same.
fn is_assigned(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(values) => !values.is_empty(),
        Value::Object(members) => !members.is_empty(),
        _ => true,
    }
}

/// A value that is not empty, or a node of which a part is not (RFC 7644 section 3.4.2.2).
fn is_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(values) => values.iter().any(is_something),
        Value::Object(members) => members.values().any(is_something),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

/// The values of an attribute, each by itself.
fn values<'v>(target: &Target<'_>, view: &'v Map<String, Value>) -> &'v [Value] {
    let holder = match target.extension {
        Some(schema) => view.get(&schema.urn).and_then(Value::as_object),
        None => Some(view),
    };
    match holder.and_then(|holder| holder.get(&target.attribute.name)) {
        None => &[],
        Some(Value::Array(values)) => values,
        Some(one) => std::slice::from_ref(one),
    }
}

/// What is compared: the part that is named, or that stands for the whole.
fn leaves<'v>(target: &Target<'_>, view: &'v Map<String, Value>) -> impl Iterator<Item = &'v Value> {
    let part = target.sub.or_else(|| target.attribute.default_sub()).map(|sub| sub.name.clone());
    values(target, view).iter().filter_map(move |value| match &part {
        Some(name) => value.get(name),
        None => Some(value),
    })
}
