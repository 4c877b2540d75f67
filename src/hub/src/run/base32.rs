//! Base32 (RFC 4648 section 6) in lower case, for what people type.

const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Without padding.
pub(super) fn encode(octets: &[u8]) -> String {
    let (mut out, mut held, mut bits) = (String::with_capacity(octets.len() * 8 / 5 + 1), 0_u32, 0);
    for octet in octets {
        held = held << 8 | u32::from(*octet);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            out.push(letter(held >> bits));
        }
    }
    if bits > 0 {
        out.push(letter(held << (5 - bits)));
    }
    out
}

fn letter(value: u32) -> char {
    char::from(LETTERS[(value & 31) as usize])
}

/// What a letter stands for.
pub(super) fn value(letter: u8) -> Option<u32> {
    LETTERS.iter().position(|known| *known == letter).and_then(|at| u32::try_from(at).ok())
}

/// What stands for a value below 32.
pub(super) fn of(value: u32) -> char {
    letter(value)
}

/// Groups of `size`, with `between` between them.
pub(super) fn grouped(text: &str, size: usize, between: char) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    for (at, letter) in text.chars().enumerate() {
        if at > 0 && at % size == 0 {
            out.push(between);
        }
        out.push(letter);
    }
    out
}

/// What somebody typed, as it was given out: in any case, with any groups.
pub(super) fn typed(text: &str) -> String {
    let kept = text.chars().filter(|letter| !letter.is_whitespace() && *letter != '-');
    kept.map(|letter| letter.to_ascii_lowercase()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 4648, section 10.
    #[test]
    fn encodes_as_the_rfc_says() {
        for (plain, text) in [
            ("", ""),
            ("f", "my"),
            ("fo", "mzxq"),
            ("foo", "mzxw6"),
            ("foob", "mzxw6yq"),
            ("fooba", "mzxw6ytb"),
            ("foobar", "mzxw6ytboi"),
        ] {
            assert_eq!(encode(plain.as_bytes()), text);
        }
        assert!((0..32).all(|number| value(of(number) as u8) == Some(number)));
        assert_eq!(value(b'1'), None);
    }

    #[test]
    fn groups_are_for_the_eye() {
        assert_eq!(grouped("abcdefghij", 4, '-'), "abcd-efgh-ij");
        assert_eq!(typed(" ABCD-efgh ij "), "abcdefghij");
    }
}
