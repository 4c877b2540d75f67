//! The upstream side: how an adapter logs a person in.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::config::Tenant;
use crate::error::ProtocolError;
use crate::http::{HttpInput, Reply, Route};
use crate::identity::AuthenticatedIdentity;
use crate::ids::TransactionId;
use crate::proof::Minter;
use crate::time::Timestamp;
use crate::trace::TraceLog;

/// An opened connection: a struct of optional capabilities. A missing one is `None`.
#[derive(Default)]
pub struct Adapter {
    pub login: Option<Box<dyn UpstreamLogin>>,
    pub metadata: Option<Box<dyn PublishedMetadata>>,
    pub check: Option<Box<dyn SelfCheck>>,
}

/// Login by way of the browser.
#[async_trait]
pub trait UpstreamLogin: Send + Sync {
    /// Where answers come in, relative to the connection's address.
    fn routes(&self) -> &'static [Route];

    /// Makes the request that sends the browser to the upstream.
    ///
    /// `handle` is an opaque text of at most 80 octets that the upstream must give
    /// back (RelayState, `state`).
    async fn begin(&self, start: Start<'_>, trace: &mut TraceLog) -> Result<Begun, ProtocolError>;

    /// Which transaction an answer is for, read before anything is verified. It only
    /// routes; the hub then checks the browser's cookie.
    fn correlate(&self, input: &HttpInput) -> Correlation;

    /// Verifies an answer against the transaction that it belongs to.
    async fn complete(&self, answer: Answer<'_>, minter: Minter, trace: &mut TraceLog) -> LoginOutcome;
}

/// What a connection publishes about itself, for example SP metadata.
pub trait PublishedMetadata: Send + Sync {
    fn route(&self) -> Route;
    fn document(&self, tenant: &Tenant, now: Timestamp) -> Result<Reply, ProtocolError>;
}

/// Looks at the other side without changing it, for `fedbridge check`.
#[async_trait]
pub trait SelfCheck: Send + Sync {
    async fn run(&self, tenant: &Tenant, now: Timestamp) -> Vec<Finding>;
}

/// One line of `fedbridge check`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub level: Level,
    pub text: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Fine,
    Warning,
    Problem,
}

/// What the downstream side wants of this login.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginWish {
    /// Authenticate again even where the upstream has a session (`prompt=login`, ForceAuthn).
    pub force_authn: bool,
    /// Show no page (`prompt=none`, IsPassive).
    pub passive: bool,
    /// The oldest authentication that will do, in seconds.
    pub max_age: Option<u64>,
    pub acr_values: Vec<String>,
    pub login_hint: Option<String>,
    pub ui_locales: Option<String>,
}

/// The start of a login at one connection.
pub struct Start<'a> {
    pub tenant: &'a Tenant,
    pub handle: &'a str,
    pub wish: &'a LoginWish,
    pub now: Timestamp,
}

/// The request that goes out, and what the adapter wants back with the answer.
#[derive(Debug)]
pub struct Begun {
    pub challenge: Challenge,
    /// The adapter's own memory of this login; it comes back in [`Answer::state`].
    pub state: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Challenge {
    Redirect(String),
    AutoPost { action: String, fields: Vec<(String, String)> },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Correlation {
    Handle(String),
    /// The answer names no transaction: an unsolicited (IdP-initiated) login.
    Unsolicited,
    /// The message can't be one of ours; the sentence is for the trace.
    Malformed(String),
}

/// An answer of the upstream, with the transaction that the hub found for it.
pub struct Answer<'a> {
    pub tenant: &'a Tenant,
    pub input: &'a HttpInput,
    pub transaction: TransactionId,
    pub state: &'a [u8],
    pub wish: &'a LoginWish,
    /// When the request went out.
    pub started: Timestamp,
    pub now: Timestamp,
}

#[derive(Debug)]
pub enum LoginOutcome {
    Authenticated(Box<AuthenticatedIdentity>),
    /// The upstream itself said no; mapped to what the downstream protocol knows.
    UpstreamRefused(UpstreamRefusal),
    /// Our checks said no. The trace holds the failed check.
    Rejected(ProtocolError),
}

/// The upstream's refusal, in words that every downstream protocol has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpstreamRefusal {
    pub kind: UpstreamRefusalKind,
    /// The upstream's own status or error code.
    pub upstream_code: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpstreamRefusalKind {
    /// NoPassive, `login_required`.
    LoginRequired,
    /// The person or a policy there declined (`access_denied`, AuthnFailed).
    Denied,
    /// NoAuthnContext, `unmet_authentication_requirements`.
    UnmetAuthnContext,
    /// Anything else.
    Failed,
}
