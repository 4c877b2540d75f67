//! Carries a step of a plan out. What it does can be done twice: a user who is there already is found, and not made again.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use fedbridge_contract::services::CallMethod;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::client::find::{Endpoint, place};
use crate::client::{CallFailed, Client};
use crate::desired::DesiredUser;
use crate::difference::{changes, operations, patch, replaced, switched_off};
use crate::plan::{GroupAct, GroupChange, GroupStep, Known, UserAct, UserStep};
use crate::read::RemoteResource;
use crate::settings::Adopt;

/// How often a POST whose outcome nobody knows is looked after, and sent again where it was not done.
const TRIES: u32 = 4;

const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// Members that one PATCH names.
const MEMBERS_AT_ONCE: usize = 100;

/// What came of a step.
#[derive(Debug, Clone, PartialEq)]
pub enum Done {
    /// The app has them by this id, let in or not.
    Has {
        remote: String,
        on: bool,
    },
    Gone,
    Nothing,
}

/// One call that the app has answered, for the trace: no body, and so no value of anybody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub what: String,
    pub answer: String,
}

impl Client {
    /// # Errors
    /// [`CallFailed`]; what was sent until then is in `sent`.
    pub async fn carry_user(&self, step: &UserStep, sent: &mut Vec<Sent>) -> Result<Done, CallFailed> {
        match &step.act {
            UserAct::Create(desired) => self.create(desired, sent).await,
            UserAct::Adopt(known) | UserAct::Update(known) => self.change(known, sent).await,
            UserAct::Deactivate(remote) => self.deactivate(remote, sent).await,
            UserAct::Delete(id) => self.delete(Endpoint::Users, id, sent).await,
            UserAct::Note(known) => Ok(Done::Has { remote: known.remote.id.clone(), on: true }),
            UserAct::Forget => Ok(Done::Gone),
            UserAct::Nothing | UserAct::Refuse => Ok(Done::Nothing),
        }
    }

    /// Somebody may have made the user since the plan, or a POST before this one may have done it without an answer.
    async fn create(&self, desired: &DesiredUser, sent: &mut Vec<Sent>) -> Result<Done, CallFailed> {
        let body = Value::Object(desired.body());
        let mut pause = FIRST_PAUSE;
        let mut last = None;
        for _ in 0..TRIES {
            if let Some(there) = self.there(desired, last.is_some()).await? {
                let changes = changes(desired, &there.document);
                let known = Known { remote: there, desired: desired.clone(), changes };
                return self.change(&known, sent).await;
            }
            match self.send(CallMethod::Post, "Users", &body, sent).await {
                Ok(answer) => match RemoteResource::read(answer) {
                    Some(made) => return Ok(Done::Has { remote: made.id, on: true }),
                    // An app that answers without the user has made it: it is looked for.
                    None => last = Some(CallFailed::Unsure("it answered without an id".to_owned())),
                },
                Err(failed @ CallFailed::Refused { status: 409, .. }) if last.is_none() => last = Some(failed),
                Err(failed @ CallFailed::Unsure(_)) => {
                    self.rest_for(self.jittered(pause));
                    pause *= 2;
                    last = Some(failed);
                }
                Err(failed) => return Err(failed),
            }
        }
        Err(last.unwrap_or_else(|| CallFailed::Unsure("the user could not be made".to_owned())))
    }

    /// The app's user who is this person. By the name alone where nobody else may be meant.
    async fn there(&self, desired: &DesiredUser, tried: bool) -> Result<Option<RemoteResource>, CallFailed> {
        let mut known = self.find(Endpoint::Users, "externalId", &desired.external_id).await?;
        match known.len() {
            0 => {}
            1 => return Ok(known.pop()),
            count => {
                let why = format!("the app has {count} users with this externalId");
                return Err(CallFailed::Refused { status: 409, scim_type: None, detail: why });
            }
        }
        let named = self.find(Endpoint::Users, "userName", &desired.user_name).await?;
        let Some(one) = named.into_iter().next() else { return Ok(None) };
        match (self.settings.adopt, one.text("externalId")) {
            (Adopt::Any, _) | (Adopt::Unclaimed, None) => Ok(Some(one)),
            // Some apps keep no externalId: who was not there before our POST was made by it.
            (Adopt::Never, None) if tried => Ok(Some(one)),
            _ => {
                let why = "the app has another user with this userName (adopt)".to_owned();
                Err(CallFailed::Refused { status: 409, scim_type: Some("uniqueness".to_owned()), detail: why })
            }
        }
    }

