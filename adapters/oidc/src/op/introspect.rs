//! Introspection (RFC 7662). Only for confidential clients, and only for tokens that are
//! their business; for any other token the answer says nothing at all.

use fedbridge_contract::http::Reply;
use fedbridge_contract::services::GateRefusal;
use serde::Serialize;

use super::authn_claims::AuthnClaims;
use super::client_auth::{AuthenticatedClient, authenticate};
use super::error::OAuthError;
use super::exchange::Exchange;
use super::grant_refresh_token;
use super::live_token::{self, LiveToken, NotLive};
use super::refresh_token;
use super::remote::Remote;
use super::token::form_only;

pub(crate) async fn handle(exchange: &mut Exchange<'_>, remote: &Remote) -> Result<Reply, OAuthError> {
    let params = form_only(exchange)?;
    let caller = authenticate(exchange, remote, &params).await?;
    if caller.settings.is_public() {
        return Err(OAuthError::invalid_client("a public client may not introspect"));
    }
    let presented = params.get("token").ok_or_else(|| OAuthError::invalid_request("token is missing."))?;
    // token_type_hint only says where to look first, and there is nothing to gain from it here.
    if let Some(answer) = refresh_answer(exchange, &caller, presented).await? {
        return Ok(answer);
    }
    match live_token::find(exchange, presented).await {
        Ok(live) if may_see(exchange, &caller, &live) => Ok(active(exchange, &live)),
        Ok(_) | Err(NotLive::No(_)) => Ok(inactive()),
        Err(NotLive::Unknown(error)) => Err(error),
    }
}

/// Issued to the caller, or meant for it, or for one of its resources (RFC 7662 section 4).
fn may_see(exchange: &Exchange<'_>, caller: &AuthenticatedClient, live: &LiveToken) -> bool {
    let audience = live.token.audience(exchange.tenant, &live.settings);
    live.app.id == caller.app.id
        || audience == caller.app.name
        || caller.settings.resources.iter().any(|resource| resource == audience)
}

/// RFC 7662 section 2.2.
#[derive(Serialize)]
struct Active<'a> {
    active: bool,
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: &'a str,
    client_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_type: Option<&'static str>,
    iss: &'a str,
    sub: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    aud: Option<&'a str>,
    exp: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    iat: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jti: Option<&'a str>,
    #[serde(flatten)]
    authn: AuthnClaims<'a>,
}

fn active(exchange: &Exchange<'_>, live: &LiveToken) -> Reply {
    let record = live.grant.as_ref().map(|grant| &grant.record);
    let answer = Active {
        active: true,
        scope: &live.scope.join(" "),
        client_id: &live.app.name,
        token_type: Some("Bearer"),
        iss: &exchange.tenant.issuer,
        sub: record.map_or(&live.app.name, |record| &record.sub),
        aud: Some(live.token.audience(exchange.tenant, &live.settings)),
        exp: live.token.expires,
        iat: Some(live.token.issued),
        jti: Some(&live.token.jti),
        authn: AuthnClaims::of(record),
    };
    Reply::json(200, &answer)
}

fn inactive() -> Reply {
    #[derive(Serialize)]
    struct Inactive {
        active: bool,
    }
    Reply::json(200, &Inactive { active: false })
}

/// An answer where the text is a refresh token of ours. Only the client that holds it learns more.
async fn refresh_answer(
    exchange: &mut Exchange<'_>,
    caller: &AuthenticatedClient,
    presented: &str,
) -> Result<Option<Reply>, OAuthError> {
    let services = exchange.services;
    let tenant = exchange.tenant;
    let Some(token) = refresh_token::verify(tenant.id, services.tokens.as_ref(), presented) else { return Ok(None) };
    let grant = services.grants.find(tenant.id, token.grant, None, exchange.now).await?;
    let Some(grant) = grant.filter(|grant| grant.record.app == caller.app.id && !grant.standing.revoked) else {
        return Ok(Some(inactive()));
    };
    let welcome = match services.gate.grant(tenant, &caller.app, &grant).await {
        Err(refusal @ GateRefusal::Unsure) => return Err(OAuthError::unavailable(refusal.to_string())),
        permit => permit.is_ok(),
    };
    // As the token endpoint would see it now.
    let scope = caller.settings.remaining(grant.record.scope.iter().map(String::as_str));
    let refreshable = grant_refresh_token::may_refresh(&caller.settings, &scope);
    let Some(family) = grant.refresh.filter(|family| {
        let until = family.idle_expires.min(family.absolute_expires);
        welcome && refreshable && family.generation == token.generation && exchange.now < until
    }) else {
        return Ok(Some(inactive()));
    };
    let answer = Active {
        active: true,
        scope: &scope.join(" "),
        client_id: &caller.app.name,
        token_type: None,
        iss: &tenant.issuer,
        sub: &grant.record.sub,
        aud: None,
        exp: family.idle_expires.min(family.absolute_expires).seconds(),
        iat: None,
        jti: None,
        authn: AuthnClaims::of(Some(&grant.record)),
    };
    Ok(Some(Reply::json(200, &answer)))
}
