//! A small world: two tenants with clients of every kind, and hands to drive them.

pub mod keys;
pub mod services;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use fedbridge_contract::claims::Claims;
use fedbridge_contract::config::{App, AppKind, Connection, Locale, Tenant, TenantSettings};
use fedbridge_contract::downstream::{Accepted, Downstream, Finish, IssuedIdentity, LoginRequest, Request};
use fedbridge_contract::grant::Grant;
use fedbridge_contract::http::{HttpInput, Method, Reply, ReplyKind};
use fedbridge_contract::ids::{AppId, ConnectionId, GrantId, PersonId, SessionId, TenantId, TraceId};
use fedbridge_contract::keys::{KeyState, SignatureAlgorithm};
use fedbridge_contract::page::Page;
use fedbridge_contract::proof::Permit;
use fedbridge_contract::services::{Closed, Services};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use fedbridge_oidc::op::OpenIdProvider;
use openssl::sha::sha256;
use serde_json::{Value, json};

use keys::TestKey;
use services::{CountingRng, Counts, FixedClock, MemoryGrants, Patience, Secrets, Switches, Traces, Upstream, Web};

/// With every character that form encoding changes.
pub const SECRET: &str = "pö:%+ &=secret-of-thirty-two-characters";
pub const NEXT_SECRET: &str = "the-next-secret-of-the-same-client-0001";
pub const VERIFIER: &str = "a-code-verifier-of-more-than-forty-three-characters";
pub const CALLBACK: &str = "https://portal.example/callback";
pub const API: &str = "https://api.acme.example";

pub struct World {
    pub provider: OpenIdProvider,
    pub grants: Arc<MemoryGrants>,
    pub traces: Arc<Traces>,
    pub counts: Arc<Counts>,
    pub gate: Arc<Switches>,
    pub patience: Arc<Patience>,
    pub web: Arc<Web>,
    pub upstream: Arc<Upstream>,
    pub acme: Arc<Tenant>,
    pub globex: Arc<Tenant>,
    pub robot: Arc<TestKey>,
    /// ES256 active, ES256 next, ES256 retiring, RS256, PS256 and EdDSA active, of acme.
    pub keys: Vec<Arc<TestKey>>,
    pub now: Timestamp,
    rng: Arc<CountingRng>,
}

pub fn world() -> World {
    let robot = Arc::new(TestKey::make("robot-1", SignatureAlgorithm::ES256));
    let grants = Arc::new(MemoryGrants::default());
    let (traces, counts, gate) = (Arc::default(), Arc::default(), Arc::default());
    let patience: Arc<Patience> = Arc::default();
    let (web, rng): (Arc<Web>, Arc<CountingRng>) = (Arc::default(), Arc::default());
    let upstream: Arc<Upstream> = Arc::default();
    let services = Services {
        clock: Arc::new(FixedClock),
        rng: Arc::clone(&rng) as _,
        egress: Arc::clone(&web) as _,
        grants: Arc::clone(&grants) as _,
        gate: Arc::clone(&gate) as Arc<Switches>,
        tokens: Arc::new(Secrets),
        traces: Arc::clone(&traces) as Arc<Traces>,
        counters: Arc::clone(&counts) as Arc<Counts>,
        throttle: Arc::clone(&patience) as Arc<Patience>,
        handles: Arc::new(Closed),
        name_ids: Arc::new(Closed),
        sightings: Arc::new(Closed),
        dialer: Arc::new(Closed),
        revalidator: Arc::clone(&upstream) as Arc<Upstream>,
        current_claims: Arc::new(Closed),
        pushed: Arc::new(Closed),
        signals: Arc::new(Closed),
    };
    use SignatureAlgorithm::{ES256, EdDSA, PS256, RS256};
    let keys: Vec<_> =
        [("es", ES256), ("es-next", ES256), ("es-old", ES256), ("rs", RS256), ("ps", PS256), ("ed", EdDSA)]
            .into_iter()
            .map(|(kid, algorithm)| Arc::new(TestKey::make(kid, algorithm)))
            .collect();
    let acme = tenant(&rng, "acme", &robot, &keys);
    let other: Vec<_> =
        keys.iter().map(|key| Arc::new(TestKey::make(&format!("g-{}", key.kid), key.algorithm))).collect();
    let globex = tenant(&rng, "globex", &robot, &other);
    let provider = OpenIdProvider::new(services);
    let now = Timestamp::from_seconds(1_800_000_000);
    World { provider, grants, traces, counts, gate, patience, web, upstream, acme, globex, robot, keys, now, rng }
}

