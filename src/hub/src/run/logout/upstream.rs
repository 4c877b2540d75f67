//! The upstream's part in a logout: told last by us, or asking itself.

use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::http::{HttpInput, Reply, ReplyKind};
use fedbridge_contract::ids::{LogoutId, TraceId};
use fedbridge_contract::logout::{
    Channel, LogoutMessage, LogoutStart, Notice, NoticeId, Party, ReceivedLogout, Told, UpstreamLogout,
};
use fedbridge_contract::services::{TraceEvent, TraceSink as _};
use fedbridge_contract::trace::{Outcome, TraceLog};
use fedbridge_contract::upstream::Challenge;

use super::peer::Heard;
use super::record::{Asker, UpstreamPart};
use super::{CALL, PATIENCE, Run, away};
use crate::run::snapshot::{OpenConnection, TenantSnapshot};
use crate::run::{Hub, error_page};

/// The whole of a logout until its answer, and what the upstream's call gets of it at least.
const IN_ALL: Duration = Duration::from_millis(4500);
const LEAST: Duration = Duration::from_secs(1);

/// What came of telling the upstream.
pub(super) enum UpstreamTold {
    /// Nothing to do, or done.
    Answered(Option<Told>),
    /// The browser carries our request, and comes back with the answer.
    Sent(Reply),
}

impl Hub {
    /// Tells the upstream of the ended sessions, unless it is who asked.
    pub(super) async fn tell_upstream(&self, run: &mut Run) -> UpstreamTold {
        let mut told = None;
        // Those of other browsers' sessions can only be told by a call.
        let mut dead = Vec::new();
        for id in run.record.beside.clone() {
            let other = match self.load_logout(&run.tenant, id).await {
                Ok(other) => other.and_then(|(other, _)| other.record.upstream),
                Err(_) => {
                    told = worse(told, Some(Told::Silent));
                    continue;
                }
            };
            // Who did not answer for one session is not waited for again.
            let Some(part) = other.filter(|part| !dead.contains(&part.connection)) else { continue };
            let one = self.ask(run, id, &part, false).await.err().flatten();
            if one == Some(Told::Silent) {
                dead.push(part.connection);
            }
            told = worse(told, one);
        }
        let Some(part) = run.record.upstream.clone() else { return UpstreamTold::Answered(told) };
        match self.ask(run, run.id, &part, run.channel == Channel::Front).await {
            // What else was told stays in the trace: the answer to come is of this session.
            Ok(reply) => UpstreamTold::Sent(reply),
            Err(own) => UpstreamTold::Answered(worse(told, own)),
        }
    }

    /// `Ok`: the browser has to go there. `Err`: what came of it, where it can be told at all.
    async fn ask(
        &self,
        run: &mut Run,
        id: LogoutId,
        part: &UpstreamPart,
        browser: bool,
    ) -> Result<Reply, Option<Told>> {
        if matches!(&run.record.asker, Asker::Upstream { connection, .. } if *connection == part.connection) {
            return Err(None);
        }
        let tenant = Arc::clone(&run.tenant);
        let Some(open) = tenant.connections.get(&part.connection) else { return Err(None) };
        let Some(side) = logout_side(open) else { return Err(None) };
        let party = Party::Connection(part.connection);
        let start = LogoutStart {
            tenant: &tenant.view,
            session: &part.session,
            id: NoticeId { logout: id, party },
            now: self.services.clock.now(),
        };
        let begun = self.services.clock.now();
        let mut channel = Channel::Back;
        let told = match side.notice(start, &mut run.steps).await {
            Ok(Notice::Nothing) => return Err(None),
            Ok(Notice::Front(challenge)) if browser => return Ok(sent(challenge)),
            Ok(Notice::Frame(location)) if browser => return Ok(Reply::redirect(location)),
            Ok(Notice::Front(_) | Notice::Frame(_)) => {
                channel = Channel::Front;
                Told::Silent
            }
            Ok(Notice::Back(post)) => {
                let call = async {
                    match self.services.egress_to(&run.tenant.view, party).post(&post, CALL).await {
                        Ok(answer) => side.told(start, &answer).await,
                        Err(error) => {
                            tracing::info!(connection = %open.view.slug, %error, "an upstream could not be told of a logout");
                            Told::Silent
                        }
                    }
                };
                tokio::time::timeout(self.left(run), call).await.unwrap_or(Told::Silent)
            }
            Err(error) => {
                run.steps.decide("upstream", error.cause, false);
                Told::Silent
            }
        };
        self.observer.logout_notice(channel, told);
        let millis = self.services.clock.now().since(begun).as_millis();
        run.note(&open.view.display_name, &format!("our server's call, {millis} ms"), Some(told));
        Err(Some(told))
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

    /// The browser is back from the upstream: the logout's last step.
    async fn upstream_answered(&self, tenant: Arc<TenantSnapshot>, heard: Heard, id: NoticeId, told: Told) -> Reply {
        let found = match self.load_logout(&tenant, id.logout).await {
            Ok(found) => found,
            Err(error) => return away(&tenant, error),
        };
        // Another connection's answer is none to this logout's request.
        let asked = |run: &Run| run.record.upstream.as_ref().map(|part| Party::Connection(part.connection));
        let Some((mut run, _)) = found.filter(|(run, _)| asked(run) == Some(id.party)) else {
            let sentence = "This logout is over, or was never begun here.";
            return error_page(404, Some(&tenant), sentence, Some(heard.trace_id), None);
        };
        run.trace = heard.trace_id;
        run.steps.extend(heard.trace);
        let name = tenant.view.connections.iter().find(|view| Party::Connection(view.id) == id.party);
        let name = name.map_or_else(|| "the upstream".to_owned(), |view| view.display_name.clone());
        self.observer.logout_notice(Channel::Front, told);
        run.note(&name, "the browser", Some(told));
        match self.notices(&run).await {
            Ok(notices) => self.conclude(run, &notices, Some(told)).await,
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

fn logout_side(connection: &OpenConnection) -> Option<&dyn UpstreamLogout> {
    connection.state.as_ref().ok().and_then(|ready| ready.adapter.logout.as_deref())
}

fn sent(challenge: Challenge) -> Reply {
    match challenge {
        Challenge::Redirect(location) => Reply::redirect(location),
        Challenge::AutoPost { action, fields } => ReplyKind::AutoPost { action, fields }.into(),
    }
}

/// Of two, what leaves more to be done.
fn worse(one: Option<Told>, other: Option<Told>) -> Option<Told> {
    let weight = |told: &Option<Told>| match told {
        None => 0,
        Some(Told::Done) => 1,
        Some(Told::Partial) => 2,
        Some(Told::Refused) => 3,
        Some(Told::Silent) => 4,
    };
    if weight(&other) > weight(&one) { other } else { one }
}
