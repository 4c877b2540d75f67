//! What came of a bind: who the connection is now, what its trace says, and when the client hears of it.

use std::sync::Arc;

use fedbridge_contract::config::Tenant;
use fedbridge_contract::directory::BoundBy;
use fedbridge_contract::ids::AppId;
use fedbridge_contract::password::{PasswordWarning, Why};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::{Outcome, TraceLog};
use fedbridge_ldap_core::password_policy::{PolicyAnswer, PolicyError, Warning};
use fedbridge_ldap_core::{Code, LdapResult};
use tokio::time::{Instant, sleep_until};

use crate::backend::{Backend, Identity, Seen};
use crate::deadline::Asked;
use crate::session::Session;
use crate::settings::directory_of;
use crate::trace::{self, Over};

/// What everybody hears whose bind fails, whatever the reason (RFC 4513 section 6.3.1).
pub(crate) const NO: &str = "the name or the password is not right";

/// What came of it.
pub(crate) enum Verdict {
    Somebody(Bound),
    /// Said at once: it hangs on nothing secret.
    Plainly(LdapResult),
    /// The sentence is for the trace.
    No {
        why: String,
        asked: Asked,
        /// What a right password is told that does not do.
        policy: Option<PolicyError>,
    },
}

/// What a bind is answered with.
pub(crate) struct Answer {
    pub(crate) result: LdapResult,
    /// For a client that asks for it.
    pub(crate) policy: PolicyAnswer,
}

impl From<LdapResult> for Answer {
    fn from(result: LdapResult) -> Self {
        Self { result, policy: PolicyAnswer::default() }
    }
}

pub(crate) struct Bound {
    pub(crate) identity: Identity,
    pub(crate) by: Option<BoundBy>,
    /// It was so a moment ago: nobody was asked.
    pub(crate) remembered: bool,
    pub(crate) warning: Option<PasswordWarning>,
}

/// Whom a bind is about, for its trace.
pub(crate) struct About<'a> {
    pub(crate) app: Option<AppId>,
    pub(crate) person: Option<String>,
    /// As it was typed.
    pub(crate) name: &'a str,
    pub(crate) began: Timestamp,
}

impl Session {
    /// Takes the verdict over, leaves its trace, and says it when it is time.
    pub(crate) async fn settle(
        &mut self,
        backend: &Arc<dyn Backend>,
        about: About<'_>,
        verdict: Verdict,
        steps: TraceLog,
        received: Option<Instant>,
    ) -> Answer {
        let tenant = backend.tenant();
        let verdict = match verdict {
            Verdict::Somebody(_) if !self.sit_down(tenant) => Verdict::Plainly(full()),
            other => other,
        };
        match verdict {
            Verdict::Somebody(bound) => {
                (self.who.identity, self.who.by) = (bound.identity, bound.by);
                if let Identity::App { app, .. } = bound.identity {
                    self.who.app = Some(app);
                }
                backend.learn(&bound.identity, &Seen::Bind { name: about.name }, about.began);
                if self.server.samples.due(tenant.id, about.app, "bind", about.began) {
                    let how = if bound.remembered { "the password was right a moment ago" } else { "bound" };
                    self.trace_bind(tenant, about, steps, (Outcome::Success, how.to_owned()), bound.by);
                }
                let warning = bound.warning.map(warning);
                Answer { result: LdapResult::success(), policy: PolicyAnswer { warning, error: None } }
            }
            Verdict::Plainly(result) => {
                self.trace_bind(tenant, about, steps, trace::outcome(&result), None);
                self.stand_up();
                result.into()
            }
            Verdict::No { why, asked, policy } => {
                self.trace_bind(tenant, about, steps, (Outcome::Refused, why), None);
                if let Some(received) = received {
                    let every = directory_of(tenant).failure_deadline;
                    let rng = self.server.services.rng.as_ref();
                    let times = (received, Instant::now());
                    sleep_until(self.server.deadlines.due(tenant.id, asked, every, times, rng)).await;
                }
                self.stand_up();
                let result = LdapResult::new(Code::INVALID_CREDENTIALS, NO);
                Answer { result, policy: PolicyAnswer { warning: None, error: policy } }
            }
        }
    }

    /// Takes a place among the tenant's connections.
    fn sit_down(&mut self, tenant: &Tenant) -> bool {
        if self.who.seat.is_none() {
            self.who.seat = self.server.seats.take(tenant.id, directory_of(tenant).max_connections);
        }
        self.who.seat.is_some()
    }

    /// Leaves the place among the tenant's connections, where no app has ever bound on this one: a person comes by
    /// way of the app's connection, and a wrong password of theirs must not end that.
    fn stand_up(&mut self) {
        if self.who.app.is_none() {
            self.who.clear();
        }
    }

    fn trace_bind(
        &self,
        tenant: &Tenant,
        about: About<'_>,
        asked: TraceLog,
        (outcome, cause): (Outcome, String),
        by: Option<BoundBy>,
    ) {
        let facts = self.pipe.facts();
        let mut steps = TraceLog::new();
        let name = vec![("name", about.name.to_owned())];
        steps.received(about.began, "bind", false, [name, trace::about(facts)].concat());
        steps.extend(asked);
        let connection = match by {
            Some(BoundBy::Upstream(connection)) => tenant.connection_by_id(connection).map(|it| it.slug.clone()),
            _ => None,
        };
        let About { app, person, began, .. } = about;
        self.server.record(facts, Over { tenant, kind: "bind", app, connection, person, began, outcome, cause, steps });
    }
}

fn full() -> LdapResult {
    LdapResult::new(Code::BUSY, "the directory has as many connections as it may")
}

pub(crate) fn no(why: &str) -> Verdict {
    no_because(why.to_owned(), Asked::Nobody)
}

pub(crate) fn no_because(why: String, asked: Asked) -> Verdict {
    Verdict::No { why, asked, policy: None }
}

fn warning(warning: PasswordWarning) -> Warning {
    match warning {
        // Some 136 years are as good as never.
        PasswordWarning::ExpiresIn { seconds } => Warning::Expires(u32::try_from(seconds).unwrap_or(u32::MAX)),
        PasswordWarning::GraceLogins { left } => Warning::GraceLogins(left),
    }
}

/// What may be told of a right password that does not do, as far as the draft has a word for it (section 6.2).
pub(crate) fn policy_of(reason: Why) -> Option<PolicyError> {
    match reason {
        Why::PasswordExpired => Some(PolicyError::PasswordExpired),
        Why::Disabled | Why::Expired => Some(PolicyError::AccountLocked),
        Why::Hours | Why::Workstation | Why::NotAllowed => None,
        // Nobody hears of these: they come after wrong passwords, too.
        Why::Unknown | Why::Wrong | Why::Locked | Why::Form => None,
    }
}

pub(crate) fn unsure() -> Verdict {
    Verdict::Plainly(LdapResult::new(Code::UNAVAILABLE, "nobody can check the password now; try again"))
}
