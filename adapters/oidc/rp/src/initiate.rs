//! Third-party initiated login (OpenID Connect Core 4): a portal of the provider sends a browser here, and a login
//! of our own starts. Nothing that comes with the browser is believed but what the connection lists.

use fedbridge_contract::http::{HttpInput, Method};
use fedbridge_contract::upstream::{Correlation, LoginWish, UnsolicitedMode, UnsolicitedPolicy};

use crate::parameters::{parameter, twice};
use crate::settings::{InitiateLogin, Settings};

pub const INITIATE_ROUTE: &str = "oidc/initiate";

/// The longest `login_hint` that goes on, in octets.
const MAX_HINT: usize = 1024;

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
    let parameters = parameters(input);
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

/// What goes on to the provider with the login that starts: whom it is about, as the portal says. It is only a hint,
/// and the connection's `pass_on` decides about it as about an app's.
pub fn wish(input: &HttpInput) -> LoginWish {
    let parameters = parameters(input);
    let hint = parameter(&parameters, "login_hint").filter(|hint| (1..=MAX_HINT).contains(&hint.len()));
    LoginWish { login_hint: hint.map(str::to_owned), ..LoginWish::default() }
}

fn parameters(input: &HttpInput) -> Vec<(String, String)> {
    if input.method == Method::Post { input.form_params() } else { input.query_params() }
}
