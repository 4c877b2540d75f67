//! Bodies of POST and PUT (RFC 7643 sections 2, 3 and 8; RFC 7644 sections 3.3 and 3.5.1).

use fedbridge_scim_core::resource::{Draft, Rules, UnknownAttributes};
use fedbridge_scim_core::schema::{ENTERPRISE_URN, GROUP_URN, USER_URN};
use fedbridge_scim_core::{ResourceKind, json as strict};
use serde_json::{Value, json};

use crate::support::{BADGE_URN, SCHEMAS, draft, user, word};

#[test]
fn the_examples_of_the_rfc_are_read() {
    let full = json!({
        "schemas": [USER_URN, ENTERPRISE_URN],
        "id": "2819c223-7f76-453a-919d-413861904646",
        "externalId": "701984",
        "userName": "bjensen@example.com",
        "name": { "formatted": "Ms. Barbara J Jensen, III", "familyName": "Jensen", "givenName": "Barbara" },
        "emails": [
            { "value": "bjensen@example.com", "type": "work", "primary": true },
            { "value": "babs@jensen.example", "type": "home" },
        ],
        "addresses": [{ "type": "work", "locality": "Hollywood", "country": "US", "primary": true }],
        "x509Certificates": [{ "value": "MIIDQzCCAqygAwIBAgICEAAwDQYJKoZIhvcNAQEFBQAwTjELMAkGA1UEBhMCVVMx" }],
        "active": true,
        "password": "t1meMa$heen",
        "groups": [{ "value": "e9e30dba-f08f-4109-8486-d5c6a331660a", "display": "Tour Guides" }],
        ENTERPRISE_URN: {
            "employeeNumber": "701984",
            "manager": { "value": "26118915-6090-4610-87e4-49d8ca9f808d", "$ref": "../Users/26118915" },
        },
        "meta": { "resourceType": "User", "version": "W/\"a\"", "location": "https://example.com/v2/Users/2819c223" },
    });
    let draft = draft(ResourceKind::User, full.clone()).unwrap();
    let document = &draft.resource.document;
    for gone in ["id", "meta", "schemas", "password", "groups"] {
        assert!(!document.contains_key(gone), "{gone} is not the client's to keep");
    }
    for kept in ["externalId", "userName", "name", "emails", "addresses", "x509Certificates", ENTERPRISE_URN] {
        assert_eq!(document[kept], full[kept], "octet for octet");
    }
    assert_eq!(draft.password.as_deref(), Some("t1meMa$heen"));
    assert_eq!(draft.resource.schemas(), [USER_URN, ENTERPRISE_URN]);
    assert!(draft.ignored.is_empty());
}

#[test]
fn a_groups_members_are_not_in_its_document() {
    let body = json!({
        "schemas": [GROUP_URN, "http://schemas.microsoft.com/2006/11/ResourceManagement/ADSCIM/2.0/Group"],
        "displayName": "Tour Guides",
        "members": [{ "value": "1", "$ref": null, "display": "Babs" }, { "value": "2" }, { "value": "1" }],
    });
    let group = draft(ResourceKind::Group, body).unwrap();
    assert_eq!(group.members, Some(vec!["1".to_owned(), "2".to_owned()]));
    assert_eq!(Value::Object(group.resource.document), json!({ "displayName": "Tour Guides" }));
    let silent = draft(ResourceKind::Group, json!({ "displayName": "x" })).unwrap();
    assert_eq!(silent.members, None, "nothing is said of members");
    for none in [json!([]), json!(null)] {
        let body = json!({ "displayName": "x", "members": none });
        assert_eq!(draft(ResourceKind::Group, body).unwrap().members, Some(Vec::new()));
    }
    assert!(draft(ResourceKind::Group, json!({ "displayName": "x", "members": [{ "display": "x" }] })).is_err());
}

/// RFC 7643 section 2.5.
#[test]
fn null_an_empty_list_and_nothing_are_the_same() {
    let bare = user(json!({ "userName": "ann" }));
    let body = json!({
        "userName": "ann", "title": null, "emails": [], "name": {}, "roles": null, "manager": null,
        "addresses": [{}], ENTERPRISE_URN: { "department": null }, BADGE_URN: null,
    });
    assert_eq!(user(body), bare);
}

