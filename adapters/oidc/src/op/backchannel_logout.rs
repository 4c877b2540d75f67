//! Telling an app by a call of our server that a session is over (OpenID Connect Back-Channel Logout 1.0).

use fedbridge_contract::keys::KeyError;
use fedbridge_contract::logout::{LogoutCall, Told};
use fedbridge_contract::services::{EgressPost, Fetched};

use super::logout_token;
use super::settings::ClientSettings;

/// Section 2.5. An app that was disabled meanwhile is told too: its session there lives on.
///
/// # Errors
/// The logout token can't be signed.
pub(crate) fn post(call: &LogoutCall<'_>, settings: &ClientSettings, address: &str) -> Result<EgressPost, KeyError> {
    let token = logout_token::mint(call, settings)?;
    Ok(EgressPost {
        url: address.to_owned(),
        content_type: "application/x-www-form-urlencoded".into(),
        headers: Vec::new(),
        body: format!("logout_token={token}"),
    })
}

/// Section 2.8. An app that is broken or busy has not said no.
pub(crate) fn told(answer: &Fetched) -> Told {
    match answer.status {
        200 | 204 => Told::Done,
        408 | 429 | 500.. => Told::Silent,
        _ => Told::Refused,
    }
}
