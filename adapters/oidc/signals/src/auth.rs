//! Which receiver asks: the one whose bearer token it is (RFC 6750).

use std::sync::Arc;

use fedbridge_contract::config::{App, AppKind, Tenant};
use fedbridge_contract::downstream::Request;
use fedbridge_contract::services::Services;
use fedbridge_contract::time::delay_seconds;
use openssl::memcmp;
use openssl::sha::sha256;

use crate::answer::Refused;

/// # Errors
/// Nobody's token, or that of a receiver that is switched off; and 429 for whoever guesses.
pub async fn receiver<'t>(services: &Services, request: &Request<'t>) -> Result<&'t Arc<App>, Refused> {
    let Some(sent) = request.input.authorization.as_deref().and_then(bearer) else {
        return Err(Refused::Unauthorized);
    };
    if let Some(app) = whose(request.tenant, sent) {
        return match services.gate.app(request.tenant, app).await {
            Ok(_) => Ok(app),
            Err(_) => Err(Refused::Unauthorized),
        };
    }
    match services.throttle.failed(request.tenant.id, "signals", request.input.peer, request.now) {
        Some(wait) => Err(Refused::TooMany(delay_seconds(wait))),
        None => Err(Refused::Unauthorized),
    }
}

/// All are looked at, and hashes have one length: how long it takes tells nothing.
fn whose<'t>(tenant: &'t Tenant, sent: &str) -> Option<&'t Arc<App>> {
    let sent = sha256(sent.as_bytes());
    let mut found = None;
    for app in tenant.apps.iter().filter(|app| app.kind == AppKind::SignalReceiver) {
        for hash in &app.secret_hashes {
            if memcmp::eq(&sent, hash) {
                found = Some(app);
            }
        }
    }
    found
}

fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}
