//! What an app may see.

use crate::support::ldap::client::Client;
use crate::support::ldap::company::{BASE, Company, Wanted};
use crate::support::ldap::wire::{Scope, equal, present};

const NARROW: &str = "        - slug: narrow
          bind_password: { value: narrow-password-narrow-password-narrow }
          attributes: [uid, cn]
          groups: [admins]
          people: [employees]
          visible_groups: [employees]
";

/// What is not shown can't be asked for either: not by a filter, a comparison, or the DN.
#[tokio::test]
async fn an_app_sees_what_it_may() {
    let company = Company::start(Wanted { apps: NARROW, ..Wanted::default() }).await;
    let directory = &company.directory;
    let mut wide = Client::open(&directory.url, &directory.ca).unwrap();
    wide.bind(&directory.app.dn, &directory.app.password).unwrap();
    let mut narrow = Client::open(&directory.url, &directory.ca).unwrap();
    let bound = narrow.bind(&format!("cn=narrow,ou=apps,{BASE}"), "narrow-password-narrow-password-narrow").unwrap();
    assert_eq!(bound.code, 0);
    let (alice, carol) = (directory.person("alice"), directory.person("carol"));

    let all = ["*", "+"];
    assert!(wide.entry(&alice, &all).unwrap().unwrap().value("mail").is_some());
    let seen = narrow.entry(&alice, &all).unwrap().unwrap();
    assert_eq!(seen.value("cn").as_deref(), Some("Alice Archer"));
    assert!(seen.value("mail").is_none() && seen.value("uidNumber").is_none(), "{seen:?}");
    for (attribute, value) in [("mail", "alice@acme.example"), ("sn", "Archer")] {
        let find =
            |client: &mut Client| client.search(BASE, Scope::Sub, &equal(attribute, value), &["1.1"]).unwrap().0.len();
        assert_eq!((find(&mut wide), find(&mut narrow)), (1, 0), "{attribute}");
        // As if she had none.
        assert_eq!(narrow.compare(&alice, attribute, value).unwrap().code, 16, "{attribute}");
    }
    let (found, _) = narrow.search(BASE, Scope::Sub, &present("mail"), &["1.1"]).unwrap();
    assert_eq!(found, []);

    // People and groups that it does not see are like those that there are not.
    assert!(wide.entry(&carol, &["uid"]).unwrap().is_some());
    let nobody = narrow.search(&directory.person("nobody"), Scope::Base, &present("uid"), &[]).unwrap();
    assert_eq!(narrow.search(&carol, Scope::Base, &present("uid"), &[]).unwrap(), nobody);
    assert_eq!(narrow.compare(&carol, "uid", "carol").unwrap().code, 32);
    let names = |client: &mut Client| {
        let (found, _) = client.search(&directory.groups, Scope::One, &present("cn"), &["cn"]).unwrap();
        found.into_iter().filter_map(|entry| entry.value("cn")).collect::<Vec<_>>()
    };
    assert!(names(&mut wide).len() > 3);
    assert_eq!(names(&mut narrow), ["employees"]);
    // No app sees another, nor itself with its password.
    let (apps, _) = wide.search(BASE, Scope::Sub, &present("userPassword"), &["userPassword"]).unwrap();
    assert_eq!(apps, []);
}
