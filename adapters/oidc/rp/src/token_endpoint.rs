//! The token endpoint (RFC 6749 sections 4.1.3 and 5, OpenID Connect Core 3.1.3).

use std::time::Duration;

use fedbridge_contract::config::Tenant;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use fedbridge_oidc_core::strict_json;
use serde_json::{Map, Value};

use crate::checks::{Checked, refuse, require};
use crate::claims;
use crate::metadata::Provider;
use crate::party::RelyingParty;
use crate::provider_call::{self, Endpoint};

pub use crate::provider_call::CallRefused as TokenRefused;

/// The longest lifetime that is believed, in seconds.
const MAX_EXPIRES_IN: i64 = 365 * 86_400;

/// What a token endpoint gave, in its form; the tokens themselves are not checked.
pub struct TokenResponse {
    pub id_token: Option<String>,
    pub access_token: Option<String>,
    pub refresh_token: Option<String>,
    pub access_expires: Option<Timestamp>,
}

/// One grant at the token endpoint.
///
/// # Errors
/// As [`provider_call::call`].
pub async fn call(
    party: &RelyingParty,
    provider: &Provider,
    tenant: &Tenant,
    form: &[(&str, String)],
    now: Timestamp,
    trace: &mut TraceLog,
) -> Result<Vec<u8>, TokenRefused> {
    let endpoint =
        Endpoint { name: "token endpoint", url: &provider.token_endpoint, source: "RFC 6749 5.1", status: 200 };
    provider_call::call(party, tenant, endpoint, form, now, trace).await
}

impl TokenResponse {
    /// Reads an answer of success that [`call`] gave.
    pub fn read(body: &[u8], now: Timestamp, trace: &mut TraceLog) -> Checked<Self> {
        let source = "RFC 6749 5.1";
        let Ok(members) = strict_json::object(body) else {
            return refuse(trace, "token endpoint: JSON", source, "a JSON object", "something else");
        };
        let mut text = |name: &str| member(&members, name, trace);
        let (access_token, refresh_token) = (text("access_token")?, text("refresh_token")?);
        let token_type = text("token_type")?;
        if access_token.is_some() {
            let bearer = token_type.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("bearer"));
            let actual = token_type.unwrap_or_else(|| "none".to_owned());
            require(trace, "token endpoint: token_type", "RFC 6749 7.1", "Bearer", actual, bearer)?;
        }
        let id_token = match claims::text(&members, "id_token") {
            Ok(token) => token.filter(|token| !token.is_empty()).map(str::to_owned),
            Err(why) => {
                return refuse(trace, "an ID token came", "OpenID Connect Core 3.1.3.3", "a text", why.to_string());
            }
        };
        let access_expires = access_token.as_ref().and(lifetime(&members)).map(|lifetime| now + lifetime);
        Ok(Self { id_token, access_token, refresh_token, access_expires })
    }
}

fn member(members: &Map<String, Value>, name: &str, trace: &mut TraceLog) -> Checked<Option<String>> {
    match claims::text(members, name) {
        Ok(text) => Ok(text.filter(|text| !text.is_empty()).map(str::to_owned)),
        Err(why) => refuse(trace, &format!("token endpoint: {name}"), "RFC 6749 5.1", "a text", why.to_string()),
    }
}

/// How long the access token lasts. It is only a hint for us, so what can't be read is not believed.
fn lifetime(members: &Map<String, Value>) -> Option<Duration> {
    let seconds = match members.get("expires_in")? {
        // Some providers write the number as a text.
        Value::String(text) => text.parse().ok()?,
        value => value.as_i64()?,
    };
    let believed = (0..=MAX_EXPIRES_IN).contains(&seconds);
    u64::try_from(seconds).ok().filter(|_| believed).map(Duration::from_secs)
}
