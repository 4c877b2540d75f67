//! The refresh token grant (RFC 6749 section 6) with rotation and reuse detection (RFC 9700 section 4.14.2).

use fedbridge_contract::grant::{Grant, GrantRecord, Rotated};
use fedbridge_contract::http::Reply;
use fedbridge_contract::ids::GrantId;
use fedbridge_contract::proof::Permit;
use fedbridge_contract::services::{Rotation, Valid};

use super::client_auth::AuthenticatedClient;
use super::current::brought_up_to_date;
use super::error::OAuthError;
use super::exchange::Exchange;
use super::grant_authorization_code::note;
use super::params::Params;
use super::refresh_token;
use super::settings::{ClientSettings, GrantType};
use super::token::{TokenResponse, mint_for_grant, remaining_scope};

/// One sentence for every way in which a refresh token can be wrong.
const BAD_TOKEN: &str = "The refresh token is not valid, or not any more.";

pub(crate) async fn handle(
    exchange: &mut Exchange<'_>,
    client: &AuthenticatedClient,
    params: &Params,
) -> Result<Reply, OAuthError> {
    if !client.settings.may_use(GrantType::RefreshToken) {
        return Err(OAuthError::grant_type_not_registered("refresh_token"));
    }
    let (tenant, services) = (exchange.tenant, exchange.services);
    let (grant, presented) = presented(exchange, client, params).await?;
    let mut permit = permitted(exchange, client, &grant).await?;
    check_lifetimes(exchange, &grant)?;
    let ceiling = remaining_scope(client, &grant)?;
    if !may_refresh(&client.settings, &ceiling) {
        return Err(refuse("the client is not registered any more for the scope offline_access"));
    }
    let scope = narrowed(ceiling, params.words("scope").map_err(OAuthError::invalid_scope)?)?;
    if is_current(&grant, presented, client, exchange) && ask_upstream(exchange, &grant).await? {
        // A kill or a logout may have come meanwhile, so the permit from before is worth nothing.
        permit = permitted(exchange, client, &found(exchange, grant.id).await?).await?;
    }
    let granted = grant.record.claims.clone();
    let grant = brought_up_to_date(exchange, grant).await.map_err(|why| why.answer(BAD_TOKEN))?;
    let changed = (grant.record.claims != granted).then(|| Box::new(grant.record.clone()));

    // Signed before the rotation, for the same reason as with a code.
    let tokens = mint_for_grant(exchange, client, &grant, &scope, None, &permit)?;
    let generation = rotated(exchange, client, (&grant, changed), presented).await?;
    let refresh = refresh_token::mint(tenant.id, services.tokens.as_ref(), grant.id, generation, &permit);
    services.counters.token_issued("refresh_token");
    let response = TokenResponse {
        access_token: &tokens.access.token,
        token_type: "Bearer",
        expires_in: tokens.access.expires_in,
        refresh_token: Some(&refresh),
        id_token: tokens.id_token.as_deref(),
        scope: &scope.join(" "),
    };
    Ok(response.reply())
}

fn refuse(cause: &str) -> OAuthError {
    OAuthError::invalid_grant(BAD_TOKEN, cause)
}

/// The grant of the token that came, and which generation of its family it is.
async fn presented(
    exchange: &mut Exchange<'_>,
    client: &AuthenticatedClient,
    params: &Params,
) -> Result<(Grant, i64), OAuthError> {
    let presented = params.get("refresh_token");
    let presented = presented.ok_or_else(|| OAuthError::invalid_request("refresh_token is missing."))?;
    let (tenant, services) = (exchange.tenant, exchange.services);
    let token = refresh_token::verify(tenant.id, services.tokens.as_ref(), presented)
        .ok_or_else(|| refuse("it is no refresh token of this tenant"))?;
    let grant = found(exchange, token.grant).await?;
    note(exchange, &grant);
    if grant.record.app != client.app.id {
        exchange.trace.decide("refresh token's client", "it was given to another client", false);
        return Err(refuse("it was given to another client"));
    }
    Ok((grant, token.generation))
}

async fn found(exchange: &Exchange<'_>, grant: GrantId) -> Result<Grant, OAuthError> {
    let found = exchange.services.grants.find(exchange.tenant.id, grant, None, exchange.now).await?;
    found.ok_or_else(|| refuse("its grant is gone"))
}

