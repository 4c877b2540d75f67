#![allow(clippy::unwrap_used, clippy::panic)]
//! Changes that can't be opened: what they switch off is off all the same.

use std::collections::HashSet;
use std::sync::Mutex;

use async_trait::async_trait;
use fedbridge_contract::config::AppKind;
use fedbridge_contract::error::{Complaint, StoreError};
use fedbridge_contract::factory::{AdapterFactory, Field, Open, Registry};
use fedbridge_contract::ids::{AppId, ConnectionId, TenantId};
use fedbridge_contract::keys::KeyRing;
use fedbridge_contract::services::{Clock, Rng};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::upstream::Adapter;
use fedbridge_hub::ports::{ApplyError, KeyOpener};
use fedbridge_hub::spec::{
    AppSpec, ConfigChange, Configuration, ConnectionSpec, Managed, MappingSpec, PeopleSpec, StoredApp,
    StoredConnection, StoredKey, StoredTenant, SubjectType, TenantExtras, TenantSpec,
};
use serde_json::json;
use uuid::Uuid;

use super::*;
use crate::bridge::offline;
use crate::egress::{Bounds, Client};

/// Gives out what it was told to.
#[derive(Default)]
struct Memory(Mutex<Changed>);

#[async_trait]
impl ConfigStore for Memory {
    async fn version(&self) -> Result<i64, StoreError> {
        Ok(self.0.lock().unwrap().version)
    }

    async fn load(&self) -> Result<Configuration, StoreError> {
        Ok(Configuration::default())
    }

    async fn load_since(&self, _: i64) -> Result<Changed, StoreError> {
        Ok(self.0.lock().unwrap().clone())
    }

    async fn apply(&self, _: i64, _: &[ConfigChange]) -> Result<i64, ApplyError> {
        Err(ApplyError::Conflict)
    }

    async fn people(&self, _: TenantId, _: Option<ConnectionId>) -> Result<u64, StoreError> {
        Ok(0)
    }
}

/// Its connections open, unless their settings say otherwise.
struct Fragile;

impl AdapterFactory for Fragile {
    fn kind(&self) -> &'static str {
        "saml"
    }

    fn can_log_in(&self) -> bool {
        true
    }

    fn fields(&self) -> &'static [Field] {
        &[]
    }

    fn open(&self, open: Open<'_>) -> Result<Adapter, Vec<Complaint>> {
        match open.settings["opens"].as_bool() {
            Some(true) => Ok(Adapter::default()),
            Some(false) => Err(vec![Complaint::new("opens", "must be true")]),
            None => panic!("nobody has thought of that"),
        }
    }
}

/// Keys that can be had until they can't.
#[derive(Default)]
struct Keys(Mutex<bool>);

impl KeyOpener for Keys {
    fn ring(&self, _: &[StoredKey]) -> Result<Arc<KeyRing>, String> {
        match *self.0.lock().unwrap() {
            true => Err("another master key".into()),
            false => Ok(Arc::default()),
        }
    }

    fn digest(&self, octets: &[u8]) -> [u8; 32] {
        openssl::sha::sha256(octets)
    }
}

struct Still;

impl Clock for Still {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(0)
    }
}

impl Rng for Still {
    fn fill(&self, buffer: &mut [u8]) {
        buffer.fill(0x80);
    }
}

const OKTA: u128 = 1;
const ENTRA: u128 = 2;
const PORTAL: u128 = 3;
const WIKI: u128 = 4;