fn tenant(rng: &Arc<CountingRng>, slug: &str, robot: &TestKey, keys: &[Arc<TestKey>]) -> Arc<Tenant> {
    use KeyState::{Active, Next, Retiring};
    let states = [Active, Next, Retiring, Active, Active, Active];
    let ring = keys::ring(&keys.iter().cloned().zip(states).collect::<Vec<_>>());
    let okta = Arc::new(Connection {
        id: ConnectionId::random(rng.as_ref()),
        slug: "okta".into(),
        display_name: "Okta".into(),
        protocol: "saml".into(),
        enabled: true,
        domains: Vec::new(),
    });
    let apps = clients(robot).into_iter().map(|(name, settings, secrets)| {
        let hashes = secrets.iter().map(|secret| sha256(secret.as_bytes())).collect();
        let id = AppId::random(rng.as_ref());
        let display = format!("The {name}");
        Arc::new(App::new(
            id,
            AppKind::OidcClient,
            name.into(),
            Some(name.into()),
            display,
            true,
            None,
            settings,
            hashes,
        ))
    });
    let id = TenantId::random(rng.as_ref());
    let base = "https://bridge.example";
    Arc::new(Tenant::new(id, slug.into(), slug.to_uppercase(), true, base, vec![okta], apps.collect(), ring))
}

fn clients(robot: &TestKey) -> Vec<(&'static str, Value, Vec<&'static str>)> {
    let own = json!(["openid", "profile", "email", "api:read", "api:write"]);
    let all = json!(["openid", "profile", "email", "groups", "offline_access", "api:read", "api:write"]);
    let every = json!(["authorization_code", "refresh_token", "client_credentials"]);
    let set = json!({"keys": [robot.jwk()]});
    vec![
        ("local", json!({"redirect_uris": ["http://127.0.0.1:3000/cb"]}), vec![SECRET]),
        (
            "portal",
            json!({"redirect_uris": [CALLBACK, "https://portal.example/other?x=1"], "scopes": all, "grant_types": every,
                   "post_logout_redirect_uris": ["https://portal.example/bye"]}),
            vec![SECRET, NEXT_SECRET],
        ),
        (
            "native",
            json!({"public": true, "redirect_uris": ["http://127.0.0.1/cb", "http://[::1]:9/cb?a=b",
                   "http://localhost:7000/cb", "com.example.app:/cb", "https://native.example/cb"], "scopes": all}),
            vec![],
        ),
        (
            "relaxed",
            json!({"pkce": "optional", "redirect_uris": [CALLBACK], "scopes": all, "grant_types": every,
                   "access_token": {"audience": API, "lifetime": "5m"}, "id_token_signed_response_alg": "RS256"}),
            vec![SECRET],
        ),
        (
            "opaque",
            json!({"redirect_uris": [CALLBACK], "scopes": all, "grant_types": every, "id_token_signed_response_alg": "EdDSA",
                   "access_token": {"format": "opaque", "audience": API}}),
            vec![SECRET],
        ),
        ("machine", json!({"grant_types": ["client_credentials"], "scopes": own}), vec![SECRET]),
        ("api", json!({"grant_types": ["client_credentials"], "resources": [API]}), vec![SECRET]),
        (
            "basic",
            json!({"grant_types": ["client_credentials"], "token_endpoint_auth_method": "client_secret_basic"}),
            vec![SECRET],
        ),
        (
            "post",
            json!({"grant_types": ["client_credentials"], "token_endpoint_auth_method": "client_secret_post"}),
            vec![SECRET],
        ),
        ("robot", json!({"grant_types": ["client_credentials"], "jwks": set}), vec![]),
        (
            "legacy",
            json!({"grant_types": ["client_credentials"], "jwks": set, "client_assertion_audience": "token_endpoint"}),
            vec![],
        ),
        ("remote", json!({"grant_types": ["client_credentials"], "jwks_uri": "https://remote.example/jwks"}), vec![]),
        (
            "paired",
            json!({"redirect_uris": [CALLBACK, "https://paired.example/cb"], "scopes": all, "subject_type": "pairwise",
                   "sector_identifier_uri": "https://paired.example/sector"}),
            vec![SECRET],
        ),
        (
            "codeless",
            json!({"redirect_uris": [CALLBACK], "grant_types": ["client_credentials"], "scopes": own}),
            vec![SECRET],
        ),
        (
            "online",
            json!({"redirect_uris": [CALLBACK], "grant_types": ["authorization_code"], "scopes": ["openid"]}),
            vec![SECRET],
        ),
    ]
}

