//! The one step that every login passes, whichever two protocols stand at its
//! ends: identity -> mapping -> policy -> release -> the app's answer, stored as
//! one durable unit before anything leaves.

use std::sync::Arc;

use fedbridge_contract::claims::Claims;
use fedbridge_contract::downstream::{Finish, Finished, IssuedIdentity, RefusalKind};
use fedbridge_contract::error::Complaint;
use fedbridge_contract::http::Reply;
use fedbridge_contract::identity::{AuthnFacts, OneTimeKey, Onward};
use fedbridge_contract::ids::{PersonId, SessionId, TransactionId};
use fedbridge_contract::page::{Page, SignedInPage};
use fedbridge_contract::proof::Permit;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::Outcome;

use super::Hub;
use super::ending::{NOT_ALLOWED, Stop, Told};
use super::gate::HubGate;
use super::record::{AskedOnce, PriorSession, SessionRecord};
use super::session::{ABSOLUTE, IDLE, session_cookie, session_place};
use super::snapshot::OpenConnection;
use super::start::{Login, spent};
use super::trace::Ending;
use crate::decide::{
    ClientFacts, ConnectionFacts, DecideInput, DenialKind, Facts, ReplayInput, RequestFacts, Verdict, decide,
    pairwise_sub,
};
use crate::ports::{Command, GuardFailed, LinkedPerson, NewLink, NewSession, StoredSession, Unit, UnitError};
use crate::spec::SubjectType;

/// The person, as the upstream described them.
pub(super) struct Who {
    pub record: SessionRecord,
    pub once: Vec<OneTimeKey>,
}

/// What the login rests on.
pub(super) enum Basis {
    /// An answer of the upstream that was verified just now.
    /// Without a transaction: no request of ours asked for it.
    Fresh { transaction: Option<TransactionId>, prior: Option<PriorSession> },
    /// A session of this browser.
    Session(StoredSession),
}

/// Two logins of one new person at the same moment: the loser of the race finds the winner's person.
const LINK_ATTEMPTS: usize = 3;

impl Hub {
    pub(super) async fn finish(
        &self,
        mut login: Login,
        connection: Arc<OpenConnection>,
        who: Who,
        basis: Basis,
    ) -> Reply {
        let now = self.services.clock.now();
        let mut replay = None;
        let ended = self.try_finish(&mut login, &connection, &who, &basis, now, &mut replay).await;
        let person = Some(who.record.subject.display.clone());
        match (ended, basis) {
            (Ok(reply), _) => {
                self.record(login, replay, Ending { outcome: Outcome::Success, cause: String::new(), person });
                reply
            }
            (Err(stop), Basis::Fresh { transaction: Some(transaction), .. }) if stop.told != Told::Replayer => {
                let stop = self.closed(&mut login, transaction, who.once, stop).await;
                self.stop(login, stop, replay, person).await
            }
            (Err(stop), _) => self.stop(login, stop, replay, person).await,
        }
    }

    /// Finishes a refused login in the store, with what it has used up, so that nothing of it can be tried
    /// again. Gives back why the login ends.
    pub(super) async fn closed(
        &self,
        login: &mut Login,
        transaction: TransactionId,
        once: Vec<OneTimeKey>,
        stop: Stop,
    ) -> Stop {
        let mut commands = vec![Command::FinishTransaction(transaction)];
        commands.extend(once.into_iter().map(AskedOnce::from).map(spent));
        commands.extend(login.spend());
        let unit = Unit { commands, now: self.services.clock.now() };
        match self.store.commit(login.tenant.view.id, unit).await {
            Ok(()) => stop,
            Err(UnitError::Guard(_)) => Stop::replayed(format!("{}; and this login was answered before", stop.cause)),
            Err(UnitError::Store(error)) => error.into(),
        }
    }

