//! The upstream side: how an adapter logs a person in.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::config::{AppKind, Tenant};
use crate::directory::{DirectorySource, PassThrough};
use crate::error::ProtocolError;
use crate::http::{HttpInput, Reply, Route};
use crate::identity::{Attributes, AuthenticatedIdentity, AuthnFacts, UpstreamSubject, UpstreamTokens};
use crate::ids::TransactionId;
use crate::keys::KeyPurpose;
use crate::logout::UpstreamLogout;
use crate::password::PasswordCheck;
use crate::proof::Minter;
use crate::push::PushServer;
use crate::services::EgressPost;
use crate::time::Timestamp;
use crate::trace::{TraceLog, visible};

/// An opened connection: a struct of optional capabilities. A missing one is `None`.
#[derive(Default)]
pub struct Adapter {
    pub login: Option<Box<dyn UpstreamLogin>>,
    pub logout: Option<Box<dyn UpstreamLogout>>,
    pub refresh: Option<Box<dyn UpstreamRefresh>>,
    pub metadata: Option<Box<dyn PublishedMetadata>>,
    pub check: Option<Box<dyn SelfCheck>>,
    /// People type their password on our page, or send it by LDAP.
    pub password: Option<Box<dyn PasswordCheck>>,
    /// Its people can be read without their being here.
    pub directory: Option<Box<dyn DirectorySource>>,
    pub pass_through: Option<Arc<dyn PassThrough>>,
    /// The upstream pushes its people here.
    pub push: Option<Box<dyn PushServer>>,
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
    ///
    /// # Errors
    /// With the code `temporarily_unavailable`: what the upstream publishes about itself was not read yet. The hub
    /// then looks for it, and asks once more.
    async fn begin(&self, start: Start<'_>, trace: &mut TraceLog) -> Result<Begun, ProtocolError>;

    /// Which transaction an answer is for, read before anything is verified. It only
    /// routes; the hub then checks the browser's cookie.
    fn correlate(&self, input: &HttpInput) -> Correlation;

    /// Verifies an answer against the transaction that it belongs to.
    async fn complete(&self, answer: Answer<'_>, minter: Minter, trace: &mut TraceLog) -> LoginOutcome;

    /// What happens to logins that nobody asked for. `None`: they are refused.
    fn unsolicited(&self) -> Option<&UnsolicitedPolicy> {
        None
    }

    /// What a login of our own asks for that this message starts ([`UnsolicitedMode::Bounce`]). The message is not
    /// verified: only hints may be taken out of it.
    fn wish(&self, _input: &HttpInput) -> LoginWish {
        LoginWish::default()
    }

    /// Verifies an answer that no request of ours asked for. Called only where the policy accepts it.
    async fn complete_unsolicited(
        &self,
        _answer: UnsolicitedAnswer<'_>,
        _minter: Minter,
        _trace: &mut TraceLog,
    ) -> LoginOutcome {
        let public = "This way to log in is not available.";
        LoginOutcome::Rejected(ProtocolError::new("invalid_request", public, "unsolicited answers are not accepted"))
    }
}

/// The connection's `allow_idp_initiated` (SAML profiles 4.1.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnsolicitedPolicy {
    /// The app that is started: its name in the bridge file, with its kind.
    pub app: (AppKind, String),
    pub mode: UnsolicitedMode,
    /// What RelayState may name; anything else starts the app without a target.
    pub targets: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnsolicitedMode {
    /// The answer is thrown away unread, and a login of our own starts: nobody can be logged in as
    /// somebody else by a link.
    Bounce,
    /// The answer is verified and used.
    Accept,
}

pub struct UnsolicitedAnswer<'a> {
    pub tenant: &'a Tenant,
    pub input: &'a HttpInput,
    /// Made for this answer alone; the proof covers it.
    pub transaction: TransactionId,
    /// As in [`Answer::fetched`].
    pub fetched: &'a OnceLock<Vec<u8>>,
    pub now: Timestamp,
}

/// Asks the upstream again, without a browser, whether a person may still log in.
#[async_trait]
pub trait UpstreamRefresh: Send + Sync {
    /// How often it is asked at most. `None`: never.
    fn interval(&self) -> Option<Duration>;

