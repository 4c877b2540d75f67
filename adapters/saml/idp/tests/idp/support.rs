//! A world with one tenant, one identity provider and one service provider.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::claims::Claims;
use fedbridge_contract::config::{App, AppKind, Connection, Tenant};
use fedbridge_contract::downstream::{
    Accepted, Downstream, Finish, Finished, IssuedIdentity, LoginRequest, Refusal, Request,
};
use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::grant::Grant;
use fedbridge_contract::http::{HttpInput, Method, Reply, ReplyKind};
use fedbridge_contract::ids::{AppId, ConnectionId, PersonId, SessionId, TenantId, TraceId};
use fedbridge_contract::keys::{DecryptionKey, KeyRing, KeyState, SigningKey};
use fedbridge_contract::logout::Party;
use fedbridge_contract::page::Page;
use fedbridge_contract::proof::Permit;
use fedbridge_contract::services::{
    Counters, Gate, GateRefusal, Handles, NameIds, Services, TraceEvent, TraceSink, WaitingAnswer,
};
use fedbridge_contract::sightings::{Sighting, Sightings};
pub use fedbridge_contract::testkit::Distinct;
use fedbridge_contract::testkit::{Hands, Keyed, bare_services};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::{Step, TraceLog};
use fedbridge_saml_core::binding::{Parameter, redirect};
use fedbridge_saml_core::seam::{Limits, SignRequest, SignaturePlace, sign_enveloped};
use fedbridge_saml_core::testkit::{KeyKind, TestDecrypter, TestKey};
use fedbridge_saml_idp::SamlIdentityProvider;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use url::Url;

pub const ISSUER: &str = "https://bridge.example/t/acme";
pub const IDP: &str = "https://bridge.example/t/acme/saml/metadata";
pub const SSO: &str = "https://bridge.example/t/acme/saml/sso";
pub const SP: &str = "https://wiki.example/sp";
pub const ACS: &str = "https://wiki.example/acs";
pub const SECOND_ACS: &str = "https://wiki.example/acs2";

/// 2026-11-22T02:00:00Z.
pub const NOW: Timestamp = Timestamp::from_millis(1_795_312_800_000);

pub static RUNTIME: LazyLock<Runtime> =
    LazyLock::new(|| tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap());

/// Keys: ours to sign, ours that comes next, ours to decrypt, the app's to sign and to decrypt, a stranger's.
pub static KEYS: LazyLock<[Arc<TestKey>; 6]> =
    LazyLock::new(|| [(); 6].map(|()| TestKey::make(KeyKind::Rsa(2048)).unwrap()));

pub fn our_key() -> &'static Arc<TestKey> {
    &KEYS[0]
}

pub fn app_signing() -> &'static Arc<TestKey> {
    &KEYS[3]
}

pub fn app_decryption() -> &'static Arc<TestKey> {
    &KEYS[4]
}

pub fn stranger() -> &'static Arc<TestKey> {
    &KEYS[5]
}

pub struct World {
    pub provider: SamlIdentityProvider,
    pub tenant: Arc<Tenant>,
    pub app: Arc<App>,
    pub doubles: Arc<Doubles>,
    pub person: PersonId,
    pub session: SessionId,
}

impl World {
    pub fn new() -> Self {
        Self::with(json!({}))
    }

    /// With these settings besides metadata and two attributes.
    pub fn with(settings: Value) -> Self {
        Self::of(&Sp::default(), settings)
    }

    pub fn of(sp: &Sp, settings: Value) -> Self {
        Self::kept(Arc::default(), sp, settings)
    }

