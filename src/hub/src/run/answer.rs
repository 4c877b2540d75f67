//! An upstream's answer comes in: find the login it belongs to, check that the
//! browser is the one that started it, and let the adapter verify it.
//!
//! Whatever the adapter then says, the login is over: it is finished in the store
//! and recorded once, under the id that its pages show.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use fedbridge_contract::downstream::{Refusal, RefusalKind};
use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::http::{HttpInput, Reply};
use fedbridge_contract::identity::AuthenticatedIdentity;
use fedbridge_contract::ids::TransactionId;
use fedbridge_contract::logout::Party;
use fedbridge_contract::proof::Minter;
use fedbridge_contract::services::Gate as _;
use fedbridge_contract::ticket;
use fedbridge_contract::trace::TraceLog;
use fedbridge_contract::upstream::{
    Answer, Correlation, LoginOutcome, UnsolicitedAnswer, UpstreamLogin, UpstreamRefusal, UpstreamRefusalKind,
};

use super::ending::Stop;
use super::finish::{Basis, Who};
use super::record::{Purpose, SessionRecord, TransactionRecord};
use super::session::{correlation_cookie, correlation_cookie_name, transaction_place};
use super::snapshot::{OpenConnection, TenantSnapshot};
use super::start::Login;
use super::{Hub, Refreshed};

/// How long a login waits for the upstream's metadata to be fetched again.
const LOOK: Duration = Duration::from_secs(3);

/// What says that an answer belongs to a login of this browser.
const CORRELATION: &str = "SAML profiles 4.1.4.3, RFC 6749 10.12";

/// Why the upstream's metadata is looked at again.
const KEY_UNKNOWN: &str = "the key is unknown";

/// The login that an answer belongs to.
pub(super) struct Found {
    pub id: TransactionId,
    pub handle: String,
    pub record: TransactionRecord,
}

impl Hub {
    pub(super) async fn answer(
        &self,
        tenant: Arc<TenantSnapshot>,
        connection: Arc<OpenConnection>,
        input: &HttpInput,
    ) -> Reply {
        let now = self.services.clock.now();
        let mut login = Login {
            connection: Some(Arc::clone(&connection)),
            ..Login::of(tenant, now, input.peer, self.new_trace_id(), TraceLog::new())
        };
        let Some(adapter) = login_side(&connection) else {
            return self.stop(login, Stop::broken("the connection can't be used"), None, None).await;
        };
        let correlation = adapter.correlate(input);
        if let (Correlation::Unsolicited { target }, Some(policy)) = (&correlation, adapter.unsolicited()) {
            return self.unsolicited(login, adapter, policy, target.as_deref(), Arc::clone(&connection), input).await;
        }
        match self.correlate(&mut login, correlation, &connection, input).await {
            Ok(found) => self.complete(login, &connection, input, found).await,
            // Not known to be of this browser: an event of its own, and the login may still end well.
            Err(stop) => self.stop(login, stop, None, None).await,
        }
    }

    /// Finds the login under way, and checks connection and browser. Only then the login is taken up.
    async fn correlate(
        &self,
        login: &mut Login,
        correlation: Correlation,
        connection: &OpenConnection,
        input: &HttpInput,
    ) -> Result<Found, Stop> {
        let expected = "the handle of a login under way";
        let handle = match correlation {
            Correlation::Handle(handle) => handle,
            Correlation::Unsolicited { .. } => {
                let actual = "none: an unsolicited answer, which this connection does not allow";
                login.trace.check("answers one of our requests", CORRELATION, expected, actual, false);
                return Err(Stop::not_accepted("unsolicited answer"));
            }
            Correlation::Malformed(why) => {
                login.trace.check("the message can be read", "", "a form post of the upstream", why.clone(), false);
                return Err(Stop::not_accepted(why));
            }
        };
        let found = self.login_under_way(login, &handle).await?;
        let found = found.filter(|found| found.record.purpose.waits_for_upstream());
        let Some(mut found) = found else {
            let actual = "a handle that is unknown, used before, or older than 10 minutes";
            login.trace.check("answers one of our requests", CORRELATION, expected, actual, false);
            return Err(Stop::not_accepted("no login under way has this handle"));
        };
        let tenant = Arc::clone(&login.tenant);
        let name = |id| tenant.view.connection_by_id(id).map_or("gone", |view| view.slug.as_str());
        let asked = name(found.record.connection);
        let same = found.record.connection == connection.view.id;
        let slug = connection.view.slug.clone();
        if !login.trace.check("the connection that was asked", CORRELATION, asked, slug, same) {
            return Err(Stop::not_accepted("the answer came to another connection's address"));
        }
        self.same_browser(login, &found, input)?;
        login.resume(&mut found.record);
        Ok(found)
    }

