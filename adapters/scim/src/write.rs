//! Writing (RFC 7644 sections 3.3, 3.5 and 3.6). What the hub answers is durable.

use fedbridge_contract::ids::RecordId;
use fedbridge_contract::push::{
    Changed, MemberChange, PushChange, PushCompleted, PushDone, PushOrder, PushRefused, Record,
};
use fedbridge_contract::trace::TraceLog;
use fedbridge_scim_core::list::Query;
use fedbridge_scim_core::patch::{self, Change, Patch};
use fedbridge_scim_core::profiles::GroupPatch;
use fedbridge_scim_core::resource::{Draft, Resource};
use fedbridge_scim_core::{Fault, ResourceKind, version};
use serde_json::{Value, json};

use crate::answer::{Answer, Answered, RESPOND_ASYNC, Refused};
use crate::data::record_kind;
use crate::endpoint::Asked;
use crate::members::ids_of;
use crate::view::members_of;

/// How often a change is worked out anew on what another one has left.
const TRIES: usize = 8;

/// What is done with a resource that is there.
pub enum Work {
    /// PUT, with this body.
    Replace(Value),
    /// PATCH, with this body.
    Change(Value),
    Delete,
}

impl Asked<'_> {
    pub async fn post(&self, kind: ResourceKind) -> Answered {
        let query = self.query()?;
        let done = self.create(kind, self.body()?).await?;
        if let Some(accepted) = self.accepted(kind, 201, &done.record).await? {
            return Ok(accepted);
        }
        let projection = self.projection(&query, kind)?;
        self.shown(201, kind, done.record, &projection).await
    }

    pub async fn create(&self, kind: ResourceKind, body: Value) -> Result<PushDone, Refused> {
        let settings = &self.endpoint.settings;
        let draft = Draft::read(kind, body, &settings.schemas, settings.rules)?;
        let members = ids_of(&draft.members.unwrap_or_default())?;
        let data = Box::new(self.endpoint.data(&draft.resource, draft.password)?);
        self.order(PushChange::Create { kind: record_kind(kind), data, members }).await
    }

    pub async fn put(&self, kind: ResourceKind, id: &str) -> Answered {
        let query = self.query()?;
        let condition = self.request.input.if_match.as_deref();
        let done = self.on_what_is_there(kind, id, condition, &Work::Replace(self.body()?)).await?;
        if let Some(accepted) = self.accepted(kind, 200, &done.record).await? {
            return Ok(accepted);
        }
        let projection = self.projection(&query, kind)?;
        self.shown(200, kind, done.record, &projection).await
    }

    pub async fn patch(&self, kind: ResourceKind, id: &str) -> Answered {
        let query = self.query()?;
        let condition = self.request.input.if_match.as_deref();
        let done = self.on_what_is_there(kind, id, condition, &Work::Change(self.body()?)).await?;
        if let Some(accepted) = self.accepted(kind, 200, &done.record).await? {
            return Ok(accepted);
        }
        if kind == ResourceKind::Group
            && self.endpoint.settings.profile.group_patch == GroupPatch::NoContent
            && query == Query::default()
        {
            let etag = Some(version::tag(done.record.version));
            return Ok(Answer { etag, ..Answer::empty(204) });
        }
        let projection = self.projection(&query, kind)?;
        self.shown(200, kind, done.record, &projection).await
    }

    pub async fn delete(&self, kind: ResourceKind, id: &str) -> Answered {
        let condition = self.request.input.if_match.as_deref();
        let done = self.on_what_is_there(kind, id, condition, &Work::Delete).await?;
        let accepted = self.accepted(kind, 204, &done.record).await?;
        Ok(accepted.unwrap_or_else(|| Answer::empty(204)))
    }

    /// The answer to a client that does not want to wait (RFC 9967 section 3). The change is durable all the same, and what
    /// is refused was refused at once. `None`: the client waits, or nobody is there who would hear the rest.
    async fn accepted(&self, kind: ResourceKind, status: u16, record: &Record) -> Result<Option<Answer>, Refused> {
        let preferences = self.request.input.prefer.as_deref().unwrap_or_default().split(',');
        let names = preferences.map(|one| one.split(';').next().unwrap_or_default().trim());
        if !names.into_iter().any(|name| name.eq_ignore_ascii_case(RESPOND_ASYNC)) {
            return Ok(None);
        }
        let location = self.endpoint.location(kind, record.id);
        let mut outcome = json!({ "method": self.request.input.method.name(), "location": location,
            "status": status.to_string() });
        if status != 204 {
            outcome["version"] = json!(version::tag(record.version));
        }
        let done = PushCompleted {
            tenant: self.request.tenant,
            connection: self.endpoint.connection,
            txn: self.request.trace_id,
            now: self.request.now,
            uri: format!("/{}/{}", kind.endpoint(), record.id),
            outcome,
        };
        let txn = Some(self.request.trace_id.to_string());
        let is_heard = self.endpoint.services.pushed.completed(done).await?;
        Ok(is_heard.then(|| Answer { location: Some(location), txn, ..Answer::empty(202) }))
    }

    /// Does something with a record as it is. Where another change comes first, it is done again on what that one
    /// left, unless the client has said which version it means.
    pub async fn on_what_is_there(
        &self,
        kind: ResourceKind,
        id: &str,
        condition: Option<&str>,
        work: &Work,
    ) -> Result<PushDone, Refused> {
        let mut tries = 0;
        loop {
            let record = self.record(kind, id).await?;
            if condition.is_some_and(|tags| !version::names(tags, record.version)) {
                return Err(Fault::plain(412, "the resource has another version by now: read it again").into());
            }
            tries += 1;
            let done = match work {
                Work::Replace(body) => self.replace(kind, record, body).await,
                Work::Change(body) => self.change(kind, record, body).await,
                Work::Delete => {
                    // What becomes of the person is worked out on this version: it may be somebody else's by then.
                    let version = Some(record.version);
                    self.order(PushChange::Delete { kind: record_kind(kind), id: record.id, version }).await
                }
            };
            match done {
                Err(Refused { fault, .. }) if fault.status == 412 && condition.is_none() && tries < TRIES => {}
                other => return other,
            }
        }
    }

    async fn replace(&self, kind: ResourceKind, record: Record, body: &Value) -> Result<PushDone, Refused> {
        let settings = &self.endpoint.settings;
        let draft = Draft::read(kind, body.clone(), &settings.schemas, settings.rules)?;
        let before = Resource { kind, document: members_of(record.document.clone()) };
        draft.check_against(&before, &settings.schemas)?;
        // A body that says nothing of members leaves them as they are: it may be of a group that was read without them.
        let members = match draft.members {
            Some(ids) if ids.is_empty() => vec![MemberChange::Clear],
            Some(ids) => vec![MemberChange::Replace(ids_of(&ids)?)],
            None => Vec::new(),
        };
        let password = draft.password.filter(|_| settings.passwords);
        let changes = patch::changes(&before.document, &draft.resource.document, password.is_some());
        self.update(record, &draft.resource, (changes, password), members, true).await
    }

    async fn change(&self, kind: ResourceKind, record: Record, body: &Value) -> Result<PushDone, Refused> {
        let settings = &self.endpoint.settings;
        let before = Resource { kind, document: members_of(record.document.clone()) };
        let read = Patch::read(kind, body.clone(), &settings.schemas)?;
        let patched = read.apply(&before, &settings.schemas, &settings.profile, settings.rules)?;
        let members = self.endpoint.member_changes(record.id, patched.members).await?;
        let password = patched.password.filter(|_| settings.passwords);
        let shown = |change: &Change| change.path != "password" || password.is_some();
        let changes = patched.changes.into_iter().filter(shown).collect();
        self.update(record, &patched.resource, (changes, password), members, false).await
    }

    pub async fn add_members(&self, group: RecordId, members: Vec<RecordId>) -> Result<PushDone, Refused> {
        let members = vec![MemberChange::Add(members)];
        let kind = record_kind(ResourceKind::Group);
        let (id, version, changed) = (group, 0, Vec::new());
        self.order(PushChange::Update { kind, id, data: None, version, members, changed, whole: false }).await
    }

    /// Nothing is written, and no version grows, where nothing is different.
    async fn update(
        &self,
        record: Record,
        resource: &Resource,
        (changes, password): (Vec<Change>, Option<String>),
        members: Vec<MemberChange>,
        whole: bool,
    ) -> Result<PushDone, Refused> {
        if changes.is_empty() && members.is_empty() {
            return Ok(PushDone { record, changed: false });
        }
        let data = match changes.is_empty() {
            true => None,
            false => Some(Box::new(self.endpoint.data(resource, password)?)),
        };
        let changed =
            changes.into_iter().map(|Change { path, before, after }| Changed { path, before, after }).collect();
        let (kind, id, version) = (record.kind, record.id, record.version);
        self.order(PushChange::Update { kind, id, data, version, members, changed, whole }).await
    }

    async fn order(&self, change: PushChange) -> Result<PushDone, Refused> {
        let mut trace = TraceLog::new();
        let order = PushOrder {
            tenant: self.request.tenant,
            connection: self.endpoint.connection,
            actor: &self.actor,
            change,
            txn: self.request.trace_id,
            now: self.request.now,
        };
        let done = self.endpoint.services.pushed.push(order, &mut trace).await;
        if let Err(refused) = &done {
            let code = match refused {
                PushRefused::Taken(_) => "uniqueness",
                PushRefused::Stale => "stale",
                PushRefused::Gone => "gone",
                PushRefused::NoSuchMember(_) => "members",
                PushRefused::Guarded(_) => "guard",
                PushRefused::Denied(_) => "denied",
                PushRefused::Busy(_) => "busy",
                PushRefused::Store(_) => "store",
            };
            self.endpoint.services.counters.refused("scim", code);
        }
        Ok(done?)
    }
}
