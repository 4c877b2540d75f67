//! A world with one tenant, one SAML connection and one scripted provider.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::config::Tenant;
use fedbridge_contract::error::Complaint;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::factory::{AdapterFactory, Open};
use fedbridge_contract::http::{HttpInput, Method};
use fedbridge_contract::identity::AuthenticatedIdentity;
use fedbridge_contract::ids::{ConnectionId, TenantId, TransactionId};
use fedbridge_contract::keys::{DecryptionKey, KeyRing, KeyState, SigningKey};
use fedbridge_contract::logout::Party;
use fedbridge_contract::proof::Minter;
use fedbridge_contract::services::{Egress, EgressError, EgressLimits, EgressPost, Fetched, Services};
use fedbridge_contract::sightings::{Sighting, Sightings};
pub use fedbridge_contract::testkit::Distinct;
use fedbridge_contract::testkit::{Hands, Unused, bare_services};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::{Step, TraceLog};
use fedbridge_contract::upstream::{
    Adapter, Answer, Begun, Challenge, Correlation, LoginOutcome, LoginWish, Start, UnsolicitedAnswer, UpstreamRefusal,
};
use fedbridge_saml::SamlFactory;
use fedbridge_saml::testkit::{KeyKind, Person, ReceivedRequest, ResponsePlan, ScriptedIdp, TestDecrypter, TestKey};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

pub const ADDRESS: &str = "https://bridge.example/t/acme/connections/okta";
pub const ACS: &str = "https://bridge.example/t/acme/connections/okta/saml/acs";
pub const ENTITY: &str = "https://bridge.example/t/acme/connections/okta/saml/metadata";
pub const IDP: &str = "https://idp.example/metadata";
pub const HANDLE: &str = "handle-of-the-transaction-which-is-a-ticket-of-the-huA";

/// 2026-11-22T02:00:00Z.
pub const NOW: Timestamp = Timestamp::from_millis(1_795_312_800_000);

pub static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());

/// The keys of the tenant: signing, and two for decryption.
pub static SP_KEYS: LazyLock<[Arc<TestKey>; 3]> =
    LazyLock::new(|| [(); 3].map(|()| TestKey::make(KeyKind::Rsa(2048)).unwrap()));

pub struct World {
    pub idp: ScriptedIdp,
    pub wire: Arc<Wire>,
    pub seen: Arc<Seen>,
    pub adapter: Adapter,
    pub tenant: Tenant,
    pub connection: ConnectionId,
}

/// A request that is out, and what must come back with its answer.
pub struct Pending {
    pub request: ReceivedRequest,
    pub challenge: Challenge,
    pub state: Vec<u8>,
    pub wish: LoginWish,
}

impl World {
    pub fn new() -> Self {
        Self::with(json!({}))
    }

    /// With these settings besides the metadata.
    pub fn with(settings: Value) -> Self {
        Self::of(ScriptedIdp::new(IDP, "https://idp.example/sso"), settings).unwrap()
    }

    pub fn of(idp: ScriptedIdp, settings: Value) -> Result<Self, Vec<Complaint>> {
        Self::opened(ConnectionId::random(&Distinct), idp, settings)
    }

    /// The same connection, opened anew.
    pub fn renewed(&self, idp: ScriptedIdp, settings: Value) -> Self {
        Self::opened(self.connection, idp, settings).unwrap()
    }

    fn opened(connection: ConnectionId, idp: ScriptedIdp, mut settings: Value) -> Result<Self, Vec<Complaint>> {
        let object = settings.as_object_mut().unwrap();
        object.entry("idp_metadata").or_insert_with(|| json!({ "xml": idp.metadata() }));
        let (wire, seen) = (Arc::new(Wire::default()), Arc::new(Seen::default()));
        let services = Services {
            egress: Arc::clone(&wire) as _,
            sightings: Arc::clone(&seen) as _,
            ..bare_services(Hands::at(NOW))
        };
        let adapter = open(connection, &settings, &services)?;
        Ok(Self { idp, wire, seen, adapter, tenant: tenant(), connection })
    }

    pub fn begin(&self) -> Pending {
        self.begin_with(LoginWish::default())
    }

    pub fn begin_with(&self, wish: LoginWish) -> Pending {
        let login = self.adapter.login.as_ref().unwrap();
        let start = Start { tenant: &self.tenant, handle: HANDLE, wish: &wish, now: NOW };
        let mut trace = TraceLog::new();
        let Begun { challenge, state } = RUNTIME.block_on(login.begin(start, &mut trace)).unwrap();
        assert!(matches!(trace.steps().last(), Some(Step::Sent { .. })));
        let request = match &challenge {
            Challenge::Redirect(location) => ReceivedRequest::from_redirect(location).unwrap(),
            Challenge::AutoPost { fields, .. } => ReceivedRequest::from_post(fields).unwrap(),
        };
        Pending { request, challenge, state, wish }
    }