    /// The login under way that a handle names.
    pub(super) async fn login_under_way(&self, login: &Login, handle: &str) -> Result<Option<Found>, Stop> {
        let tenant = login.tenant.view.id;
        let Some(id) = ticket::id_of(handle).map(TransactionId::from_uuid) else { return Ok(None) };
        let handle_hash = self.services.tokens.mac(tenant, "transaction handle", handle.as_bytes());
        let Some(sealed) = self.store.transaction(tenant, id, &handle_hash, login.started).await? else {
            return Ok(None);
        };
        let plain = self.sealer.open(&transaction_place(tenant, id), &sealed).ok();
        let record = plain.and_then(|plain| serde_json::from_slice(&plain).ok());
        Ok(record.map(|record| Found { id, handle: handle.to_owned(), record }))
    }

    /// Whoever goes on with a login must be the browser that began it.
    pub(super) fn same_browser(&self, login: &mut Login, found: &Found, input: &HttpInput) -> Result<(), Stop> {
        let tenant = login.tenant.view.id;
        let cookie = input.cookie(&correlation_cookie_name(tenant, &found.handle)).unwrap_or_default();
        let browser = self.services.tokens.mac(tenant, "correlation cookie", cookie.as_bytes());
        let same = !cookie.is_empty() && browser == found.record.browser;
        let actual = match (same, cookie.is_empty()) {
            (true, _) => "it",
            (false, true) => "no correlation cookie",
            (false, false) => "another correlation cookie",
        };
        let what = "the browser that started this login";
        if login.trace.check(what, CORRELATION, "its correlation cookie", actual, same) {
            Ok(())
        } else {
            Err(Stop::not_accepted("the answer came from another browser"))
        }
    }

    /// The adapter verifies the answer; the login ends, whichever way.
    async fn complete(
        &self,
        mut login: Login,
        connection: &Arc<OpenConnection>,
        input: &HttpInput,
        found: Found,
    ) -> Reply {
        let Found { id, handle, record } = found;
        let tenant = Arc::clone(&login.tenant);
        let removal = correlation_cookie(tenant.view.id, &handle, String::new());
        if record.app.is_some() && login.app.is_none() {
            login.trace.decide("app", "it was deleted while the person logged in", false);
            return self.give_up(login, id, Stop::not_accepted("the app is gone")).await.with_cookie(removal);
        }
        // The adapter may send a code and the client's credentials to addresses from the metadata.
        let mut connection = match self.confirmed(&mut login, connection).await {
            Ok(connection) => connection,
            Err(stop) => return self.give_up(login, id, stop).await.with_cookie(removal),
        };
        let Some(adapter) = login_side(&connection) else {
            let stop = Stop::broken("the connection can't be used");
            return self.give_up(login, id, stop).await.with_cookie(removal);
        };
        let of = connection.view.id;
        let minter = || Minter::for_transaction(tenant.view.id, of, id);
        let fetched = OnceLock::new();
        // Before anything is verified, so that a kill meanwhile ends what comes of it.
        let as_of = self.gate.epoch();
        let answer = || Answer {
            tenant: &tenant.view,
            input,
            transaction: id,
            state: &record.state,
            wish: &record.wish,
            started: record.started,
            fetched: &fetched,
            now: self.services.clock.now(),
        };
        let mut outcome = adapter.complete(answer(), minter(), &mut login.trace).await;
        if matches!(outcome, LoginOutcome::KeyUnknown(_))
            && let Some(renewed) = self.looked_again(&mut login, &connection, KEY_UNKNOWN).await
        {
            if let Some(adapter) = login_side(&renewed) {
                outcome = adapter.complete(answer(), minter(), &mut login.trace).await;
            }
            connection = renewed;
        }
        let basis = Basis::Fresh { transaction: Some(id), prior: record.session };
        self.verified(login, connection, outcome, (id, basis, as_of)).await.with_cookie(removal)
    }

