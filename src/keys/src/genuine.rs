//! Signatures that are known to be good, so that a token of ours that is shown again and
//! again is checked by a hash and not by public-key arithmetic.
//!
//! That a signature fits a message under one key never changes. Expiry and revocation are asked
//! elsewhere, each time. Only hashes are kept, and each key has its own.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use openssl::sha::Sha256;

/// Hashes of one generation; two are kept: some 1.5 MiB for a key in heavy use.
const GENERATION: usize = 8192;

/// See the module's text.
#[derive(Default)]
pub struct Genuine(Mutex<Generations>);

#[derive(Default)]
struct Generations {
    young: HashSet<[u8; 32]>,
    old: HashSet<[u8; 32]>,
}

impl Genuine {
    pub fn contains(&self, message: &[u8], signature: &[u8]) -> bool {
        let hash = hash(message, signature);
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.young.contains(&hash) || kept.old.contains(&hash)
    }

    /// Only for a signature that was made or checked just now.
    pub fn remember(&self, message: &[u8], signature: &[u8]) {
        let hash = hash(message, signature);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.young.len() >= GENERATION {
            kept.old = std::mem::take(&mut kept.young);
        }
        kept.young.insert(hash);
    }
}

/// Covers the length too, so that message and signature have one border.
fn hash(message: &[u8], signature: &[u8]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    hasher.update(&(message.len() as u64).to_be_bytes());
    hasher.update(message);
    hasher.update(signature);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_it_was_told_and_forgets_in_time() {
        let genuine = Genuine::default();
        genuine.remember(b"message", b"signature");
        assert!(genuine.contains(b"message", b"signature"));
        assert!(!genuine.contains(b"messages", b"ignature"));
        assert!(!genuine.contains(b"message", b"signaturf"));
        for number in 0..3 * GENERATION {
            genuine.remember(&number.to_be_bytes(), b"");
        }
        assert!(!genuine.contains(b"message", b"signature"));
    }
}
