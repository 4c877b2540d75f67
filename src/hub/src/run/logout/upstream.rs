//! The upstreams' part in a logout: told last by us, or asking themselves.

use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::http::{HttpInput, Reply, ReplyKind};
use fedbridge_contract::ids::{ConnectionId, LogoutId, TraceId};
use fedbridge_contract::logout::{
    Channel, LogoutMessage, LogoutStart, Notice, NoticeId, Party, ReceivedLogout, Told, UpstreamLogout,
};
use fedbridge_contract::services::{EgressPost, TraceEvent, TraceSink as _};
use fedbridge_contract::trace::{Outcome, TraceLog};
use fedbridge_contract::upstream::Challenge;
use futures_util::future::join_all;

use super::peer::Heard;
use super::{CALL, OVER, PATIENCE, Run, away};
use crate::run::record::UpstreamPart;
use crate::run::snapshot::{OpenConnection, TenantSnapshot};
use crate::run::{Hub, error_page};

/// The whole of a logout until its answer, and what the upstream's call gets of it at least.
const IN_ALL: Duration = Duration::from_millis(4500);
const LEAST: Duration = Duration::from_secs(1);

/// How an upstream is told that has no address for a call.
pub(super) const BROWSER: &str = "the browser";

/// The browser carries our request to an upstream, and comes back with the answer.
pub(super) struct Trip {
    pub to: String,
    pub reply: Reply,
}

/// What an upstream takes.
enum Way {
    Call(EgressPost),
    Browser(Reply),
    Done(Option<Told>),
}

impl Hub {
    /// Tells the upstreams of the ended sessions, those that asked and those that were told before apart. Calls
    /// go out at once; then the browser goes to the others that live, one after the other. `None`: nobody is left.
    pub(super) async fn tell_upstreams(&self, run: &mut Run) -> Option<Trip> {
        if !run.looked {
            let (tenant, ahead) = (Arc::clone(&run.tenant), run.ahead());
            let silent = self.silent(&tenant, run.id, ahead).await;
            self.leave_out(run, silent).await;
        }
        let (calls, trips) = self.ways(run).await;
        let results = join_all(calls.into_iter().map(|(id, part, post)| {
            let (tenant, left) = (Arc::clone(&run.tenant), self.left(run));
            async move {
                let (told, millis) = self.call_upstream(&tenant, id, &part, &post, left).await;
                (id, part.connection, told, millis)
            }
        }));
        for (id, connection, told, millis) in results.await {
            self.upstream_told(run, (id, connection), told, &format!("our server's call, {millis} ms")).await;
        }
        let (connection, reply) = trips.into_iter().next()?;
        Some(Trip { to: upstream_name(&run.tenant, connection), reply })
    }

    /// Who is to be called, and to whom the browser has to go.
    async fn ways(&self, run: &mut Run) -> (Vec<(LogoutId, UpstreamPart, EgressPost)>, Vec<(ConnectionId, Reply)>) {
        let (mut calls, mut trips) = (Vec::new(), Vec::new());
        for id in run.ids().collect::<Vec<_>>() {
            // Those of other browsers' sessions can only be told by a call.
            let here = id == run.id && run.channel == Channel::Front;
            let parts = match id == run.id {
                true => run.record.upstreams.clone(),
                false => match self.load_logout(&run.tenant, id).await {
                    Ok(other) => other.map(|(other, _)| other.record.upstreams).unwrap_or_default(),
                    Err(error) => {
                        run.steps.decide("upstream", format!("of another session: {error}"), false);
                        continue;
                    }
                },
            };
            for part in parts {
                if !run.is_to_tell(id, part.connection) {
                    continue;
                }
                match self.way(run, id, &part, here).await {
                    Way::Call(post) => calls.push((id, part, post)),
                    Way::Browser(reply) => trips.push((part.connection, reply)),
                    Way::Done(None) => {}
                    Way::Done(Some(told)) => {
                        self.upstream_told(run, (id, part.connection), told, BROWSER).await;
                    }
                }
            }
        }
        (calls, trips)
    }