    /// A right answer to a request, to be made wrong.
    pub fn plan(&self, pending: &Pending) -> ResponsePlan {
        self.idp.answer(&pending.request, &alice(), NOW)
    }

    pub fn complete(&self, pending: &Pending, xml: &str) -> (LoginOutcome, TraceLog) {
        self.complete_at(pending, xml, NOW)
    }

    pub fn complete_at(&self, pending: &Pending, xml: &str, now: Timestamp) -> (LoginOutcome, TraceLog) {
        self.complete_input(pending, &posted(&STANDARD.encode(xml)), now)
    }

    pub fn complete_input(&self, pending: &Pending, input: &HttpInput, now: Timestamp) -> (LoginOutcome, TraceLog) {
        self.complete_with(pending, input, &OnceLock::new(), now)
    }

    /// With what an earlier try fetched.
    pub fn complete_with(
        &self,
        pending: &Pending,
        input: &HttpInput,
        fetched: &OnceLock<Vec<u8>>,
        now: Timestamp,
    ) -> (LoginOutcome, TraceLog) {
        let login = self.adapter.login.as_ref().unwrap();
        assert!(matches!(login.correlate(input), Correlation::Handle(_) | Correlation::Malformed(_)));
        let transaction = TransactionId::random(&Distinct);
        let answer = Answer {
            tenant: &self.tenant,
            input,
            transaction,
            state: &pending.state,
            wish: &pending.wish,
            started: NOW,
            fetched,
            now,
        };
        let minter = Minter::for_transaction(self.tenant.id, self.connection, transaction);
        let mut trace = TraceLog::new();
        let outcome = RUNTIME.block_on(login.complete(answer, minter, &mut trace));
        if let LoginOutcome::Authenticated(identity) = &outcome {
            assert!(identity.proof.covers(self.tenant.id, self.connection, transaction));
        }
        (outcome, trace)
    }

    /// An answer that nobody asked for.
    pub fn complete_unsolicited(&self, input: &HttpInput) -> (LoginOutcome, TraceLog) {
        let login = self.adapter.login.as_ref().unwrap();
        assert!(matches!(login.correlate(input), Correlation::Unsolicited { .. }));
        let transaction = TransactionId::random(&Distinct);
        let fetched = OnceLock::new();
        let answer = UnsolicitedAnswer { tenant: &self.tenant, input, transaction, fetched: &fetched, now: NOW };
        let minter = Minter::for_transaction(self.tenant.id, self.connection, transaction);
        let mut trace = TraceLog::new();
        let outcome = RUNTIME.block_on(login.complete_unsolicited(answer, minter, &mut trace));
        (outcome, trace)
    }

    /// Logs in with a plan and gives the identity; panics with the trace's cause otherwise.
    pub fn accept(&self, pending: &Pending, plan: &ResponsePlan) -> Box<AuthenticatedIdentity> {
        self.accept_xml(pending, &plan.build(&self.idp).unwrap())
    }

    pub fn accept_xml(&self, pending: &Pending, xml: &str) -> Box<AuthenticatedIdentity> {
        match self.complete(pending, xml) {
            (LoginOutcome::Authenticated(identity), _) => identity,
            (other, trace) => panic!("{other:?}: {:?}", trace.cause()),
        }
    }

    /// The name of the check that refused a plan.
    pub fn refuse(&self, pending: &Pending, plan: &ResponsePlan) -> String {
        self.refuse_xml(pending, &plan.build(&self.idp).unwrap())
    }

    pub fn refuse_xml(&self, pending: &Pending, xml: &str) -> String {
        match self.complete(pending, xml) {
            (LoginOutcome::Rejected(error) | LoginOutcome::KeyUnknown(error), trace) => {
                assert_eq!(error.code, "invalid_response");
                failed_check(&trace)
            }
            (other, _) => panic!("not rejected: {other:?}\n{xml}"),
        }
    }

    pub fn refused_by_provider(&self, pending: &Pending, plan: &ResponsePlan) -> UpstreamRefusal {
        match self.complete(pending, &plan.build(&self.idp).unwrap()) {
            (LoginOutcome::UpstreamRefused(refusal), _) => refusal,
            (other, trace) => panic!("{other:?}: {:?}", trace.cause()),
        }
    }
}