// ---- requests ----

/// What an app gets back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HashMap<&'static str, String>,
    pub body: Vec<u8>,
    pub json: Value,
}

impl Answer {
    pub fn error(&self) -> &str {
        self.json["error"].as_str().unwrap_or_default()
    }

    pub fn text(&self, name: &str) -> String {
        self.json[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.json)).to_owned()
    }
}

pub fn form(params: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(params).finish()
}

/// A Basic header as RFC 6749 wants it: form-encoded first.
pub fn basic(client: &str, secret: &str) -> String {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    format!("Basic {}", STANDARD.encode(format!("{}:{}", encode(client), encode(secret))))
}

pub fn challenge() -> String {
    URL_SAFE_NO_PAD.encode(sha256(VERIFIER.as_bytes()))
}

pub fn input(route: &'static str, method: Method) -> HttpInput {
    HttpInput {
        method,
        route,
        rest: String::new(),
        query: String::new(),
        body: Vec::new().into(),
        content_type: None,
        authorization: None,
        origin: None,
        accept_language: None,
        if_match: None,
        if_none_match: None,
        prefer: None,
        cookies: Vec::new(),
        peer: IpAddr::V4(Ipv4Addr::LOCALHOST),
    }
}

pub fn claims_of(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

pub fn header_of(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap()).unwrap()
}

pub fn body_of(reply: Reply) -> Answer {
    match reply.kind {
        ReplyKind::Body(body) => Answer {
            status: body.status,
            headers: body.headers.into_iter().collect(),
            json: serde_json::from_slice(&body.bytes).unwrap_or(Value::Null),
            body: body.bytes.to_vec(),
        },
        other => panic!("not a body: {other:?}"),
    }
}

pub fn page_status(accepted: Accepted) -> u16 {
    match accepted {
        Accepted::Reply(Reply { kind: ReplyKind::Page(Page::Error(page)), .. }) => page.status,
        other => panic!("not an error page: {}", describe(&other)),
    }
}

fn describe(accepted: &Accepted) -> String {
    match accepted {
        Accepted::Reply(reply) => format!("{reply:?}"),
        Accepted::Login(login) => format!("{login:?}"),
        Accepted::Logout(logout) => format!("{logout:?}"),
        Accepted::PeerLogout { .. } => "a logout of a peer".into(),
        Accepted::LogoutAnswer { .. } => "an answer to a notice".into(),
    }
}

/// The parameters of an answer to the browser, by redirect or by form.
pub fn front_params(reply: &Reply) -> (String, HashMap<String, String>) {
    match &reply.kind {
        ReplyKind::Redirect(location) => {
            let (target, query) = location.split_once('?').unwrap();
            (target.to_owned(), form_urlencoded::parse(query.as_bytes()).into_owned().collect())
        }
        ReplyKind::AutoPost { action, fields } => (action.clone(), fields.iter().cloned().collect()),
        other => panic!("not an answer to the app: {other:?}"),
    }
}

impl World {
    pub async fn send(&self, tenant: &Arc<Tenant>, input: HttpInput) -> Accepted {
        let mut trace = TraceLog::new();
        let trace_id = TraceId::random(self.rng.as_ref());
        let request = Request { tenant, input: &input, now: self.now, trace_id };
        self.provider.accept(request, &mut trace).await
    }

