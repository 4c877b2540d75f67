//! A connection, and somebody who pushes.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use fedbridge_contract::config::{Connection, Tenant};
use fedbridge_contract::error::Complaint;
use fedbridge_contract::factory::{AdapterFactory as _, Open};
use fedbridge_contract::http::{HttpInput, Method, ReplyKind};
use fedbridge_contract::ids::{ConnectionId, TenantId, TraceId};
use fedbridge_contract::keys::KeyRing;
use fedbridge_contract::push::{PushRequest, PushServer};
use fedbridge_contract::services::{Clock as _, Services, Throttle};
use fedbridge_contract::testkit::{Distinct, Hands, Keyed, bare_services};
use fedbridge_contract::time::Timestamp;
use fedbridge_scim::ScimFactory;
use serde_json::{Value, json};

use crate::desk::Desk;

pub const TOKEN: &str = "a-token-of-32-characters-or-more-0123";
pub const SECOND: &str = "the-other-token-of-the-same-connection";
pub const CLIENT_SECRETS: [&str; 2] =
    ["oauth-secret-of-32-characters-or-more", "oauth-the-other-one-of-the-same-client"];

pub struct World {
    pub desk: Arc<Desk>,
    pub clock: Arc<Hands>,
    pub tenant: Arc<Tenant>,
    pub servers: Vec<Box<dyn PushServer>>,
    ids: [ConnectionId; 2],
}

pub struct Sent<'s> {
    pub method: Method,
    pub path: &'s str,
    pub query: &'s str,
    pub body: String,
    pub token: Option<&'s str>,
    pub content_type: Option<&'s str>,
    pub if_match: Option<&'s str>,
    pub if_none_match: Option<&'s str>,
    pub prefer: Option<&'s str>,
    /// Of the world's connections.
    pub connection: usize,
}

impl Default for Sent<'_> {
    fn default() -> Self {
        Self {
            method: Method::Get,
            path: "Users",
            query: "",
            body: String::new(),
            token: Some(TOKEN),
            content_type: Some("application/scim+json"),
            if_match: None,
            if_none_match: None,
            prefer: None,
            connection: 0,
        }
    }
}

pub struct Answer {
    pub status: u16,
    media_type: &'static str,
    pub body: Value,
    pub headers: BTreeMap<&'static str, String>,
}

impl Answer {
    pub fn id(&self) -> String {
        self.body["id"].as_str().unwrap().to_owned()
    }

    /// Status and `scimType`.
    pub fn refusal(&self) -> (u16, &str) {
        assert_eq!(self.body["status"], self.status.to_string(), "{}", self.body);
        (self.status, self.body["scimType"].as_str().unwrap_or_default())
    }
}

pub fn open(
    settings: Value,
    tokens: &[&str],
    services: &Services,
    (tenant, connection): (TenantId, ConnectionId),
) -> Result<Box<dyn PushServer>, Vec<Complaint>> {
    let named = |(at, token): (usize, &&str)| {
        let name = if token.starts_with("oauth-") { "oauth_client_secret" } else { "bearer_token" };
        (format!("{name}/{at}"), token.as_bytes().to_vec())
    };
    let secrets: BTreeMap<_, _> = tokens.iter().enumerate().map(named).collect();
    let opened = ScimFactory.open(Open {
        tenant,
        connection,
        slug: "hr",
        address: "https://bridge.example/t/acme/connections/hr".into(),
        settings: &settings,
        secrets: &secrets,
        services,
        now: Timestamp::from_seconds(0),
    })?;
    Ok(opened.push.unwrap())
}

fn connection(id: ConnectionId, enabled: bool) -> Connection {
    Connection {
        id,
        slug: "hr".into(),
        display_name: "HR".into(),
        protocol: "scim".into(),
        enabled,
        domains: Vec::new(),
    }
}

/// So many wrong secrets are forgiven.
pub const FORGIVEN: usize = 30;

#[derive(Default)]
struct Patience(AtomicUsize);

impl Throttle for Patience {
    fn failed(&self, _: TenantId, _: &str, _: IpAddr, _: Timestamp) -> Option<Duration> {
        (self.0.fetch_add(1, Ordering::Relaxed) >= FORGIVEN).then_some(Duration::from_millis(2_500))
    }
}

pub fn services(clock: &Arc<Hands>, desk: &Arc<Desk>) -> Services {
    Services {
        tokens: Arc::new(Keyed),
        throttle: Arc::new(Patience::default()),
        pushed: Arc::clone(desk) as _,
        ..bare_services(Arc::clone(clock) as _)
    }
}

impl World {
    pub fn new(profile: &str) -> Self {
        Self::with(json!({ "profile": profile }))
    }

    /// Two connections with the same settings.
    pub fn with(settings: Value) -> Self {
        let has_client = settings.get("oauth_client_id").is_some();
        let clients = if has_client { &CLIENT_SECRETS[..] } else { &[] };
        Self::open(&settings, &[&[TOKEN, SECOND], clients].concat())
    }

