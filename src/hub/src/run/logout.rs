//! RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0): the session of
//! this browser ends, and with it the grants that need one.

use std::sync::Arc;

use fedbridge_contract::downstream::{LOGOUT_CONFIRMATION, LogoutRequest};
use fedbridge_contract::error::StoreError;
use fedbridge_contract::http::{HttpInput, Reply};
use fedbridge_contract::ids::SessionId;
use fedbridge_contract::page::{ConfirmLogoutPage, LoggedOutPage, Page, WayBack};
use fedbridge_contract::services::{TraceEvent, TraceSink as _};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::{Outcome, TraceLog};

use super::ending::Stop;
use super::session::{LiveSession, end_session_cookie, session_cookie_name};
use super::snapshot::TenantSnapshot;
use super::{Hub, error_page};
use crate::ports::{Command, Unit, UnitError};

impl Hub {
    pub(super) async fn logout(&self, tenant: Arc<TenantSnapshot>, request: LogoutRequest, input: &HttpInput) -> Reply {
        let now = self.services.clock.now();
        let id = tenant.view.id;
        let live = match self.live_session(id, input, now).await {
            Ok(live) => live,
            Err(error) => return away(&tenant, error),
        };
        let Some(live) = live else {
            // The browser is logged out already. The app's own session may still be one of ours.
            let hinted = request.hint.as_ref().and_then(|hint| hint.session);
            if let Some(session) = hinted
                && let Err(reply) = self.end(&tenant, session).await
            {
                return reply;
            }
            return done(&tenant, &request, request.hint.is_some());
        };
        let token = self.confirmation_token(&tenant, input);
        if !self.agrees(&request, &live, &token) {
            let mut fields = request.fields.clone();
            fields.push((LOGOUT_CONFIRMATION.into(), token));
            return Reply::page(Page::ConfirmLogout(ConfirmLogoutPage {
                tenant: tenant.view.display_name.clone(),
                action: request.action.clone(),
                fields,
            }));
        }
        match self.end(&tenant, live.stored.id).await {
            Ok(()) => {
                self.record_logout(&tenant, &request, now);
                done(&tenant, &request, true).with_cookie(end_session_cookie(id))
            }
            Err(reply) => reply,
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
        let mac = self.services.tokens.mac(tenant.view.id, "logout confirmation", cookie.as_bytes());
        mac.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn record_logout(&self, tenant: &TenantSnapshot, request: &LogoutRequest, now: Timestamp) {
        let mut steps = TraceLog::new();
        let how = if request.hint.is_some() { "the app's id_token_hint names it" } else { "the person agreed" };
        steps.decide("session", format!("ended: {how}"), true);
        self.recorder.record(TraceEvent {
            tenant: tenant.view.id,
            id: self.new_trace_id(),
            at: now,
            kind: "logout",
            app: request.app.clone(),
            connection: None,
            person: request.hint.as_ref().map(|hint| hint.sub.clone()),
            peer: None,
            outcome: Outcome::Success,
            cause: String::new(),
            steps,
        });
    }

    async fn end(&self, tenant: &TenantSnapshot, session: SessionId) -> Result<(), Reply> {
        let unit = Unit { commands: vec![Command::EndSession(session)], now: self.services.clock.now() };
        match self.store.commit(tenant.view.id, unit).await {
            // A session that is over already is what was wanted.
            Ok(()) | Err(UnitError::Guard(_)) => Ok(()),
            Err(UnitError::Store(error)) => Err(away(tenant, error)),
        }
    }
}

fn away(tenant: &TenantSnapshot, error: StoreError) -> Reply {
    error_page(503, Some(tenant), Stop::from(error).refusal.public, None, None)
}

/// `agreed`: by a hint or a pressed button of ours. Without, the address is offered, not followed.
fn done(tenant: &TenantSnapshot, request: &LogoutRequest, agreed: bool) -> Reply {
    match &request.return_to {
        Some(location) if agreed => Reply::redirect(location),
        return_to => Reply::page(Page::LoggedOut(LoggedOutPage {
            tenant: tenant.view.display_name.clone(),
            not_told: Vec::new(),
            way_back: return_to.as_ref().map(|href| WayBack {
                label: request.app.as_ref().map_or_else(|| "Back".to_owned(), |app| format!("Back to {app}")),
                href: href.clone(),
            }),
        })),
    }
}

/// Compares in a time that depends on the length alone.
fn same(a: &str, b: &str) -> bool {
    a.len() == b.len() && a.bytes().zip(b.bytes()).fold(0, |acc, (x, y)| acc | (x ^ y)) == 0
}
