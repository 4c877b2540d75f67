//! The userinfo endpoint (OpenID Connect Core 5.3) with bearer tokens (RFC 6750).

use fedbridge_contract::claims::PROTOCOL_CLAIMS;
use fedbridge_contract::http::{Method, Reply};
use serde_json::{Map, Value};

use super::error::OAuthError;
use super::exchange::Exchange;
use super::live_token::{self, NotLive};
use super::params::{Params, words};
use super::release;

pub(crate) async fn handle(exchange: &mut Exchange<'_>) -> Result<Reply, OAuthError> {
    let presented = bearer_token(exchange)?;
    let live = live_token::find(exchange, &presented).await.map_err(|why| match why {
        NotLive::No(cause) => OAuthError::invalid_token(cause),
        NotLive::Unknown(error) => error,
    })?;
    let Some(grant) = live.grant.as_ref().filter(|_| live.token.has_scope("openid")) else {
        return Err(OAuthError::insufficient_scope());
    };
    let record = &grant.record;
    let mut claims = Map::new();
    claims.insert("sub".to_owned(), Value::from(record.sub.as_str()));
    for (name, value) in release::claims(record, &words(&live.token.scope)) {
        if !PROTOCOL_CLAIMS.contains(&name.as_str()) {
            claims.insert(name.clone(), value.clone());
        }
    }
    Ok(Reply::json(200, &claims))
}

/// The one token of the request: from the header, or from a form body (RFC 6750 sections 2.1 and 2.2).
fn bearer_token(exchange: &Exchange<'_>) -> Result<String, OAuthError> {
    let input = exchange.input;
    if input.query_params().iter().any(|(name, _)| name == "access_token") {
        return Err(OAuthError::invalid_request("Send the access token in the header, never in the address."));
    }
    let params = Params::new(if input.method == Method::Post { input.form_params() } else { Vec::new() });
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
