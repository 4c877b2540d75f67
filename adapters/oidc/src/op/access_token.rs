//! Access tokens: signed (RFC 9068) or opaque. Neither needs a row in the store:
//! both carry the grant they belong to, and what could stop them is read with it.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fedbridge_contract::config::{App, AppKind, Tenant};
use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::grant::Grant;
use fedbridge_contract::ids::{AppId, GrantId};
use fedbridge_contract::keys::{KeyError, SignatureAlgorithm, Signer};
use fedbridge_contract::proof::Permit;
use fedbridge_contract::services::{Rng, TokenSecrets};
use fedbridge_contract::time::Timestamp;
use fedbridge_oidc_core::jws::{self, JwtType};
use openssl::memcmp;
use serde::Serialize;
use uuid::Uuid;

use super::authn_claims::AuthnClaims;
use super::jwt::{self, JwtRefused};
use super::lifetime;
use super::settings::{ClientSettings, TokenFormat};

const PURPOSE: &str = "oidc.access_token";
const PREFIX: &str = "fba_";

/// What an access token is made for.
pub(crate) struct Order<'a> {
    pub(crate) tenant: &'a Tenant,
    pub(crate) app: &'a App,
    pub(crate) settings: &'a ClientSettings,
    pub(crate) whose: Whose<'a>,
    pub(crate) scope: &'a [String],
    pub(crate) now: Timestamp,
}

/// For whom the token will speak.
#[derive(Clone, Copy)]
pub(crate) enum Whose<'a> {
    /// A person.
    Grant(&'a Grant),
    /// The app itself, in the epoch that the gate says now.
    App(Epoch),
}

impl<'a> Whose<'a> {
    const fn grant(self) -> Option<&'a Grant> {
        match self {
            Self::Grant(grant) => Some(grant),
            Self::App(_) => None,
        }
    }

    const fn root(self) -> Root {
        match self {
            Self::Grant(grant) => Root::Grant(grant.id),
            Self::App(epoch) => Root::Epoch(epoch),
        }
    }
}

pub(crate) struct Minted {
    pub(crate) token: String,
    /// Seconds.
    pub(crate) expires_in: i64,
}

/// Makes an access token. Only with leave of the gate.
///
/// # Errors
/// The signing key can't be used.
pub(crate) fn mint(
    order: &Order<'_>,
    rng: &dyn Rng,
    secrets: &dyn TokenSecrets,
    _permit: &Permit,
) -> Result<Minted, KeyError> {
    let lifetime = i64::try_from(order.settings.access_token.lifetime.as_secs()).unwrap_or(i64::MAX).max(1);
    let issued = order.now.seconds();
    let own = issued.saturating_add(lifetime);
    let expires = order.whose.grant().map_or(own, |grant| lifetime::capped(&grant.record, own));
    let expires_in = expires.saturating_sub(issued);
    let facts = Facts { issued, expires, nonce: nonce(rng) };
    let token = match order.settings.access_token.format {
        TokenFormat::Jwt => signed(order, &facts)?,
        TokenFormat::Opaque => opaque(order, &facts, secrets),
    };
    Ok(Minted { token, expires_in })
}

struct Facts {
    issued: i64,
    expires: i64,
    nonce: [u8; NONCE],
}

const EPOCH: usize = 8;
const NONCE: usize = 12;

fn nonce(rng: &dyn Rng) -> [u8; NONCE] {
    let mut nonce = [0; NONCE];
    rng.fill(&mut nonce);
    nonce
}

/// What a token hangs on: it is the beginning of its `jti`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Root {
    Grant(GrantId),
    /// An app acting for itself.
    Epoch(Epoch),
}

/// The grant's id, or the epoch, and random octets: 38 or 27 characters.
fn jti(root: Root, nonce: &[u8; NONCE]) -> String {
    let mut bytes = Vec::with_capacity(16 + NONCE);
    match root {
        Root::Grant(grant) => bytes.extend_from_slice(grant.uuid().as_bytes()),
        Root::Epoch(epoch) => bytes.extend_from_slice(&epoch.0.to_be_bytes()),
    }
    bytes.extend_from_slice(nonce);
    URL_SAFE_NO_PAD.encode(bytes)
}