    async fn try_finish(
        &self,
        login: &mut Login,
        connection: &Arc<OpenConnection>,
        who: &Who,
        basis: &Basis,
        now: Timestamp,
        replay: &mut Option<ReplayInput>,
    ) -> Result<Reply, Stop> {
        may_go_onward(login, &who.record.onward)?;
        let claims = self.decide(login, connection, who, now, replay)?;
        for _ in 0..LINK_ATTEMPTS {
            let (person, known) = self.person(login, connection, who, basis).await?;
            let permit = may_issue(login, connection, &person)?;
            let prior = match basis {
                Basis::Fresh { prior, .. } => {
                    prior.filter(|prior| prior.person == person.person && prior.connection == connection.view.id)
                }
                Basis::Session(_) => None,
            };
            let session = match (basis, prior) {
                (Basis::Session(stored), _) => stored.id,
                (Basis::Fresh { .. }, Some(prior)) => prior.id,
                (Basis::Fresh { .. }, None) => SessionId::at(now, self.services.rng.as_ref()),
            };
            let Finished { mut reply, grant, participant, name_id } =
                self.answer_app(login, connection, who, &claims, person.person, session, now, basis, &permit).await?;
            let mut commands = Vec::with_capacity(6);
            if let Some((_, asked)) = &login.app {
                commands.extend(asked.once.iter().cloned().map(spent));
            }
            match basis {
                Basis::Session(stored) => commands.push(Command::TouchSession {
                    session: stored.id,
                    idle_expires: (now + IDLE).min(stored.absolute_expires),
                }),
                Basis::Fresh { transaction, prior: before, .. } => {
                    commands.extend(transaction.map(Command::FinishTransaction));
                    commands.extend(who.once.iter().cloned().map(AskedOnce::from).map(spent));
                    if !known {
                        commands.push(Command::CreatePerson(NewLink {
                            person: person.person,
                            connection: connection.view.id,
                            subject_key: who.record.subject.key.clone(),
                            display: who.record.subject.display.clone(),
                        }));
                    }
                    let (cookie, start) = self.new_session(login, connection, who, person.person, session, now)?;
                    match (before, prior) {
                        (_, Some(_)) => commands.push(Command::RenewSession(start)),
                        // Somebody else was logged in here: their session and its grants end, and the outbox
                        // tells their apps.
                        (Some(other), None) => {
                            commands.push(Command::EndSession(other.id));
                            commands.push(self.open_replaced(login, other.id, now)?);
                            commands.push(Command::StartSession(start));
                        }
                        (None, None) => commands.push(Command::StartSession(start)),
                    }
                    reply = reply.with_cookie(session_cookie(login.tenant.view.id, cookie));
                }
            }
            if let Some(participant) = participant {
                let expires = session_limit(who, basis, now);
                commands.push(Command::Join { session, expires, participant });
            }
            commands.extend(name_id.map(Command::KeepNameId));
            commands.extend(grant.map(Box::new).map(Command::InsertGrant));
            match self.store.commit(login.tenant.view.id, Unit { commands, now }).await {
                Ok(()) => return Ok(reply),
                Err(UnitError::Guard(GuardFailed::LinkExists | GuardFailed::NameIdExists)) => continue,
                Err(error) => return Err(lost(login, error)),
            }
        }
        Err(Stop::unavailable("the person's link kept changing"))
    }

    /// The pure part: the claims that this app may see. What it was given is kept for the replay.
    fn decide(
        &self,
        login: &mut Login,
        connection: &OpenConnection,
        who: &Who,
        now: Timestamp,
        replay: &mut Option<ReplayInput>,
    ) -> Result<Claims, Stop> {
        let ready = connection.state.as_ref().map_err(|_| Stop::broken("the connection's configuration is broken"))?;
        let app = login.app.as_ref().map(|(open, _)| Arc::clone(open));
        let rules = match app.as_deref().map(|open| open.rules.as_ref()) {
            Some(Ok(rules)) => rules,
            Some(Err(complaints)) => {
                return Err(Stop::broken(format!("the app's own claim rules are broken: {}", all(complaints))));
            }
            None => &self.no_app,
        };
        let registered = app.as_deref().and_then(|open| {
            let downstream = self.downstream(open.view.kind)?;
            Some(downstream.registered_scopes(&open.view))
        });
        let facts = facts(login, connection, who, registered.unwrap_or_default(), now);
        let input = DecideInput { facts: &facts, mapping: &ready.mapping, app: rules };
        let decision = decide(&input);
        *replay = Some(ReplayInput::of(&input));
        login.trace.extend(decision.trace);
        match decision.verdict {
            Verdict::Allowed { released } => Ok(released),
            Verdict::Denied(denial) => {
                let cause = match denial.kind {
                    DenialKind::Policy => format!("deny_when: {}", denial.reason),
                    DenialKind::Membership => format!("the app's groups: {}", denial.reason),
                    DenialKind::RuleFailed => format!("a rule failed: {}", denial.reason),
                };
                Err(Stop::new(RefusalKind::AccessDenied, NOT_ALLOWED, cause))
            }
        }
    }

