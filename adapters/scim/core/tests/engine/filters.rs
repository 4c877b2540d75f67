//! The query language, case by case (RFC 7644 section 3.4.2.2).

use fedbridge_scim_core::filter::{Filter, Lookup, MembersAsked, Strange};
use fedbridge_scim_core::{Fault, ResourceKind};
use serde_json::{Map, Value, json};

use crate::support::{SCHEMAS, word};

fn parse(text: &str) -> Result<Filter<'static>, Fault> {
    Filter::parse(text, &SCHEMAS, ResourceKind::User, Strange::Refused)
}

fn babs() -> Map<String, Value> {
    let babs = json!({
        "id": "2819c223", "externalId": "701984", "userName": "bJensen",
        "name": { "familyName": "O'Malley", "givenName": "Ann" },
        "userType": "Employee", "active": true, "title": "Tour Guide",
        "emails": [
            { "value": "ann@example.com", "type": "work" },
            { "value": "Ann@Home.example", "type": "home", "primary": true },
        ],
        "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User": { "department": "Sales", "manager": { "value": "7" } },
        "urn:example:params:scim:2.0:Badge": { "number": 42, "since": "2020-05-13T04:42:34+02:00", "doors": ["A", "b"] },
        "meta": { "lastModified": "2011-05-13T04:42:34Z", "resourceType": "User" },
    });
    babs.as_object().unwrap().clone()
}

