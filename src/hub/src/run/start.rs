//! From an app's login request to the upstream, or straight to the answer where
//! the browser has a session that will do.

use std::net::IpAddr;
use std::sync::Arc;

use fedbridge_contract::config::Locale;
use fedbridge_contract::downstream::{ConnectionHints, LoginRequest, RefusalKind};
use fedbridge_contract::http::{HttpInput, Reply, ReplyKind};
use fedbridge_contract::ids::{TenantId, TraceId, TransactionId};
use fedbridge_contract::logout::Party;
use fedbridge_contract::page::{Choice as PageChoice, ChooserPage, Page};
use fedbridge_contract::services::random_text;
use fedbridge_contract::ticket::ticket;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::{Outcome, TraceLog};
use fedbridge_contract::upstream::{Begun, Challenge, LoginWish, Start, UpstreamLogin};
use serde::Serialize;

use super::choose::{Choice, choose};
use super::consent::Consented;
use super::ending::Stop;
use super::finish::{Basis, Who};
use super::record::{Asked, AskedOnce, Initiation, PriorSession, Purpose, TransactionRecord};
use super::session::{LiveSession, TRANSACTION, correlation_cookie, transaction_place};
use super::snapshot::{OpenApp, OpenConnection, TenantSnapshot};
use super::trace::Ending;
use super::{Hub, error_page};
use crate::ports::{Command, NewFactor, NewTransaction, Unit};

/// The code of an adapter that does not know its upstream's metadata yet.
const NOT_KNOWN_YET: &str = "temporarily_unavailable";

/// A login under way, from its first request to its answer.
pub(super) struct Login {
    pub tenant: Arc<TenantSnapshot>,
    pub app: Option<(Arc<OpenApp>, Asked)>,
    /// The app that is started afterwards, where no app asked.
    pub then: Option<Initiation>,
    pub purpose: Purpose,
    /// The person was asked, and agreed.
    pub consented: Option<Consented>,
    /// The person was asked, and is somebody else than the one who has their address.
    pub apart: bool,
    /// Second factors that were set up on the way, to be stored with the person.
    pub enrolled: Vec<NewFactor>,
    pub connection: Option<Arc<OpenConnection>>,
    pub wish: LoginWish,
    pub started: Timestamp,
    /// The browser's address.
    pub peer: IpAddr,
    /// One of [`TRACE_KINDS`](crate::ports::TRACE_KINDS).
    pub kind: &'static str,
    pub trace_id: TraceId,
    pub trace: TraceLog,
}

impl Login {
    /// A login of which nothing is known yet but where it comes from.
    pub fn of(
        tenant: Arc<TenantSnapshot>,
        started: Timestamp,
        peer: IpAddr,
        trace_id: TraceId,
        trace: TraceLog,
    ) -> Self {
        Self {
            tenant,
            app: None,
            then: None,
            purpose: Purpose::Login,
            consented: None,
            apart: false,
            enrolled: Vec::new(),
            connection: None,
            wish: LoginWish::default(),
            started,
            peer,
            kind: "login",
            trace_id,
            trace,
        }
    }

    /// What its pages speak, as the app asked.
    pub fn locale(&self) -> Option<Locale> {
        self.tenant.view.locale(self.wish.ui_locales.as_deref())
    }

    /// Where a person can choose another connection.
    pub fn again(&self) -> Option<&str> {
        self.app.as_ref().map(|(_, asked)| asked.again.as_str())
    }

    /// Where a person can start anew after a failure.
    pub fn retry(&self) -> Option<&str> {
        self.app.as_ref().and_then(|(_, asked)| asked.retry.as_deref())
    }

    /// What the end of this login uses up of the app's request. A second call gives nothing.
    pub fn spend(&mut self) -> Vec<Command> {
        let asked = self.app.as_mut().map(|(_, asked)| std::mem::take(&mut asked.once)).unwrap_or_default();
        asked.into_iter().map(spent).collect()
    }
}

