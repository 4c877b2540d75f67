//! A tenant with a directory, and whoever is in it, for tests.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use fedbridge_contract::claims::Claims;
use fedbridge_contract::config::{App, AppKind, Tenant, TenantSettings};
use fedbridge_contract::directory::{
    Changes, DirectoryFeed, DirectoryGroup, DirectoryPerson, DirectoryServices, Mark, PassThrough, PosixNumbers, Shape,
    ShapeSink,
};
use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{AppId, GroupId, PersonId, TenantId};
use fedbridge_contract::keys::KeyRing;
use fedbridge_contract::ldap_directory::LdapDirectory;
use fedbridge_contract::services::Services;
pub use fedbridge_contract::testkit::local_client as wire;
use fedbridge_contract::testkit::{Hands, NoKills, ShutDesk, bare_services};
use fedbridge_contract::time::Timestamp;
use fedbridge_ldap_core::frame::{RESPONSE_DEPTH, envelope};
use fedbridge_ldap_core::{Code, Entry, Filter, Framer, Message, Op, Scope, Search};
use futures_util::FutureExt as _;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::backend::{Asked, Backend, Comparison, Found, Identity, Page};
use crate::index::Index;
use crate::layout::Layout;
use crate::snapshot::Snapshot;

pub const BASE: &str = "dc=acme,dc=example";

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

pub fn person_id(number: u128) -> PersonId {
    PersonId::from_uuid(Uuid::from_u128(number))
}

pub fn app_id(number: u128) -> AppId {
    AppId::from_uuid(Uuid::from_u128(0xa0 + number))
}

/// The app that was given with this number, counted from zero.
pub fn by_app(number: u128) -> Identity {
    Identity::App { app: app_id(number), epoch: Epoch(0) }
}

pub fn by_person(number: u128) -> Identity {
    Identity::Person { id: person_id(number), by_app: None, epoch: Epoch(0) }
}

/// Made in the order of their numbers.
pub fn person(number: u128, claims: Value) -> DirectoryPerson {
    let claims: Claims = serde_json::from_value(claims).unwrap();
    DirectoryPerson {
        id: person_id(number),
        claims,
        logins: Vec::new(),
        disabled: false,
        epoch: Epoch(0),
        posix: Some(PosixNumbers { uid: 1000 + number as u32, gid: 100 }),
        created: at(1_000_000 + number as i64),
        changed: at(2_000_000 + number as i64),
    }
}

pub fn group(number: u128, name: &str) -> DirectoryGroup {
    let id = GroupId::from_uuid(Uuid::from_u128(0x6000 + number));
    DirectoryGroup { id, name: name.to_owned(), gid: Some(500 + number as u32), created: at(1_000_000) }
}

pub fn directory() -> LdapDirectory {
    LdapDirectory { base_dn: BASE.to_owned(), ..LdapDirectory::default() }
}

pub fn tenant(number: u128, slug: &str, directory: LdapDirectory, apps: &[(&str, Value)]) -> Arc<Tenant> {
    let apps = apps.iter().enumerate().map(|(at, (slug, settings))| {
        let id = app_id(at as u128);
        let (slug, name) = ((*slug).to_owned(), (*slug).to_owned());
        Arc::new(App::new(id, AppKind::LdapApp, slug, None, name, true, None, settings.clone(), Vec::new()))
    });
    let id = TenantId::from_uuid(Uuid::from_u128(number));
    let (url, keys) = ("https://bridge.example", Arc::new(KeyRing::default()));
    let tenant = Tenant::new(id, slug.into(), slug.to_uppercase(), true, url, Vec::new(), apps.collect(), keys);
    Arc::new(tenant.with_settings(TenantSettings { ldap: Some(Arc::new(directory)), ..TenantSettings::default() }))
}

/// An app that sees everything.
pub fn everything() -> Value {
    json!({
        "attributes": [
            "uid", "cn", "sn", "givenName", "displayName", "mail", "telephoneNumber", "memberOf", "member", "uniqueMember",
            "memberUid", "uidNumber", "gidNumber", "homeDirectory", "loginShell", "gecos", "employeeNumber", "costCodes",
            "createTimestamp", "modifyTimestamp", "description", "title",
        ],
    })
}

/// A directory as the feed gives it.
pub fn snapshot(
    directory: LdapDirectory,
    apps: &[(&str, Value)],
    people: &[DirectoryPerson],
    groups: &[DirectoryGroup],
) -> Snapshot {
    snapshot_and_store(directory, apps, people, groups).0
}

