//! Services that an adapter under test has no business with.

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;

use crate::config::{App, Tenant};
use crate::epoch::Epoch;
use crate::error::StoreError;
use crate::grant::{Grant, Redeemed, Rotated};
use crate::ids::{GrantId, TenantId};
use crate::proof::Permit;
use crate::services::{
    Egress, EgressError, EgressLimits, EgressPost, Fetched, Gate, GateRefusal, Grants, RefreshLifetimes, Rotation,
    Throttle, TokenSecrets, TraceEvent, TraceSink,
};
use crate::time::Timestamp;

/// Using it is a failed test.
pub struct Unused;

const USED: &str = "a service was used that this adapter has no business with here";

#[async_trait]
impl Egress for Unused {
    async fn get(&self, url: &str, _: EgressLimits) -> Result<Fetched, EgressError> {
        panic!("{USED}: {url}")
    }

    async fn get_if_changed(&self, url: &str, _: &str, _: EgressLimits) -> Result<Fetched, EgressError> {
        panic!("{USED}: {url}")
    }

    async fn post(&self, request: &EgressPost, _: EgressLimits) -> Result<Fetched, EgressError> {
        panic!("{USED}: {}", request.url)
    }
}

#[async_trait]
impl Grants for Unused {
    async fn by_code(&self, _: TenantId, _: GrantId, _: &[u8; 32], _: Timestamp) -> Result<Option<Grant>, StoreError> {
        panic!("{USED}")
    }

    async fn find(&self, _: TenantId, _: GrantId, _: Option<&str>, _: Timestamp) -> Result<Option<Grant>, StoreError> {
        panic!("{USED}")
    }

    async fn redeem(
        &self,
        _: TenantId,
        _: GrantId,
        _: Option<RefreshLifetimes>,
        _: Timestamp,
    ) -> Result<Redeemed, StoreError> {
        panic!("{USED}")
    }

    async fn rotate(&self, _: TenantId, _: Rotation) -> Result<Rotated, StoreError> {
        panic!("{USED}")
    }

    async fn revoke(&self, _: TenantId, _: GrantId, _: Timestamp) -> Result<(), StoreError> {
        panic!("{USED}")
    }

    async fn revoke_token(&self, _: TenantId, _: &str, _: Timestamp) -> Result<(), StoreError> {
        panic!("{USED}")
    }

    async fn token_revoked(&self, _: TenantId, _: &str) -> Result<bool, StoreError> {
        panic!("{USED}")
    }

    async fn remember_once(&self, _: TenantId, _: &str, _: &str, _: Timestamp) -> Result<bool, StoreError> {
        panic!("{USED}")
    }
}

#[async_trait]
impl Gate for Unused {
    async fn app(&self, _: &Tenant, _: &App) -> Result<Permit, GateRefusal> {
        panic!("{USED}")
    }

    async fn grant(&self, _: &Tenant, _: &App, _: &Grant) -> Result<Permit, GateRefusal> {
        panic!("{USED}")
    }

    async fn app_token(&self, _: &Tenant, _: &App, _: Epoch) -> Result<Permit, GateRefusal> {
        panic!("{USED}")
    }

    fn epoch(&self) -> Epoch {
        panic!("{USED}")
    }
}

impl TokenSecrets for Unused {
    fn mac(&self, _: TenantId, purpose: &str, _: &[u8]) -> [u8; 32] {
        panic!("{USED}: {purpose}")
    }
}

impl TraceSink for Unused {
    fn record(&self, event: TraceEvent) {
        panic!("{USED}: {}: {}", event.kind, event.cause)
    }
}

impl Throttle for Unused {
    fn failed(&self, _: TenantId, account: &str, _: IpAddr, _: Timestamp) -> Option<Duration> {
        panic!("{USED}: {account}")
    }
}

/// Lets every app pass, and has nothing to say of grants and tokens.
pub struct OpenGate;

#[async_trait]
impl Gate for OpenGate {
    async fn app(&self, _: &Tenant, _: &App) -> Result<Permit, GateRefusal> {
        Ok(Permit::assertion_of_the_gate())
    }

    async fn grant(&self, _: &Tenant, _: &App, _: &Grant) -> Result<Permit, GateRefusal> {
        panic!("{USED}")
    }

    async fn app_token(&self, _: &Tenant, _: &App, _: Epoch) -> Result<Permit, GateRefusal> {
        panic!("{USED}")
    }

    fn epoch(&self) -> Epoch {
        panic!("{USED}")
    }
}
