//! UUIDs as text, as octets, and as Active Directory keeps them.

use std::fmt::Write as _;

/// The canonical text (RFC 4122 section 3) of octets in their order: an `entryUUID`.
pub fn to_text(octets: [u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (at, octet) in octets.into_iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        let _ = write!(text, "{octet:02x}");
    }
    text
}

/// Hexadecimal digits in any case, with their hyphens, perhaps in braces. `None` for anything else.
pub fn from_text(text: &str) -> Option<[u8; 16]> {
    let text = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')).unwrap_or(text);
    let mut octets = [0; 16];
    let mut digits = 0;
    if text.len() != 36 {
        return None;
    }
    for (at, letter) in text.bytes().enumerate() {
        if matches!(at, 8 | 13 | 18 | 23) {
            if letter != b'-' {
                return None;
            }
            continue;
        }
        let digit = char::from(letter).to_digit(16)?;
        octets[digits / 2] = octets[digits / 2] << 4 | digit as u8;
        digits += 1;
    }
    Some(octets)
}

/// An `objectGUID` as text. Active Directory keeps the first three fields with their lowest octet first
/// (MS-DTYP 2.3.4.2). `None`: these are not 16 octets.
pub fn guid_to_text(octets: &[u8]) -> Option<String> {
    Some(to_text(mixed(octets.try_into().ok()?)))
}

/// The octets of an `objectGUID`: what a filter has to hold.
pub fn guid_from_text(text: &str) -> Option<[u8; 16]> {
    Some(mixed(from_text(text)?))
}

/// Turns the first three fields around; twice is nothing.
fn mixed(octets: [u8; 16]) -> [u8; 16] {
    let [a, b, c, d, e, f, g, h, rest @ ..] = octets;
    let mut turned = [0; 16];
    turned[..8].copy_from_slice(&[d, c, b, a, f, e, h, g]);
    turned[8..].copy_from_slice(&rest);
    turned
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::filter::Filter;

    #[test]
    fn a_guid_is_mixed() {
        let octets = [0x2a, 0x28, 0x00, 0x5c, 0x29, 0xff, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17, 0x18, 0x19];
        let text = "5c00282a-ff29-1110-1213-141516171819";
        assert_eq!(guid_to_text(&octets).unwrap(), text);
        assert_eq!(guid_from_text(text), Some(octets));
        assert_eq!(guid_from_text(&format!("{{{}}}", text.to_uppercase())), Some(octets));
        assert_eq!(guid_to_text(&octets[1..]), None);
        // Those octets mean something in filters, and are a value all the same.
        let filter = Filter::Equal("objectGUID".to_owned(), octets.to_vec().into());
        assert_eq!(Filter::parse(&filter.print()), Ok(filter.clone()));
        assert_eq!(Filter::decode(&filter.encode()), Ok(filter));
    }

    #[test]
    fn a_uuid_is_not() {
        let text = "597ae2f6-16a6-1027-98f4-d28b5365dc14";
        assert_eq!(to_text(from_text(text).unwrap()), text);
        for wrong in [
            "",
            "597ae2f616a6102798f4d28b5365dc14",
            "597ae2f6-16a6-1027-98f4-d28b5365dc1g",
            "597ae2f6-16a6-1027-98f4d-28b5365dc14",
            "{597ae2f6-16a6-1027-98f4-d28b5365dc14",
        ] {
            assert_eq!(from_text(wrong), None, "{wrong}");
        }
    }
}