    /// Another moment of the same installation: what was stored is still there.
    pub fn kept(doubles: Arc<Doubles>, sp: &Sp, mut settings: Value) -> Self {
        let object = settings.as_object_mut().unwrap();
        object.entry("sp_metadata").or_insert_with(|| json!({ "xml": sp.metadata() }));
        object.entry("attributes").or_insert_with(|| json!({ "mail": "email", "memberOf": "groups" }));
        let provider = SamlIdentityProvider::new(services(&doubles));
        let complaints = provider.check_app("wiki", &settings, 0);
        assert!(complaints.is_empty(), "{complaints:?}");
        let name = provider.protocol_name("wiki", &settings);
        let app = App::new(
            // Another service provider is another app.
            AppId::from_uuid(uuid::Uuid::from_u128(if sp.entity_id == SP { 11 } else { 12 })),
            AppKind::SamlSp,
            "wiki".into(),
            name,
            "The Wiki".into(),
            true,
            None,
            settings,
            Vec::new(),
        );
        let app = Arc::new(app);
        let tenant = Arc::new(Tenant::new(
            TenantId::from_uuid(uuid::Uuid::from_u128(1)),
            "acme".into(),
            "Acme".into(),
            true,
            "https://bridge.example",
            vec![connection(41, "okta"), connection(42, "partner")],
            vec![Arc::clone(&app)],
            Arc::new(key_ring()),
        ));
        let person = PersonId::from_uuid(uuid::Uuid::from_u128(21));
        let session = SessionId::from_uuid(uuid::Uuid::from_u128(31));
        Self { provider, tenant, app, doubles, person, session }
    }

    /// The same installation, all its keys gone.
    pub fn without_keys(&self) -> Self {
        let tenant = Tenant::new(
            self.tenant.id,
            self.tenant.slug.clone(),
            self.tenant.display_name.clone(),
            true,
            &self.tenant.base_url,
            Vec::new(),
            self.tenant.apps.clone(),
            Arc::new(KeyRing::default()),
        );
        Self {
            provider: SamlIdentityProvider::new(services(&self.doubles)),
            tenant: Arc::new(tenant),
            app: Arc::clone(&self.app),
            doubles: Arc::clone(&self.doubles),
            ..*self
        }
    }

    pub fn accept(&self, input: &HttpInput) -> (Accepted, TraceLog) {
        self.accept_at(input, NOW)
    }

    pub fn accept_at(&self, input: &HttpInput, now: Timestamp) -> (Accepted, TraceLog) {
        let mut trace = TraceLog::new();
        let trace_id = TraceId::from_uuid(uuid::Uuid::from_u128(77));
        let request = Request { tenant: &self.tenant, input, now, trace_id };
        let accepted = RUNTIME.block_on(self.provider.accept(request, &mut trace));
        (accepted, trace)
    }

    /// A login that the request leads to; a posted one by way of the parked request.
    pub fn login(&self, input: &HttpInput) -> Box<LoginRequest> {
        match self.accept(input) {
            (Accepted::Login(login), _) => login,
            (Accepted::Reply(reply), trace) => match reply.kind {
                ReplyKind::Redirect(location) => self.login(&get_address(&location)),
                other => panic!("{other:?}: {:?}, {:?}", trace.cause(), self.last_refusal()),
            },
            _ => panic!("neither a login nor a reply"),
        }
    }

    /// The cause of a request that ended on a page of ours.
    pub fn refused_on_page(&self, input: &HttpInput) -> (u16, String) {
        let before = self.doubles.traces.lock().unwrap().len();
        match self.accept(input) {
            (Accepted::Reply(reply), _) => {
                assert!(reply.cookies.is_empty());
                match reply.kind {
                    ReplyKind::Page(Page::Error(page)) => {
                        assert_eq!(self.doubles.traces.lock().unwrap().len(), before + 1, "one record");
                        assert!(page.trace.is_some() && page.way_back.is_none());
                        self.recorded_as(if input.route == "saml/slo" { "logout" } else { "sso" });
                        (page.status, self.last_refusal().unwrap())
                    }
                    other => panic!("not a page: {other:?}"),
                }
            }
            _ => panic!("not refused"),
        }
    }

    /// The response that tells the app of a refusal at once.
    pub fn refused_with_status(&self, input: &HttpInput) -> String {
        match self.accept(input) {
            (Accepted::Reply(reply), _) => posted_response(&reply).1,
            _ => panic!("not refused"),
        }
    }

