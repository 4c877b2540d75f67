//! Single logout, whoever asks for it.
//!
//! 1. [`begin`]: our sessions end and the logout is stored, in one unit. From here nobody joins them
//!    any more, and whatever happens to this node, the [`outbox`] tells those who are left.
//! 2. [`carry`] takes it from there through the next three, to the answer.
//! 3. [`channel`]: apps that our server can call are told, all at once, within three seconds.
//! 4. [`frames`]: the browser tells the others, in frames of one page, within four seconds in all.
//! 5. [`upstream`]: upstreams are told last, because the browser may not come back from there: those that take a
//!    call all at once, then the others one after the other. Who is [`silent`] by then is left out.
//! 6. [`conclude`]: whoever asked gets one answer. It is partial where somebody was not told.
//!
//! An upstream's server that can't wait is answered behind the first step, and [`behind`] goes on from there.
//! [`revoke`] gives the upstreams' tokens back beside the calls.
//!
//! An app that is dead takes its own time, never that of the others.

mod begin;
mod behind;
mod carry;
mod channel;
mod conclude;
mod frames;
mod outbox;
mod peer;
mod record;
mod request;
mod revoke;
mod silent;
mod standing;
mod upstream;

use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::error::StoreError;
use fedbridge_contract::http::Reply;
use fedbridge_contract::ids::{ConnectionId, LogoutId, SessionId, TenantId, TraceId};
use fedbridge_contract::logout::{Channel, DownstreamLogout, Told};
use fedbridge_contract::services::{EgressLimits, TraceEvent, TraceSink as _};
use fedbridge_contract::trace::{Outcome, TraceLog};

use super::ending::Stop;
use super::snapshot::{OpenApp, TenantSnapshot};
use super::{Hub, error_page};
use crate::ports::{KeptTokens, StoredLogout, StoredNotice};
use record::LogoutRecord;

pub(super) use begin::{Begin, unasked_logout};
pub use behind::Behind;
pub(super) use frames::LogoutStep;
pub(super) use peer::Heard;
pub(super) use record::Asker;
pub(super) use request::LogoutWish;
pub(super) use revoke::revoke_all;

/// What a call to a party's server may take.
const CALL: EgressLimits = EgressLimits { max_body: 64 * 1024, timeout: Duration::from_secs(3) };

/// After this a notice's call counts as unanswered, whatever held it up.
const PATIENCE: Duration = Duration::from_millis(3500);

/// What somebody reads who comes too late to go on with a logout.
const OVER: &str = "This logout is over, or was never begun here.";

/// How long a logout can be gone on with.
const KEPT: Duration = Duration::from_secs(900);

/// A logout in the hands of one request.
pub(super) struct Run {
    tenant: Arc<TenantSnapshot>,
    id: LogoutId,
    record: LogoutRecord,
    /// Whether a browser carries it.
    channel: Channel,
    steps: TraceLog,
    /// The trace of the request that goes on with it: the record's own for the first one.
    trace: TraceId,
    /// Sessions that this request ended and that upstreams' tokens may be kept for.
    sessions: Vec<SessionId>,
    /// Tokens of upstreams that are to be given back besides.
    kept: Vec<KeptTokens>,
    /// What came of telling upstreams by now, each under the logout of its session.
    upstreams: Vec<(LogoutId, ConnectionId, Told)>,
    /// Upstreams that the browser is to go to were looked at, seconds ago at most.
    looked: bool,
    /// Whoever asked has an answer already.
    answered: bool,
    /// The browser brings an answer that was heard before: it gets the same page, and nothing is written down.
    repeated: bool,
}

impl Run {
    /// This logout and those of further sessions that end with it.
    fn ids(&self) -> impl Iterator<Item = LogoutId> {
        std::iter::once(self.id).chain(self.record.beside.iter().copied())
    }

    /// Writes down how telling somebody went.
    fn note(&mut self, who: &str, how: &str, told: Option<Told>) {
        let outcome = format!("{who} by {how}: {}", word(told));
        self.steps.decide("told", outcome, told == Some(Told::Done));
    }
}

