//! What a receiver has to know of the transmitter (Shared Signals Framework 1.0 section 7.1).

use fedbridge_contract::config::{AppKind, Tenant};
use fedbridge_contract::http::Reply;
use serde_json::json;

pub const PUSH: &str = "urn:ietf:rfc:8935";
pub const POLL: &str = "urn:ietf:rfc:8936";

/// A tenant without receivers has no transmitter.
pub fn document(tenant: &Tenant) -> Reply {
    if !tenant.apps.iter().any(|app| app.kind == AppKind::SignalReceiver && app.enabled) {
        return Reply::body(404, "text/plain", "There is nothing at this address.");
    }
    let at = |path: &str| format!("{}/signals/{path}", tenant.issuer);
    Reply::json(
        200,
        &json!({
            "spec_version": "1_0",
            "issuer": tenant.issuer,
            "jwks_uri": format!("{}/jwks", tenant.issuer),
            "delivery_methods_supported": [PUSH, POLL],
            "configuration_endpoint": at("stream"),
            "status_endpoint": at("status"),
            "add_subject_endpoint": at("subjects/add"),
            "remove_subject_endpoint": at("subjects/remove"),
            "verification_endpoint": at("verify"),
            "authorization_schemes": [{ "spec_urn": "urn:ietf:rfc:6750" }],
            "default_subjects": "ALL",
        }),
    )
}
