//! The userinfo endpoint (OpenID Connect Core 5.3) with bearer tokens (RFC 6750).
//!
//! The token's audience is not looked at, on purpose. OpenID Connect Core 5.3 asks for an
//! access token with the scope `openid` and has no rule about its audience. A client whose
//! `access_token.audience` is an API still calls userinfo with the one token that it gets
//! (many web server modules do), and what userinfo tells is what that client was given in
//! the ID token. An API that must not learn about people gets tokens without `openid`.

use fedbridge_contract::http::{Method, Reply};
use serde::Serialize;

use super::error::OAuthError;
use super::exchange::Exchange;
use super::live_token::{self, NotLive};
use super::params::Params;
use super::release::Released;

pub(crate) async fn handle(exchange: &mut Exchange<'_>) -> Result<Reply, OAuthError> {
    let presented = bearer_token(exchange)?;
    let live = live_token::find(exchange, &presented).await.map_err(|why| match why {
        NotLive::No(cause) => OAuthError::invalid_token(cause),
        NotLive::Unknown(error) => error,
    })?;
    let openid = live.scope.iter().any(|scope| scope == "openid");
    let Some(grant) = live.grant.as_ref().filter(|_| openid) else {
        return Err(OAuthError::insufficient_scope());
    };
    let record = &grant.record;
    let released = Released { record, scope: &live.scope, registered: &live.settings.scopes };
    Ok(Reply::json(200, &Userinfo { sub: &record.sub, released }))
}

/// OpenID Connect Core 5.3.2.
#[derive(Serialize)]
struct Userinfo<'a> {
    sub: &'a str,
    #[serde(flatten)]
    released: Released<'a>,
}

/// The one token of the request: from the header, or from a form body (RFC 6750 sections 2.1 and 2.2).
fn bearer_token(exchange: &Exchange<'_>) -> Result<String, OAuthError> {
    let input = exchange.input;
    if input.query_params().iter().any(|(name, _)| name == "access_token") {
        return Err(OAuthError::invalid_request("Send the access token in the header, never in the address."));
    }
    let params = Params::new(if input.method == Method::Post { input.form_params() } else { Vec::new() });
    if let Some(trouble) = params.trouble() {
        return Err(OAuthError::invalid_request(trouble));
    }
    let in_body = params.has("access_token");
    match (&input.authorization, in_body) {
        (Some(_), true) => Err(OAuthError::invalid_request("Send the access token once, not in two places.")),
        (Some(header), false) => match header.split_once(' ') {
            Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() => {
                Ok(token.trim().to_owned())
            }
            _ => Err(OAuthError::no_token()),
        },
        (None, true) => match params.get("access_token") {
            Some(token) => Ok(token.to_owned()),
            None => Err(OAuthError::invalid_request("Send the access token once.")),
        },
        (None, false) => Err(OAuthError::no_token()),
    }
}
