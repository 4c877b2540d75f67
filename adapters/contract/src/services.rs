//! What the hub and boot give to adapters. No adapter sees a private key, a
//! socket or a table.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::config::{App, Tenant};
use crate::current::CurrentClaims;
pub use crate::egress::{
    CallMethod, DialTarget, Dialed, Dialer, Egress, EgressAnswer, EgressCall, EgressError, EgressGet, EgressLimits,
    EgressPost, Fetched, Lane, egress_to,
};
use crate::epoch::Epoch;
use crate::error::StoreError;
use crate::grant::{Grant, GrantRecord, Redeemed, Rotated};
use crate::ids::{AppId, ConnectionId, GrantId, PersonId, SessionId, TenantId};
use crate::logout::Party;
use crate::password::Lockout;
use crate::proof::Permit;
use crate::push::PushDesk;
use crate::sightings::Sightings;
use crate::signals::SignalQueue;
use crate::time::Timestamp;
use crate::trace::{Outcome, TraceLog};

/// Services handed to an adapter when it is opened.
#[derive(Clone)]
pub struct Services {
    pub clock: Arc<dyn Clock>,
    pub rng: Arc<dyn Rng>,
    pub egress: Arc<dyn Egress>,
    pub dialer: Arc<dyn Dialer>,
    pub grants: Arc<dyn Grants>,
    pub gate: Arc<dyn Gate>,
    pub tokens: Arc<dyn TokenSecrets>,
    pub traces: Arc<dyn TraceSink>,
    pub counters: Arc<dyn Counters>,
    pub throttle: Arc<dyn Throttle>,
    pub handles: Arc<dyn Handles>,
    pub name_ids: Arc<dyn NameIds>,
    pub sightings: Arc<dyn Sightings>,
    pub revalidator: Arc<dyn Revalidator>,
    pub current_claims: Arc<dyn CurrentClaims>,
    pub pushed: Arc<dyn PushDesk>,
    pub signals: Arc<dyn SignalQueue>,
}

impl Services {
    /// The way out for what concerns one partner: it waits in a line of its own, and only hosts that the
    /// tenant allows are reached.
    pub fn egress_to(&self, tenant: &Tenant, party: Party) -> Arc<dyn Egress> {
        egress_to(&self.egress, tenant, party)
    }

    /// For a connection of a tenant that may reach these hosts alone; `None`: all.
    pub fn narrowed(&self, hosts: Option<&[String]>) -> Self {
        let narrowed = hosts.and_then(|hosts| self.dialer.narrowed(hosts.into()));
        Self { dialer: narrowed.unwrap_or_else(|| Arc::clone(&self.dialer)), ..self.clone() }
    }
}

pub trait Clock: Send + Sync {
    fn now(&self) -> Timestamp;

    /// Time since some fixed moment, which no correction of the clock moves. Only differences mean anything.
    fn steady(&self) -> Duration {
        Duration::from_millis(u64::try_from(self.now().millis()).unwrap_or(0))
    }
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

/// Asks the upstream behind a grant again, at a downstream refresh.
#[async_trait]
pub trait Revalidator: Send + Sync {
    /// Cheap where nothing is due: then no statement and no call is made. Of several callers for one
    /// session one asks, on all nodes together, and the others wait for its answer.
    async fn revalidate(&self, tenant: &Arc<Tenant>, grant: &Grant, now: Timestamp, trace: &mut TraceLog) -> Valid;
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Valid {
    /// `waited`: the upstream was asked meanwhile, by this caller or another. What was found out before must be
    /// looked at again.
    Yes { waited: bool },
    /// The grant and its session are ended already. The sentence is for the trace.
    No(String),
    /// Nobody could say, and the connection's policy is to wait: try again later.
    Later(String),
}

/// Short-lived values behind a handle that a peer or a browser brings back: parked requests,
/// artifacts. Sealed in the store, gone when they expire.
#[async_trait]
pub trait Handles: Send + Sync {
    async fn put(
        &self,
        tenant: TenantId,
        purpose: &'static str,
        handle: &str,
        value: &[u8],
        expires: Timestamp,
    ) -> Result<(), StoreError>;

    /// The value, which stays.
    async fn peek(
        &self,
        tenant: TenantId,
        purpose: &'static str,
        handle: &str,
        now: Timestamp,
    ) -> Result<Option<Vec<u8>>, StoreError>;

