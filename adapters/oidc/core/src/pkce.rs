//! Proof Key for Code Exchange (RFC 7636), S256 only.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use openssl::memcmp;

use crate::hash::sha256;

/// Whether a challenge is the base64url form of 32 octets, in its one spelling.
pub fn is_challenge(text: &str) -> bool {
    text.len() == 43 && URL_SAFE_NO_PAD.decode(text).is_ok_and(|octets| octets.len() == 32)
}

/// Whether a verifier is well-formed (43 to 128 unreserved characters, section 4.1) and fits.
pub fn matches(challenge: &str, verifier: &str) -> bool {
    let formed = (43..=128).contains(&verifier.len())
        && verifier.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b));
    let computed = URL_SAFE_NO_PAD.encode(sha256(verifier.as_bytes()));
    formed && challenge.len() == computed.len() && memcmp::eq(computed.as_bytes(), challenge.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_the_example_of_rfc_7636() {
        let challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert!(is_challenge(challenge));
        assert!(matches(challenge, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"));
        assert!(!matches(challenge, "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXK"));
        assert!(!matches(challenge, challenge));
    }

    #[test]
    fn short_long_and_odd_verifiers_never_match() {
        for verifier in ["a".repeat(42), "a".repeat(129), format!("{}+", "a".repeat(50)), "é".repeat(43)] {
            let challenge = URL_SAFE_NO_PAD.encode(sha256(verifier.as_bytes()));
            assert!(!matches(&challenge, &verifier), "{verifier}");
        }
        assert!(!is_challenge(&"a".repeat(42)));
        assert!(!is_challenge(&format!("{}=", "a".repeat(43))));
        assert!(!is_challenge(&"+".repeat(43)));
    }
}