    /// The person behind the identity: the link is (connection, upstream subject), never an e-mail address.
    async fn person(
        &self,
        login: &mut Login,
        connection: &OpenConnection,
        who: &Who,
        basis: &Basis,
    ) -> Result<(LinkedPerson, bool), Stop> {
        if let Basis::Session(stored) = basis {
            return Ok((LinkedPerson { person: stored.person, disabled: stored.person_disabled }, true));
        }
        let tenant = login.tenant.view.id;
        match self.store.linked_person(tenant, connection.view.id, &who.record.subject.key).await {
            Ok(Some(linked)) => {
                login.trace.decide("person", "known here by this upstream subject", true);
                Ok((linked, true))
            }
            Ok(None) => {
                login.trace.decide("person", "seen for the first time: a new subject identifier", true);
                let person = PersonId::random(self.services.rng.as_ref());
                Ok((LinkedPerson { person, disabled: false }, false))
            }
            Err(error) => Err(error.into()),
        }
    }

    #[allow(clippy::too_many_arguments)] // All of it is what an issued identity is made of.
    async fn answer_app(
        &self,
        login: &mut Login,
        connection: &OpenConnection,
        who: &Who,
        claims: &Claims,
        person: PersonId,
        session: SessionId,
        now: Timestamp,
        basis: &Basis,
        permit: &Permit,
    ) -> Result<Finished, Stop> {
        let Some((app, asked)) = &login.app else {
            let reply = match &login.then {
                Some(then) => Reply::redirect(self.initiated(login, then)?),
                None => signed_in(login, connection, who),
            };
            return Ok(Finished { reply, grant: None, participant: None, name_id: None });
        };
        let Some(downstream) = self.downstream(app.view.kind) else {
            return Err(Stop::broken("no downstream adapter for this app"));
        };
        let sub = match app.subject_type {
            SubjectType::Public => person.to_string(),
            SubjectType::Pairwise => {
                let mac = |input: &[u8]| self.services.tokens.mac(login.tenant.view.id, "pairwise sub", input);
                pairwise_sub(mac, &downstream.sector(&app.view), person)
            }
        };
        if let Some(expected) = &asked.expected_sub
            && *expected != sub
        {
            login.trace.check("the person of id_token_hint", "OpenID Connect Core 3.1.2.1", expected, sub, false);
            let public = "Somebody else is logged in.";
            return Err(Stop::new(RefusalKind::LoginRequired, public, "id_token_hint names another person"));
        }
        let identity = IssuedIdentity {
            person,
            sub,
            session,
            connection: Arc::clone(&connection.view),
            claims: claims.clone(),
            scope: asked.scope.clone(),
            auth_time: who.record.authn.auth_time,
            acr: who.record.authn.acr.clone(),
            amr: who.record.authn.amr.clone(),
            authorities: authorities(&who.record.authn),
            session_limit: session_limit(who, basis, now),
            upstream_limit: who.record.upstream.not_on_or_after,
            trace: login.trace_id,
        };
        let finish = Finish {
            tenant: &login.tenant.view,
            app: &app.view,
            continuation: &asked.continuation,
            identity: &identity,
            now,
            rng: self.services.rng.as_ref(),
        };
        match downstream.finish(finish, permit).await {
            Ok(finished) => Ok(finished),
            Err(refusal) => {
                login.trace.decide("the app's own demands", refusal.public.clone(), false);
                let cause = refusal.public.clone();
                Err(Stop::because(refusal, cause))
            }
        }
    }

    fn new_session(
        &self,
        login: &Login,
        connection: &OpenConnection,
        who: &Who,
        person: PersonId,
        session: SessionId,
        now: Timestamp,
    ) -> Result<(String, NewSession), Stop> {
        let tenant = login.tenant.view.id;
        let plain = serde_json::to_vec(&who.record)
            .map_err(|error| Stop::unavailable(format!("the session can't be written: {error}")))?;
        let (cookie, cookie_hash) = self.new_session_cookie(tenant, session);
        let absolute_expires = fresh_limit(who, now);
        let start = NewSession {
            id: session,
            cookie_hash,
            person,
            connection: connection.view.id,
            idle_expires: (now + IDLE).min(absolute_expires),
            absolute_expires,
            upstream: who.record.upstream.logout_key.clone().map(|key| (key, who.record.upstream.index.clone())),
            sealed: self.sealer.seal(&session_place(tenant, session), &plain),
        };
        Ok((cookie, start))
    }
}

