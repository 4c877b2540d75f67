//! PATCH, case by case (RFC 7644 section 3.5.2).

use fedbridge_scim_core::patch::{MemberChange, Patch};
use fedbridge_scim_core::schema::ENTERPRISE_URN;
use fedbridge_scim_core::{Profile, ResourceKind};
use serde_json::{Value, json};

use crate::support::{BADGE_URN, SCHEMAS, after, draft, patch, user, word};

fn ann() -> Value {
    json!({
        "userName": "ann",
        "name": { "givenName": "Ann", "familyName": "Lee" },
        "emails": [{ "value": "a@work.example", "type": "work", "primary": true }, { "value": "a@home.example", "type": "home" }],
        "roles": [{ "value": "r1" }],
        ENTERPRISE_URN: { "department": "Sales", "manager": { "value": "7" } },
    })
}

/// What is different afterwards; `null`: it is gone.
#[allow(clippy::too_many_lines)] // A table.
#[test]
fn a_table_of_paths() {
    let work = |value: &str| json!({ "value": value, "type": "work", "primary": true });
    let home = json!({ "value": "a@home.example", "type": "home" });
    let department = format!("{ENTERPRISE_URN}:department");
    let cases = [
        (json!({ "op": "add", "path": "title", "value": "Dr" }), json!({ "title": "Dr" })),
        (json!({ "op": "replace", "path": "title", "value": "Dr" }), json!({ "title": "Dr" })),
        (json!({ "op": "Replace", "path": "USERNAME", "value": "Bob" }), json!({ "userName": "Bob" })),
        (json!({ "op": "remove", "path": "title" }), json!({})),
        (json!({ "op": "add", "path": "title", "value": null }), json!({})),
        (json!({ "op": "replace", "path": "active", "value": "False" }), json!({ "active": false })),
        (
            json!({ "op": "add", "path": "name.middleName", "value": "B" }),
            json!({ "name": { "givenName": "Ann", "familyName": "Lee", "middleName": "B" } }),
        ),
        (
            json!({ "op": "replace", "path": "name.givenName", "value": "Bo" }),
            json!({ "name": { "givenName": "Bo", "familyName": "Lee" } }),
        ),
        (json!({ "op": "remove", "path": "name.givenName" }), json!({ "name": { "familyName": "Lee" } })),
        (
            json!({ "op": "replace", "path": "name.givenName", "value": null }),
            json!({ "name": { "familyName": "Lee" } }),
        ),
        (
            json!({ "op": "replace", "path": "name", "value": { "givenName": "Bo" } }),
            json!({ "name": { "givenName": "Bo", "familyName": "Lee" } }),
        ),
        (
            json!({ "op": "replace", "path": "name", "value": { "givenName": null } }),
            json!({ "name": { "familyName": "Lee" } }),
        ),
        (
            json!({ "op": "replace", "path": "name", "value": { "givenName": null, "familyName": null } }),
            json!({ "name": null }),
        ),
        (json!({ "op": "replace", "path": "name", "value": null }), json!({ "name": null })),
        (json!({ "op": "remove", "path": "name" }), json!({ "name": null })),
        (
            json!({ "op": "add", "path": department, "value": "IT" }),
            json!({ ENTERPRISE_URN: { "department": "IT", "manager": { "value": "7" } } }),
        ),
        (json!({ "op": "remove", "path": department }), json!({ ENTERPRISE_URN: { "manager": { "value": "7" } } })),
        (
            json!({ "op": "add", "path": format!("{ENTERPRISE_URN}:manager"), "value": "8" }),
            json!({ ENTERPRISE_URN: { "department": "Sales", "manager": { "value": "8" } } }),
        ),
        (
            json!({ "op": "replace", "path": format!("{ENTERPRISE_URN}:manager.value"), "value": "8" }),
            json!({ ENTERPRISE_URN: { "department": "Sales", "manager": { "value": "8" } } }),
        ),
        (
            json!({ "op": "replace", "path": format!("{ENTERPRISE_URN}:manager"), "value": [{ "value": "8" }] }),
            json!({ ENTERPRISE_URN: { "department": "Sales", "manager": { "value": "8" } } }),
        ),
        (
            json!({ "op": "remove", "path": format!("{ENTERPRISE_URN}:manager") }),
            json!({ ENTERPRISE_URN: { "department": "Sales" } }),
        ),
        (json!({ "op": "remove", "path": ENTERPRISE_URN }), json!({ ENTERPRISE_URN: null })),
        (
            json!({ "op": "add", "path": ENTERPRISE_URN, "value": { "division": "x" } }),
            json!({ ENTERPRISE_URN: { "department": "Sales", "manager": { "value": "7" }, "division": "x" } }),
        ),
        (
            json!({ "op": "add", "path": format!("{BADGE_URN}:doors"), "value": ["A"] }),
            json!({ BADGE_URN: { "doors": ["A"] } }),
        ),
        (
            json!({ "op": "add", "path": format!("{BADGE_URN}:number"), "value": 7 }),
            json!({ BADGE_URN: { "number": 7 } }),
        ),
        (json!({ "op": "add", "path": "emails", "value": [home] }), json!({})),
        (
            json!({ "op": "add", "path": "emails", "value": { "value": "A@HOME.example", "type": "home" } }),
            json!({ "emails": [work("a@work.example"), { "value": "A@HOME.example", "type": "home" }] }),
        ),
        (
            json!({ "op": "add", "path": "emails", "value": [{ "value": "b@x" }] }),
            json!({ "emails": [work("a@work.example"), home, { "value": "b@x" }] }),
        ),
        (
            json!({ "op": "add", "path": "emails", "value": [{ "value": "b@x", "primary": true }] }),
            json!({ "emails": [{ "value": "a@work.example", "type": "work", "primary": false }, home, { "value": "b@x", "primary": true }] }),
        ),
        (
            json!({ "op": "replace", "path": "emails", "value": [{ "value": "b@x" }] }),
            json!({ "emails": [{ "value": "b@x" }] }),
        ),
        (json!({ "op": "replace", "path": "emails", "value": [] }), json!({ "emails": null })),
        (json!({ "op": "remove", "path": "emails" }), json!({ "emails": null })),
        (
            json!({ "op": "replace", "path": "emails[type eq \"work\"].value", "value": "b@x" }),
            json!({ "emails": [work("b@x"), home] }),
        ),
        (
            json!({ "op": "add", "path": "emails[type eq \"work\"].value", "value": "b@x" }),
            json!({ "emails": [work("b@x"), home] }),
        ),
        (
            json!({ "op": "replace", "path": "emails[type eq \"work\"]", "value": { "value": "b@x", "type": "other" } }),
            json!({ "emails": [{ "value": "b@x", "type": "other" }, home] }),
        ),
        (
            json!({ "op": "add", "path": "emails[type eq \"work\"]", "value": { "display": "W" } }),
            json!({ "emails": [{ "value": "a@work.example", "type": "work", "primary": true, "display": "W" }, home] }),
        ),
        (
            json!({ "op": "replace", "path": "emails[type eq \"home\"].primary", "value": true }),
            json!({ "emails": [{ "value": "a@work.example", "type": "work", "primary": false }, { "value": "a@home.example", "type": "home", "primary": true }] }),
        ),
        (json!({ "op": "remove", "path": "emails[type eq \"work\"]" }), json!({ "emails": [home] })),
        (json!({ "op": "remove", "path": "emails[type eq \"other\"]" }), json!({})),
        (json!({ "op": "remove", "path": "emails[value pr]" }), json!({ "emails": null })),
        (
            json!({ "op": "remove", "path": "emails[type eq \"work\"].primary" }),
            json!({ "emails": [{ "value": "a@work.example", "type": "work" }, home] }),
        ),
        (
            json!({ "op": "remove", "path": "emails", "value": [{ "value": "A@work.example" }] }),
            json!({ "emails": [home] }),
        ),
        (json!({ "op": "remove", "path": "roles", "value": "r1" }), json!({ "roles": null })),
        (
            json!({ "op": "add", "path": "emails[type eq \"other\"].value", "value": "o@x" }),
            json!({ "emails": [work("a@work.example"), home, { "type": "other", "value": "o@x" }] }),
        ),
        (
            json!({ "op": "add", "path": "phoneNumbers[type eq \"work\" and primary eq true].value", "value": "+41 (0)1" }),
            json!({ "phoneNumbers": [{ "type": "work", "primary": true, "value": "+41 (0)1" }] }),
        ),
        (
            json!({ "op": "add", "path": "roles", "value": "r2" }),
            json!({ "roles": [{ "value": "r1" }, { "value": "r2" }] }),
        ),
        (
            json!({ "op": "add", "path": "roles.display", "value": "R" }),
            json!({ "roles": [{ "value": "r1", "display": "R" }] }),
        ),
        (
            json!({ "op": "add", "path": "addresses.country", "value": "CH" }),
            json!({ "addresses": [{ "country": "CH" }] }),
        ),
        (
            json!({ "op": "add", "value": { "title": "Dr", "nickName": "A" } }),
            json!({ "title": "Dr", "nickName": "A" }),
        ),
        (
            json!({ "op": "replace", "value": { "name.givenName": "Bo", "emails[type eq \"work\"].value": "b@x", department: "IT" } }),
            json!({ "name": { "givenName": "Bo", "familyName": "Lee" }, "emails": [work("b@x"), home], ENTERPRISE_URN: { "department": "IT", "manager": { "value": "7" } } }),
        ),
        (
            json!({ "op": "replace", "value": { "id": "x", "meta": {}, "schemas": ["x"], "groups": [], "active": false } }),
            json!({ "active": false }),
        ),
        (
            json!({ "op": "add", "value": { "emails": [{ "value": "b@x" }] } }),
            json!({ "emails": [work("a@work.example"), home, { "value": "b@x" }] }),
        ),
        (
            json!({ "op": "replace", "value": { "emails": [{ "value": "b@x" }] } }),
            json!({ "emails": [{ "value": "b@x" }] }),
        ),
        (
            json!({ "op": "replace", "value": { ENTERPRISE_URN: { "department": "IT", "desk": 1 }, "colour": "red" } }),
            json!({ ENTERPRISE_URN: { "department": "IT", "manager": { "value": "7" } } }),
        ),
    ];
    for (operation, different) in cases {
        let mut wanted = ann().as_object().unwrap().clone();
        for (name, value) in different.as_object().unwrap() {
            match value {
                Value::Null => drop(wanted.shift_remove(name)),
                value => drop(wanted.insert(name.clone(), value.clone())),
            }
        }
        let found = after(&user(ann()), operation.clone()).unwrap_or_else(|fault| panic!("{operation}: {fault}"));
        assert_eq!(found, Value::Object(wanted), "{operation}");
    }
}

