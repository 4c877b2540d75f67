//! A plain model of filters and of PATCH, written from the RFC and not from the engine: slow, short, and without
//! schemas. It knows just the attributes that the oracle plays with.

use serde_json::{Map, Value, json};

/// Attributes of one value that are texts, with whether case counts.
pub const TEXTS: [(&str, bool); 4] = [("userName", false), ("title", false), ("externalId", true), ("nickName", false)];
pub const LISTS: [&str; 2] = ["emails", "phoneNumbers"];

/// A condition on texts.
#[derive(Debug, Clone)]
pub enum Condition {
    And(Box<Condition>, Box<Condition>),
    Or(Box<Condition>, Box<Condition>),
    Not(Box<Condition>),
    /// An attribute, perhaps a part of it, an operator, a value as JSON.
    Is(String, Option<String>, &'static str, Value),
    Has(String, Option<String>),
    /// Of one value of a list: parts that are compared, all of them.
    Of(String, Vec<(String, &'static str, String)>),
}

impl Condition {
    pub fn text(&self) -> String {
        let path =
            |name: &str, part: &Option<String>| part.as_ref().map_or(name.to_owned(), |part| format!("{name}.{part}"));
        match self {
            Self::And(one, other) => format!("({} and {})", one.text(), other.text()),
            Self::Or(one, other) => format!("({} or {})", one.text(), other.text()),
            Self::Not(inner) => format!("not ({})", inner.text()),
            Self::Is(name, part, operator, value) => format!("{} {operator} {value}", path(name, part)),
            Self::Has(name, part) => format!("{} pr", path(name, part)),
            Self::Of(name, parts) => {
                let parts: Vec<_> =
                    parts.iter().map(|(part, op, value)| format!("{part} {op} {}", json!(value))).collect();
                format!("{name}[{}]", parts.join(" and "))
            }
        }
    }

    pub fn holds(&self, user: &Value) -> bool {
        match self {
            Self::And(one, other) => one.holds(user) && other.holds(user),
            Self::Or(one, other) => one.holds(user) || other.holds(user),
            Self::Not(inner) => !inner.holds(user),
            Self::Has(name, part) => found(user, name, part.as_deref()).iter().any(|there| !is_empty(there)),
            Self::Is(name, part, operator, value) => {
                let found = found(
                    user,
                    name,
                    Some(part.as_deref().unwrap_or("value"))
                        .filter(|_| LISTS.contains(&name.as_str()))
                        .or(part.as_deref()),
                );
                let any = |op: &str| found.iter().any(|there| holds(there, op, value, name == "externalId"));
                match (*operator, value.is_null()) {
                    ("eq", true) => found.is_empty(),
                    ("ne", true) => !found.is_empty(),
                    ("ne", false) => !any("eq"),
                    (operator, _) => any(operator),
                }
            }
            Self::Of(name, parts) => list(user, name).iter().any(|one| {
                parts.iter().all(|(part, op, value)| {
                    let there = one.get(part);
                    let is = |op: &str| there.is_some_and(|there| holds(there, op, &json!(value), false));
                    if *op == "ne" { !is("eq") } else { is(op) }
                })
            }),
        }
    }
}

fn list(user: &Value, name: &str) -> Vec<Value> {
    user.get(name).and_then(Value::as_array).cloned().unwrap_or_default()
}

fn found(user: &Value, name: &str, part: Option<&str>) -> Vec<Value> {
    let whole = match user.get(name) {
        None => Vec::new(),
        Some(Value::Array(all)) => all.clone(),
        Some(one) => vec![one.clone()],
    };
    match part {
        None => whole,
        Some(part) => whole.iter().filter_map(|one| one.get(part).cloned()).collect(),
    }
}

fn holds(there: &Value, operator: &str, wanted: &Value, exact: bool) -> bool {
    if let (Value::Bool(there), Value::Bool(wanted)) = (there, wanted) {
        return operator == "eq" && there == wanted;
    }
    let (Some(there), Some(wanted)) = (there.as_str(), wanted.as_str()) else { return false };
    let fold = |text: &str| if exact { text.to_owned() } else { text.to_lowercase() };
    let (there, wanted) = (fold(there), fold(wanted));
    match operator {
        "eq" => there == wanted,
        "co" => there.contains(&wanted),
        "sw" => there.starts_with(&wanted),
        "ew" => there.ends_with(&wanted),
        "gt" => there > wanted,
        "ge" => there >= wanted,
        "lt" => there < wanted,
        "le" => there <= wanted,
        other => panic!("{other}"),
    }
}

/// Where an operation points.
#[derive(Debug, Clone)]
pub enum Spot {
    /// An attribute of one value, or `name.part`.
    Plain(String, Option<String>),
    List(String),
    /// Those values of a list whose `type` is this; perhaps a part of each.
    Typed(String, String, Option<String>),
}

#[derive(Debug, Clone)]
pub struct Act {
    pub verb: &'static str,
    pub spot: Spot,
    pub value: Value,
}

impl Act {
    pub fn json(&self) -> Value {
        let path = match &self.spot {
            Spot::Plain(name, None) | Spot::List(name) => name.clone(),
            Spot::Plain(name, Some(part)) => format!("{name}.{part}"),
            Spot::Typed(name, kind, None) => format!("{name}[type eq \"{kind}\"]"),
            Spot::Typed(name, kind, Some(part)) => format!("{name}[type eq \"{kind}\"].{part}"),
        };
        match self.verb {
            "remove" => json!({ "op": "remove", "path": path }),
            verb => json!({ "op": verb, "path": path, "value": self.value }),
        }
    }
}

/// What RFC 7644 section 3.5.2 makes of it; else the word of the refusal. `creates`: as Entra ID wants it.
pub fn act(user: &mut Map<String, Value>, act: &Act, creates: bool) -> Result<(), &'static str> {
    match (&act.spot, act.verb) {
        (Spot::Plain(name, None), "remove") => {
            if name == "userName" {
                return Err("mutability");
            }
            user.shift_remove(name);
        }
        (Spot::Plain(name, None), _) => drop(user.insert(name.clone(), act.value.clone())),
        (Spot::Plain(name, Some(part)), verb) => {
            let mut whole = user.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
            if verb == "remove" {
                whole.shift_remove(part);
            } else {
                whole.insert(part.clone(), act.value.clone());
            }
            keep(user, name, Value::Object(whole));
        }
        (Spot::List(name), "remove") => drop(user.shift_remove(name)),
        (Spot::List(name), "replace") => keep(user, name, act.value.clone()),
        (Spot::List(name), _) => {
            let mut all = values(user, name);
            let mut last = None;
            for new in act.value.as_array().unwrap() {
                last = primary_at(new, add(&mut all, new)).or(last);
            }
            demote(&mut all, last);
            keep(user, name, Value::Array(all));
        }
        (Spot::Typed(name, kind, part), verb) => {
            let mut all = values(user, name);
            let is =
                |one: &Value| one.get("type").and_then(Value::as_str).is_some_and(|it| it.eq_ignore_ascii_case(kind));
            let chosen: Vec<usize> = (0..all.len()).filter(|&at| is(&all[at])).collect();
            match (verb, part) {
                ("remove", None) => all.retain(|one| !is(one)),
                ("remove", Some(part)) => {
                    for &at in &chosen {
                        all[at].as_object_mut().unwrap().shift_remove(part);
                    }
                }
                (verb, part) if chosen.is_empty() => {
                    if verb == "replace" && !creates {
                        return Err("noTarget");
                    }
                    let mut new = json!({ "type": kind });
                    match part {
                        Some(part) => drop(new.as_object_mut().unwrap().insert(part.clone(), act.value.clone())),
                        None => new.as_object_mut().unwrap().extend(act.value.as_object().unwrap().clone()),
                    }
                    let last = primary_at(&new, add(&mut all, &new));
                    demote(&mut all, last);
                }
                (verb, part) => {
                    let mut last = None;
                    for &at in &chosen {
                        match (verb, part) {
                            (_, Some(part)) => {
                                drop(all[at].as_object_mut().unwrap().insert(part.clone(), act.value.clone()))
                            }
                            ("replace", None) => all[at] = act.value.clone(),
                            (_, None) => {
                                all[at].as_object_mut().unwrap().extend(act.value.as_object().unwrap().clone())
                            }
                        }
                        last = primary_at(&all[at], at).or(last);
                    }
                    demote(&mut all, last);
                }
            }
            keep(user, name, Value::Array(all));
        }
    }
    Ok(())
}

fn values(user: &Map<String, Value>, name: &str) -> Vec<Value> {
    user.get(name).and_then(Value::as_array).cloned().unwrap_or_default()
}

/// Where it stands then.
fn add(all: &mut Vec<Value>, new: &Value) -> usize {
    let lower = |value: &Value, part: &str| value.get(part).and_then(Value::as_str).map(str::to_lowercase);
    let same = |there: &Value| {
        let value = lower(there, "value");
        value.is_some()
            && value == lower(new, "value")
            && (lower(new, "type").is_none() || lower(there, "type") == lower(new, "type"))
    };
    match all.iter().position(same) {
        Some(at) => {
            all[at].as_object_mut().unwrap().extend(new.as_object().unwrap().clone());
            at
        }
        None => {
            all.push(new.clone());
            all.len() - 1
        }
    }
}

fn primary_at(value: &Value, at: usize) -> Option<usize> {
    (value.get("primary") == Some(&json!(true))).then_some(at)
}

fn demote(all: &mut [Value], stays: Option<usize>) {
    let Some(stays) = stays else { return };
    for (at, one) in all.iter_mut().enumerate() {
        if at != stays && one.get("primary") == Some(&json!(true)) {
            one["primary"] = json!(false);
        }
    }
}

/// Nothing empty is kept.
fn keep(user: &mut Map<String, Value>, name: &str, value: Value) {
    let value = match value {
        Value::Array(all) => {
            Value::Array(all.into_iter().filter(|one| one.as_object().is_none_or(|it| !it.is_empty())).collect())
        }
        other => other,
    };
    let empty = value.as_array().is_some_and(Vec::is_empty) || value.as_object().is_some_and(Map::is_empty);
    if empty {
        user.shift_remove(name);
    } else {
        user.insert(name.to_owned(), value);
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::String(text) => text.is_empty(),
        Value::Object(parts) => parts.values().all(is_empty),
        other => other.is_null(),
    }
}
