//! One order: who gives it, what it comes to, and what is written down of it.

use std::sync::Arc;

use fedbridge_contract::ids::{RecordId, TraceId};
use fedbridge_contract::push::{
    Belonging, PushActor, PushChange, PushDone, PushOrder, PushPlace, PushRefused, PushServer, RecordKind, Shut,
};
use fedbridge_contract::services::{TraceEvent, TraceSink as _};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::{Outcome, TraceLog, clip};

use super::events::Changing;
use crate::ports::{PushError, PushGuard, PushUnit, Pushed, StoredRecord};
use crate::run::Hub;
use crate::run::snapshot::{OpenConnection, Ready, TenantSnapshot};

/// Where and by whom something is pushed.
pub(super) struct Pushing<'a> {
    pub tenant: &'a Arc<TenantSnapshot>,
    pub connection: &'a Arc<OpenConnection>,
    pub ready: &'a Ready,
    pub place: PushPlace,
    /// Of the change, in the audit and in what it brings about.
    pub txn: TraceId,
    pub actor: &'a PushActor,
    pub now: Timestamp,
    pub changing: Changing,
}

impl Pushing<'_> {
    /// Whether somebody who is switched off loses all that they were given, whatever they logged in with.
    pub fn shuts_all(&self) -> bool {
        self.belonging().is_none_or(|belonging| belonging.shut == Shut::Person)
    }

    pub fn belonging(&self) -> Option<&Belonging> {
        self.ready.adapter.push.as_deref().map(PushServer::belonging)
    }
}

impl Hub {
    pub(super) async fn push(
        self: &Arc<Self>,
        order: PushOrder<'_>,
        trace: &mut TraceLog,
    ) -> Result<PushDone, PushRefused> {
        let snapshot = self.snapshots.current();
        let tenant = snapshot.tenant(order.tenant.id).ok_or_else(switched_off)?;
        let connection = tenant.connections.get(&order.connection).ok_or_else(switched_off)?;
        let broken = || PushRefused::Denied("the connection's configuration is broken".to_owned());
        let ready = connection.state.as_ref().map_err(|_| broken())?;
        let place = PushPlace { tenant: order.tenant.id, connection: order.connection };
        let changing = Changing::of(&order.change);
        let (txn, actor, now) = (order.txn, order.actor, order.now);
        let at = Pushing { tenant, connection, ready, place, txn, actor, now, changing };
        if !tenant.view.enabled || !connection.view.enabled {
            return Err(switched_off());
        }
        let mut about = About::of(&order.change);
        if matches!(order.change, PushChange::Delete { .. }) {
            self.call_by_name(place, &mut about).await;
        }
        let done = match order.change {
            PushChange::Create { kind: RecordKind::User, data, .. } => Box::pin(self.create_user(&at, *data)).await,
            PushChange::Create { kind: RecordKind::Group, data, members } => {
                Box::pin(self.create_group(&at, *data, members)).await
            }
            PushChange::Update { kind: RecordKind::User, id, data: Some(data), version, changed, .. } => {
                Box::pin(self.update_user(&at, id, (*data, version), &changed)).await
            }
            PushChange::Update { kind: RecordKind::User, id, data: None, .. } => self
                .pushed_record(&at, RecordKind::User, id)
                .await
                .map(|it| PushDone { record: it.record, changed: false }),
            PushChange::Update { kind: RecordKind::Group, id, data, version, members, changed, .. } => {
                let data = data.map(|data| (*data, version));
                Box::pin(self.update_group(&at, id, data, (&changed, members))).await
            }
            PushChange::Delete { kind: RecordKind::User, id, version } => {
                Box::pin(self.delete_user(&at, id, version)).await
            }
            PushChange::Delete { kind: RecordKind::Group, id, version } => {
                Box::pin(self.delete_group(&at, id, version)).await
            }
        };
        if done.is_err() {
            // It has kept the name that it had.
            self.call_by_name(place, &mut about).await;
        }
        if !matches!(&done, Ok(PushDone { changed: false, .. })) {
            self.write_down(&at, about, &done, trace);
        }
        done
    }

