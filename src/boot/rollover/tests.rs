#![allow(clippy::unwrap_used, clippy::panic)]
//! Workers over a store in a file, with a clock that is set.

use std::path::PathBuf;
use std::sync::Mutex;
use std::time::Duration;

use fedbridge_contract::config::Tenant;
use fedbridge_contract::error::{Complaint, ProtocolError};
use fedbridge_contract::factory::{AdapterFactory, Field, Open, Registry};
use fedbridge_contract::http::{Method, Reply, Route};
use fedbridge_contract::ids::{ConnectionId, TenantId};
use fedbridge_contract::keys::{KeyState, SignatureAlgorithm};
use fedbridge_contract::services::Clock;
use fedbridge_contract::upstream::{Adapter, PublishedMetadata};
use fedbridge_hub::ports::{NewSighting, RolloverStore as _};
use fedbridge_hub::run::{Builder, Snapshots};
use fedbridge_hub::spec::{
    Configuration, ConnectionSpec, Managed, MappingSpec, PeopleSpec, StoredConnection, StoredTenant, TenantExtras,
    TenantSpec,
};
use fedbridge_keys::rollover::{Dates, RETIRE_AFTER, Step, start, step};
use fedbridge_keys::{AesGcmSealer, MasterKey, OpensslKeyOpener, OpensslRng, generate_key};
use fedbridge_store::{Store, StoreOptions, SystemStore};
use serde_json::json;

use super::*;
use crate::bridge::offline;
use crate::egress;
use crate::reload;

/// Connections whose settings say whether the other side has a use for our keys.
struct Partners;

struct Publishes(bool);

impl PublishedMetadata for Publishes {
    fn route(&self) -> Route {
        Route::new("metadata", &[Method::Get])
    }

    fn document(&self, _: &Tenant, _: Timestamp) -> Result<Reply, ProtocolError> {
        panic!("nobody asks")
    }

    fn uses_key(&self, _: KeyPurpose) -> bool {
        self.0
    }
}

impl AdapterFactory for Partners {
    fn kind(&self) -> &'static str {
        "saml"
    }

    fn can_log_in(&self) -> bool {
        true
    }

    fn fields(&self) -> &'static [Field] {
        &[]
    }

    fn open(&self, input: Open<'_>) -> Result<Adapter, Vec<Complaint>> {
        let uses = input.settings["uses"].as_bool().unwrap();
        Ok(Adapter { metadata: Some(Box::new(Publishes(uses))), ..Adapter::default() })
    }
}

struct Still(Mutex<i64>);

impl Clock for Still {
    fn now(&self) -> Timestamp {
        at(*self.0.lock().unwrap())
    }
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(seconds)
}

