//! ID tokens (OpenID Connect Core 2), and hints that are ID tokens of ours.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fedbridge_contract::config::{App, AppKind, Tenant};
use fedbridge_contract::grant::Grant;
use fedbridge_contract::ids::{AppId, SessionId};
use fedbridge_contract::keys::{KeyError, SignatureAlgorithm};
use fedbridge_contract::proof::Permit;
use fedbridge_contract::time::Timestamp;
use fedbridge_oidc_core::hash::sha256;
use fedbridge_oidc_core::jws::{self, JwtType};
use serde::Serialize;

use super::jwt::{self, JwtRefused};
use super::lifetime;
use super::release::Released;
use super::settings::ClientSettings;

/// Seconds for which an ID token may be accepted. It says that a login happened; it is no pass.
const LIFETIME: i64 = 600;

/// What an ID token is made for.
pub(crate) struct Order<'a> {
    pub(crate) tenant: &'a Tenant,
    pub(crate) app: &'a App,
    pub(crate) settings: &'a ClientSettings,
    pub(crate) grant: &'a Grant,
    /// The scope of the access token beside it, which may be narrower than the grant's.
    pub(crate) scope: &'a [String],
    pub(crate) nonce: Option<&'a str>,
    pub(crate) access_token: &'a str,
    pub(crate) now: Timestamp,
}

/// Makes an ID token. Only with leave of the gate.
///
/// # Errors
/// The tenant has no active key of the client's algorithm, or it can't be used.
pub(crate) fn mint(order: &Order<'_>, _permit: &Permit) -> Result<String, KeyError> {
    let algorithm = order.settings.id_token_algorithm;
    let signer = order.tenant.keys.oidc_signer(algorithm).ok_or_else(|| KeyError {
        kid: "none".into(),
        cause: format!("the tenant has no active {} key", algorithm.name()),
    })?;
    let record = &order.grant.record;
    let issued = order.now.seconds();
    let connection = order.tenant.connection_by_id(record.connection);
    let claims = IdClaims {
        iss: &order.tenant.issuer,
        sub: &record.sub,
        aud: &order.app.name,
        exp: lifetime::capped(record, issued.saturating_add(LIFETIME)),
        iat: issued,
        auth_time: record.auth_time.seconds(),
        nonce: order.nonce,
        at_hash: &at_hash(algorithm, order.access_token),
        sid: &record.session.to_string(),
        idp: connection.map(|connection| connection.slug.as_str()),
        acr: record.acr.as_deref(),
        amr: &record.amr,
        released: Released { record, scope: order.scope, registered: &order.settings.scopes },
    };
    jws::sign(signer.as_ref(), JwtType::Id, &claims)
}

/// OpenID Connect Core 2 and 5.1, borrowed from where they are.
#[derive(Serialize)]
struct IdClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    exp: i64,
    iat: i64,
    auth_time: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    nonce: Option<&'a str>,
    at_hash: &'a str,
    sid: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    idp: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    acr: Option<&'a str>,
    amr: &'a [String],
    #[serde(flatten)]
    released: Released<'a>,
}

/// The left half of the digest that goes with the algorithm (OpenID Connect Core 3.1.3.6).
fn at_hash(algorithm: SignatureAlgorithm, access_token: &str) -> String {
    let message = access_token.as_bytes();
    match algorithm {
        SignatureAlgorithm::EdDSA => URL_SAFE_NO_PAD.encode(&openssl::sha::sha512(message)[..32]),
        _ => URL_SAFE_NO_PAD.encode(&sha256(message)[..16]),
    }
}

/// An ID token of this tenant that came back as a hint. It may have expired. Only
/// [`verify_hint`] makes one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct VerifiedHint {
    pub(crate) app: AppId,
    pub(crate) client_id: String,
    pub(crate) sub: String,
    pub(crate) session: Option<SessionId>,
}

/// Checks an `id_token_hint`: signature, kind and issuer, not its age (OpenID Connect Core
/// 3.1.2.1, RP-Initiated Logout 1.0 section 2).
pub(crate) fn verify_hint(tenant: &Tenant, token: &str) -> Result<VerifiedHint, JwtRefused> {
    let claims = jwt::verify(&tenant.keys, JwtType::Id, token)?;
    if claims.text("iss") != Some(&tenant.issuer) {
        return Err(JwtRefused::Issuer);
    }
    let client_id = claims.text("aud").ok_or(JwtRefused::Incomplete)?;
    let app = tenant.app(AppKind::OidcClient, client_id).ok_or(JwtRefused::Incomplete)?;
    Ok(VerifiedHint {
        app: app.id,
        client_id: client_id.to_owned(),
        sub: claims.text("sub").ok_or(JwtRefused::Incomplete)?.to_owned(),
        session: claims.text("sid").and_then(|sid| sid.parse().ok()),
    })
}
