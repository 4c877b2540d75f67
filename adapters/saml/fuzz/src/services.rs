//! Services for an adapter under fuzzing: reading a message needs randomness and the gate's word, and
//! nothing else. Whatever else is used is a finding.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use fedbridge_contract::config::{App, Tenant};
use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::grant::Grant;
use fedbridge_contract::ids::TenantId;
use fedbridge_contract::proof::Permit;
use fedbridge_contract::services::{
    Clock, Closed, Counters, Gate, GateRefusal, Rng, Services, Throttle, TokenSecrets, TraceEvent, TraceSink,
};
use fedbridge_contract::testkit::Unused;
use fedbridge_contract::time::Timestamp;

use crate::world::NOW;

pub fn services() -> Services {
    let nothing = Arc::new(Nothing);
    Services {
        clock: nothing.clone(),
        rng: Arc::new(Counting::default()),
        egress: Arc::new(Unused),
        grants: Arc::new(Unused),
        gate: nothing.clone(),
        tokens: nothing.clone(),
        traces: nothing.clone(),
        counters: nothing.clone(),
        throttle: nothing,
        handles: Arc::new(Closed),
        name_ids: Arc::new(Closed),
        sightings: Arc::new(Closed),
        revalidator: Arc::new(Closed),
    }
}

/// The same octets in every run.
#[derive(Default)]
pub struct Counting(AtomicU64);

impl Rng for Counting {
    fn fill(&self, octets: &mut [u8]) {
        for chunk in octets.chunks_mut(8) {
            let number = self.0.fetch_add(1, Ordering::Relaxed).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            chunk.copy_from_slice(&number.to_be_bytes()[..chunk.len()]);
        }
    }
}

struct Nothing;

const UNUSED: &str = "reading a message does not use this";

impl Clock for Nothing {
    fn now(&self) -> Timestamp {
        NOW
    }
}

#[async_trait]
impl Gate for Nothing {
    async fn app(&self, _: &Tenant, _: &App) -> Result<Permit, GateRefusal> {
        Ok(Permit::assertion_of_the_gate())
    }

    async fn grant(&self, _: &Tenant, _: &App, _: &Grant) -> Result<Permit, GateRefusal> {
        panic!("{UNUSED}")
    }

    async fn app_token(&self, _: &Tenant, _: &App, _: Epoch) -> Result<Permit, GateRefusal> {
        panic!("{UNUSED}")
    }

    fn epoch(&self) -> Epoch {
        panic!("{UNUSED}")
    }
}

impl TokenSecrets for Nothing {
    fn mac(&self, _: TenantId, _: &str, _: &[u8]) -> [u8; 32] {
        [7; 32]
    }
}

impl TraceSink for Nothing {
    fn record(&self, _: TraceEvent) {}
}

impl Counters for Nothing {
    fn token_issued(&self, _: &'static str) {}
    fn refused(&self, _: &'static str, _: &'static str) {}
    fn refresh_reused(&self) {}
}

impl Throttle for Nothing {
    fn failed(&self, _: TenantId, _: &str, _: IpAddr, _: Timestamp) -> Option<Duration> {
        None
    }
}