fn id(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

/// A tenant with two connections and two apps, where all is on and opens.
fn configuration(tenant: u128) -> TenantConfiguration {
    let tenant = TenantId::from_uuid(id(tenant));
    let connection = |number, slug: &str| StoredConnection {
        tenant,
        id: ConnectionId::from_uuid(id(number)),
        managed: Managed::File,
        spec: ConnectionSpec {
            slug: slug.into(),
            protocol: "saml".into(),
            display_name: None,
            enabled: true,
            domains: Vec::new(),
            mapping: MappingSpec::default(),
            people: PeopleSpec::default(),
            settings: json!({ "opens": true }),
        },
    };
    let app = |number, name: &str| StoredApp {
        tenant,
        id: AppId::from_uuid(id(number)),
        managed: Managed::File,
        spec: AppSpec {
            kind: AppKind::OidcClient,
            name: name.into(),
            protocol_name: None,
            display_name: name.into(),
            enabled: true,
            connections: None,
            release: Vec::new(),
            claims: serde_json::Map::new(),
            subject_type: SubjectType::Public,
            groups: Vec::new(),
            settings: json!({}),
        },
    };
    let slug = format!("tenant-{tenant}");
    TenantConfiguration {
        version: 1,
        connections: vec![connection(OKTA, "okta"), connection(ENTRA, "entra")],
        apps: vec![app(PORTAL, "portal"), app(WIKI, "wiki")],
        secrets: Vec::new(),
        keys: Vec::new(),
        documents: Vec::new(),
        tenant: StoredTenant {
            id: tenant,
            managed: Managed::File,
            spec: TenantSpec {
                display_name: slug.clone(),
                slug,
                parent: None,
                domains: Vec::new(),
                enabled: true,
                extras: TenantExtras::default(),
            },
        },
    }
}

struct World {
    follower: Follower,
    store: Arc<Memory>,
    keys: Arc<Keys>,
}

impl World {
    /// Two tenants in force.
    async fn new() -> Self {
        let (store, keys) = (Arc::new(Memory::default()), Arc::new(Keys::default()));
        let egress = Client::new(false, Bounds { per_partner: 1, whole: 1 }, Arc::new(Still)).unwrap();
        let builder = Builder {
            base_url: String::new(),
            registry: Registry::default().with(Arc::new(Fragile)),
            services: offline::services(Arc::new(Still), Arc::new(Still), Arc::new(egress)),
            keys: Arc::clone(&keys) as _,
        };
        let follower = Follower {
            store: Arc::clone(&store) as _,
            builder: Arc::new(builder),
            snapshots: Arc::default(),
            turn: tokio::sync::Mutex::default(),
            taken_over: tokio::sync::Notify::default(),
        };
        let world = Self { follower, store, keys };
        world.change(vec![configuration(10), configuration(20)], Vec::new()).await;
        assert_eq!(world.on(10), vec!["tenant", "okta", "entra", "portal", "wiki"]);
        world
    }

    async fn change(&self, tenants: Vec<TenantConfiguration>, unreadable: Vec<(Switches, StoreError)>) {
        let existing = [10, 20].map(|number| TenantId::from_uuid(id(number))).to_vec();
        let version = self.follower.version() + 1;
        *self.store.0.lock().unwrap() = Changed { version, tenants, unreadable, existing };
        self.follower.step().await.unwrap();
        assert_eq!(self.follower.version(), version);
    }

    /// What is on of a tenant.
    fn on(&self, tenant: u128) -> Vec<String> {
        let snapshot = self.follower.snapshots.current();
        let open = snapshot.tenant(TenantId::from_uuid(id(tenant))).unwrap();
        assert!(Arc::ptr_eq(open, snapshot.named(&open.view.slug).unwrap()));
        let mut on: Vec<String> = open.view.enabled.then(|| "tenant".into()).into_iter().collect();
        for view in &open.view.connections {
            assert_eq!(open.connections[&view.id].view.enabled, view.enabled);
            on.extend(view.enabled.then(|| view.slug.clone()));
        }
        for view in &open.view.apps {
            assert_eq!(open.apps[&view.id].view.enabled, view.enabled);
            on.extend(view.enabled.then(|| view.name.clone()));
        }
        on
    }
}

#[tokio::test]
async fn what_is_switched_off_is_off_where_the_keys_cannot_be_opened() {
    let world = World::new().await;
    *world.keys.0.lock().unwrap() = true;
    let mut changed = configuration(10);
    changed.connections[0].spec.enabled = false;
    changed.apps.remove(1);
    world.change(vec![changed.clone()], Vec::new()).await;
    assert_eq!(world.on(10), vec!["tenant", "entra", "portal"], "what is gone is off, too");
    assert_eq!(world.on(20).len(), 5);
    // Nothing comes back before all of it can be opened.
    world.change(vec![configuration(10)], Vec::new()).await;
    assert_eq!(world.on(10), vec!["tenant", "entra", "portal"]);
    changed.tenant.spec.enabled = false;
    world.change(vec![changed], Vec::new()).await;
    assert_eq!(world.on(10), vec!["entra", "portal"]);
    *world.keys.0.lock().unwrap() = false;
    world.change(vec![configuration(10)], Vec::new()).await;
    assert_eq!(world.on(10).len(), 5);
}

#[tokio::test]
async fn an_adapter_that_panics_stops_neither_its_tenant_nor_another_one_from_going_off() {
    let world = World::new().await;
    let (mut one, mut two) = (configuration(10), configuration(20));
    one.connections[0].spec.settings = json!({});
    one.apps[0].spec.enabled = false;
    two.tenant.spec.enabled = false;
    world.change(vec![one, two], Vec::new()).await;
    assert_eq!(world.on(10), vec!["tenant", "okta", "entra", "wiki"]);
    assert_eq!(world.on(20), vec!["okta", "entra", "portal", "wiki"]);
}

#[tokio::test]
async fn a_connection_that_cannot_be_opened_takes_nothing_with_it() {
    let world = World::new().await;
    let mut changed = configuration(10);
    changed.connections[0].spec.settings = json!({ "opens": false });
    changed.connections[1].spec.enabled = false;
    world.change(vec![changed], Vec::new()).await;
    assert_eq!(world.on(10), vec!["tenant", "okta", "portal", "wiki"]);
    let current = world.follower.snapshots.current();
    let open = current.tenant(TenantId::from_uuid(id(10))).unwrap();
    assert!(open.connection("okta").unwrap().state.is_err() && open.connection("entra").unwrap().state.is_ok());
}

#[tokio::test]
async fn rows_that_cannot_be_read_switch_off_what_they_do_not_name() {
    let world = World::new().await;
    let tenant = TenantId::from_uuid(id(10));
    let connections = HashSet::from([ConnectionId::from_uuid(id(ENTRA))]);
    let apps = HashSet::from([AppId::from_uuid(id(PORTAL))]);
    let on = Switches { tenant, enabled: true, connections, apps };
    let mut other = configuration(20);
    other.apps[0].spec.enabled = false;
    world.change(vec![other], vec![(on, StoreError("damaged".into()))]).await;
    assert_eq!(world.on(10), vec!["tenant", "entra", "portal"]);
    assert_eq!(world.on(20), vec!["tenant", "okta", "entra", "wiki"]);
}

/// One tenant gave up its slug and can't be opened, and another one has the slug now.
#[tokio::test]
async fn a_tenant_that_stays_as_it_was_takes_no_slug_from_the_one_that_has_it_now() {
    for broken_last in [true, false] {
        let world = World::new().await;
        let (mut gave, mut took) = (configuration(10), configuration(20));
        let slug = std::mem::replace(&mut gave.tenant.spec.slug, "elsewhere".into());
        gave.connections[0].spec.settings = json!({});
        took.tenant.spec.slug.clone_from(&slug);
        let mut changed = vec![gave, took];
        if broken_last {
            changed.reverse();
        }
        world.change(changed, Vec::new()).await;
        let snapshot = world.follower.snapshots.current();
        assert_eq!(snapshot.named(&slug).unwrap().view.id.uuid(), id(20), "broken last: {broken_last}");
        assert!(snapshot.tenant(TenantId::from_uuid(id(10))).is_some(), "what began in it can end");
        assert_eq!(snapshot.tenants().count(), 2);
    }
}
