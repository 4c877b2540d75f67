//! slapd, with the people or as a proxy of one that has them.

use std::fs;
use std::path::Path;

use anyhow::Context as _;

use super::client::Client;
use super::party::Party;
use super::people;
use super::wire::{Scope, present};
use crate::peer::Peer;

pub struct Slapd {
    _peer: Peer,
    pub party: Party,
}

const SUFFIX: &str = "dc=acme,dc=example";
/// What slapd's manual says for as few cores.
const THREADS: &str = "4";

impl Slapd {
    pub fn company(folder: &Path, people: usize) -> anyhow::Result<Self> {
        let file = folder.join("people.ldif");
        fs::write(&file, people::ldif(people))?;
        Self::start("slapd", &folder.join("slapd"), &[("SLAPD_MORE", file.to_str().context("the folder's name")?)])
    }

    pub fn proxy(folder: &Path, behind: &Self) -> anyhow::Result<Self> {
        Self::start("back-ldap", folder, &[("SLAPD_PROXY_TO", &behind.party.url())])
    }

    fn start(name: &'static str, folder: &Path, settings: &[(&str, &str)]) -> anyhow::Result<Self> {
        let settings: Vec<_> = settings.iter().copied().chain([("SLAPD_THREADS", THREADS)]).collect();
        let (peer, ready) = Peer::start("slapd", folder, &settings)?;
        let url = ready.strip_prefix("ldap://").context("slapd's address")?;
        let pid = fs::read_to_string(folder.join("slapd.pid"))?.trim().parse()?;
        let party = Party {
            name,
            address: url.parse()?,
            pid,
            people: format!("ou=people,{SUFFIX}"),
            app: (format!("cn=bridge,ou=services,{SUFFIX}"), "bridge-password".into()),
        };
        Ok(Self { _peer: peer, party })
    }

    /// Operations of a kind that it has done.
    pub fn counted(&self, operation: &str) -> anyhow::Result<u64> {
        let mut client = Client::open(&self.party.url(), Path::new(""))?;
        let base = format!("cn={operation},cn=Operations,cn=Monitor");
        let (found, _) = client.search(&base, Scope::Base, &present("objectClass"), &["monitorOpCompleted"])?;
        let count =
            found.first().and_then(|entry| entry.value("monitorOpCompleted")).context("slapd counts nothing")?;
        Ok(count.parse()?)
    }
}