    /// Puts the name of the record that a change is about, as it is now.
    async fn call_by_name(&self, place: PushPlace, about: &mut About) {
        let Some(id) = about.id else { return };
        if let Ok(Some(stored)) = self.pushed.record(place, id).await {
            about.display = Some(stored.display);
        }
    }

    /// # Errors
    /// There is none of this kind.
    pub(super) async fn pushed_record(
        &self,
        at: &Pushing<'_>,
        kind: RecordKind,
        id: RecordId,
    ) -> Result<StoredRecord, PushRefused> {
        let found = self.pushed.record(at.place, id).await?;
        found.filter(|found| found.record.kind == kind).ok_or(PushRefused::Gone)
    }

    pub(super) async fn commit_push(&self, unit: PushUnit) -> Result<Pushed, PushRefused> {
        self.pushed.push(unit).await.map_err(|error| match error {
            PushError::Record(PushGuard::Taken) => PushRefused::Taken(None),
            PushError::Record(PushGuard::Stale) => PushRefused::Stale,
            PushError::Record(PushGuard::NoSuchMember) => PushRefused::NoSuchMember("of the list".to_owned()),
            PushError::People(guard) => PushRefused::Denied(guard.to_string()),
            PushError::Store(error) => error.into(),
        })
    }

    /// The audit: every change is a trace, with who has asked for it and what is different.
    fn write_down(&self, at: &Pushing<'_>, about: About, done: &Result<PushDone, PushRefused>, trace: &TraceLog) {
        let mut steps = TraceLog::new();
        let mut facts = vec![("credential", at.actor.credential.clone())];
        facts.extend(about.facts.iter().map(|(name, value)| (name.as_str(), value.clone())));
        steps.received(at.now, &about.what, true, facts);
        steps.extend(trace.clone());
        let (outcome, cause) = match done {
            Ok(_) => (Outcome::Success, String::new()),
            Err(PushRefused::Store(cause)) => (Outcome::Error, cause.clone()),
            Err(refused) => (Outcome::Refused, refused.to_string()),
        };
        self.recorder.record(TraceEvent {
            tenant: at.place.tenant,
            id: at.txn,
            at: at.now,
            kind: "push",
            app: None,
            connection: Some(at.connection.view.slug.clone()),
            person: about.display,
            peer: Some(at.actor.peer),
            outcome,
            cause,
            steps,
        });
    }
}

fn switched_off() -> PushRefused {
    PushRefused::Denied("the connection is switched off".to_owned())
}

/// What an order is about, for the audit.
struct About {
    what: String,
    /// Of one that was there before.
    id: Option<RecordId>,
    display: Option<String>,
    facts: Vec<(String, String)>,
}

impl About {
    fn of(change: &PushChange) -> Self {
        let word = |kind: &RecordKind| match kind {
            RecordKind::User => "user",
            RecordKind::Group => "group",
        };
        match change {
            PushChange::Create { kind, data, members } => {
                let mut facts = vec![("active".to_owned(), data.active.to_string())];
                facts.extend((!members.is_empty()).then(|| ("members".to_owned(), members.len().to_string())));
                Self { what: format!("create a {}", word(kind)), id: None, display: Some(data.display.clone()), facts }
            }
            PushChange::Update { kind, id, data, members, changed, .. } => {
                let value = |value: &Option<serde_json::Value>| {
                    clip(value.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string))
                };
                let mut facts = vec![("id".to_owned(), id.to_string())];
                let differs = |one: &fedbridge_contract::push::Changed| {
                    (one.path.clone(), format!("{} -> {}", value(&one.before), value(&one.after)))
                };
                facts.extend(changed.iter().map(differs));
                facts.extend(members.iter().map(|change| ("members".to_owned(), clip(format!("{change:?}")))));
                let display = data.as_ref().map(|data| data.display.clone());
                Self { what: format!("change a {}", word(kind)), id: Some(*id), display, facts }
            }
            PushChange::Delete { kind, id, .. } => Self {
                what: format!("delete a {}", word(kind)),
                id: Some(*id),
                display: None,
                facts: vec![("id".to_owned(), id.to_string())],
            },
        }
    }
}
