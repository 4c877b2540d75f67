//! Logout messages of peers: requests that end sessions, and apps' answers to notices of ours.

use std::sync::Arc;

use fedbridge_contract::error::StoreError;
use fedbridge_contract::http::{HttpInput, Reply};
use fedbridge_contract::ids::TraceId;
use fedbridge_contract::logout::{Channel, LogoutEnd, LogoutSelector, NoticeId, Party, PeerLogout, Told};
use fedbridge_contract::services::{TraceEvent, TraceSink as _};
use fedbridge_contract::trace::{Outcome, TraceLog};

use super::away;
use super::begin::Begin;
use super::conclude::framed;
use super::frames::noticed;
use super::record::Asker;
use crate::ports::{StoredSession, Unit, UnitError};
use crate::run::record::AskedOnce;
use crate::run::session::end_session_cookie;
use crate::run::snapshot::TenantSnapshot;
use crate::run::start::spent;
use crate::run::{Hub, error_page};

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
        let PeerLogout { selector, channel, once, continuation, framed_by, manner: _ } = request;
        let once: Vec<AskedOnce> = once.into_iter().map(AskedOnce::from).collect();
        let asker = match heard.party {
            Party::App(app) => Asker::App { app, continuation },
            Party::Connection(connection) => Asker::Upstream { connection, continuation },
        };
        let answers = Answers { asker: asker.clone(), channel };
        let now = self.services.clock.now();
        let found = async {
            let mut sessions = self.selected(&tenant, &selector).await?;
            let live = match channel {
                Channel::Front => self.session_to_end(tenant.view.id, input, now).await?,
                Channel::Back => None,
            };
            let here = live.map(|live| live.stored.id);
            // Only the session of this browser can be logged out upstream by way of the browser.
            sessions.sort_by_key(|session| Some(session.id) != here);
            Ok::<_, StoreError>((sessions, here))
        };
        let (sessions, here) = match found.await {
            Ok(found) => found,
            Err(error) => return self.failed(&tenant, &answers, error).await,
        };
        if sessions.is_empty() {
            return framed(self.nothing_to_end(tenant, heard, answers, once, input).await, framed_by.as_deref());
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
            Ok(run) => self.carry_on(run).await,
            Err(error) => return self.not_begun(&tenant, &answers, heard.trace_id, error, input).await,
        };
        if ends_here { reply.with_cookie(end_session_cookie(tenant.view.id)) } else { reply }
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

    async fn selected(
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
            // No adapter names these yet; the store's part comes with the sessions of several upstreams.
            LogoutSelector::UpstreamIndex { .. } | LogoutSelector::Person { .. } => Ok(Vec::new()),
        }
    }

    /// The sessions are over already, which is what was wanted. The request is used up all the same.
    async fn nothing_to_end(
        &self,
        tenant: Arc<TenantSnapshot>,
        heard: Heard,
        answers: Answers,
        once: Vec<AskedOnce>,
        input: &HttpInput,
    ) -> Reply {
        let now = self.services.clock.now();
        let commands: Vec<_> = once.into_iter().map(spent).collect();
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
            ..self.logout_event(&tenant, heard.trace_id, (Outcome::Success, String::new()), steps)
        });
        self.answer_asker(&tenant, &asker, LogoutEnd::NoSession, Vec::new()).await
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
            Channel::Back => self.answer_asker(tenant, &answers.asker, LogoutEnd::Refused, Vec::new()).await,
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
                self.answer_asker(tenant, &answers.asker, LogoutEnd::Failed, Vec::new()).await
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
