//! An access token that is good right now: genuine, unexpired, not revoked, and let
//! through by the gate, which looks at the standing of token and grant. One statement at the store.

use std::sync::Arc;

use fedbridge_contract::config::App;
use fedbridge_contract::grant::Grant;
use fedbridge_contract::ids::AppId;
use fedbridge_contract::services::GateRefusal;

use super::access_token::{self, Holder, VerifiedAccessToken};
use super::current::{NotCurrent, brought_up_to_date};
use super::error::OAuthError;
use super::exchange::Exchange;
use super::settings::ClientSettings;

/// Only [`find`] makes one.
pub(crate) struct LiveToken {
    pub(crate) token: VerifiedAccessToken,
    /// The token's scope, without what its client may not have any more.
    pub(crate) scope: Vec<String>,
    pub(crate) app: Arc<App>,
    pub(crate) settings: Arc<ClientSettings>,
    /// `None` for an app acting for itself.
    pub(crate) grant: Option<Grant>,
}

/// Why a token is not good now.
pub(crate) enum NotLive {
    /// Whatever the reason, the token is worth nothing.
    No(String),
    /// The store could not say, or has not been heard for too long.
    Unknown(OAuthError),
}

impl From<fedbridge_contract::error::StoreError> for NotLive {
    fn from(error: fedbridge_contract::error::StoreError) -> Self {
        Self::Unknown(error.into())
    }
}

impl From<NotCurrent> for NotLive {
    fn from(why: NotCurrent) -> Self {
        match why {
            NotCurrent::Denied(cause) => Self::No(cause),
            NotCurrent::Unknown(cause) => Self::Unknown(OAuthError::unavailable(cause)),
        }
    }
}

impl From<GateRefusal> for NotLive {
    fn from(refusal: GateRefusal) -> Self {
        match refusal {
            GateRefusal::Unsure => Self::Unknown(OAuthError::unavailable(refusal.to_string())),
            _ => Self::No(refusal.to_string()),
        }
    }
}

fn no(cause: &str) -> NotLive {
    NotLive::No(cause.to_owned())
}

pub(crate) async fn find(exchange: &mut Exchange<'_>, presented: &str) -> Result<LiveToken, NotLive> {
    let services = exchange.services;
    let token = access_token::verify(exchange.tenant, services.tokens.as_ref(), presented, exchange.now)
        .map_err(|refused| NotLive::No(refused.to_string()))?;
    match token.holder {
        Holder::Grant { grant, app } => {
            if let Some(app) = app {
                // Where the database is silent, this says so, and nobody waits for the rows.
                let (app, _) = app_of(exchange, app)?;
                services.gate.app(exchange.tenant, &app).await?;
            }
            let found = services.grants.find(exchange.tenant.id, grant, Some(&token.jti), exchange.now).await?;
            let grant = found.ok_or_else(|| no("the token's grant is gone"))?;
            if app.is_some_and(|app| app != grant.record.app) {
                return Err(no("the token and its grant name different clients"));
            }
            let (app, settings) = app_of(exchange, grant.record.app)?;
            exchange.person = Some(grant.record.sub.clone());
            exchange.connection = Some(grant.record.connection);
            services.gate.grant(exchange.tenant, &app, &grant).await?;
            let grant = brought_up_to_date(exchange, grant).await?;
            Ok(LiveToken { scope: scope_now(&token, &settings), token, app, settings, grant: Some(grant) })
        }
        Holder::App { app, epoch } => {
            let (app, settings) = app_of(exchange, app)?;
            services.gate.app_token(exchange.tenant, &app, epoch).await?;
            if services.grants.token_revoked(exchange.tenant.id, &token.jti).await? {
                return Err(no("the token was revoked"));
            }
            Ok(LiveToken { scope: scope_now(&token, &settings), token, app, settings, grant: None })
        }
    }
}

fn scope_now(token: &VerifiedAccessToken, settings: &ClientSettings) -> Vec<String> {
    settings.remaining(token.scope.split(' '))
}

fn app_of(exchange: &mut Exchange<'_>, id: AppId) -> Result<(Arc<App>, Arc<ClientSettings>), NotLive> {
    let app = exchange.tenant.app_by_id(id).ok_or_else(|| no("the token's client is gone"))?;
    if exchange.app.is_none() {
        exchange.app = Some(id);
    }
    let settings = ClientSettings::of(app).map_err(|_| no("the client's stored settings do not read any more"))?;
    Ok((Arc::clone(app), settings))
}
