//! People of a directory, without anybody logging in: who appears, who is ended, and what the LDAP server hears of it.

use std::collections::BTreeMap;
use std::sync::Mutex;

use async_trait::async_trait;
use fedbridge_contract::config::{LdapDirectory, Tenant};
use fedbridge_contract::directory::{
    DirectoryFeed as _, DirectorySource, Mark, ProvisionedRecord, RecordSink, Seen, SyncCookie, SyncError, SyncSchedule,
};
use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::identity::{Attributes, UpstreamSubject};
use fedbridge_contract::ids::PersonId;
use fedbridge_contract::ldap_directory::Posix;
use fedbridge_contract::upstream::Adapter;
use fedbridge_hub::mapping::Mapping;
use fedbridge_hub::ports::{LoginStore as _, PeopleStore as _, ProfileSource, ProfileStore as _, SyncStore as _};
use fedbridge_hub::run::{HubFeed, OpenConnection, Ready, SyncFailed, SyncWish, Synced, TenantSnapshot};
use tokio::sync::Notify;

use super::*;

const EVERYBODY: SyncWish = SyncWish { full: true, allow_missing: false };

/// The values of an entry, and why it is switched off.
type Known = (Vec<(String, String)>, Option<String>);

/// A directory as a test wants it.
#[derive(Default)]
struct Directory {
    people: Mutex<BTreeMap<String, Known>>,
    /// What a delta names.
    delta: Mutex<Vec<Seen>>,
    /// It breaks off behind so many.
    breaks_off: Mutex<Option<usize>>,
    /// It waits in the middle until it is told to go on.
    waits: Option<(Arc<Notify>, Arc<Notify>)>,
}

struct Shared(Arc<Directory>);

impl Directory {
    fn of(people: impl IntoIterator<Item = String>) -> Arc<Self> {
        let directory = Self::default();
        for name in people {
            directory.put(&name, &[("email", &format!("{name}@acme.example"))]);
        }
        Arc::new(directory)
    }

    fn put(&self, name: &str, attributes: &[(&str, &str)]) {
        let attributes = attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.people.lock().unwrap().insert(name.to_owned(), (attributes, None));
    }

    fn disable(&self, name: &str) {
        self.people.lock().unwrap().get_mut(name).unwrap().1 = Some("userAccountControl 514".to_owned());
    }

    fn remove(&self, name: &str) {
        self.people.lock().unwrap().remove(name);
    }

    fn records(&self) -> Vec<ProvisionedRecord> {
        let people = self.people.lock().unwrap();
        let record = |(name, (values, disabled)): (&String, &Known)| {
            let mut attributes = Attributes::new();
            values.iter().for_each(|(name, value)| attributes.push(name.clone(), value.clone()));
            let subject = UpstreamSubject { key: name.clone(), display: name.clone(), stable: true, scope: None };
            let place = Some(format!("uid={name},dc=acme"));
            ProvisionedRecord { subject, place, attributes, disabled: disabled.clone() }
        };
        people.iter().map(record).collect()
    }
}

#[async_trait]
impl DirectorySource for Shared {
    fn schedule(&self) -> SyncSchedule {
        let seconds = Duration::from_secs;
        SyncSchedule { full: seconds(3600), delta: Some(seconds(60)), most_missing: 10 }
    }

    async fn full(&self, _: &Tenant, sink: &mut dyn RecordSink) -> Result<SyncCookie, SyncError> {
        let breaks_off = *self.0.breaks_off.lock().unwrap();
        if let Some((come, go)) = &self.0.waits {
            come.notify_one();
            go.notified().await;
        }
        for (number, record) in self.0.records().into_iter().enumerate() {
            if breaks_off == Some(number) {
                return Err(SyncError::Unavailable("it broke off".to_owned()));
            }
            sink.take(Seen::Person(Box::new(record))).await?;
        }
        Ok(SyncCookie(json!("full")))
    }

    async fn delta(&self, _: &Tenant, _: &SyncCookie, sink: &mut dyn RecordSink) -> Result<SyncCookie, SyncError> {
        let named = self.0.delta.lock().unwrap().clone();
        for seen in named {
            sink.take(seen).await?;
        }
        Ok(SyncCookie(json!("delta")))
    }
}