    /// The login goes on with what came of the answer.
    async fn verified(
        &self,
        mut login: Login,
        connection: Arc<OpenConnection>,
        outcome: LoginOutcome,
        (id, basis, as_of): (TransactionId, Basis, Epoch),
    ) -> Reply {
        match outcome {
            LoginOutcome::Authenticated(identity) => {
                if !identity.proof.covers(login.tenant.view.id, connection.view.id, id) {
                    login.trace.decide("proof", "the identity was not verified in this transaction", false);
                    return self.give_up(login, id, Stop::not_accepted("proof of another transaction")).await;
                }
                let who = who(*identity, as_of);
                match login.purpose {
                    Purpose::Link { proof, secret } => {
                        self.identity_to_link(login, connection, who, basis, (proof, secret)).await
                    }
                    _ => self.finish(login, connection, who, basis).await,
                }
            }
            LoginOutcome::UpstreamRefused(refusal) => {
                let cause = format!("the upstream answered {}", refusal.upstream_code);
                self.give_up(login, id, Stop::because(upstream_refusal(&refusal), cause)).await
            }
            LoginOutcome::Rejected(error) | LoginOutcome::KeyUnknown(error) => {
                let cause = login.trace.cause().unwrap_or(error.cause);
                self.give_up(login, id, Stop::not_accepted(cause)).await
            }
        }
    }

    /// Verifies an answer that no request of ours asked for, and says who it is about.
    pub(super) async fn verify_unsolicited(
        &self,
        login: &mut Login,
        adapter: &dyn UpstreamLogin,
        connection: &Arc<OpenConnection>,
        input: &HttpInput,
    ) -> Result<Who, Stop> {
        let tenant = Arc::clone(&login.tenant);
        let id = TransactionId::at(login.started, self.services.rng.as_ref());
        let minter = || Minter::for_transaction(tenant.view.id, connection.view.id, id);
        let fetched = OnceLock::new();
        let as_of = self.gate.epoch();
        let answer = || UnsolicitedAnswer {
            tenant: &tenant.view,
            input,
            transaction: id,
            fetched: &fetched,
            now: self.services.clock.now(),
        };
        let mut outcome = adapter.complete_unsolicited(answer(), minter(), &mut login.trace).await;
        if matches!(outcome, LoginOutcome::KeyUnknown(_))
            && let Some(renewed) = self.looked_again(login, connection, KEY_UNKNOWN).await
            && let Some(adapter) = login_side(&renewed)
        {
            outcome = adapter.complete_unsolicited(answer(), minter(), &mut login.trace).await;
        }
        match outcome {
            LoginOutcome::Authenticated(identity) if identity.proof.covers(tenant.view.id, connection.view.id, id) => {
                Ok(who(*identity, as_of))
            }
            LoginOutcome::Authenticated(_) => {
                login.trace.decide("proof", "the identity was not verified for this answer", false);
                Err(Stop::not_accepted("proof of another answer"))
            }
            LoginOutcome::UpstreamRefused(refusal) => {
                let cause = format!("the upstream sent {} unasked", refusal.upstream_code);
                Err(Stop::not_accepted(cause))
            }
            LoginOutcome::Rejected(error) | LoginOutcome::KeyUnknown(error) => {
                Err(Stop::not_accepted(login.trace.cause().unwrap_or(error.cause)))
            }
        }
    }