#[test]
fn what_can_not_be_done_is_refused_with_a_reason() {
    for (operation, scim_type, said) in [
        (json!({ "op": "move", "path": "title" }), "invalidSyntax", "op is add, replace or remove, and not \"move\""),
        (json!({ "path": "title" }), "invalidSyntax", "op is missing"),
        (json!("add"), "invalidSyntax", "it has to be an object"),
        (json!({ "op": "add", "path": "title" }), "invalidValue", "value is missing"),
        (json!({ "op": "add", "value": "x" }), "invalidValue", "without a path, value has to be an object"),
        (json!({ "op": "remove" }), "noTarget", "remove needs a path"),
        (json!({ "op": "add", "path": 7, "value": 1 }), "invalidPath", "path has to be a text"),
        (
            json!({ "op": "add", "path": "titel", "value": "x" }),
            "invalidPath",
            "there is no attribute \"titel\"; did you mean title?",
        ),
        (
            json!({ "op": "add", "path": "name.nick", "value": "x" }),
            "invalidPath",
            "there is no attribute \"name.nick\"",
        ),
        (
            json!({ "op": "add", "path": "emails[type eq \"work\"", "value": "x" }),
            "invalidPath",
            "a ] is missing in \"emails[type eq \"work\"\"",
        ),
        (
            json!({ "op": "add", "path": "emails[type eq \"work\"].nick", "value": "x" }),
            "invalidPath",
            "emails has no part \".nick\"",
        ),
        (
            json!({ "op": "add", "path": "name[givenName eq \"x\"]", "value": "x" }),
            "invalidPath",
            "\"name\" has no values that could be chosen from",
        ),
        (
            json!({ "op": "add", "path": "emails[type is \"x\"]", "value": "x" }),
            "invalidFilter",
            "\"is\" is no operator",
        ),
        (
            json!({ "op": "replace", "path": "emails[type eq \"other\"].value", "value": "x" }),
            "noTarget",
            "no value of emails is what the path asks for",
        ),
        (
            json!({ "op": "add", "path": "emails[type sw \"x\"].value", "value": "x" }),
            "noTarget",
            "no value of emails is what the path asks for",
        ),
        (json!({ "op": "replace", "path": "id", "value": "x" }), "mutability", "id is written by the server alone"),
        (
            json!({ "op": "add", "path": "groups", "value": [{ "value": "g" }] }),
            "mutability",
            "groups is written by the server alone",
        ),
        (
            json!({ "op": "replace", "path": "meta.version", "value": "x" }),
            "mutability",
            "meta.version is written by the server alone",
        ),
        (json!({ "op": "remove", "path": "userName" }), "mutability", "userName is required, and can't go"),
        (
            json!({ "op": "replace", "path": "userName", "value": null }),
            "mutability",
            "userName is required, and can't go",
        ),
        (
            json!({ "op": "replace", "path": "active", "value": "perhaps" }),
            "invalidValue",
            "active has to be true or false",
        ),
        (
            json!({ "op": "replace", "value": { "active": 7 } }),
            "invalidValue",
            "active: active has to be true or false",
        ),
    ] {
        let fault = after(&user(ann()), operation.clone()).unwrap_err();
        let wanted = format!("operation 1: {said}");
        assert_eq!((word(&fault), fault.detail.as_str()), (scim_type, wanted.as_str()), "{operation}");
    }
    let empty = patch(&user(ann()), json!([]), &Profile::GENERIC).unwrap_err();
    assert_eq!(word(&empty), "invalidSyntax");
    let many = vec![json!({ "op": "remove", "path": "title" }); 1_001];
    assert!(patch(&user(ann()), json!(many), &Profile::GENERIC).is_err());
    assert!(Patch::read(ResourceKind::User, json!({ "schemas": ["x"], "Operations": [] }), &SCHEMAS).is_err());
}

