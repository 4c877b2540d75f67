//! The hub, wired to a store and to adapters.

use std::sync::Arc;

use fedbridge_contract::factory::Registry;
use fedbridge_contract::services::{Counters, Services, TraceSink};
use fedbridge_hub::mapping::AppRules;
use fedbridge_hub::run::{
    Behind, Builder, Hasher, Hub, HubCurrentClaims, HubPushDesk, HubRevalidator, Lines, Observer, Provisioned,
    Recorder, Snapshots,
};
use fedbridge_keys::{Argon2Hasher, OpensslFactors};
use tokio::sync::{Mutex, Notify};

use super::documents::{Keeper, LookOnDemand};
use super::foundation::Foundation;
use super::registry;
use super::reload::{self, Follower};

/// A hub with the configuration loaded, and what keeps it up to date.
pub struct Wired {
    pub hub: Arc<Hub>,
    pub builder: Arc<Builder>,
    pub snapshots: Arc<Snapshots>,
    pub recorder: Recorder,
    pub follower: Arc<Follower>,
    pub keeper: Arc<Keeper>,
    /// Whoever serves pushes has it serve the hub.
    pub push_desk: Arc<HubPushDesk>,
}

/// Wires the hub. Tests give a registry of their own.
///
/// # Errors
/// When the configuration can't be loaded.
pub async fn wire<M: Counters + Observer + 'static>(
    foundation: &Foundation,
    upstreams: Registry,
    meter: Arc<M>,
) -> anyhow::Result<Wired> {
    let recorder = Recorder::start(
        Arc::clone(&foundation.system) as _,
        Arc::clone(&foundation.sealer),
        Arc::clone(&foundation.clock),
        Arc::clone(&foundation.rng),
    );
    let traces: Arc<dyn TraceSink> = Arc::new(recorder.clone());
    let snapshots = Arc::new(Snapshots::default());
    let push_desk = Arc::new(HubPushDesk::default());
    let services = Services {
        revalidator: Arc::new(revalidator(foundation, Arc::clone(&snapshots), recorder.clone())),
        current_claims: Arc::new(HubCurrentClaims {
            snapshots: Arc::clone(&snapshots),
            pushed: Arc::clone(&foundation.store) as _,
            profiles: Arc::clone(&foundation.store) as _,
        }),
        pushed: Arc::clone(&push_desk) as _,
        ..foundation.services(traces, Arc::clone(&meter) as _)
    };
    let builder = Arc::new(foundation.builder(upstreams, services.clone()));
    foundation.epochs.catch_up(foundation.system.as_ref()).await?;
    reload::load(foundation.system.as_ref(), &builder, &snapshots).await?;
    let downstreams = registry::downstreams(&services);
    let follower = Arc::new(Follower {
        store: Arc::clone(&foundation.system) as _,
        builder: Arc::clone(&builder),
        snapshots: Arc::clone(&snapshots),
        turn: Mutex::default(),
        taken_over: Notify::default(),
    });
    let keeper = Arc::new(Keeper {
        store: Arc::clone(&foundation.system) as _,
        registry: builder.registry.clone(),
        downstreams: downstreams.clone(),
        services: services.clone(),
        snapshots: Arc::clone(&snapshots),
        follower: Arc::clone(&follower),
        unbounded: foundation.loopback,
        reading: Default::default(),
    });
    let hub = Arc::new(Hub {
        snapshots: Arc::clone(&snapshots),
        store: Arc::clone(&foundation.store) as _,
        logouts: Arc::clone(&foundation.store) as _,
        people: Arc::clone(&foundation.store) as _,
        upstream_tokens: Arc::clone(&foundation.store) as _,
        profiles: Arc::clone(&foundation.store) as _,
        profile_news: Arc::clone(&foundation.system) as _,
        profile_syncs: Arc::clone(&foundation.store) as _,
        outbound: Arc::clone(&foundation.store) as _,
        pushed: Arc::clone(&foundation.store) as _,
        pushed_work: Arc::clone(&foundation.system) as _,
        shutting: Lines::default(),
        provisioned: Provisioned::default(),
        factors: Arc::clone(&foundation.store) as _,
        app_passwords: Arc::clone(&foundation.store) as _,
        hasher: Hasher::new(Arc::new(Argon2Hasher)),
        crypto: Arc::new(OpensslFactors),
        devices: Arc::clone(&foundation.devices),
        kills: Arc::clone(&foundation.system) as _,
        behind: Behind::default(),
        refresher: Arc::new(LookOnDemand::new(Arc::clone(&keeper))),
        sealer: Arc::clone(&foundation.sealer),
        downstreams,
        gate: Arc::clone(&foundation.gate),
        services,
        recorder: recorder.clone(),
        observer: meter,
        no_app: AppRules::default(),
    });
    Ok(Wired { hub, builder, snapshots, recorder, follower, keeper, push_desk })
}

fn revalidator(foundation: &Foundation, snapshots: Arc<Snapshots>, recorder: Recorder) -> HubRevalidator {
    HubRevalidator {
        snapshots,
        store: Arc::clone(&foundation.store) as _,
        tokens: Arc::clone(&foundation.store) as _,
        grants: Arc::clone(&foundation.store) as _,
        sealer: Arc::clone(&foundation.sealer),
        clock: Arc::clone(&foundation.clock),
        rng: Arc::clone(&foundation.rng),
        recorder,
        egress: Arc::clone(&foundation.egress),
    }
}
