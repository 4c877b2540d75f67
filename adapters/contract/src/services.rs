//! What the hub and boot give to adapters. No adapter sees a private key, a
//! socket or a table.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::config::{App, Tenant};
use crate::error::StoreError;
use crate::grant::{Grant, Redeemed, Rotated};
use crate::ids::{GrantId, TenantId};
use crate::proof::Permit;
use crate::time::Timestamp;
use crate::trace::{Outcome, TraceLog};

/// Services handed to an adapter when it is opened.
#[derive(Clone)]
pub struct Services {
    pub clock: Arc<dyn Clock>,
    pub rng: Arc<dyn Rng>,
    pub egress: Arc<dyn Egress>,
    pub grants: Arc<dyn Grants>,
    pub gate: Arc<dyn Gate>,
    pub tokens: Arc<dyn TokenSecrets>,
    pub traces: Arc<dyn TraceSink>,
    pub counters: Arc<dyn Counters>,
    pub throttle: Arc<dyn Throttle>,
}

pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;
}

/// A source of cryptographically strong random octets.
pub trait Rng: Send + Sync {
    fn fill(&self, buffer: &mut [u8]);
}

/// `N` random octets, base64url without padding: 43 characters for 32.
pub fn random_text<const N: usize>(rng: &dyn Rng) -> String {
    use base64::Engine as _;
    let mut bytes = [0; N];
    rng.fill(&mut bytes);
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// The one way out: https only, special-use addresses refused, the resolved
/// address pinned, no redirects, size and time capped.
#[async_trait]
pub trait Egress: Send + Sync {
    async fn get(&self, url: &str, limits: EgressLimits) -> Result<Fetched, EgressError>;
}

#[derive(Debug, Clone, Copy)]
pub struct EgressLimits {
    /// Octets of the body, after which the fetch fails.
    pub max_body: usize,
    pub timeout: std::time::Duration,
}

#[derive(Debug, Clone)]
pub struct Fetched {
    pub status: u16,
    pub content_type: Option<String>,
    pub etag: Option<String>,
    pub body: Bytes,
}

/// Why a fetch failed, with no echo of what came.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{url}: {cause}")]
pub struct EgressError {
    pub url: String,
    pub cause: String,
}

/// Grants in the store. Each call is one durable unit or one statement.
#[async_trait]
pub trait Grants: Send + Sync {
    /// Finds the grant that a code names, with its standing as it is `now`.
    async fn by_code(
        &self,
        tenant: TenantId,
        grant: GrantId,
        code_hash: &[u8; 32],
        now: Timestamp,
    ) -> Result<Option<Grant>, StoreError>;

    /// Finds a grant with its standing as it is `now`. `jti` asks whether that access token is revoked by itself.
    async fn find(
        &self,
        tenant: TenantId,
        grant: GrantId,
        jti: Option<&str>,
        now: Timestamp,
    ) -> Result<Option<Grant>, StoreError>;

    /// Redeems a code once, and opens a refresh family where `refresh` is given.
    async fn redeem(
        &self,
        tenant: TenantId,
        grant: GrantId,
        refresh: Option<RefreshLifetimes>,
        now: Timestamp,
    ) -> Result<Redeemed, StoreError>;

    /// Moves the refresh family from `presented` to its successor.
    async fn rotate(&self, tenant: TenantId, rotation: Rotation) -> Result<Rotated, StoreError>;

    async fn revoke(&self, tenant: TenantId, grant: GrantId, now: Timestamp) -> Result<(), StoreError>;

    /// Revokes one access token until it would have expired.
    async fn revoke_token(&self, tenant: TenantId, jti: &str, expires: Timestamp) -> Result<(), StoreError>;

    /// Whether an access token without a grant (client credentials) is revoked.
    async fn token_revoked(&self, tenant: TenantId, jti: &str) -> Result<bool, StoreError>;

    /// Remembers a key until it expires: true the first time, false ever after.
    async fn remember_once(
        &self,
        tenant: TenantId,
        purpose: &str,
        key: &str,
        expires: Timestamp,
    ) -> Result<bool, StoreError>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefreshLifetimes {
    pub idle: std::time::Duration,
    pub absolute_expires: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    pub grant: GrantId,
    /// The generation of the token that was presented.
    pub presented: i64,
    /// False for sender-constrained clients: the generation stays, only the idle limit moves.
    pub rotate: bool,
    pub grace: std::time::Duration,
    pub idle: std::time::Duration,
    pub now: Timestamp,
}

/// The one gate before anything is issued: tenant, connection, app and person.
pub trait Gate: Send + Sync {
    /// For an app acting for itself (client credentials), or checking a token of its own.
    fn app(&self, tenant: &Tenant, app: &App) -> Result<Permit, GateRefusal>;

    /// For a grant: also its person, session, connection and revocation.
    fn grant(&self, tenant: &Tenant, app: &App, grant: &Grant) -> Result<Permit, GateRefusal>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GateRefusal {
    #[error("the tenant is disabled")]
    TenantDisabled,
    #[error("the connection is disabled, gone, or not allowed for this app")]
    ConnectionDisabled,
    #[error("the app is disabled or gone")]
    AppDisabled,
    #[error("the person is disabled")]
    PersonDisabled,
    #[error("the session has ended")]
    SessionEnded,
    #[error("the grant was revoked")]
    GrantRevoked,
    #[error("the token was revoked")]
    TokenRevoked,
}

/// Keyed hashing for tokens that can be derived again, under a key of the installation.
pub trait TokenSecrets: Send + Sync {
    /// HMAC-SHA-256 over a purpose, the tenant and the message.
    fn mac(&self, tenant: TenantId, purpose: &str, message: &[u8]) -> [u8; 32];
}

/// Records what happened outside a login, for example a refused token request.
pub trait TraceSink: Send + Sync {
    fn record(&self, event: TraceEvent);
}

#[derive(Debug, Clone)]
pub struct TraceEvent {
    pub tenant: TenantId,
    pub id: crate::ids::TraceId,
    pub at: Timestamp,
    /// `token`, `userinfo`, `introspect`, `revoke`, `logout`, `authorize`.
    pub kind: &'static str,
    pub app: Option<String>,
    pub connection: Option<String>,
    pub person: Option<String>,
    /// Who sent it: refusals of one address are kept in full only up to a rate.
    pub peer: Option<IpAddr>,
    pub outcome: Outcome,
    pub cause: String,
    pub steps: TraceLog,
}

/// Slows down who guesses secrets (threats 43). Only failures are told to it: a right secret
/// is never refused, so nobody can be locked out by somebody else's guesses.
pub trait Throttle: Send + Sync {
    /// Counts a failed authentication with a secret. `Some` says that this address or this account
    /// has failed too often, and how long to wait.
    fn failed(&self, tenant: TenantId, account: &str, peer: IpAddr, now: Timestamp) -> Option<Duration>;
}

/// Counts for the metrics page.
pub trait Counters: Send + Sync {
    /// Tokens issued, by grant type.
    fn token_issued(&self, grant_type: &'static str);
    /// Refusals at an endpoint, by OAuth error code.
    fn refused(&self, endpoint: &'static str, code: &'static str);
    /// A refresh token came back after its grace.
    fn refresh_reused(&self);
}