fn root_of_jti(jti: &str) -> Result<Root, JwtRefused> {
    let bytes = URL_SAFE_NO_PAD.decode(jti).map_err(|_| JwtRefused::Incomplete)?;
    let root = bytes.len().checked_sub(NONCE).and_then(|end| bytes.get(..end)).ok_or(JwtRefused::Incomplete)?;
    match root.len() {
        // From before there were kills: random octets alone.
        0 => Ok(Root::Epoch(Epoch::default())),
        EPOCH => root.try_into().map(|octets| Root::Epoch(Epoch(i64::from_be_bytes(octets)))),
        16 => root.try_into().map(|octets| Root::Grant(GrantId::from_uuid(Uuid::from_bytes(octets)))),
        _ => return Err(JwtRefused::Incomplete),
    }
    .map_err(|_| JwtRefused::Incomplete)
}

// ---- signed ----

/// RFC 9068 section 2.2.
#[derive(Serialize)]
struct AccessClaims<'a> {
    iss: &'a str,
    sub: &'a str,
    aud: &'a str,
    client_id: &'a str,
    exp: i64,
    iat: i64,
    jti: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: &'a str,
    #[serde(flatten)]
    authn: AuthnClaims<'a>,
}

fn signed(order: &Order<'_>, facts: &Facts) -> Result<String, KeyError> {
    let record = order.whose.grant().map(|grant| &grant.record);
    let claims = AccessClaims {
        iss: &order.tenant.issuer,
        sub: record.map_or(&order.app.name, |record| &record.sub),
        aud: audience(order.tenant, order.settings),
        client_id: &order.app.name,
        exp: facts.expires,
        iat: facts.issued,
        jti: &jti(order.whose.root(), &facts.nonce),
        scope: &order.scope.join(" "),
        authn: AuthnClaims::of(record),
    };
    jws::sign(signer(order.tenant, order.settings)?.as_ref(), JwtType::Access, &claims)
}

fn audience<'a>(tenant: &'a Tenant, settings: &'a ClientSettings) -> &'a str {
    settings.access_token.audience.as_deref().unwrap_or(&tenant.issuer)
}

/// The key for access tokens: the algorithm that was set, else ES256, else any that is there.
fn signer<'a>(tenant: &'a Tenant, settings: &ClientSettings) -> Result<&'a Arc<dyn Signer>, KeyError> {
    use SignatureAlgorithm::{ES256, EdDSA, PS256, RS256};
    let key = match settings.access_token.algorithm {
        Some(algorithm) => tenant.keys.oidc_signer(algorithm),
        None => [ES256, EdDSA, PS256, RS256].into_iter().find_map(|algorithm| tenant.keys.oidc_signer(algorithm)),
    };
    key.ok_or_else(|| KeyError { kid: "none".into(), cause: "the tenant has no active key for access tokens".into() })
}

// ---- opaque ----
//
// base64url of: kind (1) | id (16) | issued (8) | expires (8) | nonce (12) | an app's epoch (8) | scope | MAC (32)

const HEAD: usize = 1 + 16 + 8 + 8 + NONCE;
const MAC: usize = 32;
const OF_GRANT: u8 = 1;
/// As they were before there were kills: without an epoch.
const OF_APP_BEFORE: u8 = 2;
const OF_APP: u8 = 3;

fn opaque(order: &Order<'_>, facts: &Facts, secrets: &dyn TokenSecrets) -> String {
    let (kind, id) = match order.whose {
        Whose::Grant(grant) => (OF_GRANT, grant.id.uuid()),
        Whose::App(_) => (OF_APP, order.app.id.uuid()),
    };
    let scope = order.scope.join(" ");
    let mut bytes = Vec::with_capacity(HEAD + EPOCH + scope.len() + MAC);
    bytes.push(kind);
    bytes.extend_from_slice(id.as_bytes());
    bytes.extend_from_slice(&facts.issued.to_be_bytes());
    bytes.extend_from_slice(&facts.expires.to_be_bytes());
    bytes.extend_from_slice(&facts.nonce);
    if let Whose::App(epoch) = order.whose {
        bytes.extend_from_slice(&epoch.0.to_be_bytes());
    }
    bytes.extend_from_slice(scope.as_bytes());
    let mac = secrets.mac(order.tenant.id, PURPOSE, &bytes);
    bytes.extend_from_slice(&mac);
    let mut token = String::from(PREFIX);
    URL_SAFE_NO_PAD.encode_string(&bytes, &mut token);
    token
}

// ---- checking ----

/// An access token of this tenant, genuine and unexpired. Only [`verify`] makes one. Whether
/// it was revoked, and whether its app and person are still welcome, is asked of the store
/// and the gate.
#[derive(Debug)]
pub(crate) struct VerifiedAccessToken {
    pub(crate) jti: String,
    pub(crate) holder: Holder,
    /// Scopes, with a space between each two, as they were when the token was made.
    pub(crate) scope: String,
    /// `None` means what the app's settings say now (opaque tokens).
    pub(crate) audience: Option<String>,
    pub(crate) issued: i64,
    pub(crate) expires: i64,
}

