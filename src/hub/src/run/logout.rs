//! RP-initiated logout (OpenID Connect RP-Initiated Logout 1.0): the session of
//! this browser ends, and with it the grants that need one.

use std::sync::Arc;

use fedbridge_contract::downstream::{LOGOUT_CONFIRMATION, LogoutRequest};
use fedbridge_contract::http::{HttpInput, Reply};
use fedbridge_contract::ids::SessionId;
use fedbridge_contract::page::{ConfirmLogoutPage, LoggedOutPage, Page, WayBack};

use super::session::{LiveSession, end_session_cookie, session_cookie_name};
use super::snapshot::TenantSnapshot;
use super::{Hub, error_page, unavailable};
use crate::ports::{Command, Unit, UnitError};

impl Hub {
    pub(super) async fn logout(&self, tenant: Arc<TenantSnapshot>, request: LogoutRequest, input: &HttpInput) -> Reply {
        let now = self.services.clock.now();
        let id = tenant.view.id;
        let live = match self.live_session(id, input, now).await {
            Ok(live) => live,
            Err(_) => return error_page(503, Some(&tenant), unavailable().public, None, None),
        };
        let Some(live) = live else {
            // The browser is logged out already. The app's own session may still be one of ours.
            let hinted = request.hint.as_ref().and_then(|hint| hint.session);
            if let Some(session) = hinted
                && let Err(reply) = self.end(&tenant, session).await
            {
                return reply;
            }
            return done(&tenant, &request);
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
            Ok(()) => done(&tenant, &request).with_cookie(end_session_cookie(id)),
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

    async fn end(&self, tenant: &TenantSnapshot, session: SessionId) -> Result<(), Reply> {
        let unit = Unit { commands: vec![Command::EndSession(session)], now: self.services.clock.now() };
        match self.store.commit(tenant.view.id, unit).await {
            // A session that is over already is what was wanted.
            Ok(()) | Err(UnitError::Guard(_)) => Ok(()),
            Err(UnitError::Store(_)) => Err(error_page(503, Some(tenant), unavailable().public, None, None)),
        }
    }
}

fn done(tenant: &TenantSnapshot, request: &LogoutRequest) -> Reply {
    let hinted = request.hint.is_some() || request.confirmation.is_some();
    match &request.return_to {
        // Without a hint and without a pressed button the address is offered, not followed.
        Some(location) if hinted => Reply::redirect(location),
        return_to => Reply::page(Page::LoggedOut(LoggedOutPage {
            tenant: tenant.view.display_name.clone(),
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