/// The one check of a trace that failed.
pub fn failed_check(trace: &TraceLog) -> String {
    let mut failed = trace.steps().iter().filter_map(|step| match step {
        Step::Check { name, passed: false, .. } => Some(name.clone()),
        _ => None,
    });
    let name = failed.next().expect("a failed check");
    assert_eq!(failed.next(), None, "only the first failed check is recorded");
    name
}

pub fn alice() -> Person {
    Person::new("alice").with("mail", &["alice@acme.example"]).with("groups", &["staff", "admins"])
}

pub fn posted(base64: &str) -> HttpInput {
    posted_with("saml/acs", &[("SAMLResponse", base64), ("RelayState", HANDLE)])
}

/// A form with these fields.
pub fn posted_with(route: &'static str, fields: &[(&str, &str)]) -> HttpInput {
    let body: String = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    HttpInput {
        method: Method::Post,
        route,
        rest: String::new(),
        query: String::new(),
        body: body.into(),
        content_type: Some("application/x-www-form-urlencoded".into()),
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

fn open(connection: ConnectionId, settings: &Value, services: &Services) -> Result<Adapter, Vec<Complaint>> {
    SamlFactory.open(Open {
        tenant: TenantId::random(&Distinct),
        connection,
        slug: "okta",
        address: ADDRESS.into(),
        settings,
        secrets: &BTreeMap::new(),
        services,
        now: NOW,
    })
}

pub fn tenant() -> Tenant {
    let [signing, decryption, older] = &*SP_KEYS;
    let decrypter = |key: &Arc<TestKey>, state| DecryptionKey {
        state,
        decrypter: Arc::new(TestDecrypter(Arc::clone(key))),
        certificate: key.certificate.clone(),
    };
    let keys = KeyRing {
        saml_signing: vec![
            SigningKey {
                state: KeyState::Active,
                signer: Arc::clone(signing) as _,
                jwk: Value::Null,
                certificate: Some(signing.certificate.clone()),
            },
            SigningKey {
                state: KeyState::Next,
                signer: Arc::clone(older) as _,
                jwk: Value::Null,
                certificate: Some(older.certificate.clone()),
            },
        ],
        saml_decryption: vec![decrypter(decryption, KeyState::Active), decrypter(older, KeyState::Retiring)],
        ..KeyRing::default()
    };
    let id = TenantId::random(&Distinct);
    Tenant::new(id, "acme".into(), "Acme".into(), true, "https://bridge.example", vec![], vec![], Arc::new(keys))
}

type Answerer = Box<dyn Fn(&EgressPost) -> Result<Fetched, EgressError> + Send + Sync>;

/// The way to the provider's server: what was sent, and who answers.
#[derive(Default)]
pub struct Wire {
    pub sent: Mutex<Vec<EgressPost>>,
    pub answer: Mutex<Option<Answerer>>,
    /// Nothing can be fetched.
    pub dead: AtomicBool,
}

#[async_trait]
impl Egress for Wire {
    async fn get(&self, url: &str, limits: EgressLimits) -> Result<Fetched, EgressError> {
        if self.dead.load(Ordering::Relaxed) {
            return Err(EgressError { url: url.to_owned(), cause: "connection refused".into(), silent: true });
        }
        Unused.get(url, limits).await
    }

    async fn get_if_changed(&self, url: &str, etag: &str, limits: EgressLimits) -> Result<Fetched, EgressError> {
        Unused.get_if_changed(url, etag, limits).await
    }

    async fn post(&self, request: &EgressPost, limits: EgressLimits) -> Result<Fetched, EgressError> {
        assert_eq!((limits.max_body, limits.timeout), (1 << 20, Duration::from_secs(5)));
        self.sent.lock().unwrap().push(request.clone());
        self.answer.lock().unwrap().as_ref().expect("nobody answers")(request)
    }
}

/// Keys of ours that the provider has shown to know.
#[derive(Default)]
pub struct Seen(pub Mutex<Vec<(Party, String, Sighting)>>);

#[async_trait]
impl Sightings for Seen {
    fn seen(&self, _: TenantId, party: Party, kid: &str, how: Sighting, at: Timestamp) {
        assert_eq!(at, NOW);
        self.0.lock().unwrap().push((party, kid.to_owned(), how));
    }

    async fn last(&self, _: TenantId, _: Party, _: &str, _: Sighting) -> Result<Option<Timestamp>, StoreError> {
        Ok(None)
    }
}