    pub async fn post_at(
        &self,
        tenant: &Arc<Tenant>,
        route: &'static str,
        authorization: Option<&str>,
        params: &[(&str, &str)],
    ) -> Answer {
        let mut input = input(route, Method::Post);
        input.body = form(params).into();
        input.content_type = Some("application/x-www-form-urlencoded".into());
        input.authorization = authorization.map(str::to_owned);
        match self.send(tenant, input).await {
            Accepted::Reply(reply) => body_of(reply),
            other => panic!("not a reply: {}", describe(&other)),
        }
    }

    pub async fn post(&self, route: &'static str, authorization: Option<&str>, params: &[(&str, &str)]) -> Answer {
        self.post_at(&self.acme, route, authorization, params).await
    }

    pub async fn get(&self, route: &'static str, query: &str) -> Accepted {
        let mut input = input(route, Method::Get);
        input.query = query.to_owned();
        self.send(&self.acme, input).await
    }

    pub async fn token(&self, client: &str, params: &[(&str, &str)]) -> Answer {
        self.post("token", Some(&basic(client, SECRET)), params).await
    }

    pub async fn userinfo(&self, token: &str) -> Answer {
        let mut input = input("userinfo", Method::Get);
        input.authorization = Some(format!("Bearer {token}"));
        match self.send(&self.acme, input).await {
            Accepted::Reply(reply) => body_of(reply),
            other => panic!("not a reply: {}", describe(&other)),
        }
    }

    // ---- logins ----

