//! Learning mode: an old app is watched, and its least-privilege entry is what it then works with.

use crate::support::eventually;
use crate::support::ldap::client::Client;
use crate::support::ldap::company::{BASE, Company, Wanted};
use crate::support::ldap::wire::{Scope, equal};

const PASSWORD: &str = "old-password-old-password-old-password";

fn watched() -> String {
    format!(
        "        - slug: old\n          bind_password: {{ value: {PASSWORD} }}\n          attributes: [uid]\n          learn: true\n"
    )
}

/// What the app does all day: how many it finds by the address, what it reads of her, whether she is in the group.
fn work(company: &Company) -> (usize, Option<String>, u32) {
    let directory = &company.directory;
    let mut client = Client::open(&directory.url, &directory.ca).unwrap();
    assert_eq!(client.bind(&format!("cn=old,ou=apps,{BASE}"), PASSWORD).unwrap().code, 0);
    let filter = equal("mail", "alice@acme.example");
    let (found, _) = client.search(&directory.people, Scope::Sub, &filter, &["uid", "displayName"]).unwrap();
    let name = found.first().and_then(|entry| entry.value("displayName"));
    let group = format!("cn=employees,{}", directory.groups);
    let member = client.compare(&group, "member", &directory.person("alice")).unwrap().code;
    (found.len(), name, member)
}

#[tokio::test]
async fn what_was_learnt_is_what_the_app_needs() {
    let apps = watched();
    let company = Company::start(Wanted { apps: &apps, ..Wanted::default() }).await;
    let before = work(&company);
    assert_eq!((before.0, before.2), (1, 6), "while it is watched it may read everything: {before:?}");

    let learnt = eventually("the shapes are written", async || {
        let text = company.setup.ok(&["ldap", "learned", "acme/old"]);
        (text.contains("displayName") && text.contains("member")).then_some(text)
    })
    .await;
    assert!(!learnt.contains("alice") && !learnt.contains("Alice"), "no value is kept: {learnt}");
    let json = company.setup.ok(&["ldap", "learned", "acme/old", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(json["attributes"], serde_json::json!(["displayName", "uid"]));
    assert_eq!(json["filter_attributes"], serde_json::json!(["mail", "member"]));
    assert!(!json.to_string().contains("alice"), "{json:#}");

    // The entry as it was printed, with the password that it had.
    let entry: Vec<_> = learnt.lines().filter(|line| !line.starts_with('#')).collect();
    let password = format!("  bind_password: {{ value: {PASSWORD} }}");
    let entry = [&entry[..1], &[&*password], &entry[1..]].concat();
    let entry: String = entry.iter().map(|line| format!("        {line}\n")).collect();
    let file = company.file.replace(&apps, &entry);
    assert_ne!(file, company.file);
    company.setup.apply(&company.scratch, &file);

    let narrow = |company: &Company| {
        let directory = &company.directory;
        let mut client = Client::open(&directory.url, &directory.ca).unwrap();
        client.bind(&format!("cn=old,ou=apps,{BASE}"), PASSWORD).unwrap();
        let by_name = client.search(&directory.people, Scope::Sub, &equal("sn", "Archer"), &["uid"]).unwrap().0.len();
        let mail = client.entry(&directory.person("alice"), &["mail"]).unwrap().unwrap().value("mail");
        by_name == 0 && mail.is_none()
    };
    eventually("it may do no more than that", async || narrow(&company).then_some(())).await;
    assert_eq!(work(&company), before);
}
