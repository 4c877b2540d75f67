//! SCIM events (RFC 9967): receivers that want to hear what is pushed are told in the unit of the change.

use std::sync::Arc;

use fedbridge_contract::config::{App, AppKind, Tenant};
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{AppId, RecordId, SignalId, TenantId, TraceId};
use fedbridge_contract::push::{PushChange, PushCompleted, PushPlace, PushRefused, RecordKind};
use fedbridge_contract::signals::{ScimEvents, Signal, subject_hash};
use fedbridge_contract::time::Timestamp;
use serde_json::{Map, Value, json};

use super::change::Pushing;
use crate::ports::{Command, NewSignal, PushUnit, Pushed, RecordWrite};
use crate::run::Hub;
use crate::run::signal::KEPT;

const PROV: &str = "urn:ietf:params:scim:event:prov";

/// RFC 9967 section 2.5.1.
const COMPLETED: &str = "urn:ietf:params:scim:event:misc:asyncresp";

/// What an order changes, by the names of attributes; nothing where nobody has given one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Changing {
    attributes: Vec<String>,
    /// Whether a user is switched on or off by it.
    active: Option<bool>,
    /// The upstream has sent all of it.
    whole: bool,
}

impl Changing {
    pub fn of(change: &PushChange) -> Self {
        let PushChange::Update { changed, members, whole, .. } = change else { return Self::default() };
        // Of `name.givenName` and `emails[type eq "work"].value` the attribute; a schema has colons and dots of its own.
        let top = |path: &str| match path.starts_with("urn:") {
            true => path.to_owned(),
            false => path.split(['.', '[']).next().unwrap_or(path).to_owned(),
        };
        let mut attributes: Vec<_> = changed.iter().map(|one| top(&one.path)).collect();
        attributes.extend((!members.is_empty()).then(|| "members".to_owned()));
        attributes.sort_unstable();
        attributes.dedup();
        let active = changed.iter().find(|one| one.path == "active");
        let active = active.and_then(|one| one.after.as_ref()?.as_bool());
        Self { attributes, active, whole: *whole }
    }
}

/// One event before it is anybody's.
struct Event<'w> {
    kind: RecordKind,
    id: RecordId,
    document: Option<&'w Value>,
    what: What,
}

enum What {
    Create,
    Put { version: i64 },
    Patch { version: i64 },
    Activate,
    Deactivate,
    Delete,
}

impl Hub {
    /// Carries the unit of a change out, with what is told of it.
    pub(super) async fn commit_change(&self, at: &Pushing<'_>, mut unit: PushUnit) -> Result<Pushed, PushRefused> {
        let told = self.scim_events(at, &unit);
        unit.commands.extend(told);
        self.commit_push(unit).await
    }

    fn scim_events(&self, at: &Pushing<'_>, unit: &PushUnit) -> Vec<Command> {
        let mut commands = Vec::new();
        for (app, scim) in self.hear_of_pushed(&at.tenant.view) {
            for event in events(at, unit) {
                let Some(told) = event.told(at, &scim) else { continue };
                commands.push(self.scim_event((at.place.tenant, app), (at.txn, at.now), told, event.subject()));
            }
        }
        commands
    }

    /// Says that a change is done to those who hear of changes.
    ///
    /// # Errors
    /// The store does not answer.
    pub(super) async fn tell_completed(&self, done: PushCompleted<'_>) -> Result<bool, StoreError> {
        let tenant = done.tenant.id;
        let event = |app| {
            let told = (COMPLETED.to_owned(), done.outcome.clone());
            let subject = (json!({ "format": "scim", "uri": done.uri }), done.uri.clone());
            self.scim_event((tenant, app), (done.txn, done.now), told, subject)
        };
        let commands: Vec<Command> = self.hear_of_pushed(done.tenant).map(|(app, _)| event(app)).collect();
        if commands.is_empty() {
            return Ok(false);
        }
        let place = PushPlace { tenant, connection: done.connection };
        let (writes, ends, txn) = (Vec::new(), Vec::new(), Some(done.txn));
        match self.commit_push(PushUnit { place, writes, commands, ends, txn, now: done.now }).await {
            Ok(_) => Ok(true),
            Err(refused) => Err(StoreError(refused.to_string())),
        }
    }

    fn hear_of_pushed<'t>(&self, tenant: &'t Tenant) -> impl Iterator<Item = (AppId, ScimEvents)> + use<'t, '_> {
        let transmitter = self.downstream(AppKind::SignalReceiver).and_then(|it| it.signals());
        let receivers = tenant.apps.iter().filter(|app| app.kind == AppKind::SignalReceiver && app.enabled);
        transmitter.into_iter().flat_map(move |transmitter| {
            let hears = move |app: &'t Arc<App>| Some((app.id, transmitter.hears(app)?.scim?));
            receivers.clone().filter_map(hears)
        })
    }

    fn scim_event(
        &self,
        (tenant, app): (TenantId, AppId),
        (txn, made): (TraceId, Timestamp),
        (event, claims): (String, Value),
        (subject, uri): (Value, String),
    ) -> Command {
        let id = SignalId::at(made, self.services.rng.as_ref());
        let signal = Signal { id, made, txn: txn.to_string(), event, claims, subject };
        let subject = subject_hash(self.services.tokens.as_ref(), tenant, &uri);
        Command::Signal(Box::new(NewSignal { app, subject, expires: made + KEPT, signal }))
    }
}

