//! Programs that companies write themselves: on python-ldap and on npm ldapts.

use serde_json::json;

use crate::support::Scratch;
use crate::support::ldap::servers::OpenLdap;
use crate::support::ldap::tools::Directory;

#[tokio::test]
async fn python_ldap_uses_openldap() {
    let scratch = Scratch::new("python-ldap");
    let openldap = OpenLdap::start(scratch.path(), &[]);
    let directory = &openldap.directory;
    python_ldap(
        directory,
        Codes { add: "INSUFFICIENT_ACCESS", modify: "INSUFFICIENT_ACCESS", unauthenticated: "UNWILLING_TO_PERFORM" },
    );
    python_ldap(
        &directory.in_clear_first(),
        Codes { add: "INSUFFICIENT_ACCESS", modify: "INSUFFICIENT_ACCESS", unauthenticated: "UNWILLING_TO_PERFORM" },
    );
}

#[tokio::test]
async fn ldapts_uses_openldap() {
    let scratch = Scratch::new("ldapts");
    let openldap = OpenLdap::start(scratch.path(), &[]);
    ldapts(&openldap.directory, "InsufficientAccessError");
    ldapts(&openldap.directory.in_clear_first(), "InsufficientAccessError");
}

/// How a server says no, where servers differ.
pub struct Codes {
    pub add: &'static str,
    pub modify: &'static str,
    pub unauthenticated: &'static str,
}

pub fn python_ldap(directory: &Directory, codes: Codes) {
    let told = directory.script("python_ldap", &[], "");
    let alice = directory.person("alice");
    assert_eq!(told["who"], format!("dn:{}", directory.app.dn), "{told:#}");
    assert_eq!(told["person"].as_array().unwrap().len(), 1, "{told:#}");
    assert_eq!(told["person"][0][0], alice);
    assert_eq!(told["person"][0][1]["mail"], json!(["alice@acme.example"]), "{told:#}");
    assert_eq!(told["names_only"], json!([[alice, {}]]), "{told:#}");
    let operational = &told["operational"][0][1];
    assert!(operational["entryUUID"][0].is_string() && operational["modifyTimestamp"][0].is_string(), "{told:#}");
    assert_eq!(told["wildcard_is_a_letter"], json!([]));
    let compare = json!({
        "equal": true, "unequal": false, "no_such_attribute": "NO_SUCH_ATTRIBUTE", "no_such_object": "NO_SUCH_OBJECT",
    });
    assert_eq!(told["compare"], compare);
    let seen: Vec<_> = told["pages"]["seen"].as_array().unwrap().iter().map(|dn| dn.as_str().unwrap()).collect();
    let different: std::collections::BTreeSet<_> = seen.iter().collect();
    assert!(seen.contains(&alice.as_str()) && different.len() == seen.len(), "{seen:#?}");
    assert_eq!(told["pages"]["count"], seen.len().div_ceil(2), "{seen:#?}");
    let (person, app) = (format!("dn:{alice}"), format!("dn:{}", directory.app.dn));
    assert_eq!(told["rebinds"], json!([person, app, person, "INVALID_CREDENTIALS", ""]), "{told:#}");
    let refused = &told["refused"];
    let expected = json!({
        "unauthenticated": codes.unauthenticated, "unknown": "INVALID_CREDENTIALS",
        "add": codes.add, "modify": codes.modify, "delete": codes.modify, "rename": codes.modify,
        "sort": "UNAVAILABLE_CRITICAL_EXTENSION", "no_such_base": "NO_SUCH_OBJECT", "password": [],
    });
    assert_eq!(*refused, expected);
    assert_eq!(told["schema"]["person"], "2.16.840.1.113730.3.2.2", "{told:#}");
    assert_eq!(told["schema"]["uid"], "caseIgnoreMatch", "{told:#}");
    assert_eq!(told["schema"]["must"], json!(["cn", "objectClass", "sn"]), "{told:#}");
    assert_eq!(told["abandon"], 1);
}

pub fn ldapts(directory: &Directory, add: &str) {
    let told = directory.node_script("ldapts", &[]);
    let alice = directory.person("alice");
    assert_eq!(told["found"].as_array().unwrap().len(), 1, "{told:#}");
    assert_eq!(told["found"][0]["dn"], alice);
    assert_eq!(told["found"][0]["mail"], "alice@acme.example");
    assert!(
        told["found"][0]["memberOf"].as_array().unwrap().contains(&json!(directory.group("employees"))),
        "{told:#}"
    );
    assert_eq!(told["octets"], 5, "{told:#}");
    let pages: Vec<_> = told["pages"].as_array().unwrap().iter().map(|page| page.as_u64().unwrap()).collect();
    assert!(pages.len() > 2 && pages[..pages.len() - 1].iter().all(|count| *count == 2), "{pages:?}");
    assert_eq!(told["nobody"], 0);
    assert_eq!(told["who"], format!("dn:{alice}"), "{told:#}");
    assert_eq!(
        (&told["equal"], &told["unequal"], &told["wrong"]),
        (&json!(true), &json!(false), &json!(true)),
        "{told:#}"
    );
    assert_eq!(told["add"], add);
}
