//! How a login ends without success: what is recorded, and who is told.

use fedbridge_contract::downstream::{Refusal, RefusalKind};
use fedbridge_contract::error::StoreError;
use fedbridge_contract::http::Reply;
use fedbridge_contract::page::{ErrorPage, Page, WayBack};
use fedbridge_contract::services::GateRefusal;
use fedbridge_contract::trace::Outcome;

use super::Hub;
use super::start::Login;
use super::trace::Ending;
use crate::decide::ReplayInput;
use crate::ports::{Unit, UnitError};

pub(super) const NOT_ALLOWED: &str = "You may not log in to this application.";
pub(super) const AGAIN: &str = "Please log in again.";
pub(super) const NOT_SET_UP: &str = "This way to log in is not set up correctly.";

/// Why a login ends without success, and who is told.
pub(super) struct Stop {
    pub refusal: Refusal,
    /// For the trace only.
    pub cause: String,
    pub told: Told,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// The app, in its protocol; a page where no app asked.
    App,
    /// A page alone: the answer could not be accepted, so nothing of it goes on to the app.
    PersonOnly,
    /// A page alone: the answer was used before, and belongs to a login that has its own record.
    Replayer,
}

impl Stop {
    pub fn new(kind: RefusalKind, public: impl Into<String>, cause: impl Into<String>) -> Self {
        Self::because(Refusal::new(kind, public), cause)
    }

    pub fn because(refusal: Refusal, cause: impl Into<String>) -> Self {
        Self { refusal, cause: cause.into(), told: Told::App }
    }

    /// The connection or the app is not in order: the admin must mend it.
    pub fn broken(cause: impl Into<String>) -> Self {
        Self::new(RefusalKind::ServerError, NOT_SET_UP, cause)
    }

    /// The store didn't answer: nothing was changed, and trying again is right.
    pub fn unavailable(cause: impl Into<String>) -> Self {
        let public = "The service can't answer at the moment. Please try again.";
        Self::new(RefusalKind::TemporarilyUnavailable, public, cause)
    }

    /// An answer of the upstream that failed a check.
    pub fn not_accepted(cause: impl Into<String>) -> Self {
        let public = "The answer of your login provider could not be accepted.";
        Self { told: Told::PersonOnly, ..Self::new(RefusalKind::AccessDenied, public, cause) }
    }

    pub fn replayed(cause: impl Into<String>) -> Self {
        let public = "This login was used before. Please start again.";
        Self { told: Told::Replayer, ..Self::new(RefusalKind::AccessDenied, public, cause) }
    }

    /// With another sentence for the person.
    pub fn saying(mut self, public: &str) -> Self {
        self.refusal.public = public.to_owned();
        self
    }

    fn outcome(&self) -> Outcome {
        match self.refusal.kind {
            RefusalKind::ServerError | RefusalKind::TemporarilyUnavailable => Outcome::Error,
            _ => Outcome::Refused,
        }
    }

    fn status(&self) -> u16 {
        match (self.refusal.kind, self.told) {
            (RefusalKind::ServerError, _) => 500,
            (RefusalKind::TemporarilyUnavailable, _) => 503,
            (_, Told::App) => 403,
            _ => 400,
        }
    }
}

impl From<GateRefusal> for Stop {
    fn from(refusal: GateRefusal) -> Self {
        match refusal {
            GateRefusal::Unsure => Self::unavailable(refusal.to_string()),
            // It says nothing against the next login.
            GateRefusal::Killed => Self::new(RefusalKind::LoginRequired, AGAIN, refusal.to_string()),
            _ => Self::new(RefusalKind::AccessDenied, NOT_ALLOWED, refusal.to_string()),
        }
    }
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        Self::unavailable(error.to_string())
    }
}

impl Hub {
    /// Ends a login without success. `person` is the name that the upstream gave.
    pub(super) async fn stop(
        &self,
        mut login: Login,
        stop: Stop,
        replay: Option<ReplayInput>,
        person: Option<String>,
    ) -> Reply {
        let stop = self.answered(&mut login, stop).await;
        if stop.told == Told::Replayer {
            // The login that was replayed keeps its record; this is another event.
            let replayed = std::mem::replace(&mut login.trace_id, self.new_trace_id());
            login.trace.decide("record", format!("a replay of the login {replayed}"), true);
        }
        let asked = login.app.as_ref().filter(|_| stop.told == Told::App);
        let told = match asked.and_then(|(app, asked)| Some((self.downstream(app.view.kind)?, asked))) {
            Some((downstream, asked)) => {
                let (tenant, continuation) = (&login.tenant.view, &asked.continuation);
                Some(downstream.refuse(tenant, continuation, &stop.refusal, login.trace_id).await)
            }
            None => None,
        };
        let (outcome, status) = (stop.outcome(), stop.status());
        let reply = told.unwrap_or_else(|| {
            let again = login.retry().filter(|_| stop.told != Told::App);
            let again = again.map(|href| WayBack { label: "Try again".into(), href: href.to_owned() });
            Reply::page(Page::Error(ErrorPage {
                status,
                tenant: Some(login.tenant.view.display_name.clone()),
                sentence: stop.refusal.public.clone(),
                trace: Some(login.trace_id),
                way_back: again,
            }))
            .in_language(login.locale())
        });
        self.record(login, replay, Ending { outcome, cause: stop.cause, person });
        reply
    }

    /// A refusal answers the app's request too: a request that may come only once is used up by it.
    async fn answered(&self, login: &mut Login, stop: Stop) -> Stop {
        let commands = if stop.told == Told::App { login.spend() } else { Vec::new() };
        if commands.is_empty() {
            return stop;
        }
        let unit = Unit { commands, now: self.services.clock.now() };
        match self.store.commit(login.tenant.view.id, unit).await {
            Ok(()) => stop,
            Err(UnitError::Guard(_)) => Stop::replayed(format!("{}; and this request was answered before", stop.cause)),
            Err(UnitError::Store(error)) => error.into(),
        }
    }
}
