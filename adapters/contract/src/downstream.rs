//! The downstream side: how an app asks for a login and gets its answer.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use std::sync::Arc;

use crate::claims::Claims;
use crate::config::{App, AppKind, Connection, Tenant};
use crate::documents::PartnerDocuments;
use crate::error::Complaint;
use crate::grant::NewGrant;
use crate::http::{HttpInput, Reply, Route};
use crate::identity::OneTimeKey;
use crate::ids::{AppId, PersonId, SessionId, TraceId};
use crate::keys::KeyPurpose;
use crate::logout::{DownstreamLogout, NoticeId, Participant, PeerLogout, Told};
use crate::proof::Permit;
use crate::services::Rng;
use crate::signals::SignalTransmitter;
use crate::time::Timestamp;
use crate::trace::TraceLog;
use crate::upstream::{Finding, LoginWish};

/// A downstream protocol: OIDC, SAML.
#[async_trait]
pub trait Downstream: Send + Sync {
    fn kind(&self) -> AppKind;

    /// Routes below `{issuer}/`.
    fn routes(&self) -> &'static [Route];

    /// Checks the settings of an app when they are saved: every complaint at once.
    fn check_app(&self, name: &str, settings: &serde_json::Value, secrets: usize) -> Vec<Complaint>;

    /// What the protocol's messages call the app: its client_id, its entity ID. Unique in the tenant
    /// and kind. `None` where the settings don't say it.
    fn protocol_name(&self, name: &str, _settings: &serde_json::Value) -> Option<String> {
        Some(name.to_owned())
    }

    /// The claims that the settings let out, for protocols without scopes: what the app may be released
    /// follows from them. Reads what it can; complaints are [`Downstream::check_app`]'s.
    fn released_claims(&self, _settings: &serde_json::Value) -> Vec<String> {
        Vec::new()
    }

    /// The sector that a pairwise `sub` is made for (OpenID Connect Core 8.1).
    fn sector(&self, app: &App) -> String {
        app.name.clone()
    }

    /// Scopes, or what stands for them, that the app may ever be given.
    fn registered_scopes(&self, app: &App) -> Vec<String>;

    /// Takes a request in. The hub records `trace` with what it does next: a login, a logout, an app's answer
    /// to one of our notices. An adapter that replies itself records that itself, in
    /// [`Services::traces`](crate::services::Services::traces), and only it knows of what kind it was.
    async fn accept(&self, request: Request<'_>, trace: &mut TraceLog) -> Accepted;

    /// Turns a finished login into the app's answer. It changes nothing itself: what it wants stored
    /// goes into the login's unit of work, and the reply leaves only after that is durable. It may be
    /// called again for the same login, when somebody else was faster.
    async fn finish(&self, finish: Finish<'_>, permit: &Permit) -> Result<Finished, Refusal>;

    /// Whether an answer is good by itself once it has left, as an assertion is: the app asks nothing more about
    /// it, so no later kill ends it.
    fn answers_stand(&self) -> bool {
        false
    }

    /// Tells the app that the login was refused, in the protocol's own form.
    async fn refuse(&self, tenant: &Arc<Tenant>, continuation: &[u8], refusal: &Refusal, trace: TraceId) -> Reply;

    /// Where a browser is sent so that the app starts a login by itself, for logins that began at the
    /// upstream (OpenID Connect Core 4; SAML profiles 4.1.5). `target` was checked against the
    /// connection's list.
    fn initiate(&self, _tenant: &Tenant, _app: &App, _target: Option<&str>) -> Option<String> {
        None
    }

    /// The host that a person is shown on the consent page: where the answer goes.
    fn host(&self, _app: &App, _continuation: &[u8]) -> Option<String> {
        None
    }

    /// Told of a session's end, and asking for one.
    fn logout(&self) -> Option<&dyn DownstreamLogout> {
        None
    }

    /// Where its apps receive signals.
    fn signals(&self) -> Option<&dyn SignalTransmitter> {
        None
    }

    /// The documents of its apps, where they publish any.
    fn documents(&self) -> Option<&dyn PartnerDocuments> {
        None
    }

    /// Whether the app has a use for SAML keys of ours of this purpose: a rollover waits until it knows the
    /// next one.
    fn uses_key(&self, _app: &App, _purpose: KeyPurpose) -> bool {
        false
    }

    /// Looks at an app's settings and dates, for `fedbridge check`.
    fn check(&self, _tenant: &Tenant, _app: &App, _now: Timestamp) -> Vec<Finding> {
        Vec::new()
    }
}

pub struct Request<'a> {
    pub tenant: &'a Arc<Tenant>,
    pub input: &'a HttpInput,
    pub now: Timestamp,
    /// Under this the request can be found again.
    pub trace_id: TraceId,
}

pub enum Accepted {
    Reply(Reply),
    Login(Box<LoginRequest>),
    /// The person's wish, by way of the app: it may need the person's consent.
    Logout(LogoutRequest),
    /// A message of the app's own server or of its browser binding, already verified.
    PeerLogout {
        app: AppId,
        request: Box<PeerLogout>,
    },
    /// An app's answer to a notice of ours, already verified.
    LogoutAnswer {
        id: NoticeId,
        told: Told,
    },
}

/// A login that an app asks for, in words that every protocol has.
#[derive(Debug, Clone, PartialEq)]
pub struct LoginRequest {
    pub app: AppId,
    pub wish: LoginWish,
    pub hints: ConnectionHints,
    /// Scopes granted to this login; the release policy and CEL see them.
    pub scope: Vec<String>,
    /// Claims asked for by name, besides what scopes release (OpenID Connect Core 5.5).
    pub requested_claims: Vec<String>,
    /// The person must be this one (`id_token_hint`); its value is the app's `sub`.
    pub expected_sub: Option<String>,
    /// Ask which connection, even where one would do (`prompt=select_account`).
    pub choose: bool,
    pub consent: ConsentWish,
    /// The request's own address with all parameters, to come back to with `connection=` added.
    pub again: String,
    /// Where a person can start anew after a failure; `again` where a request may come twice.
    pub retry: Option<String>,
    /// Used up in the unit of work that ends this login, so that a person may go back and choose
    /// another connection, while a request is answered once.
    pub once: Vec<OneTimeKey>,
    /// What the adapter needs to answer; it comes back in [`Finish::continuation`].
    pub continuation: Vec<u8>,
}

/// Whether the person is asked before the app gets anything (OpenID Connect Core 3.1.2.4).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConsentWish {
    /// The app belongs to the company.
    #[default]
    NotNeeded,
    /// Once for an app and a set of scopes and claims.
    Remembered,
    /// Each time (`prompt=consent`).
    Always,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionHints {
    /// A slug: `connection=` or `idp_hint=`.
    pub connection: Option<String>,
    pub login_hint: Option<String>,
    pub domain_hint: Option<String>,
}

/// The form field of our confirmation page that carries the anti-forgery token.
pub const LOGOUT_CONFIRMATION: &str = "confirm";

/// RP-initiated logout, its parameters already checked (RP-Initiated Logout 1.0).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogoutRequest {
    /// What a valid `id_token_hint` says.
    pub hint: Option<LogoutHint>,
    /// A registered address with its `state`.
    pub return_to: Option<String>,
    /// The app's name and that address, for the page that offers the way back.
    pub app: Option<String>,
    /// The person pressed the button of our own page: its anti-forgery token.
    pub confirmation: Option<String>,
    /// Where the confirmation form posts to, and what it carries besides the token.
    pub action: String,
    pub fields: Vec<(String, String)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogoutHint {
    pub app: AppId,
    pub sub: String,
    pub session: Option<SessionId>,
}

/// A login that the hub has decided in the person's favour.
pub struct Finish<'a> {
    pub tenant: &'a Arc<Tenant>,
    pub app: &'a Arc<App>,
    pub continuation: &'a [u8],
    pub identity: &'a IssuedIdentity,
    pub now: Timestamp,
    pub rng: &'a dyn Rng,
}

