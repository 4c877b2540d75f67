//! RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0): the person wants out, by way of an app.

use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::downstream::{LOGOUT_CONFIRMATION, LogoutRequest};
use fedbridge_contract::error::StoreError;
use fedbridge_contract::http::{HttpInput, Reply, SameSite, SetCookie};
use fedbridge_contract::ids::{SessionId, TenantId, TraceId};
use fedbridge_contract::logout::{Channel, LogoutEnd};
use fedbridge_contract::page::{ConfirmLogoutPage, Page};
use fedbridge_contract::services::random_text;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;

use super::away;
use super::begin::Begin;
use super::conclude::Reached;
use super::record::Asker;
use crate::ports::StoredSession;
use crate::run::Hub;
use crate::run::form_token::same;
use crate::run::session::{LiveSession, end_session_cookie, session_cookie_name};
use crate::run::snapshot::TenantSnapshot;

/// How long a page about a session elsewhere can be answered.
const ASKED: Duration = Duration::from_secs(600);

/// What an app asks for in a person's name, and what its adapter wrote down about that.
pub struct LogoutWish {
    pub request: LogoutRequest,
    pub trace_id: TraceId,
    pub trace: TraceLog,
}

impl Hub {
    pub(in crate::run) async fn logout(
        &self,
        tenant: Arc<TenantSnapshot>,
        wish: LogoutWish,
        input: &HttpInput,
    ) -> Reply {
        let request = &wish.request;
        let now = self.services.clock.now();
        let id = tenant.view.id;
        let live = match self.session_to_end(id, input, now).await {
            Ok(live) => live,
            Err(error) => return away(&tenant, error),
        };
        let Some(live) = live else {
            // The browser is logged out already, or another site's form brought no cookie. The app's own session
            // may still be one of ours. An ID token is no proof of who is here, so a page asks (RP-Initiated Logout
            // 1.0 section 2); its form brings the cookie where there is one.
            return match self.hinted(&tenant, request, now).await {
                Ok(Some(session)) if self.agreed_elsewhere(request, &tenant, session.id, input) => {
                    self.end_for(tenant, wish, session, false).await.with_cookie(asked_cookie(id, String::new()))
                }
                Ok(Some(session)) => {
                    let browser = random_text::<32>(self.services.rng.as_ref());
                    let token = self.elsewhere_token(&tenant, session.id, &browser);
                    ask(&tenant, request, token).with_cookie(asked_cookie(id, browser))
                }
                Ok(None) => {
                    let asker = asker(request, request.hint.is_some());
                    self.answer_asker(&tenant, &asker, LogoutEnd::NoSession, Reached::default()).await
                }
                Err(error) => away(&tenant, error),
            };
        };
        let token = self.confirmation_token(&tenant, input);
        if !self.agrees(request, &live, &token) {
            return ask(&tenant, request, token);
        }
        self.end_for(tenant, wish, live.stored, true).await
    }

    /// Ends the session, and goes on with everybody who is in it. `here`: it is of this browser.
    async fn end_for(
        &self,
        tenant: Arc<TenantSnapshot>,
        wish: LogoutWish,
        session: StoredSession,
        here: bool,
    ) -> Reply {
        let LogoutWish { request, trace_id, trace: mut steps } = wish;
        let hinted = request.hint.as_ref().is_some_and(|hint| hint.session == Some(session.id));
        let how = if here && hinted { "the app's id_token_hint names it" } else { "the person agreed" };
        steps.decide("request", how, true);
        let begin = Begin {
            tenant: Arc::clone(&tenant),
            asker: asker(&request, true),
            channel: Channel::Front,
            framed_by: None,
            once: Vec::new(),
            sessions: vec![session],
            steps,
            trace: trace_id,
        };
        match self.begin_logout(begin).await {
            Ok(run) if here => self.carry_on(run).await.with_cookie(end_session_cookie(tenant.view.id)),
            Ok(run) => self.carry_on(run).await,
            Err(error) => away(&tenant, error),
        }
    }

    async fn hinted(
        &self,
        tenant: &TenantSnapshot,
        request: &LogoutRequest,
        now: Timestamp,
    ) -> Result<Option<StoredSession>, StoreError> {
        match request.hint.as_ref().and_then(|hint| hint.session) {
            Some(session) => self.logouts.session_by_id(tenant.view.id, session, now).await,
            None => Ok(None),
        }
    }

    /// A hint that names this very session is consent; otherwise the person presses the button.
    fn agrees(&self, request: &LogoutRequest, live: &LiveSession, token: &str) -> bool {
        let hinted = request.hint.as_ref().is_some_and(|hint| hint.session == Some(live.stored.id));
        hinted || request.confirmation.as_deref().is_some_and(|sent| same(sent, token))
    }

    /// Bound to the session's cookie, so that another site can't make one up.
    fn confirmation_token(&self, tenant: &TenantSnapshot, input: &HttpInput) -> String {
        let cookie = input.cookie(&session_cookie_name(tenant.view.id)).unwrap_or_default();
        self.own_token(tenant.view.id, "logout confirmation", cookie.as_bytes())
    }

    /// Whether somebody pressed the button of a page about a session elsewhere, in the browser that got the page.
    fn agreed_elsewhere(
        &self,
        request: &LogoutRequest,
        tenant: &TenantSnapshot,
        session: SessionId,
        input: &HttpInput,
    ) -> bool {
        let browser = input.cookie(&asked_cookie_name(tenant.view.id)).filter(|cookie| !cookie.is_empty());
        let token = browser.map(|browser| self.elsewhere_token(tenant, session, browser));
        token.is_some_and(|token| request.confirmation.as_deref().is_some_and(|sent| same(sent, &token)))
    }

    /// Whoever holds an ID token can fetch the page. Bound to the browser too, it is of no use in another one: a
    /// stranger can't have somebody else's browser press the button.
    fn elsewhere_token(&self, tenant: &TenantSnapshot, session: SessionId, browser: &str) -> String {
        let what = format!("{session}\n{browser}");
        self.own_token(tenant.view.id, "logout elsewhere", what.as_bytes())
    }
}

/// The cookie of a browser that is asked about a session elsewhere.
fn asked_cookie_name(tenant: TenantId) -> String {
    format!("{tenant}-o")
}

/// An empty value takes it away.
fn asked_cookie(tenant: TenantId, value: String) -> SetCookie {
    let lifetime = if value.is_empty() { 0 } else { ASKED.as_secs().cast_signed() };
    SetCookie { name: asked_cookie_name(tenant), value, max_age_seconds: Some(lifetime), same_site: SameSite::Lax }
}

fn ask(tenant: &TenantSnapshot, request: &LogoutRequest, token: String) -> Reply {
    let mut fields = request.fields.clone();
    fields.push((LOGOUT_CONFIRMATION.into(), token));
    Reply::page(Page::ConfirmLogout(ConfirmLogoutPage {
        tenant: tenant.view.display_name.clone(),
        action: request.action.clone(),
        fields,
    }))
}

/// The app of a valid hint has ended its own session before it asked.
fn asker(request: &LogoutRequest, agreed: bool) -> Asker {
    Asker::Person {
        app: request.hint.as_ref().map(|hint| hint.app),
        label: request.app.clone(),
        return_to: request.return_to.clone(),
        agreed,
    }
}
