#![allow(clippy::unwrap_used)]
mod entries;
mod filters;
mod learning;
mod memory;
mod names;
mod views;

use fedbridge_contract::directory::Shape;
use fedbridge_contract::ldap_directory::{GroupSchema, PeopleMayRead, PersonRdn, Posix};
use fedbridge_ldap_core::{Scope, Search};
use serde_json::json;

use super::*;
use crate::directories::testkit::{
    BASE, Given, app_id, asked, at, by_app, by_person, compared, directory, entries, everything, group, names, people,
    person, person_id, services, shown, snapshot, tenant,
};

const ALL: Identity = Identity::Anonymous;

/// Five people, three groups.
fn acme(directory: LdapDirectory, apps: &[(&str, serde_json::Value)]) -> Snapshot {
    let mut eve = person(5, json!({ "preferred_username": "eve", "groups": ["dev"] }));
    eve.disabled = true;
    let people = [
        person(
            1,
            json!({
                "preferred_username": "Ada", "name": "Ada Lovelace", "email": "ada@acme.example", "groups": ["dev", "ops"],
                "employee_number": "7", "cost_codes": ["a1", "b2"],
            }),
        ),
        person(
            2,
            json!({ "preferred_username": "bob", "name": "Bob  Smith", "email": "bob@acme.example", "groups": ["dev"] }),
        ),
        person(
            3,
            json!({ "preferred_username": "cy,d", "name": "Älice", "groups": ["secret"], "phone_number": "+49 30-1" }),
        ),
        person(4, json!({ "name": "No Name" })),
        eve,
    ];
    snapshot(directory, apps, &people, &[group(1, "dev"), group(2, "ops"), group(3, "secret")])
}

fn whole() -> Snapshot {
    acme(LdapDirectory { posix: Posix::Allocate, ..directory() }, &[("all", everything())])
}

fn found(filter: &str) -> Vec<String> {
    people(&whole(), &by_app(0), filter)
}

fn found_in(acme: &Snapshot, filter: &str) -> Vec<String> {
    people(acme, &by_app(0), filter)
}

const NAMELESS: &str = "entryUUID=00000000-0000-0000-0000-000000000004";
