//! One tenant, one connection, and scripted providers in memory.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, OnceLock};

use fedbridge_contract::config::Tenant;
use fedbridge_contract::error::{Complaint, ProtocolError};
use fedbridge_contract::factory::{AdapterFactory, Open};
use fedbridge_contract::http::{HttpInput, Method};
use fedbridge_contract::identity::AuthenticatedIdentity;
use fedbridge_contract::ids::{ConnectionId, TenantId, TransactionId};
use fedbridge_contract::keys::KeyRing;
use fedbridge_contract::proof::Minter;
use fedbridge_contract::services::{Clock, Egress, Services};
pub use fedbridge_contract::testkit::{Distinct, Hands};
use fedbridge_contract::testkit::{Keyed, Quiet, bare_services};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::{Step, TraceLog};
use fedbridge_contract::upstream::{Adapter, Answer, Begun, Challenge, LoginOutcome, LoginWish, Start};
use fedbridge_oidc_core::testkit::{ScriptedOp, Wires, Wish};
use fedbridge_oidc_rp::OidcFactory;
use serde_json::{Value, json};

pub const ISSUER: &str = "https://op.example";
pub const ADDRESS: &str = "https://bridge.example/t/acme/connections/op";
pub const HANDLE: &str = "handle-of-the-transaction-which-is-a-ticket-of-the-huA";

/// 2026-11-22T12:00:00Z.
pub const NOW: Timestamp = Timestamp::from_seconds(1_795_348_800);

/// Secrets of a connection, by their paths.
pub type Secrets = BTreeMap<String, Vec<u8>>;

fn secrets(op: &ScriptedOp) -> Secrets {
    BTreeMap::from([("client_secret".to_owned(), op.client().1.into_bytes())])
}

/// One connection to a scripted provider.
pub struct World {
    pub op: ScriptedOp,
    pub clock: Arc<Hands>,
    pub factory: OidcFactory,
    pub services: Services,
    pub adapter: Adapter,
    pub tenant: Arc<Tenant>,
    pub connection: ConnectionId,
}

/// A request that is out, and what must come back with its answer.
pub struct Pending {
    pub location: String,
    pub state: Vec<u8>,
    pub wish: LoginWish,
}

impl World {
    pub fn new() -> Self {
        Self::with(json!({}))
    }

    /// With these settings besides issuer and client.
    pub fn with(settings: Value) -> Self {
        let clock = Hands::at(NOW);
        let op = ScriptedOp::new(ISSUER, clock.clone()).unwrap();
        Self::of(op, clock, settings).unwrap()
    }

    /// With the provider as it is now; or what is wrong.
    pub fn of(op: ScriptedOp, clock: Arc<Hands>, settings: Value) -> Result<Self, Vec<Complaint>> {
        let wires = Wires::new(&[&op]);
        Self::on(op, clock, settings, wires)
    }

    /// With more providers on the wire.
    pub fn on(op: ScriptedOp, clock: Arc<Hands>, settings: Value, wires: Wires) -> Result<Self, Vec<Complaint>> {
        let services = services(Arc::clone(&clock), Arc::new(wires));
        let factory = OidcFactory::default();
        let connection = ConnectionId::random(&Distinct);
        let tenant = Arc::new(tenant());
        let settings = complete(&op, settings);
        let adapter = open(&factory, &secrets(&op), &tenant, connection, &settings, &services)?;
        Ok(Self { op, clock, factory, services, adapter, tenant, connection })
    }

    /// The same connection, opened anew with other settings and the metadata of the moment.
    pub fn reopen(&mut self, settings: Value) -> Result<(), Vec<Complaint>> {
        self.reopen_with(settings, &secrets(&self.op))
    }