/// The same, and the store that is asked for what memory does not have.
pub fn snapshot_and_store(
    directory: LdapDirectory,
    apps: &[(&str, Value)],
    people: &[DirectoryPerson],
    groups: &[DirectoryGroup],
) -> (Snapshot, Arc<Given>) {
    let mut index = Index::new(Layout::of(&directory).unwrap());
    index.know_groups(groups);
    for person in people {
        index.put(person);
    }
    let tenant = tenant(1, "acme", directory, apps);
    let given = Arc::new(Given { people: Mutex::new(people.to_vec()), ..Given::default() });
    (Snapshot::of(&tenant, index, &services(&given), at(3_000_000)).unwrap(), given)
}

pub fn asked(base: &str, scope: Scope, filter: &str, attributes: &[&str]) -> Search {
    Search {
        base: base.to_owned(),
        scope,
        aliases: 0,
        size: 0,
        time: 0,
        types_only: false,
        filter: Filter::parse(filter).unwrap(),
        attributes: attributes.iter().map(|name| (*name).to_owned()).collect(),
    }
}

/// All entries of a search, as a client reads them.
pub fn entries(backend: &dyn Backend, as_: &Identity, search: &Search) -> (Vec<Entry>, Page) {
    let mut found = Vec::new();
    let mut after = 0;
    let mut fetched = None;
    loop {
        let asked = Asked { search, as_, fetched: fetched.as_ref(), ask_for: u32::MAX, after };
        let page = backend.search(&asked, &mut |entry| {
            found.push(read(&entry));
            true
        });
        if !page.missing.is_empty() {
            fetched = Some(backend.fetch(&page.missing).now_or_never().unwrap().unwrap());
        }
        match page.next {
            Some(next) => after = next,
            None => return (found, page),
        }
    }
}

/// What a compare answers.
pub fn compared(backend: &dyn Backend, as_: &Identity, dn: &str, attribute: &str, value: &str) -> (Code, String) {
    let what = Comparison { dn, attribute, value: value.as_bytes(), fetched: None };
    backend.compare(as_, &what).unwrap_or_else(|missing| {
        let fetched = backend.fetch(&[missing]).now_or_never().unwrap().unwrap();
        backend.compare(as_, &Comparison { fetched: Some(&fetched), ..what }).unwrap()
    })
}

/// DNs of what a search below the base finds, in order.
pub fn names(backend: &dyn Backend, as_: &Identity, base: &str, scope: Scope, filter: &str) -> Vec<String> {
    let (found, _) = entries(backend, as_, &asked(base, scope, filter, &["1.1"]));
    let mut names: Vec<_> = found
        .into_iter()
        .map(|entry| {
            assert_eq!(entry.attributes, []);
            entry.dn.strip_suffix(BASE).unwrap().trim_end_matches(',').to_owned()
        })
        .collect();
    names.sort();
    names
}

/// User names of the people that a filter finds.
pub fn people(backend: &dyn Backend, as_: &Identity, filter: &str) -> Vec<String> {
    let found = names(backend, as_, &format!("ou=people,{BASE}"), Scope::One, filter);
    found.into_iter().map(|dn| dn.trim_start_matches("uid=").trim_end_matches(",ou=people").to_owned()).collect()
}

pub fn read(found: &Found) -> Entry {
    let Found::Entry(octets) = found else { panic!("a reference") };
    let mut stream = BytesMut::new();
    envelope(1, octets, &[], &mut stream);
    let frame = Framer::new(1 << 24, RESPONSE_DEPTH).next(&mut stream).unwrap().unwrap();
    let Op::Entry(entry) = Message::read(&frame).unwrap().op else { panic!("no entry") };
    entry
}

/// `cn=Ada Lovelace; mail=a@x|b@x`
pub fn shown(entry: &Entry) -> String {
    let text = |value: &Bytes| String::from_utf8_lossy(value).into_owned();
    let one = |(name, values): &(String, Vec<Bytes>)| {
        format!("{name}={}", values.iter().map(text).collect::<Vec<_>>().join("|"))
    };
    let mut attributes: Vec<_> = entry.attributes.iter().map(one).collect();
    attributes.sort();
    attributes.join("; ")
}

