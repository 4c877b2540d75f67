//! Directories as connections of a bridge file.

use super::servers::{DOMAIN, OpenLdap, Samba};
use super::tools::{Account, Directory};
use crate::support::scripted::{REDIRECT, SECRET};

impl OpenLdap {
    /// As the administrator, LDIF with `changetype`.
    pub fn change(&self, ldif: &str) {
        let file = self.peer.dir.join("change.ldif");
        std::fs::write(&file, ldif).unwrap();
        let admin = Account { dn: format!("cn=admin,{}", self.directory.base), password: "admin-password".into() };
        let said = self.directory.tool_as(&admin, "ldapmodify", &["-f", file.to_str().unwrap()]);
        assert_eq!(said.status, Some(0), "{said:#?}");
    }

    /// How many operations of a kind it has done: `Bind`, `Search`.
    pub fn counted(&self, operation: &str) -> u64 {
        let base = format!("cn={operation},cn=Operations,cn=Monitor");
        let found = self.directory.find(&base, "(objectClass=*)", &["monitorOpCompleted"]);
        found[0].value("monitorOpCompleted").unwrap().parse().unwrap()
    }

    /// Its connection in a bridge file, with more settings, indented as its keys are.
    pub fn connection(&self, slug: &str, more: &str) -> String {
        Self::connection_of(&[self], slug, more)
    }

    /// The same of several servers that hold the same people.
    pub fn connection_of(servers: &[&Self], slug: &str, more: &str) -> String {
        let urls: Vec<_> = servers.iter().map(|server| server.directory.url.as_str()).collect();
        // Of all CAs one file.
        let ca = servers[0].peer.dir.join("trusted.pem");
        let all: String = servers.iter().map(|one| std::fs::read_to_string(&one.directory.ca).unwrap()).collect();
        std::fs::write(&ca, all).unwrap();
        let Directory { people, groups, app, .. } = &servers[0].directory;
        let bases = if more.contains("users:") {
            String::new()
        } else {
            format!("        users: {{ base: \"{people}\" }}\n        groups: {{ base: \"{groups}\" }}\n")
        };
        format!(
            "      - slug: {slug}
        protocol: ldap
        flavor: openldap
        urls: [{urls}]
        ca_file: {ca}
        bind_dn: {dn}
        bind_password: {{ value: {password} }}
{bases}{more}",
            urls = urls.join(", "),
            ca = ca.display(),
            dn = app.dn,
            password = app.password,
        )
    }
}

impl Samba {
    /// Its connection in a bridge file, with more settings, indented as its keys are.
    pub fn connection(&self, slug: &str, more: &str) -> String {
        let users = if more.contains("users:") {
            String::new()
        } else {
            format!("        users: {{ base: \"OU=People,OU=Company,{DOMAIN}\" }}\n")
        };
        format!(
            "      - slug: {slug}
        protocol: ldap
        flavor: active_directory
        urls: [{url}]
        ca_file: {ca}
        bind_dn: CN=bridge,OU=Services,OU=Company,{DOMAIN}
        bind_password: {{ value: bridge-password }}
{users}        groups: {{ base: \"{DOMAIN}\" }}
{more}",
            url = self.url,
            ca = self.peer.dir.join("ca.pem").display(),
        )
    }
}

/// The client of [`App`](crate::support::scripted::App), as an item of `clients`.
pub fn client() -> String {
    format!(
        "    clients:
      - client_id: app
        client_secret: {{ value: {SECRET} }}
        redirect_uris: [\"{REDIRECT}\"]
        grant_types: [authorization_code, refresh_token]
        scopes: [openid, profile, email, groups, offline_access]
"
    )
}