    /// The last refusal goes by the name of its address, in the record and on the metrics page.
    pub fn recorded_as(&self, kind: &str) {
        assert_eq!(self.doubles.traces.lock().unwrap().last().unwrap().kind, kind);
        assert_eq!(self.doubles.refused.lock().unwrap().last().unwrap().0, kind);
    }

    pub fn last_refusal(&self) -> Option<String> {
        self.doubles.traces.lock().unwrap().last().map(|event| event.cause.clone())
    }

    pub fn identity(&self) -> IssuedIdentity {
        identity(self.person, self.session)
    }

    pub fn finish(&self, login: &LoginRequest) -> Finished {
        self.finish_as(login, &self.identity()).unwrap()
    }

    pub fn finish_as(&self, login: &LoginRequest, identity: &IssuedIdentity) -> Result<Finished, Refusal> {
        self.finish_at(login, identity, NOW)
    }

    pub fn finish_at(
        &self,
        login: &LoginRequest,
        identity: &IssuedIdentity,
        now: Timestamp,
    ) -> Result<Finished, Refusal> {
        let finish = Finish {
            tenant: &self.tenant,
            app: &self.app,
            continuation: &login.continuation,
            identity,
            now,
            rng: &Distinct,
        };
        let finished = RUNTIME.block_on(self.provider.finish(finish, &Permit::assertion_of_the_gate()))?;
        // The hub stores it with the login.
        if let Some(new) = &finished.name_id {
            let key = (new.qualifier.clone(), new.person);
            self.doubles.names.lock().unwrap().insert(key, new.value.clone());
        }
        Ok(finished)
    }

    /// A whole login with a plain request; gives the response.
    pub fn response(&self) -> String {
        let login = self.login(&Ask::new().by_redirect());
        posted_response(&self.finish(&login).reply).1
    }

    pub fn refuse(&self, login: &LoginRequest, refusal: &Refusal) -> Reply {
        let trace = TraceId::from_uuid(uuid::Uuid::from_u128(78));
        RUNTIME.block_on(self.provider.refuse(&self.tenant, &login.continuation, refusal, trace))
    }
}

pub fn identity(person: PersonId, session: SessionId) -> IssuedIdentity {
    let mut claims = Claims::default();
    claims.set("email", json!("alice@acme.example"));
    claims.set("email_verified", json!(true));
    claims.set("groups", json!(["staff", "admins"]));
    claims.set("preferred_username", json!("alice"));
    IssuedIdentity {
        person,
        sub: person.to_string(),
        session,
        connection: connection(41, "okta"),
        claims,
        scope: Vec::new(),
        auth_time: NOW - Duration::from_secs(60),
        acr: Some(PASSWORD.into()),
        amr: vec!["pwd".into()],
        authorities: vec!["https://idp.example/metadata".into()],
        upstream_limit: None,
        session_limit: NOW + Duration::from_secs(8 * 3600),
        trace: TraceId::from_uuid(uuid::Uuid::from_u128(79)),
    }
}

fn connection(number: u128, slug: &str) -> Arc<Connection> {
    Arc::new(Connection {
        id: ConnectionId::from_uuid(uuid::Uuid::from_u128(number)),
        slug: slug.into(),
        display_name: slug.into(),
        protocol: "saml".into(),
        enabled: true,
        domains: Vec::new(),
    })
}

pub const PASSWORD: &str = "urn:oasis:names:tc:SAML:2.0:ac:classes:PasswordProtectedTransport";
pub const MFA: &str = "https://refeds.org/profile/mfa";

/// Address, response and RelayState of a page that posts itself to the app.
pub fn posted(reply: &Reply) -> (String, String, Option<String>) {
    let ReplyKind::AutoPost { action, fields } = &reply.kind else { panic!("not a post: {reply:?}") };
    let field = |name: &str| fields.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    let xml = String::from_utf8(STANDARD.decode(field("SAMLResponse").unwrap()).unwrap()).unwrap();
    (action.clone(), xml, field("RelayState"))
}

