//! A grant as it is now: its claims may have changed since the login, where a directory pushes the person.

use fedbridge_contract::current::Current;
use fedbridge_contract::grant::Grant;

use super::error::OAuthError;
use super::exchange::Exchange;

/// Why nothing more comes of a grant, or nothing now.
pub(crate) enum NotCurrent {
    /// It is revoked.
    Denied(String),
    Unknown(String),
}

impl NotCurrent {
    /// At the token endpoint. `public` is for whoever showed the code or token.
    pub(crate) fn answer(self, public: &'static str) -> OAuthError {
        match self {
            Self::Denied(cause) => OAuthError::invalid_grant(public, cause),
            Self::Unknown(cause) => OAuthError::unavailable(cause),
        }
    }
}

/// # Errors
/// [`NotCurrent`].
pub(crate) async fn brought_up_to_date(exchange: &mut Exchange<'_>, mut grant: Grant) -> Result<Grant, NotCurrent> {
    let (services, tenant) = (exchange.services, exchange.tenant);
    match services.current_claims.current(tenant, &grant, exchange.now).await {
        Current::AsGranted => {}
        Current::Changed(claims) => {
            exchange.trace.decide("claims", "others than at the login: the person's directory has pushed them", true);
            grant.record.claims = claims;
        }
        Current::Denied(cause) => {
            exchange.trace.decide("claims", format!("the rules keep the person out by now: {cause}"), false);
            let revoked = services.grants.revoke(tenant.id, grant.id, exchange.now).await;
            revoked.map_err(|error| NotCurrent::Unknown(error.to_string()))?;
            return Err(NotCurrent::Denied(cause));
        }
        Current::Unknown(cause) => return Err(NotCurrent::Unknown(cause)),
    }
    Ok(grant)
}