/// For whom the token speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holder {
    /// A person, by way of a grant. A signed token also names its app.
    Grant { grant: GrantId, app: Option<AppId> },
    /// The app itself.
    App { app: AppId, epoch: Epoch },
}

impl VerifiedAccessToken {
    pub(crate) fn audience<'a>(&'a self, tenant: &'a Tenant, settings: &'a ClientSettings) -> &'a str {
        self.audience.as_deref().unwrap_or_else(|| audience(tenant, settings))
    }
}

/// Checks an access token of either form.
pub(crate) fn verify(
    tenant: &Tenant,
    secrets: &dyn TokenSecrets,
    token: &str,
    now: Timestamp,
) -> Result<VerifiedAccessToken, JwtRefused> {
    let verified = match token.strip_prefix(PREFIX) {
        Some(encoded) => verify_opaque(tenant, secrets, encoded)?,
        None => verify_signed(tenant, token)?,
    };
    if now.seconds() >= verified.expires { Err(JwtRefused::Expired) } else { Ok(verified) }
}

fn verify_signed(tenant: &Tenant, token: &str) -> Result<VerifiedAccessToken, JwtRefused> {
    let claims = jwt::verify(&tenant.keys, JwtType::Access, token)?;
    if claims.text("iss") != Some(&tenant.issuer) {
        return Err(JwtRefused::Issuer);
    }
    let text = |name: &str| claims.text(name).ok_or(JwtRefused::Incomplete);
    let integer = |name: &str| claims.integer(name).ok_or(JwtRefused::Incomplete);
    let jti = text("jti")?.to_owned();
    // An app that is gone has no tokens.
    let app = tenant.app(AppKind::OidcClient, text("client_id")?).ok_or(JwtRefused::Incomplete)?.id;
    let holder = match root_of_jti(&jti)? {
        Root::Grant(grant) => Holder::Grant { grant, app: Some(app) },
        Root::Epoch(epoch) => Holder::App { app, epoch },
    };
    Ok(VerifiedAccessToken {
        jti,
        holder,
        scope: claims.text("scope").unwrap_or_default().to_owned(),
        audience: Some(text("aud")?.to_owned()),
        issued: integer("iat")?,
        expires: integer("exp")?,
    })
}

fn verify_opaque(
    tenant: &Tenant,
    secrets: &dyn TokenSecrets,
    encoded: &str,
) -> Result<VerifiedAccessToken, JwtRefused> {
    if encoded.len() > 8 * 1024 {
        return Err(JwtRefused::Shape);
    }
    let bytes = URL_SAFE_NO_PAD.decode(encoded).map_err(|_| JwtRefused::Shape)?;
    let split = bytes.len().checked_sub(MAC).filter(|&at| at >= HEAD).ok_or(JwtRefused::Shape)?;
    let (message, mac) = bytes.split_at(split);
    if !memcmp::eq(&secrets.mac(tenant.id, PURPOSE, message), mac) {
        return Err(JwtRefused::Signature);
    }
    let integer = |at: usize| {
        let octets = message.get(at..at + 8).and_then(|octets| octets.try_into().ok());
        octets.map(i64::from_be_bytes).ok_or(JwtRefused::Shape)
    };
    let id = Uuid::from_slice(&message[1..17]).map_err(|_| JwtRefused::Shape)?;
    let nonce: [u8; NONCE] = message[33..HEAD].try_into().map_err(|_| JwtRefused::Shape)?;
    let of_app = |epoch| (Holder::App { app: AppId::from_uuid(id), epoch }, Root::Epoch(epoch));
    let ((holder, root), scope) = match message[0] {
        OF_GRANT => {
            let grant = GrantId::from_uuid(id);
            ((Holder::Grant { grant, app: None }, Root::Grant(grant)), HEAD)
        }
        OF_APP_BEFORE => (of_app(Epoch::default()), HEAD),
        OF_APP => (of_app(Epoch(integer(HEAD)?)), HEAD + EPOCH),
        _ => return Err(JwtRefused::Shape),
    };
    let jti = match message[0] {
        OF_APP_BEFORE => URL_SAFE_NO_PAD.encode(nonce),
        _ => jti(root, &nonce),
    };
    Ok(VerifiedAccessToken {
        jti,
        holder,
        scope: std::str::from_utf8(&message[scope..]).map_err(|_| JwtRefused::Shape)?.to_owned(),
        audience: None,
        issued: integer(17)?,
        expires: integer(25)?,
    })
}