    /// How long after its last answer an upstream may be silent without anybody being held up. `None`: not at
    /// all; then a refresh waits until it answers.
    fn patience(&self) -> Option<Duration> {
        Some(Duration::from_secs(24 * 3600))
    }

    /// One call of the upstream. It logs nobody in, so it mints no proof.
    async fn ask(&self, asked: AskedAgain<'_>, trace: &mut TraceLog) -> StillThere;

    /// The call that ends the tokens (RFC 7009), where the upstream has it.
    fn revocation(&self, tenant: &Tenant, tokens: &UpstreamTokens, now: Timestamp) -> Option<EgressPost>;
}

pub struct AskedAgain<'a> {
    pub tenant: &'a Tenant,
    pub subject: &'a UpstreamSubject,
    pub authn: &'a AuthnFacts,
    pub tokens: &'a UpstreamTokens,
    pub now: Timestamp,
}

/// What the upstream said.
#[derive(Debug)]
pub enum StillThere {
    /// With attributes as they are now, where it gave any, and the tokens to ask with next time.
    Yes { attributes: Option<Attributes>, tokens: UpstreamTokens },
    /// It knows the session or the person no more (`invalid_grant`).
    No(ProtocolError),
    /// It did not answer, or not in a way that says anything. The connection's policy decides.
    Unknown(ProtocolError),
}

/// What a connection publishes about itself, for example SP metadata or the keys of a client.
pub trait PublishedMetadata: Send + Sync {
    fn route(&self) -> Route;
    fn document(&self, tenant: &Tenant, now: Timestamp) -> Result<Reply, ProtocolError>;

    /// Whether the other side has a use for our keys of this purpose: a rollover waits until it knows the
    /// next one.
    fn uses_key(&self, purpose: KeyPurpose) -> bool;
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
    /// What ends, and when, for the radar: certificates, metadata, secrets.
    pub ends: Option<Ending>,
}

/// Something with a date.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ending {
    /// For a metric's label: `signing certificate 3f9a…`, `metadata`.
    pub what: String,
    pub at: Timestamp,
}

impl Finding {
    /// What a partner wrote may stand in `text`; it is made harmless for terminals and logs.
    pub fn new(level: Level, text: impl Into<String>) -> Self {
        Self { level, text: visible(text.into()), ends: None }
    }

    #[must_use]
    pub fn ending(mut self, what: impl Into<String>, at: Timestamp) -> Self {
        self.ends = Some(Ending { what: visible(what.into()), at });
        self
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Fine,
    /// Nothing is wrong, and a setting may do better.
    Advice,
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
    /// One of `acr_values` must be reached (RequestedAuthnContext), not just be tried for.
    #[serde(default)]
    pub acr_required: bool,
    /// How many more providers may stand between (SAML core 3.4.1.5).
    #[serde(default)]
    pub proxy_count: Option<u32>,
    /// Who asks, nearest first: client IDs and entity IDs.
    #[serde(default)]
    pub requesters: Vec<String>,
    pub login_hint: Option<String>,
    /// The app's `domain_hint`, for upstreams that take one.
    #[serde(default)]
    pub domain_hint: Option<String>,
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
    /// The answer names no transaction: an unsolicited (IdP-initiated) login. `target` is its RelayState.
    Unsolicited {
        target: Option<String>,
    },
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
    /// Where the adapter keeps what it fetched for this answer and can't fetch twice, in its own form:
    /// after [`LoginOutcome::KeyUnknown`] it may be asked once more.
    pub fetched: &'a OnceLock<Vec<u8>>,
    pub now: Timestamp,
}

#[derive(Debug)]
pub enum LoginOutcome {
    Authenticated(Box<AuthenticatedIdentity>),
    /// The upstream itself said no; mapped to what the downstream protocol knows.
    UpstreamRefused(UpstreamRefusal),
    /// Our checks said no. The trace holds the failed check.
    Rejected(ProtocolError),
    /// The same, because the signature is of a key that we don't know: a look at the upstream's
    /// metadata may help, and the hub then asks once more.
    KeyUnknown(ProtocolError),
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
