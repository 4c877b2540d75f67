//! Logout tokens: what an app is sent when a session ends (OpenID Connect Back-Channel Logout 1.0).

use fedbridge_contract::keys::KeyError;
use fedbridge_contract::logout::LogoutCall;
use fedbridge_contract::services::random_text;
use fedbridge_oidc_core::jws::{self, JwtType};
use serde::Serialize;

use super::settings::ClientSettings;

/// Seconds for which a logout token counts (section 2.4: two minutes at most).
const LIFETIME: i64 = 120;

/// Makes the logout token of one notice. It needs no `Permit`: it lets nobody in, and tells no more
/// than that a session of a known `sub` is over.
///
/// # Errors
/// The tenant has no active key of the client's algorithm, or it can't be used.
pub(crate) fn mint(call: &LogoutCall<'_>, settings: &ClientSettings) -> Result<String, KeyError> {
    // Section 2.4: signed as the client's ID tokens are.
    let algorithm = settings.id_token_algorithm;
    let signer = call.tenant.keys.oidc_signer(algorithm).ok_or_else(|| KeyError {
        kid: "none".into(),
        cause: format!("the tenant has no active {} key", algorithm.name()),
    })?;
    let issued = call.now.seconds();
    let claims = LogoutClaims {
        iss: &call.tenant.issuer,
        aud: &call.app.name,
        iat: issued,
        exp: issued.saturating_add(LIFETIME),
        jti: random_text::<16>(call.rng),
        sub: &call.participant.key,
        sid: call.session.to_string(),
        events: Events { logout: Nothing {} },
    };
    jws::sign(signer.as_ref(), JwtType::Logout, &claims)
}

/// Section 2.4. There must be no `nonce`, so that no ID token can be taken for this.
#[derive(Serialize)]
struct LogoutClaims<'a> {
    iss: &'a str,
    aud: &'a str,
    iat: i64,
    exp: i64,
    jti: String,
    sub: &'a str,
    /// As in the ID tokens of the session.
    sid: String,
    events: Events,
}

#[derive(Serialize)]
struct Events {
    #[serde(rename = "http://schemas.openid.net/event/backchannel-logout")]
    logout: Nothing,
}

/// An empty object.
#[derive(Serialize)]
struct Nothing {}
