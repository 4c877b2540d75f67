//! Logout messages of peers: requests that end sessions, and apps' answers to notices of ours.

use std::sync::Arc;

use fedbridge_contract::epoch::Killed;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::http::{HttpInput, Reply};
use fedbridge_contract::ids::{ConnectionId, PersonId, SessionId, TraceId};
use fedbridge_contract::logout::{
    Channel, LogoutEnd, LogoutSelector, Manner, Named, NoticeId, Party, PeerLogout, Told,
};
use fedbridge_contract::services::{TraceEvent, TraceSink as _};
use fedbridge_contract::trace::{Outcome, TraceLog};

use super::away;
use super::begin::Begin;
use super::conclude::{Reached, framed};
use super::frames::noticed;
use super::record::Asker;
use crate::ports::{KeptTokens, StoredSession, Unit, UnitError};
use crate::run::record::AskedOnce;
use crate::run::session::end_session_cookie;
use crate::run::snapshot::TenantSnapshot;
use crate::run::start::spent;
use crate::run::{Happened, Hub, Initiator, error_page};

/// A message that an adapter has verified: from whom, and what it wrote down.
pub struct Heard {
    pub party: Party,
    pub trace_id: TraceId,
    pub trace: TraceLog,
}

impl Hub {
    /// Ends the sessions that a peer names, tells everybody else, and answers the peer.
    pub(in crate::run) async fn peer_logout(
        &self,
        tenant: Arc<TenantSnapshot>,
        heard: Heard,
        request: PeerLogout,
        input: &HttpInput,
    ) -> Reply {
        let PeerLogout { selector, channel, once, continuation, framed_by, manner } = request;
        let mut once: Vec<AskedOnce> = once.into_iter().map(AskedOnce::from).collect();
        let asker = match heard.party {
            Party::App(app) => Asker::App { app, continuation },
            Party::Connection(connection) => Asker::Upstream { connection, continuation },
        };
        let answers = Answers { asker: asker.clone(), channel };
        let mut heard = heard;
        let mut killed = None;
        if !manner.ends() {
            return match self.good_news(&tenant, (&selector, &manner), once, &mut heard.trace).await {
                Ok(()) => self.nothing_to_end(tenant, heard, answers, LogoutEnd::Complete, Vec::new(), input).await,
                Err(error) => self.not_begun(&tenant, &answers, heard.trace_id, error, input).await,
            };
        }
        if manner.everything {
            match self.kill_selected(&tenant, (&selector, &manner), &mut once, &mut heard.trace).await {
                Ok(kept) => killed = kept,
                Err(error) => return self.not_begun(&tenant, &answers, heard.trace_id, error, input).await,
            }
        }
        let (sessions, here) = match self.of_this_request(&tenant, &selector, channel, manner.only_here, input).await {
            Ok(found) => found,
            Err(error) => return self.failed(&tenant, &answers, error).await,
        };
        if sessions.is_empty() {
            let end = if killed.is_some() { LogoutEnd::Complete } else { LogoutEnd::NoSession };
            self.revoke_tokens(&tenant, killed.unwrap_or_default()).await;
            let reply = self.nothing_to_end(tenant, heard, answers, end, once, input).await;
            return framed(reply, framed_by.as_deref());
        }
        // A cookie of another session stays: nobody asked for that one's end.
        let ends_here = sessions.iter().any(|session| Some(session.id) == here);
        let begin = Begin {
            tenant: Arc::clone(&tenant),
            asker,
            channel,
            framed_by,
            once,
            sessions,
            steps: heard.trace,
            trace: heard.trace_id,
        };
        let reply = match self.begin_logout(begin).await {
            Ok(mut run) => {
                run.kept = killed.unwrap_or_default();
                if manner.at_once { self.answer_at_once(run).await } else { self.carry_on(run).await }
            }
            Err(error) => return self.not_begun(&tenant, &answers, heard.trace_id, error, input).await,
        };
        if ends_here { reply.with_cookie(end_session_cookie(tenant.view.id)) } else { reply }
    }