    async fn change(&self, known: &Known, sent: &mut Vec<Sent>) -> Result<Done, CallFailed> {
        let Known { remote, desired, changes } = known;
        let done = Done::Has { remote: remote.id.clone(), on: true };
        if changes.is_empty() {
            return Ok(done);
        }
        let operations = operations(changes, &remote.document);
        self.patch_or_put(&remote.id, operations, |there| replaced(desired, there), sent).await?;
        Ok(done)
    }

    async fn deactivate(&self, remote: &RemoteResource, sent: &mut Vec<Sent>) -> Result<Done, CallFailed> {
        let off = vec![json!({ "op": "replace", "path": "active", "value": false })];
        match self.patch_or_put(&remote.id, off, switched_off, sent).await {
            Ok(()) => Ok(Done::Has { remote: remote.id.clone(), on: false }),
            Err(CallFailed::Refused { status: 404 | 410, .. }) => Ok(Done::Gone),
            Err(failed) => Err(failed),
        }
    }

    async fn patch_or_put(
        &self,
        id: &str,
        operations: Vec<Value>,
        whole: impl FnOnce(&Map<String, Value>) -> Map<String, Value>,
        sent: &mut Vec<Sent>,
    ) -> Result<(), CallFailed> {
        let path = place(Endpoint::Users, id);
        if !self.puts() {
            match self.send(CallMethod::Patch, &path, &patch(operations), sent).await {
                Err(CallFailed::Refused { status: 405 | 501, .. }) => self.put_from_now_on(),
                done => return done.map(drop),
            }
        }
        // The plan knows only what it compares, and that from a while ago.
        let Some(there) = self.get(Endpoint::Users, id).await? else {
            let detail = "the user is gone at the app".to_owned();
            return Err(CallFailed::Refused { status: 404, scim_type: None, detail });
        };
        self.send(CallMethod::Put, &path, &Value::Object(whole(&there.document)), sent).await.map(drop)
    }

    async fn delete(&self, of: Endpoint, id: &str, sent: &mut Vec<Sent>) -> Result<Done, CallFailed> {
        match self.send(CallMethod::Delete, &place(of, id), &Value::Null, sent).await {
            Ok(_) | Err(CallFailed::Refused { status: 404 | 410, .. }) => Ok(Done::Gone),
            Err(failed) => Err(failed),
        }
    }

    /// `people` says what the app calls people now.
    ///
    /// # Errors
    /// [`CallFailed`]; what was sent until then is in `sent`.
    pub async fn carry_group(
        &self,
        step: &GroupStep,
        people: &HashMap<Uuid, String>,
        sent: &mut Vec<Sent>,
    ) -> Result<Done, CallFailed> {
        match &step.act {
            GroupAct::Create(members) => {
                let remote = self.create_group(step, sent).await?;
                let add = members.clone();
                let change = GroupChange { remote, adopted: false, changes: Vec::new(), add, remove: Vec::new() };
                self.change_group(&change, people, sent).await
            }
            GroupAct::Update(change) => self.change_group(change, people, sent).await,
            GroupAct::Delete(id) => self.delete(Endpoint::Groups, id, sent).await,
            GroupAct::Forget => Ok(Done::Gone),
            GroupAct::Nothing | GroupAct::Refuse => Ok(Done::Nothing),
        }
    }

