//! Services for adapters that are opened only to be checked: nothing is issued, stored or recorded.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fedbridge_contract::config::{App, Tenant};
use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::grant::{Grant, Redeemed, Rotated};
use fedbridge_contract::ids::{GrantId, TenantId};
use fedbridge_contract::proof::Permit;
use fedbridge_contract::services::{
    Clock, Closed, Counters, Egress, Gate, GateRefusal, Grants, RefreshLifetimes, Rng, Rotation, Services, Throttle,
    TokenSecrets, TraceEvent, TraceSink,
};
use fedbridge_contract::time::Timestamp;

/// Services with a clock, randomness and a way out, and nothing else.
pub fn services(clock: Arc<dyn Clock>, rng: Arc<dyn Rng>, egress: Arc<dyn Egress>) -> Services {
    let offline = Arc::new(Offline);
    Services {
        clock,
        rng,
        egress,
        grants: offline.clone(),
        gate: offline.clone(),
        tokens: offline.clone(),
        traces: offline.clone(),
        counters: offline.clone(),
        throttle: offline,
        handles: Arc::new(Closed),
        name_ids: Arc::new(Closed),
        sightings: Arc::new(Closed),
        dialer: Arc::new(Closed),
        revalidator: Arc::new(Closed),
        current_claims: Arc::new(Closed),
        pushed: Arc::new(Closed),
        signals: Arc::new(Closed),
    }
}

struct Offline;

impl Throttle for Offline {
    fn failed(&self, _: TenantId, _: &str, _: IpAddr, _: Timestamp) -> Option<Duration> {
        None
    }
}

fn closed<T>() -> Result<T, StoreError> {
    Err(StoreError("no logins run while a configuration is checked".to_owned()))
}

#[async_trait]
impl Grants for Offline {
    async fn by_code(&self, _: TenantId, _: GrantId, _: &[u8; 32], _: Timestamp) -> Result<Option<Grant>, StoreError> {
        closed()
    }

    async fn find(&self, _: TenantId, _: GrantId, _: Option<&str>, _: Timestamp) -> Result<Option<Grant>, StoreError> {
        closed()
    }

    async fn redeem(
        &self,
        _: TenantId,
        _: GrantId,
        _: Option<RefreshLifetimes>,
        _: Timestamp,
    ) -> Result<Redeemed, StoreError> {
        closed()
    }

    async fn rotate(&self, _: TenantId, _: Rotation) -> Result<Rotated, StoreError> {
        closed()
    }

    async fn revoke(&self, _: TenantId, _: GrantId, _: Timestamp) -> Result<(), StoreError> {
        closed()
    }

    async fn revoke_token(&self, _: TenantId, _: &str, _: Timestamp) -> Result<(), StoreError> {
        closed()
    }

    async fn token_revoked(&self, _: TenantId, _: &str) -> Result<bool, StoreError> {
        closed()
    }

    async fn remember_once(&self, _: TenantId, _: &str, _: &str, _: Timestamp) -> Result<bool, StoreError> {
        closed()
    }
}

#[async_trait]
impl Gate for Offline {
    async fn app(&self, _: &Tenant, _: &App) -> Result<Permit, GateRefusal> {
        Err(GateRefusal::AppDisabled)
    }

    async fn grant(&self, _: &Tenant, _: &App, _: &Grant) -> Result<Permit, GateRefusal> {
        Err(GateRefusal::AppDisabled)
    }

    async fn app_token(&self, _: &Tenant, _: &App, _: Epoch) -> Result<Permit, GateRefusal> {
        Err(GateRefusal::AppDisabled)
    }

    fn epoch(&self) -> Epoch {
        Epoch::default()
    }
}

impl TokenSecrets for Offline {
    /// Nothing is issued here, so no token can carry it.
    fn mac(&self, _: TenantId, _: &str, _: &[u8]) -> [u8; 32] {
        [0; 32]
    }
}

impl TraceSink for Offline {
    fn record(&self, _: TraceEvent) {}
}

impl Counters for Offline {
    fn token_issued(&self, _: &'static str) {}

    fn refused(&self, _: &'static str, _: &'static str) {}

    fn refresh_reused(&self) {}
}
