//! `ldapsearch`, `ldapwhoami` and `ldapcompare` of OpenLDAP.

use crate::support::Scratch;
use crate::support::ldap::servers::OpenLdap;
use crate::support::ldap::tools::{Account, Directory};

#[tokio::test]
async fn openldaps_tools_use_openldap() {
    let scratch = Scratch::new("ldap-utils");
    let openldap = OpenLdap::start(scratch.path(), &[]);
    openldap_tools(&openldap.directory);
}

pub fn openldap_tools(directory: &Directory) {
    for directory in [directory.clone(), directory.in_clear_first()] {
        let alice = directory.find(&directory.base, "(uid=ALICE)", &["cn", "mail", "memberOf"]);
        assert_eq!(alice.len(), 1, "{alice:#?}");
        assert_eq!(alice[0].dn, directory.person("alice"));
        assert_eq!(alice[0].value("cn"), Some("Alice Archer"));
        assert_eq!(alice[0].value("mail"), Some("alice@acme.example"));
        for group in ["employees", "admins"] {
            assert!(alice[0].values("memberOf").contains(&directory.group(group).as_str()), "{alice:#?}");
        }
        let bob = directory.find(&directory.people, "(cn=bob \"bobby\" bäcker)", &["cn"]);
        assert_eq!(bob.iter().map(|one| one.value("cn")).collect::<Vec<_>>(), [Some("Bob \"Bobby\" Bäcker")]);

        let account = Account { dn: directory.person("alice"), password: "alice-password".into() };
        let who = directory.tool_as(&account, "ldapwhoami", &[]);
        assert_eq!((who.status, who.out.trim()), (Some(0), format!("dn:{}", account.dn).as_str()), "{who:#?}");
        let wrong = Account { password: "wrong-password".into(), ..account };
        let refused = directory.tool_as(&wrong, "ldapwhoami", &[]);
        assert_eq!(refused.status, Some(49), "{refused:#?}");

        let compare = |assertion: &str| directory.tool("ldapcompare", &[&directory.person("alice"), assertion]).status;
        assert_eq!(compare("mail:alice@ACME.example"), Some(6));
        assert_eq!(compare("mail:bob@acme.example"), Some(5));
        let nowhere = directory.tool("ldapsearch", &["-b", &format!("ou=nowhere,{}", directory.base), "(uid=alice)"]);
        assert_eq!(nowhere.status, Some(32), "{nowhere:#?}");
        assert!(nowhere.out.contains(&format!("matchedDN: {}", directory.base)), "{nowhere:#?}");
    }
    // A DN and no password is no login (RFC 4513 section 5.1.2).
    let unauthenticated = directory.tool_alone("ldapwhoami", &["-D", &directory.person("alice"), "-w", ""]);
    assert_ne!(unauthenticated.status, Some(0), "{unauthenticated:#?}");
}
