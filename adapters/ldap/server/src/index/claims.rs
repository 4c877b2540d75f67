//! From claims to attributes: what a person is called in LDAP.

use std::borrow::Cow;

use fedbridge_contract::claims::{Claims, PROTOCOL_CLAIMS};
use fedbridge_contract::directory::DirectoryPerson;
use serde_json::Value;

/// Claims whose attribute has another name. Any other claim is called as it is, `employee_number` as
/// `employeeNumber`.
const NAMES: &[(&str, &str)] = &[
    ("preferred_username", "uid"),
    ("email", "mail"),
    ("family_name", "sn"),
    ("given_name", "givenName"),
    ("name", "displayName"),
    ("phone_number", "telephoneNumber"),
    ("locale", "preferredLanguage"),
    ("website", "labeledURI"),
    ("mobile_number", "mobile"),
    ("organization", "o"),
];

/// Claims that become something else than an attribute of this name.
const ELSEWHERE: &[&str] = &["groups", "address", "uid_number", "gid_number"];

/// Attributes that no claim of that name makes: the directory makes them itself, or they would name what it does not
/// show. So is what [`NAMES`] has another claim for.
const RESERVED: &[&str] = &[
    "cn",
    "objectClass",
    "memberOf",
    "member",
    "uniqueMember",
    "memberUid",
    "uidNumber",
    "gidNumber",
    "entryUUID",
    "entryDN",
    "createTimestamp",
    "modifyTimestamp",
    "hasSubordinates",
    "structuralObjectClass",
    "subschemaSubentry",
    "userPassword",
    "unicodePwd",
];

/// Parts of an address (OpenID Connect Core 5.1.1).
const ADDRESS: &[(&str, &str)] =
    &[("street_address", "street"), ("locality", "l"), ("region", "st"), ("postal_code", "postalCode")];

/// The name that the person is known by.
pub fn user_name(person: &DirectoryPerson) -> Option<&str> {
    person.claims.text("preferred_username")
}

/// Attributes with their values, each attribute once; without what the directory itself knows of a person.
pub fn attributes(claims: &Claims) -> Vec<(Cow<'static, str>, Vec<String>)> {
    let mut found: Vec<(Cow<'static, str>, Vec<String>)> = Vec::new();
    let mut add = |name: Cow<'static, str>, values: Vec<String>| {
        let is_there = found.iter().any(|(there, _)| there.eq_ignore_ascii_case(&name));
        if !values.is_empty() && !is_there {
            found.push((name, values));
        }
    };
    for (claim, name) in NAMES {
        if let Some(value) = claims.get(claim) {
            add(Cow::Borrowed(name), texts(value));
        }
    }
    for (part, name) in ADDRESS {
        if let Some(value) = claims.get("address").and_then(|address| address.get(part)) {
            add(Cow::Borrowed(name), texts(value));
        }
    }
    for (claim, value) in claims.iter() {
        let is_else = ELSEWHERE.iter().chain(PROTOCOL_CLAIMS).any(|name| name == claim);
        if !is_else && !NAMES.iter().any(|(name, _)| name == claim) {
            let name = camel_case(claim);
            let mut reserved = RESERVED.iter().chain(NAMES.iter().map(|(_, name)| name));
            if !reserved.any(|reserved| reserved.eq_ignore_ascii_case(&name)) {
                add(Cow::Owned(name), texts(value));
            }
        }
    }
    found
}

/// The names of the groups, each once.
pub fn groups(claims: &Claims) -> Vec<String> {
    let mut groups = claims.get("groups").map(texts).unwrap_or_default();
    groups.sort_unstable();
    groups.dedup();
    groups
}

/// A number that an upstream says, for tenants who take theirs from there.
pub fn number(claims: &Claims, name: &str) -> Option<u32> {
    match claims.get(name)? {
        Value::Number(number) => u32::try_from(number.as_u64()?).ok(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// Texts of a claim, without empty ones and without repetition: a set has each value once (RFC 4512 section 2.2).
fn texts(value: &Value) -> Vec<String> {
    let one = |value: &Value| match value {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(true) => Some("TRUE".to_owned()),
        Value::Bool(false) => Some("FALSE".to_owned()),
        _ => None,
    };
    let mut texts: Vec<String> = match value {
        Value::Array(items) => items.iter().filter_map(one).collect(),
        one_only => one(one_only).into_iter().collect(),
    };
    let mut seen = std::collections::HashSet::new();
    texts.retain(|text| seen.insert(text.clone()));
    texts
}

fn camel_case(claim: &str) -> String {
    let mut parts = claim.split('_').filter(|part| !part.is_empty());
    let mut name = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut letters = part.chars();
        name.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        name.push_str(letters.as_str());
    }
    name
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn claims(value: Value) -> Claims {
        serde_json::from_value(value).unwrap()
    }

    #[test]
    fn claims_become_attributes() {
        let found = attributes(&claims(json!({
            "sub": "x", "preferred_username": "ada", "email": "ada@acme.example", "email_verified": true,
            "employee_number": 7, "cost_codes": ["a", "b", "a", ""], "address": { "locality": "London", "country": "UK" },
            "groups": ["staff"], "uid_number": 1000, "object": { "a": 1 },
        })));
        let text = found.iter().map(|(name, values)| format!("{name}={}", values.join("|")));
        let mut text: Vec<_> = text.collect();
        text.sort();
        assert_eq!(
            text,
            ["costCodes=a|b", "emailVerified=TRUE", "employeeNumber=7", "l=London", "mail=ada@acme.example", "uid=ada"]
        );
    }

    #[test]
    fn a_claim_can_not_take_the_place_of_what_the_directory_says() {
        let found = attributes(&claims(json!({
            "memberOf": ["cn=admins"], "MEMBEROF": "x", "object_class": "x", "user_password": "hunter2", "uid": "root",
            "preferred_username": "ada", "entryUUID": "x", "uidNumber": "0",
        })));
        assert_eq!(found, [(Cow::Borrowed("uid"), vec!["ada".to_owned()])]);
    }

    #[test]
    fn groups_once_and_numbers() {
        let claims = claims(json!({ "groups": ["b", "a", "b"], "uid_number": "1000", "gid_number": 100, "x": -1 }));
        assert_eq!(groups(&claims), ["a", "b"]);
        assert_eq!(number(&claims, "uid_number"), Some(1000));
        assert_eq!(number(&claims, "gid_number"), Some(100));
        assert_eq!(number(&claims, "x"), None);
        assert_eq!(number(&claims, "y"), None);
    }
}