pub fn posted_response(reply: &Reply) -> (String, String) {
    let (action, xml, _) = posted(reply);
    (action, xml)
}

// ---- the service provider ----

/// What the app publishes.
pub struct Sp {
    pub entity_id: String,
    pub signing: Vec<Arc<TestKey>>,
    pub encryption: Option<Arc<TestKey>>,
    pub signs_requests: bool,
    pub slo: bool,
    pub valid_until: Option<Timestamp>,
    pub endpoints: String,
}

impl Default for Sp {
    fn default() -> Self {
        let acs = |index: u8, location: &str, extra: &str| {
            format!(
                "<md:AssertionConsumerService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST\" \
                 Location=\"{location}\" index=\"{index}\"{extra}/>"
            )
        };
        Self {
            entity_id: SP.into(),
            signing: vec![Arc::clone(app_signing())],
            encryption: Some(Arc::clone(app_decryption())),
            signs_requests: false,
            slo: true,
            valid_until: None,
            endpoints: format!("{}{}", acs(0, SECOND_ACS, ""), acs(1, ACS, " isDefault=\"true\"")),
        }
    }
}

impl Sp {
    pub fn metadata(&self) -> String {
        let until = self.valid_until.map(|at| format!(" validUntil=\"{}\"", at.rfc3339_seconds())).unwrap_or_default();
        let key = |usage: &str, key: &TestKey| {
            format!(
                "<md:KeyDescriptor use=\"{usage}\"><ds:KeyInfo xmlns:ds=\"http://www.w3.org/2000/09/xmldsig#\">\
                 <ds:X509Data><ds:X509Certificate>{}</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>",
                STANDARD.encode(&key.certificate)
            )
        };
        let signing: String = self.signing.iter().map(|each| key("signing", each)).collect();
        let encryption = self.encryption.as_ref().map(|each| key("encryption", each)).unwrap_or_default();
        let slo = if self.slo {
            "<md:SingleLogoutService Binding=\"urn:oasis:names:tc:SAML:2.0:bindings:HTTP-Redirect\" \
             Location=\"https://wiki.example/slo\"/>"
        } else {
            ""
        };
        format!(
            "<md:EntityDescriptor xmlns:md=\"urn:oasis:names:tc:SAML:2.0:metadata\" entityID=\"{}\"{until}>\
             <md:SPSSODescriptor AuthnRequestsSigned=\"{}\" \
             protocolSupportEnumeration=\"urn:oasis:names:tc:SAML:2.0:protocol\">{signing}{encryption}{slo}{}\
             </md:SPSSODescriptor></md:EntityDescriptor>",
            self.entity_id, self.signs_requests, self.endpoints
        )
    }
}

/// An AuthnRequest as text, to be made wrong.
#[derive(Clone)]
pub struct Ask {
    pub xml: String,
    pub relay_state: Option<String>,
}

impl Ask {
    /// A right one.
    pub fn new() -> Self {
        Self::having("")
    }

    /// With this markup behind the Issuer.
    pub fn having(inside: &str) -> Self {
        let at = NOW.rfc3339_seconds();
        let xml = format!(
            "<samlp:AuthnRequest xmlns:samlp=\"urn:oasis:names:tc:SAML:2.0:protocol\" \
             xmlns:saml=\"urn:oasis:names:tc:SAML:2.0:assertion\" ID=\"_r1\" Version=\"2.0\" IssueInstant=\"{at}\" \
             Destination=\"{SSO}\" AssertionConsumerServiceURL=\"{ACS}\"><saml:Issuer>{SP}</saml:Issuer>{inside}\
             </samlp:AuthnRequest>"
        );
        Self { xml, relay_state: Some("here".into()) }
    }

    pub fn replaced(&self, from: &str, to: &str) -> Self {
        assert!(self.xml.contains(from), "{from} is not in {}", self.xml);
        Self { xml: self.xml.replacen(from, to, 1), ..self.clone() }
    }

    pub fn by_redirect(&self) -> HttpInput {
        self.redirected(None)
    }

