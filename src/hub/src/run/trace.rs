//! Recording logins without slowing them: a bounded queue, one writer, batches.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use fedbridge_contract::ids::{TenantId, TraceId};
use fedbridge_contract::services::{Clock, Rng, TraceEvent, TraceSink};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::{Outcome, Step, TraceLog};
use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot};

use super::Hub;
use super::start::Login;
use crate::decide::ReplayInput;
use crate::ports::{RecordedTrace, Sealer, TraceStore, TraceSummary};
use crate::throttle::{ByPeer, Limit};

/// Traces that wait to be written. When they are this many, a further one shrinks to a count.
const QUEUE: usize = 1024;

/// Traces written in one transaction.
const BATCH: usize = 256;

/// How long a trace waits for company.
const LINGER: Duration = Duration::from_millis(50);

/// Refusals of one address that are kept in full; further ones shrink to a count, so that nobody fills
/// the store by being refused.
const REFUSALS: Limit = Limit { count: 120, per: Duration::from_secs(60) };

/// What the sealed part of a recorded trace holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TracePayload {
    pub steps: Vec<Step>,
    /// What a replay of the mapping needs; absent where the login ended before it.
    pub replay: Option<ReplayInput>,
}

/// Associated data of the sealed part.
pub fn trace_place(tenant: TenantId, trace: TraceId) -> Vec<u8> {
    format!("{tenant}/trace/{trace}").into_bytes()
}

/// How a login ended.
pub(super) struct Ending {
    pub outcome: Outcome,
    pub cause: String,
    /// The name that the upstream gave.
    pub person: Option<String>,
}

impl Hub {
    /// Records a login that is over, and counts it.
    pub(super) fn record(&self, login: Login, replay: Option<ReplayInput>, ending: Ending) {
        let now = self.services.clock.now();
        let steps = ended(login.trace, now, ending.outcome, &ending.cause);
        let connection = login.connection.as_ref().map(|open| open.view.slug.clone());
        let started = login.then.as_ref().and_then(|then| login.tenant.view.app_by_id(then.app));
        let app = login.app.as_ref().map(|(open, _)| &open.view).or(started);
        let seconds = now.since(login.started).as_secs_f64();
        let result = result_word(ending.outcome);
        if login.kind == "login" {
            self.observer.login(&login.tenant.view.slug, connection.as_deref().unwrap_or("none"), result, seconds);
        }
        self.recorder.push(
            Some(login.peer),
            Draft {
                summary: TraceSummary {
                    tenant: login.tenant.view.id,
                    id: login.trace_id,
                    at: login.started,
                    kind: login.kind.into(),
                    connection,
                    app: app.map(|app| app.name.clone()),
                    person: ending.person,
                    outcome: ending.outcome,
                    cause: ending.cause,
                },
                payload: TracePayload { steps, replay },
            },
        );
    }
}

/// The steps with how it ended, which has room behind any number of them.
fn ended(log: TraceLog, at: Timestamp, outcome: Outcome, cause: &str) -> Vec<Step> {
    let mut steps = log.into_steps();
    steps.push(Step::Result { at, outcome, cause: cause.to_owned() });
    steps
}

fn result_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "success",
        Outcome::Refused => "refused",
        Outcome::Error => "error",
    }
}

struct Draft {
    summary: TraceSummary,
    payload: TracePayload,
}

enum Message {
    Record(Box<Draft>),
    Flush(oneshot::Sender<()>),
}

/// Counts of the recorder, for the metrics page.
#[derive(Debug, Default)]
pub struct RecorderStats {
    pub written: AtomicU64,
    /// Traces that shrank to a count: the queue was full, or one address was refused too often.
    pub shrunk: AtomicU64,
    /// Traces lost because the store refused them.
    pub failed: AtomicU64,
}

/// Where logins leave their traces. Cloning gives another handle on the same queue.
#[derive(Clone)]
pub struct Recorder {
    queue: mpsc::Sender<Message>,
    overflow: Arc<Overflow>,
    refusals: Arc<ByPeer>,
    pub stats: Arc<RecorderStats>,
}