impl Hub {
    /// An app asks for a login.
    pub(super) async fn start_for_app(
        &self,
        tenant: Arc<TenantSnapshot>,
        request: LoginRequest,
        input: &HttpInput,
        trace_id: TraceId,
        trace: TraceLog,
    ) -> Reply {
        let now = self.services.clock.now();
        let Some(app) = tenant.apps.get(&request.app).cloned() else {
            return error_page(400, Some(&tenant), "This application is not known here.", Some(trace_id), None);
        };
        let asked = Asked {
            app: request.app,
            scope: request.scope,
            requested_claims: request.requested_claims,
            expected_sub: request.expected_sub,
            consent: request.consent,
            again: request.again,
            retry: request.retry,
            once: request.once.into_iter().map(AskedOnce::from).collect(),
            continuation: request.continuation,
        };
        let login = Login {
            app: Some((app, asked)),
            wish: request.wish,
            ..Login::of(tenant, now, input.peer, trace_id, trace)
        };
        self.start(login, &request.hints, request.choose, input).await
    }

    /// Somebody opened a connection's own address: a login that no app asked for.
    pub(super) async fn start_at_connection(
        &self,
        tenant: Arc<TenantSnapshot>,
        connection: &OpenConnection,
        then: Option<Initiation>,
        wish: LoginWish,
        input: &HttpInput,
        trace: TraceLog,
    ) -> Reply {
        let hints = ConnectionHints { connection: Some(connection.view.slug.clone()), ..ConnectionHints::default() };
        let now = self.services.clock.now();
        let login = Login { then, wish, ..Login::of(tenant, now, input.peer, self.new_trace_id(), trace) };
        self.start(login, &hints, false, input).await
    }

    pub(super) async fn start(&self, mut login: Login, hints: &ConnectionHints, ask: bool, input: &HttpInput) -> Reply {
        let session = match self.live_session(login.tenant.view.id, input, login.started).await {
            Ok(session) => session,
            Err(error) => return self.stop(login, error.into(), None, None).await,
        };
        let prior = session.as_ref().map(LiveSession::prior);
        if let Some(live) = session
            && !ask
            && let Some(connection) = usable(&mut login, &live, hints)
        {
            login.connection = Some(Arc::clone(&connection));
            let basis = Basis::Session { stored: live.stored, as_of: live.as_of };
            let who = Who { record: live.record, once: Vec::new(), tokens: None };
            return self.finish(login, connection, who, basis).await;
        }
        let app = login.app.as_ref().map(|(open, _)| Arc::clone(open));
        let tenant = Arc::clone(&login.tenant);
        match choose(&tenant, app.as_ref().map(|open| open.view.as_ref()), hints, ask, &mut login.trace) {
            Choice::Go(connection) => self.begin(login, connection, prior).await,
            Choice::Ask(_) if login.wish.passive => {
                let cause = "prompt=none, and a page would have to ask which connection";
                self.stop(login, Stop::new(RefusalKind::LoginRequired, "Nobody is logged in.", cause), None, None).await
            }
            Choice::Ask(connections) => chooser(&login, &connections),
            Choice::Refuse(sentence) => {
                let cause = login.trace.cause().unwrap_or_default();
                let reply = error_page(400, Some(&login.tenant), sentence, Some(login.trace_id), None);
                self.record(login, None, Ending { outcome: Outcome::Refused, cause, person: None });
                reply
            }
        }
    }

