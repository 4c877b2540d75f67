//! SCIM events (RFC 9967): receivers that want to hear what is pushed are told in the unit of the change.

use fedbridge_contract::config::AppKind;
use fedbridge_contract::ids::{RecordId, SignalId};
use fedbridge_contract::push::{PushChange, PushRefused, RecordKind};
use fedbridge_contract::signals::{ScimEvents, Signal, subject_hash};
use serde_json::{Map, Value, json};

use super::change::Pushing;
use crate::ports::{Command, NewSignal, PushUnit, Pushed, RecordWrite};
use crate::run::Hub;
use crate::run::signal::KEPT;

const PROV: &str = "urn:ietf:params:scim:event:prov";

/// What an order changes, by the names of attributes; nothing where nobody has given one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Changing {
    attributes: Vec<String>,
    /// Whether a user is switched on or off by it.
    active: Option<bool>,
}

impl Changing {
    pub fn of(change: &PushChange) -> Self {
        let PushChange::Update { changed, members, .. } = change else { return Self::default() };
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
        Self { attributes, active }
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
        let Some(transmitter) = self.downstream(AppKind::SignalReceiver).and_then(|it| it.signals()) else {
            return Vec::new();
        };
        let mut commands = Vec::new();
        for app in at.tenant.view.apps.iter().filter(|app| app.kind == AppKind::SignalReceiver && app.enabled) {
            let Some(scim) = transmitter.hears(app).and_then(|hears| hears.scim) else { continue };
            for event in events(at, unit) {
                let Some((name, claims)) = event.told(at, &scim) else { continue };
                let (subject, uri) = event.subject();
                let signal = Signal {
                    id: SignalId::at(at.now, self.services.rng.as_ref()),
                    made: at.now,
                    txn: at.txn.to_string(),
                    event: name,
                    claims,
                    subject,
                };
                let subject = subject_hash(self.services.tokens.as_ref(), at.place.tenant, &uri);
                let new = NewSignal { app: app.id, subject, expires: at.now + KEPT, signal };
                commands.push(Command::Signal(Box::new(new)));
            }
        }
        commands
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
                found.push(of(What::Patch { version: seen.version.saturating_add(1) }));
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
            What::Create => {
                let all = self.document.and_then(Value::as_object)?;
                let names = all.keys().filter(|name| *name != "schemas").cloned();
                Some((format!("{PROV}:create:{mode}"), self.said(names.collect(), scim, 1)?))
            }
            What::Patch { version } => {
                Some((format!("{PROV}:patch:{mode}"), self.said(at.changing.attributes.clone(), scim, version)?))
            }
            What::Activate => Some((format!("{PROV}:activate"), json!({}))),
            What::Deactivate => Some((format!("{PROV}:deactivate"), json!({}))),
            What::Delete => Some((format!("{PROV}:delete"), json!({}))),
        }
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
