//! The client credentials grant (RFC 6749 section 4.4): an app acting for itself. Nothing is
//! read from the store and nothing is written.

use fedbridge_contract::http::Reply;

use super::access_token::{self, Order, Whose};
use super::client_auth::AuthenticatedClient;
use super::error::OAuthError;
use super::exchange::Exchange;
use super::params::Params;
use super::settings::{ClientSettings, GrantType, PERSON_SCOPES};
use super::token::TokenResponse;

pub(crate) fn handle(
    exchange: &mut Exchange<'_>,
    client: &AuthenticatedClient,
    params: &Params,
) -> Result<Reply, OAuthError> {
    let AuthenticatedClient { app, settings, permit } = client;
    if settings.is_public() || !settings.may_use(GrantType::ClientCredentials) {
        return Err(OAuthError::grant_type_not_registered("client_credentials"));
    }
    let scope = scope(settings, params.words("scope").map_err(OAuthError::invalid_scope)?)?;
    let services = exchange.services;
    let whose = Whose::App(services.gate.epoch());
    let order = Order { tenant: exchange.tenant, app, settings, whose, scope: &scope, now: exchange.now };
    let minted = access_token::mint(&order, services.rng.as_ref(), services.tokens.as_ref(), permit)?;
    services.counters.token_issued("client_credentials");
    let response = TokenResponse {
        access_token: &minted.token,
        token_type: "Bearer",
        expires_in: minted.expires_in,
        refresh_token: None,
        id_token: None,
        scope: &scope.join(" "),
    };
    Ok(response.reply())
}

/// What was asked for, or else all of the client's scopes that speak of no person.
fn scope(settings: &ClientSettings, asked: Option<Vec<String>>) -> Result<Vec<String>, OAuthError> {
    let allowed = |scope: &String| settings.scopes.contains(scope) && !PERSON_SCOPES.contains(&scope.as_str());
    match asked {
        None => Ok(settings.scopes.iter().filter(|scope| allowed(scope)).cloned().collect()),
        Some(asked) => {
            if asked.iter().all(allowed) {
                Ok(asked)
            } else {
                let public = "The client may not have all of these scopes for itself: its scopes do not list them, or \
                              they speak of a person.";
                Err(OAuthError::invalid_scope(public))
            }
        }
    }
}
