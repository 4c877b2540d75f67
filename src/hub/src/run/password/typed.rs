//! A name and a password were typed.

use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::http::{HttpInput, Reply};
use fedbridge_contract::ids::TenantId;
use fedbridge_contract::password::{
    Attempt, Password, PasswordCheck, PasswordOutcome, PasswordRefusal, PasswordWarning,
};
use fedbridge_contract::proof::Minter;
use fedbridge_contract::services::{Gate as _, Guess};
use fedbridge_contract::time::delay_seconds;
use fedbridge_contract::trace::{Outcome, TraceLog};

use super::ask::Shown;
use super::guess::{Verdict, folded};
use super::refusal::sentence;
use super::{MAX_NAME, MAX_PASSWORD, Typing};
use crate::run::Hub;
use crate::run::answer::{Found, who};
use crate::run::ending::Stop;
use crate::run::finish::{Basis, Who};
use crate::run::own::field;
use crate::run::record::Purpose;
use crate::run::session::correlation_cookie;
use crate::run::snapshot::{OpenConnection, TenantSnapshot};
use crate::run::start::Login;
use crate::run::trace::Ending;

/// Behind a change of the password the page may be this one again.
const AT: [Purpose; 2] = [Purpose::Password, Purpose::NewPassword];

/// An upstream that takes longer is silent, whatever its adapter thinks.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);

/// A try at a login that waits.
pub(super) struct Try {
    pub found: Found,
    pub connection: Arc<OpenConnection>,
    pub name: String,
    /// When it came, on the steady clock.
    pub begun: Duration,
}

/// What the upstream's yes leads to.
enum Right {
    In(Box<Who>),
    MustChange { key: String, place: String },
}

/// Why it did not lead on.
enum No {
    Refused(PasswordRefusal),
    Silent(String),
    /// The login is over.
    Over(Stop),
}

/// What a person reads when no server answers.
pub(super) const SILENT: &str = "Your organization's login service could not be asked. Please try again later.";

impl Hub {
    /// `POST {issuer}/password`.
    pub(in crate::run) async fn password_typed(&self, tenant: Arc<TenantSnapshot>, input: &HttpInput) -> Reply {
        let begun = self.services.clock.steady();
        let now = self.services.clock.now();
        let mut login = Login::of(Arc::clone(&tenant), now, input.peer, self.new_trace_id(), TraceLog::new());
        let (mut found, typing) = match self.waited::<Typing>(&mut login, input, &AT).await {
            Ok(waited) => waited,
            Err(stop) => return self.stop(login, stop, None, None).await,
        };
        login.go_on(&mut found, typing.purpose);
        let (login, found, connection) = match self.still_open(login, found).await {
            Ok(open) => open,
            Err(reply) => return *reply,
        };
        let name = field(input, "name").unwrap_or_default().trim().to_owned();
        let tried = Try { found, connection, name, begun };
        let typed = field(input, "password").filter(|typed| typed.len() <= MAX_PASSWORD).and_then(Password::new);
        let Some(password) = typed.filter(|_| !tried.name.is_empty() && tried.name.len() <= MAX_NAME) else {
            let complaint = "Please type your user name and your password.".to_owned();
            let shown = Shown { name: tried.name, complaint: Some(complaint) };
            return self.password_page(&login, &tried.connection, &tried.found.handle, shown);
        };
        self.try_password(login, tried, &password, input).await
    }

    /// The connection of a login that waited, where the login may still go on. Else it is over.
    pub(in crate::run) async fn still_open(
        &self,
        mut login: Login,
        found: Found,
    ) -> Result<(Login, Found, Arc<OpenConnection>), Box<Reply>> {
        let tenant = Arc::clone(&login.tenant);
        let connection = tenant.connections.get(&found.record.connection).cloned();
        login.connection.clone_from(&connection);
        let stop = match connection {
            _ if found.record.app.is_some() && login.app.is_none() => Stop::not_accepted("the app is gone"),
            Some(open) if password_side(&open).is_some() => {
                let app = login.app.as_ref().map(|(open, _)| open.view.as_ref());
                match self.gate.login(&tenant.view, app, &open.view).await {
                    Ok(_) => return Ok((login, found, open)),
                    Err(refusal) => {
                        login.trace.decide("gate", refusal.to_string(), false);
                        refusal.into()
                    }
                }
            }
            _ => Stop::broken("the connection is gone, or can't be used"),
        };
        let removal = correlation_cookie(tenant.view.id, &found.handle, String::new());
        Err(Box::new(self.give_up(login, found.id, stop).await.with_cookie(removal)))
    }

    /// Asks the upstream, where this many tries are fine.
    pub(super) async fn try_password(
        &self,
        mut login: Login,
        tried: Try,
        password: &Password,
        input: &HttpInput,
    ) -> Reply {
        let (tenant, connection) = (login.tenant.view.id, Arc::clone(&tried.connection));
        let account = folded(&tried.name);
        let device = self.browser(tenant, &of(&connection, &account), input);
        let guess = guess(tenant, &connection, &account, input);
        let admitted = match self.admit(guess, device, &mut login.trace).await {
            Ok(admitted) => admitted,
            Err(wait) => {
                let cause = "too many tries".to_owned();
                return self.try_failed(login, tried, too_many(wait), cause, Outcome::Refused).await;
            }
        };
        let reply = match self.ask_upstream(&mut login, &tried, password).await {
            Ok(Right::In(who)) => {
                admitted.was(Verdict::Right);
                self.password_was_right(login, tried, *who).await
            }
            Ok(Right::MustChange { key, place }) => {
                admitted.was(Verdict::Right);
                self.ask_for_new_password(login, tried, key, place).await
            }
            Err(No::Refused(refusal)) => {
                admitted.was(Verdict::of(&refusal));
                let cause = format!("the upstream did not accept the password: {}", refusal.upstream_code);
                let complaint = sentence(refusal.reason).to_owned();
                return self.try_failed(login, tried, complaint, cause, Outcome::Refused).await;
            }
            Err(No::Silent(cause)) => {
                admitted.was(Verdict::Unsaid);
                return self.try_failed(login, tried, SILENT.to_owned(), cause, Outcome::Error).await;
            }
            Err(No::Over(stop)) => {
                admitted.was(Verdict::Unsaid);
                return self.give_up(login, tried.found.id, stop).await;
            }
        };
        self.know_browser(tenant, &of(&connection, &account), input, reply)
    }

