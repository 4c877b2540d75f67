//! Signed request objects (RFC 9101): nobody between us and the provider can change what we ask for.

use std::time::Duration;

use fedbridge_contract::config::Tenant;
use fedbridge_contract::services::random_text;
use fedbridge_contract::time::Timestamp;
use fedbridge_oidc_core::jws::{self, JwtType};
use serde_json::{Map, Value};

use crate::party::RelyingParty;
use crate::request::Parameters;

/// How long a request object lives: the provider reads it when the browser arrives.
const LIFE: Duration = Duration::from_secs(300);

/// Parameters that OpenID Connect wants to see outside too, with the same values (Core 6.1).
const OUTSIDE: &[&str] = &["response_type", "client_id", "scope"];

/// The parameters with all of them inside one signed JWT.
///
/// # Errors
/// One clause: there is no key to sign with.
pub fn sign(
    party: &RelyingParty,
    tenant: &Tenant,
    parameters: &Parameters,
    now: Timestamp,
) -> Result<Parameters, String> {
    let signer = tenant.keys.client_signer(party.connection);
    let signer = signer.ok_or("the connection has no key to sign requests with; `fedbridge apply` makes one")?;
    let mut claims: Map<String, Value> =
        parameters.iter().map(|(name, value)| (name.clone(), typed(name, value))).collect();
    let own = [
        ("iss", Value::from(party.settings.client_id.as_str())),
        ("aud", party.settings.issuer.as_str().into()),
        ("jti", random_text::<16>(party.services.rng.as_ref()).into()),
        ("iat", now.seconds().into()),
        ("nbf", now.seconds().into()),
        ("exp", (now + LIFE).seconds().into()),
    ];
    claims.extend(own.map(|(name, value)| (name.to_owned(), value)));
    let request = jws::sign(signer.as_ref(), JwtType::RequestObject, &claims).map_err(|error| error.to_string())?;
    let outside = parameters.iter().filter(|(name, _)| OUTSIDE.contains(&name.as_str())).cloned();
    Ok(outside.chain([("request".to_owned(), request)]).collect())
}

/// Inside a JWT, numbers are numbers and JSON is JSON (OpenID Connect Core 6.1).
fn typed(name: &str, value: &str) -> Value {
    let read = match name {
        "max_age" => value.parse::<u64>().ok().map(Value::from),
        "claims" => serde_json::from_str(value).ok(),
        _ => None,
    };
    read.unwrap_or_else(|| value.into())
}