    /// The upstream's metadata may have become another one since our last look, for example one that names a key
    /// which signs now. `None`: nothing new. Where somebody else has looked since this login took its snapshot,
    /// what he found is new to it too.
    pub(super) async fn looked_again(
        &self,
        login: &mut Login,
        connection: &Arc<OpenConnection>,
        because: &str,
    ) -> Option<Arc<OpenConnection>> {
        let tenant = &login.tenant.view;
        let look = self.refresher.refresh(tenant.id, Party::Connection(connection.view.id));
        let refreshed = tokio::time::timeout(LOOK, look).await;
        let current = self.tenant(&tenant.slug);
        let renewed = current.and_then(|tenant| tenant.connections.get(&connection.view.id).cloned());
        let renewed = renewed.filter(|renewed| !Arc::ptr_eq(renewed, connection));
        let outcome = match (refreshed, &renewed) {
            (Ok(Refreshed::Changed), _) => format!("fetched again because {because}, and it has changed"),
            (_, Some(_)) => format!("{because}, but newer metadata has come in force"),
            (Ok(Refreshed::Unchanged), None) => format!("fetched again because {because}, and nothing is new"),
            (Ok(Refreshed::Limited), None) => "not fetched again: that was done a short time ago".to_owned(),
            (Err(_), None) => format!("fetched again because {because}, and there was no answer in time"),
        };
        login.trace.decide("the upstream's metadata", outcome, true);
        renewed
    }

    /// Finishes a login in the store that has failed: it can't be answered a second time.
    pub(super) async fn give_up(&self, mut login: Login, transaction: TransactionId, stop: Stop) -> Reply {
        let stop = self.closed(&mut login, transaction, Vec::new(), stop).await;
        self.stop(login, stop, None, None).await
    }
}

fn login_side(connection: &OpenConnection) -> Option<&dyn UpstreamLogin> {
    connection.state.as_ref().ok().and_then(|ready| ready.adapter.login.as_deref())
}

/// `as_of`: the newest kill that was known before the identity was verified.
pub(super) fn who(identity: AuthenticatedIdentity, as_of: Epoch) -> Who {
    Who {
        record: SessionRecord {
            subject: identity.subject,
            attributes: identity.attributes,
            authn: identity.authn,
            upstream: identity.session,
            onward: identity.onward,
            epoch: as_of,
            also: Vec::new(),
        },
        once: identity.once,
        tokens: identity.tokens,
    }
}

impl Login {
    /// Takes up what was known when the request went out; the steps move.
    pub fn resume(&mut self, record: &mut TransactionRecord) {
        let answered = std::mem::replace(&mut self.trace, std::mem::take(&mut record.steps));
        self.trace.extend(answered);
        self.trace_id = record.trace;
        self.then = record.then.take();
        self.purpose = record.purpose;
        if matches!(self.purpose, Purpose::Link { .. }) {
            self.kind = "link";
        }
        self.started = record.started;
        self.wish = record.wish.clone();
        self.app = record.app.as_ref().and_then(|asked| {
            let open = self.tenant.apps.get(&asked.app)?;
            Some((Arc::clone(open), asked.clone()))
        });
    }
}

fn upstream_refusal(refusal: &UpstreamRefusal) -> Refusal {
    let (kind, public) = match refusal.kind {
        UpstreamRefusalKind::LoginRequired => (RefusalKind::LoginRequired, "Nobody is logged in."),
        UpstreamRefusalKind::Denied => (RefusalKind::AccessDenied, "Your login provider did not let you in."),
        UpstreamRefusalKind::UnmetAuthnContext => {
            (RefusalKind::UnmetAuthnContext, "Your login provider can't authenticate you as strongly as asked.")
        }
        UpstreamRefusalKind::Failed => (RefusalKind::AccessDenied, "Your login provider could not log you in."),
    };
    Refusal::new(kind, public)
}