    pub fn signed_redirect(&self, key: &Arc<TestKey>) -> HttpInput {
        let ring = KeyRing { saml_signing: vec![signing(KeyState::Active, key)], ..KeyRing::default() };
        self.redirected(Some(&ring))
    }

    fn redirected(&self, keys: Option<&KeyRing>) -> HttpInput {
        let target = Url::parse(SSO).unwrap();
        let relay_state = self.relay_state.as_deref();
        get_address(&redirect::send(&target, Parameter::SamlRequest, &self.xml, relay_state, keys).unwrap())
    }

    pub fn by_post(&self) -> HttpInput {
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("SAMLRequest", &STANDARD.encode(&self.xml));
        if let Some(state) = &self.relay_state {
            form.append_pair("RelayState", state);
        }
        post(form.finish())
    }

    pub fn signed(&self, key: &Arc<TestKey>) -> Self {
        let request = SignRequest {
            target_id: "_r1",
            place: SignaturePlace::After("urn:oasis:names:tc:SAML:2.0:assertion", "Issuer"),
            certificate: Some(&key.certificate),
            limits: Limits::message(),
        };
        let xml = sign_enveloped(self.xml.as_bytes(), &request, &**key).unwrap();
        Self { xml: String::from_utf8(xml).unwrap(), ..self.clone() }
    }
}

