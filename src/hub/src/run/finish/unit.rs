//! What a finished login stores, as one unit: it holds together or nothing of it happens.

use fedbridge_contract::downstream::{Finished, RefusalKind};
use fedbridge_contract::http::{Reply, SetCookie};
use fedbridge_contract::identity::AuthnFacts;
use fedbridge_contract::ids::{PersonId, SessionId, TenantId};
use fedbridge_contract::time::Timestamp;

use super::{Basis, Finishing, Who, Whose};
use crate::ports::{Command, Consent, GuardFailed, LinkedPerson, NewFactor, NewSession, Unit, UnitError};
use crate::run::ending::{AGAIN, Stop};
use crate::run::record::{AskedOnce, SessionRecord, UpstreamPart};
use crate::run::revalidate::keep;
use crate::run::session::{ABSOLUTE, IDLE, session_cookie, session_place};
use crate::run::start::{Login, spent};
use crate::run::{Happened, Hub};

/// What becomes of the browser's session.
pub(in crate::run) enum SessionPlan {
    /// The login rests on it: it lives on.
    Touch(SessionId),
    /// The same person came back: it goes on, under a new cookie. `also` are its other upstreams; `earlier` is
    /// among them where the person came by another one now. `authn`: how they had logged in before.
    Renew { id: SessionId, also: Vec<UpstreamPart>, earlier: Option<UpstreamPart>, authn: Box<AuthnFacts> },
    /// A new one. Another session in this browser ends: somebody else's, or one that was killed.
    Start { id: SessionId, instead_of: Option<SessionId> },
}

impl SessionPlan {
    pub const fn session(&self) -> SessionId {
        match self {
            Self::Touch(id) | Self::Renew { id, .. } | Self::Start { id, .. } => *id,
        }
    }
}

impl Hub {
    pub(super) async fn plan(&self, last: &Finishing<'_>, person: &LinkedPerson) -> Result<SessionPlan, Stop> {
        let (tenant, connection) = (last.login.tenant.view.id, last.connection.view.id);
        let prior = match last.basis {
            Basis::Session { stored, .. } => return Ok(SessionPlan::Touch(stored.id)),
            Basis::Fresh { prior, .. } => prior,
        };
        let start =
            |instead_of| SessionPlan::Start { id: SessionId::at(last.now, self.services.rng.as_ref()), instead_of };
        let Some(prior) = prior else { return Ok(start(None)) };
        // One that was killed while the browser was at the upstream ends, and tells its apps.
        let alive = self.gate.session(tenant, prior.connection, prior.epoch, person.epoch).await.is_ok();
        if prior.person != person.person || !alive {
            return Ok(start(Some(prior.id)));
        }
        // It may have ended meanwhile, or the person came into it by one more upstream.
        let Some(stored) = self.logouts.session_by_id(tenant, prior.id, last.now).await? else {
            return Ok(start(None));
        };
        let Some(record) = self.session_record(tenant, &stored) else { return Ok(start(Some(prior.id))) };
        let mut also = record.upstreams(stored.connection);
        also.retain(|part| part.connection != connection);
        let earlier = also.first().filter(|_| stored.connection != connection).cloned();
        Ok(SessionPlan::Renew { id: prior.id, also, earlier, authn: Box::new(record.authn) })
    }

