//! Takes the steps of rollovers whose date has come.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::downstream::Downstream;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::TenantId;
use fedbridge_contract::keys::KeyPurpose;
use fedbridge_contract::services::Clock;
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::{ConfigStore, Rollover, RolloverStore, Sealer, StoredSighting};
use fedbridge_hub::run::{Snapshots, TenantSnapshot};
use fedbridge_keys::rollover::{Step, Watched, due, step};
use metrics::gauge;

use super::{NamedPartner, NotCarried, carry, laggards, named_standings, partners, purpose_word};

/// How often dates are looked at.
const EVERY: Duration = Duration::from_secs(30);

/// How often it is said that partners hold a rollover back.
const REMIND: Duration = Duration::from_secs(3600);

/// Watches every tenant's rollovers. Of several nodes one takes each step: the configuration's version
/// lets only the first one through.
pub struct Worker {
    pub config: Arc<dyn ConfigStore>,
    pub store: Arc<dyn RolloverStore>,
    pub sealer: Arc<dyn Sealer>,
    pub clock: Arc<dyn Clock>,
    pub snapshots: Arc<Snapshots>,
    pub downstreams: Vec<Arc<dyn Downstream>>,
    /// When it was last said that a rollover is held back.
    pub reminded: HashMap<(TenantId, KeyPurpose), Timestamp>,
    /// The rollovers whose laggards are on the metrics page, with how many there are.
    pub shown: BTreeMap<(String, &'static str), usize>,
}

impl Worker {
    /// Goes on for ever.
    pub async fn run(mut self) {
        loop {
            if let Err(error) = self.look().await {
                tracing::warn!(%error, "the rollovers could not be looked at; trying again");
            }
            tokio::time::sleep(EVERY).await;
        }
    }

    /// Looks at all rollovers once and takes what is due.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn look(&mut self) -> Result<(), StoreError> {
        let now = self.clock.now();
        let rollovers = self.store.rollovers(None).await?;
        let snapshot = self.snapshots.current();
        let mut lagging = BTreeMap::new();
        for rollover in &rollovers {
            let Some(open) = snapshot.tenant(rollover.tenant) else { continue };
            // Without a new key this node has not taken the change over yet: next time.
            let Some(watched) = Watched::of_ring(&open.view.keys, rollover.purpose, rollover.phase) else { continue };
            let everybody = partners(open, &self.downstreams, rollover.purpose);
            let sightings = self.store.sightings(rollover.tenant).await?;
            let standings = named_standings(&watched, &sightings, &everybody);
            let behind = laggards(&standings);
            lagging.insert((open.view.slug.clone(), purpose_word(rollover.purpose)), behind.len());
            let Some(step) = due(rollover, now) else { continue };
            if !behind.is_empty() && !rollover.forced {
                self.remind(open, rollover, step, &behind, now);
            } else {
                self.take(rollover, step, &everybody, &sightings, now).await?;
            }
        }
        self.reminded.retain(|key, _| rollovers.iter().any(|rollover| (rollover.tenant, rollover.purpose) == *key));
        self.show(lagging);
        Ok(())
    }

    /// Takes a step, unless the store says something else by now than what this node knew.
    async fn take(
        &self,
        rollover: &Rollover,
        due: Step,
        partners: &[NamedPartner],
        sightings: &[StoredSighting],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        // The version is read first: whatever changes after it makes the change below fail.
        let configuration = self.config.load().await?;
        let same = self.store.rollovers(Some(rollover.tenant)).await?.contains(rollover);
        let Some(tenant) = configuration.tenants.get(&rollover.tenant).filter(|_| same) else { return Ok(()) };
        let (slug, purpose) = (&tenant.tenant.spec.slug, purpose_word(rollover.purpose));
        let Some(watched) = Watched::of(&tenant.keys, rollover.purpose, rollover.phase) else {
            tracing::warn!(tenant = %slug, purpose, "the new key of a rollover is gone; look at `keys list`");
            return Ok(());
        };
        let standings = named_standings(&watched, sightings, partners);
        if !rollover.forced && !laggards(&standings).is_empty() {
            return Ok(());
        }
        let planned = match step(rollover, &tenant.keys, due, now) {
            Ok(planned) => planned,
            Err(cause) => {
                tracing::warn!(tenant = %slug, purpose, %cause, "a rollover can't go on");
                return Ok(());
            }
        };
        let sealer = self.sealer.as_ref();
        let store = self.config.as_ref();
        match carry(store, sealer, configuration.version, tenant, rollover.purpose, &planned, now).await {
            Ok(()) => tracing::info!(tenant = %slug, purpose, step = step_word(due), "a rollover's date has come"),
            // Another node was faster, or somebody changed something else: the next look shows which.
            Err(NotCarried::Conflict) => {}
            Err(NotCarried::Store(error)) => return Err(error),
            Err(NotCarried::Keys(error)) => {
                tracing::error!(tenant = %slug, purpose, %error, "a rollover's next key could not be made; trying again");
            }
        }
        Ok(())
    }

    fn remind(
        &mut self,
        open: &TenantSnapshot,
        rollover: &Rollover,
        step: Step,
        behind: &[(&str, &str)],
        now: Timestamp,
    ) {
        let last = self.reminded.entry((rollover.tenant, rollover.purpose));
        let fresh = matches!(last, std::collections::hash_map::Entry::Vacant(_));
        let last = last.or_insert(now);
        if !fresh && now.since(*last) < REMIND {
            return;
        }
        *last = now;
        let names: Vec<_> = behind.iter().map(|(name, _)| *name).collect();
        tracing::warn!(
            tenant = %open.view.slug,
            purpose = purpose_word(rollover.purpose),
            step = step_word(step),
            partners = names.join(", "),
            "a rollover's date has come, but partners don't know the new key; it waits for them"
        );
    }

    fn show(&mut self, lagging: BTreeMap<(String, &'static str), usize>) {
        let over = self.shown.keys().filter(|key| !lagging.contains_key(*key)).map(|key| (key, 0));
        for ((tenant, purpose), count) in over.chain(lagging.iter().map(|(key, count)| (key, *count))) {
            gauge!("fedbridge_rollover_laggards", "tenant" => tenant.clone(), "purpose" => *purpose).set(count as f64);
        }
        self.shown = lagging;
    }
}

fn step_word(step: Step) -> &'static str {
    match step {
        Step::Switch => "switch",
        Step::RollBack => "rollback",
        Step::Retire => "retire",
        Step::Cancel => "cancel",
    }
}
