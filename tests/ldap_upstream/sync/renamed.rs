//! Somebody who is renamed in the directory is the same person by another name.

use crate::support::eventually;
use crate::support::ldap::client::Client;
use crate::support::ldap::company::{Company, Wanted, has};
use crate::support::ldap::tools::Directory;

/// The line of this entry in the list of users.
fn listed(company: &Company, rdn: &str) -> Option<String> {
    let place = format!("{rdn},{}", company.openldap.directory.people);
    let list = company.setup.ok(&["users", "list", "--tenant", "acme", "--search", &place]);
    list.lines().find(|line| line.contains(&place)).map(str::to_owned)
}

/// The user's id, the first word of their line.
fn id(line: &str) -> &str {
    line.split_whitespace().next().unwrap()
}

fn binds(directory: &Directory, name: &str, password: &str) -> u32 {
    let mut client = Client::open(&directory.url, &directory.ca).unwrap();
    client.bind(&directory.person(name), password).unwrap().code
}

fn members(directory: &Directory, group: &str) -> Vec<String> {
    let mut client = Client::open(&directory.url, &directory.ca).unwrap();
    assert_eq!(client.bind(&directory.app.dn, &directory.app.password).unwrap().code, 0);
    client.entry(&directory.group(group), &["member"]).unwrap().unwrap().values("member")
}

/// Who has the new name and not the old one, everywhere.
fn is_robert(company: &Company, bob: &str) {
    let directory = &company.directory;
    assert!(has(directory, "robert") && !has(directory, "bob"));
    assert_eq!(binds(directory, "robert", "bob-password"), 0);
    assert_eq!(binds(directory, "bob", "bob-password"), 49);
    let members = members(directory, "employees");
    assert!(members.contains(&directory.person("robert")), "{members:?}");
    assert!(!members.contains(&directory.person("bob")), "{members:?}");
    let now = listed(company, "uid=robert").unwrap();
    assert_eq!(id(&now), id(bob), "the same person");
    assert_eq!(listed(company, "uid=bob"), None);
}

#[tokio::test]
async fn somebody_who_is_renamed_is_found_by_the_new_name_and_not_by_the_old() {
    let mut company = Company::start(Wanted { connection: "        sync: { delta: 5s }\n", ..Wanted::default() }).await;
    company.knows("bob").await;
    assert_eq!(binds(&company.directory, "bob", "bob-password"), 0);
    let bob = listed(&company, "uid=bob").unwrap();
    let dn = company.openldap.directory.person("bob");
    company.openldap.change(&format!("dn: {dn}\nchangetype: modrdn\nnewrdn: uid=robert\ndeleteoldrdn: 1\n"));
    company.knows("robert").await;
    is_robert(&company, &bob);

    assert!(company.bridge.stop().success());
    company.bridge = company.setup.serve(&company.scratch).await;
    company.knows("robert").await;
    is_robert(&company, &bob);
    // Whoever gets the name later is somebody else.
    company.openldap.change(&format!(
        "dn: {dn}\nchangetype: add\nobjectClass: inetOrgPerson\nuid: bob\ncn: Another Bob\nsn: Bob\n\
         userPassword: another-password\n"
    ));
    company.knows("bob").await;
    assert_eq!(binds(&company.directory, "bob", "bob-password"), 49);
    assert_eq!(binds(&company.directory, "robert", "bob-password"), 0);
    let another = eventually("another bob is listed", async || listed(&company, "uid=bob")).await;
    assert_ne!(id(&another), id(&bob));
}
