//! Where the fuzzer starts: inputs as they should be, in many shapes.

use std::path::PathBuf;

use serde_json::{Value, json};

/// What products send; the tests of the engine replay the same.
const SEQUENCES: [&str; 4] = [
    include_str!("../../../../fixtures/scim/entra-user.json"),
    include_str!("../../../../fixtures/scim/entra-group.json"),
    include_str!("../../../../fixtures/scim/okta-user.json"),
    include_str!("../../../../fixtures/scim/okta-group.json"),
];

const FILTERS: &[&str] = &[
    "userName eq \"ANN\"",
    "id eq \"0190-a\" and members eq \"u1\"\n{\"displayName\":\"Ops\",\"members\":[{\"value\":\"u1\"},{\"value\":\"u3\"}]}",
    "members[value eq \"u1\"] or not (members.value eq \"U2\")",
    "emails[type eq \"work\" and value co \"@work\"]\n{\"userName\":\"b\",\"emails\":[{\"type\":\"work\",\"value\":\"b@work\"}]}",
    "emails[type eq \"work\"].value eq \"a@work.example\"",
    "externalId eq \"A1\" and (title pr or active eq \"True\")",
    "meta.created ge \"2026-11-23T03:42:34Z\" and not (name.givenName sw \"x\")",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value eq \"7\"",
    "urn:example:params:scim:2.0:Badge pr and urn:example:params:scim:2.0:Badge:number gt -1.5e3",
    "groups.display ew \"S\" or x509Certificates eq \"TWFu\"",
    "displayName eq \"ops\" or schemas co \"Group\" or nickName eq null or title ne null",
    "password pr",
    "((((",
];

const PATHS: &[&str] = &[
    "userName",
    "NAME.givenname",
    "meta.lastModified",
    "emails[type eq \"work\" and value ew \"]\\\"\"].value",
    "members[value eq \"2819c223\"]",
    "members[value eq \"2819c223\"].$ref",
    "urn:ietf:params:scim:schemas:core:2.0:User:name.familyName",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:manager.value",
    "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User",
    "urn:example:params:scim:2.0:Badge:doors",
    "usrName",
];

/// Writes the seeds of a target into the folder that `FUZZ_SEEDS` names; without it, nothing.
///
/// # Panics
/// The folder can't be written.
pub fn write(target: &str, make: fn() -> Vec<Vec<u8>>) {
    let Some(folder) = std::env::var_os("FUZZ_SEEDS").map(PathBuf::from) else { return };
    std::fs::create_dir_all(&folder).expect("the folder of the seeds can be made");
    for (at, octets) in make().into_iter().enumerate() {
        std::fs::write(folder.join(format!("seed-{target}-{at:02}")), octets).expect("a seed can be written");
    }
}

pub fn filters() -> Vec<Vec<u8>> {
    FILTERS.iter().map(|text| text.as_bytes().to_vec()).collect()
}

pub fn paths() -> Vec<Vec<u8>> {
    PATHS.iter().map(|text| text.as_bytes().to_vec()).collect()
}

/// Resources, searches and bulk requests.
pub fn bodies() -> Vec<Vec<u8>> {
    let group = |name: &str, member: &str| {
        let data = json!({ "displayName": name, "members": [{ "value": format!("bulkId:{member}") }] });
        json!({ "method": "POST", "path": "/Groups", "bulkId": name, "data": data })
    };
    let ann = json!({ "method": "POST", "path": "/Users", "bulkId": "ann", "data": { "userName": "ann" } });
    let gone = json!({ "method": "DELETE", "path": "/Users/9", "version": "W/\"1\"" });
    let badge =
        json!({ "number": 7, "height": 1.5, "since": "2011-05-13T04:42:34Z", "picture": "TWFu", "doors": ["A"] });
    let mut found = vec![
        json!({ "failOnErrors": 1, "Operations": [group("a", "b"), group("b", "a"), group("c", "ann"), ann, gone] }),
        json!({ "filter": "title pr", "startIndex": 1, "count": 10, "attributes": ["userName", "emails.value"] }),
        json!({ "filter": "title pr", "cursor": "", "excludedAttributes": "members" }),
        json!({ "userName": "b", "manager": null, "urn:vendor:x": 1, "urn:example:params:scim:2.0:Badge": badge }),
    ];
    found.extend(bodies_of("POST"));
    found.extend(bodies_of("PUT"));
    found.iter().map(|body| body.to_string().into_bytes()).collect()
}

/// Those of the products, and each with one operation alone.
pub fn patches() -> Vec<Vec<u8>> {
    let all = bodies_of("PATCH");
    let alone = all.iter().filter_map(|body| body["Operations"].as_array()).flatten();
    let alone = alone.map(|operation| json!({ "Operations": [operation] }));
    let others = [
        json!({ "op": "add", "path": "password", "value": "secret" }),
        json!({ "op": "remove", "path": "members[type eq \"User\"]" }),
        json!({ "op": "add", "path": "x509Certificates[value eq \"TWFu\"].display", "value": "x" }),
        json!({ "op": "add", "path": "urn:example:params:scim:2.0:Badge:doors", "value": ["A", "B"] }),
        json!({ "op": "replace", "value": { "name": { "givenName": null }, "emails[primary eq true].type": "home" } }),
    ];
    let others = others.iter().map(|operation| json!({ "Operations": [operation] }));
    let patches: Vec<_> = alone.chain(others).chain(all.clone()).map(|body| body.to_string()).collect();
    let of_somebody = patches.iter().map(|patch| format!("{patch}\n{{\"userName\":\"b\",\"displayName\":\"B\"}}"));
    patches.iter().cloned().chain(of_somebody).map(String::into_bytes).collect()
}

fn bodies_of(method: &str) -> Vec<Value> {
    let sequences = SEQUENCES.iter().filter_map(|text| serde_json::from_str::<Value>(text).ok());
    let steps = sequences.flat_map(|sequence| sequence["steps"].as_array().cloned().unwrap_or_default());
    steps.filter(|step| step["method"] == method).map(|step| step["body"].clone()).collect()
}