/// What the feed gives, and what was seen of it.
#[derive(Default)]
pub struct Given {
    pub tenants: Mutex<Vec<Arc<Tenant>>>,
    pub people: Mutex<Vec<DirectoryPerson>>,
    /// How many people were asked for, each time.
    pub asked: Mutex<Vec<usize>>,
    pub groups: Mutex<Vec<DirectoryGroup>>,
    /// For whoever asks first.
    pub changes: Mutex<Vec<Changes>>,
    pub changes_of: Mutex<Vec<(TenantId, Changes)>>,
    /// Tenants with ten people.
    pub small: Mutex<HashSet<TenantId>>,
    /// Tenants whose people are not given out beyond the first page.
    pub stalled: Mutex<HashSet<TenantId>>,
    /// Pages that each tenant was asked for.
    pub pages: Mutex<HashMap<TenantId, usize>>,
    /// Pages of large tenants beyond the first that are under way, and the most that ever were.
    pub beyond: Mutex<(usize, usize)>,
    /// Tenants whose store fails.
    pub broken: Mutex<HashSet<TenantId>>,
    pub shapes: Mutex<Vec<Shape>>,
    pub upstream: Option<Arc<dyn PassThrough>>,
}

pub fn services(given: &Arc<Given>) -> DirectoryServices {
    DirectoryServices {
        feed: Arc::clone(given) as Arc<dyn DirectoryFeed>,
        desk: Arc::new(ShutDesk(given.upstream.clone())),
        shapes: Arc::clone(given) as Arc<dyn ShapeSink>,
    }
}

/// All else that the directories are given, at this time.
pub fn around(now: Timestamp) -> Services {
    Services { gate: Arc::new(NoKills), ..bare_services(Hands::at(now)) }
}

/// Counted while it is there.
struct Beyond<'g>(&'g Given);

impl<'g> Beyond<'g> {
    fn new(given: &'g Given) -> Self {
        let mut beyond = given.beyond.lock().unwrap();
        beyond.0 += 1;
        beyond.1 = beyond.1.max(beyond.0);
        Self(given)
    }
}

impl Drop for Beyond<'_> {
    fn drop(&mut self) {
        self.0.beyond.lock().unwrap().0 -= 1;
    }
}

#[async_trait]
impl DirectoryFeed for Given {
    fn tenants(&self) -> Vec<Arc<Tenant>> {
        self.tenants.lock().unwrap().clone()
    }

    async fn page(&self, of: TenantId, after: Option<PersonId>, most: u32) -> Result<Vec<DirectoryPerson>, StoreError> {
        if self.broken.lock().unwrap().contains(&of) {
            return Err(StoreError("broken".to_owned()));
        }
        *self.pages.lock().unwrap().entry(of).or_default() += 1;
        let is_small = self.small.lock().unwrap().contains(&of);
        let _beyond = after.filter(|_| !is_small).map(|_| Beyond::new(self));
        if after.is_some() {
            while self.stalled.lock().unwrap().contains(&of) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        let people = self.people.lock().unwrap();
        let all = if is_small { 10 } else { people.len() };
        let rest = people.iter().take(all).filter(|person| after.is_none_or(|after| person.id > after));
        Ok(rest.take(most as usize).cloned().collect())
    }

    async fn people(&self, _: TenantId, ids: &[PersonId]) -> Result<Vec<DirectoryPerson>, StoreError> {
        self.asked.lock().unwrap().push(ids.len());
        let ids: HashSet<_> = ids.iter().collect();
        Ok(self.people.lock().unwrap().iter().filter(|person| ids.contains(&person.id)).cloned().collect())
    }

    async fn groups(&self, _: TenantId) -> Result<Vec<DirectoryGroup>, StoreError> {
        Ok(self.groups.lock().unwrap().clone())
    }

    async fn changed(&self, of: TenantId, since: Mark) -> Result<Changes, StoreError> {
        let mut own = self.changes_of.lock().unwrap();
        if let Some(at) = own.iter().position(|(tenant, _)| *tenant == of) {
            return Ok(own.remove(at).1);
        }
        Ok(self.changes.lock().unwrap().pop().unwrap_or(Changes { mark: since, ..Changes::default() }))
    }

    async fn wake(&self, _: Duration) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }

    fn sure(&self) -> bool {
        true
    }
}

impl ShapeSink for Given {
    fn saw(&self, _: TenantId, _: &App, shape: Shape, _: Timestamp) {
        self.shapes.lock().unwrap().push(shape);
    }
}
