//! Measures a directory in memory: what it takes, and what a search costs.
//!
//! ```text
//! cargo run --release -p fedbridge-ldap-server --example directory -- 100000
//! ```
//!
//! A second number is the limit of octets in memory.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use fedbridge_contract::claims::Claims;
use fedbridge_contract::config::{App, AppKind, Tenant, TenantSettings};
use fedbridge_contract::directory::{
    Changes, DirectoryFeed, DirectoryGroup, DirectoryPerson, DirectoryServices, KnownLogin, Mark, PosixNumbers, Shape,
    ShapeSink,
};
use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{AppId, ConnectionId, GroupId, PersonId, TenantId};
use fedbridge_contract::keys::KeyRing;
use fedbridge_contract::ldap_directory::{LdapDirectory, Posix};
use fedbridge_contract::services::Services;
use fedbridge_contract::testkit::{Hands, NoKills, ShutDesk, bare_services, local_client};
use fedbridge_contract::time::Timestamp;
use fedbridge_ldap_core::{Filter, Scope, Search};
use fedbridge_ldap_server::Held;
use fedbridge_ldap_server::backend::{Asked, Backend, Directories as _, Identity};
use futures_util::FutureExt as _;
use serde_json::json;
use tokio::time::Instant;
use uuid::Uuid;

const BASE: &str = "dc=acme,dc=example";
const GROUPS: usize = 2_000;
const GROUPS_OF_ONE: usize = 10;
const APP: AppId = AppId::from_uuid(Uuid::from_u128(7));

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let count = std::env::args().nth(1).and_then(|count| count.parse().ok()).unwrap_or(100_000);
    println!("resident before: {} MB", resident());
    let memory = std::env::args().nth(2).and_then(|memory| memory.parse().ok()).unwrap_or(u64::MAX);
    let people =
        Arc::new(People { tenant: tenant(memory), count, changes: Mutex::default(), wakes: AtomicUsize::new(0) });
    let directory = DirectoryServices {
        feed: Arc::clone(&people) as Arc<dyn DirectoryFeed>,
        desk: Arc::new(ShutDesk::default()),
        shapes: Arc::clone(&people) as Arc<dyn ShapeSink>,
    };
    let services = bare_services(Hands::at(Timestamp::from_seconds(1_800_000_000)));
    let held = Held::new(Services { gate: Arc::new(NoKills), ..services }, directory);
    let begun = Instant::now();
    let running = tokio::spawn(Arc::clone(&held).run());
    held.ready().await;
    println!("read {count} people in {:.1?}; resident {} MB", begun.elapsed(), resident());

    let backend = held.tenant_of(&BASE.into(), &local_client()).unwrap();
    let as_ = Identity::App { app: APP, epoch: Epoch(0) };
    let short = &["uid", "cn", "mail"][..];
    let long = &["*", "memberOf"][..];
    let middle = count / 2;
    for (what, filter, wanted, times) in [
        ("by uid, three attributes", format!("(uid=user{middle})"), short, 100_000),
        ("by uid, all and memberOf", format!("(uid=user{middle})"), long, 50_000),
        (
            "as sssd asks",
            format!("(&(uid=user{middle})(objectclass=posixAccount)(&(uidNumber=*)(!(uidNumber=0))))"),
            long,
            50_000,
        ),
        ("by mail or uid", format!("(|(mail=user{middle}@acme.example)(uid=user{middle}))"), short, 50_000),
        ("nobody", "(uid=nobody)".to_owned(), short, 100_000),
        ("groups of one", format!("(member=uid=user{middle},ou=people,{BASE})"), &["cn"], 20_000),
        ("members of a group", format!("(memberOf=cn=group7,ou=groups,{BASE})"), short, 100),
        ("by a piece of a name", format!("(cn=*{middle}*)"), short, 5),
        ("all by class", "(objectClass=inetOrgPerson)".to_owned(), short, 2),
    ] {
        measure(what, backend.as_ref(), &as_, &search(&filter, wanted), times);
    }

    let begun = Instant::now();
    for batch in 0..20 {
        people
            .changes
            .lock()
            .unwrap()
            .push((batch * 1000..batch * 1000 + 1000).map(|number| person(number, 1)).collect());
    }
    let before = people.wakes.load(Ordering::Relaxed);
    while people.wakes.load(Ordering::Relaxed) < before + 21 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    println!("20 batches of 1,000 changes: {:.1?}; resident {} MB", begun.elapsed(), resident());
    running.abort();
}

fn measure(what: &str, backend: &dyn Backend, as_: &Identity, search: &Search, times: u32) {
    let mut given = 0;
    let mut octets = 0;
    let begun = Instant::now();
    for _ in 0..times {
        given = 0;
        let mut after = 0;
        let mut fetched = None;
        loop {
            let asked = Asked { search, as_, fetched: fetched.as_ref(), ask_for: u32::MAX, after };
            let page = backend.search(&asked, &mut |found| {
                given += 1;
                octets += format_size(&found);
                true
            });
            if !page.missing.is_empty() {
                fetched = backend.fetch(&page.missing).now_or_never().and_then(Result::ok);
            }
            match page.next {
                Some(next) => after = next,
                None => break,
            }
        }
    }
    let each = begun.elapsed() / times;
    println!("{what:30} {each:>12.2?}  {given} entries, {} octets", octets / times as usize);
}