impl Hub {
    /// All notices of a logout, as they are now; what is known of upstreams is brought up to date.
    async fn notices(&self, run: &mut Run) -> Result<Vec<StoredNotice>, StoreError> {
        let (mut notices, mut upstreams) = (Vec::new(), Vec::new());
        for id in run.ids() {
            if let Some(stored) = self.logouts.logout(run.tenant.view.id, id).await? {
                notices.extend(stored.notices);
                upstreams.extend(stored.upstreams.into_iter().map(|(connection, told)| (id, connection, told)));
            }
        }
        run.upstreams = upstreams;
        Ok(notices)
    }

    /// A logout that was begun before, to be gone on with by a browser.
    async fn load_logout(
        &self,
        tenant: &Arc<TenantSnapshot>,
        id: LogoutId,
    ) -> Result<Option<(Run, StoredLogout)>, StoreError> {
        let now = self.services.clock.now();
        let stored = self.logouts.logout(tenant.view.id, id).await?;
        let Some(stored) = stored.filter(|stored| stored.started + KEPT > now) else { return Ok(None) };
        let plain = self.sealer.open(&logout_place(tenant.view.id, id), &stored.sealed).ok();
        let record = plain.and_then(|plain| serde_json::from_slice::<LogoutRecord>(&plain).ok());
        let Some(record) = record else { return Ok(None) };
        let trace = self.new_trace_id();
        let mut steps = TraceLog::new();
        steps.decide("logout", format!("goes on from {}", record.trace), true);
        let run = Run {
            tenant: Arc::clone(tenant),
            id,
            record,
            channel: Channel::Front,
            steps,
            trace,
            sessions: Vec::new(),
            kept: Vec::new(),
            upstreams: Vec::new(),
            looked: false,
            answered: false,
            repeated: false,
        };
        Ok(Some((run, stored)))
    }

    /// The logout side of the protocol that an app speaks.
    fn logout_side(&self, app: &OpenApp) -> Option<&dyn DownstreamLogout> {
        self.downstream(app.view.kind)?.logout()
    }

    /// Records what one request did for a logout. `not_told` names who is left out for good.
    fn record_logout(&self, run: Run, not_told: &[String]) {
        if run.repeated {
            return;
        }
        let (outcome, cause) = match not_told {
            [] => (Outcome::Success, String::new()),
            names => (Outcome::Error, format!("not told: {}", names.join(", "))),
        };
        self.recorder.record(TraceEvent {
            app: run.record.asker.app_name(&run.tenant),
            connection: run.record.asker.connection_name(&run.tenant),
            person: run.record.person,
            ..self.logout_event(&run.tenant, run.trace, (outcome, cause), run.steps)
        });
    }

    /// The record of something about a logout: of whom is for the caller to add.
    fn logout_event(
        &self,
        tenant: &TenantSnapshot,
        id: TraceId,
        (outcome, cause): (Outcome, String),
        steps: TraceLog,
    ) -> TraceEvent {
        TraceEvent {
            tenant: tenant.view.id,
            id,
            at: self.services.clock.now(),
            kind: "logout",
            app: None,
            connection: None,
            person: None,
            peer: None,
            outcome,
            cause,
            steps,
        }
    }
}

/// Where the sealed record of a logout belongs.
fn logout_place(tenant: TenantId, logout: LogoutId) -> Vec<u8> {
    format!("{tenant}/logout/{logout}").into_bytes()
}

fn word(told: Option<Told>) -> &'static str {
    match told {
        Some(Told::Done) => "done",
        Some(Told::Partial) => "done, but not behind it",
        Some(Told::Refused) => "it refused",
        Some(Told::Silent) => "can't be told",
        None => "no answer",
    }
}

/// Nothing more can be done now, and trying again is right.
fn away(tenant: &TenantSnapshot, error: impl std::fmt::Display) -> Reply {
    tracing::warn!(%error, "a logout could not be gone on with");
    error_page(503, Some(tenant), Stop::unavailable(error.to_string()).refusal.public, None, None)
}
