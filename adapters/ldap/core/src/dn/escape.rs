//! Values in names (RFC 4514 section 2.4).

use std::fmt::Write as _;

/// Letters of any script stay as they are. Control characters are escaped, though the RFC lets them stand: names
/// get into logs.
pub fn escape(value: &[u8]) -> String {
    let mut into = String::with_capacity(value.len() + 8);
    let mut at = 0;
    for chunk in value.utf8_chunks() {
        for letter in chunk.valid().chars() {
            let is_last = at + 1 == value.len();
            match letter {
                '"' | '+' | ',' | ';' | '<' | '>' | '\\' => into.extend(['\\', letter]),
                '#' if at == 0 => into.push_str("\\#"),
                ' ' if at == 0 || is_last => into.push_str("\\ "),
                _ if letter.is_control() => pairs(letter.encode_utf8(&mut [0; 4]).as_bytes(), &mut into),
                _ => into.push(letter),
            }
            at += letter.len_utf8();
        }
        pairs(chunk.invalid(), &mut into);
        at += chunk.invalid().len();
    }
    into
}

fn pairs(octets: &[u8], into: &mut String) {
    for octet in octets {
        let _ = write!(into, "\\{octet:02X}");
    }
}
