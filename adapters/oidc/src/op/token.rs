//! The token endpoint (RFC 6749 section 3.2).

use fedbridge_contract::grant::Grant;
use fedbridge_contract::http::{Method, Reply};
use fedbridge_contract::proof::Permit;
use serde::Serialize;

use super::access_token;
use super::client_auth::{AuthenticatedClient, authenticate};
use super::error::OAuthError;
use super::exchange::Exchange;
use super::id_token;
use super::lifetime;
use super::params::Params;
use super::remote::Remote;
use super::{grant_authorization_code, grant_client_credentials, grant_refresh_token};

pub(crate) async fn handle(exchange: &mut Exchange<'_>, remote: &Remote) -> Result<Reply, OAuthError> {
    let params = form_only(exchange)?;
    let grant_type = params.get("grant_type").ok_or_else(|| OAuthError::invalid_request("grant_type is missing."))?;
    let client = authenticate(exchange, remote, &params).await?;
    match grant_type {
        "client_credentials" => grant_client_credentials::handle(exchange, &client, &params),
        "authorization_code" => grant_authorization_code::handle(exchange, &client, &params).await,
        "refresh_token" => grant_refresh_token::handle(exchange, &client, &params).await,
        _ => Err(OAuthError::unsupported_grant_type()),
    }
}

/// Parameters of a form body. The query is no place for them: addresses end up in logs.
pub(crate) fn form_only(exchange: &Exchange<'_>) -> Result<Params, OAuthError> {
    let input = exchange.input;
    if input.method != Method::Post {
        return Err(OAuthError::invalid_request("Use POST."));
    }
    if !input.query.is_empty() {
        return Err(OAuthError::invalid_request("Send the parameters in the body, not in the address."));
    }
    if !input.is_form() {
        return Err(OAuthError::invalid_request("Send the parameters as application/x-www-form-urlencoded."));
    }
    let params = Params::new(input.form_params());
    match params.trouble() {
        Some(trouble) => Err(OAuthError::invalid_request(trouble)),
        None => Ok(params),
    }
}

/// A good answer (RFC 6749 section 5.1, OpenID Connect Core 3.1.3.3).
#[derive(Serialize)]
pub(crate) struct TokenResponse<'a> {
    pub(crate) access_token: &'a str,
    pub(crate) token_type: &'static str,
    pub(crate) expires_in: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) refresh_token: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id_token: Option<&'a str>,
    pub(crate) scope: &'a str,
}

impl TokenResponse<'_> {
    pub(crate) fn reply(&self) -> Reply {
        Reply::json(200, self).with_header("pragma", "no-cache")
    }
}

/// Access token and, with the scope `openid`, ID token of a grant.
pub(crate) struct GrantTokens {
    pub(crate) access: access_token::Minted,
    pub(crate) id_token: Option<String>,
}

/// The grant's scope as far as the client may have it today.
pub(crate) fn remaining_scope(client: &AuthenticatedClient, grant: &Grant) -> Result<Vec<String>, OAuthError> {
    let scope = client.settings.remaining(grant.record.scope.iter().map(String::as_str));
    if scope.iter().all(|scope| scope == "offline_access") {
        let public = "The client is not registered any more for any of the scopes that the login was given.";
        return Err(OAuthError::invalid_scope(public));
    }
    Ok(scope)
}

pub(crate) fn mint_for_grant(
    exchange: &Exchange<'_>,
    client: &AuthenticatedClient,
    grant: &Grant,
    scope: &[String],
    nonce: Option<&str>,
    permit: &Permit,
) -> Result<GrantTokens, OAuthError> {
    let AuthenticatedClient { app, settings, .. } = client;
    let (tenant, now) = (exchange.tenant.as_ref(), exchange.now);
    if lifetime::is_over(&grant.record, now) {
        let public = "The login that this was given for has ended; start a new one.";
        return Err(OAuthError::invalid_grant(public, "the upstream's limit to the session has come"));
    }
    let order = access_token::Order { tenant, app, settings, whose: access_token::Whose::Grant(grant), scope, now };
    let services = exchange.services;
    let access = access_token::mint(&order, services.rng.as_ref(), services.tokens.as_ref(), permit)?;
    let id_token = if scope.iter().any(|scope| scope == "openid") {
        let access_token = access.token.as_str();
        Some(id_token::mint(
            &id_token::Order { tenant, app, settings, grant, scope, nonce, access_token, now },
            permit,
        )?)
    } else {
        None
    };
    Ok(GrantTokens { access, id_token })
}