#[test]
fn a_table_of_truth() {
    for (text, wanted) in [
        (r#"userName eq "bjensen""#, true),
        (r#"USERNAME Eq "BJENSEN""#, true),
        (r#"id eq "2819C223""#, false),
        (r#"externalId eq "701984""#, true),
        (r#"name.familyName co "O'Malley""#, true),
        (r#"userName sw "J""#, false),
        (r#"userName sw "bJ""#, true),
        (r#"userName ew "SEN""#, true),
        (r#"urn:ietf:params:scim:schemas:core:2.0:User:userName sw "b""#, true),
        ("title pr", true),
        ("nickName pr", false),
        ("not (nickName pr)", true),
        ("name pr", true),
        ("name.middleName pr", false),
        ("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User pr", true),
        ("active eq true", true),
        (r#"active eq "True""#, true),
        ("active ne true", false),
        ("active eq false", false),
        (r#"meta.lastModified gt "2011-05-13T04:42:33Z""#, true),
        (r#"meta.lastModified ge "2011-05-13T06:42:34+02:00""#, true),
        (r#"meta.lastModified lt "2011-05-13T04:42:34Z""#, false),
        (r#"meta.lastModified le "2011-05-13T04:42:34.000Z""#, true),
        (r#"title pr and userType eq "Employee""#, true),
        (r#"title pr or userType eq "Intern""#, true),
        (r#"userType eq "Intern" or title pr and userType eq "Employee""#, true),
        (r#"(userType eq "Employee" or title pr) and nickName pr"#, false),
        (r#"userType eq "Employee" or title pr and nickName pr"#, true),
        (r#"not (userType eq "Employee") or title pr"#, true),
        (r#"userType eq "Employee" and (emails co "example.com" or emails.value co "example.org")"#, true),
        (r#"userType ne "Employee" and not (emails co "example.com" or emails.value co "example.org")"#, false),
        (r#"userType eq "Employee" and (emails.type eq "work")"#, true),
        (r#"emails[type eq "work" and value co "@example.com"]"#, true),
        (r#"emails[type eq "home" and value co "@example.com"]"#, false),
        (r#"emails.type eq "home" and emails.value co "@example.com""#, true),
        (r#"emails[type eq "work" and value co "@example.com"] or ims[type eq "xmpp" and value co "@foo.com"]"#, true),
        ("emails[primary eq true]", true),
        (r#"emails[not (type eq "work")]"#, true),
        (r#"emails[type eq "work"].value eq "ann@example.com""#, true),
        (r#"emails[type eq "home"].value eq "ann@example.com""#, false),
        (r#"emails[type eq "home"].value sw "ann" and title pr"#, true),
        (r#"emails[type eq "work"].primary pr"#, false),
        (r#"emails eq "ANN@EXAMPLE.COM""#, true),
        (r#"emails.type ne "work""#, false),
        (r#"ims ne "x""#, true),
        ("nickName eq null", true),
        ("title ne null", true),
        (r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department eq "sales""#, true),
        (r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq "7""#, true),
        (r#"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager eq "7""#, true),
        ("urn:example:params:scim:2.0:Badge:number gt 41", true),
        ("urn:example:params:scim:2.0:Badge:number eq 42.0", true),
        ("urn:example:params:scim:2.0:Badge:number le 41", false),
        (r#"urn:example:params:scim:2.0:Badge:since eq "2020-05-13T02:42:34Z""#, true),
        (r#"urn:example:params:scim:2.0:Badge:doors eq "B""#, true),
        (r#"urn:example:params:scim:2.0:Badge:doors eq "c""#, false),
        (r#"userName gt "a""#, true),
        (r#"userName le "b""#, false),
        (r#"title eq "Tour\u0020Guide""#, true),
    ] {
        let filter = parse(text).unwrap_or_else(|fault| panic!("{text}: {fault}"));
        assert_eq!(filter.matches(&babs()), wanted, "{text}");
    }
}

#[test]
fn what_is_no_filter_is_refused_with_a_reason() {
    for (text, said) in [
        ("", "the filter ends where an attribute belongs"),
        ("userName", "an operator is missing behind \"userName\""),
        ("userName eq", "eq compares with nothing"),
        ("userName is \"x\"", "\"is\" is no operator"),
        ("userName eq x", "userName is compared with a text in quotes, not with x"),
        ("userName eq 7", "userName is compared with a text in quotes, not with 7"),
        ("userName eq \"x", "a text in the filter has no end"),
        ("userName eq \"\\x\"", "\"\"\\x\"\" is no JSON string"),
        ("(userName pr", "a ) is missing"),
        ("userName pr)", ") is not expected there"),
        ("emails[value pr", "a ] is missing"),
        ("emails[value pr].x pr", "there is no attribute \"emails.x\""),
        ("emails[value pr][type pr]", "[ is not expected there"),
        ("userName[value pr]", "\"userName\" has no parts"),
        ("active gt true", "active can't be compared by this operator"),
        ("active co \"t\"", "active can't be compared by this operator"),
        ("active eq \"maybe\"", "active is compared with true or false, not with \"maybe\""),
        ("name eq \"x\"", "name has parts: compare one of them"),
        ("addresses eq \"x\"", "addresses has parts: compare one of them"),
        (
            "meta.created gt \"now\"",
            "meta.created is compared with a time such as \"2011-05-13T04:42:34Z\", not with \"now\"",
        ),
        ("userNme eq \"x\"", "there is no attribute \"userNme\"; did you mean userName?"),
        ("emails[vlue pr]", "there is no attribute \"emails.vlue\""),
        ("not userName pr", "there is no attribute \"not\""),
        ("userName co null", "userName is compared with a value, not with null"),
        ("userName eq \"a\" and", "the filter ends where an attribute belongs"),
        ("userName eq \"a\" xor title pr", "xor is not expected there"),
        ("userName eq 'a'", "\"'a'\" is no word of a filter"),
    ] {
        let fault = parse(text).unwrap_err();
        assert_eq!((word(&fault), fault.detail.as_str(), fault.status), ("invalidFilter", said, 400), "{text}");
    }
    let password = parse("password eq \"x\"").unwrap_err();
    assert_eq!((word(&password), password.status), ("sensitive", 403));
    assert!(parse("password pr").is_err());
}

#[test]
fn filters_are_bounded() {
    let deep = |levels: usize| format!("{}title pr{}", "(".repeat(levels), ")".repeat(levels));
    assert!(parse(&deep(20)).is_ok());
    assert!(parse(&deep(21)).is_err());
    assert!(parse(&"(".repeat(4_000)).is_err());
    assert!(parse(&"not (".repeat(800)).is_err());
    let wide = |terms: usize| vec!["title pr"; terms].join(" or ");
    assert!(parse(&wide(100)).is_ok());
    assert!(parse(&wide(101)).is_err());
    assert!(parse(&format!("userName eq \"{}\"", "x".repeat(4_096))).is_err());
}

#[test]
fn a_search_over_several_kinds_finds_no_attribute_that_one_lacks() {
    let filter = Filter::parse("members pr or userName pr", &SCHEMAS, ResourceKind::User, Strange::Absent).unwrap();
    assert!(filter.matches(&babs()));
    let filter = Filter::parse("members pr", &SCHEMAS, ResourceKind::User, Strange::Absent).unwrap();
    assert!(!filter.matches(&babs()));
    assert_eq!(filter.lookup(ResourceKind::User), Some(Lookup::Nobody));
}

#[test]
fn the_best_index_is_found() {
    let user = |text: &str| parse(text).unwrap().lookup(ResourceKind::User);
    assert_eq!(user(r#"userName eq "Bob""#), Some(Lookup::UserName("bob".into())));
    assert_eq!(user(r#"externalId eq "Bob""#), Some(Lookup::ExternalId("Bob".into())));
    assert_eq!(user(r#"id eq "X""#), Some(Lookup::Id("X".into())));
    assert_eq!(user(r#"emails[type eq "work"]"#), None);
    assert_eq!(user(r#"emails[type eq "work" and value eq "A@x"]"#), Some(Lookup::Email("a@x".into())));
    assert_eq!(user(r#"emails eq "A@x""#), Some(Lookup::Email("a@x".into())));
    assert_eq!(user(r#"emails[type eq "work"].value eq "A@x""#), Some(Lookup::Email("a@x".into())));
    assert_eq!(user(r#"active eq true and emails.value eq "A@x" and id eq "1""#), Some(Lookup::Id("1".into())));
    for none in
        [r#"userName sw "b""#, r#"userName eq "a" or title pr"#, r#"not (userName eq "a")"#, r#"displayName eq "a""#]
    {
        assert_eq!(user(none), None, "{none}");
    }
    let group = |text: &str| Filter::parse(text, &SCHEMAS, ResourceKind::Group, Strange::Refused).unwrap();
    assert_eq!(group(r#"displayName eq "Ops""#).lookup(ResourceKind::Group), Some(Lookup::DisplayName("ops".into())));
    let both = group(r#"id eq "g" and members eq "u""#);
    assert_eq!(both.lookup(ResourceKind::Group), Some(Lookup::Id("g".into())));
    assert_eq!(both.members_asked(), MembersAsked::Whether(vec!["u".into()]));
    assert_eq!(group(r#"members[value eq "u"]"#).members_asked(), MembersAsked::Whether(vec!["u".into()]));
    assert_eq!(group("displayName pr").members_asked(), MembersAsked::Nothing);
    for all in ["members pr", r#"members.display sw "a""#, r#"members[value eq "u" and type eq "User"]"#] {
        assert_eq!(group(all).members_asked(), MembersAsked::All, "{all}");
    }
    assert!(parse("groups pr").unwrap().asks_for_groups() && !parse("title pr").unwrap().asks_for_groups());
}
