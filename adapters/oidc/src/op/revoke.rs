//! Revocation (RFC 7009). A refresh token takes its whole grant with it; an access token
//! goes alone. The answer is the same for a token that is unknown.

use std::time::Duration;

use fedbridge_contract::http::Reply;
use fedbridge_contract::ids::GrantId;
use fedbridge_contract::time::Timestamp;

use super::access_token::{self, Holder};
use super::client_auth::{AuthenticatedClient, authenticate};
use super::error::OAuthError;
use super::exchange::Exchange;
use super::refresh_token;
use super::remote::Remote;
use super::token::form_only;

pub(crate) async fn handle(exchange: &mut Exchange<'_>, remote: &Remote) -> Result<Reply, OAuthError> {
    let params = form_only(exchange)?;
    let caller = authenticate(exchange, remote, &params).await?;
    let presented = params.get("token").ok_or_else(|| OAuthError::invalid_request("token is missing."))?;
    let services = exchange.services;
    let tenant = exchange.tenant;
    if let Some(token) = refresh_token::verify(tenant.id, services.tokens.as_ref(), presented) {
        if holds(exchange, &caller, token.grant).await? {
            services.grants.revoke(tenant.id, token.grant, exchange.now).await?;
        }
        return Ok(done());
    }
    let Ok(token) = access_token::verify(tenant, services.tokens.as_ref(), presented, exchange.now) else {
        return Ok(done());
    };
    let own = match token.holder {
        Holder::App { app, .. } => app == caller.app.id,
        Holder::Grant { app: Some(app), .. } => app == caller.app.id,
        Holder::Grant { grant, app: None } => holds(exchange, &caller, grant).await?,
    };
    if own {
        // A little longer than the token, for clocks that differ.
        let expires = Timestamp::from_seconds(token.expires) + Duration::from_secs(60);
        services.grants.revoke_token(tenant.id, &token.jti, expires).await?;
    }
    Ok(done())
}

/// Whether the grant is the caller's. Another client's token stays untouched (RFC 7009 section 2.1).
async fn holds(exchange: &Exchange<'_>, caller: &AuthenticatedClient, grant: GrantId) -> Result<bool, OAuthError> {
    let grant = exchange.services.grants.find(exchange.tenant.id, grant, None, exchange.now).await?;
    Ok(grant.is_some_and(|grant| grant.record.app == caller.app.id))
}

fn done() -> Reply {
    Reply::body(200, "application/json", "").with_header("cache-control", "no-store")
}