fn events<'w>(at: &Pushing<'_>, unit: &'w PushUnit) -> Vec<Event<'w>> {
    let group = RecordKind::Group;
    let mut found = Vec::new();
    for write in &unit.writes {
        match write {
            RecordWrite::Insert(new) => {
                found.push(Event { kind: new.kind, id: new.id, document: Some(&new.document), what: What::Create });
            }
            RecordWrite::Update { seen, new } => {
                let of = |what| Event { kind: new.kind, id: new.id, document: Some(&new.document), what };
                let version = seen.version.saturating_add(1);
                found.push(of(if at.changing.whole { What::Put { version } } else { What::Patch { version } }));
                match at.changing.active {
                    Some(true) => found.push(of(What::Activate)),
                    Some(false) => found.push(of(What::Deactivate)),
                    None => {}
                }
            }
            // Its members change. Their version is the store's to give.
            RecordWrite::Touch { id } => {
                found.push(Event { kind: group, id: *id, document: None, what: What::Patch { version: 0 } });
            }
            RecordWrite::Delete { id, .. } => {
                let is_group = unit.writes.iter().any(|write| matches!(write, RecordWrite::Restate { .. }));
                let kind = if is_group { group } else { RecordKind::User };
                found.push(Event { kind, id: *id, document: None, what: What::Delete });
            }
            _ => {}
        }
    }
    found
}

impl Event<'_> {
    /// The event's type and what it says. `None`: nothing that the receiver may hear of.
    fn told(&self, at: &Pushing<'_>, scim: &ScimEvents) -> Option<(String, Value)> {
        let mode = if scim.full { "full" } else { "notice" };
        match self.what {
            What::Create => Some((format!("{PROV}:create:{mode}"), self.said(self.all()?, scim, 1)?)),
            // As it is now: the upstream has not said what is different.
            What::Put { version } => Some((format!("{PROV}:put:{mode}"), self.said(self.all()?, scim, version)?)),
            What::Patch { version } => {
                Some((format!("{PROV}:patch:{mode}"), self.said(at.changing.attributes.clone(), scim, version)?))
            }
            What::Activate => Some((format!("{PROV}:activate"), json!({}))),
            What::Deactivate => Some((format!("{PROV}:deactivate"), json!({}))),
            What::Delete => Some((format!("{PROV}:delete"), json!({}))),
        }
    }

    fn all(&self) -> Option<Vec<String>> {
        let all = self.document.and_then(Value::as_object)?;
        Some(all.keys().filter(|name| *name != "schemas").cloned().collect())
    }

    /// Exactly one of `data` and `attributes` (RFC 9967 section 2.2). Passwords are in no document, and members are named
    /// only by the attribute.
    fn said(&self, mut names: Vec<String>, scim: &ScimEvents, version: i64) -> Option<Value> {
        if let Some(allowed) = &scim.attributes {
            names.retain(|name| allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(name)));
        }
        if names.is_empty() {
            return None;
        }
        let mut said = Map::new();
        if scim.full {
            let value = |name: &String| Some((name.clone(), self.document?.get(name)?.clone()));
            let data: Map<String, Value> = names.iter().filter_map(value).collect();
            said.insert("data".into(), Value::Object(data));
        } else {
            said.insert("attributes".into(), json!(names));
        }
        if version > 0 {
            said.insert("version".into(), json!(format!("W/\"{version}\"")));
        }
        Some(Value::Object(said))
    }

    /// RFC 9967 section 2.1, with the address.
    fn subject(&self) -> (Value, String) {
        let path = match self.kind {
            RecordKind::User => "Users",
            RecordKind::Group => "Groups",
        };
        let uri = format!("/{path}/{}", self.id);
        let mut subject = json!({ "format": "scim", "uri": uri });
        let external = self.document.and_then(|document| document.get("externalId")).filter(|id| id.is_string());
        if let (Some(external), Value::Object(subject)) = (external, &mut subject) {
            subject.insert("externalId".into(), external.clone());
        }
        (subject, uri)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use fedbridge_contract::push::Changed;

    #[test]
    fn paths_are_told_as_attributes() {
        let changed = |path: &str, after| Changed { path: path.into(), before: None, after };
        let change = PushChange::Update {
            kind: RecordKind::User,
            id: RecordId::from_octets([1; 16]),
            data: None,
            version: 1,
            members: Vec::new(),
            changed: vec![
                changed("name.givenName", None),
                changed("name.familyName", None),
                changed("emails[type eq \"work\"].value", None),
                changed("urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department", None),
                changed("active", Some(json!(false))),
            ],
            whole: false,
        };
        let changing = Changing::of(&change);
        assert_eq!(changing.active, Some(false));
        let urn = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department";
        assert_eq!(changing.attributes, ["active", "emails", "name", urn]);
    }

    #[test]
    fn only_what_is_allowed_is_told() {
        let document = json!({ "userName": "ada", "title": "Countess", "externalId": "7" });
        let id = RecordId::from_octets([1; 16]);
        let event = Event { kind: RecordKind::User, id, document: Some(&document), what: What::Create };
        let names = || vec!["userName".to_owned(), "title".to_owned()];
        let notice = ScimEvents { full: false, attributes: None };
        assert_eq!(event.said(names(), &notice, 1).unwrap()["attributes"], json!(["userName", "title"]));
        let full = ScimEvents { full: true, attributes: Some(vec!["username".into()]) };
        let said = event.said(names(), &full, 1).unwrap();
        assert_eq!(said, json!({ "data": { "userName": "ada" }, "version": "W/\"1\"" }));
        let none = ScimEvents { full: true, attributes: Some(Vec::new()) };
        assert_eq!(event.said(names(), &none, 1), None);
        assert_eq!(event.subject().0["externalId"], "7");
    }
}
