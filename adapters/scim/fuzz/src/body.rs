//! Reads bodies, as each request that has one.

use fedbridge_scim_core::bulk::{Bulk, Step};
use fedbridge_scim_core::list::Query;
use fedbridge_scim_core::projection::Projection;
use fedbridge_scim_core::resource::{Rules, UnknownAttributes};
use fedbridge_scim_core::{ResourceKind, json, resource::Draft};
use serde_json::{Map, Value};

use crate::world::{SCHEMAS, draft, is_as_kept};

/// The octets are a body.
///
/// # Panics
/// It is read in another way than by a plain reader, what is kept of it could not be sent again, or an operation of a
/// bulk request is done twice or never.
pub fn check(octets: &[u8]) {
    let Ok(body) = json::read(octets) else { return };
    assert_eq!(serde_json::from_slice::<Value>(octets).ok().as_ref(), Some(&body), "read in two ways");
    let again = json::read(body.to_string().as_bytes()).expect("what is written can be read");
    // The last digit of a long fraction is not exact in serde_json.
    assert!(again == body || has_fraction(&body), "written and read again");
    for kind in ResourceKind::ALL {
        resource(kind, &body);
    }
    if let Ok(query) = Query::from_body(body.clone()) {
        assert!(query.attributes.is_none() || query.excluded.is_none(), "both lists");
    }
    bulk(body);
}

fn has_fraction(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.is_f64(),
        Value::Array(values) => values.iter().any(has_fraction),
        Value::Object(members) => members.values().any(has_fraction),
        _ => false,
    }
}

fn resource(kind: ResourceKind, body: &Value) {
    let strict = Draft::read(kind, body.clone(), &SCHEMAS, Rules { unknown: UnknownAttributes::Refuse });
    let Some(draft) = draft(kind, body.clone()) else {
        assert!(strict.is_err(), "the strict reader takes more");
        return;
    };
    assert_eq!(strict.is_ok(), draft.ignored.is_empty(), "left out and not told, or told and not left out");
    is_as_kept(&draft.resource);
    draft.check_against(&draft.resource, &SCHEMAS).expect("what stays as it is changes nothing");
    shown(kind, &draft.resource.document);
}

/// Every attribute by its name, and all but it.
fn shown(kind: ResourceKind, document: &Map<String, Value>) {
    for name in document.keys() {
        let names = std::slice::from_ref(name);
        let only = Projection::read(Some(names), None, &SCHEMAS, kind).expect("one list");
        let without = Projection::read(None, Some(names), &SCHEMAS, kind).expect("one list");
        let (only, without) = (only.apply(document.clone()), without.apply(document.clone()));
        assert_eq!(only.keys().collect::<Vec<_>>(), [name], "another attribute is shown");
        assert!(!without.contains_key(name) && without.len() + 1 == document.len(), "{name} is not left out");
    }
}

fn bulk(body: Value) {
    let Ok(bulk) = Bulk::read(body, 100) else { return };
    let mut done = vec![0; bulk.operations.len()];
    let (mut made, mut joined) = (Vec::new(), Vec::new());
    for step in bulk.steps() {
        match step {
            Step::Do(at) | Step::Fail(at) => done[at] += 1,
            Step::MakeWithout(at, names) => {
                done[at] += 1;
                made.push((at, names));
            }
            Step::AddMembers(at, names) => joined.push((at, names)),
        }
    }
    assert!(done.iter().all(|times| *times == 1), "done so many times: {done:?}");
    assert_eq!(made, joined, "members are left out and not added");
    for operation in &bulk.operations {
        let _ = (operation.resolved(&Default::default(), &[]), operation.resolved_id(&Default::default()));
    }
}
