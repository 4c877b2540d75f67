//! Refresh tokens. A token is the grant's id, its generation, and a MAC over both, so
//! the same successor can be given twice while the store keeps nothing secret.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fedbridge_contract::ids::{GrantId, TenantId};
use fedbridge_contract::proof::Permit;
use fedbridge_contract::services::TokenSecrets;
use openssl::memcmp;
use uuid::Uuid;

const PURPOSE: &str = "oidc.refresh_token";
const PREFIX: &str = "fbr_";
const MESSAGE: usize = 16 + 8;
const MAC: usize = 32;

/// A refresh token that this installation made for this tenant. Only [`verify`] makes one.
/// Whether it is still good is the store's to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct VerifiedRefreshToken {
    pub(crate) grant: GrantId,
    pub(crate) generation: i64,
}

/// Makes the token of a generation. Only with leave of the gate.
pub(crate) fn mint(
    tenant: TenantId,
    secrets: &dyn TokenSecrets,
    grant: GrantId,
    generation: i64,
    _permit: &Permit,
) -> String {
    let mut bytes = [0_u8; MESSAGE + MAC];
    bytes[..16].copy_from_slice(grant.uuid().as_bytes());
    bytes[16..MESSAGE].copy_from_slice(&generation.to_be_bytes());
    let mac = secrets.mac(tenant, PURPOSE, &bytes[..MESSAGE]);
    bytes[MESSAGE..].copy_from_slice(&mac);
    let mut token = String::from(PREFIX);
    URL_SAFE_NO_PAD.encode_string(bytes, &mut token);
    token
}

/// Checks that a refresh token is one of ours, in constant time.
pub(crate) fn verify(tenant: TenantId, secrets: &dyn TokenSecrets, token: &str) -> Option<VerifiedRefreshToken> {
    let encoded = token.strip_prefix(PREFIX).filter(|encoded| encoded.len() <= 100)?;
    let bytes = URL_SAFE_NO_PAD.decode(encoded).ok().filter(|bytes| bytes.len() == MESSAGE + MAC)?;
    let (message, mac) = bytes.split_at(MESSAGE);
    if !memcmp::eq(&secrets.mac(tenant, PURPOSE, message), mac) {
        return None;
    }
    let grant = GrantId::from_uuid(Uuid::from_slice(&message[..16]).ok()?);
    let generation = i64::from_be_bytes(message[16..].try_into().ok()?);
    (generation >= 1).then_some(VerifiedRefreshToken { grant, generation })
}
