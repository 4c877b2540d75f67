//! New key pairs for a tenant.

use fedbridge_contract::ids::{ConnectionId, TenantId};
use fedbridge_contract::keys::{KeyPurpose, KeyState, SignatureAlgorithm};
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::Sealer;
use fedbridge_hub::spec::StoredKey;
use openssl::ec::{EcGroup, EcKey};
use openssl::error::ErrorStack;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;

use crate::certificate::self_signed;
use crate::jwk::PublicJwk;

const RSA_BITS: u32 = 2048;

/// openssl could not make a key. The text names no key material.
#[derive(Debug, Clone, thiserror::Error)]
#[error("openssl could not make a key: {0}")]
pub struct GenerateError(#[from] ErrorStack);

/// Whose key it is: the slug becomes the certificate's common name.
#[derive(Debug, Clone, Copy)]
pub struct TenantName<'a> {
    pub id: TenantId,
    pub slug: &'a str,
}

/// The keys of a new tenant: what signs at once, and what is published ahead of the first rotation.
///
/// # Errors
/// openssl failed.
pub fn initial_keys(
    tenant: TenantName<'_>,
    now: Timestamp,
    sealer: &dyn Sealer,
) -> Result<Vec<StoredKey>, GenerateError> {
    use KeyPurpose::{Oidc, SamlDecryption, SamlSigning};
    use KeyState::{Active, Next};
    use SignatureAlgorithm::{ES256, RS256};
    [
        (Oidc, ES256, Active),
        (Oidc, ES256, Next),
        (Oidc, RS256, Active),
        (Oidc, RS256, Next),
        (SamlSigning, RS256, Active),
        (SamlSigning, RS256, Next),
        (SamlDecryption, RS256, Active),
    ]
    .into_iter()
    .map(|(purpose, algorithm, state)| generate_key(tenant, purpose, algorithm, state, now, sealer))
    .collect()
}

/// The keys with which one connection authenticates at its provider: what signs at once, and what is published
/// ahead of the first rotation.
///
/// # Errors
/// openssl failed.
pub fn client_keys(
    tenant: TenantName<'_>,
    connection: ConnectionId,
    algorithm: SignatureAlgorithm,
    now: Timestamp,
    sealer: &dyn Sealer,
) -> Result<Vec<StoredKey>, GenerateError> {
    let make = |state| {
        let key = generate_key(tenant, KeyPurpose::OidcClient, algorithm, state, now, sealer)?;
        Ok(StoredKey { connection: Some(connection), ..key })
    };
    [KeyState::Active, KeyState::Next].into_iter().map(make).collect()
}

/// Makes a key pair; SAML keys come with a certificate. The `kid` is the thumbprint of RFC 7638.
///
/// A decryption key is an RSA key; `algorithm` then only says so.
///
/// # Errors
/// openssl failed.
pub fn generate_key(
    tenant: TenantName<'_>,
    purpose: KeyPurpose,
    algorithm: SignatureAlgorithm,
    state: KeyState,
    now: Timestamp,
    sealer: &dyn Sealer,
) -> Result<StoredKey, GenerateError> {
    let key = key_pair(algorithm)?;
    let (kid, public_jwk) = PublicJwk::describe(&key, purpose, algorithm)?;
    let certificate = match purpose.is_saml() {
        true => Some(self_signed(&key, purpose, tenant.slug, now)?),
        false => None,
    };
    let sealed_private = sealer.seal(&key_place(tenant.id, &kid), &key.private_key_to_pkcs8()?);
    Ok(StoredKey {
        tenant: tenant.id,
        kid,
        purpose,
        connection: None,
        algorithm,
        state,
        created: now,
        changed: now,
        sealed_private,
        public_jwk,
        certificate,
    })
}

/// The place that a private key is sealed for.
pub(crate) fn key_place(tenant: TenantId, kid: &str) -> Vec<u8> {
    format!("{tenant}/key/{kid}").into_bytes()
}

fn key_pair(algorithm: SignatureAlgorithm) -> Result<PKey<Private>, ErrorStack> {
    match algorithm {
        SignatureAlgorithm::ES256 => {
            let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
            PKey::from_ec_key(EcKey::generate(&group)?)
        }
        SignatureAlgorithm::RS256 | SignatureAlgorithm::PS256 => PKey::from_rsa(Rsa::generate(RSA_BITS)?),
        SignatureAlgorithm::EdDSA => PKey::generate_ed25519(),
    }
}
