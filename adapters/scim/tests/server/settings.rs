//! Settings: what is taken, and what is complained about.

use fedbridge_contract::ids::{ConnectionId, TenantId};
use fedbridge_contract::push::{LoginKey, Shut, Unmatched};
use fedbridge_contract::testkit::{Distinct, Hands};
use fedbridge_contract::time::Timestamp;
use serde_json::{Value, json};

use crate::desk::Desk;
use crate::world::{TOKEN, open, services};

fn complaints(settings: Value, tokens: &[&str]) -> Vec<String> {
    let services = services(&Hands::at(Timestamp::from_seconds(0)), &Desk::new());
    let opened = open(settings, tokens, &services, (TenantId::random(&Distinct), ConnectionId::random(&Distinct)));
    opened.err().unwrap_or_default().iter().map(ToString::to_string).collect()
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let settings = json!({
        "profile": "entre",
        "match": { "scim": "usrName", "logn": "x" },
        "unmatched": "perhaps",
        "guard": { "percent": 0 },
        "extensions": [
            { "urn": "urn:ietf:x:y", "attributes": [] },
            { "urn": "urn:acme:scim:User", "of": "printer", "attributes": [{ "name": "7", "type": "text" }] },
            { "urn": "urn:acme:scim:User2" },
        ],
        "provision": ["okta"],
        "bearer_token_expires": ["2027-02-29", 7],
        "oauth_client_secret_expires": "2027-03-01",
    });
    let found = complaints(settings, &[]);
    for wanted in [
        "provision: unknown key; the nearest known one is `provisions`",
        "profile: expected generic, entra or okta, found `entre`",
        "match.logn: unknown key; the nearest known one is `login`",
        "match.scim: there is no attribute \"usrName\"; did you mean userName?",
        "unmatched: expected deny or create, found `perhaps`",
        "guard.percent: expected a number from 1 to 100, found 0",
        "extensions[0]: urn:ietf:x:y is a name of the IETF",
        "extensions[1]: 7 can't be the name of an attribute",
        "extensions[2].attributes: is missing: a list of attributes",
        "bearer_token_expires[0]: `2027-02-29` is not a date such as 2027-03-31",
        "bearer_token_expires[1]: expected a date such as 2027-03-31, found a number",
        "oauth_client_secret_expires: has more dates than there are secrets: no secret",
        "bearer_token: is missing, and there is no OAuth client: nobody can push",
    ] {
        assert!(found.iter().any(|complaint| complaint == wanted), "{wanted} is not in {found:#?}");
    }
}

#[test]
fn what_is_set_is_heard() {
    let services = services(&Hands::at(Timestamp::from_seconds(0)), &Desk::new());
    let settings = json!({
        "profile": "entra", "provisions": ["okta"], "match": { "scim": "externalId", "login": "oid" },
        "unmatched": "create", "shut": "connection", "guard": { "percent": 100, "minutes": 5 },
    });
    let server = open(settings, &[TOKEN], &services, (TenantId::random(&Distinct), ConnectionId::random(&Distinct)))
        .unwrap_or_else(|it| panic!("{it:?}"));
    let belonging = server.belonging();
    assert_eq!(
        (belonging.provisions.as_slice(), &belonging.login),
        (&["okta".to_owned()][..], &LoginKey::Attribute("oid".into()))
    );
    assert_eq!(
        (belonging.unmatched, belonging.shut, belonging.most_shut, belonging.guard_minutes),
        (Unmatched::Create, Shut::Connection, None, 5)
    );
    assert!(complaints(json!({}), &[TOKEN]).is_empty());
}
