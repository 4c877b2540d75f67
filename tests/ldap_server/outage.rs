//! The directory behind is gone.

use crate::support::ldap::client::Client;
use crate::support::ldap::company::{Company, Wanted};

/// Whether a password is right nobody knows then, and that is what the client hears; what is known is still shown.
#[tokio::test]
async fn people_are_shown_and_not_let_in_while_the_upstream_is_down() {
    let wanted = Wanted { directory: "      posix: allocate\n      bind_cache: off\n", ..Wanted::default() };
    let mut company = Company::start(wanted).await;
    let directory = company.directory.clone();
    let mut client = Client::open(&directory.url, &directory.ca).unwrap();
    let alice = directory.person("alice");
    assert_eq!(client.bind(&alice, "alice-password").unwrap().code, 0);
    company.openldap.peer.die();
    let outcome = client.bind(&alice, "alice-password").unwrap();
    assert!([51, 52].contains(&outcome.code), "{outcome:?}");
    assert_eq!(client.bind(&directory.app.dn, &directory.app.password).unwrap().code, 0);
    assert!(client.entry(&alice, &["mail"]).unwrap().is_some());
}
