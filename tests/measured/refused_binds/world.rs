//! Tenants with people of every kind whom a bind refuses.
//!
//! There are several tenants, each with the same people: strangers may guess 600 times a minute at one tenant, and what
//! is refused after that would be measured in the place of a wrong password.

use fedbridge_saml::testkit::ScriptedIdp;

use super::Class;
use crate::support::bridge::{Bridge, Setup};
use crate::support::browser::Browser;
use crate::support::ldap::certificates::Authority;
use crate::support::ldap::client::Client;
use crate::support::ldap::company::{BASE, Wanted, bridge_file, has, listen};
use crate::support::ldap::connections::client;
use crate::support::ldap::servers::OpenLdap;
use crate::support::ldap::tools::{Account, Directory};
use crate::support::scripted::{App, idp, now, person};
use crate::support::{Scratch, eventually};

pub const TENANTS: usize = 8;

/// How many failed binds wait at once.
pub const CONNECTIONS: usize = 24;

/// When a failed bind is answered. It leaves time for a machine that builds and tests other things meanwhile.
pub const DEADLINE: &str = "250ms";

pub struct World {
    /// One for each tenant.
    pub directories: Vec<Directory>,
    setup: Setup,
    bridge: Bridge,
    openldap: OpenLdap,
    _scratch: Scratch,
}

impl World {
    pub async fn start() -> Self {
        let scratch = Scratch::new("ldap-timing");
        let more = scratch.write("more.ldif", &people());
        let openldap = OpenLdap::start(scratch.path(), &[("SLAPD_MORE", more.to_str().unwrap())]);
        let mut setup = Setup::sqlite(scratch.path());
        let listener = listen(&mut setup, &Authority::new(scratch.path()));
        // One failure is what an account has. All come from one address, and that may fail as often as it likes.
        setup.set("FEDBRIDGE_LIMITS_FAILURES_PER_ACCOUNT", "1/h");
        setup.set("FEDBRIDGE_LIMITS_FAILURES_PER_IP", "100000/min");
        let idp = idp();
        setup.apply(&scratch, &file(&scratch, &openldap, &idp));
        let bridge = setup.serve(&scratch).await;
        let directories = (0..TENANTS).map(|number| of_tenant(&listener, number)).collect();
        let world = Self { directories, setup, bridge, openldap, _scratch: scratch };
        for directory in &world.directories {
            world.knows(directory, &Class::Disabled.name(Class::Disabled.people() - 1)).await;
            world.knows(directory, &Class::Wrong.name(Class::Wrong.people() - 1)).await;
        }
        world.log_in_by_saml(&idp).await;
        world.disable();
        world.lock();
        world.use_up();
        world
    }

