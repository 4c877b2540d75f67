//! An app with a SCIM server, by the engine of RFC 7644 that the bridge's own server stands on.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use fedbridge_contract::services::{
    CallMethod, Egress, EgressAnswer, EgressCall, EgressError, EgressLimits, EgressPost, Fetched,
};
use fedbridge_scim_core::filter::{Filter, Strange};
use fedbridge_scim_core::patch::Patch;
use fedbridge_scim_core::resource::{Draft, Resource, Rules};
use fedbridge_scim_core::{Profile, ResourceKind, Schemas};
use serde_json::{Map, Value, json};

pub const TOKEN: &str = "the app's own token";

/// What an app does otherwise than it should.
#[derive(Debug, Clone, Default)]
pub struct Manners {
    pub no_patch: bool,
    pub no_filter: bool,
    pub ignores_filter: bool,
    /// Of users: some apps keep none.
    pub no_external_id: bool,
    pub page: Option<usize>,
    /// The next answers are lost behind the deed; what is asked for meanwhile too.
    pub lose: usize,
    /// Nobody answers.
    pub gone: bool,
    /// The next calls are sent away.
    pub busy: Vec<(u16, Option<u64>)>,
}

#[derive(Default)]
pub struct State {
    pub users: BTreeMap<u64, Map<String, Value>>,
    pub groups: BTreeMap<u64, Map<String, Value>>,
    next: u64,
    pub manners: Manners,
    pub calls: Vec<String>,
    pub tokens: usize,
    pub valid: Option<String>,
}

#[derive(Default)]
pub struct App(pub Mutex<State>);

impl App {
    pub fn new() -> Arc<Self> {
        Arc::new(Self::default())
    }

    pub fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        act(&mut self.0.lock().unwrap())
    }

    /// A user whom somebody else has made.
    pub fn add(&self, body: Value) -> String {
        self.with(|state| state.post(ResourceKind::User, body).unwrap()["id"].as_str().unwrap().to_owned())
    }

    pub fn add_group(&self, body: Value) {
        self.with(|state| state.post(ResourceKind::Group, body).map(drop).unwrap());
    }

    pub fn user(&self, name: &str) -> Value {
        let found = self.with(|state| state.users.values().find(|user| user["userName"] == name).cloned());
        found.map_or(Value::Null, Value::Object)
    }

    pub fn writes(&self) -> Vec<String> {
        self.with(|state| state.calls.iter().filter(|call| !call.starts_with("GET")).cloned().collect())
    }

    pub fn forget_calls(&self) {
        self.with(|state| state.calls.clear());
    }
}

