//! An authenticator app (RFC 6238), by another implementation than the one that is tested.

use fedbridge_contract::time::Timestamp;
use openssl::hash::MessageDigest;
use openssl::pkey::PKey;
use openssl::sign::Signer;

/// One that has taken a key in.
pub struct Authenticator(pub Vec<u8>);

impl Authenticator {
    /// The key in base32 (RFC 4648 section 6), with or without spaces.
    pub fn of(key: &str) -> Self {
        let letters = key.chars().filter(|letter| !letter.is_whitespace());
        let bits: String = letters
            .map(|letter| {
                let value = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(letter).unwrap();
                format!("{value:05b}")
            })
            .collect();
        let octet = |at: usize| u8::from_str_radix(&bits[at..at + 8], 2).unwrap();
        Self((0..bits.len() / 8).map(|number| octet(number * 8)).collect())
    }

    pub fn code(&self, now: Timestamp) -> String {
        let key = PKey::hmac(&self.0).unwrap();
        let mut signer = Signer::new(MessageDigest::sha1(), &key).unwrap();
        let mac = signer.sign_oneshot_to_vec(&(now.millis() / 30_000).to_be_bytes()).unwrap();
        let offset = usize::from(mac[19] & 15);
        let cut = u32::from_be_bytes(mac[offset..offset + 4].try_into().unwrap()) & 0x7fff_ffff;
        format!("{:06}", cut % 1_000_000)
    }
}
