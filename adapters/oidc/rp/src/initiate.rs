//! Third-party initiated login (OpenID Connect Core 4): a portal of the provider sends a browser here, and a login
//! of our own starts. Nothing that comes with the browser is believed but what the connection lists.

use fedbridge_contract::http::{HttpInput, Method};
use fedbridge_contract::upstream::{Correlation, UnsolicitedMode, UnsolicitedPolicy};

use crate::parameters::{parameter, twice};
use crate::settings::{InitiateLogin, Settings};

pub const INITIATE_ROUTE: &str = "oidc/initiate";

/// What comes of a connection's `initiate_login`.
pub fn policy(initiate: &InitiateLogin) -> UnsolicitedPolicy {
    UnsolicitedPolicy { app: initiate.app.clone(), mode: UnsolicitedMode::Bounce, targets: initiate.targets.clone() }
}

/// Whether the browser comes from this connection's provider, as far as it says so itself: the answer is a login
/// there, which proves it.
pub fn correlate(settings: &Settings, input: &HttpInput) -> Correlation {
    if settings.initiate_login.is_none() {
        return Correlation::Malformed("the connection has no initiate_login: nobody starts logins here".into());
    }
    let parameters = if input.method == Method::Post { input.form_params() } else { input.query_params() };
    if let Some(name) = twice(&parameters, &["iss", "login_hint", "target_link_uri"]) {
        return Correlation::Malformed(format!("each parameter once: {name} came several times"));
    }
    match parameter(&parameters, "iss") {
        Some(iss) if iss == settings.issuer => {
            let target = parameter(&parameters, "target_link_uri").filter(|target| !target.is_empty());
            Correlation::Unsolicited { target: target.map(str::to_owned) }
        }
        Some(_) => Correlation::Malformed("iss names another issuer than the connection's".into()),
        None => Correlation::Malformed("iss is missing".into()),
    }
}
