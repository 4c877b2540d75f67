//! Directories that are not ours, as peers.

use std::path::Path;
use std::process::Command;

use super::tools::{Account, Directory, Found, Said, run};
use crate::support::peers::{Peer, Starting};

pub const SUFFIX: &str = "dc=acme,dc=example";

/// slapd with the company of `tests/peers/slapd`.
pub struct OpenLdap {
    pub peer: Peer,
    /// As an app would use it without the bridge.
    pub directory: Directory,
}

impl OpenLdap {
    pub fn start(dir: &Path, settings: &[(&str, &str)]) -> Self {
        Self::of(Starting::peer("slapd", dir, settings).ready(), SUFFIX)
    }

    pub(super) fn of(peer: Peer, suffix: &str) -> Self {
        let url = std::fs::read_to_string(peer.dir.join("ldaps-url")).unwrap().trim().to_owned();
        let directory = Directory {
            url,
            clear: peer.url.clone(),
            ca: peer.dir.join("ca.pem"),
            base: suffix.to_owned(),
            people: format!("ou=people,{suffix}"),
            groups: format!("ou=groups,{suffix}"),
            app: Account { dn: format!("cn=bridge,ou=services,{suffix}"), password: "bridge-password".into() },
        };
        Self { peer, directory }
    }
}

/// Samba with the domain of `tests/peers/samba-ad`.
pub struct Samba {
    pub peer: Peer,
    pub url: String,
}

pub const DOMAIN: &str = "DC=ad,DC=example,DC=test";

impl Samba {
    pub fn start(dir: &Path) -> Self {
        let peer = Peer::start("samba-ad", dir, &[]);
        Self { url: peer.url.clone(), peer }
    }

    /// One of OpenLDAP's tools, as the domain's administrator.
    pub fn tool(&self, name: &str, arguments: &[&str]) -> Said {
        self.tool_as("administrator@ad.example.test", "Admin-password-1", name, arguments)
    }

    pub fn tool_as(&self, who: &str, password: &str, name: &str, arguments: &[&str]) -> Said {
        let mut command = Command::new(name);
        command.args(["-x", "-H", &self.url, "-D", who, "-w", password]).args(arguments);
        run(command.env("LDAPTLS_CACERT", self.peer.dir.join("ca.pem")))
    }

    /// An attribute of the person with this account name.
    pub fn attribute(&self, account: &str, name: &str) -> Option<String> {
        let filter = format!("(sAMAccountName={account})");
        let said = self.tool("ldapsearch", &["-LLL", "-o", "ldif-wrap=no", "-b", DOMAIN, &filter, name]);
        let found = Found::all(&said.out);
        found.iter().find_map(|entry| entry.value(name)).map(str::to_owned)
    }
}
