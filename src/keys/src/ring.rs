//! From stored keys to a tenant's key ring.

use std::sync::Arc;

use fedbridge_contract::ids::ConnectionId;
use fedbridge_contract::keys::{DecryptionKey, KeyPurpose, KeyRing, KeyState, OidcDecryptionKey, SigningKey};
use fedbridge_hub::ports::{KeyOpener, Sealer};
use fedbridge_hub::spec::StoredKey;
use openssl::sha::sha256;

use crate::decrypter::OpensslDecrypter;
use crate::signer::OpensslSigner;

/// Builds key rings whose private keys are unsealed when they are first used.
pub struct OpensslKeyOpener {
    sealer: Arc<dyn Sealer>,
}

impl OpensslKeyOpener {
    pub fn new(sealer: Arc<dyn Sealer>) -> Self {
        Self { sealer }
    }

    fn signing_key(&self, key: &StoredKey) -> SigningKey {
        SigningKey {
            state: key.state,
            signer: Arc::new(OpensslSigner::new(key, Arc::clone(&self.sealer))),
            jwk: key.public_jwk.clone(),
            certificate: key.certificate.clone(),
        }
    }
}

impl KeyOpener for OpensslKeyOpener {
    fn digest(&self, octets: &[u8]) -> [u8; 32] {
        sha256(octets)
    }

    fn ring(&self, keys: &[StoredKey]) -> Result<Arc<KeyRing>, String> {
        let mut ring = KeyRing::default();
        for key in keys.iter().filter(|key| key.state != KeyState::Retired) {
            match (key.purpose, &key.certificate) {
                (KeyPurpose::Oidc, _) => ring.oidc.push(self.signing_key(key)),
                (KeyPurpose::OidcClient, _) => {
                    ring.oidc_client.push((of_connection(key)?, self.signing_key(key)));
                }
                (KeyPurpose::OidcDecryption, _) => {
                    let decrypter = Arc::new(OpensslDecrypter::new(key, Arc::clone(&self.sealer)));
                    let (state, jwk) = (key.state, key.public_jwk.clone());
                    ring.oidc_decryption.push((of_connection(key)?, OidcDecryptionKey { state, decrypter, jwk }));
                }
                (KeyPurpose::SamlSigning, Some(_)) => ring.saml_signing.push(self.signing_key(key)),
                (KeyPurpose::SamlDecryption, Some(certificate)) => ring.saml_decryption.push(DecryptionKey {
                    state: key.state,
                    decrypter: Arc::new(OpensslDecrypter::new(key, Arc::clone(&self.sealer))),
                    certificate: certificate.clone(),
                }),
                (KeyPurpose::SamlSigning | KeyPurpose::SamlDecryption, None) => {
                    return Err(format!("the SAML key {} has no certificate", key.kid));
                }
            }
        }
        Ok(Arc::new(ring))
    }
}

fn of_connection(key: &StoredKey) -> Result<ConnectionId, String> {
    key.connection.ok_or_else(|| format!("the key {} is for one connection, and does not say which", key.kid))
}
