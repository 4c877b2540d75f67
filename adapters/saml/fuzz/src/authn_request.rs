//! Sends AuthnRequests to the single sign-on service: as they come, and newly signed.

use std::sync::{Arc, LazyLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use fedbridge_contract::config::{App, AppKind, Tenant};
use fedbridge_contract::downstream::{Accepted, Downstream, Request};
use fedbridge_contract::http::{HttpInput, ReplyKind};
use fedbridge_contract::ids::{AppId, TenantId, TraceId};
use fedbridge_contract::trace::TraceLog;
use fedbridge_saml_core::names;
use fedbridge_saml_core::seam::{Limits, UnverifiedDocument};
use fedbridge_saml_core::testkit::{ScriptedSp, TestKey, Way, post_body, redirect_query, sign_message};
use fedbridge_saml_idp::SamlIdentityProvider;
use serde_json::json;
use uuid::Uuid;

use crate::services::services;
use crate::world::{NOW, WORLD, input, query};

pub const SSO: &str = "https://bridge.example/t/acme/saml/sso";
const FORM: &str = "application/x-www-form-urlencoded";

/// The service provider that is registered.
pub static SP: LazyLock<ScriptedSp> = LazyLock::new(|| {
    let mut sp = ScriptedSp::new("https://wiki.example/sp", "https://wiki.example/acs");
    sp.more_acs = vec!["https://wiki.example/acs2".into()];
    sp.key = TestKey::constant(3).expect("a key");
    sp
});

static BRIDGE: LazyLock<(SamlIdentityProvider, Arc<Tenant>)> = LazyLock::new(|| {
    let provider = SamlIdentityProvider::new(services());
    let settings = json!({ "sp_metadata": { "xml": SP.metadata() }, "attributes": { "mail": "email" } });
    let complaints = provider.check_app("wiki", &settings, 0);
    assert!(complaints.is_empty(), "{complaints:?}");
    let name = provider.protocol_name("wiki", &settings);
    let id = AppId::from_uuid(Uuid::from_u128(11));
    let app = App::new(id, AppKind::SamlSp, "wiki".into(), name, "Wiki".into(), true, None, settings, vec![]);
    let id = TenantId::from_uuid(Uuid::from_u128(1));
    let base = "https://bridge.example";
    let keys = Arc::clone(&WORLD.tenant.keys);
    let tenant = Tenant::new(id, "acme".into(), "Acme".into(), true, base, vec![], vec![Arc::new(app)], keys);
    (provider, Arc::new(tenant))
});

/// # Panics
/// The browser is sent somewhere that nobody registered.
pub fn check(octets: &[u8]) {
    let Ok(text) = std::str::from_utf8(octets) else { return };
    if !text.starts_with('<') {
        accept(&sso(query(text)));
        return;
    }
    accept(&sso(posted(text)));
    if let Ok(signed) = redirect_query(Way::Request, text, Some("relay"), Some(&SP.key)) {
        accept(&sso(query(&signed)));
    }
    if let Some(signed) = unsigned_id(octets).and_then(|id| sign_message(text, &id, &SP.key).ok()) {
        accept(&sso(posted(&signed)));
    }
}

fn accept(input: &HttpInput) {
    let (provider, tenant) = &*BRIDGE;
    let trace_id = TraceId::from_uuid(Uuid::from_u128(7));
    let request = Request { tenant, input, now: NOW, trace_id };
    match WORLD.runtime.block_on(provider.accept(request, &mut TraceLog::new())) {
        Accepted::Reply(reply) => match reply.kind {
            ReplyKind::Redirect(location) => assert!(location.starts_with(SSO), "sends people to {location}"),
            ReplyKind::AutoPost { action, .. } => {
                let known = SP.acs == action || SP.more_acs.contains(&action);
                assert!(known, "sends an answer to {action}");
            }
            ReplyKind::Page(_) | ReplyKind::Body(_) => {}
        },
        Accepted::Login(login) => assert_eq!(login.app, AppId::from_uuid(Uuid::from_u128(11))),
        _ => panic!("a request for a login became something else"),
    }
}

fn sso(input: HttpInput) -> HttpInput {
    HttpInput { route: "saml/sso", ..input }
}

fn posted(xml: &str) -> HttpInput {
    input(FORM, post_body(&[("SAMLRequest".to_owned(), STANDARD.encode(xml))]).into_bytes())
}

fn unsigned_id(octets: &[u8]) -> Option<String> {
    let document = UnverifiedDocument::parse(octets, Limits::message()).ok()?;
    let root = document.unverified_root();
    let signed = root.descendants().any(|element| element.is(names::DSIG, "Signature"));
    if signed { None } else { root.attribute("ID").map(str::to_owned) }
}
