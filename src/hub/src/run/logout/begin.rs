//! The end of our own sessions, which comes first and is durable.

use std::sync::Arc;

use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{ConnectionId, LogoutId, PersonId, SessionId, TenantId, TraceId};
use fedbridge_contract::logout::Channel;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;

use super::record::{Asker, LogoutRecord};
use super::{KEPT, Run, logout_place};
use crate::ports::{Command, NewLogout, Sealer, StoredNotice, StoredSession, Unit, UnitError};
use crate::run::ending::Stop;
use crate::run::record::AskedOnce;
use crate::run::snapshot::TenantSnapshot;
use crate::run::start::{Login, spent};
use crate::run::{Happened, Hub, Initiator};

/// Sessions of one unit: a database statement has a bounded number of values.
const TOGETHER: usize = 16;

/// What a logout begins with.
pub(in crate::run) struct Begin {
    pub tenant: Arc<TenantSnapshot>,
    pub asker: Asker,
    pub channel: Channel,
    pub framed_by: Option<String>,
    pub once: Vec<AskedOnce>,
    /// At least one; that of this browser first, if it is among them.
    pub sessions: Vec<StoredSession>,
    pub steps: TraceLog,
    pub trace: TraceId,
}

impl Hub {
    /// Ends the sessions. When this gives back a run, that of this browser is over, and so are all others
    /// unless the store failed on the way: [`Hub::conclude`] says so then. The request is used up with the
    /// first of them, so whoever wants the rest ended asks anew.
    pub(in crate::run) async fn begin_logout(&self, begin: Begin) -> Result<Run, UnitError> {
        let now = self.services.clock.now();
        let mut parts: Vec<_> = begin.sessions.iter().map(|stored| self.part(&begin, stored, now)).collect();
        let Begin { tenant, channel, once, mut steps, trace, .. } = begin;
        let beside = parts.iter().skip(1).map(|part| part.id).collect();
        let Some((first, others)) = parts.split_first_mut() else {
            return Err(UnitError::Store(StoreError("a logout of no session".into())));
        };
        first.record.beside = beside;
        others.iter_mut().for_each(|other| other.record.asker = Asker::With(first.id));
        let (id, record) = (first.id, first.record.clone());
        let mut once: Vec<Command> = once.into_iter().map(spent).collect();
        let mut units = Vec::new();
        for together in parts.chunks(TOGETHER) {
            let mut commands = std::mem::take(&mut once);
            for part in together {
                commands.push(Command::EndSession(part.session));
                let revoked = Happened::SessionRevoked { session: Some(part.session), by: part.by };
                commands.extend(self.signals(&tenant, part.person, (trace, now), &[revoked]));
                commands.push(self.open_logout(&tenant, part, now)?);
            }
            units.push((together.len(), Unit { commands, now }));
        }
        let mut ended = 0;
        for (count, unit) in units {
            match self.store.commit(tenant.view.id, unit).await {
                Ok(()) => ended += count,
                Err(error) if ended == 0 => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, "some sessions of a logout could not be ended");
                    break;
                }
            }
        }
        let outcome = match (ended, parts.len()) {
            (1, 1) => "ended".to_owned(),
            (ended, all) if ended == all => format!("{ended} ended"),
            (ended, all) => format!("{ended} of {all} ended; the store failed"),
        };
        steps.decide("session", outcome, ended == parts.len());
        let sessions = parts.into_iter().take(ended).filter(|part| part.renewable).map(|part| part.session).collect();
        let (kept, upstreams) = (Vec::new(), Vec::new());
        Ok(Run {
            tenant,
            id,
            record,
            channel,
            steps,
            trace,
            sessions,
            kept,
            upstreams,
            looked: false,
            answered: false,
            repeated: false,
        })
    }

    /// Takes everybody but the asker out of the ended sessions, to be told.
    pub(super) async fn spread(&self, run: &Run) -> Result<Vec<StoredNotice>, UnitError> {
        let now = self.services.clock.now();
        let mut notices = Vec::new();
        for id in run.ids() {
            notices.extend(self.logouts.spread(run.tenant.view.id, id, run.record.asker.app(), now).await?);
        }
        Ok(notices)
    }

    /// The command that stores a logout beside the end of a session that another person's login replaces. The
    /// outbox does the rest.
    pub(in crate::run) fn open_replaced(
        &self,
        login: &Login,
        session: SessionId,
        now: Timestamp,
    ) -> Result<Command, Stop> {
        let id = LogoutId::at(now, self.services.rng.as_ref());
        let asker = (Asker::Replaced, login.trace_id, None);
        Ok(unasked_logout(self.sealer.as_ref(), login.tenant.view.id, id, session, asker, now)?)
    }

    fn part(&self, begin: &Begin, stored: &StoredSession, now: Timestamp) -> Part {
        // A record that does not open was sealed under another master key; the session ends all the same.
        let session = self.session_record(begin.tenant.view.id, stored);
        let person = session.as_ref().map(|session| session.subject.display.clone());
        let upstreams = session.map(|session| session.upstreams(stored.connection)).unwrap_or_default();
        let renewable = upstreams.iter().any(|part| renews(&begin.tenant, part.connection));
        let record = LogoutRecord {
            asker: begin.asker.clone(),
            beside: Vec::new(),
            upstreams,
            person,
            trace: begin.trace,
            started: now,
            framed_by: begin.framed_by.clone(),
        };
        let (person, by) = (stored.person, begin.asker.initiator());
        Part { id: LogoutId::at(now, self.services.rng.as_ref()), session: stored.id, person, by, record, renewable }
    }

    fn open_logout(&self, tenant: &TenantSnapshot, part: &Part, now: Timestamp) -> Result<Command, StoreError> {
        open(self.sealer.as_ref(), tenant.view.id, part.id, part.session, &part.record, now)
    }
}

/// The command that stores a logout that nobody waits for, beside the end of its session. The outbox does the
/// rest. Of the one who asked it takes the trace, and the person's name.
pub(in crate::run) fn unasked_logout(
    sealer: &dyn Sealer,
    tenant: TenantId,
    id: LogoutId,
    session: SessionId,
    (asker, trace, person): (Asker, TraceId, Option<String>),
    now: Timestamp,
) -> Result<Command, StoreError> {
    let record =
        LogoutRecord { asker, beside: Vec::new(), upstreams: Vec::new(), person, trace, started: now, framed_by: None };
    open(sealer, tenant, id, session, &record, now)
}

fn open(
    sealer: &dyn Sealer,
    tenant: TenantId,
    id: LogoutId,
    session: SessionId,
    record: &LogoutRecord,
    now: Timestamp,
) -> Result<Command, StoreError> {
    let plain =
        serde_json::to_vec(record).map_err(|error| StoreError(format!("a logout can't be written: {error}")))?;
    let sealed = sealer.seal(&logout_place(tenant, id), &plain);
    Ok(Command::OpenLogout(NewLogout { id, sessions: vec![session], expires: now + KEPT, sealed }))
}

/// One session, with the logout that ends it.
struct Part {
    id: LogoutId,
    session: SessionId,
    person: PersonId,
    by: Initiator,
    record: LogoutRecord,
    /// Tokens of an upstream may be kept for it.
    renewable: bool,
}

/// Whether a connection asks its upstream again, and so keeps tokens.
fn renews(tenant: &TenantSnapshot, connection: ConnectionId) -> bool {
    let open = tenant.connections.get(&connection).and_then(|open| open.state.as_ref().ok());
    open.is_some_and(|ready| ready.adapter.refresh.is_some())
}
