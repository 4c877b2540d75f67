//! One request of a browser or an app's server, and the page that a browser ends on when the app can't be
//! told.

use std::sync::Arc;

use fedbridge_contract::config::Tenant;
use fedbridge_contract::downstream::Accepted;
use fedbridge_contract::http::{HttpInput, Reply};
use fedbridge_contract::ids::{AppId, TraceId};
use fedbridge_contract::page::{ErrorPage, Page};
use fedbridge_contract::services::{Services, TraceEvent};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::{Outcome, TraceLog, clip};
use fedbridge_saml_core::binding::soap;
use fedbridge_saml_core::turns::NotRun;

/// What a handler works with, and what it found out for the record.
pub(crate) struct Exchange<'a> {
    pub(crate) services: &'a Services,
    pub(crate) tenant: &'a Arc<Tenant>,
    pub(crate) input: &'a HttpInput,
    pub(crate) now: Timestamp,
    pub(crate) trace_id: TraceId,
    pub(crate) trace: &'a mut TraceLog,
    /// For the record of a refusal; set as soon as it is known.
    pub(crate) app: Option<AppId>,
    /// What is under way, for records and metrics.
    pub(crate) kind: &'static str,
}

/// A failure that only a page can tell: nobody has vouched for the request, or no address is known to
/// be the app's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PageError {
    pub(crate) status: u16,
    pub(crate) sentence: &'static str,
}

impl PageError {
    pub(crate) const fn new(status: u16, sentence: &'static str) -> Self {
        Self { status, sentence }
    }

    /// The request itself is wrong.
    pub(crate) const fn bad_request() -> Self {
        Self::new(400, "The app's request could not be accepted, so the login can't start.")
    }
}

/// Records a check; one that fails ends the request on a page.
pub(crate) fn require(
    trace: &mut TraceLog,
    (name, source): (&str, &str),
    expected: impl Into<String>,
    actual: impl Into<String>,
    passed: bool,
    error: PageError,
) -> Result<(), PageError> {
    if trace.check(name, source, expected, actual, passed) { Ok(()) } else { Err(error) }
}

/// Records that no message could be read. `why` says what came instead.
pub(crate) fn unreadable(trace: &mut TraceLog, name: &str, source: &str, expected: &str, why: impl std::fmt::Display) {
    trace.check(name, source, expected, format!("something else: {why}"), false);
}

impl Exchange<'_> {
    /// Ends here, on a page. The trace names the check that failed.
    pub(crate) fn on_page(self, error: &PageError) -> Accepted {
        let page = Page::Error(ErrorPage {
            status: error.status,
            tenant: Some(self.tenant.display_name.clone()),
            sentence: error.sentence.to_owned(),
            trace: Some(self.trace_id),
            way_back: None,
        });
        self.refuse(error);
        Accepted::Reply(Reply::page(page))
    }

    /// Ends here, with a fault: a server can't read a page (SAML bindings 3.2.3.3). Whether it is the sender's
    /// or ours to mend stands in its code (SOAP 1.1 section 4.4.1).
    pub(crate) fn by_fault(self, error: &PageError) -> Accepted {
        self.refuse(error);
        Accepted::Reply(soap::fault(if error.status < 500 { "Client" } else { "Server" }, error.sentence))
    }

    /// Writes down that a check had no turn, and gives back what to say then.
    pub(crate) fn no_turn(&mut self, error: NotRun, busy: PageError) -> PageError {
        self.trace.check("Turn", "", "a free place within 10 s", error.to_string(), false);
        busy
    }

    fn refuse(self, error: &PageError) {
        let outcome = if error.status < 500 { Outcome::Refused } else { Outcome::Error };
        let cause = self.trace.cause().unwrap_or_else(|| error.sentence.to_owned());
        self.record("invalid_request", outcome, cause);
    }

    /// Counts and records a refusal.
    pub(crate) fn record(self, code: &'static str, outcome: Outcome, cause: String) {
        self.services.counters.refused(self.kind, code);
        self.keep(outcome, cause);
    }

    /// Records how it ended. Whoever keeps the record adds that as its last step.
    pub(crate) fn keep(self, outcome: Outcome, cause: String) {
        let cause = clip(cause);
        let app = self.app.and_then(|id| self.tenant.app_by_id(id)).map(|app| app.name.clone());
        self.services.traces.record(TraceEvent {
            tenant: self.tenant.id,
            id: self.trace_id,
            at: self.now,
            kind: self.kind,
            app,
            connection: None,
            person: None,
            peer: Some(self.input.peer),
            outcome,
            cause,
            steps: std::mem::take(self.trace),
        });
    }
}
