//! Provider metadata (OpenID Connect Discovery 3, RFC 8414 section 2): what is true now, and no more.

use fedbridge_contract::config::{Locale, Tenant};
use fedbridge_contract::keys::SignatureAlgorithm;
use serde_json::{Value, json};

use super::release::SCOPE_CLAIMS;

pub(crate) fn metadata(tenant: &Tenant) -> Value {
    let issuer = &tenant.issuer;
    let at = |path: &str| format!("{issuer}/{path}");
    let methods = json!(["client_secret_basic", "client_secret_post", "private_key_jwt", "none"]);
    let confidential = json!(["client_secret_basic", "client_secret_post", "private_key_jwt"]);
    let assertion_algorithms = json!(["ES256", "RS256", "PS256", "EdDSA"]);
    json!({
        "issuer": issuer,
        "authorization_endpoint": at("authorize"),
        "token_endpoint": at("token"),
        "userinfo_endpoint": at("userinfo"),
        "jwks_uri": at("jwks"),
        "introspection_endpoint": at("introspect"),
        "revocation_endpoint": at("revoke"),
        "end_session_endpoint": at("logout"),
        "backchannel_logout_supported": true,
        "backchannel_logout_session_supported": true,
        "frontchannel_logout_supported": true,
        "frontchannel_logout_session_supported": true,
        "scopes_supported": ["openid", "profile", "email", "address", "phone", "groups", "offline_access"],
        "response_types_supported": ["code"],
        "response_modes_supported": ["query", "form_post"],
        "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": true,
        "subject_types_supported": ["public", "pairwise"],
        "id_token_signing_alg_values_supported": signing_algorithms(tenant),
        "token_endpoint_auth_methods_supported": methods,
        "token_endpoint_auth_signing_alg_values_supported": assertion_algorithms,
        "introspection_endpoint_auth_methods_supported": confidential,
        "introspection_endpoint_auth_signing_alg_values_supported": assertion_algorithms,
        "revocation_endpoint_auth_methods_supported": methods,
        "revocation_endpoint_auth_signing_alg_values_supported": assertion_algorithms,
        "prompt_values_supported": ["none", "login", "consent", "select_account"],
        "ui_locales_supported": languages(tenant),
        "claim_types_supported": ["normal"],
        "claims_supported": claims(),
        "claims_parameter_supported": true,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
    })
}

/// Languages of the tenant's pages.
fn languages(tenant: &Tenant) -> Vec<&'static str> {
    let offered = &tenant.settings.locales;
    let all = [Locale::En, Locale::De];
    let offered = if offered.is_empty() { &all[..] } else { offered };
    offered.iter().map(|locale| locale.tag()).collect()
}

/// Algorithms that the tenant has an active key of.
fn signing_algorithms(tenant: &Tenant) -> Vec<&'static str> {
    use SignatureAlgorithm::{ES256, EdDSA, PS256, RS256};
    let here = [ES256, RS256, PS256, EdDSA].into_iter().filter(|alg| tenant.keys.oidc_signer(*alg).is_some());
    here.map(SignatureAlgorithm::name).collect()
}

fn claims() -> Vec<&'static str> {
    let protocol = ["sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "at_hash", "sid", "idp", "acr", "amr"];
    let released = SCOPE_CLAIMS.iter().flat_map(|(_, names)| names.iter().copied());
    protocol.into_iter().chain(released).collect()
}