    async fn way(&self, run: &mut Run, id: LogoutId, part: &UpstreamPart, browser: bool) -> Way {
        let tenant = Arc::clone(&run.tenant);
        let Some(side) = tenant.connections.get(&part.connection).and_then(|open| logout_side(open)) else {
            return Way::Done(None);
        };
        match side.notice(self.call_to(&tenant, id, part), &mut run.steps).await {
            Ok(Notice::Nothing) => Way::Done(None),
            Ok(Notice::Back(post)) => Way::Call(post),
            Ok(Notice::Front(challenge)) if browser => Way::Browser(sent(challenge)),
            Ok(Notice::Frame(location)) if browser => Way::Browser(Reply::redirect(location)),
            Ok(Notice::Front(_) | Notice::Frame(_)) => Way::Done(Some(Told::Silent)),
            Err(error) => {
                run.steps.decide("upstream", error.cause, false);
                Way::Done(Some(Told::Silent))
            }
        }
    }

    /// Makes one call; gives back what came of it, and how long it took in milliseconds.
    async fn call_upstream(
        &self,
        tenant: &Arc<TenantSnapshot>,
        id: LogoutId,
        part: &UpstreamPart,
        post: &EgressPost,
        left: Duration,
    ) -> (Told, u128) {
        let begun = self.services.clock.now();
        let egress = self.services.egress_to(&tenant.view, Party::Connection(part.connection));
        let call = async {
            match (egress.post(post, CALL).await, tenant.connections.get(&part.connection)) {
                (Ok(answer), Some(open)) => match logout_side(open) {
                    Some(side) => side.told(self.call_to(tenant, id, part), &answer).await,
                    None => Told::Silent,
                },
                (Err(error), Some(open)) => {
                    tracing::info!(connection = %open.view.slug, %error, "an upstream could not be told of a logout");
                    Told::Silent
                }
                (_, None) => Told::Silent,
            }
        };
        let told = tokio::time::timeout(left, call).await.unwrap_or(Told::Silent);
        (told, self.services.clock.now().since(begun).as_millis())
    }

