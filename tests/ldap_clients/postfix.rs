//! Postfix' look-ups.

use std::process::Command;

use crate::support::ldap::servers::OpenLdap;
use crate::support::ldap::tools::{Directory, Said, run};
use crate::support::{REPOSITORY, Scratch};

#[tokio::test]
async fn postfix_uses_openldap() {
    let scratch = Scratch::new("postfix");
    let openldap = OpenLdap::start(scratch.path(), &[]);
    postfix(&openldap.directory);
}

pub fn postfix(directory: &Directory) {
    for directory in [directory.clone(), directory.in_clear_first()] {
        let found = lookup(&directory, "bob@acme.example");
        assert_eq!((found.status, found.out.trim()), (Some(0), "bob"), "{found:#?}");
        for nobody in ["nobody@acme.example", "*@acme.example", "b*@acme.example"] {
            let nothing = lookup(&directory, nobody);
            assert_eq!((nothing.status, nothing.out.trim(), nothing.err.trim()), (Some(1), "", ""), "{nobody}");
        }
        // It says so where the server refuses it.
        let refused =
            lookup(&directory.with_app(&directory.app.dn, "wrong-password-wrong-password-wrong"), "bob@acme.example");
        assert!(refused.status == Some(1) && refused.err.contains("Invalid credentials"), "{refused:#?}");
    }
}

fn lookup(directory: &Directory, key: &str) -> Said {
    let script = format!("{REPOSITORY}/tests/peers/postfix/lookup.sh");
    run(Command::new(script).arg(key).envs(directory.settings()))
}