    /// The sessions that are meant, with that of this browser, which comes first if it is among them.
    async fn of_this_request(
        &self,
        tenant: &TenantSnapshot,
        selector: &LogoutSelector,
        channel: Channel,
        only_here: bool,
        input: &HttpInput,
    ) -> Result<(Vec<StoredSession>, Option<SessionId>), StoreError> {
        let now = self.services.clock.now();
        let mut sessions = self.selected(tenant, selector).await?;
        let live = match channel {
            Channel::Front => self.session_to_end(tenant.view.id, input, now).await?,
            Channel::Back => None,
        };
        let here = live.map(|live| live.stored.id);
        if only_here {
            sessions.retain(|session| Some(session.id) == here);
        }
        // Only the session of this browser can be logged out upstream by way of the browser.
        sessions.sort_by_key(|session| Some(session.id) != here);
        Ok((sessions, here))
    }

    /// Ends all that the people behind a selector were given, offline access too. The request is used up
    /// before: whoever sends it again must not end what they were given since. Gives back the tokens of
    /// upstreams that were kept for them; `None`: there is nobody.
    async fn kill_selected(
        &self,
        tenant: &TenantSnapshot,
        (selector, manner): (&LogoutSelector, &Manner),
        once: &mut Vec<AskedOnce>,
        steps: &mut TraceLog,
    ) -> Result<Option<Vec<KeptTokens>>, UnitError> {
        let (id, now) = (tenant.view.id, self.services.clock.now());
        let commands: Vec<_> = std::mem::take(once).into_iter().map(spent).collect();
        if !commands.is_empty() {
            self.store.commit(id, Unit { commands, now }).await?;
        }
        let people = self.people_of(tenant, selector).await?;
        self.stand(tenant, selector, &people, manner).await?;
        let mut kept = Vec::new();
        for person in &people {
            if let Some(epoch) = self.kills.kill(Killed::Person(id, *person), now).await? {
                steps.decide("person", format!("all that was given out is dead with number {}", epoch.0), true);
                let revoked = Happened::SessionRevoked { session: None, by: Initiator::Policy };
                self.announce_behind(tenant, *person, &[revoked]).await;
            }
            kept.extend(self.upstream_tokens.give_up_all(id, *person).await?);
        }
        if !people.is_empty() {
            // So that a login of theirs that comes next on this node carries a number that is new enough.
            self.gate.catch_up(self.kills.as_ref()).await?;
        }
        Ok((!people.is_empty()).then_some(kept))
    }

    /// An app has answered a notice of ours, in a frame.
    pub(in crate::run) async fn app_answered(
        &self,
        tenant: Arc<TenantSnapshot>,
        heard: Heard,
        id: NoticeId,
        told: Told,
        input: &HttpInput,
    ) -> Reply {
        let Heard { party, trace_id, trace: mut steps } = heard;
        let now = self.services.clock.now();
        let settled = match party {
            Party::App(app) => self.logouts.settle(tenant.view.id, id.logout, app, told, now).await,
            Party::Connection(_) => Ok(false),
        };
        let ended = match settled {
            Ok(true) => {
                self.observer.logout_notice(Channel::Front, told);
                steps.decide("told", super::word(Some(told)), told == Told::Done);
                (Outcome::Success, String::new())
            }
            Ok(false) => {
                let cause = "no notice of ours waits for this answer";
                steps.decide("told", cause, false);
                (Outcome::Refused, cause.to_owned())
            }
            Err(error) => return away(&tenant, error),
        };
        self.recorder.record(TraceEvent {
            app: app_name(&tenant, party),
            peer: Some(input.peer),
            ..self.logout_event(&tenant, trace_id, ended, steps)
        });
        noticed(&tenant)
    }

    pub(super) async fn selected(
        &self,
        tenant: &TenantSnapshot,
        selector: &LogoutSelector,
    ) -> Result<Vec<StoredSession>, StoreError> {
        let now = self.services.clock.now();
        let id = tenant.view.id;
        match selector {
            LogoutSelector::Session(session) => {
                Ok(self.logouts.session_by_id(id, *session, now).await?.into_iter().collect())
            }
            LogoutSelector::Participant { app, key, indexes } => {
                self.logouts.sessions_of_participant(id, *app, key, indexes, now).await
            }
            LogoutSelector::Upstream { connection, key, indexes } => {
                self.logouts.sessions_of_upstream(id, *connection, key, indexes, now).await
            }
            LogoutSelector::UpstreamIndex { connection, index } => {
                self.logouts.sessions_of_upstream_index(id, *connection, index, now).await
            }
            LogoutSelector::Person { connection, named } => {
                let mut sessions = Vec::new();
                for person in self.named(tenant, *connection, named).await? {
                    sessions.extend(self.logouts.sessions_of_person(id, person, now).await?);
                }
                Ok(sessions)
            }
        }
    }

