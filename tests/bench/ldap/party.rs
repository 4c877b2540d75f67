//! Who is measured: a server that speaks LDAP, and how it is asked.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::server::{Server, Setup};

use super::client::Client;
use super::people;
use super::slapd::Slapd;
use super::wire::{Scope, equal};

pub struct Party {
    pub name: &'static str,
    pub address: SocketAddr,
    /// Whose CPU and memory count.
    pub pid: u32,
    /// Where people are.
    pub people: String,
    pub app: (String, String),
}

impl Party {
    pub fn url(&self) -> String {
        format!("ldap://{}", self.address)
    }
}

/// The bridge, with its people from slapd and its passwords checked there.
pub struct Ours {
    pub party: Party,
    pub filled: Duration,
    setup: Setup,
    server: Server,
}

const BASE: &str = "dc=bridge,dc=example";
const APP_PASSWORD: &str = "bench-password-bench-password-bench";
/// For everybody to be taken over.
const PATIENCE: Duration = Duration::from_secs(1_800);
/// People who are asked for until all are there.
const SAMPLE: usize = 500;

impl Ours {
    pub fn start(folder: &Path, slapd: &Slapd, people: usize) -> anyhow::Result<Self> {
        let mut setup = Setup::new(folder, &format!("sqlite://{}", folder.join("fedbridge.db").display()))?;
        let address = crate::server::free_address()?;
        setup.set("FEDBRIDGE_LDAP_LISTEN", address.to_string());
        setup.set("FEDBRIDGE_LDAP_REQUIRE_TLS", "false".into());
        let file = folder.join("ldap.yaml");
        fs::write(&file, bridge_file(&slapd.party))?;
        setup.apply(&file)?;
        let start = Instant::now();
        let server = setup.serve()?;
        let party = Party {
            name: "fedbridge",
            address,
            pid: server.pid(),
            people: format!("ou=people,{BASE}"),
            app: (format!("cn=bench,ou=apps,{BASE}"), APP_PASSWORD.to_owned()),
        };
        let mut ours = Self { party, filled: Duration::ZERO, setup, server };
        while !ours.has_everybody(people).unwrap_or(false) {
            if start.elapsed() > PATIENCE {
                bail!("the directory was not filled in {} s: {}", PATIENCE.as_secs(), ours.log_tail());
            }
            thread::sleep(Duration::from_millis(250));
        }
        ours.filled = start.elapsed();
        Ok(ours)
    }

    fn has_everybody(&self, people: usize) -> anyhow::Result<bool> {
        let mut client = Client::open(&self.party.url(), Path::new(""))?;
        client.bind(&self.party.app.0, &self.party.app.1)?;
        for number in (0..people).rev().step_by(people.div_ceil(SAMPLE)) {
            let name = people::name(number);
            let (found, _) = client.search(&self.party.people, Scope::Sub, &equal("uid", &name), &["1.1"])?;
            if found.is_empty() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    pub fn log_tail(&self) -> String {
        self.setup.log_tail()
    }

    pub fn stop(self) -> anyhow::Result<()> {
        self.server.stop().context("the bridge")
    }
}

/// Every bind asks the upstream: nothing is remembered.
fn bridge_file(slapd: &Party) -> String {
    format!(
        "version: 1
tenants:
  - slug: bench
    display_name: Bench
    domains: [acme.example]
    connections:
      - slug: corp
        protocol: ldap
        flavor: openldap
        urls: [\"{url}\"]
        allow_plaintext: true
        bind_dn: \"{dn}\"
        bind_password: {{ value: {password} }}
        users: {{ base: \"{people}\" }}
        groups: {{ base: \"{groups}\", nested: false, how: member_of }}
        state_age: 1h
        sync: {{ full: 24h }}
    ldap_directory:
      base_dn: {BASE}
      password_connections: [corp]
      bind_cache: off
      apps:
        - slug: bench
          bind_password: {{ value: {APP_PASSWORD} }}
          attributes: [uid, cn, sn, mail, memberOf]
",
        url = slapd.url(),
        dn = slapd.app.0,
        password = slapd.app.1,
        people = slapd.people,
        groups = slapd.people.replace("ou=people", "ou=groups"),
    )
}
