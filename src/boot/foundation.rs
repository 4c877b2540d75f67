//! What every command stands on: the master key, the store, keys, clock,
//! randomness, egress, and the services that adapters are opened with.

use std::sync::Arc;

use anyhow::Context as _;
use fedbridge_contract::factory::Registry;
use fedbridge_contract::services::{Clock, Closed, Counters, Dialer, Egress, Rng, Services, TraceEvent, TraceSink};
use fedbridge_contract::sightings::Sightings;
use fedbridge_hub::ports::{ConfigStore as _, KeyOpener, Sealer};
use fedbridge_hub::run::{Builder, Epochs, HubGate};
use fedbridge_hub::throttle::{FailureLimits, KnownDevices, Limit, Sharing};
use fedbridge_keys::{AesGcmSealer, HmacTokenSecrets, MasterKey, OpensslKeyOpener, OpensslRng, SystemClock};
use fedbridge_store::{Store, StoreOptions, SystemStore};

use super::egress;
use super::settings::values::Rate;
use super::settings::{MasterKeySource, Settings};
use super::sightings::Noted;

pub struct Foundation {
    pub store: Arc<Store>,
    /// What crosses tenants: the configuration as a whole, and the operator's traces.
    pub system: Arc<SystemStore>,
    pub sealer: Arc<dyn Sealer>,
    pub keys: Arc<dyn KeyOpener>,
    pub clock: Arc<dyn Clock>,
    pub rng: Arc<dyn Rng>,
    pub egress: Arc<dyn Egress>,
    dialer: Arc<dyn Dialer>,
    /// Nobody notes anything in a command that ends.
    pub sightings: Arc<dyn Sightings>,
    /// What is known of kills. Read when the hub is wired, and kept up to date by the server.
    pub epochs: Arc<Epochs>,
    pub gate: Arc<HubGate>,
    tokens: Arc<HmacTokenSecrets>,
    throttle: Arc<FailureLimits>,
    /// From where accounts were logged in with.
    pub devices: Arc<KnownDevices>,
    base_url: String,
    /// Whether other nodes may work on the same database.
    others: bool,
    /// Whether partners may be on this machine: see `egress.allow_loopback`.
    pub loopback: bool,
}

impl Foundation {
    /// Opens everything, and brings the schema up to date.
    ///
    /// # Errors
    /// When the master key or the store can't be opened.
    pub async fn open(settings: &Settings) -> anyhow::Result<Self> {
        Self::open_with(settings, StoreOptions::default()).await
    }

    /// Opens everything with the schema as it is, for those who bring it up to date themselves.
    ///
    /// # Errors
    /// As [`Foundation::open`], and when there is no schema.
    pub async fn open_as_is(settings: &Settings) -> anyhow::Result<Self> {
        let options = StoreOptions { migrate: false, ..StoreOptions::default() };
        let foundation = Self::open_with(settings, options).await?;
        let version = foundation.system.version().await;
        version.context("the database has no schema of this version; run `fedbridge migrate` first")?;
        Ok(foundation)
    }

    async fn open_with(settings: &Settings, options: StoreOptions) -> anyhow::Result<Self> {
        let rng = OpensslRng;
        let master = match &settings.master_key {
            MasterKeySource::Given(octets) => MasterKey::from_bytes(*octets),
            MasterKeySource::File(path) => MasterKey::load_or_create(path, &rng)?,
        };
        let tokens = Arc::new(HmacTokenSecrets::new(&master));
        let sealer: Arc<dyn Sealer> = Arc::new(AesGcmSealer::new(master).context("the master key can't be used")?);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let egress = egress::Client::new(settings.egress_allow_loopback, settings.egress_bounds, Arc::clone(&clock))?;
        let epochs = Arc::new(Epochs::default());
        let store = Arc::new(Store::open(settings.database_url.as_str(), Arc::clone(&sealer), options).await?);
        let gate = HubGate::new(Arc::clone(&epochs), Arc::clone(&clock), Arc::clone(&store) as _);
        let system = Arc::new(store.system());
        let (per_ip, per_account) = (limit(settings.failures_per_ip), limit(settings.failures_per_account));
        let throttle = FailureLimits::new(per_ip, per_account, Arc::clone(&tokens) as _);
        Ok(Self {
            devices: Arc::new(KnownDevices::new(Arc::clone(&system) as _)),
            throttle: Arc::new(throttle),
            store,
            keys: Arc::new(OpensslKeyOpener::new(Arc::clone(&sealer))),
            sealer,
            gate: Arc::new(gate),
            epochs,
            clock,
            rng: Arc::new(rng),
            dialer: Arc::new(egress.dialer(Arc::new(OpensslRng))),
            egress: Arc::new(egress),
            sightings: Arc::new(Noted(Arc::clone(&system) as _)),
            tokens,
            base_url: settings.base_url.clone(),
            system,
            others: settings.database_url.as_str().starts_with("postgres"),
            loopback: settings.egress_allow_loopback,
        })
    }

    /// The services that adapters are opened with.
    pub fn services(&self, traces: Arc<dyn TraceSink>, counters: Arc<dyn Counters>) -> Services {
        Services {
            clock: Arc::clone(&self.clock),
            rng: Arc::clone(&self.rng),
            egress: Arc::clone(&self.egress),
            grants: Arc::clone(&self.store) as _,
            gate: Arc::clone(&self.gate) as _,
            tokens: Arc::clone(&self.tokens) as _,
            traces,
            counters,
            throttle: Arc::clone(&self.throttle) as _,
            handles: Arc::clone(&self.store) as _,
            name_ids: Arc::clone(&self.store) as _,
            sightings: Arc::clone(&self.sightings),
            dialer: Arc::clone(&self.dialer),
            revalidator: Arc::new(Closed),
            current_claims: Arc::new(Closed),
            pushed: Arc::new(Closed),
            signals: Arc::clone(&self.store) as _,
        }
    }

    /// Services for a command that ends: nothing is counted, and no trace is recorded.
    pub fn quiet_services(&self) -> Services {
        self.services(Arc::new(Quiet), Arc::new(Quiet))
    }

    /// What tells the other nodes of wrong passwords.
    pub fn sharing(&self) -> Sharing {
        Sharing {
            limits: Arc::clone(&self.throttle),
            devices: Arc::clone(&self.devices),
            store: Arc::clone(&self.system) as _,
            clock: Arc::clone(&self.clock),
            others: self.others,
        }
    }

    pub fn builder(&self, registry: Registry, services: Services) -> Builder {
        Builder { base_url: self.base_url.clone(), registry, services, keys: Arc::clone(&self.keys) }
    }
}

fn limit(rate: Rate) -> Limit {
    Limit { count: rate.count, per: rate.per }
}

struct Quiet;

impl TraceSink for Quiet {
    fn record(&self, _: TraceEvent) {}
}

impl Counters for Quiet {
    fn token_issued(&self, _: &'static str) {}
    fn refused(&self, _: &'static str, _: &'static str) {}
    fn refresh_reused(&self) {}
}
