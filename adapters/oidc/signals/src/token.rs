//! Security Event Tokens (RFC 8417), as receivers get them.

use fedbridge_contract::config::{App, Tenant};
use fedbridge_contract::keys::KeyError;
use fedbridge_contract::signals::Signal;
use fedbridge_oidc_core::jws::{self, JwtType};
use serde_json::{Map, Value, json};

use crate::settings::Settings;

/// What the receiver is called in its tokens.
pub fn audience(tenant: &Tenant, app: &App, settings: &Settings) -> String {
    settings.audience.clone().unwrap_or_else(|| format!("{}/signals/{}", tenant.issuer, app.name))
}

/// The same claims however often it is made. It needs no `Permit`: it lets nobody in. There is no `sub` and no `exp`, so
/// that nothing else can be taken for it (RFC 8417 section 4.1; Shared Signals Framework 1.0 section 4.1).
///
/// # Errors
/// The tenant has no active key of the algorithm, or it can't be used.
pub fn mint(tenant: &Tenant, app: &App, settings: &Settings, signal: &Signal) -> Result<String, KeyError> {
    let signer = tenant.keys.oidc_signer(settings.algorithm).ok_or_else(|| KeyError {
        kid: "none".into(),
        cause: format!("the tenant has no active {} key", settings.algorithm.name()),
    })?;
    jws::sign(signer.as_ref(), JwtType::SecurityEvent, &claims(tenant, app, settings, signal))
}

fn claims(tenant: &Tenant, app: &App, settings: &Settings, signal: &Signal) -> Value {
    json!({
        "iss": tenant.issuer,
        "aud": audience(tenant, app, settings),
        "iat": signal.made.seconds(),
        "jti": signal.id.to_string(),
        "txn": signal.txn,
        "sub_id": signal.subject,
        "events": Map::from_iter([(signal.event.clone(), signal.claims.clone())]),
    })
}
