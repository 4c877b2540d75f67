//! Passwords as Active Directory takes them.

/// A value of `unicodePwd` (MS-ADTS 3.1.1.3.1.5): in quotation marks, in UTF-16 with the lowest octet first.
pub fn unicode_pwd(password: &str) -> Vec<u8> {
    let quoted = std::iter::once('"').chain(password.chars()).chain(std::iter::once('"'));
    let mut units = [0; 2];
    let mut octets = Vec::with_capacity(password.len() * 2 + 4);
    for letter in quoted {
        octets.extend(letter.encode_utf16(&mut units).iter().flat_map(|unit| unit.to_le_bytes()));
    }
    octets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_quotation_marks() {
        assert_eq!(unicode_pwd("new"), b"\"\0n\0e\0w\0\"\0");
        assert_eq!(unicode_pwd("\u{1f600}"), [b'"', 0, 0x3d, 0xd8, 0x00, 0xde, b'"', 0]);
    }
}