/// Counts of traces that were not kept in full, by tenant, kind and outcome.
type Overflow = Mutex<HashMap<(TenantId, String, &'static str), u64>>;

impl Recorder {
    /// Starts the writer as a task of the current runtime.
    pub fn start(
        store: Arc<dyn TraceStore>,
        sealer: Arc<dyn Sealer>,
        clock: Arc<dyn Clock>,
        rng: Arc<dyn Rng>,
    ) -> Self {
        let (queue, inbox) = mpsc::channel(QUEUE);
        let stats = Arc::new(RecorderStats::default());
        let overflow = Arc::new(Overflow::default());
        let writer = Writer { store, sealer, clock, rng, overflow: Arc::clone(&overflow), stats: Arc::clone(&stats) };
        tokio::spawn(writer.run(inbox));
        Self { queue, overflow, refusals: Arc::new(ByPeer::new(REFUSALS)), stats }
    }

    /// Waits until everything that was recorded before is written: a clean stop loses nothing.
    pub async fn flush(&self) {
        let (done, wait) = oneshot::channel();
        if self.queue.send(Message::Flush(done)).await.is_ok() {
            let _ = wait.await;
        }
    }

    fn push(&self, peer: Option<IpAddr>, draft: Draft) {
        let refused = draft.summary.outcome != Outcome::Success;
        if refused && peer.is_some_and(|peer| self.refusals.count(peer, draft.summary.at).is_some()) {
            self.shrink(draft.summary);
        } else if let Err(mpsc::error::TrySendError::Full(Message::Record(draft))) =
            self.queue.try_send(Message::Record(Box::new(draft)))
        {
            self.shrink(draft.summary);
        }
    }

    fn shrink(&self, summary: TraceSummary) {
        self.stats.shrunk.fetch_add(1, Ordering::Relaxed);
        let key = (summary.tenant, summary.kind, result_word(summary.outcome));
        *self.overflow.lock().unwrap_or_else(PoisonError::into_inner).entry(key).or_default() += 1;
    }
}

impl Recorder {
    /// Records an event that decided about somebody by rules; `replay` is what it takes to decide again.
    pub(super) fn record_decision(&self, event: TraceEvent, replay: Option<ReplayInput>) {
        let steps = ended(event.steps, event.at, event.outcome, &event.cause);
        self.push(
            event.peer,
            Draft {
                summary: TraceSummary {
                    tenant: event.tenant,
                    id: event.id,
                    at: event.at,
                    kind: event.kind.to_owned(),
                    connection: event.connection,
                    app: event.app,
                    person: event.person,
                    outcome: event.outcome,
                    cause: event.cause,
                },
                payload: TracePayload { steps, replay },
            },
        );
    }
}

impl TraceSink for Recorder {
    fn record(&self, event: TraceEvent) {
        self.record_decision(event, None);
    }
}

struct Writer {
    store: Arc<dyn TraceStore>,
    sealer: Arc<dyn Sealer>,
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    overflow: Arc<Overflow>,
    stats: Arc<RecorderStats>,
}

impl Writer {
    async fn run(self, mut inbox: mpsc::Receiver<Message>) {
        while let Some(first) = inbox.recv().await {
            let mut batch = Vec::new();
            let mut waiting = Vec::new();
            self.take(first, &mut batch, &mut waiting);
            if waiting.is_empty() {
                tokio::time::sleep(LINGER).await;
            }
            while batch.len() < BATCH
                && let Ok(next) = inbox.try_recv()
            {
                self.take(next, &mut batch, &mut waiting);
            }
            batch.extend(self.shrunk());
            self.write(&batch).await;
            for done in waiting {
                let _ = done.send(());
            }
        }
    }

    fn take(&self, message: Message, batch: &mut Vec<RecordedTrace>, waiting: &mut Vec<oneshot::Sender<()>>) {
        match message {
            Message::Record(draft) => batch.push(self.seal(*draft)),
            Message::Flush(done) => waiting.push(done),
        }
    }

    fn seal(&self, draft: Draft) -> RecordedTrace {
        let plain = serde_json::to_vec(&draft.payload).unwrap_or_default();
        let place = trace_place(draft.summary.tenant, draft.summary.id);
        RecordedTrace { sealed: self.sealer.seal(&place, &plain), summary: draft.summary }
    }

    /// One summary for each kind of trace that was not kept in full.
    fn shrunk(&self) -> Vec<RecordedTrace> {
        let counts = std::mem::take(&mut *self.overflow.lock().unwrap_or_else(PoisonError::into_inner));
        counts
            .into_iter()
            .map(|((tenant, kind, result), count)| {
                let outcome = match result {
                    "success" => Outcome::Success,
                    "refused" => Outcome::Refused,
                    _ => Outcome::Error,
                };
                let at = self.clock.now();
                self.seal(Draft {
                    summary: TraceSummary {
                        tenant,
                        id: TraceId::at(at, self.rng.as_ref()),
                        at,
                        kind,
                        connection: None,
                        app: None,
                        person: None,
                        outcome,
                        cause: format!("{count} more ended so; under load their steps are not kept"),
                    },
                    payload: TracePayload { steps: Vec::new(), replay: None },
                })
            })
            .collect()
    }

    async fn write(&self, batch: &[RecordedTrace]) {
        if batch.is_empty() {
            return;
        }
        let count = batch.len() as u64;
        match self.store.append(batch).await {
            Ok(()) => self.stats.written.fetch_add(count, Ordering::Relaxed),
            Err(error) => {
                tracing::error!(count, %error, "traces could not be written");
                self.stats.failed.fetch_add(count, Ordering::Relaxed)
            }
        };
    }
}