    pub(super) fn call_to<'a>(
        &self,
        tenant: &'a TenantSnapshot,
        id: LogoutId,
        part: &'a UpstreamPart,
    ) -> LogoutStart<'a> {
        LogoutStart {
            tenant: &tenant.view,
            session: &part.session,
            id: NoticeId { logout: id, party: Party::Connection(part.connection) },
            now: self.services.clock.now(),
        }
    }

    /// Writes down what came of telling one upstream, for whoever goes on with this logout.
    pub(super) async fn upstream_told(
        &self,
        run: &mut Run,
        (logout, connection): (LogoutId, ConnectionId),
        told: Told,
        how: &str,
    ) {
        let channel = if how == BROWSER { Channel::Front } else { Channel::Back };
        self.observer.logout_notice(channel, told);
        run.note(&upstream_name(&run.tenant, connection), how, Some(told));
        run.upstreams.push((logout, connection, told));
        let now = self.services.clock.now();
        if let Err(error) = self.logouts.note_upstream(run.tenant.view.id, logout, connection, told, now).await {
            tracing::warn!(%error, "what came of telling an upstream could not be kept");
        }
    }

    /// What is left of the time that whoever asked waits.
    fn left(&self, run: &Run) -> Duration {
        let passed = self.services.clock.now().since(run.record.started);
        IN_ALL.saturating_sub(passed).clamp(LEAST, PATIENCE)
    }

    /// A message at a logout address of a connection.
    pub(in crate::run) async fn upstream_logout(
        &self,
        tenant: Arc<TenantSnapshot>,
        connection: &OpenConnection,
        input: &HttpInput,
    ) -> Reply {
        let trace_id = self.new_trace_id();
        let mut trace = TraceLog::new();
        let Some(side) = logout_side(connection) else {
            return error_page(404, Some(&tenant), "There is no such page.", None, None);
        };
        let now = self.services.clock.now();
        let message = LogoutMessage { tenant: &tenant.view, input, now };
        let party = Party::Connection(connection.view.id);
        match side.receive(message, &mut trace).await {
            ReceivedLogout::Request(request) => {
                self.peer_logout(tenant, Heard { party, trace_id, trace }, *request, input).await
            }
            ReceivedLogout::Answer { id, told } if id.party == party => {
                self.upstream_answered(tenant, Heard { party, trace_id, trace }, id, told).await
            }
            ReceivedLogout::Answer { .. } => {
                trace.decide("answer", "it is to a request that went to somebody else", false);
                let sentence = "The answer of your login provider could not be accepted.";
                let reply = error_page(400, Some(&tenant), sentence, Some(trace_id), None);
                self.record_message(&tenant, connection, trace_id, trace, input);
                reply
            }
            ReceivedLogout::Reply(reply) => {
                self.record_message(&tenant, connection, trace_id, trace, input);
                reply
            }
        }
    }

    /// The browser is back from an upstream: the next one is told, or whoever asked gets the answer.
    async fn upstream_answered(&self, tenant: Arc<TenantSnapshot>, heard: Heard, id: NoticeId, told: Told) -> Reply {
        let found = match self.load_logout(&tenant, id.logout).await {
            Ok(found) => found,
            Err(error) => return away(&tenant, error),
        };
        // Another connection's answer is none to this logout's request.
        let found = found.and_then(|(run, _)| {
            let asked = |part: &&UpstreamPart| Party::Connection(part.connection) == id.party;
            let connection = run.record.upstreams.iter().find(asked)?.connection;
            Some((run, connection))
        });
        let Some((mut run, connection)) = found else {
            return error_page(404, Some(&tenant), OVER, Some(heard.trace_id), None);
        };
        run.trace = heard.trace_id;
        run.steps.extend(heard.trace);
        match self.notices(&mut run).await {
            Ok(notices) => {
                let this = (id.logout, connection);
                let before = run.upstreams.iter().find(|(of, to, _)| (*of, *to) == this).map(|(.., told)| *told);
                // The first answer counts. One to a request that was given up may still come.
                if before.is_none() || (before == Some(Told::Silent) && told != Told::Silent) {
                    run.upstreams.retain(|(of, to, _)| (*of, *to) != this);
                    self.upstream_told(&mut run, this, told, BROWSER).await;
                } else {
                    run.repeated = true;
                }
                self.finish_logout(run, notices).await
            }
            Err(error) => away(&tenant, error),
        }
    }

    /// Records a message that led to nothing, where a check of it failed.
    fn record_message(
        &self,
        tenant: &TenantSnapshot,
        connection: &OpenConnection,
        id: TraceId,
        steps: TraceLog,
        input: &HttpInput,
    ) {
        let Some(cause) = steps.cause() else { return };
        self.recorder.record(TraceEvent {
            connection: Some(connection.view.slug.clone()),
            peer: Some(input.peer),
            ..self.logout_event(tenant, id, (Outcome::Refused, cause), steps)
        });
    }
}

pub(super) fn logout_side(connection: &OpenConnection) -> Option<&dyn UpstreamLogout> {
    connection.state.as_ref().ok().and_then(|ready| ready.adapter.logout.as_deref())
}

fn sent(challenge: Challenge) -> Reply {
    match challenge {
        Challenge::Redirect(location) => Reply::redirect(location),
        Challenge::AutoPost { action, fields } => ReplyKind::AutoPost { action, fields }.into(),
    }
}

/// What people call a login provider.
pub(super) fn upstream_name(tenant: &TenantSnapshot, connection: ConnectionId) -> String {
    let view = tenant.view.connection_by_id(connection);
    view.map_or_else(|| "a login provider that is gone".to_owned(), |view| view.display_name.clone())
}