    /// With other secrets too.
    pub fn reopen_with(&mut self, settings: Value, secrets: &Secrets) -> Result<(), Vec<Complaint>> {
        let settings = complete(&self.op, settings);
        self.adapter = open(&self.factory, secrets, &self.tenant, self.connection, &settings, &self.services)?;
        Ok(())
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub async fn begin(&self) -> Pending {
        self.begin_with(LoginWish::default()).await.unwrap()
    }

    pub async fn begin_with(&self, wish: LoginWish) -> Result<Pending, ProtocolError> {
        let login = self.adapter.login.as_ref().unwrap();
        let start = Start { tenant: &self.tenant, handle: HANDLE, wish: &wish, now: self.now() };
        let mut trace = TraceLog::new();
        let Begun { challenge, state } = login.begin(start, &mut trace).await?;
        let Challenge::Redirect(location) = challenge else { panic!("not a redirect: {challenge:?}") };
        Ok(Pending { location, state, wish })
    }

    pub async fn complete(&self, pending: &Pending, input: &HttpInput) -> (LoginOutcome, TraceLog) {
        self.complete_with(pending, input, &OnceLock::new()).await
    }

    /// With what was fetched for this answer before.
    pub async fn complete_with(
        &self,
        pending: &Pending,
        input: &HttpInput,
        fetched: &OnceLock<Vec<u8>>,
    ) -> (LoginOutcome, TraceLog) {
        let login = self.adapter.login.as_ref().unwrap();
        let transaction = TransactionId::random(&Distinct);
        let answer = Answer {
            tenant: &self.tenant,
            input,
            transaction,
            state: &pending.state,
            wish: &pending.wish,
            started: self.now(),
            fetched,
            now: self.now(),
        };
        let minter = Minter::for_transaction(self.tenant.id, self.connection, transaction);
        let mut trace = TraceLog::new();
        let outcome = login.complete(answer, minter, &mut trace).await;
        (outcome, trace)
    }

    /// A whole login, as the provider answers it.
    pub async fn login(&self, wish: LoginWish) -> (LoginOutcome, TraceLog) {
        let pending = self.begin_with(wish).await.unwrap();
        let input = self.op.answer(&pending.location);
        self.complete(&pending, &input).await
    }

    /// Somebody logs in, and must come in.
    pub async fn enter(&self) -> Box<AuthenticatedIdentity> {
        accepted(self.login(LoginWish::default()).await)
    }
}

pub fn accepted((outcome, trace): (LoginOutcome, TraceLog)) -> Box<AuthenticatedIdentity> {
    match outcome {
        LoginOutcome::Authenticated(identity) => identity,
        other => panic!("{other:?}: {:?}", trace.cause()),
    }
}

pub fn wish(wish: Wish) -> LoginWish {
    match wish {
        Wish::Nothing => LoginWish::default(),
        Wish::Fresh => LoginWish { max_age: Some(300), ..LoginWish::default() },
        Wish::Gold => LoginWish { acr_values: vec!["gold".into()], acr_required: true, ..LoginWish::default() },
    }
}

/// The one check of a trace that failed.
pub fn failed_check(trace: &TraceLog) -> Option<String> {
    let mut failed = trace.steps().iter().filter_map(|step| match step {
        Step::Check { name, passed: false, .. } => Some(name.clone()),
        _ => None,
    });
    let name = failed.next();
    assert_eq!(failed.next(), None, "only the first failed check is recorded: {:?}", trace.steps());
    name
}

/// The settings with issuer, client and the metadata of the moment.
pub fn complete(op: &ScriptedOp, mut settings: Value) -> Value {
    let object = settings.as_object_mut().unwrap();
    let url = format!("{}/.well-known/openid-configuration", op.issuer);
    object.entry("issuer").or_insert_with(|| json!(op.issuer));
    object.entry("client_id").or_insert_with(|| json!(op.client().0));
    object.entry("discovery").or_insert_with(|| json!({ "url": url, "xml": op.metadata() }));
    settings
}

fn open(
    factory: &OidcFactory,
    secrets: &Secrets,
    tenant: &Tenant,
    connection: ConnectionId,
    settings: &Value,
    services: &Services,
) -> Result<Adapter, Vec<Complaint>> {
    factory.open(Open {
        tenant: tenant.id,
        connection,
        slug: "op",
        address: ADDRESS.into(),
        settings,
        secrets,
        services,
        now: services.clock.now(),
    })
}

pub fn input(route: &'static str, method: Method) -> HttpInput {
    HttpInput {
        method,
        route,
        rest: String::new(),
        query: String::new(),
        body: Default::default(),
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

pub fn tenant() -> Tenant {
    tenant_with(KeyRing::default())
}

pub fn tenant_with(keys: KeyRing) -> Tenant {
    let (id, keys) = (TenantId::random(&Distinct), Arc::new(keys));
    Tenant::new(id, "acme".into(), "Acme".into(), true, "https://bridge.example", vec![], vec![], keys)
}

pub fn services(clock: Arc<Hands>, egress: Arc<dyn Egress>) -> Services {
    Services { egress, tokens: Arc::new(Keyed), throttle: Arc::new(Quiet), ..bare_services(clock) }
}
