//! What one request may bring, and what is kept of it.

use fedbridge_scim_core::projection::Projection;
use fedbridge_scim_core::resource::VALUES;
use fedbridge_scim_core::schema::ENTERPRISE_URN;
use fedbridge_scim_core::{Profile, ResourceKind};
use serde_json::{Value, json};

use crate::support::{BADGE_URN, SCHEMAS, after, draft, patch, user, word};

fn roles(numbers: std::ops::Range<usize>) -> Value {
    numbers.map(|number| json!({ "value": format!("r{number}") })).collect()
}

#[test]
fn an_attribute_has_so_many_values_and_no_more() {
    let with = |most: usize| draft(ResourceKind::User, json!({ "userName": "ann", "roles": roles(0..most) }));
    assert_eq!(word(&with(VALUES + 1).unwrap_err()), "invalidValue");
    let full = with(VALUES).unwrap().resource;
    for (operation, said) in [
        (json!({ "op": "add", "path": "roles", "value": roles(VALUES..VALUES + 1) }), "roles has 1000 values at most"),
        (
            json!({ "op": "add", "path": "roles[value eq \"x\"].display", "value": "X" }),
            "roles has 1000 values at most",
        ),
        (json!({ "op": "replace", "path": "roles", "value": roles(0..VALUES + 1) }), "roles has 1000 values at most"),
        (
            json!({ "op": "add", "path": format!("{BADGE_URN}:doors"), "value": vec!["A"; VALUES + 1] }),
            "doors has 1000 values at most",
        ),
    ] {
        let fault = after(&full, operation.clone()).unwrap_err();
        assert!(word(&fault) == "invalidValue" && fault.detail.ends_with(said), "{operation}: {fault}");
    }
    assert_eq!(
        after(&full, json!({ "op": "add", "path": "roles", "value": roles(0..VALUES) })).unwrap(),
        json!(full.document)
    );
    // Too many at no time, also if a later operation takes them away: those between would go through all of them.
    let there_and_back = json!([
        { "op": "add", "path": "roles", "value": roles(VALUES..2 * VALUES) },
        { "op": "remove", "path": "roles" },
    ]);
    let fault = patch(&full, there_and_back, &Profile::GENERIC).unwrap_err();
    assert!(fault.detail.starts_with("operation 1: "), "{fault}");
}

#[test]
fn members_of_a_group_are_not_counted() {
    let members: Value = (0..VALUES * 20).map(|number| json!({ "value": format!("{number}") })).collect();
    let group = draft(ResourceKind::Group, json!({ "displayName": "all", "members": members })).unwrap();
    assert_eq!(group.members.map(|members| members.len()), Some(VALUES * 20));
    let added = json!([{ "op": "add", "path": "members", "value": members }]);
    assert_eq!(patch(&group.resource, added, &Profile::GENERIC).unwrap().members.len(), 1);
}

#[test]
fn long_lists_are_found_among_many_values() {
    let full = user(json!({ "userName": "ann", "roles": roles(0..VALUES) }));
    let strangers: Vec<_> = (VALUES..VALUES * 20).map(|number| json!({ "value": format!("R{number}") })).collect();
    let named = [&[json!({ "value": "R7" }), json!("r8"), json!({ "display": "r9" })], &strangers[..]].concat();
    let left = after(&full, json!({ "op": "remove", "path": "roles", "value": named })).unwrap();
    let wanted: Vec<_> = (0..VALUES).filter(|number| ![7, 8].contains(number)).collect();
    let wanted: Value = wanted.into_iter().map(|number| json!({ "value": format!("r{number}") })).collect();
    assert_eq!(left["roles"], wanted);
}

/// What the same value means, for each way in which values are told apart.
#[test]
fn what_is_there_already_is_not_added_again() {
    let ann = user(json!({
        "userName": "ann",
        "emails": [{ "value": "a@x", "type": "work" }, { "value": "a@x", "type": "home" }, { "value": "b@x" }],
        "addresses": [{ "country": "CH" }],
        "photos": [{ "value": "https://x.example/A" }],
        BADGE_URN: { "doors": ["A"] },
    }));
    let doors = format!("{BADGE_URN}:doors");
    for (path, value, wanted) in [
        ("emails", json!([{ "value": "A@X", "type": "HOME", "display": "h" }]), 3),
        ("emails", json!([{ "value": "a@x" }]), 3),
        ("emails", json!([{ "value": "b@x", "type": "work" }]), 4),
        ("emails", json!([{ "value": "c@x" }, { "value": "C@X" }, { "value": "c@x", "type": "work" }]), 5),
        ("emails", json!([{ "type": "work" }]), 4),
        ("addresses", json!([{ "country": "CH" }]), 1),
        ("addresses", json!([{ "country": "ch" }]), 2),
        ("photos", json!([{ "value": "https://x.example/a" }]), 2),
        (&doors, json!(["A", "a", "B", "B"]), 3),
    ] {
        let there = after(&ann, json!({ "op": "add", "path": path, "value": value })).unwrap();
        let there = if path == doors { &there[BADGE_URN]["doors"] } else { &there[path] };
        assert_eq!(there.as_array().unwrap().len(), wanted, "{path}: {value} makes {there}");
    }
}

#[test]
fn an_extension_without_what_is_asked_for_is_not_shown() {
    let view = json!({ "id": "1", ENTERPRISE_URN: { "department": "Sales" } });
    let shown = |name: &str| {
        let names = [format!("{ENTERPRISE_URN}:{name}")];
        let projection = Projection::read(Some(&names), None, &SCHEMAS, ResourceKind::User).unwrap();
        Value::Object(projection.apply(view.as_object().unwrap().clone()))
    };
    assert_eq!(shown("manager"), json!({ "id": "1" }));
    assert_eq!(shown("department"), view);
}

#[test]
fn a_value_made_of_a_filter_is_one_that_could_be_sent() {
    let ann = user(json!({ "userName": "ann" }));
    let made = |value: &str| {
        let path = format!("x509Certificates[value eq \"{value}\"].display");
        after(&ann, json!({ "op": "add", "path": path, "value": "x" }))
    };
    assert_eq!(made("TWFu").unwrap()["x509Certificates"], json!([{ "value": "TWFu", "display": "x" }]));
    assert_eq!(word(&made("TW?u").unwrap_err()), "invalidValue");
}
