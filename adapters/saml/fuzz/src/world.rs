//! One tenant with one connection to one provider, and a request that waits for its answer.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, LazyLock};

use fedbridge_contract::config::Tenant;
use fedbridge_contract::factory::{AdapterFactory, Open};
use fedbridge_contract::http::{HttpInput, Method};
use fedbridge_contract::ids::{ConnectionId, TenantId};
use fedbridge_contract::keys::{DecryptionKey, KeyRing, KeyState, SigningKey};
use fedbridge_contract::testkit::Counting;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use fedbridge_contract::upstream::{Adapter, Begun, Challenge, LoginWish, Start};
use fedbridge_saml::SamlFactory;
use fedbridge_saml_core::testkit::{KeyKind, ReceivedRequest, ScriptedIdp, TestDecrypter, TestKey};
use serde_json::json;
use tokio::runtime::Runtime;

use crate::services::services;

/// 2026-11-22T02:00:00Z.
pub const NOW: Timestamp = Timestamp::from_millis(1_795_312_800_000);
pub const IDP: &str = "https://idp.example/metadata";
/// The one person whose logins the provider signs.
pub const NAME: &str = "alice";

/// Where the bridge takes logout messages.
pub const SLO: &str = "https://bridge.example/t/acme/connections/okta/saml/slo";

const FORM: &str = "application/x-www-form-urlencoded";
const ADDRESS: &str = "https://bridge.example/t/acme/connections/okta";
const HANDLE: &str = "handle-of-the-transaction-which-is-a-ticket-of-the-huA";

pub static WORLD: LazyLock<World> = LazyLock::new(World::new);

pub struct World {
    pub runtime: Runtime,
    pub idp: ScriptedIdp,
    pub adapter: Adapter,
    pub tenant: Tenant,
    pub connection: ConnectionId,
    pub decryption: Arc<TestKey>,
    pub request: ReceivedRequest,
    pub state: Vec<u8>,
    pub wish: LoginWish,
}

impl World {
    fn new() -> Self {
        let rng = Counting::new();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let idp = ScriptedIdp::with_key(IDP, "https://idp.example/sso", TestKey::constant(1).expect("a key"));
        let decryption = TestKey::make(KeyKind::Rsa(2048)).expect("a key");
        let connection = ConnectionId::random(&rng);
        let adapter = SamlFactory
            .open(Open {
                tenant: TenantId::random(&rng),
                connection,
                slug: "okta",
                address: ADDRESS.into(),
                settings: &json!({ "idp_metadata": { "xml": idp.metadata() } }),
                secrets: &BTreeMap::new(),
                services: &services(),
                now: NOW,
            })
            .expect("good settings");
        let signing = TestKey::constant(2).expect("a key");
        let keys = KeyRing {
            saml_signing: vec![SigningKey {
                state: KeyState::Active,
                certificate: Some(signing.certificate.clone()),
                signer: signing,
                jwk: serde_json::Value::Null,
            }],
            saml_decryption: vec![DecryptionKey {
                state: KeyState::Active,
                decrypter: Arc::new(TestDecrypter(Arc::clone(&decryption))),
                certificate: decryption.certificate.clone(),
            }],
            ..KeyRing::default()
        };
        let id = TenantId::random(&rng);
        let base = "https://bridge.example";
        let tenant = Tenant::new(id, "acme".into(), "Acme".into(), true, base, vec![], vec![], Arc::new(keys));
        let wish = LoginWish::default();
        let login = adapter.login.as_ref().expect("an adapter that logs people in");
        let start = Start { tenant: &tenant, handle: HANDLE, wish: &wish, now: NOW };
        let Begun { challenge, state } = runtime.block_on(login.begin(start, &mut TraceLog::new())).expect("a request");
        let request = match &challenge {
            Challenge::Redirect(location) => ReceivedRequest::from_redirect(location),
            Challenge::AutoPost { fields, .. } => ReceivedRequest::from_post(fields),
        };
        let request = request.expect("a request that can be read");
        Self { runtime, idp, adapter, tenant, connection, decryption, request, state, wish }
    }
}

/// A form as a browser posts it to the assertion consumer service.
pub fn posted(base64: &str) -> HttpInput {
    let body: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("SAMLResponse", base64)
        .append_pair("RelayState", HANDLE)
        .finish();
    input(FORM, body.into_bytes())
}

/// A form as a browser posts it to the logout service.
pub fn posted_to_slo(body: String) -> HttpInput {
    input(FORM, body.into_bytes())
}

/// A POST of these octets.
pub fn input(content_type: &str, body: Vec<u8>) -> HttpInput {
    HttpInput {
        method: Method::Post,
        route: fedbridge_saml_core::names::ACS_ROUTE,
        rest: String::new(),
        query: String::new(),
        body: body.into(),
        content_type: Some(content_type.into()),
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

/// A GET with this query.
pub fn query(query: &str) -> HttpInput {
    HttpInput { method: Method::Get, query: query.into(), content_type: None, ..input(FORM, Vec::new()) }
}
