//! What a finished login stores, as one unit: it holds together or nothing of it happens.

use fedbridge_contract::downstream::{Finished, RefusalKind};
use fedbridge_contract::http::Reply;
use fedbridge_contract::ids::{PersonId, SessionId};
use fedbridge_contract::services::Rng;
use fedbridge_contract::time::Timestamp;

use super::{Basis, Finishing, Who};
use crate::ports::{Command, GuardFailed, LinkedPerson, NewLink, NewSession, Unit, UnitError};
use crate::run::Hub;
use crate::run::ending::Stop;
use crate::run::gate::HubGate;
use crate::run::record::{AskedOnce, PriorSession};
use crate::run::session::{ABSOLUTE, IDLE, session_cookie, session_place};
use crate::run::start::{Login, spent};

/// What becomes of the browser's session.
pub(super) enum SessionPlan {
    /// The login rests on it: it lives on.
    Touch(SessionId),
    /// The same person came back from the same upstream: it goes on, under a new cookie.
    Renew(SessionId),
    /// A new one. Another session in this browser ends: somebody else's, or one that was killed.
    Start { id: SessionId, instead_of: Option<SessionId> },
}

impl SessionPlan {
    pub fn of(last: &Finishing<'_>, person: &LinkedPerson, gate: &HubGate, rng: &dyn Rng) -> Self {
        let (tenant, connection) = (last.login.tenant.view.id, last.connection.view.id);
        // One that was killed while the browser was at the upstream ends, and tells its apps.
        let alive = |prior: &PriorSession| gate.session(tenant, connection, prior.epoch, person.epoch).is_ok();
        match last.basis {
            Basis::Session { stored, .. } => Self::Touch(stored.id),
            Basis::Fresh { prior: Some(prior), .. }
                if prior.person == person.person && prior.connection == connection && alive(prior) =>
            {
                Self::Renew(prior.id)
            }
            Basis::Fresh { prior, .. } => {
                Self::Start { id: SessionId::at(last.now, rng), instead_of: prior.map(|other| other.id) }
            }
        }
    }

    pub const fn session(&self) -> SessionId {
        match self {
            Self::Touch(id) | Self::Renew(id) | Self::Start { id, .. } => *id,
        }
    }
}

impl Hub {
    /// The unit, and the reply that may leave once it is stored.
    pub(super) fn unit(
        &self,
        last: &Finishing<'_>,
        person: PersonId,
        known: bool,
        plan: &SessionPlan,
        finished: Finished,
    ) -> Result<(Unit, Reply), Stop> {
        let Finished { mut reply, grant, participant, name_id, .. } = finished;
        let session = plan.session();
        let mut commands = Vec::with_capacity(6);
        if let Some((_, asked)) = &last.login.app {
            commands.extend(asked.once.iter().cloned().map(spent));
        }
        match last.basis {
            Basis::Session { stored, .. } => commands
                .push(Command::TouchSession { session, idle_expires: (last.now + IDLE).min(stored.absolute_expires) }),
            Basis::Fresh { transaction, .. } => {
                commands.extend(transaction.map(Command::FinishTransaction));
                commands.extend(last.who.once.iter().cloned().map(AskedOnce::from).map(spent));
                if !known {
                    commands.push(Command::CreatePerson(NewLink {
                        person,
                        connection: last.connection.view.id,
                        subject_key: last.who.record.subject.key.clone(),
                        display: last.who.record.subject.display.clone(),
                        email: None,
                        scope: last.who.record.subject.scope.clone(),
                    }));
                }
                let (cookie, start) = self.new_session(last, person, session)?;
                if let SessionPlan::Start { instead_of, .. } = plan {
                    // The grants of the other session end with it, and the outbox tells its apps.
                    if let Some(other) = *instead_of {
                        commands.push(Command::EndSession(other));
                        commands.push(self.open_replaced(last.login, other, last.now)?);
                    }
                    commands.push(Command::StartSession(start));
                } else {
                    commands.push(Command::RenewSession(start));
                }
                reply = reply.with_cookie(session_cookie(last.login.tenant.view.id, cookie));
            }
        }
        if let Some(participant) = participant {
            commands.push(Command::Join { session, expires: session_limit(last), participant });
        }
        commands.extend(name_id.map(Command::KeepNameId));
        if let Some(mut grant) = grant {
            // Whatever the adapter wrote.
            grant.record.epoch = last.epoch;
            commands.push(Command::InsertGrant(Box::new(grant)));
        }
        Ok((Unit { commands, now: last.now }, reply))
    }

    /// The cookie of a session, and its row.
    fn new_session(
        &self,
        last: &Finishing<'_>,
        person: PersonId,
        session: SessionId,
    ) -> Result<(String, NewSession), Stop> {
        let (tenant, who) = (last.login.tenant.view.id, last.who);
        let plain = serde_json::to_vec(&who.record)
            .map_err(|error| Stop::unavailable(format!("the session can't be written: {error}")))?;
        let (cookie, cookie_hash) = self.new_session_cookie(tenant, session);
        let absolute_expires = fresh_limit(who, last.now);
        let start = NewSession {
            id: session,
            cookie_hash,
            person,
            connection: last.connection.view.id,
            idle_expires: (last.now + IDLE).min(absolute_expires),
            absolute_expires,
            upstream: who.record.upstream.logout_key.clone().map(|key| (key, who.record.upstream.index.clone())),
            sealed: self.sealer.seal(&session_place(tenant, session), &plain),
        };
        Ok((cookie, start))
    }
}

/// When the session that this login starts or uses ends at the latest.
pub(super) fn session_limit(last: &Finishing<'_>) -> Timestamp {
    match last.basis {
        Basis::Session { stored, .. } => stored.absolute_expires,
        Basis::Fresh { .. } => fresh_limit(last.who, last.now),
    }
}

fn fresh_limit(who: &Who, now: Timestamp) -> Timestamp {
    let limit = who.record.upstream.not_on_or_after.unwrap_or(Timestamp::from_millis(i64::MAX));
    (now + ABSOLUTE).min(limit)
}

/// Why the unit of work was not carried out.
pub(in crate::run) fn lost(login: &mut Login, error: UnitError) -> Stop {
    match error {
        UnitError::Store(error) => error.into(),
        UnitError::Guard(GuardFailed::SeenBefore { purpose }) => {
            let actual = format!("seen before ({purpose})");
            login.trace.check("used once", single_use(&purpose), "first use", actual, false);
            Stop::replayed(format!("a replay: {purpose} was seen before"))
        }
        UnitError::Guard(GuardFailed::TransactionGone) => {
            login.trace.check("answered once", "", "a login under way", "finished before", false);
            Stop::replayed("a replay: this login was finished before")
        }
        UnitError::Guard(guard) => Stop::new(RefusalKind::LoginRequired, "Please log in again.", guard.to_string()),
    }
}

/// Where a standard says that what has this purpose counts once; for all else the rule is our own.
pub(in crate::run) fn single_use(purpose: &str) -> &'static str {
    match purpose {
        "saml.assertion" => "SAML profiles 4.1.4.5",
        "saml.artifact" => "SAML bindings 3.6.5.2",
        _ => "",
    }
}