struct World {
    folder: PathBuf,
    system: Arc<SystemStore>,
    sealer: Arc<dyn Sealer>,
    clock: Arc<Still>,
    tenant: TenantId,
    /// It has a use for our keys.
    okta: ConnectionId,
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

impl World {
    async fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("fedbridge-rollover-{}-{name}", std::process::id()));
        let sealer: Arc<dyn Sealer> = Arc::new(AesGcmSealer::new(MasterKey::from_bytes([7; 32])).unwrap());
        let url = format!("sqlite://{}", folder.join("store.db").display());
        let store = Store::open(&url, Arc::clone(&sealer), StoreOptions::default()).await.unwrap();
        let world = Self {
            folder,
            system: Arc::new(store.system()),
            sealer,
            clock: Arc::new(Still(Mutex::new(0))),
            tenant: TenantId::random(&OpensslRng),
            okta: ConnectionId::random(&OpensslRng),
        };
        let connection = |id, slug: &str, uses: bool, enabled: bool| {
            ConfigChange::PutConnection(StoredConnection {
                tenant: world.tenant,
                id,
                managed: Managed::File,
                spec: ConnectionSpec {
                    slug: slug.into(),
                    protocol: "saml".into(),
                    display_name: None,
                    enabled,
                    domains: Vec::new(),
                    mapping: MappingSpec::default(),
                    people: PeopleSpec::default(),
                    settings: json!({ "uses": uses }),
                },
            })
        };
        let spec = TenantSpec {
            slug: "acme".into(),
            display_name: "Acme".into(),
            parent: None,
            domains: Vec::new(),
            enabled: true,
            extras: TenantExtras::default(),
        };
        let name = TenantName { id: world.tenant, slug: "acme" };
        let mut changes = vec![
            ConfigChange::PutTenant(StoredTenant { id: world.tenant, managed: Managed::File, spec }),
            connection(world.okta, "okta", true, true),
            connection(ConnectionId::random(&OpensslRng), "google", false, true),
            connection(ConnectionId::random(&OpensslRng), "gone", true, false),
        ];
        for (purpose, state) in [
            (KeyPurpose::SamlSigning, KeyState::Active),
            (KeyPurpose::SamlSigning, KeyState::Next),
            (KeyPurpose::SamlDecryption, KeyState::Active),
        ] {
            let key = generate_key(name, purpose, SignatureAlgorithm::RS256, state, at(0), &*world.sealer);
            changes.push(ConfigChange::PutKey(key.unwrap()));
        }
        world.system.apply(0, &changes).await.unwrap();
        world
    }

    fn builder(&self) -> Builder {
        let egress = Arc::new(
            egress::Client::new(false, egress::Bounds { per_partner: 1, whole: 1 }, Arc::clone(&self.clock) as _)
                .unwrap(),
        );
        Builder {
            base_url: "https://bridge.example".into(),
            registry: Registry::default().with(Arc::new(Partners)),
            services: offline::services(Arc::clone(&self.clock) as _, Arc::new(OpensslRng), egress),
            keys: Arc::new(OpensslKeyOpener::new(Arc::clone(&self.sealer))),
        }
    }

    /// A node that has just taken the configuration over.
    async fn node(&self) -> Worker {
        let snapshots = Arc::new(Snapshots::default());
        reload::load(self.system.as_ref(), &self.builder(), &snapshots).await.unwrap();
        Worker {
            config: Arc::clone(&self.system) as _,
            store: Arc::clone(&self.system) as _,
            sealer: Arc::clone(&self.sealer),
            clock: Arc::clone(&self.clock) as _,
            snapshots,
            downstreams: Vec::new(),
            reminded: Default::default(),
            shown: Default::default(),
        }
    }

    fn set_clock(&self, to: Timestamp) {
        *self.clock.0.lock().unwrap() = to.seconds();
    }

    async fn now(&self) -> (Configuration, Option<Rollover>) {
        let configuration = self.system.load().await.unwrap();
        (configuration, self.system.rollovers(Some(self.tenant)).await.unwrap().pop())
    }

    async fn start(&self, purpose: KeyPurpose, dates: Dates) {
        let (configuration, _) = self.now().await;
        let keys = &configuration.tenants[&self.tenant].keys;
        let planned = start(self.tenant, keys, purpose, dates, self.clock.now()).unwrap();
        self.carry(purpose, &planned).await;
    }

    async fn carry(&self, purpose: KeyPurpose, planned: &Planned) {
        let (configuration, _) = self.now().await;
        let tenant = &configuration.tenants[&self.tenant];
        let (store, version) = (self.system.as_ref(), configuration.version);
        carry(store, &*self.sealer, version, tenant, purpose, planned, self.clock.now()).await.unwrap();
    }

    /// Kids of one purpose and state.
    async fn kids(&self, purpose: KeyPurpose, state: KeyState) -> Vec<String> {
        let (configuration, _) = self.now().await;
        let keys = configuration.tenants[&self.tenant].keys.iter();
        keys.filter(|key| key.purpose == purpose && key.state == state).map(|key| key.kid.clone()).collect()
    }

    async fn see(&self, kid: &str, how: Sighting) {
        let party = Party::Connection(self.okta);
        let new = NewSighting { tenant: self.tenant, party, kid: kid.into(), how, at: self.clock.now() };
        self.system.note_sightings(&[new]).await.unwrap();
    }

    async fn phase(&self) -> Option<RolloverPhase> {
        self.now().await.1.map(|rollover| rollover.phase)
    }
}

const SIGNING: KeyPurpose = KeyPurpose::SamlSigning;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_nodes_one_takes_each_step_on_its_date() {
    let world = World::new("two").await;
    let next = world.kids(SIGNING, KeyState::Next).await.remove(0);
    let old = world.kids(SIGNING, KeyState::Active).await.remove(0);
    world.start(SIGNING, Dates { switch_at: Some(at(100)), ..Dates::default() }).await;
    world.see(&next, Sighting::Published).await;
    let (mut one, mut two) = (world.node().await, world.node().await);
    world.set_clock(at(99));
    one.look().await.unwrap();
    assert_eq!(world.phase().await, Some(RolloverPhase::Announced));

    world.set_clock(at(100));
    let (before, _) = world.now().await;
    let looks = tokio::join!(one.look(), two.look());
    assert!(looks.0.is_ok() && looks.1.is_ok());
    let (after, rollover) = world.now().await;
    assert_eq!(after.version, before.version + 1, "one change, not two");
    let rollover = rollover.unwrap();
    assert_eq!((rollover.phase, rollover.switched), (RolloverPhase::Switched, Some(at(100))));
    assert_eq!(world.kids(SIGNING, KeyState::Active).await, [next.as_str()]);
    assert_eq!(world.kids(SIGNING, KeyState::Retiring).await, [old.as_str()]);
    assert!(world.kids(SIGNING, KeyState::Next).await.is_empty());

    let end = at(100) + RETIRE_AFTER;
    world.set_clock(end);
    let (mut one, mut two) = (world.node().await, world.node().await);
    let looks = tokio::join!(one.look(), two.look());
    assert!(looks.0.is_ok() && looks.1.is_ok());
    assert_eq!(world.phase().await, None);
    assert_eq!(world.kids(SIGNING, KeyState::Retired).await, [old]);
    assert_eq!(world.kids(SIGNING, KeyState::Next).await.len(), 1, "made once");
    one.look().await.unwrap();
    assert!(one.shown.is_empty());
}