pub fn get_address(location: &str) -> HttpInput {
    let url = Url::parse(location).unwrap();
    let path = url.path().strip_prefix("/t/acme/").unwrap().to_owned();
    let (route, last) = match path.as_str() {
        "saml/sso" => ("saml/sso", ""),
        "saml/metadata" => ("saml/metadata", ""),
        other => ("saml/start/*", other.strip_prefix("saml/start/").unwrap()),
    };
    HttpInput {
        method: Method::Get,
        route,
        rest: last.into(),
        query: url.query().unwrap_or_default().into(),
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

pub fn post(body: String) -> HttpInput {
    HttpInput {
        method: Method::Post,
        body: body.into(),
        content_type: Some("application/x-www-form-urlencoded".into()),
        ..get_address(SSO)
    }
}

// ---- keys and services ----

fn signing(state: KeyState, key: &Arc<TestKey>) -> SigningKey {
    let signer = Arc::clone(key) as Arc<dyn fedbridge_contract::keys::Signer>;
    SigningKey { state, signer, jwk: json!({}), certificate: Some(key.certificate.clone()) }
}

fn key_ring() -> KeyRing {
    KeyRing {
        saml_signing: vec![signing(KeyState::Active, &KEYS[0]), signing(KeyState::Next, &KEYS[1])],
        saml_decryption: vec![DecryptionKey {
            state: KeyState::Active,
            decrypter: Arc::new(TestDecrypter(Arc::clone(&KEYS[2]))),
            certificate: KEYS[2].certificate.clone(),
        }],
        ..KeyRing::default()
    }
}

/// Purpose and text.
type Handle = (&'static str, String);
/// Value and end.
type Kept = (Vec<u8>, Timestamp);

#[derive(Default)]
pub struct Doubles {
    pub traces: Mutex<Vec<TraceEvent>>,
    /// Endpoint and code of each refusal, as the metrics page counts them.
    pub refused: Mutex<Vec<(&'static str, &'static str)>>,
    pub names: Mutex<HashMap<(String, PersonId), String>>,
    handles: Mutex<HashMap<Handle, Kept>>,
    pub sightings: Mutex<Vec<(Party, String, Sighting)>>,
    pub broken: AtomicBool,
    /// The gate says no.
    pub shut: AtomicBool,
}

impl Doubles {
    /// Until when each of the handles waits.
    pub fn waiting(&self) -> Vec<Timestamp> {
        self.handles.lock().unwrap().values().map(|(_, until)| *until).collect()
    }

    fn standing(&self) -> Result<(), StoreError> {
        if self.broken.load(Ordering::Relaxed) { Err(StoreError("the disk is gone".into())) } else { Ok(()) }
    }
}

fn services(doubles: &Arc<Doubles>) -> Services {
    Services {
        gate: Arc::clone(doubles) as _,
        tokens: Arc::new(Keyed),
        traces: Arc::clone(doubles) as _,
        counters: Arc::clone(doubles) as _,
        handles: Arc::clone(doubles) as _,
        name_ids: Arc::clone(doubles) as _,
        sightings: Arc::clone(doubles) as _,
        ..bare_services(Hands::at(NOW))
    }
}

impl Counters for Doubles {
    fn token_issued(&self, _: &'static str) {
        panic!("the identity provider issues no tokens")
    }

    fn refused(&self, endpoint: &'static str, code: &'static str) {
        self.refused.lock().unwrap().push((endpoint, code));
    }

    fn refresh_reused(&self) {
        panic!("the identity provider has no refresh tokens")
    }
}

impl TraceSink for Doubles {
    fn record(&self, event: TraceEvent) {
        let ended = event.steps.steps().iter().any(|step| matches!(step, Step::Result { .. }));
        assert!(!ended, "the keeper of the record adds the one result: {:?}", event.steps);
        self.traces.lock().unwrap().push(event);
    }
}

#[async_trait]
impl Sightings for Doubles {
    fn seen(&self, _: TenantId, party: Party, kid: &str, how: Sighting, _: Timestamp) {
        self.sightings.lock().unwrap().push((party, kid.into(), how));
    }

    async fn last(&self, _: TenantId, _: Party, _: &str, _: Sighting) -> Result<Option<Timestamp>, StoreError> {
        Ok(None)
    }
}

#[async_trait]
impl NameIds for Doubles {
    async fn find(&self, _: TenantId, qualifier: &str, person: PersonId) -> Result<Option<String>, StoreError> {
        self.standing()?;
        Ok(self.names.lock().unwrap().get(&(qualifier.to_owned(), person)).cloned())
    }
}

#[async_trait]
impl Handles for Doubles {
    async fn put(
        &self,
        _: TenantId,
        purpose: &'static str,
        handle: &str,
        value: &[u8],
        expires: Timestamp,
    ) -> Result<(), StoreError> {
        self.standing()?;
        self.handles.lock().unwrap().insert((purpose, handle.into()), (value.into(), expires));
        Ok(())
    }

    async fn peek(
        &self,
        _: TenantId,
        purpose: &'static str,
        handle: &str,
        now: Timestamp,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        self.standing()?;
        let found = self.handles.lock().unwrap().get(&(purpose, handle.to_owned())).cloned();
        Ok(found.filter(|(_, expires)| now < *expires).map(|(value, _)| value))
    }

    async fn take(
        &self,
        tenant: TenantId,
        purpose: &'static str,
        handle: &str,
        now: Timestamp,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.peek(tenant, purpose, handle, now).await?;
        self.handles.lock().unwrap().remove(&(purpose, handle.to_owned()));
        Ok(found)
    }
}

#[async_trait]
impl Gate for Doubles {
    async fn app(&self, _: &Tenant, _: &App) -> Result<Permit, GateRefusal> {
        if self.shut.load(Ordering::Relaxed) {
            Err(GateRefusal::AppDisabled)
        } else {
            Ok(Permit::assertion_of_the_gate())
        }
    }

    async fn grant(&self, _: &Tenant, _: &App, _: &Grant) -> Result<Permit, GateRefusal> {
        panic!("the identity provider has no grants")
    }

    async fn app_token(&self, _: &Tenant, _: &App, _: Epoch) -> Result<Permit, GateRefusal> {
        panic!("the identity provider has no tokens")
    }

    async fn waiting(&self, tenant: &Tenant, app: &App, answer: &WaitingAnswer) -> Result<Permit, GateRefusal> {
        assert_eq!(answer.epoch, self.epoch(), "what waits carries the epoch that it was made in");
        assert_eq!(answer.connection.is_some(), answer.session.is_some());
        self.app(tenant, app).await
    }

    fn epoch(&self) -> Epoch {
        Epoch(7)
    }
}
