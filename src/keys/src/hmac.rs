//! HMAC-SHA-256 (RFC 2104) and HKDF (RFC 5869) over openssl's SHA-256.
//!
//! The two padded key blocks are hashed once for each key, so that a MAC of a
//! short message costs two compressions and no allocation.

use openssl::sha::Sha256;

const BLOCK: usize = 64;

/// SHA-256. `openssl::sha::sha256` would look the algorithm up anew each time: 3,300 instructions more.
pub fn sha256(message: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(message);
    hash.finish()
}

/// A key that is ready to authenticate.
#[derive(Clone)]
pub struct Hmac {
    inner: Sha256,
    outer: Sha256,
}

impl Hmac {
    pub fn new(key: &[u8]) -> Self {
        let mut block = [0; BLOCK];
        if key.len() > BLOCK {
            block[..32].copy_from_slice(&sha256(key));
        } else {
            block[..key.len()].copy_from_slice(key);
        }
        let mut inner = Sha256::new();
        inner.update(&block.map(|octet| octet ^ 0x36));
        let mut outer = Sha256::new();
        outer.update(&block.map(|octet| octet ^ 0x5c));
        Self { inner, outer }
    }

    /// The MAC of all parts, one behind the other.
    pub fn mac(&self, parts: &[&[u8]]) -> [u8; 32] {
        let mut inner = self.inner.clone();
        for part in parts {
            inner.update(part);
        }
        let mut outer = self.outer.clone();
        outer.update(&inner.finish());
        outer.finish()
    }
}

/// HKDF-Extract (RFC 5869 section 2.2), as a key that is ready to expand.
pub fn extract(salt: &[u8], input: &[u8]) -> Hmac {
    Hmac::new(&Hmac::new(salt).mac(&[input]))
}

/// The first 32 octets of HKDF-Expand (RFC 5869 section 2.3).
pub fn expand(key: &Hmac, info: &[&[u8]]) -> [u8; 32] {
    let mut parts: Vec<&[u8]> = info.to_vec();
    parts.push(&[1]);
    key.mac(&parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).filter_map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
    }

    // FIPS 180-2, appendix B.1.
    #[test]
    fn hashes_as_the_standard_says() {
        let hash = hex("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(sha256(b"abc").to_vec(), hash);
    }

    // RFC 4231, test cases 2 and 6.
    #[test]
    fn macs_as_the_rfc_says() {
        let short = Hmac::new(b"Jefe").mac(&[b"what do ya want ", b"for nothing?"]);
        assert_eq!(short.to_vec(), hex("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"));
        let long = Hmac::new(&[0xaa; 131]).mac(&[b"Test Using Larger Than Block-Size Key - Hash Key First"]);
        assert_eq!(long.to_vec(), hex("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54"));
    }

    // RFC 5869, test case 1: the first 32 of its 42 octets.
    #[test]
    fn derives_as_the_rfc_says() {
        let key = extract(&hex("000102030405060708090a0b0c"), &[0x0b; 22]);
        let out = expand(&key, &[&hex("f0f1f2f3f4f5f6f7f8f9")]);
        assert_eq!(out.to_vec(), hex("3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"));
    }
}
