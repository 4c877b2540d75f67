//! Logins that begin at the upstream (SAML profiles 4.1.5), where a connection allows them.
//!
//! Such an answer has no request of ours, so nothing ties it to this browser: whoever gets
//! somebody to send it logs them in as somebody else. So by default it is thrown
//! away unread and a login of our own starts. Where the admin wants it accepted, it starts a
//! session only in a browser in which nobody else is logged in.

use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::downstream::RefusalKind;
use fedbridge_contract::http::{HttpInput, Reply};
use fedbridge_contract::ids::{ConnectionId, TraceId};
use fedbridge_contract::services::random_text;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use fedbridge_contract::upstream::{UnsolicitedMode, UnsolicitedPolicy, UpstreamLogin};
use serde::{Deserialize, Serialize};

use super::ending::Stop;
use super::finish::{Basis, Who, lost};
use super::record::{AskedOnce, Initiation, PriorSession, SessionRecord};
use super::snapshot::{OpenConnection, TenantSnapshot};
use super::start::{Login, spent};
use super::{Hub, error_page};
use crate::ports::Unit;

/// The parameter of a connection's start address that takes an accepted answer up.
const PARAMETER: &str = "unsolicited";

/// Handles of accepted answers.
const PURPOSE: &str = "unsolicited login";

/// How long the browser has to follow one redirect.
const PARKED: Duration = Duration::from_secs(60);

/// An answer that was verified, and waits for the browser to come back with its session cookie: a
/// cross-site POST brings none.
#[derive(Serialize, Deserialize)]
struct Parked {
    connection: ConnectionId,
    then: Initiation,
    record: SessionRecord,
    started: Timestamp,
    trace: TraceId,
    steps: TraceLog,
}

impl Hub {
    pub(super) async fn unsolicited(
        &self,
        mut login: Login,
        adapter: &dyn UpstreamLogin,
        policy: &UnsolicitedPolicy,
        target: Option<&str>,
        connection: Arc<OpenConnection>,
        input: &HttpInput,
    ) -> Reply {
        let then = match self.destination(&mut login, policy, target, &connection).await {
            Ok(then) => then,
            Err(stop) => return self.stop(login, stop, None, None).await,
        };
        match policy.mode {
            UnsolicitedMode::Bounce => {
                let outcome = "an unsolicited answer: thrown away unread, and a login of our own starts";
                login.trace.decide("mode", outcome, true);
                let Login { tenant, trace, .. } = login;
                let wish = adapter.wish(input);
                self.start_at_connection(tenant, &connection, Some(then), wish, input, trace).await
            }
            UnsolicitedMode::Accept => match self.verify_unsolicited(&mut login, adapter, &connection, input).await {
                Ok(who) => self.park(login, &connection, then, who).await,
                Err(stop) => self.stop(login, stop, None, None).await,
            },
        }
    }

    /// The app that is started. All that must be enabled is looked at before anything is read.
    async fn destination(
        &self,
        login: &mut Login,
        policy: &UnsolicitedPolicy,
        target: Option<&str>,
        connection: &OpenConnection,
    ) -> Result<Initiation, Stop> {
        let tenant = Arc::clone(&login.tenant);
        let (kind, name) = &policy.app;
        let Some(app) = tenant.view.app(*kind, name) else {
            return Err(Stop::broken(format!("the connection starts `{name}`, and there is no such app")));
        };
        if let Err(refusal) = self.gate.login(&tenant.view, Some(app), &connection.view).await {
            login.trace.decide("gate", refusal.to_string(), false);
            return Err(refusal.into());
        }
        let allowed = target.filter(|target| policy.targets.iter().any(|listed| listed == target));
        let outcome = match (target, allowed) {
            (None, _) => "none is named".to_owned(),
            (Some(target), Some(_)) => format!("{target}, which is on the connection's list"),
            (Some(target), None) => format!("{target} is not on the connection's list: the app starts without it"),
        };
        login.trace.decide("target", outcome, true);
        let then = Initiation { app: app.id, target: allowed.map(str::to_owned) };
        self.initiated(login, &then)?;
        Ok(then)
    }

