//! The same apps with the bridge's own directory, whose people come from OpenLDAP and whose passwords it checks.

use crate::support::ldap::company::{APP_PASSWORD, BASE, Company, Wanted};

use super::apache::apache;
use super::openldap_tools::openldap_tools;
use super::own_code::{Codes, ldapts, python_ldap};
use super::postfix::postfix;
use super::postgres::postgresql;
use super::products::{gitlab, grafana, jenkins, jira, nextcloud};
use super::unix::{Shown, nslcd, sssd};

/// Groups that name their members by `memberUid`.
const RFC2307: Wanted<'_> = Wanted {
    database: crate::support::Database::Sqlite,
    connection: "        sync: { full: 1h }\n",
    tenant: "",
    directory: "      posix: allocate\n      schema: rfc2307\n",
    apps: "",
    others: "",
    settings: &[],
};

#[tokio::test]
async fn openldaps_tools_use_the_bridge() {
    let company = Company::start(Wanted::default()).await;
    let directory = &company.directory;
    openldap_tools(directory);
    // A password in clear is refused before it is looked at.
    let clear = ["-H", &directory.clear, "-D", &directory.app.dn, "-w", APP_PASSWORD];
    let refused = std::process::Command::new("ldapwhoami").arg("-x").args(clear).output().unwrap();
    assert_eq!(refused.status.code(), Some(13), "{refused:?}");
    // Nobody sees only what a client needs to begin.
    let root = directory.tool_alone("ldapsearch", &["-LLL", "-s", "base", "-b", "", "+"]);
    assert!(root.out.contains(&format!("namingContexts: {BASE}")), "{root:#?}");
    let nobody = directory.tool_alone("ldapsearch", &["-LLL", "-b", BASE, "(uid=alice)"]);
    assert!(!nobody.out.contains("alice") && nobody.status != Some(0), "{nobody:#?}");
}

#[tokio::test]
async fn sssd_uses_the_bridge() {
    let company = Company::start(Wanted::default()).await;
    sssd(company.scratch.path(), &company.directory, Shown { schema: "rfc2307bis", group: "employees" });
}

#[tokio::test]
async fn sssd_uses_the_bridge_by_member_uid() {
    let company = Company::start(RFC2307).await;
    sssd(company.scratch.path(), &company.directory, Shown { schema: "rfc2307", group: "employees" });
}

#[tokio::test]
async fn nslcd_uses_the_bridge() {
    let company = Company::start(RFC2307).await;
    nslcd(company.scratch.path(), &company.directory, Shown { schema: "rfc2307", group: "employees" });
}

#[tokio::test]
async fn apache_uses_the_bridge() {
    let company = Company::start(Wanted::default()).await;
    apache(company.scratch.path(), &company.directory).await;
}

#[tokio::test]
async fn postgresql_uses_the_bridge() {
    let company = Company::start(Wanted::default()).await;
    postgresql(company.scratch.path(), &company.directory);
}

#[tokio::test]
async fn postfix_uses_the_bridge() {
    let company = Company::start(Wanted::default()).await;
    postfix(&company.directory);
}

#[tokio::test]
async fn programs_of_ones_own_use_the_bridge() {
    let company = Company::start(Wanted::default()).await;
    for directory in [company.directory.clone(), company.directory.in_clear_first()] {
        let refused = "UNWILLING_TO_PERFORM";
        python_ldap(&directory, Codes { add: refused, modify: refused, unauthenticated: refused });
        ldapts(&directory, "UnwillingToPerformError");
    }
}

#[tokio::test]
async fn products_use_the_bridge() {
    let company = Company::start(Wanted::default()).await;
    let directory = &company.directory;
    // Its settings name no base: it finds that by itself.
    let told = jenkins(directory);
    assert_eq!(told["root"], BASE, "{told:#}");
    gitlab(directory);
    grafana(directory, &[]);
    jira(directory);
    nextcloud(directory);
    let company = Company::start(RFC2307).await;
    grafana(&company.directory, &["admins", "employees", "staff", "unix", "wiki"]);
}