/// A world with a connection whose people are read from this directory.
struct Fixture {
    world: World,
    directory: Arc<Directory>,
}

impl Fixture {
    async fn new(directory: Arc<Directory>) -> Self {
        let world = World::new(vec![connection(2, "one", alice(), json!({}))], SubjectType::Public).await;
        Self { world, directory }
    }

    fn tenant(&self) -> Arc<TenantSnapshot> {
        Arc::clone(self.world.wired.snapshots.current().tenant(id(1)).unwrap())
    }

    fn connection(&self) -> Arc<OpenConnection> {
        let tenant = self.tenant();
        let open = tenant.connection("one").unwrap();
        let adapter = Adapter { directory: Some(Box::new(Shared(Arc::clone(&self.directory)))), ..Adapter::default() };
        let mapping = Mapping::compile(&MappingSpec::default(), "fake").unwrap();
        Arc::new(OpenConnection {
            view: Arc::clone(&open.view),
            people: open.people.clone(),
            can_log_in: true,
            settings: json!({}),
            state: Ok(Ready { adapter, mapping }),
        })
    }

    /// Some minutes later: whoever came just now may have been too new to be named.
    async fn sync(&self, wish: SyncWish) -> Result<Synced, SyncFailed> {
        self.world.clock.0.fetch_add(180_000, Ordering::Relaxed);
        self.world.hub.sync(&self.tenant(), &self.connection(), wish).await
    }

    async fn person(&self, name: &str) -> Option<(PersonId, Epoch)> {
        let store = &self.world.foundation.store;
        let linked = store.linked_person(id(1), id(2), name).await.unwrap();
        linked.map(|linked| (linked.person, linked.epoch))
    }

    /// The tenant shows a directory.
    async fn show(&self, posix: Posix) {
        let ldap = LdapDirectory { base_dn: "dc=acme".into(), posix, ..LdapDirectory::default() };
        let change = ConfigChange::PutTenant(StoredTenant {
            id: id(1),
            managed: Managed::Elsewhere,
            spec: TenantSpec {
                slug: "acme".into(),
                display_name: "Acme".into(),
                parent: None,
                domains: vec!["acme.example".into()],
                enabled: true,
                extras: TenantExtras { ldap: Some(ldap), ..TenantExtras::default() },
            },
        });
        self.world.apply(&[change]).await;
    }

    fn feed(&self) -> HubFeed {
        let (foundation, snapshots) = (&self.world.foundation, &self.world.wired.snapshots);
        HubFeed::new(
            Arc::clone(snapshots),
            Arc::clone(&foundation.store) as _,
            Arc::clone(&foundation.system) as _,
            Arc::clone(&foundation.epochs),
            Arc::clone(&foundation.clock),
        )
    }
}

fn names(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("person-{number:04}"))
}

#[tokio::test]
async fn people_appear_change_and_are_ended_without_a_login() {
    let mut it = Fixture::new(Directory::of(["alice".to_owned(), "bob".to_owned(), "eve".to_owned()])).await;
    it.directory.disable("eve");
    let done = it.sync(SyncWish::default()).await.unwrap();
    let expected = Synced { full: true, seen: 3, created: 2, left_out: 1, ..Synced::default() };
    assert_eq!(done, expected, "nobody is made of somebody who is kept out");
    assert_eq!(it.sync(EVERYBODY).await.unwrap(), Synced { created: 0, ..expected.clone() });
    // A login finds the person whom the sync has made.
    let (alice, _) = it.person("alice").await.unwrap();
    it.world.authorize("").await;
    let store = Arc::clone(&it.world.foundation.store);
    assert_eq!(store.sessions(id(1), alice, it.world.now()).await.unwrap().len(), 1);
    assert_eq!(it.person("alice").await.unwrap().0, alice);

    it.directory.put("bob", &[("email", "bob@acme.example"), ("name", "Bob the second")]);
    assert_eq!(it.sync(EVERYBODY).await.unwrap(), Synced { created: 0, changed: 1, ..expected.clone() });
    it.directory.disable("alice");
    let done = it.sync(EVERYBODY).await.unwrap();
    assert_eq!(done, Synced { created: 0, ended: 1, ..expected.clone() });
    assert_eq!(store.sessions(id(1), alice, it.world.now()).await.unwrap(), []);
    let (_, epoch) = it.person("alice").await.unwrap();
    assert_eq!(epoch, Epoch(1), "what was given out is dead on all nodes");
    let done = it.sync(EVERYBODY).await.unwrap();
    assert_eq!((done.ended, it.person("alice").await.unwrap().1), (0, Epoch(1)), "once");

    // Gone, by a delta; and whoever is named as gone and was never here counts for nothing.
    *it.directory.delta.lock().unwrap() = ["bob", "nobody"].map(|name| Seen::Gone(name.to_owned())).into();
    let done = it.sync(SyncWish::default()).await.unwrap();
    assert_eq!(done, Synced { ended: 1, ..Synced::default() });
    let profile = store.profiles_of(id(1), it.person("bob").await.unwrap().0).await.unwrap().remove(0);
    assert_eq!(profile.disabled.as_deref(), Some("not in the directory any more"));
    // And back.
    let done = it.sync(EVERYBODY).await.unwrap();
    assert_eq!((done.changed, done.stopped), (1, None), "alice is as she was kept, bob is new again");
    let profile = store.profiles_of(id(1), it.person("bob").await.unwrap().0).await.unwrap().remove(0);
    assert_eq!((profile.disabled, profile.source), (None, ProfileSource::Sync));
    assert_eq!(profile.profile.claims.text("name"), Some("Bob the second"));
}