/// The identity as this app may see it.
#[derive(Debug, Clone)]
pub struct IssuedIdentity {
    pub person: PersonId,
    pub sub: String,
    pub session: SessionId,
    pub connection: Arc<Connection>,
    pub claims: Claims,
    pub scope: Vec<String>,
    pub auth_time: Timestamp,
    pub acr: Option<String>,
    pub amr: Vec<String>,
    /// Identity providers behind this login, nearest first: what the upstream calls itself, then those
    /// that it names (SAML core 2.7.2.2).
    pub authorities: Vec<String>,
    pub upstream_limit: Option<Timestamp>,
    /// When our own session ends at the latest.
    pub session_limit: Timestamp,
    pub trace: TraceId,
}

#[derive(Debug)]
pub struct Finished {
    pub reply: Reply,
    pub grant: Option<NewGrant>,
    /// The app wants to hear when the session ends.
    pub participant: Option<Participant>,
    /// A persistent identifier that was made just now.
    pub name_id: Option<NewNameId>,
    /// What leaves, in the words of the protocol.
    pub steps: TraceLog,
}

/// A persistent pairwise identifier (SAML core 8.3.7). It stays for ever: random, so never given to
/// anybody else, and kept by the provider's entity ID, so that it outlives the app's registration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNameId {
    /// The entity ID, or the affiliation that shares it.
    pub qualifier: String,
    pub person: PersonId,
    pub value: String,
}

/// Why a login was refused, in words that every downstream protocol has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub kind: RefusalKind,
    /// One plain sentence that the app may show.
    pub public: String,
    /// What went wrong inside, for the trace alone.
    pub cause: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RefusalKind {
    /// A page would be needed, and `prompt=none` forbids it.
    LoginRequired,
    InteractionRequired,
    AccountSelectionRequired,
    ConsentRequired,
    /// Policy, mapping or the upstream said no.
    AccessDenied,
    UnmetAuthnContext,
    /// The kind of identifier that the app asks for can't be given (InvalidNameIDPolicy).
    SubjectUnavailable,
    /// Ours to mend.
    ServerError,
    TemporarilyUnavailable,
}

impl Refusal {
    pub fn new(kind: RefusalKind, public: impl Into<String>) -> Self {
        Self { kind, public: public.into(), cause: None }
    }

    /// With what went wrong inside.
    #[must_use]
    pub fn because(self, cause: impl Into<String>) -> Self {
        Self { cause: Some(cause.into()), ..self }
    }
}