#[test]
fn products_write_values_in_their_own_way() {
    let body = json!({
        "USERNAME": "ann",
        "Active": "False",
        "roles": [{ "value": "a", "primary": "True" }, "b"],
        "emails": { "value": "ann@example.com" },
        ENTERPRISE_URN.to_uppercase(): { "manager": [{ "value": "7" }] },
    });
    let wanted = json!({
        "userName": "ann",
        "active": false,
        "roles": [{ "value": "a", "primary": true }, { "value": "b" }],
        "emails": [{ "value": "ann@example.com" }],
        ENTERPRISE_URN: { "manager": { "value": "7" } },
    });
    let read = user(body);
    assert_eq!(Value::Object(read.document.clone()), wanted);
    assert!(!read.is_active());
    for manager in [json!("7"), json!({ "value": "7" }), json!([{ "value": "7" }]), json!(["7"])] {
        let body = json!({ "userName": "ann", ENTERPRISE_URN: { "manager": manager } });
        assert_eq!(user(body).document[ENTERPRISE_URN], wanted[ENTERPRISE_URN]);
    }
}

#[test]
fn what_can_not_be_is_refused_with_its_place() {
    for (body, said) in [
        (json!({}), "userName is missing"),
        (json!({ "userName": "  " }), "userName is empty"),
        (json!({ "userName": 7 }), "userName has to be a text"),
        (json!({ "userName": ["a", "b"] }), "userName has one value, and a list came"),
        (json!({ "userName": "a", "active": "yes" }), "active has to be true or false"),
        (json!({ "userName": "a", "name": "Ann" }), "name has to be an object"),
        (json!({ "userName": "a", "emails": [7] }), "emails has to be an object"),
        (json!({ "userName": "a", "emails": [{ "value": 7 }] }), "emails.value has to be a text"),
        (
            json!({ "userName": "a", "x509Certificates": [{ "value": "ä" }] }),
            "x509Certificates.value has to be octets in base64",
        ),
        (
            json!({ "userName": "a", BADGE_URN: { "number": 1.5 } }),
            "urn:example:params:scim:2.0:Badge:number has to be a whole number",
        ),
        (
            json!({ "userName": "a", BADGE_URN: { "since": "yesterday" } }),
            "urn:example:params:scim:2.0:Badge:since has to be a time such as 2011-05-13T04:42:34Z",
        ),
        (
            json!({ "userName": "a", ENTERPRISE_URN: "x" }),
            "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User has to be an object",
        ),
        (
            json!({ "userName": "a", "schemas": [GROUP_URN] }),
            "schemas does not name urn:ietf:params:scim:schemas:core:2.0:User",
        ),
        (
            json!({ "userName": "a", "emails": [{ "value": "a", "primary": true }, { "value": "b", "primary": true }] }),
            "emails has more than one value that is primary",
        ),
        (json!({ "userName": "a", "password": 7 }), "password has to be a text"),
    ] {
        let fault = draft(ResourceKind::User, body).unwrap_err();
        assert_eq!((word(&fault), fault.detail.as_str(), fault.status), ("invalidValue", said, 400));
    }
    assert_eq!(word(&draft(ResourceKind::User, json!([])).unwrap_err()), "invalidSyntax");
}

#[test]
fn what_is_not_known_is_left_out_and_named_or_refused() {
    let body = json!({
        "userName": "a", "urn:vendor:x": { "y": 1 }, "colour": "red", "name": { "initials": "A" },
        ENTERPRISE_URN: { "desk": "7", "division": "x" },
    });
    let read = draft(ResourceKind::User, body.clone()).unwrap();
    let desk = format!("{ENTERPRISE_URN}:desk");
    assert_eq!(read.ignored, ["urn:vendor:x", "colour", "name.initials", &desk]);
    assert_eq!(Value::Object(read.resource.document), json!({ "userName": "a", ENTERPRISE_URN: { "division": "x" } }));
    let strict = Rules { unknown: UnknownAttributes::Refuse };
    let fault = Draft::read(ResourceKind::User, body, &SCHEMAS, strict).unwrap_err();
    assert_eq!(fault.detail, "there is no attribute \"urn:vendor:x\"");
}

#[test]
fn a_body_is_read_strictly_first() {
    assert!(strict::read(br#"{"userName":"a","username":"b"}"#).is_err());
}