#[tokio::test]
async fn a_directory_that_seems_empty_ends_nobody() {
    let it = Fixture::new(Directory::of(names(20))).await;
    it.sync(SyncWish::default()).await.unwrap();
    let people = std::mem::take(&mut *it.directory.people.lock().unwrap());
    let done = it.sync(EVERYBODY).await.unwrap();
    assert_eq!((done.ended, done.stopped.is_some()), (0, true));
    *it.directory.people.lock().unwrap() = people;
    // A few may go; more than a tenth is asked about.
    names(2).for_each(|name| it.directory.remove(&name));
    assert_eq!(it.sync(EVERYBODY).await.unwrap().ended, 2);
    names(9).for_each(|name| it.directory.remove(&name));
    let done = it.sync(EVERYBODY).await.unwrap();
    assert_eq!((done.ended, done.stopped.is_some()), (0, true), "{done:?}");
    let state = it.world.foundation.store.sync_state(id(1), id(2)).await.unwrap();
    assert!(state.stopped.unwrap().contains("7 of 18"));
    let done = it.sync(SyncWish { full: true, allow_missing: true }).await.unwrap();
    assert_eq!((done.ended, done.stopped), (7, None));
    let state = it.world.foundation.store.sync_state(id(1), id(2)).await.unwrap();
    assert_eq!(state.stopped, None);
    // What a delta names as gone is not lost where it is too much.
    let gone: Vec<_> = names(20).skip(9).map(Seen::Gone).collect();
    *it.directory.delta.lock().unwrap() = gone;
    assert!(it.sync(SyncWish::default()).await.unwrap().stopped.is_some());
    let state = it.world.foundation.store.sync_state(id(1), id(2)).await.unwrap();
    assert_eq!(state.cookie, Some(SyncCookie(json!("full"))), "it is read again");
}

#[tokio::test]
async fn a_run_that_breaks_off_ends_nobody_and_begins_again() {
    let it = Fixture::new(Directory::of(names(500))).await;
    it.sync(SyncWish::default()).await.unwrap();
    names(10).for_each(|name| it.directory.remove(&name));
    for name in names(520).skip(500) {
        it.directory.put(&name, &[]);
    }
    *it.directory.breaks_off.lock().unwrap() = Some(505);
    let failed = it.sync(EVERYBODY).await;
    assert!(matches!(failed, Err(SyncFailed::Directory(SyncError::Unavailable(_)))), "{failed:?}");
    assert_eq!(it.person("person-0001").await.unwrap().1, Epoch(0), "nobody is ended");
    *it.directory.breaks_off.lock().unwrap() = None;
    let done = it.sync(EVERYBODY).await.unwrap();
    assert_eq!((done.seen, done.ended, done.failed), (510, 10, 0), "{done:?}");
    assert!(it.person("person-0519").await.is_some());
}