    /// Sends the browser to the upstream, or to our own page where the upstream is asked with a password.
    pub(super) async fn begin(
        &self,
        mut login: Login,
        connection: Arc<OpenConnection>,
        session: Option<PriorSession>,
    ) -> Reply {
        if connection.state.as_ref().is_ok_and(|ready| ready.adapter.password.is_some()) {
            return self.ask_for_password(login, connection, session).await;
        }
        login.connection = Some(Arc::clone(&connection));
        let id = TransactionId::at(login.started, self.services.rng.as_ref());
        let handle = ticket(id.uuid(), self.services.rng.as_ref());
        let begun = match self.begun(&mut login, &connection, &handle).await {
            Ok(begun) => begun,
            Err(stop) => return self.stop(login, stop, None, None).await,
        };
        let tenant = login.tenant.view.id;
        let (secret, browser) = self.new_correlation(tenant);
        let mut record = TransactionRecord {
            connection: connection.view.id,
            app: login.app.as_ref().map(|(_, asked)| asked.clone()),
            then: login.then.clone(),
            purpose: login.purpose,
            wish: login.wish.clone(),
            browser,
            session,
            question: None,
            state: begun.state,
            started: login.started,
            trace: login.trace_id,
            steps: std::mem::take(&mut login.trace),
        };
        let open = self.open_transaction(tenant, id, &handle, login.started + TRANSACTION, &record);
        login.trace = std::mem::take(&mut record.steps); // For the record of a login that ends here.
        let open = match open {
            Ok(open) => open,
            Err(stop) => return self.stop(login, stop, None, None).await,
        };
        if let Err(error) = self.store.commit(tenant, Unit { commands: vec![open], now: login.started }).await {
            return self.stop(login, Stop::unavailable(error.to_string()), None, None).await;
        }
        let kind = match begun.challenge {
            Challenge::Redirect(location) => ReplyKind::Redirect(location),
            Challenge::AutoPost { action, fields } => ReplyKind::AutoPost { action, fields },
        };
        Reply::from(kind).with_cookie(correlation_cookie(tenant, &handle, secret))
    }
}

impl Hub {
    /// Has the adapter make the request. Where it does not know its upstream yet, a look at the upstream's metadata
    /// may help, once.
    async fn begun(&self, login: &mut Login, connection: &Arc<OpenConnection>, handle: &str) -> Result<Begun, Stop> {
        let connection = &self.confirmed(login, connection).await?;
        let tenant = Arc::clone(&login.tenant);
        let (wish, now) = (login.wish.clone(), login.started);
        let start = || Start { tenant: &tenant.view, handle, wish: &wish, now };
        match login_adapter(connection)?.begin(start(), &mut login.trace).await {
            Err(error) if error.code == NOT_KNOWN_YET => {
                let because = "it was not read yet";
                let renewed = self.looked_again(login, connection, because).await;
                let renewed = renewed.ok_or_else(|| Stop::unavailable(error.cause))?;
                let begun = login_adapter(&renewed)?.begin(start(), &mut login.trace).await;
                begun.map_err(|error| Stop::unavailable(error.cause))
            }
            begun => begun.map_err(|error| Stop::broken(error.cause)),
        }
    }

    /// The connection, where its upstream's metadata may still be used. Of one that nobody could look at for too long
    /// nobody knows whether its addresses are the upstream's yet; one more look may help.
    pub(super) async fn confirmed(
        &self,
        login: &mut Login,
        connection: &Arc<OpenConnection>,
    ) -> Result<Arc<OpenConnection>, Stop> {
        let (tenant, party) = (login.tenant.view.id, Party::Connection(connection.view.id));
        if self.snapshots.lapsed(tenant, party).is_none() {
            return Ok(Arc::clone(connection));
        }
        let because = "it could not be confirmed for too long";
        let renewed = self.looked_again(login, connection, because).await;
        match self.snapshots.lapsed(tenant, party) {
            None => Ok(renewed.unwrap_or_else(|| Arc::clone(connection))),
            Some(last) => Err(Stop::unavailable(lapsed(last))),
        }
    }

    /// A secret for the cookie of a login under way, with the hash that is kept of it.
    pub(super) fn new_correlation(&self, tenant: TenantId) -> (String, [u8; 32]) {
        let secret = random_text::<32>(self.services.rng.as_ref());
        let browser = self.services.tokens.mac(tenant, "correlation cookie", secret.as_bytes());
        (secret, browser)
    }

