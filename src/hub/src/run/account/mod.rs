//! The account of a person: what is theirs, and how they end it.

mod act;
mod page;

use std::sync::Arc;

use fedbridge_contract::downstream::{ConnectionHints, RefusalKind};
use fedbridge_contract::http::{HttpInput, Reply};
use fedbridge_contract::trace::TraceLog;

use super::Hub;
use super::ending::Stop;
use super::record::Purpose;
use super::session::LiveSession;
use super::snapshot::TenantSnapshot;
use super::start::Login;

pub(super) use act::account_of;

impl Hub {
    /// `GET {issuer}/account`: the page, or a login before it. `connection=` says which one.
    pub(super) async fn account(&self, tenant: Arc<TenantSnapshot>, input: &HttpInput) -> Reply {
        let now = self.services.clock.now();
        let login = Login::of(Arc::clone(&tenant), now, input.peer, self.new_trace_id(), TraceLog::new());
        let mut login = Login { purpose: Purpose::Account, kind: "account", ..login };
        let params = input.query_params();
        let param = |name: &str| params.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        login.wish.ui_locales = param("ui_locales");
        match self.at_home(&login, input).await {
            Ok(Some(live)) => match self.account_page(&login, &live, input).await {
                Ok(page) => page,
                Err(error) => self.stop(login, error.into(), None, None).await,
            },
            Ok(None) => {
                let hints = ConnectionHints { connection: param("connection"), ..ConnectionHints::default() };
                self.start(Login { kind: "login", ..login }, &hints, false, input).await
            }
            Err(stop) => self.stop(login, stop, None, None).await,
        }
    }

    /// The session of this browser, where its person may do something with it.
    pub(super) async fn at_home(&self, login: &Login, input: &HttpInput) -> Result<Option<LiveSession>, Stop> {
        let tenant = &login.tenant;
        let Some(live) = self.live_session(tenant.view.id, input, login.started).await? else { return Ok(None) };
        if live.stored.person_disabled || !tenant.view.enabled {
            let public = "Your account is switched off.";
            return Err(Stop::new(RefusalKind::AccessDenied, public, "the person or the tenant is disabled"));
        }
        // Who came by a connection that is switched off now connects no further login, and is shown nothing.
        let connection = tenant.view.connection_by_id(live.stored.connection);
        Ok(Some(live).filter(|_| connection.is_some_and(|connection| connection.enabled)))
    }
}