    async fn knows(&self, directory: &Directory, name: &str) {
        let shown = format!("{name} is shown below {}", directory.base);
        // For hundreds of people in each of the tenants.
        for _ in 0..8 {
            if has(directory, name) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_secs(3)).await;
        }
        eventually(&shown, async || has(directory, name).then_some(())).await;
    }

    /// They have logged in, and are shown; no directory has a password of theirs.
    async fn log_in_by_saml(&self, idp: &ScriptedIdp) {
        for (number, directory) in self.directories.iter().enumerate() {
            let app = App { at: format!("{}/t/{}", self.bridge.base_url, slug(number)) };
            for name in (0..Class::Federated.people()).map(|number| Class::Federated.name(number)) {
                let mut browser = Browser::new();
                let request = app.to_idp(&mut browser, "&connection=idp").await;
                let who = person(&name).with("uid", &[&name]);
                let form = idp.answer(&request, &who, now()).form(idp, request.relay_state.as_deref()).unwrap();
                let answer = app.post_acs(&mut browser, &form).await;
                assert!(!answer.redirect_param("code").is_empty(), "{}: {}", answer.status, answer.body);
            }
            self.knows(directory, &Class::Federated.name(Class::Federated.people() - 1)).await;
        }
    }

    fn disable(&self) {
        for number in 0..TENANTS {
            let users =
                |rest: &[&str]| self.setup.ok(&[&["users"], rest, &["--tenant", slug(number).as_str()]].concat());
            let list = users(&["list", "--search", "disabled"]);
            let ids: Vec<_> = list.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
            assert_eq!(ids.len(), Class::Disabled.people(), "{list}");
            for id in ids {
                users(&["disable", id]);
            }
        }
    }

    /// By the directory's own policy: so many wrong passwords there. It may lose one of them where its clock is set while
    /// it writes, and begins to count again with the right one.
    fn lock(&self) {
        let upstream = &self.openldap.directory;
        let mut client = Client::open(&upstream.url, &upstream.ca).unwrap();
        for number in 0..Class::Locked.people() {
            let name = Class::Locked.name(number);
            let dn = upstream.person(&name);
            let mut locked = || {
                for _ in 0..5 {
                    assert_eq!(client.bind(&dn, "a wrong password").unwrap().code, 49);
                }
                client.bind(&dn, &format!("{name}-password")).unwrap().code == 49
            };
            assert!((0..3).any(|_| locked()), "the directory locks {dn}");
        }
    }

    /// The one failure that each of them has.
    fn use_up(&self) {
        let all = (0..TENANTS).flat_map(|tenant| (0..Class::Tired.people()).map(move |number| (tenant, number)));
        let binds = all.map(|(tenant, number)| (tenant, Class::Tired, number, "a wrong password".to_owned()));
        super::bind_all(&self.directories, &binds.collect::<Vec<_>>());
    }
}

pub fn slug(number: usize) -> String {
    format!("t{number}")
}

fn base(number: usize) -> String {
    format!("dc=t{number},dc=example")
}

fn of_tenant(listener: &Directory, number: usize) -> Directory {
    let moved = |dn: &str| dn.replace(BASE, &base(number));
    Directory {
        base: moved(&listener.base),
        people: moved(&listener.people),
        groups: moved(&listener.groups),
        app: Account { dn: moved(&listener.app.dn), password: listener.app.password.clone() },
        ..listener.clone()
    }
}

fn file(scratch: &Scratch, openldap: &OpenLdap, idp: &ScriptedIdp) -> String {
    let metadata = scratch.write("idp.xml", &idp.metadata());
    let saml = format!(
        "        sync: {{ full: 1h }}
      - slug: idp
        protocol: saml
        idp_metadata: {{ file: {} }}
",
        metadata.display()
    );
    let others = client();
    let one = bridge_file(&openldap.connection("corp", &saml), Wanted { others: &others, ..Wanted::default() });
    let (head, tenant) = one.split_once("tenants:\n").unwrap();
    let tenants = (0..TENANTS).map(|number| {
        tenant
            .replace("slug: acme", &format!("slug: {}", slug(number)))
            .replace("[acme.example]", &format!("[t{number}.example]"))
            .replace(BASE, &base(number))
            .replace("failure_deadline: 50ms", &format!("failure_deadline: {DEADLINE}"))
    });
    format!("{head}tenants:\n{}", tenants.collect::<String>())
}

/// Those whom the company's directory has. It locks no account but those of [`Class::Locked`].
fn people() -> String {
    let mut out = String::from(
        "dn: cn=patient,ou=policies,@SUFFIX@
objectClass: organizationalRole
objectClass: pwdPolicy
cn: patient
pwdAttribute: userPassword
pwdLockout: FALSE

",
    );
    for class in [Class::Disabled, Class::Locked, Class::Tired, Class::Wrong] {
        for number in 0..class.people() {
            let name = class.name(number);
            let policy =
                if class == Class::Locked { "" } else { "pwdPolicySubentry: cn=patient,ou=policies,@SUFFIX@\n" };
            out += &format!(
                "dn: uid={name},ou=people,@SUFFIX@
objectClass: inetOrgPerson
uid: {name}
cn: {name}
sn: {name}
mail: {name}@acme.example
userPassword: {name}-password
{policy}
"
            );
        }
    }
    out
}