#[tokio::test]
async fn laggards_hold_a_date_back_and_force_does_not_wait() {
    let world = World::new("lag").await;
    let next = world.kids(SIGNING, KeyState::Next).await.remove(0);
    world.start(SIGNING, Dates { switch_at: Some(at(100)), ..Dates::default() }).await;
    let mut node = world.node().await;
    let told = |node: &Worker| node.reminded.get(&(world.tenant, SIGNING)).map(|at| at.seconds());
    for (now, said) in [(50, None), (100, Some(100)), (130, Some(100)), (3699, Some(100)), (3700, Some(3700))] {
        world.set_clock(at(now));
        node.look().await.unwrap();
        assert_eq!(told(&node), said, "at {now}");
        assert_eq!(node.shown, [(("acme".to_owned(), "saml-signing"), 1)].into(), "one needs the key and lags");
    }
    assert_eq!(world.phase().await, Some(RolloverPhase::Announced));
    world.see(&next, Sighting::Confirmed).await;
    node.look().await.unwrap();
    assert_eq!(world.phase().await, Some(RolloverPhase::Switched));
    node.look().await.unwrap();
    assert_eq!(world.phase().await, Some(RolloverPhase::Switched), "the old key has its time");

    let world = World::new("forced").await;
    world.start(SIGNING, Dates { switch_at: Some(at(100)), forced: true, ..Dates::default() }).await;
    world.set_clock(at(100));
    world.node().await.look().await.unwrap();
    assert_eq!(world.phase().await, Some(RolloverPhase::Switched));
}

/// A node acts on what it has taken over; what it has not heard of yet is for a later look.
#[tokio::test]
async fn a_node_that_is_behind_takes_no_step() {
    let world = World::new("behind").await;
    let purpose = KeyPurpose::SamlDecryption;
    let mut behind = world.node().await;
    world.start(purpose, Dates { switch_at: Some(at(100)), ..Dates::default() }).await;
    world.set_clock(at(100));
    behind.look().await.unwrap();
    assert_eq!(world.phase().await, Some(RolloverPhase::Announced), "it does not know the next key yet");
    assert!(behind.shown.is_empty());

    // It switched elsewhere, and this node still has the old key as active: everybody seems to know it.
    let old = world.kids(purpose, KeyState::Active).await.remove(0);
    world.see(&old, Sighting::EncryptedTo).await;
    let (configuration, rollover) = world.now().await;
    let keys = &configuration.tenants[&world.tenant].keys;
    let planned = step(&rollover.unwrap(), keys, Step::Switch, at(100)).unwrap();
    world.carry(purpose, &planned).await;
    world.set_clock(at(100) + RETIRE_AFTER + Duration::from_secs(1));
    behind.look().await.unwrap();
    assert_eq!(world.phase().await, Some(RolloverPhase::Switched), "the store's keys decide");
    let mut node = world.node().await;
    node.look().await.unwrap();
    assert_eq!(world.phase().await, Some(RolloverPhase::Switched), "okta still encrypts to the old key");
    let new = world.kids(purpose, KeyState::Active).await.remove(0);
    world.see(&new, Sighting::EncryptedTo).await;
    node.look().await.unwrap();
    assert_eq!((world.phase().await, world.kids(purpose, KeyState::Retired).await), (None, vec![old]));
}

#[test]
fn a_line_of_check_has_the_phase_the_date_and_who_lags() {
    let announced = Rollover {
        tenant: TenantId::from_uuid(uuid::Uuid::nil()),
        purpose: SIGNING,
        phase: RolloverPhase::Announced,
        started: at(0),
        switch_at: None,
        switched: None,
        retire_at: None,
        forced: false,
    };
    let by_command = finding(&announced, "acme", &[]);
    assert_eq!(by_command.level, Level::Fine);
    assert_eq!(
        by_command.text,
        "rollover of saml-signing: announced since 1970-01-01T00:00:00Z, the switch comes by `fedbridge keys rollover switch`"
    );
    assert_eq!(by_command.ends, None);
    let switched =
        Rollover { phase: RolloverPhase::Switched, switched: Some(at(60)), retire_at: Some(at(120)), ..announced };
    let held = finding(&switched, "acme", &[("connection/okta", "why"), ("service_provider/wiki", "why")]);
    assert_eq!(held.level, Level::Warning);
    assert_eq!(
        held.text,
        "rollover of saml-signing: switched on 1970-01-01T00:01:00Z, the old key goes on 1970-01-01T00:02:00Z; 2 partners have yet to know the new key: connection/okta, service_provider/wiki; see `fedbridge keys rollover status --tenant acme`"
    );
    let ends = held.ends.unwrap();
    assert_eq!((ends.what.as_str(), ends.at), ("retire", at(120)));
}