    /// The unit, and the reply that may leave once it is stored. `relied`: the earlier yes that spared a question.
    pub(super) fn unit(
        &self,
        last: &Finishing<'_>,
        whose: &Whose,
        plan: &SessionPlan,
        finished: Finished,
        relied: Option<Consent>,
    ) -> Result<(Unit, Reply), Stop> {
        let Finished { mut reply, grant, participant, name_id, .. } = finished;
        let session = plan.session();
        let mut commands = Vec::with_capacity(6);
        if let Some((_, asked)) = &last.login.app {
            commands.extend(asked.once.iter().cloned().map(spent));
        }
        if let Some(cookie) = self.session_commands(last, whose, plan, &mut commands)? {
            reply = reply.with_cookie(cookie);
        }
        if let Some(consented) = &last.login.consented {
            commands.push(Command::FinishTransaction(consented.transaction));
            let (person, consent) = (whose.person.person, consented.consent.clone());
            commands.push(Command::KeepConsent { person, consent });
        }
        // The person may take it back at this very moment.
        commands.extend(relied.map(|Consent { app, at, .. }| {
            let person = whose.person.person;
            Command::HoldConsent { person, app, at }
        }));
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

    /// What becomes of the person and the session, and the session's cookie where it is a new one.
    pub(in crate::run) fn session_commands(
        &self,
        last: &Finishing<'_>,
        whose: &Whose,
        plan: &SessionPlan,
        commands: &mut Vec<Command>,
    ) -> Result<Option<SetCookie>, Stop> {
        let session = plan.session();
        let transaction = match last.basis {
            Basis::Session { stored, .. } => {
                let idle_expires = (last.now + IDLE).min(stored.absolute_expires);
                commands.push(Command::TouchSession { session, idle_expires });
                return Ok(None);
            }
            Basis::Fresh { transaction, .. } => transaction,
        };
        commands.extend(transaction.map(Command::FinishTransaction));
        commands.extend(last.who.once.iter().cloned().map(AskedOnce::from).map(spent));
        commands.extend(whose.ties.iter().cloned());
        let (cookie, row) = self.new_session(last, whose.person.person, plan)?;
        let enrolled = last.login.enrolled.iter();
        let mut told: Vec<_> = enrolled.filter_map(|factor| Happened::factor(factor.kind, "create")).collect();
        match plan {
            SessionPlan::Start { instead_of, .. } => {
                // The grants of the other session end with it, and the outbox tells its apps.
                if let Some(other) = *instead_of {
                    commands.push(Command::EndSession(other));
                    commands.push(self.open_replaced(last.login, other, last.now)?);
                }
                commands.push(Command::StartSession(row));
            }
            SessionPlan::Renew { earlier, authn, .. } => {
                let expires = row.absolute_expires;
                commands.push(Command::RenewSession(row));
                commands.extend(earlier.clone().map(|part| also_upstream(session, part, expires)));
                told.extend(Happened::assurance(session, authn, &last.who.record.authn));
            }
            SessionPlan::Touch(_) => {}
        }
        commands.extend(self.kept_tokens(last, whose.person.person, session));
        let person = whose.person.person;
        let keep = |factor: &NewFactor| Command::KeepFactor { person, factor: Box::new(factor.clone()) };
        commands.extend(last.login.enrolled.iter().map(keep));
        commands.extend(self.signals(&last.login.tenant, person, (last.login.trace_id, last.now), &told));
        Ok(Some(session_cookie(last.login.tenant.view.id, cookie)))
    }

    /// The cookie of a session, and its row.
    fn new_session(
        &self,
        last: &Finishing<'_>,
        person: PersonId,
        plan: &SessionPlan,
    ) -> Result<(String, NewSession), Stop> {
        let (tenant, who, session) = (last.login.tenant.view.id, last.who, plan.session());
        let sealed = match plan {
            SessionPlan::Renew { also, .. } if !also.is_empty() => {
                self.sealed_session(tenant, session, &SessionRecord { also: also.clone(), ..who.record.clone() })
            }
            _ => self.sealed_session(tenant, session, &who.record),
        }?;
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
            sealed,
        };
        Ok((cookie, start))
    }

    pub(in crate::run) fn sealed_session(
        &self,
        tenant: TenantId,
        session: SessionId,
        record: &SessionRecord,
    ) -> Result<Vec<u8>, Stop> {
        let plain = serde_json::to_vec(record)
            .map_err(|error| Stop::unavailable(format!("the session can't be written: {error}")))?;
        Ok(self.sealer.seal(&session_place(tenant, session), &plain))
    }

    /// What the upstream is asked again with, where the connection asks.
    fn kept_tokens(&self, last: &Finishing<'_>, person: PersonId, session: SessionId) -> Option<Command> {
        let side = last.connection.state.as_ref().ok()?.adapter.refresh.as_deref()?;
        let ip = Some(last.login.peer.to_string());
        let of = (person, last.connection.view.id);
        let kept = keep(side, of, &last.who.record, ip, last.who.tokens.clone()?, last.now);
        Some(Command::KeepUpstreamTokens { session, kept: Box::new(kept) })
    }
}

/// An upstream of a session whose row holds another one.
pub(in crate::run) fn also_upstream(session: SessionId, part: UpstreamPart, expires: Timestamp) -> Command {
    let UpstreamPart { connection, session: upstream, .. } = part;
    Command::AlsoUpstream { session, connection, key: upstream.logout_key, index: upstream.index, expires }
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
        UnitError::Guard(guard) => Stop::new(RefusalKind::LoginRequired, AGAIN, guard.to_string()),
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
