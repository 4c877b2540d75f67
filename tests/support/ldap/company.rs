//! A company: OpenLDAP behind the bridge, the bridge's own directory in front.

use std::path::Path;
use std::time::{Duration, Instant};

use super::certificates::Authority;
use super::client::Client;
use super::servers::OpenLdap;
use super::tools::{Account, Directory};
use super::wire::{Scope, equal};
use crate::support::bridge::{Bridge, Setup};
use crate::support::peers::{Peer, Starting};
use crate::support::{Database, Scratch, free_port};

/// Of our directory: another one, so that nothing is right by being handed through.
pub const BASE: &str = "dc=bridge,dc=example";
pub const APP_PASSWORD: &str = "app-password-app-password-app-password";

impl OpenLdap {
    /// With entries of the test's own below another suffix.
    pub fn start_with_suffix(dir: &Path, suffix: &str, settings: &[(&str, &str)]) -> Self {
        let mut all = settings.to_vec();
        all.push(("SLAPD_SUFFIX", suffix));
        Self::of(Starting::peer("slapd", dir, &all).ready(), suffix)
    }
}

/// What the tenant's file says besides its connection.
#[derive(Clone, Copy)]
pub struct Wanted<'a> {
    pub database: Database,
    /// Of the connection, as its keys are indented.
    pub connection: &'a str,
    /// Of the tenant: `limits`, `second_factor`.
    pub tenant: &'a str,
    /// Of `ldap_directory`, as its keys are indented.
    pub directory: &'a str,
    /// Apps besides `app`, as items of their list.
    pub apps: &'a str,
    /// `clients` and `service_providers`.
    pub others: &'a str,
    /// Of the process.
    pub settings: &'a [(&'a str, &'a str)],
}

impl Default for Wanted<'_> {
    fn default() -> Self {
        Self {
            database: Database::Sqlite,
            connection: "        sync: { full: 1h }\n",
            tenant: "",
            directory: "      posix: allocate\n",
            apps: "",
            others: "",
            settings: &[],
        }
    }
}

/// Attributes that the usual app may read: all that apps of [76-84] ask for.
pub const ATTRIBUTES: &str = "uid, cn, sn, givenName, displayName, mail, employeeNumber, memberOf, member, uniqueMember, memberUid, \
     uidNumber, gidNumber, homeDirectory, loginShell, gecos, description, ou";

/// The bridge in front of OpenLDAP.
pub struct Company {
    pub scratch: Scratch,
    pub setup: Setup,
    pub bridge: Bridge,
    pub openldap: OpenLdap,
    /// Ours, as the app `app` uses it.
    pub directory: Directory,
    pub authority: Authority,
    pub file: String,
    _postgres: Option<Peer>,
}

/// For a whole directory to be taken over, beside other tests.
const MANY: Duration = Duration::from_secs(180);

impl Company {
    pub async fn start(wanted: Wanted<'_>) -> Self {
        let scratch = Scratch::new("ldap");
        let openldap = OpenLdap::start(scratch.path(), &[]);
        Self::before(scratch, openldap, wanted).await
    }

    /// With a slapd that runs already.
    pub async fn before(scratch: Scratch, openldap: OpenLdap, wanted: Wanted<'_>) -> Self {
        let (mut setup, postgres) = match wanted.database {
            Database::Sqlite => (Setup::sqlite(scratch.path()), None),
            Database::Postgres => {
                let peer = Peer::postgres(scratch.path());
                (Setup::postgres(scratch.path(), &peer.url), Some(peer))
            }
        };
        let authority = Authority::new(scratch.path());
        let directory = listen(&mut setup, &authority);
        for (name, value) in wanted.settings {
            setup.set(name, value);
        }
        let file = bridge_file(&openldap.connection("corp", wanted.connection), wanted);
        setup.apply(&scratch, &file);
        let bridge = setup.serve(&scratch).await;
        let company = Self { scratch, setup, bridge, openldap, directory, authority, file, _postgres: postgres };
        company.knows("alice").await;
        company
    }

    /// Waits until our directory has this person, who may be the last of many.
    ///
    /// # Panics
    /// When the person is not there in time.
    pub async fn knows(&self, name: &str) {
        let until = Instant::now() + MANY;
        while !has(&self.directory, name) {
            assert!(Instant::now() < until, "{name} is not in our directory within {MANY:?}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Whether the app finds this person.
pub fn has(directory: &Directory, name: &str) -> bool {
    let Ok(mut client) = Client::open(&directory.url, &directory.ca) else { return false };
    let bound = client.bind(&directory.app.dn, &directory.app.password);
    if bound.is_ok_and(|outcome| outcome.code != 0) {
        return false;
    }
    let found = client.search(&directory.people, Scope::Sub, &equal("uid", name), &["1.1"]);
    found.is_ok_and(|(entries, _)| !entries.is_empty())
}

/// Gives a node LDAP listeners of its own, and tells how its directory is reached.
pub fn listen(setup: &mut Setup, authority: &Authority) -> Directory {
    let issued = authority.server("our-ldap", &["localhost", "ldap.acme.example", "ldap.other.example"]);
    let (clear, tls) = (format!("127.0.0.1:{}", free_port()), format!("127.0.0.1:{}", free_port()));
    setup.set("FEDBRIDGE_LDAP_LISTEN", &clear);
    setup.set("FEDBRIDGE_LDAP_TLS_LISTEN", &tls);
    setup.set("FEDBRIDGE_LDAP_TLS_CERT", issued.certificate.to_str().unwrap());
    setup.set("FEDBRIDGE_LDAP_TLS_KEY", issued.key.to_str().unwrap());
    Directory {
        url: format!("ldaps://{tls}"),
        clear: format!("ldap://{clear}"),
        ca: authority.ca.clone(),
        base: BASE.into(),
        people: format!("ou=people,{BASE}"),
        groups: format!("ou=groups,{BASE}"),
        app: Account { dn: format!("cn=app,ou=apps,{BASE}"), password: APP_PASSWORD.into() },
    }
}

pub fn bridge_file(connections: &str, wanted: Wanted<'_>) -> String {
    format!(
        "version: 1
tenants:
  - slug: acme
    display_name: Acme
    domains: [acme.example]
{tenant}    connections:
{connections}{others}    ldap_directory:
      base_dn: {BASE}
      password_connections: [corp]
      failure_deadline: 50ms
{directory}      apps:
        - slug: app
          bind_password: {{ value: {APP_PASSWORD} }}
          attributes: [{ATTRIBUTES}]
{apps}",
        tenant = wanted.tenant,
        others = wanted.others,
        directory = wanted.directory,
        apps = wanted.apps,
    )
}