#[tokio::test]
async fn of_two_nodes_one_reads() {
    let (come, go) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let mut directory = Arc::into_inner(Directory::of(names(3))).unwrap();
    directory.waits = Some((Arc::clone(&come), Arc::clone(&go)));
    let it = Fixture::new(Arc::new(directory)).await;
    let first = it.sync(SyncWish::default());
    let second = async {
        come.notified().await;
        // At once: a node that is silent for minutes loses its turn.
        let taken = it.world.hub.sync(&it.tenant(), &it.connection(), SyncWish::default()).await;
        assert!(matches!(taken, Err(SyncFailed::Taken)), "{taken:?}");
        go.notify_one();
    };
    let (first, ()) = tokio::join!(first, second);
    assert_eq!(first.unwrap().created, 3);
}

#[tokio::test]
async fn the_ldap_server_hears_of_people_groups_and_numbers() {
    let it = Fixture::new(Directory::of([])).await;
    it.directory.put("ada", &[("email", "ada@acme.example"), ("groups", "Dev")]);
    it.directory.put("bob", &[("email", "bob@acme.example"), ("groups", "dev")]);
    it.show(Posix::Allocate).await;
    it.sync(SyncWish::default()).await.unwrap();
    let feed = it.feed();
    assert_eq!(feed.tenants().len(), 1);
    let page = feed.page(id(1), None, 10).await.unwrap();
    let mut uids: Vec<_> = page.iter().map(|person| person.posix.unwrap().uid).collect();
    uids.sort_unstable();
    let groups = feed.groups(id(1)).await.unwrap();
    assert_eq!(groups.len(), 1, "one group in any case");
    assert_eq!((groups[0].gid, uids), (Some(100_000), vec![100_001, 100_002]), "each number once");
    assert!(page.iter().all(|person| person.claims.get("groups").is_some() && !person.disabled));

    // What was there before the mark is not told again, what comes later is.
    let mark = Mark { at: it.world.now() + Duration::from_secs(60), epoch: Epoch(0) };
    let first = feed.changed(id(1), mark).await.unwrap();
    it.world.clock.0.fetch_add(120_000, Ordering::Relaxed);
    it.directory.disable("ada");
    it.sync(EVERYBODY).await.unwrap();
    it.world.foundation.epochs.catch_up(it.world.foundation.system.as_ref()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(60)).await;
    let changes = feed.changed(id(1), first.mark).await.unwrap();
    let ada = it.person("ada").await.unwrap();
    let found = changes.people.iter().find(|person| person.id == ada.0).unwrap();
    assert!(found.disabled && found.epoch == ada.1 && ada.1 > Epoch(0));
    assert!(found.logins.is_empty());
    // Deleted by an administrator: the next sync does not bring them back.
    it.world.clock.0.fetch_add(120_000, Ordering::Relaxed);
    let bob = it.person("bob").await.unwrap().0;
    assert!(it.world.foundation.store.delete(id(1), bob, it.world.now()).await.unwrap());
    tokio::time::sleep(Duration::from_millis(60)).await;
    let changes = feed.changed(id(1), changes.mark).await.unwrap();
    assert!(changes.deleted.contains(&bob), "{changes:?}");
    let done = it.sync(EVERYBODY).await.unwrap();
    assert_eq!((done.created, it.person("bob").await), (0, None));
}

#[tokio::test]
async fn a_login_keeps_a_profile_only_where_a_directory_is_shown() {
    let mut it = Fixture::new(Directory::of([])).await;
    it.world.authorize("").await;
    let (alice, _) = it.person("alice").await.unwrap();
    let store = Arc::clone(&it.world.foundation.store);
    assert_eq!(store.profiles_of(id(1), alice).await.unwrap(), []);
    it.show(Posix::Allocate).await;
    for round in 0..2 {
        it.world.cookies.clear();
        it.world.clock.0.fetch_add(60_000, Ordering::Relaxed);
        assert!(param(&it.world.authorize("").await, "code").is_some(), "round {round}");
    }
    let profiles = store.profiles_of(id(1), alice).await.unwrap();
    assert_eq!(profiles.len(), 1);
    assert_eq!(profiles[0].source, ProfileSource::Login);
    assert!(profiles[0].profile.claims.text("email").is_some());
    assert!(profiles[0].changed < it.world.now(), "the second login said nothing new");
    assert!(store.profiled(id(1), &[alice]).await.unwrap()[0].number.is_some());
}
