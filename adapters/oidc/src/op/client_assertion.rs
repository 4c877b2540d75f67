//! private_key_jwt (RFC 7523 section 3, with the audience rules of RFC 7523bis).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::time::Duration;

use fedbridge_contract::config::App;
use fedbridge_contract::keys::SignatureAlgorithm;
use fedbridge_contract::logout::Party;
use fedbridge_contract::time::Timestamp;
use fedbridge_oidc_core::jwk::PublicJwk;
use fedbridge_oidc_core::jws::{Accept, Parts, UnverifiedJws, VerifiedJws};
use fedbridge_oidc_core::strict_json;
use openssl::sha::Sha256;
use serde_json::{Map, Value};

use super::error::OAuthError;
use super::exchange::Exchange;
use super::remote::Remote;
use super::settings::ClientKeys;

/// Seconds that an assertion may still have to live.
const MAX_LIFE: i64 = 300;
/// Seconds by which the client's clock may differ.
const SKEW: i64 = 15;

/// Every algorithm that a client's key can have, and the kinds that RFC 7523 and its revision leave open.
const ACCEPT: Accept<'static> = Accept {
    algorithms: &[
        SignatureAlgorithm::ES256,
        SignatureAlgorithm::RS256,
        SignatureAlgorithm::PS256,
        SignatureAlgorithm::EdDSA,
    ],
    types: &["", "jwt", "client-authentication+jwt"],
};

pub(crate) struct Expected<'a> {
    pub(crate) app: &'a App,
    pub(crate) keys: &'a ClientKeys,
    pub(crate) token_endpoint_audience: bool,
}

/// Which client an assertion claims to be of. It only chooses the keys to check it with.
pub(crate) fn unverified_subject(assertion: &str) -> Option<String> {
    let claims = strict_json::object(&Parts::split(assertion)?.claims).ok()?;
    Some(claims.get("sub")?.as_str()?.to_owned())
}

/// Checks an assertion whole, and uses its `jti` up.
pub(crate) async fn check(
    exchange: &mut Exchange<'_>,
    remote: &Remote,
    expected: &Expected<'_>,
    assertion: &str,
) -> Result<(), OAuthError> {
    let outcome = examine(exchange, remote, expected, assertion).await;
    if let Err(refusal) = &outcome {
        exchange.trace.decide("client assertion", refusal.cause.clone(), false);
    }
    outcome
}

async fn examine(
    exchange: &Exchange<'_>,
    remote: &Remote,
    expected: &Expected<'_>,
    assertion: &str,
) -> Result<(), OAuthError> {
    let refuse = |cause: &str| OAuthError::invalid_client(format!("client assertion: {cause}"));
    let unverified = UnverifiedJws::read(assertion, &ACCEPT).map_err(|refused| refuse(&refused.to_string()))?;
    let verified = match expected.keys {
        ClientKeys::Registered(keys) => unverified.verify(keys),
        ClientKeys::At(url) => {
            let egress = exchange.services.egress_to(exchange.tenant, Party::App(expected.app.id));
            let found = |keys: &[PublicJwk]| unverified.finds(keys);
            let keys = remote.keys(egress.as_ref(), url, exchange.now, found).await.map_err(|cause| refuse(&cause))?;
            unverified.verify(&keys)
        }
    };
    let VerifiedJws { claims, .. } = verified.map_err(|refused| refuse(&refused.to_string()))?;
    let expires = check_claims(exchange, expected, &claims).map_err(refuse)?;
    let jti = claims.get("jti").and_then(Value::as_str).filter(|jti| !jti.is_empty());
    let jti = jti.ok_or_else(|| refuse("it has no jti"))?;
    let key = once_key(&expected.app.name, jti);
    let grants = &exchange.services.grants;
    if grants.remember_once(exchange.tenant.id, "oidc.client_assertion", &key, expires).await? {
        Ok(())
    } else {
        Err(refuse("its jti was used before"))
    }
}

/// Gives back when the assertion can be forgotten.
fn check_claims(
    exchange: &Exchange<'_>,
    expected: &Expected<'_>,
    claims: &Map<String, Value>,
) -> Result<Timestamp, &'static str> {
    let text = |name: &str| claims.get(name).and_then(Value::as_str);
    let name = expected.app.name.as_str();
    if text("iss") != Some(name) || text("sub") != Some(name) {
        return Err("its iss and sub are not both the client_id");
    }
    check_audience(exchange, expected, claims.get("aud"))?;
    let time = |name: &str| match claims.get(name) {
        None => Ok(None),
        Some(value) => value.as_i64().or_else(|| value.as_f64().map(|seconds| seconds as i64)).map(Some).ok_or(()),
    };
    let now = exchange.now.seconds();
    let expires = time("exp").ok().flatten().ok_or("it has no exp")?;
    if expires <= now - SKEW {
        return Err("it has expired");
    }
    if expires > now + MAX_LIFE + SKEW {
        return Err("its exp is more than 5 minutes ahead");
    }
    for name in ["nbf", "iat"] {
        if time(name).map_err(|()| "its nbf or iat is not a number")?.is_some_and(|at| at > now + SKEW) {
            return Err("it is not valid yet (nbf or iat)");
        }
    }
    Ok(Timestamp::from_seconds(expires) + Duration::from_secs(SKEW.unsigned_abs() + 1))
}

/// The issuer as the only text: an assertion that names several servers can be passed on from
/// one to another (RFC 7523bis).
fn check_audience(
    exchange: &Exchange<'_>,
    expected: &Expected<'_>,
    audience: Option<&Value>,
) -> Result<(), &'static str> {
    let issuer = exchange.tenant.issuer.as_str();
    if !expected.token_endpoint_audience {
        let good = audience.and_then(Value::as_str) == Some(issuer);
        return if good { Ok(()) } else { Err("its aud is not the issuer as a single text") };
    }
    let only = match audience {
        Some(Value::Array(items)) if items.len() == 1 => items[0].as_str(),
        Some(Value::String(text)) => Some(text.as_str()),
        _ => None,
    };
    let good = only.is_some_and(|text| text == issuer || text.strip_prefix(issuer) == Some("/token"));
    if good { Ok(()) } else { Err("its aud is neither the issuer nor the token endpoint") }
}

/// Of fixed length, whatever the client chose.
fn once_key(client: &str, jti: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(client.as_bytes());
    hash.update(&[0]);
    hash.update(jti.as_bytes());
    URL_SAFE_NO_PAD.encode(hash.finish())
}
