//! Keyed hashing for tokens that can be derived again, such as refresh tokens.

use fedbridge_contract::ids::TenantId;
use fedbridge_contract::services::TokenSecrets;

use crate::hmac::Hmac;
use crate::master::MasterKey;

/// HMAC-SHA-256 under a key that is derived from the master key for this alone.
pub struct HmacTokenSecrets(Hmac);

impl HmacTokenSecrets {
    pub fn new(master: &MasterKey) -> Self {
        Self(master.derive(b"token secrets", b""))
    }
}

impl TokenSecrets for HmacTokenSecrets {
    fn mac(&self, tenant: TenantId, purpose: &str, message: &[u8]) -> [u8; 32] {
        // The length in front keeps the border between purpose and message where it is.
        let length = (purpose.len() as u64).to_be_bytes();
        self.0.mac(&[&length, purpose.as_bytes(), tenant.uuid().as_bytes(), message])
    }
}
