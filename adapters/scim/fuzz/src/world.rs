//! The endpoint that all targets talk to, and what is true of everything that is kept.

use std::sync::LazyLock;

use fedbridge_scim_core::resource::{Draft, Resource, Rules};
use fedbridge_scim_core::schema::{ExtensionAttribute, ExtensionSpec, Kind};
use fedbridge_scim_core::{ResourceKind, Schemas};
use serde_json::{Value, json};

pub const BADGE_URN: &str = "urn:example:params:scim:2.0:Badge";

/// With an extension that has an attribute of every simple kind.
pub static SCHEMAS: LazyLock<Schemas> = LazyLock::new(|| {
    let attribute = |name: &str, kind, multi_valued| ExtensionAttribute {
        name: name.to_owned(),
        kind,
        multi_valued,
        required: false,
        case_exact: false,
    };
    let badge = ExtensionSpec {
        of: ResourceKind::User,
        urn: BADGE_URN.to_owned(),
        attributes: vec![
            attribute("number", Kind::Integer, false),
            attribute("height", Kind::Decimal, false),
            attribute("since", Kind::DateTime, false),
            attribute("lost", Kind::Boolean, false),
            attribute("picture", Kind::Binary, false),
            attribute("doors", Kind::String, true),
            attribute("pages", Kind::Reference, true),
        ],
    };
    Schemas::new(&[badge])
});

/// Somebody, or a group, where an input does not say who.
pub fn somebody(kind: ResourceKind) -> Resource {
    let body = match kind {
        ResourceKind::User => json!({
            "userName": "Ann", "externalId": "A1", "active": true, "name": { "givenName": "Ann" },
            "emails": [{ "value": "a@work.example", "type": "work", "primary": true }, { "value": "a@home.example", "type": "home" }],
            "x509Certificates": [{ "value": "TWFu" }],
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "department": "IT", "manager": { "value": "7" } },
            BADGE_URN: { "number": 7, "since": "2011-05-13T04:42:34Z", "doors": ["A"] },
        }),
        ResourceKind::Group => json!({ "displayName": "Ops", "externalId": "G1" }),
    };
    draft(kind, body).expect("a body as it should be").resource
}

pub fn draft(kind: ResourceKind, body: Value) -> Option<Draft> {
    Draft::read(kind, body, &SCHEMAS, Rules::default()).ok()
}

/// What is given out can be sent back, and is the same then (clients build a PUT from what they got).
///
/// # Panics
/// A resource is not in the form that is kept.
pub fn is_as_kept(resource: &Resource) {
    for name in ["id", "meta", "schemas", "password", "groups", "members"] {
        assert!(!resource.document.contains_key(name), "{name} is kept");
    }
    resource.document.values().for_each(is_something);
    let again = draft(resource.kind, Value::Object(resource.document.clone()));
    let again = again.unwrap_or_else(|| panic!("what is kept is refused: {:?}", resource.document));
    assert_eq!(&again.resource, resource, "another resource");
    assert!(again.ignored.is_empty(), "what is kept is not known: {:?}", again.ignored);
}

/// RFC 7643 section 2.5: nothing is kept that is no value.
fn is_something(value: &Value) {
    match value {
        Value::Null => panic!("null is kept"),
        Value::Array(values) => {
            assert!(!values.is_empty(), "an empty list is kept");
            values.iter().for_each(is_something);
        }
        Value::Object(members) => {
            assert!(!members.is_empty(), "an empty object is kept");
            members.values().for_each(is_something);
        }
        _ => {}
    }
}