    /// The command that stores a transaction under its handle.
    pub(super) fn open_transaction<T: Serialize>(
        &self,
        tenant: TenantId,
        id: TransactionId,
        handle: &str,
        expires: Timestamp,
        record: &T,
    ) -> Result<Command, Stop> {
        let plain = serde_json::to_vec(record)
            .map_err(|error| Stop::broken(format!("the transaction can't be written: {error}")))?;
        Ok(Command::OpenTransaction(NewTransaction {
            id,
            handle_hash: self.services.tokens.mac(tenant, "transaction handle", handle.as_bytes()),
            expires,
            sealed: self.sealer.seal(&transaction_place(tenant, id), &plain),
        }))
    }
}

/// Why metadata can't be used that was last confirmed at this time.
pub(super) fn lapsed(last: Timestamp) -> String {
    let last = last.rfc3339_seconds();
    format!("the upstream's metadata was last confirmed at {last}, and every look since then has failed")
}

/// The login side of a connection, or why it can't be used.
fn login_adapter(connection: &OpenConnection) -> Result<&dyn UpstreamLogin, Stop> {
    match &connection.state {
        Ok(ready) => ready.adapter.login.as_deref().ok_or_else(|| Stop::broken("the adapter offers no login")),
        Err(complaints) => Err(Stop::broken(complaints.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))),
    }
}

/// The command that uses a key up.
pub(super) fn spent(once: AskedOnce) -> Command {
    Command::Once { purpose: once.purpose, key: once.key, expires: once.expires }
}

/// Whether a session answers this request without asking the upstream again.
fn usable(login: &mut Login, live: &LiveSession, hints: &ConnectionHints) -> Option<Arc<OpenConnection>> {
    let connection = login.tenant.connections.get(&live.stored.connection).cloned();
    let authn = &live.record.authn;
    let age = login.started.since(authn.auth_time).as_secs();
    let app = login.app.as_ref().map(|(open, _)| Arc::clone(open));
    let no = if login.wish.force_authn {
        Some("a fresh authentication is asked for".to_owned())
    } else if login.wish.max_age.is_some_and(|limit| age > limit) {
        Some(format!("its authentication is {age} s old, and max_age is {}", login.wish.max_age.unwrap_or_default()))
    } else if login.wish.max_age.is_some() && !authn.auth_time_said {
        Some("its authentication is of unknown age, and max_age is asked for".to_owned())
    } else if live.stored.person_disabled {
        Some("its person is disabled".to_owned())
    } else if connection.as_ref().is_none_or(|open| !open.view.enabled) {
        Some("its connection is disabled or gone".to_owned())
    } else if app.as_ref().is_some_and(|open| !open.view.allows(live.stored.connection)) {
        Some("this app may not use its connection".to_owned())
    } else if let (Some(wanted), Some(open)) = (&hints.connection, &connection)
        && open.view.slug != *wanted
    {
        Some(format!("it is of connection `{}`, and `{wanted}` is asked for", open.view.slug))
    } else if !login.wish.acr_values.is_empty()
        && !live.record.authn.acr.as_ref().is_some_and(|acr| login.wish.acr_values.contains(acr))
    {
        Some("its authentication context is none of those asked for".to_owned())
    } else {
        None
    };
    match no {
        Some(why) => {
            login.trace.push(fedbridge_contract::trace::Step::Decision {
                what: "session".into(),
                outcome: format!("the browser has one, not used: {why}"),
                allowed: true,
            });
            None
        }
        None => {
            login.trace.decide("session", "the browser has one, and it will do", true);
            connection
        }
    }
}

fn chooser(login: &Login, connections: &[Arc<OpenConnection>]) -> Reply {
    let account = format!("{}/account", login.tenant.view.issuer);
    let again = login.again().unwrap_or(&account);
    let joint = if again.contains('?') { '&' } else { '?' };
    let choices = connections
        .iter()
        .map(|open| PageChoice {
            name: open.view.display_name.clone(),
            protocol: open.view.protocol.clone(),
            href: format!("{again}{joint}connection={}", open.view.slug),
        })
        .collect();
    let page = Reply::page(Page::Chooser(ChooserPage {
        tenant: login.tenant.view.display_name.clone(),
        app: login.app.as_ref().map(|(open, _)| open.view.display_name.clone()),
        choices,
    }));
    page.in_language(login.locale())
}