    /// The people whom an upstream means. An address may be of several who came from there.
    pub(super) async fn named(
        &self,
        tenant: &TenantSnapshot,
        connection: ConnectionId,
        named: &Named,
    ) -> Result<Vec<PersonId>, StoreError> {
        let id = tenant.view.id;
        match named {
            Named::Subject(key) => {
                let linked = self.store.linked_person(id, connection, key).await?;
                Ok(linked.map(|linked| linked.person).into_iter().collect())
            }
            Named::Email(address) => self.people.people_by_email(id, connection, &self.email_hash(id, address)).await,
        }
    }

    /// The sessions are over already, which is what was wanted. The request is used up all the same.
    async fn nothing_to_end(
        &self,
        tenant: Arc<TenantSnapshot>,
        heard: Heard,
        answers: Answers,
        end: LogoutEnd,
        once: Vec<AskedOnce>,
        input: &HttpInput,
    ) -> Reply {
        let now = self.services.clock.now();
        let commands: Vec<_> = once.into_iter().map(spent).collect();
        // Nobody signs what a frame asks for, and it can come any number of times. It counts as a refusal, so that
        // a stranger who guesses names does not fill the store with records of success.
        let ended = match (commands.is_empty(), answers.channel) {
            (true, Channel::Front) => (Outcome::Refused, "no session of that name".to_owned()),
            _ => (Outcome::Success, String::new()),
        };
        if !commands.is_empty()
            && let Err(error) = self.store.commit(tenant.view.id, Unit { commands, now }).await
        {
            return self.not_begun(&tenant, &answers, heard.trace_id, error, input).await;
        }
        let asker = answers.asker;
        let mut steps = heard.trace;
        steps.decide("session", "none of that name: it is over already", true);
        self.recorder.record(TraceEvent {
            app: asker.app_name(&tenant),
            connection: asker.connection_name(&tenant),
            peer: Some(input.peer),
            ..self.logout_event(&tenant, heard.trace_id, ended, steps)
        });
        self.answer_asker(&tenant, &asker, end, Reached::default()).await
    }

    /// Nothing was ended: the request was used before, or the store does not answer.
    async fn not_begun(
        &self,
        tenant: &Arc<TenantSnapshot>,
        answers: &Answers,
        trace_id: TraceId,
        error: UnitError,
        input: &HttpInput,
    ) -> Reply {
        let cause = match error {
            UnitError::Store(error) => return self.failed(tenant, answers, error).await,
            UnitError::Guard(guard) => guard.to_string(),
        };
        let mut steps = TraceLog::new();
        steps.check("used once", "", "first use", &cause, false);
        let cause = format!("a replay: {cause}");
        self.recorder.record(TraceEvent {
            app: answers.asker.app_name(tenant),
            connection: answers.asker.connection_name(tenant),
            peer: Some(input.peer),
            ..self.logout_event(tenant, trace_id, (Outcome::Refused, cause), steps)
        });
        match answers.channel {
            // A server can't read a page (SAML bindings 3.2.3.3).
            Channel::Back => self.answer_asker(tenant, &answers.asker, LogoutEnd::Refused, Reached::default()).await,
            Channel::Front => {
                error_page(400, Some(tenant), "This logout request was used before.", Some(trace_id), None)
            }
        }
    }

    /// The store does not answer, and nothing was ended.
    async fn failed(&self, tenant: &Arc<TenantSnapshot>, answers: &Answers, error: StoreError) -> Reply {
        match answers.channel {
            Channel::Front => away(tenant, error),
            Channel::Back => {
                tracing::warn!(%error, "a logout that a server asked for could not be begun");
                self.answer_asker(tenant, &answers.asker, LogoutEnd::Failed, Reached::default()).await
            }
        }
    }
}

/// Who is answered, and by what.
struct Answers {
    asker: Asker,
    channel: Channel,
}

fn app_name(tenant: &TenantSnapshot, party: Party) -> Option<String> {
    let Party::App(app) = party else { return None };
    tenant.view.app_by_id(app).map(|app| app.name.clone())
}
