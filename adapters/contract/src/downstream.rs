//! The downstream side: how an app asks for a login and gets its answer.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use std::sync::Arc;

use crate::claims::Claims;
use crate::config::{App, AppKind, Connection, Tenant};
use crate::error::Complaint;
use crate::grant::NewGrant;
use crate::http::{HttpInput, Reply, Route};
use crate::ids::{AppId, PersonId, SessionId, TraceId};
use crate::proof::Permit;
use crate::services::Rng;
use crate::time::Timestamp;
use crate::trace::TraceLog;
use crate::upstream::LoginWish;

/// A downstream protocol: OIDC first.
#[async_trait]
pub trait Downstream: Send + Sync {
    fn kind(&self) -> AppKind;

    /// Routes below `{issuer}/`.
    fn routes(&self) -> &'static [Route];

    /// Checks the settings of an app when they are saved: every complaint at once.
    fn check_app(&self, name: &str, settings: &serde_json::Value, secrets: usize) -> Vec<Complaint>;

    /// The sector that a pairwise `sub` is made for (OpenID Connect Core 8.1).
    fn sector(&self, app: &App) -> String {
        app.name.clone()
    }

    /// Scopes, or what stands for them, that the app may ever be given.
    fn registered_scopes(&self, app: &App) -> Vec<String>;

    /// Takes a request in. `trace` is kept where the answer is a login or a refusal of one.
    async fn accept(&self, request: Request<'_>, trace: &mut TraceLog) -> Accepted;

    /// Turns a finished login into the app's answer. Pure: what it wants stored goes into the
    /// login's unit of work, and the reply leaves only after that is durable.
    fn finish(&self, finish: Finish<'_>, permit: &Permit) -> Result<Finished, Refusal>;

    /// Tells the app that the login was refused, in the protocol's own form.
    fn refuse(&self, tenant: &Tenant, continuation: &[u8], refusal: &Refusal, trace: TraceId) -> Reply;
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
    Logout(LogoutRequest),
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
    /// The request's own address with all parameters, to come back to with `connection=` added.
    pub again: String,
    /// What the adapter needs to answer; it comes back in [`Finish::continuation`].
    pub continuation: Vec<u8>,
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
    pub upstream_limit: Option<Timestamp>,
    pub trace: TraceId,
}

#[derive(Debug)]
pub struct Finished {
    pub reply: Reply,
    pub grant: Option<NewGrant>,
}

/// Why a login was refused, in words that every downstream protocol has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    pub kind: RefusalKind,
    /// One plain sentence that the app may show.
    pub public: String,
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
    /// Ours to mend.
    ServerError,
    TemporarilyUnavailable,
}

impl Refusal {
    pub fn new(kind: RefusalKind, public: impl Into<String>) -> Self {
        Self { kind, public: public.into() }
    }
}