#[test]
fn one_operation_that_fails_leaves_nothing_of_the_others() {
    let before = user(ann());
    let operations = json!([
        { "op": "replace", "path": "title", "value": "Dr" },
        { "op": "replace", "path": "nickName", "value": "A" },
        { "op": "replace", "path": "emails[type eq \"other\"].value", "value": "x" },
    ]);
    let fault = patch(&before, operations, &Profile::GENERIC).unwrap_err();
    assert!(fault.detail.starts_with("operation 3: "), "{fault}");
    assert_eq!(before, user(ann()));
}

#[test]
fn what_changes_nothing_says_so() {
    let before = user(ann());
    for operations in [
        json!([{ "op": "replace", "path": "userName", "value": "ann" }]),
        json!([{ "op": "add", "path": "emails", "value": [{ "value": "a@home.example", "type": "home" }] }]),
        json!([{ "op": "add", "path": "title", "value": "x" }, { "op": "remove", "path": "title" }]),
        json!([{ "op": "remove", "path": "nickName" }]),
    ] {
        let patched = patch(&before, operations.clone(), &Profile::GENERIC).unwrap();
        assert!(patched.leaves_document() && patched.resource == before, "{operations}");
    }
}

#[test]
fn changes_are_named_with_what_was_and_is_and_a_password_is_not_shown() {
    let operations = json!([
        { "op": "replace", "path": "name.givenName", "value": "Bo" },
        { "op": "remove", "path": format!("{ENTERPRISE_URN}:department") },
        { "op": "replace", "value": { "password": "secret word" } },
    ]);
    let patched = patch(&user(ann()), operations, &Profile::GENERIC).unwrap();
    assert_eq!(patched.password.as_deref(), Some("secret word"));
    let changes: Vec<_> =
        patched.changes.iter().map(|it| (it.path.as_str(), it.before.clone(), it.after.clone())).collect();
    let department = format!("{ENTERPRISE_URN}:department");
    assert_eq!(
        changes,
        [
            ("name.givenName", Some(json!("Ann")), Some(json!("Bo"))),
            ("password", None, None),
            (department.as_str(), Some(json!("Sales")), None),
        ]
    );
    assert!(!format!("{:?}", patched.resource).contains("secret word"));
}

