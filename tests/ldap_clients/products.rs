//! Products whose searches and binds are played as they were recorded: they don't come from a package registry.

use serde_json::{Value, json};

use crate::support::Scratch;
use crate::support::ldap::servers::OpenLdap;
use crate::support::ldap::tools::Directory;

#[tokio::test]
async fn products_use_openldap() {
    let scratch = Scratch::new("products");
    let openldap = OpenLdap::start(scratch.path(), &[]);
    let directory = &openldap.directory;
    // OpenLDAP shows neither its base nor memberOf to who doesn't ask by name.
    let told = jenkins(directory);
    assert!(told["root"].is_null(), "{told:#}");
    gitlab(directory);
    grafana(directory, &["unix"]);
    jira(directory);
    nextcloud(directory);
}

pub fn jenkins(directory: &Directory) -> Value {
    let told = directory.script("jenkins", &[], "");
    assert_eq!(told["found"], json!([directory.person("alice")]), "{told:#}");
    assert_eq!(told["logged_in"], json!([directory.person("alice")]), "{told:#}");
    let authorities = strings(&told["authorities"]);
    assert!(authorities.contains(&"employees") && authorities.contains(&"admins"), "{told:#}");
    // The other strategy: the groups that the person's own entry names.
    assert_eq!(told["by_member_of"], json!([directory.person("alice")]), "{told:#}");
    assert_eq!(told["by_another_group"], json!([]), "{told:#}");
    told
}

pub fn gitlab(directory: &Directory) {
    let told = directory.script("gitlab", &[], "");
    let alice = directory.person("alice");
    assert_eq!((&told["pages"], &told["dn"]), (&json!(true), &json!(alice)), "{told:#}");
    assert_eq!(told["mail"], json!(["alice@acme.example"]), "{told:#}");
    assert_eq!((&told["logged_in"], &told["alive"]), (&json!(true), &json!(true)), "{told:#}");
    let members = strings(&told["members"]);
    assert!(members.contains(&alice.as_str()) && members.contains(&directory.person("bob").as_str()), "{told:#}");
    let wrong = directory.script("gitlab", &[("LDAP_PASSWORD", "bob-password")], "");
    assert_eq!(wrong["logged_in"], false, "{wrong:#}");
}

/// `posix`: the groups that name alice by `memberUid`.
pub fn grafana(directory: &Directory, posix: &[&str]) {
    let told = directory.script("grafana", &[], "");
    assert_eq!((&told["dn"], &told["in_group"]), (&json!(directory.person("alice")), &json!(true)), "{told:#}");
    assert_eq!(told["mail"], json!(["alice@acme.example"]), "{told:#}");
    let expected: Vec<_> = posix.iter().map(|name| directory.group(name)).collect();
    assert_eq!(told["by_member_uid"], json!(expected), "{told:#}");
    let by_member = strings(&told["by_member"]);
    for group in ["admins", "employees"] {
        assert!(by_member.contains(&directory.group(group).as_str()), "{told:#}");
    }
    assert_eq!(told["synced"], json!([directory.person("alice"), directory.person("carol")]), "{told:#}");
}

/// Small pages, so that there are some.
pub fn jira(directory: &Directory) {
    let told = directory.script("jira", &[("LDAP_PAGE_SIZE", "3")], "");
    assert_eq!(told["people"], told["ids"], "everybody has an id that never changes: {told:#}");
    assert!(strings(&told["names"]).contains(&"alice") && told["groups"].as_u64().unwrap() > 3, "{told:#}");
    assert_eq!((&told["unknown_members"], &told["login"]), (&json!([]), &json!("success")), "{told:#}");
}

pub fn nextcloud(directory: &Directory) {
    let told = directory.script("nextcloud", &[], "");
    assert_eq!(told["base"], json!([directory.base]), "{told:#}");
    for class in ["inetorgperson", "person", "groupofnames"] {
        assert!(told["classes"][class].as_u64().unwrap() > 2, "{class}: {told:#}");
    }
    assert_eq!((&told["uuid"], &told["member_of"]), (&json!("entryuuid"), &json!(true)), "{told:#}");
    assert_eq!((&told["group_member"], &told["logged_in"]), (&json!("member"), &json!(true)), "{told:#}");
    assert_eq!(told["person"]["displayname"], json!(["Alice Archer"]), "{told:#}");
}

fn strings(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect()
}