    pub fn request<'a>(&self, client: &'a str, scope: &'a str) -> Vec<(&'a str, String)> {
        let redirect_uri = if client == "native" { "http://127.0.0.1:5000/cb" } else { CALLBACK };
        vec![
            ("client_id", client.to_owned()),
            ("redirect_uri", redirect_uri.to_owned()),
            ("response_type", "code".to_owned()),
            ("scope", scope.to_owned()),
            ("state", "st/a+te".to_owned()),
            ("nonce", "n-1".to_owned()),
            ("code_challenge", challenge()),
            ("code_challenge_method", "S256".to_owned()),
        ]
    }

    pub async fn authorize(&self, params: &[(&str, String)]) -> Accepted {
        let pairs: Vec<_> = params.iter().map(|(name, value)| (*name, value.as_str())).collect();
        self.get("authorize", &form(&pairs)).await
    }

    pub async fn accepted(&self, params: &[(&str, String)]) -> LoginRequest {
        match self.authorize(params).await {
            Accepted::Login(login) => *login,
            other => panic!("not a login: {}", describe(&other)),
        }
    }

    /// The error that the app gets for a request.
    pub async fn refused(&self, params: &[(&str, String)]) -> HashMap<String, String> {
        match self.authorize(params).await {
            Accepted::Reply(reply) => front_params(&reply).1,
            other => panic!("not refused: {}", describe(&other)),
        }
    }

    pub fn identity(&self, tenant: &Arc<Tenant>, scope: Vec<String>) -> IssuedIdentity {
        let mut claims = Claims::default();
        for (name, value) in [
            ("name", json!("Ada")),
            ("email", json!("ada@acme.example")),
            ("email_verified", json!(true)),
            ("groups", json!(["staff"])),
            ("tier", json!("gold")),
            ("iss", json!("https://evil.example")),
            ("aud", json!("evil")),
        ] {
            claims.set(name, value);
        }
        IssuedIdentity {
            person: PersonId::random(self.rng.as_ref()),
            sub: "c0ffee".into(),
            session: SessionId::random(self.rng.as_ref()),
            connection: Arc::clone(&tenant.connections[0]),
            claims,
            scope,
            auth_time: self.now - Duration::from_secs(30),
            acr: Some("urn:acr:silver".into()),
            amr: vec!["pwd".into()],
            authorities: Vec::new(),
            upstream_limit: None,
            session_limit: self.now + Duration::from_secs(3600),
            trace: TraceId::random(self.rng.as_ref()),
        }
    }

    pub async fn finish(
        &self,
        tenant: &Arc<Tenant>,
        login: &LoginRequest,
        identity: &IssuedIdentity,
    ) -> (Reply, GrantId) {
        let app = tenant.app_by_id(login.app).unwrap();
        let rng = self.rng.as_ref();
        let finish = Finish { tenant, app, continuation: &login.continuation, identity, now: self.now, rng };
        let finished = self.provider.finish(finish, &Permit::assertion_of_the_gate()).await.unwrap();
        let grant = finished.grant.unwrap();
        let id = grant.id;
        self.grants.insert(tenant.id, grant);
        (finished.reply, id)
    }

    /// A whole login up to the code.
    pub async fn code(&self, client: &str, scope: &str) -> (String, GrantId) {
        let login = self.accepted(&self.request(client, scope)).await;
        let identity = self.identity(&self.acme, login.scope.clone());
        let (reply, id) = self.finish(&self.acme, &login, &identity).await;
        (front_params(&reply).1["code"].clone(), id)
    }

    pub async fn redeem(&self, client: &str, code: &str) -> Answer {
        let params = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", CALLBACK),
            ("code_verifier", VERIFIER),
        ];
        self.token(client, &params).await
    }

    /// A whole login up to the tokens.
    pub async fn tokens(&self, client: &str, scope: &str) -> (Answer, GrantId) {
        let (code, id) = self.code(client, scope).await;
        let answer = self.redeem(client, &code).await;
        assert_eq!(answer.status, 200, "{}", answer.json);
        (answer, id)
    }

    pub fn app(&self, client: &str) -> AppId {
        self.acme.app(AppKind::OidcClient, client).unwrap().id
    }

    pub fn grant(&self, id: GrantId) -> Grant {
        self.grants.grant(self.acme.id, id)
    }

    /// Why the last refusal was one, without the code that it begins with.
    pub fn last_cause(&self) -> String {
        let (_, code) = *self.counts.refused.lock().unwrap().last().unwrap();
        let cause = self.traces.0.lock().unwrap().last().unwrap().cause.clone();
        match cause.strip_prefix(code).and_then(|rest| rest.strip_prefix(": ")) {
            Some(why) => why.to_owned(),
            None => panic!("`{cause}` does not begin with the code {code}"),
        }
    }

    /// A snapshot of acme without one of its keys.
    pub fn drop_key(&mut self, kid: &str) {
        let acme = &self.acme;
        let mut ring = (*acme.keys).clone();
        ring.oidc.retain(|key| key.signer.kid() != kid);
        let (id, slug, name) = (acme.id, acme.slug.clone(), acme.display_name.clone());
        let (connections, apps) = (acme.connections.clone(), acme.apps.clone());
        self.acme = Arc::new(Tenant::new(id, slug, name, true, &acme.base_url, connections, apps, Arc::new(ring)));
    }

    /// A snapshot of acme in which one client's settings are other ones.
    pub fn change_client(&mut self, client: &str, change: impl FnOnce(&mut Value)) {
        let acme = &self.acme;
        let mut change = Some(change);
        let apps = acme.apps.iter().map(|app| {
            let mut settings = app.settings.clone();
            if app.name == client {
                change.take().unwrap()(&mut settings);
            }
            let (name, display, hashes) = (app.name.clone(), app.display_name.clone(), app.secret_hashes.clone());
            Arc::new(App::new(app.id, app.kind, name.clone(), Some(name), display, true, None, settings, hashes))
        });
        let (id, slug, name, apps) = (acme.id, acme.slug.clone(), acme.display_name.clone(), apps.collect());
        let (connections, keys) = (acme.connections.clone(), Arc::clone(&acme.keys));
        self.acme = Arc::new(Tenant::new(id, slug, name, true, &acme.base_url, connections, apps, keys));
    }

    /// A snapshot of acme whose pages speak these languages.
    pub fn speak(&mut self, locales: &[Locale]) {
        let acme = &self.acme;
        let (id, slug, name, apps) = (acme.id, acme.slug.clone(), acme.display_name.clone(), acme.apps.clone());
        let (connections, keys) = (acme.connections.clone(), Arc::clone(&acme.keys));
        let tenant = Tenant::new(id, slug, name, true, &acme.base_url, connections, apps, keys);
        let settings = TenantSettings { locales: locales.to_vec(), ..TenantSettings::default() };
        self.acme = Arc::new(tenant.with_settings(settings));
    }

    pub fn later(&mut self, seconds: u64) {
        self.now = self.now + Duration::from_secs(seconds);
    }
}
