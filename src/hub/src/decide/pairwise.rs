//! Pairwise subject identifiers (OpenID Connect Core 8.1).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fedbridge_contract::ids::PersonId;

/// The `sub` of a person for one sector: the same for all apps of the sector,
/// and without a link to that of any other.
///
/// `mac` is a keyed hash (HMAC-SHA-256) under a secret of the tenant. It covers
/// the sector's length, so that no two inputs are the same octets.
pub fn pairwise_sub(mac: impl FnOnce(&[u8]) -> [u8; 32], sector: &str, person: PersonId) -> String {
    let mut input = Vec::with_capacity(32 + sector.len());
    input.extend_from_slice(b"fedbridge pairwise 1");
    input.extend_from_slice(&(sector.len() as u64).to_be_bytes());
    input.extend_from_slice(sector.as_bytes());
    input.extend_from_slice(person.uuid().as_bytes());
    URL_SAFE_NO_PAD.encode(mac(&input))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Not a MAC: it only spreads its input over the output.
    fn spread(input: &[u8]) -> [u8; 32] {
        let mut out = [0u8; 32];
        for (at, byte) in input.iter().enumerate() {
            out[at % 32] = out[at % 32].wrapping_mul(31).wrapping_add(*byte);
        }
        out
    }

    #[test]
    fn differs_by_sector_and_person_and_stays() {
        let one: PersonId = "00000000000000000000000000000001".parse().unwrap();
        let two: PersonId = "00000000000000000000000000000002".parse().unwrap();
        let sub = pairwise_sub(spread, "portal.example", one);
        assert_eq!(sub, pairwise_sub(spread, "portal.example", one));
        assert_ne!(sub, pairwise_sub(spread, "wiki.example", one));
        assert_ne!(sub, pairwise_sub(spread, "portal.example", two));
        assert_eq!(sub.len(), 43);
    }
}
