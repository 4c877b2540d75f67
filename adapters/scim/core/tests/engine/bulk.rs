//! Many operations in one request (RFC 7644 section 3.7).

use std::collections::HashMap;

use fedbridge_scim_core::bulk::{Bulk, BulkMethod, Outcome, Step, response};
use fedbridge_scim_core::{Fault, ResourceKind};
use serde_json::{Value, json};

use crate::support::word;

fn bulk(operations: Value) -> Result<Bulk, Fault> {
    Bulk::read(
        json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:BulkRequest"], "Operations": operations }),
        10,
    )
}

fn group(name: &str, members: &[&str]) -> Value {
    let members: Vec<_> = members.iter().map(|member| json!({ "type": "Group", "value": member })).collect();
    json!({ "method": "POST", "path": "/Groups", "bulkId": name, "data": { "displayName": name, "members": members } })
}

#[test]
fn what_is_named_is_made_first() {
    let operations = json!([
        group("ops", &["bulkId:ann", "7"]),
        { "method": "post", "path": "/Users", "bulkId": "ann", "data": { "userName": "ann" } },
        { "method": "PATCH", "path": "/Users/bulkId:ann", "data": { "Operations": [] } },
        { "method": "DELETE", "path": "/Users/9", "version": "W/\"1\"" },
    ]);
    let bulk = bulk(operations).unwrap();
    assert_eq!(bulk.steps(), [Step::Do(1), Step::Do(0), Step::Do(2), Step::Do(3)]);
    let made = HashMap::from([("ann".to_owned(), "id-of-ann".to_owned())]);
    let data = bulk.operations[0].resolved(&made, &[]).unwrap();
    assert_eq!(data["members"], json!([{ "type": "Group", "value": "id-of-ann" }, { "type": "Group", "value": "7" }]));
    assert_eq!(bulk.operations[2].resolved_id(&made).unwrap().as_deref(), Some("id-of-ann"));
    assert_eq!(bulk.operations[3].resolved_id(&made).unwrap().as_deref(), Some("9"));
    assert_eq!((bulk.operations[3].method, bulk.operations[3].kind), (BulkMethod::Delete, ResourceKind::User));
    assert!(bulk.operations[0].resolved(&HashMap::new(), &[]).is_err());
}

/// RFC 7644 section 3.7.1: circular references.
#[test]
fn groups_that_name_each_other_are_made_first_and_joined_then() {
    let bulk = bulk(json!([group("a", &["bulkId:b", "1"]), group("b", &["bulkId:a"])])).unwrap();
    let names = |name: &str| vec![name.to_owned()];
    assert_eq!(bulk.steps(), [Step::MakeWithout(0, names("b")), Step::Do(1), Step::AddMembers(0, names("b"))]);
    let data = bulk.operations[0].resolved(&HashMap::new(), &names("b")).unwrap();
    assert_eq!(data["members"], json!([{ "type": "Group", "value": "1" }]));
}

#[test]
fn what_can_not_be_untied_fails_and_the_others_are_done() {
    let bulk = bulk(json!([
        group("a", &["bulkId:nobody"]),
        { "method": "POST", "path": "/Users", "bulkId": "b", "data": { "userName": "b", "manager": { "value": "bulkId:b" } } },
        { "method": "POST", "path": "/Users", "bulkId": "c", "data": { "userName": "c" } },
        group("d", &["bulkId:a"]),
    ]))
    .unwrap();
    assert_eq!(
        bulk.steps(),
        [
            Step::Do(2),
            Step::MakeWithout(3, vec!["a".into()]),
            Step::Fail(0),
            Step::Fail(1),
            Step::AddMembers(3, vec!["a".into()]),
        ]
    );
}

#[test]
fn what_is_no_bulk_request_is_refused_with_a_reason() {
    for (operation, said) in [
        (json!("x"), "it has to be an object"),
        (json!({ "method": "GET", "path": "/Users/1" }), "method is POST, PUT, PATCH or DELETE"),
        (json!({ "method": "DELETE" }), "path is missing"),
        (json!({ "method": "DELETE", "path": "/Printers/1" }), "nothing stands at \"/Printers/1\""),
        (json!({ "method": "DELETE", "path": "/Users/1/x" }), "nothing stands at \"/Users/1/x\""),
        (json!({ "method": "DELETE", "path": "/Users" }), "the path needs the id of a resource"),
        (json!({ "method": "POST", "path": "/Users", "data": {} }), "a POST needs a bulkId"),
        (
            json!({ "method": "POST", "path": "/Users/1", "bulkId": "x", "data": {} }),
            "a POST makes something: its path has no id",
        ),
        (json!({ "method": "PUT", "path": "/Users/1" }), "data is missing"),
    ] {
        let fault = bulk(json!([operation])).unwrap_err();
        assert_eq!(fault.detail, format!("operation 1: {said}"));
    }
    let twice = json!([group("a", &[]), group("a", &[])]);
    assert_eq!(bulk(twice).unwrap_err().detail, "the bulkId \"a\" comes twice");
    let many: Vec<_> = (0..11).map(|number| group(&number.to_string(), &[])).collect();
    assert_eq!(bulk(json!(many)).unwrap_err().status, 413);
    assert_eq!(word(&Bulk::read(json!({ "failOnErrors": 0, "Operations": [] }), 10).unwrap_err()), "invalidValue");
    assert_eq!(word(&Bulk::read(json!({}), 10).unwrap_err()), "invalidSyntax");
}

#[test]
fn each_outcome_is_told() {
    let bulk = bulk(json!([group("a", &[]), { "method": "DELETE", "path": "/Users/9" }])).unwrap();
    let made =
        Outcome { status: 201, location: Some("/Groups/1".into()), version: Some("W/\"1\"".into()), fault: None };
    let gone = Outcome { status: 404, location: None, version: None, fault: Some(Fault::plain(404, "gone")) };
    let told = response(&[(&bulk.operations[0], made), (&bulk.operations[1], gone)]);
    assert_eq!(
        told["Operations"][0],
        json!({ "method": "POST", "bulkId": "a", "version": "W/\"1\"", "location": "/Groups/1", "status": "201" })
    );
    assert_eq!(
        (&told["Operations"][1]["status"], &told["Operations"][1]["response"]["status"]),
        (&json!("404"), &json!("404"))
    );
}
