//! What `check` says of a directory that can't be used as it should.

use super::Desk;
use crate::support::ldap::certificates::Authority;
use crate::support::ldap::servers::{OpenLdap, SUFFIX};

/// All that `check` prints of a connection.
fn findings(desk: &Desk, connection: &str) -> String {
    let file = format!("version: 1\ntenants:\n  - slug: acme\n    display_name: Acme\n    connections:\n{connection}");
    let done = desk.run(&["check"], &file);
    format!("{}{}", done.out, done.err)
}

fn said(findings: &str, part: &str) {
    assert!(findings.contains(part), "`{part}` is missing in\n{findings}");
}

#[tokio::test]
async fn check_names_what_is_wrong_with_a_directory() {
    let desk = Desk::new("ldap-check");
    let openldap = OpenLdap::start(desk.scratch.path(), &[]);
    let good = openldap.connection("corp", "");
    let found = findings(&desk, &good);
    said(&found, "answers; its certificate is for 127.0.0.1, localhost");
    said(&found, &format!("people are found below ou=people,{SUFFIX}"));
    said(&found, &format!("groups are found below ou=groups,{SUFFIX}"));

    let url = &openldap.directory.url;
    // Nobody listens at the second one.
    let found = findings(&desk, &good.replace(url, &format!("{url}, ldaps://127.0.0.1:9")));
    said(&found, "127.0.0.1:9: not reached");
    said(&found, "answers; its certificate is for");

    let found = findings(&desk, &good.replace("ou=people,", "ou=peple,"));
    said(&found, &format!("users.base ou=peple,{SUFFIX} is not there"));

    // Resolvers take this for 127.0.0.1, and no certificate says it so.
    let found = findings(&desk, &good.replace("//127.0.0.1:", "//127.1:"));
    said(&found, "certificate is for 127.0.0.1, localhost, and not for 127.1");

    let other = Authority::new(desk.scratch.path());
    let trusted = openldap.peer.dir.join("trusted.pem").display().to_string();
    let found = findings(&desk, &good.replace(&trusted, &other.ca.display().to_string()));
    said(&found, "issued by Test CA, will not do");

    let blind = good.replace("cn=bridge,", "cn=blind,").replace("bridge-password", "blind-password");
    let found = findings(&desk, &blind);
    said(&found, &format!("groups.base ou=groups,{SUFFIX} is not there, or the service account may not see it"));

    let found = findings(&desk, &good.replace("bridge-password", "wrong-password"));
    said(&found, "the service account is refused with code 49");
}