/// The four shapes in which members are removed, and the ways in which they come.
#[test]
fn members_change_without_being_looked_at() {
    let group = draft(ResourceKind::Group, json!({ "displayName": "Ops" })).unwrap().resource;
    let ids = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
    for (operation, wanted) in [
        (
            json!({ "op": "Add", "path": "members", "value": [{ "value": "1", "$ref": null }, { "value": "2" }] }),
            MemberChange::Add(ids(&["1", "2"])),
        ),
        (json!({ "op": "add", "value": { "members": [{ "value": "1" }] } }), MemberChange::Add(ids(&["1"]))),
        (json!({ "op": "add", "path": "members", "value": { "value": "1" } }), MemberChange::Add(ids(&["1"]))),
        (
            json!({ "op": "replace", "path": "members", "value": [{ "value": "1" }] }),
            MemberChange::Replace(ids(&["1"])),
        ),
        (json!({ "op": "replace", "path": "members", "value": [] }), MemberChange::Clear),
        (json!({ "op": "remove", "path": "members[value eq \"1\"]" }), MemberChange::Remove(ids(&["1"]))),
        (
            json!({ "op": "Remove", "path": "members", "value": [{ "value": "1" }, { "value": "2" }] }),
            MemberChange::Remove(ids(&["1", "2"])),
        ),
        (json!({ "op": "remove", "path": "members", "value": "1" }), MemberChange::Remove(ids(&["1"]))),
        (json!({ "op": "remove", "path": "members" }), MemberChange::Clear),
    ] {
        let patched = patch(&group, json!([operation]), &Profile::GENERIC).unwrap();
        assert_eq!(patched.members, [wanted], "{operation}");
        assert!(patched.leaves_document());
    }
    let by_name =
        patch(&group, json!([{ "op": "remove", "path": "members[display sw \"A\"]" }]), &Profile::GENERIC).unwrap();
    assert!(matches!(by_name.members[0], MemberChange::RemoveWhere(_)));
    for operation in [
        json!({ "op": "replace", "path": "members[value eq \"1\"].value", "value": "2" }),
        json!({ "op": "add", "path": "members.value", "value": "2" }),
        json!({ "op": "remove", "path": "members.value" }),
    ] {
        assert_eq!(word(&patch(&group, json!([operation]), &Profile::GENERIC).unwrap_err()), "mutability");
    }
    assert!(
        patch(&group, json!([{ "op": "add", "path": "members", "value": [{ "display": "x" }] }]), &Profile::GENERIC)
            .is_err()
    );
    let alone = |operations: Value| {
        let body = json!({ "Operations": operations });
        Patch::read(ResourceKind::Group, body, &SCHEMAS).unwrap().is_of_members_alone()
    };
    assert!(alone(json!([{ "op": "add", "path": "members", "value": [] }])));
    assert!(!alone(json!([{ "op": "add", "path": "displayName", "value": "x" }])));
}
