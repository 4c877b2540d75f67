//! The authorization code grant (RFC 6749 section 4.1.3, RFC 7636 section 4.6).

use fedbridge_contract::grant::{CodeState, Grant, Redeemed};
use fedbridge_contract::http::Reply;
use fedbridge_contract::ids::GrantId;
use fedbridge_contract::services::RefreshLifetimes;
use fedbridge_contract::ticket;
use fedbridge_oidc_core::hash::sha256;
use fedbridge_oidc_core::pkce;
use openssl::memcmp;

use super::client_auth::AuthenticatedClient;
use super::current::brought_up_to_date;
use super::error::OAuthError;
use super::exchange::Exchange;
use super::grant_refresh_token::may_refresh;
use super::memory::GrantMemory;
use super::params::Params;
use super::refresh_token;
use super::settings::GrantType;
use super::token::{TokenResponse, mint_for_grant, remaining_scope};

/// One sentence for every way in which a code can be wrong.
const BAD_CODE: &str = "The authorization code is not valid, or not any more.";

pub(crate) async fn handle(
    exchange: &mut Exchange<'_>,
    client: &AuthenticatedClient,
    params: &Params,
) -> Result<Reply, OAuthError> {
    if !client.settings.may_use(GrantType::AuthorizationCode) {
        return Err(OAuthError::grant_type_not_registered("authorization_code"));
    }
    let code = params.get("code").ok_or_else(|| OAuthError::invalid_request("code is missing."))?;
    let redirect_uri =
        params.get("redirect_uri").ok_or_else(|| OAuthError::invalid_request("redirect_uri is missing."))?;
    let tenant = exchange.tenant;
    let grants = exchange.services.grants.as_ref();
    let named = match ticket::id_of(code).map(GrantId::from_uuid) {
        Some(id) => grants.by_code(tenant.id, id, &sha256(code.as_bytes()), exchange.now).await?,
        None => None,
    };
    let Some(grant) = named else {
        return Err(OAuthError::invalid_grant(BAD_CODE, "no such code was given out by this tenant"));
    };
    note(exchange, &grant);
    if grant.record.app != client.app.id {
        exchange.trace.decide("code's client", "the code was given to another client", false);
        return Err(OAuthError::invalid_grant(BAD_CODE, "the code was given to another client"));
    }
    check_state(exchange, &grant).await?;
    let memory = GrantMemory::of(&grant.record);
    check_binding(exchange, &memory, redirect_uri, params.get("code_verifier"))?;
    let permit = exchange
        .services
        .gate
        .grant(tenant, &client.app, &grant)
        .await
        .map_err(|refusal| OAuthError::gate(refusal, |cause| OAuthError::invalid_grant(BAD_CODE, cause)))?;
    let grant = brought_up_to_date(exchange, grant).await.map_err(|why| why.answer(BAD_CODE))?;

    // Signed before the code is used up, so that a key that fails costs nobody a login. No
    // token leaves before the store has said that this request redeemed the code.
    let scope = &remaining_scope(client, &grant)?;
    let tokens = mint_for_grant(exchange, client, &grant, scope, memory.nonce.as_deref(), &permit)?;
    let family = refresh_lifetimes(exchange, client, &grant, scope);
    match grants.redeem(tenant.id, grant.id, family, exchange.now).await? {
        Redeemed::Now => {}
        Redeemed::Before => {
            grants.revoke(tenant.id, grant.id, exchange.now).await?;
            let cause = "the code was redeemed by another request at the same time; the grant is revoked";
            exchange.trace.decide("code", cause, false);
            return Err(OAuthError::invalid_grant(BAD_CODE, cause));
        }
        Redeemed::Gone => {
            return Err(OAuthError::invalid_grant(BAD_CODE, "the code expired or its grant was revoked meanwhile"));
        }
    }
    let secrets = exchange.services.tokens.as_ref();
    let refresh = family.map(|_| refresh_token::mint(tenant.id, secrets, grant.id, 1, &permit));
    exchange.services.counters.token_issued("authorization_code");
    let response = TokenResponse {
        access_token: &tokens.access.token,
        token_type: "Bearer",
        expires_in: tokens.access.expires_in,
        refresh_token: refresh.as_deref(),
        id_token: tokens.id_token.as_deref(),
        scope: &scope.join(" "),
    };
    Ok(response.reply())
}

/// For the record of a refusal.
pub(crate) fn note(exchange: &mut Exchange<'_>, grant: &Grant) {
    exchange.connection = Some(grant.record.connection);
    exchange.person = Some(grant.record.sub.clone());
    let facts = vec![("grant", grant.id.to_string()), ("login", grant.record.trace.to_string())];
    exchange.trace.received(exchange.now, "grant", true, facts);
}

async fn check_state(exchange: &mut Exchange<'_>, grant: &Grant) -> Result<(), OAuthError> {
    let cause = match grant.code {
        CodeState::Redeemed { at } => {
            let cause = format!("the code was already redeemed at {}; the grant is revoked", at.rfc3339());
            exchange.services.grants.revoke(exchange.tenant.id, grant.id, exchange.now).await?;
            cause
        }
        CodeState::Issued { expires } if exchange.now >= expires => {
            format!("the code expired at {}", expires.rfc3339())
        }
        CodeState::Issued { .. } => return Ok(()),
    };
    exchange.trace.decide("code", cause.clone(), false);
    Err(OAuthError::invalid_grant(BAD_CODE, cause))
}

fn check_binding(
    exchange: &mut Exchange<'_>,
    memory: &GrantMemory,
    redirect_uri: &str,
    verifier: Option<&str>,
) -> Result<(), OAuthError> {
    let same = memcmp_text(&memory.redirect_uri, redirect_uri);
    let (expected, source) = (memory.redirect_uri.as_str(), "RFC 6749 4.1.3");
    if !exchange.trace.check("redirect_uri", source, expected, redirect_uri, same) {
        let public = "The redirect_uri is not the one of the authorization request.";
        return Err(OAuthError::invalid_grant(public, "redirect_uri differs from the authorization request"));
    }
    let refused = match (&memory.code_challenge, verifier) {
        (None, None) => return Ok(()),
        (Some(challenge), Some(verifier)) if pkce::matches(challenge, verifier) => return Ok(()),
        (Some(_), Some(_)) => "The code_verifier does not match the code_challenge.",
        (Some(_), None) => "The code_verifier is missing.",
        (None, Some(_)) => "A code_verifier came, but the authorization request had no code_challenge.",
    };
    exchange.trace.decide("PKCE (RFC 7636 4.6)", refused, false);
    Err(OAuthError::invalid_grant(refused, refused))
}

fn memcmp_text(a: &str, b: &str) -> bool {
    a.len() == b.len() && memcmp::eq(a.as_bytes(), b.as_bytes())
}

/// A refresh family is opened with `offline_access` for clients that may refresh, and ends
/// no later than the upstream's session (OpenID Connect Core 11).
fn refresh_lifetimes(
    exchange: &Exchange<'_>,
    client: &AuthenticatedClient,
    grant: &Grant,
    scope: &[String],
) -> Option<RefreshLifetimes> {
    if !may_refresh(&client.settings, scope) {
        return None;
    }
    let settings = client.settings.refresh_token;
    let own = exchange.now + settings.absolute;
    let absolute_expires = grant.record.upstream_limit.map_or(own, |limit| own.min(limit));
    (absolute_expires > exchange.now).then_some(RefreshLifetimes { idle: settings.idle, absolute_expires })
}
