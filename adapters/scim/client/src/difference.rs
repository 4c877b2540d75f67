//! What is different at the app, and the least that makes it as it should be: pure.

use fedbridge_scim_core::patch::PATCH_URN;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::desired::DesiredUser;
use crate::path::{AttributePath, member};

/// One value that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Change {
    #[serde(serialize_with = "as_text")]
    pub path: AttributePath,
    /// What the app has.
    pub before: Option<Value>,
    pub after: Option<Value>,
    /// The claim that it is made of; `None`: the bridge sets it.
    pub claim: Option<String>,
}

fn as_text<S: serde::Serializer>(path: &AttributePath, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(path)
}

/// What differs between the wish and what the app has. Attributes that are not mapped are the app's own.
pub fn changes(desired: &DesiredUser, there: &Map<String, Value>) -> Vec<Change> {
    let mut all = Vec::new();
    let external_id = plain("externalId");
    let before = external_id.get(there).cloned();
    if before.as_ref().and_then(Value::as_str) != Some(&desired.external_id) {
        let after = Some(json!(desired.external_id));
        all.push(Change { path: external_id, before, after, claim: None });
    }
    if !is_active(there) {
        let before = member(there, "active").cloned();
        all.push(Change { path: plain("active"), before, after: Some(json!(true)), claim: None });
    }
    for one in &desired.values {
        let before = one.path.get(there);
        if !same(&one.path, before, one.value.as_ref()) {
            let claim = Some(one.claim.clone());
            all.push(Change { path: one.path.clone(), before: before.cloned(), after: one.value.clone(), claim });
        }
    }
    all
}

/// Whether the app lets the user in: it does where it says nothing (RFC 7643 section 4.1.1).
pub fn is_active(there: &Map<String, Value>) -> bool {
    match member(there, "active") {
        Some(Value::Bool(active)) => *active,
        Some(Value::String(word)) => !word.eq_ignore_ascii_case("false"),
        _ => true,
    }
}

/// The operations of a PATCH that makes these changes (RFC 7644 section 3.5.2).
pub fn operations(changes: &[Change], there: &Map<String, Value>) -> Vec<Value> {
    let mut operations = Vec::new();
    // Several parts of one new value are added together.
    let mut new: Vec<(AttributePath, Map<String, Value>)> = Vec::new();
    for change in changes {
        let path = &change.path;
        match (&change.after, &path.of_type) {
            (Some(value), Some(of_type)) if !path.has_holder(there) => {
                let whole = AttributePath { of_type: None, sub: None, ..path.clone() };
                let sub = path.sub.clone().unwrap_or_else(|| "value".to_owned());
                let known = new.iter_mut().find(|(at, one)| *at == whole && one.get("type") == Some(&json!(of_type)));
                match known {
                    Some((_, one)) => drop(one.insert(sub, value.clone())),
                    None => {
                        let one = [("type".to_owned(), json!(of_type)), (sub, value.clone())];
                        new.push((whole, Map::from_iter(one)));
                    }
                }
            }
            (Some(value), _) => {
                let op = if change.before.is_some() { "replace" } else { "add" };
                operations.push(json!({ "op": op, "path": path.to_string(), "value": value }));
            }
            // Nobody wants an address without the address.
            (None, Some(_)) if path.sub.as_deref() == Some("value") => {
                let whole = AttributePath { sub: None, ..path.clone() };
                operations.push(json!({ "op": "remove", "path": whole.to_string() }));
            }
            (None, _) => operations.push(json!({ "op": "remove", "path": path.to_string() })),
        }
    }
    let added = new.into_iter().map(|(at, one)| json!({ "op": "add", "path": at.to_string(), "value": [one] }));
    operations.extend(added);
    operations
}

/// The body of a PATCH.
pub fn patch(operations: Vec<Value>) -> Value {
    json!({ "schemas": [PATCH_URN], "Operations": operations })
}

/// The body of a PUT that keeps what the app has beside what is mapped (RFC 7644 section 3.5.1).
pub fn replaced(desired: &DesiredUser, there: &Map<String, Value>) -> Map<String, Value> {
    let mut body = own(there);
    desired.put_into(&mut body);
    body
}

/// The same for somebody who is only switched off.
pub fn switched_off(there: &Map<String, Value>) -> Map<String, Value> {
    let mut body = own(there);
    body.insert("active".into(), json!(false));
    body
}

/// Without what only the server writes.
fn own(there: &Map<String, Value>) -> Map<String, Value> {
    let servers = ["meta", "groups", "password"];
    let kept = there.iter().filter(|(name, _)| !servers.iter().any(|it| it.eq_ignore_ascii_case(name)));
    kept.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn plain(name: &str) -> AttributePath {
    AttributePath { urn: None, attribute: name.to_owned(), of_type: None, sub: None }
}

fn same(path: &AttributePath, there: Option<&Value>, wanted: Option<&Value>) -> bool {
    match (there, wanted) {
        (Some(Value::String(there)), Some(Value::String(wanted))) if path.ignores_case() => {
            there.to_lowercase() == wanted.to_lowercase()
        }
        (there, wanted) => there == wanted,
    }
}