fn format_size(found: &fedbridge_ldap_server::backend::Found) -> usize {
    use fedbridge_ldap_server::backend::Found;
    match found {
        Found::Entry(octets) | Found::Reference(octets) => octets.len(),
    }
}

fn search(filter: &str, attributes: &[&str]) -> Search {
    Search {
        base: BASE.to_owned(),
        scope: Scope::Sub,
        aliases: 0,
        size: 0,
        time: 0,
        types_only: false,
        filter: Filter::parse(filter).unwrap(),
        attributes: attributes.iter().map(|name| (*name).to_owned()).collect(),
    }
}

fn person(number: usize, version: i64) -> DirectoryPerson {
    let id = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 + number as u128);
    let groups: Vec<_> = (0..GROUPS_OF_ONE).map(|at| format!("group{}", (number * 7 + at * 131) % GROUPS)).collect();
    let claims = json!({
        "preferred_username": format!("user{number}"),
        "name": format!("Given{number} Family{number}"),
        "given_name": format!("Given{number}"),
        "family_name": format!("Family{number}"),
        "email": format!("user{number}@acme.example"),
        "phone_number": format!("+49 30 {number:07}"),
        "employee_number": format!("{number}"),
        "department": format!("Department {}", number % 100),
        "title": "Engineer",
        "groups": groups,
    });
    let claims: Claims = serde_json::from_value(claims).unwrap();
    let key = id.hyphenated().to_string();
    let place = Some(format!("uid=user{number},ou=people,dc=upstream,dc=example"));
    DirectoryPerson {
        id: PersonId::from_uuid(id),
        claims,
        logins: vec![KnownLogin { connection: ConnectionId::from_uuid(Uuid::from_u128(3)), key, place }],
        disabled: false,
        epoch: Epoch(0),
        posix: Some(PosixNumbers { uid: 100_000 + number as u32, gid: 100 }),
        created: Timestamp::from_seconds(1_700_000_000 + number as i64),
        changed: Timestamp::from_seconds(1_700_000_000 + number as i64 + version),
    }
}

fn tenant(memory: u64) -> Arc<Tenant> {
    let attributes = [
        "uid",
        "cn",
        "sn",
        "givenName",
        "displayName",
        "mail",
        "telephoneNumber",
        "employeeNumber",
        "department",
        "title",
        "memberOf",
        "member",
        "uidNumber",
        "gidNumber",
        "homeDirectory",
        "loginShell",
        "gecos",
    ];
    let settings = json!({ "attributes": attributes });
    let app = App::new(APP, AppKind::LdapApp, "app".into(), None, "App".into(), true, None, settings, Vec::new());
    let id = TenantId::from_uuid(Uuid::from_u128(1));
    let (url, keys) = ("https://bridge.example", Arc::new(KeyRing::default()));
    let tenant = Tenant::new(id, "acme".into(), "Acme".into(), true, url, Vec::new(), vec![Arc::new(app)], keys);
    let directory =
        LdapDirectory { base_dn: BASE.to_owned(), posix: Posix::Allocate, memory, ..LdapDirectory::default() };
    let settings = TenantSettings { ldap: Some(Arc::new(directory)), ..TenantSettings::default() };
    Arc::new(tenant.with_settings(settings))
}

struct People {
    tenant: Arc<Tenant>,
    count: usize,
    changes: Mutex<Vec<Vec<DirectoryPerson>>>,
    wakes: AtomicUsize,
}

#[async_trait]
impl DirectoryFeed for People {
    fn tenants(&self) -> Vec<Arc<Tenant>> {
        vec![Arc::clone(&self.tenant)]
    }

    async fn page(&self, _: TenantId, after: Option<PersonId>, most: u32) -> Result<Vec<DirectoryPerson>, StoreError> {
        let first =
            after.map_or(0, |after| person(0, 0).id.uuid().as_u128().abs_diff(after.uuid().as_u128()) as usize + 1);
        Ok((first..self.count.min(first + most as usize)).map(|number| person(number, 0)).collect())
    }

    async fn people(&self, _: TenantId, ids: &[PersonId]) -> Result<Vec<DirectoryPerson>, StoreError> {
        Ok(ids
            .iter()
            .map(|id| person(id.uuid().as_u128().abs_diff(person(0, 0).id.uuid().as_u128()) as usize, 0))
            .collect())
    }

    async fn groups(&self, _: TenantId) -> Result<Vec<DirectoryGroup>, StoreError> {
        let group = |number: usize| DirectoryGroup {
            id: GroupId::from_uuid(Uuid::from_u128(0x6000_0000 + number as u128)),
            name: format!("group{number}"),
            gid: Some(50_000 + number as u32),
            created: Timestamp::from_seconds(1_700_000_000),
        };
        Ok((0..GROUPS).map(group).collect())
    }

    async fn changed(&self, _: TenantId, since: Mark) -> Result<Changes, StoreError> {
        let people = self.changes.lock().unwrap().pop().unwrap_or_default();
        Ok(Changes { people, mark: since, ..Changes::default() })
    }

    async fn wake(&self, _: Duration) {
        self.wakes.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    fn sure(&self) -> bool {
        true
    }
}

impl ShapeSink for People {
    fn saw(&self, _: TenantId, _: &App, _: Shape, _: Timestamp) {}
}

/// Megabytes of the process in memory; zero where the system does not say.
fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok()).unwrap_or(0) / 1024
}
