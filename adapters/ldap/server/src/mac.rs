//! HMAC-SHA-256 (RFC 2104) under a key of this process, over fields that can't run into each other.

use fedbridge_contract::services::Rng;
use openssl::sha::Sha256;

const BLOCK: usize = 64;

/// A key that no other process has, and that is gone with this one.
pub(crate) struct MacKey([u8; BLOCK]);

impl MacKey {
    pub(crate) fn random(rng: &dyn Rng) -> Self {
        let mut key = [0; BLOCK];
        rng.fill(&mut key[..32]);
        Self(key)
    }

    pub(crate) fn over(&self, fields: &[&[u8]]) -> [u8; 32] {
        let mut inner = Sha256::new();
        inner.update(&self.0.map(|octet| octet ^ 0x36));
        for field in fields {
            inner.update(&(field.len() as u64).to_be_bytes());
            inner.update(field);
        }
        let mut outer = Sha256::new();
        outer.update(&self.0.map(|octet| octet ^ 0x5c));
        outer.update(&inner.finish());
        outer.finish()
    }
}

#[cfg(test)]
mod tests {
    use openssl::hash::MessageDigest;
    use openssl::pkey::PKey;
    use openssl::sign::Signer;

    use super::*;

    #[test]
    fn is_what_openssl_says() {
        let mut block = [0; BLOCK];
        block[..32].copy_from_slice(&[7; 32]);
        let key = PKey::hmac(&[7; 32]).unwrap();
        let mut signer = Signer::new(MessageDigest::sha256(), &key).unwrap();
        signer.update(&[0, 0, 0, 0, 0, 0, 0, 2]).unwrap();
        signer.update(b"ab").unwrap();
        assert_eq!(MacKey(block).over(&[b"ab"]).to_vec(), signer.sign_to_vec().unwrap());
    }

    #[test]
    fn fields_have_borders() {
        let key = MacKey([1; BLOCK]);
        assert_ne!(key.over(&[b"ab", b"c"]), key.over(&[b"a", b"bc"]));
    }
}
