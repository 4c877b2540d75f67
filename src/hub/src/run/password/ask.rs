//! The page on which a name and a password are typed.

use std::sync::Arc;

use fedbridge_contract::downstream::RefusalKind;
use fedbridge_contract::http::Reply;
use fedbridge_contract::page::{Page, PasswordPage, WayBack};
use fedbridge_contract::password::NameIs;

use super::Typing;
use crate::ports::Unit;
use crate::run::Hub;
use crate::run::ending::Stop;
use crate::run::record::{PriorSession, Purpose};
use crate::run::snapshot::OpenConnection;
use crate::run::start::Login;

/// What a page says besides its form.
#[derive(Default)]
pub(super) struct Shown {
    /// What stands in the field of the name.
    pub name: String,
    pub complaint: Option<String>,
}

impl Hub {
    /// Opens a transaction, and asks.
    pub(in crate::run) async fn ask_for_password(
        &self,
        mut login: Login,
        connection: Arc<OpenConnection>,
        session: Option<PriorSession>,
    ) -> Reply {
        login.connection = Some(Arc::clone(&connection));
        if login.wish.passive {
            let cause = "prompt=none, and a page would have to ask for the password";
            let stop = Stop::new(RefusalKind::LoginRequired, "Nobody is logged in.", cause);
            return self.stop(login, stop, None, None).await;
        }
        let app = login.app.as_ref().map(|(open, _)| open.view.as_ref());
        if let Err(refusal) = self.gate.login(&login.tenant.view, app, &connection.view).await {
            login.trace.decide("gate", refusal.to_string(), false);
            return self.stop(login, refusal.into(), None, None).await;
        }
        login.trace.decide("password", "a page of ours asks for it", true);
        let state = Typing { purpose: login.purpose };
        let waiting = match self.waiting(&login, &connection, session, Purpose::Password, &state) {
            Ok(waiting) => waiting,
            Err(stop) => return self.stop(login, stop, None, None).await,
        };
        let unit = Unit { commands: vec![waiting.open], now: login.started };
        if let Err(error) = self.store.commit(login.tenant.view.id, unit).await {
            return self.stop(login, Stop::unavailable(error.to_string()), None, None).await;
        }
        let name = login.wish.login_hint.clone().unwrap_or_default();
        let shown = Shown { name, complaint: None };
        self.password_page(&login, &connection, &waiting.handle, shown).with_cookie(waiting.cookie)
    }

    pub(super) fn password_page(
        &self,
        login: &Login,
        connection: &OpenConnection,
        handle: &str,
        shown: Shown,
    ) -> Reply {
        let side = connection.state.as_ref().ok().and_then(|ready| ready.adapter.password.as_deref());
        let page = PasswordPage {
            tenant: login.tenant.view.display_name.clone(),
            app: login.app.as_ref().map(|(open, _)| open.view.display_name.clone()),
            connection: connection.view.display_name.clone(),
            name_is: side.map_or(NameIs::UserName, |side| side.name_is()),
            name: shown.name,
            complaint: shown.complaint,
            onward: self.onward(login),
            form: self.waiting_form(login, "password", handle),
            other: other_way(login),
        };
        Reply::page(Page::Password(Box::new(page))).in_language(login.locale())
    }
}

/// The app's own request once more, where there is more than one way to answer it.
fn other_way(login: &Login) -> Option<WayBack> {
    let (app, asked) = login.app.as_ref()?;
    let usable = login
        .tenant
        .connections
        .values()
        .filter(|open| open.can_log_in && open.view.enabled && app.view.allows(open.view.id));
    let href = asked.again.clone();
    (usable.count() > 1).then(|| WayBack { label: "Log in another way".into(), href })
}