    /// The same connections, opened anew.
    pub fn with_secrets(&self, settings: Value, secrets: &[&str]) -> Self {
        let services = services(&self.clock, &self.desk);
        let servers = self.ids.map(|id| {
            open(settings.clone(), secrets, &services, (self.tenant.id, id)).unwrap_or_else(|it| panic!("{it:?}"))
        });
        let (desk, clock, tenant) = (Arc::clone(&self.desk), Arc::clone(&self.clock), Arc::clone(&self.tenant));
        Self { servers: servers.into(), desk, clock, tenant, ids: self.ids }
    }

    fn open(settings: &Value, secrets: &[&str]) -> Self {
        let (desk, clock) = (Desk::new(), Hands::at(Timestamp::from_seconds(1_700_000_000)));
        let services = services(&clock, &desk);
        let (id, keys) = (TenantId::random(&Distinct), Arc::new(KeyRing::default()));
        let ids = [ConnectionId::random(&Distinct), ConnectionId::random(&Distinct)];
        let views = ids.map(|id| Arc::new(connection(id, true))).into();
        let tenant = Tenant::new(id, "acme".into(), "Acme".into(), true, "https://bridge.example", views, vec![], keys);
        let servers = ids.map(|connection| {
            open(settings.clone(), secrets, &services, (id, connection))
                .unwrap_or_else(|complaints| panic!("{complaints:?}"))
        });
        Self { servers: servers.into(), desk, clock, tenant: Arc::new(tenant), ids }
    }

    /// The tenant with its connections switched on or off.
    pub fn switch(&mut self, enabled: bool) {
        let (id, keys) = (self.tenant.id, Arc::new(KeyRing::default()));
        let views = self.ids.map(|id| Arc::new(connection(id, enabled))).into();
        let tenant = Tenant::new(id, "acme".into(), "Acme".into(), true, "https://bridge.example", views, vec![], keys);
        self.tenant = Arc::new(tenant);
    }

    pub async fn send(&self, sent: Sent<'_>) -> Answer {
        let answer = self.request("scim/v2/**", sent, None).await;
        assert_eq!(answer.media_type, "application/scim+json");
        answer
    }

    /// Asks the token endpoint of a connection.
    pub async fn token(&self, connection: usize, form: &str, authorization: Option<&str>) -> Answer {
        let content_type = Some("application/x-www-form-urlencoded");
        let sent =
            Sent { method: Method::Post, path: "", body: form.to_owned(), content_type, connection, ..Sent::default() };
        let answer = self.request("scim/token", sent, Some(authorization.map(str::to_owned))).await;
        assert_eq!(answer.media_type, "application/json");
        answer
    }

    async fn request(&self, route: &'static str, sent: Sent<'_>, authorization: Option<Option<String>>) -> Answer {
        let bearer = sent.token.map(|token| format!("Bearer {token}"));
        let input = HttpInput {
            method: sent.method,
            route,
            rest: sent.path.to_owned(),
            query: sent.query.to_owned(),
            body: sent.body.into_bytes().into(),
            content_type: sent.content_type.map(str::to_owned),
            authorization: authorization.unwrap_or(bearer),
            origin: None,
            accept_language: None,
            if_match: sent.if_match.map(str::to_owned),
            if_none_match: sent.if_none_match.map(str::to_owned),
            prefer: sent.prefer.map(str::to_owned),
            cookies: Vec::new(),
            peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
        };
        // Later changes have later times.
        self.clock.pass(Duration::from_millis(1));
        let request = PushRequest {
            tenant: &self.tenant,
            input: &input,
            now: self.clock.now(),
            trace_id: TraceId::random(&Distinct),
        };
        let ReplyKind::Body(body) = self.servers[sent.connection].answer(request).await.kind else { panic!("no body") };
        let read = if body.bytes.is_empty() { Value::Null } else { serde_json::from_slice(&body.bytes).unwrap() };
        let headers = body.headers.into_iter().collect();
        Answer { status: body.status, media_type: body.content_type, body: read, headers }
    }

    pub async fn get(&self, path: &str) -> Answer {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let query = query.replace(' ', "%20").replace('"', "%22");
        self.send(Sent { path, query: &query, ..Sent::default() }).await
    }

    pub async fn ask(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.send(Sent { method, path, body: body.to_string(), ..Sent::default() }).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask(Method::Post, path, &body).await
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answer {
        self.ask(Method::Put, path, body).await
    }

    pub async fn patch(&self, path: &str, operations: Value) -> Answer {
        let body = json!({ "schemas": ["urn:ietf:params:scim:api:messages:2.0:PatchOp"], "Operations": operations });
        self.ask(Method::Patch, path, &body).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Sent { method: Method::Delete, path, ..Sent::default() }).await
    }

    /// The id of a new user.
    pub async fn user(&self, name: &str) -> String {
        let answer = self.post("Users", json!({ "userName": name })).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.id()
    }

    pub async fn group(&self, name: &str, members: &[&str]) -> String {
        let members: Vec<_> = members.iter().map(|id| json!({ "value": id })).collect();
        let answer = self.post("Groups", json!({ "displayName": name, "members": members })).await;
        assert_eq!(answer.status, 201, "{}", answer.body);
        answer.id()
    }
}