    /// Empty: members come by themselves, so a group that was made twice over loses nobody.
    async fn create_group(&self, step: &GroupStep, sent: &mut Vec<Sent>) -> Result<String, CallFailed> {
        let key = step.key.simple().to_string();
        let body = json!({ "schemas": [fedbridge_scim_core::schema::GROUP_URN], "displayName": step.name,
            "externalId": key });
        let mut last = None;
        for _ in 0..TRIES {
            let named = self.find(Endpoint::Groups, "displayName", &step.name).await?;
            let ours = named.iter().find(|one| one.text("externalId") == Some(&key));
            if let Some(one) = ours.or(named.first()) {
                return match (self.settings.adopt, one.text("externalId")) {
                    (_, Some(theirs)) if theirs == key => Ok(one.id.clone()),
                    (Adopt::Any, _) | (Adopt::Unclaimed, None) => Ok(one.id.clone()),
                    // Some apps keep no externalId: what was not there before our POST was made by it.
                    (Adopt::Never, None) if last.is_some() => Ok(one.id.clone()),
                    _ => {
                        let detail = "the app has another group with this name (adopt)".to_owned();
                        Err(CallFailed::Refused { status: 409, scim_type: Some("uniqueness".to_owned()), detail })
                    }
                };
            }
            match self.send(CallMethod::Post, "Groups", &body, sent).await {
                Ok(answer) => match RemoteResource::read(answer) {
                    Some(made) => return Ok(made.id),
                    None => last = Some(CallFailed::Unsure("it answered without an id".to_owned())),
                },
                Err(failed @ CallFailed::Unsure(_)) => {
                    self.rest_for(self.jittered(FIRST_PAUSE));
                    last = Some(failed);
                }
                Err(failed) => return Err(failed),
            }
        }
        Err(last.unwrap_or_else(|| CallFailed::Unsure("the group could not be made".to_owned())))
    }

    async fn change_group(
        &self,
        change: &GroupChange,
        people: &HashMap<Uuid, String>,
        sent: &mut Vec<Sent>,
    ) -> Result<Done, CallFailed> {
        let done = Done::Has { remote: change.remote.clone(), on: true };
        let mut operations = operations(&change.changes, &Map::new());
        for operation in &mut operations {
            operation["op"] = json!("replace");
        }
        let comes: Vec<&str> = change.add.iter().filter_map(|key| people.get(key)).map(String::as_str).collect();
        let goes: Vec<String> = change
            .remove
            .iter()
            .filter_map(|(key, known)| known.clone().or_else(|| people.get(key).cloned()))
            .collect();
        if self.puts() {
            return self.put_group(change, comes, &goes, sent).await.map(|()| done);
        }
        operations.extend(comes.chunks(MEMBERS_AT_ONCE).map(|some| {
            let some: Vec<Value> = some.iter().map(|id| json!({ "value": id })).collect();
            json!({ "op": "add", "path": "members", "value": some })
        }));
        operations.extend(
            goes.iter().map(|id| json!({ "op": "remove", "path": format!("members[value eq {}]", json!(id)) })),
        );
        let path = place(Endpoint::Groups, &change.remote);
        for some in operations.chunks(MEMBERS_AT_ONCE) {
            match self.send(CallMethod::Patch, &path, &patch(some.to_vec()), sent).await {
                Err(CallFailed::Refused { status: 405 | 501, .. }) => {
                    self.put_from_now_on();
                    return self.put_group(change, comes, &goes, sent).await.map(|()| done);
                }
                answered => drop(answered?),
            }
        }
        Ok(done)
    }

    /// The whole group, with whoever else is in it.
    async fn put_group(
        &self,
        change: &GroupChange,
        comes: Vec<&str>,
        goes: &[String],
        sent: &mut Vec<Sent>,
    ) -> Result<(), CallFailed> {
        let Some(there) = self.get(Endpoint::Groups, &change.remote).await? else {
            let detail = "the group is gone at the app".to_owned();
            return Err(CallFailed::Refused { status: 404, scim_type: None, detail });
        };
        let (goes, mut seen): (HashSet<&str>, HashSet<&str>) =
            (goes.iter().map(String::as_str).collect(), HashSet::new());
        let stay = there.members().into_iter().filter(|id| !goes.contains(id));
        let all = stay.chain(comes).filter(|id| seen.insert(id));
        let members: Vec<Value> = all.map(|id| json!({ "value": id })).collect();
        let mut body = there.document;
        body.shift_remove("meta");
        for one in &change.changes {
            one.path.set(&mut body, one.after.clone());
        }
        body.insert("members".into(), Value::Array(members));
        self.send(CallMethod::Put, &place(Endpoint::Groups, &change.remote), &Value::Object(body), sent).await.map(drop)
    }

    async fn send(
        &self,
        method: CallMethod,
        path: &str,
        body: &Value,
        sent: &mut Vec<Sent>,
    ) -> Result<Value, CallFailed> {
        let done = self.call(method, path, (!body.is_null()).then_some(body)).await;
        let answer = match &done {
            Ok(answered) => answered.status.to_string(),
            Err(failed) => failed.to_string(),
        };
        sent.push(Sent { what: format!("{} {path}", method.name()), answer });
        done.map(|answered| answered.body)
    }
}