async fn permitted(exchange: &Exchange<'_>, client: &AuthenticatedClient, grant: &Grant) -> Result<Permit, OAuthError> {
    let gate = exchange.services.gate.grant(exchange.tenant, &client.app, grant).await;
    gate.map_err(|refusal| OAuthError::gate(refusal, |cause| refuse(&cause)))
}

/// Moves the family on, and gives back the generation of the token that leaves.
async fn rotated(
    exchange: &mut Exchange<'_>,
    client: &AuthenticatedClient,
    (grant, changed): (&Grant, Option<Box<GrantRecord>>),
    presented: i64,
) -> Result<i64, OAuthError> {
    let (services, settings) = (exchange.services, client.settings.refresh_token);
    let rotation = Rotation {
        grant: grant.id,
        presented,
        rotate: true,
        grace: settings.grace,
        idle: settings.idle,
        changed,
        now: exchange.now,
    };
    match services.grants.rotate(exchange.tenant.id, rotation).await? {
        Rotated::To { generation } => Ok(generation),
        Rotated::Again { generation } => {
            exchange.trace.decide("rotation", "the same successor again, within the grace", true);
            Ok(generation)
        }
        Rotated::Reused => {
            services.counters.refresh_reused();
            let cause = "the token was rotated before and its grace is over: the family is revoked";
            exchange.trace.decide("rotation (RFC 9700 4.14.2)", cause, false);
            Err(refuse(cause))
        }
        Rotated::Gone => Err(refuse("the refresh family ended meanwhile")),
    }
}

fn check_lifetimes(exchange: &mut Exchange<'_>, grant: &Grant) -> Result<(), OAuthError> {
    let cause = match grant.refresh {
        None => "the grant has no refresh family".to_owned(),
        Some(family) if exchange.now >= family.absolute_expires => {
            format!("the refresh family ended at {}", family.absolute_expires.rfc3339())
        }
        Some(family) if exchange.now >= family.idle_expires => {
            format!("the refresh token was not used until {}", family.idle_expires.rfc3339())
        }
        Some(_) => return Ok(()),
    };
    exchange.trace.decide("refresh lifetime", cause.clone(), false);
    Err(OAuthError::invalid_grant(BAD_TOKEN, cause))
}

/// Whether the rotation would take the token, as the grant was just read. One that comes back late asks no
/// upstream: reuse ends the family at once, whatever the upstream says or doesn't.
fn is_current(grant: &Grant, presented: i64, client: &AuthenticatedClient, exchange: &Exchange<'_>) -> bool {
    grant.refresh.is_some_and(|family| {
        let retry = presented + 1 == family.generation
            && exchange.now.since(family.rotated) < client.settings.refresh_token.grace;
        presented == family.generation || retry
    })
}

/// Where the connection wants it, the person must still be welcome at the upstream. Gives back whether that took time.
async fn ask_upstream(exchange: &mut Exchange<'_>, grant: &Grant) -> Result<bool, OAuthError> {
    let (revalidator, tenant) = (&exchange.services.revalidator, exchange.tenant);
    match revalidator.revalidate(tenant, grant, exchange.now, exchange.trace).await {
        Valid::Yes { waited } => Ok(waited),
        Valid::No(cause) => Err(OAuthError::invalid_grant(BAD_TOKEN, cause)),
        Valid::Later(cause) => Err(OAuthError::unavailable(cause)),
    }
}

/// Whether a grant of this scope has refresh tokens at this client (OpenID Connect Core 11).
pub(crate) fn may_refresh(settings: &ClientSettings, scope: &[String]) -> bool {
    settings.may_use(GrantType::RefreshToken) && scope.iter().any(|scope| scope == "offline_access")
}

/// What is left of the grant's scope is a ceiling: a request may ask for less, never for more.
fn narrowed(ceiling: Vec<String>, asked: Option<Vec<String>>) -> Result<Vec<String>, OAuthError> {
    let Some(asked) = asked else { return Ok(ceiling) };
    if asked.is_empty() || asked.iter().any(|scope| !ceiling.contains(scope)) {
        let public = "A refresh can't ask for a scope that the login was not given, or that the client has lost since.";
        return Err(OAuthError::invalid_scope(public));
    }
    Ok(asked)
}
