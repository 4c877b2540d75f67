//! Argon2id (RFC 9106) for secrets of people, in the text form that its reference implementation prints.

use ::argon2::{Algorithm, Argon2, Block, Params, Version};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use fedbridge_contract::services::Rng;
use fedbridge_hub::ports::PasswordHasher;

use crate::hmac::sha256;
use crate::system::OpensslRng;

/// KiB of memory, passes, lanes: 19 MiB, the least that OWASP's Password Storage Cheat Sheet takes for two passes.
const COST: (u32, u32, u32) = (19_456, 2, 1);

const SALT: usize = 16;
const LENGTH: usize = 32;

/// The most that a text may ask for: it comes from our own store, and a damaged one must not take the machine down.
const MOST: (u32, u32, u32) = (262_144, 16, 4);

/// See the module's text.
#[derive(Debug, Clone, Copy, Default)]
pub struct Argon2Hasher;

impl PasswordHasher for Argon2Hasher {
    fn hash(&self, password: &[u8]) -> Result<String, String> {
        let mut salt = [0; SALT];
        OpensslRng.fill(&mut salt);
        let mut out = [0; LENGTH];
        derive(password, &salt, COST, &mut out)?;
        let (memory, passes, lanes) = COST;
        let (salt, out) = (STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(out));
        Ok(format!("$argon2id$v=19$m={memory},t={passes},p={lanes}${salt}${out}"))
    }

    fn digest(&self, secret: &[u8]) -> [u8; 32] {
        sha256(secret)
    }

    fn verify(&self, password: &[u8], hash: &str) -> bool {
        let Some((cost, salt, expected)) = parts(hash) else { return false };
        let mut out = vec![0; expected.len()];
        derive(password, &salt, cost, &mut out).is_ok() && openssl::memcmp::eq(&out, &expected)
    }
}

fn derive(password: &[u8], salt: &[u8], cost: (u32, u32, u32), out: &mut [u8]) -> Result<(), String> {
    let (memory, passes, lanes) = cost;
    let params = Params::new(memory, passes, lanes, Some(out.len())).map_err(|error| error.to_string())?;
    let mut blocks = Vec::new();
    let count = params.block_count();
    blocks.try_reserve_exact(count).map_err(|_| "there is no memory for a password's hash".to_owned())?;
    blocks.resize(count, Block::new());
    let argon = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon.hash_password_into_with_memory(password, salt, out, &mut blocks).map_err(|error| error.to_string())
}

type Parts = ((u32, u32, u32), Vec<u8>, Vec<u8>);

fn parts(hash: &str) -> Option<Parts> {
    let mut fields = hash.strip_prefix("$argon2id$v=19$")?.split('$');
    let (costs, salt, out) = (fields.next()?, fields.next()?, fields.next()?);
    let mut costs = costs.split(',');
    let mut cost = |name: &str| -> Option<u32> { costs.next()?.strip_prefix(name)?.parse().ok() };
    let cost = (cost("m=")?, cost("t=")?, cost("p=")?);
    let within = cost.0 <= MOST.0 && cost.1 <= MOST.1 && cost.2 <= MOST.2;
    let (salt, out) = (STANDARD_NO_PAD.decode(salt).ok()?, STANDARD_NO_PAD.decode(out).ok()?);
    (within && fields.next().is_none() && (16..=64).contains(&out.len())).then_some((cost, salt, out))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    // Of the reference implementation's own tests (src/test.c): version 0x13, two passes, 256 KiB, one lane.
    #[test]
    fn hashes_as_the_reference_does() {
        let hash = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
        assert!(Argon2Hasher.verify(b"password", hash));
        assert!(!Argon2Hasher.verify(b"passwore", hash));
    }

    #[test]
    fn verifies_what_it_hashes_and_nothing_else() {
        let hash = Argon2Hasher.hash(b"open sesame").unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(!hash.contains("sesame"));
        assert!(Argon2Hasher.verify(b"open sesame", &hash));
        assert!(!Argon2Hasher.verify(b"open sesame ", &hash));
        assert_ne!(hash, Argon2Hasher.hash(b"open sesame").unwrap(), "each has a salt of its own");
    }

    #[test]
    fn a_damaged_text_verifies_nothing_and_costs_nothing() {
        for hash in [
            "",
            "open sesame",
            "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            "$argon2id$v=19$m=4294967295,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$",
            "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4$x",
        ] {
            assert!(!Argon2Hasher.verify(b"password", hash), "{hash}");
        }
    }
}