    async fn ask_upstream(&self, login: &mut Login, tried: &Try, password: &Password) -> Result<Right, No> {
        let (tenant, connection, id) = (login.tenant.view.id, tried.connection.view.id, tried.found.id);
        let side = password_side(&tried.connection);
        let side = side.ok_or_else(|| No::Over(Stop::broken("the connection can't be used")))?;
        // Before the upstream is asked, so that a kill meanwhile ends what comes of it.
        let as_of = self.gate.epoch();
        let view = Arc::clone(&login.tenant.view);
        let attempt = Attempt {
            tenant: &view,
            name: &tried.name,
            password,
            wish: &tried.found.record.wish,
            transaction: id,
            peer: login.peer,
            now: self.services.clock.now(),
        };
        let asking = side.verify(attempt, Minter::for_transaction(tenant, connection, id), &mut login.trace);
        let Ok(outcome) = tokio::time::timeout(PATIENCE, asking).await else {
            return Err(No::Silent(format!("no answer within {} s", PATIENCE.as_secs())));
        };
        match outcome {
            PasswordOutcome::Accepted { identity, warning } if identity.proof.covers(tenant, connection, id) => {
                note_warning(&mut login.trace, warning);
                Ok(Right::In(Box::new(who(*identity, as_of))))
            }
            PasswordOutcome::Accepted { .. } => {
                login.trace.decide("proof", "the identity was not verified in this transaction", false);
                Err(No::Over(Stop::not_accepted("proof of another transaction")))
            }
            PasswordOutcome::MustChange { key, place } => Ok(Right::MustChange { key, place }),
            PasswordOutcome::Rejected(refusal) => Err(No::Refused(refusal)),
            PasswordOutcome::Unavailable(error) => Err(No::Silent(error.cause)),
        }
    }

    /// The login goes on with whoever the upstream says it is.
    async fn password_was_right(&self, mut login: Login, tried: Try, who: Who) -> Reply {
        let Try { found, connection, .. } = tried;
        let removal = correlation_cookie(login.tenant.view.id, &found.handle, String::new());
        let basis = Basis::Fresh { transaction: Some(found.id), prior: found.record.session };
        let reply = match login.purpose {
            // Nobody has the identity yet, and so it has no factors; one that somebody has is not connected.
            Purpose::Link { proof, secret } => {
                self.identity_to_link(login, connection, who, basis, (proof, secret)).await
            }
            _ => match self.factor_wanted(&mut login, &connection, &who).await {
                Ok(wanted) => self.with_factor(login, connection, who, found, wanted).await,
                Err(stop) => self.give_up(login, found.id, stop).await,
            },
        };
        reply.with_cookie(removal)
    }

    /// The page again. The try has a record of its own; the login goes on waiting.
    async fn try_failed(&self, login: Login, tried: Try, complaint: String, cause: String, outcome: Outcome) -> Reply {
        self.until_failure_deadline(&login, tried.begun).await;
        let shown = Shown { name: tried.name, complaint: Some(complaint) };
        let page = self.password_page(&login, &tried.connection, &tried.found.handle, shown);
        self.record_try(login, cause, outcome);
        page
    }

    /// Records a try that failed, of a login that is not over.
    pub(in crate::run) fn record_try(&self, mut login: Login, cause: String, outcome: Outcome) {
        let waiting = login.trace_id;
        login.trace.decide("login", format!("it goes on waiting as {waiting}"), true);
        login.trace_id = self.new_trace_id();
        login.started = self.services.clock.now();
        self.record(login, None, Ending { outcome, cause, person: None });
    }
}

pub(super) fn guess<'a>(
    tenant: TenantId,
    connection: &OpenConnection,
    account: &'a str,
    input: &HttpInput,
) -> Guess<'a> {
    Guess {
        tenant,
        connection: Some(connection.view.id),
        account,
        peer: input.peer,
        through: None,
        known_device: None,
        lockout: password_side(connection).and_then(|side| side.lockout()),
    }
}

/// An account, beside those of other connections.
pub(super) fn of(connection: &OpenConnection, account: &str) -> String {
    format!("{}\n{account}", connection.view.id)
}

pub(in crate::run) fn password_side(connection: &OpenConnection) -> Option<&dyn PasswordCheck> {
    connection.state.as_ref().ok().and_then(|ready| ready.adapter.password.as_deref())
}

pub(in crate::run) fn too_many(wait: Duration) -> String {
    let seconds = delay_seconds(wait);
    format!("There were too many tries. Please wait {seconds} seconds, then try again.")
}

fn note_warning(trace: &mut TraceLog, warning: Option<PasswordWarning>) {
    let outcome = match warning {
        None => return,
        Some(PasswordWarning::ExpiresIn { seconds }) => format!("it expires in {} hours", seconds / 3600),
        Some(PasswordWarning::GraceLogins { left }) => format!("it has expired; {left} more logins are let through"),
    };
    trace.decide("password", outcome, true);
}