fn fresh_limit(who: &Who, now: Timestamp) -> Timestamp {
    let limit = who.record.upstream.not_on_or_after.unwrap_or(Timestamp::from_millis(i64::MAX));
    (now + ABSOLUTE).min(limit)
}

/// When the session that this login starts or uses ends at the latest.
fn session_limit(who: &Who, basis: &Basis, now: Timestamp) -> Timestamp {
    match basis {
        Basis::Session(stored) => stored.absolute_expires,
        Basis::Fresh { .. } => fresh_limit(who, now),
    }
}

fn authorities(authn: &AuthnFacts) -> Vec<String> {
    authn.authority.iter().chain(&authn.authorities).cloned().collect()
}

/// A ProxyRestriction stops what would go on to this app (SAML core 2.5.1.6).
fn may_go_onward(login: &mut Login, onward: &Onward) -> Result<(), Stop> {
    let Some((app, _)) = &login.app else { return Ok(()) };
    let name = app.view.protocol_name.clone().unwrap_or_else(|| app.view.name.clone());
    let allowed = match onward {
        Onward::Unrestricted => return Ok(()),
        Onward::Nobody => false,
        Onward::Only(parties) => parties.contains(&name),
    };
    let expected = match onward {
        Onward::Only(parties) => parties.join(", "),
        _ => "nobody".into(),
    };
    if login.trace.check("to whom the statement may be passed on", "SAML core 2.5.1.6", expected, name, allowed) {
        Ok(())
    } else {
        Err(Stop::new(RefusalKind::AccessDenied, NOT_ALLOWED, "the upstream's ProxyRestriction leaves this app out"))
    }
}

fn may_issue(login: &mut Login, connection: &OpenConnection, person: &LinkedPerson) -> Result<Permit, Stop> {
    let app = login.app.as_ref().map(|(open, _)| open.view.as_ref());
    HubGate::login(&login.tenant.view, app, &connection.view, person.disabled).map_err(|refusal| {
        login.trace.decide("gate", refusal.to_string(), false);
        Stop::new(RefusalKind::AccessDenied, NOT_ALLOWED, refusal.to_string())
    })
}

/// Why the unit of work was not carried out.
pub(super) fn lost(login: &mut Login, error: UnitError) -> Stop {
    match error {
        UnitError::Store(error) => error.into(),
        UnitError::Guard(GuardFailed::SeenBefore { purpose }) => {
            let actual = format!("seen before ({purpose})");
            login.trace.check("used once", "SAML profiles 4.1.4.5", "first use", actual, false);
            Stop::replayed(format!("a replay: {purpose} was seen before"))
        }
        UnitError::Guard(GuardFailed::TransactionGone) => {
            login.trace.check("answered once", "SAML profiles 4.1.4.3", "a login under way", "finished before", false);
            Stop::replayed("a replay: this login was finished before")
        }
        UnitError::Guard(guard) => {
            Stop::new(RefusalKind::LoginRequired, "Please log in again.", format!("the store refused: {guard:?}"))
        }
    }
}

/// Everything that a rule may see of this login.
fn facts(
    login: &Login,
    connection: &OpenConnection,
    who: &Who,
    registered_scopes: Vec<String>,
    now: Timestamp,
) -> Facts {
    let asked = login.app.as_ref();
    Facts {
        attributes: who.record.attributes.clone(),
        subject: who.record.subject.clone(),
        connection: ConnectionFacts { slug: connection.view.slug.clone(), domains: connection.view.domains.clone() },
        client: asked.map(|(open, _)| ClientFacts { name: open.view.name.clone(), scopes: registered_scopes }),
        user: None,
        request: RequestFacts {
            ip: Some(login.peer.to_string()),
            time: now,
            scopes: asked.map(|(_, asked)| asked.scope.clone()).unwrap_or_default(),
            acr: who.record.authn.acr.clone(),
            claims: asked.map(|(_, asked)| asked.requested_claims.clone()).unwrap_or_default(),
        },
    }
}

fn all(complaints: &[Complaint]) -> String {
    complaints.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn signed_in(login: &Login, connection: &OpenConnection, who: &Who) -> Reply {
    Reply::page(Page::SignedIn(SignedInPage {
        tenant: login.tenant.view.display_name.clone(),
        person: who.record.subject.display.clone(),
        connection: connection.view.display_name.clone(),
        logout: format!("{}/logout", login.tenant.view.issuer),
    }))
}