    /// The value, which is gone then: of several callers one gets it.
    async fn take(
        &self,
        tenant: TenantId,
        purpose: &'static str,
        handle: &str,
        now: Timestamp,
    ) -> Result<Option<Vec<u8>>, StoreError>;
}

/// Persistent pairwise identifiers that were given out (SAML core 8.3.7).
#[async_trait]
pub trait NameIds: Send + Sync {
    /// What this person is called at `qualifier`, if anything yet.
    async fn find(&self, tenant: TenantId, qualifier: &str, person: PersonId) -> Result<Option<String>, StoreError>;
}

/// Services for whoever opens adapters and logs nobody in: `check`, `plan`, tests.
pub struct Closed;

#[async_trait]
impl Handles for Closed {
    async fn put(&self, _: TenantId, _: &'static str, _: &str, _: &[u8], _: Timestamp) -> Result<(), StoreError> {
        Err(closed())
    }

    async fn peek(&self, _: TenantId, _: &'static str, _: &str, _: Timestamp) -> Result<Option<Vec<u8>>, StoreError> {
        Err(closed())
    }

    async fn take(&self, _: TenantId, _: &'static str, _: &str, _: Timestamp) -> Result<Option<Vec<u8>>, StoreError> {
        Err(closed())
    }
}

#[async_trait]
impl NameIds for Closed {
    async fn find(&self, _: TenantId, _: &str, _: PersonId) -> Result<Option<String>, StoreError> {
        Err(closed())
    }
}

#[async_trait]
impl Revalidator for Closed {
    async fn revalidate(&self, _: &Arc<Tenant>, _: &Grant, _: Timestamp, _: &mut TraceLog) -> Valid {
        Valid::Yes { waited: false }
    }
}

pub(crate) fn closed() -> StoreError {
    StoreError("no logins run here".to_owned())
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

#[derive(Debug, Clone, PartialEq)]
pub struct Rotation {
    pub grant: GrantId,
    /// The generation of the token that was presented.
    pub presented: i64,
    /// False for sender-constrained clients: the generation stays, only the idle limit moves.
    pub rotate: bool,
    pub grace: std::time::Duration,
    pub idle: std::time::Duration,
    /// What the grant is from now on, where its claims have changed since it was given: kept with the rotation.
    pub changed: Option<Box<GrantRecord>>,
    pub now: Timestamp,
}

/// The one gate before anything is issued: tenant, connection, app and person.
///
/// Each look may take a while: where this node has not heard of the store for too long, it waits for the next
/// word, and refuses as [`GateRefusal::Unsure`] only when none comes in time. What is held in memory is looked at
/// behind the wait. What the caller read in the store before, such as a grant's standing, may be older by the
/// wait: a kill that falls in between meets a request that began before it, and whatever uses a row up
/// (a code, a refresh token, a login) looks at the row again.
#[async_trait]
pub trait Gate: Send + Sync {
    /// For an app acting for itself (client credentials), or checking a token of its own.
    async fn app(&self, tenant: &Tenant, app: &App) -> Result<Permit, GateRefusal>;

    /// For a grant: also its person, session, connection and revocation.
    async fn grant(&self, tenant: &Tenant, app: &App, grant: &Grant) -> Result<Permit, GateRefusal>;

    /// For a token of an app acting for itself, which carries the epoch that it was given out in.
    async fn app_token(&self, tenant: &Tenant, app: &App, epoch: Epoch) -> Result<Permit, GateRefusal>;

    /// For an answer to a login that waits here to be fetched. A gate that knows no kills of connections and
    /// people looks at the app alone.
    async fn waiting(&self, tenant: &Tenant, app: &App, answer: &WaitingAnswer) -> Result<Permit, GateRefusal> {
        self.app_token(tenant, app, answer.epoch).await
    }

    /// For a password that is right, of somebody who binds over LDAP. A gate that knows no kills of
    /// connections and people lets nobody in.
    async fn bind(&self, _bound: &Bound<'_>) -> Result<Permit, GateRefusal> {
        Err(GateRefusal::AppDisabled)
    }

    /// What is given out now carries this.
    fn epoch(&self) -> Epoch;
}

/// What a bind hangs on.
#[derive(Clone, Copy)]
pub struct Bound<'a> {
    pub tenant: &'a Tenant,
    /// The app by way of which it came; `None` where a person's own client binds.
    pub app: Option<&'a App>,
    /// Which connection said that the password is right; `None` for a password of our own.
    pub connection: Option<ConnectionId>,
    /// As the store had it.
    pub person_disabled: bool,
    /// The last kill of the person.
    pub person: Epoch,
    /// What the node knew when it began to look at the bind. A remembered yes carries that of the first time.
    pub given_out: Epoch,
}

/// What an answer that waits hangs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingAnswer {
    /// It was made in this epoch.
    #[serde(default)]
    pub epoch: Epoch,
    /// Where the person came from; `None` where the answer is about nobody.
    #[serde(default)]
    pub connection: Option<ConnectionId>,
    /// The person's session.
    #[serde(default)]
    pub session: Option<SessionId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GateRefusal {
    /// This node has not heard from the store for longer than a kill may take to arrive, and waiting did not help.
    #[error("it is not known whether this was ended meanwhile: the database does not answer")]
    Unsure,
    #[error("everything that was given out before was ended by a kill switch")]
    Killed,
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
    /// `authorize`, `sso`, `artifact`, `token`, `userinfo`, `introspect`, `revoke`, `logout`, `metadata`.
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

/// Slows down who guesses secrets (RFC 6749 section 10.10). Only failures are told to it: a right secret
/// is never refused, so nobody can be locked out by somebody else's guesses.
pub trait Throttle: Send + Sync {
    /// Counts a failed authentication with a secret. `Some` says that this address or this account
    /// has failed too often, and how long to wait.
    fn failed(&self, tenant: TenantId, account: &str, peer: IpAddr, now: Timestamp) -> Option<Duration>;

    /// Whether a password may be tried at all, asked before an upstream is: an upstream counts wrong ones itself,
    /// and would lock the account. It counts as wrong at once, so that many at the same time are not all let through.
    ///
    /// # Errors
    /// It may not; how long to wait.
    fn admits(&self, _guess: &Guess<'_>, _now: Timestamp) -> Result<Box<dyn Admission>, Duration> {
        Ok(Box::new(Uncounted))
    }
}

/// A try that was let through. One of which nothing more is said goes on counting as wrong on this node.
pub trait Admission: Send {
    /// It was a wrong password, which other nodes are to hear of.
    fn guessed(self: Box<Self>);

    /// It was no guess: the password was right, or nobody could say.
    fn withdrawn(self: Box<Self>, right: bool);
}

/// Where tries are not counted.
struct Uncounted;

impl Admission for Uncounted {
    fn guessed(self: Box<Self>) {}

    fn withdrawn(self: Box<Self>, _right: bool) {}
}

/// Somebody types a password of an account.
#[derive(Debug, Clone, Copy)]
pub struct Guess<'a> {
    pub tenant: TenantId,
    /// Where it is checked; `None`: here.
    pub connection: Option<ConnectionId>,
    /// As it was typed, folded: two spellings of one account have one count.
    pub account: &'a str,
    pub peer: IpAddr,
    /// The app by way of which it came, where the app has said who it is: its address is that of many people.
    pub through: Option<AppId>,
    /// A browser, or an app's address, that has logged this account in before: it has a count of its own, so
    /// that nobody else's guesses keep the person out.
    pub known_device: Option<[u8; 32]>,
    /// What the upstream does about wrong passwords, where that is known.
    pub lockout: Option<Lockout>,
}

/// Counts for the metrics page.
pub trait Counters: Send + Sync {
    /// Tokens issued, by grant type.
    fn token_issued(&self, grant_type: &'static str);
    /// Refusals at an endpoint, by OAuth error code.
    fn refused(&self, endpoint: &'static str, code: &'static str);
    /// A refresh token came back after its grace.
    fn refresh_reused(&self);
    /// An operation of the LDAP server, with its result code (RFC 4511 appendix A).
    fn ldap_operation(&self, _operation: &'static str, _result: u32, _took: Duration) {}
    /// A directory was asked: `bind`, `search`, `connect`.
    fn directory_asked(&self, _connection: ConnectionId, _what: &'static str, _took: Duration) {}
}