    /// Where the app starts a login by itself.
    pub(super) fn initiated(&self, login: &Login, then: &Initiation) -> Result<String, Stop> {
        let tenant = &login.tenant.view;
        let app = tenant.app_by_id(then.app).filter(|app| app.enabled);
        let address = app.and_then(|app| self.downstream(app.kind)?.initiate(tenant, app, then.target.as_deref()));
        address.ok_or_else(|| Stop::broken("the app is gone, disabled, or has no address at which it starts a login"))
    }

    /// Uses the answer up, and lets the browser come back by GET, which brings its session cookie.
    async fn park(&self, mut login: Login, connection: &OpenConnection, then: Initiation, who: Who) -> Reply {
        let tenant = Arc::clone(&login.tenant);
        let now = self.services.clock.now();
        let commands = who.once.into_iter().map(AskedOnce::from).map(spent).collect();
        if let Err(error) = self.store.commit(tenant.view.id, Unit { commands, now }).await {
            let stop = lost(&mut login, error);
            return self.stop(login, stop, None, None).await;
        }
        let handle = random_text::<32>(self.services.rng.as_ref());
        let parked = Parked {
            connection: connection.view.id,
            then,
            record: who.record,
            started: login.started,
            trace: login.trace_id,
            steps: login.trace.clone(),
        };
        let kept = match serde_json::to_vec(&parked) {
            Ok(value) => self.services.handles.put(tenant.view.id, PURPOSE, &handle, &value, now + PARKED).await,
            Err(error) => {
                let stop = Stop::unavailable(format!("the answer can't be written: {error}"));
                return self.stop(login, stop, None, None).await;
            }
        };
        match kept {
            Ok(()) => {
                let (issuer, slug) = (&tenant.view.issuer, &connection.view.slug);
                Reply::redirect(format!("{issuer}/connections/{slug}/login?{PARAMETER}={handle}"))
            }
            Err(error) => self.stop(login, error.into(), None, None).await,
        }
    }

    /// The handle of an accepted answer in a request to the connection's start address.
    pub(super) fn parked_handle(input: &HttpInput) -> Option<String> {
        input.query_params().into_iter().find(|(name, _)| name == PARAMETER).map(|(_, handle)| handle)
    }

    /// The browser is back: the accepted answer becomes a session, unless somebody else has one here.
    pub(super) async fn take_up(
        &self,
        tenant: Arc<TenantSnapshot>,
        connection: Arc<OpenConnection>,
        handle: &str,
        input: &HttpInput,
    ) -> Reply {
        let now = self.services.clock.now();
        let id = tenant.view.id;
        let taken = match self.services.handles.take(id, PURPOSE, handle, now).await {
            Ok(value) => value.and_then(|value| serde_json::from_slice::<Parked>(&value).ok()),
            Err(error) => return error_page(503, Some(&tenant), Stop::from(error).refusal.public, None, None),
        };
        let Some(parked) = taken.filter(|parked| parked.connection == connection.view.id) else {
            let sentence = "This login was used before, or took too long. Please start again.";
            return error_page(400, Some(&tenant), sentence, None, None);
        };
        let login = Login {
            then: Some(parked.then),
            connection: Some(Arc::clone(&connection)),
            ..Login::of(tenant, parked.started, input.peer, parked.trace, parked.steps)
        };
        let who = Who { record: parked.record, once: Vec::new(), tokens: None };
        match self.undisturbed(&login, &connection, &who, input, now).await {
            Ok(prior) => {
                let basis = Basis::Fresh { transaction: None, prior };
                self.finish(login, connection, who, basis).await
            }
            Err(stop) => self.stop(login, stop, None, None).await,
        }
    }

    /// The session of this browser, where it is of the same person.
    async fn undisturbed(
        &self,
        login: &Login,
        connection: &OpenConnection,
        who: &Who,
        input: &HttpInput,
        now: Timestamp,
    ) -> Result<Option<PriorSession>, Stop> {
        let tenant = login.tenant.view.id;
        let Some(live) = self.live_session(tenant, input, now).await? else { return Ok(None) };
        let linked = self.store.linked_person(tenant, connection.view.id, &who.record.subject.key).await?;
        if linked.is_none_or(|linked| linked.person != live.stored.person) {
            let public = "Somebody else is logged in here. Log out first, then start again.";
            let cause = "an unsolicited answer never replaces the session of another person";
            return Err(Stop::new(RefusalKind::AccessDenied, public, cause));
        }
        Ok(Some(live.prior()))
    }
}