type Refused = (u16, &'static str);

impl State {
    fn all(&mut self, kind: ResourceKind) -> &mut BTreeMap<u64, Map<String, Value>> {
        match kind {
            ResourceKind::User => &mut self.users,
            ResourceKind::Group => &mut self.groups,
        }
    }

    fn post(&mut self, kind: ResourceKind, body: Value) -> Result<Value, Refused> {
        let mut document = self.draft(kind, body)?;
        self.unique(kind, &document, None)?;
        self.next += 1;
        let id = self.next;
        document.insert("id".into(), json!(id.to_string()));
        self.all(kind).insert(id, document.clone());
        Ok(Value::Object(document))
    }

    fn draft(&self, kind: ResourceKind, body: Value) -> Result<Map<String, Value>, Refused> {
        let draft =
            Draft::read(kind, body, &Schemas::default(), Rules::default()).map_err(|_| (400, "invalidValue"))?;
        let mut document = draft.resource.document;
        if let Some(members) = draft.members.filter(|members| !members.is_empty()) {
            document.insert("members".into(), members.into_iter().map(|id| json!({ "value": id })).collect());
        }
        if kind == ResourceKind::User && self.manners.no_external_id {
            document.shift_remove("externalId");
        }
        Ok(document)
    }

    fn unique(&self, kind: ResourceKind, document: &Map<String, Value>, but: Option<u64>) -> Result<(), Refused> {
        if kind == ResourceKind::Group {
            return Ok(());
        }
        let name = |user: &Map<String, Value>| user.get("userName").and_then(Value::as_str).map(str::to_lowercase);
        let taken = self.users.iter().any(|(id, user)| Some(*id) != but && name(user) == name(document));
        if taken { Err((409, "uniqueness")) } else { Ok(()) }
    }

    fn put(&mut self, kind: ResourceKind, id: u64, body: Value) -> Result<Value, Refused> {
        let mut document = self.draft(kind, body)?;
        self.unique(kind, &document, Some(id))?;
        document.insert("id".into(), json!(id.to_string()));
        let place = self.all(kind).get_mut(&id).ok_or((404, ""))?;
        *place = document.clone();
        Ok(Value::Object(document))
    }

    fn patch(&mut self, kind: ResourceKind, id: u64, body: Value) -> Result<Value, Refused> {
        let before = self.all(kind).get(&id).cloned().ok_or((404, ""))?;
        let document = match kind {
            ResourceKind::Group => patched_group(before, &body)?,
            ResourceKind::User => {
                let schemas = Schemas::default();
                let mut own = before;
                own.shift_remove("id");
                let patch = Patch::read(kind, body, &schemas).map_err(|_| (400, "invalidPath"))?;
                let resource = Resource { kind, document: own };
                let patched = patch.apply(&resource, &schemas, &Profile::GENERIC, Rules::default());
                let mut document = patched.map_err(|_| (400, "invalidValue"))?.resource.document;
                document.insert("id".into(), json!(id.to_string()));
                if self.manners.no_external_id {
                    document.shift_remove("externalId");
                }
                document
            }
        };
        self.unique(kind, &document, Some(id))?;
        self.all(kind).insert(id, document.clone());
        Ok(Value::Object(document))
    }

    fn list(&mut self, kind: ResourceKind, query: &[(String, String)]) -> Result<Value, Refused> {
        let asked = |name: &str| query.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
        let mut found: Vec<Value> = self.all(kind).values().cloned().map(Value::Object).collect();
        if let Some(filter) = asked("filter").filter(|_| !self.manners.ignores_filter) {
            if self.manners.no_filter {
                return Err((400, "invalidFilter"));
            }
            let schemas = Schemas::default();
            let filter =
                Filter::parse(&filter, &schemas, kind, Strange::Refused).map_err(|_| (400, "invalidFilter"))?;
            found.retain(|one| filter.matches(one.as_object().unwrap()));
        }
        let total = found.len();
        let first = asked("startIndex").map_or(1, |text| text.parse::<usize>().unwrap());
        let count =
            asked("count").map_or(100, |text| text.parse::<usize>().unwrap()).min(self.manners.page.unwrap_or(100));
        let page: Vec<Value> = found.into_iter().skip(first - 1).take(count).collect();
        Ok(json!({ "totalResults": total, "itemsPerPage": page.len(), "startIndex": first, "Resources": page }))
    }

    fn answer(&mut self, call: &EgressCall) -> Result<Value, Refused> {
        let path = call.url.strip_prefix("https://app.example/scim/").ok_or((404, ""))?;
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let query: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        let (endpoint, id) = path.split_once('/').map_or((path, None), |(endpoint, id)| (endpoint, Some(id)));
        let kind = match endpoint {
            "Users" => ResourceKind::User,
            "Groups" => ResourceKind::Group,
            _ => return Err((404, "")),
        };
        let id = id.map(|id| id.parse::<u64>().map_err(|_| (404, ""))).transpose()?;
        let body = || serde_json::from_str(call.body.as_deref().unwrap_or("null")).unwrap();
        match (call.method, id) {
            (CallMethod::Get, None) => self.list(kind, &query),
            (CallMethod::Get, Some(id)) => self.all(kind).get(&id).cloned().map(Value::Object).ok_or((404, "")),
            (CallMethod::Post, None) => self.post(kind, body()),
            (CallMethod::Patch, Some(_)) if self.manners.no_patch => Err((501, "")),
            (CallMethod::Patch, Some(id)) => self.patch(kind, id, body()),
            (CallMethod::Put, Some(id)) => self.put(kind, id, body()),
            (CallMethod::Delete, Some(id)) => self.all(kind).remove(&id).map(|_| Value::Null).ok_or((404, "")),
            _ => Err((405, "")),
        }
    }
}

fn patched_group(mut group: Map<String, Value>, body: &Value) -> Result<Map<String, Value>, Refused> {
    for operation in body["Operations"].as_array().ok_or((400, "invalidSyntax"))? {
        let (op, path) = (operation["op"].as_str().unwrap(), operation["path"].as_str().unwrap());
        let mut members = group.get("members").and_then(Value::as_array).cloned().unwrap_or_default();
        match (op, path) {
            ("add", "members") => {
                let new = operation["value"].as_array().unwrap().iter();
                let new: Vec<_> = new.filter(|one| !members.contains(one)).cloned().collect();
                members.extend(new);
            }
            ("remove", path) => {
                let id = path.strip_prefix("members[value eq \"").and_then(|rest| rest.strip_suffix("\"]"));
                let id = id.ok_or((400, "invalidPath"))?;
                members.retain(|one| one["value"] != id);
            }
            ("replace", "displayName" | "externalId") => {
                group.insert(path.to_owned(), operation["value"].clone());
            }
            _ => return Err((400, "invalidPath")),
        }
        group.insert("members".into(), Value::Array(members));
    }
    Ok(group)
}

#[async_trait]
impl Egress for App {
    async fn get(&self, _: &str, _: EgressLimits) -> Result<Fetched, EgressError> {
        panic!("not used")
    }

    async fn get_if_changed(&self, _: &str, _: &str, _: EgressLimits) -> Result<Fetched, EgressError> {
        panic!("not used")
    }

    /// The authorization server.
    async fn post(&self, request: &EgressPost, _: EgressLimits) -> Result<Fetched, EgressError> {
        assert_eq!(request.url, "https://as.example/token");
        assert_eq!(request.body, "grant_type=client_credentials&scope=scim+write");
        let basic = ("authorization".to_owned(), "Basic YnJpZGdlOnMlM0FzZWNyZXQ=".to_owned());
        assert!(request.headers.contains(&basic), "{:?}", request.headers);
        let token = self.with(|state| {
            state.tokens += 1;
            state.valid = Some(format!("token-{}", state.tokens));
            state.valid.clone()
        });
        let body = json!({ "access_token": token, "token_type": "Bearer", "expires_in": 3600 }).to_string();
        Ok(Fetched { status: 200, content_type: None, etag: None, max_age: None, body: body.into() })
    }

    async fn call(&self, call: &EgressCall, _: EgressLimits) -> Result<EgressAnswer, EgressError> {
        self.with(|state| {
            let path = call.url.split('?').next().unwrap().trim_start_matches("https://app.example/scim/");
            state.calls.push(format!("{} {path}", call.method.name()));
            if state.manners.gone {
                let cause = "connection refused".to_owned();
                return Err(EgressError { url: call.url.clone(), cause, silent: true });
            }
            if !state.manners.busy.is_empty() {
                let (status, after) = state.manners.busy.remove(0);
                return Ok(EgressAnswer { status, retry_after: after.map(Duration::from_secs), body: Bytes::new() });
            }
            let token = state.valid.clone().unwrap_or_else(|| TOKEN.to_owned());
            if !call.headers.contains(&("authorization".to_owned(), format!("Bearer {token}"))) {
                return Ok(EgressAnswer { status: 401, retry_after: None, body: Bytes::new() });
            }
            let done = state.answer(call);
            if call.method != CallMethod::Get && state.manners.lose > 0 {
                state.manners.lose -= 1;
                let cause = "connection closed before the answer".to_owned();
                return Err(EgressError { url: call.url.clone(), cause, silent: true });
            }
            let (status, body) = match done {
                Ok(Value::Null) => (204, String::new()),
                Ok(body) => (if call.method == CallMethod::Post { 201 } else { 200 }, body.to_string()),
                Err((status, word)) => (status, json!({ "scimType": word, "detail": "no" }).to_string()),
            };
            Ok(EgressAnswer { status, retry_after: None, body: body.into() })
        })
    }
}
