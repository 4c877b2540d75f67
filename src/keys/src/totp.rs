//! Time-based one-time passwords (RFC 6238) with SHA-1, 30 seconds and six digits: authenticator apps know no other.

use openssl::sha::Sha1;

use fedbridge_contract::time::Timestamp;

const STEP: i64 = 30;
const BLOCK: usize = 64;

/// The time step whose code this is, where it is newer than `after`: the present one, or one beside it.
pub fn step_of(secret: &[u8], code: &str, now: Timestamp, after: i64) -> Option<i64> {
    let typed = code.as_bytes();
    let present = now.millis().div_euclid(1000 * STEP);
    let mut found = None;
    // All three, so that the time tells nothing about which it is.
    for step in [present - 1, present, present + 1] {
        let right = same_octets(code_of(secret, step).as_bytes(), typed);
        if right && step > after {
            found = Some(step);
        }
    }
    found
}

/// RFC 4226 section 5.3.
fn code_of(secret: &[u8], step: i64) -> String {
    let mac = hmac_sha1(secret, &step.to_be_bytes());
    let offset = usize::from(mac[19] & 0x0f);
    let cut = u32::from_be_bytes([mac[offset], mac[offset + 1], mac[offset + 2], mac[offset + 3]]) & 0x7fff_ffff;
    format!("{:06}", cut % 1_000_000)
}

fn same_octets(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && openssl::memcmp::eq(one, other)
}

/// RFC 2104.
fn hmac_sha1(key: &[u8], message: &[u8]) -> [u8; 20] {
    let mut block = [0; BLOCK];
    if key.len() > BLOCK {
        block[..20].copy_from_slice(&openssl::sha::sha1(key));
    } else {
        block[..key.len()].copy_from_slice(key);
    }
    let mut inner = Sha1::new();
    inner.update(&block.map(|octet| octet ^ 0x36));
    inner.update(message);
    let mut outer = Sha1::new();
    outer.update(&block.map(|octet| octet ^ 0x5c));
    outer.update(&inner.finish());
    outer.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"12345678901234567890";

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    // RFC 6238, appendix B: the last six of its eight digits.
    #[test]
    fn codes_are_those_of_the_rfc() {
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            assert_eq!(step_of(SECRET, code, at(seconds), -1), Some(seconds / 30), "{seconds}");
        }
    }

    #[test]
    fn a_clock_may_be_a_step_off_and_no_more() {
        let (code, step) = ("005924", 1_234_567_890 / 30);
        for (seconds, good) in [(-60, false), (-30, true), (0, true), (30, true), (60, false)] {
            assert_eq!(step_of(SECRET, code, at(1_234_567_890 + seconds), -1).is_some(), good, "{seconds}");
        }
        assert_eq!(step_of(SECRET, code, at(1_234_567_890), step), None, "it was used");
        assert_eq!(step_of(SECRET, code, at(1_234_567_890), step - 1), Some(step));
    }

    #[test]
    fn nothing_else_is_a_code() {
        for code in ["", "5924", "0005924", "00592 ", "005925", "００５９２４", "005924\0"] {
            assert_eq!(step_of(SECRET, code, at(1_234_567_890), -1), None, "{code:?}");
        }
        assert_eq!(step_of(b"another", "005924", at(1_234_567_890), -1), None);
    }

    // RFC 2202, test cases 2 and 6.
    #[test]
    fn macs_as_the_rfc_says() {
        let hex = |mac: [u8; 20]| mac.iter().map(|octet| format!("{octet:02x}")).collect::<String>();
        assert_eq!(
            hex(hmac_sha1(b"Jefe", b"what do ya want for nothing?")),
            "effcdf6ae5eb2fa2d27416d5f184df9c259a7c79"
        );
        let long = hmac_sha1(&[0xaa; 80], b"Test Using Larger Than Block-Size Key - Hash Key First");
        assert_eq!(hex(long), "aa4ae5e15272d00e95705637ce8a3b55ed402112");
    }
}
