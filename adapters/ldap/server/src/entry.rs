//! Entries as they go out: SearchResultEntry (RFC 4511 section 4.5.2), written with lengths of our own.
//!
//! What an entry holds lies ready as PartialAttribute elements ([`partial_attribute`]); a search copies those that
//! the reader gets and writes the two headers around them.

use bytes::{BufMut as _, Bytes, BytesMut};
use fedbridge_ldap_core::frame::put_length;

const OCTET_STRING: u8 = 0x04;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// `[APPLICATION 4]`, constructed.
const SEARCH_RESULT_ENTRY: u8 = 0x64;

/// The most octets that a tag and a length take here.
const HEADER: usize = 10;

/// An attribute with its values as an entry holds it (RFC 4511 section 4.1.7).
pub fn partial_attribute<'v>(name: &str, values: impl IntoIterator<Item = &'v [u8]>, into: &mut BytesMut) {
    let mut set = BytesMut::new();
    for value in values {
        element(OCTET_STRING, value, &mut set);
    }
    let mut inside = BytesMut::with_capacity(name.len() + set.len() + 2 * HEADER);
    element(OCTET_STRING, name.as_bytes(), &mut inside);
    element(SET, &set, &mut inside);
    element(SEQUENCE, &inside, into);
}

/// The values of an attribute that was written by [`partial_attribute`].
pub fn values_of(attribute: &[u8]) -> Values<'_> {
    let inside = take(attribute).map_or(&[][..], |(inside, _)| inside);
    let behind_name = take(inside).map_or(&[][..], |(_, rest)| rest);
    Values(take(behind_name).map_or(&[][..], |(set, _)| set))
}

/// Octet strings that lie one behind the other.
#[derive(Debug, Clone, Copy)]
pub struct Values<'a>(&'a [u8]);

impl<'a> Iterator for Values<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let (value, rest) = take(self.0)?;
        self.0 = rest;
        Some(value)
    }
}

/// The whole operation around a DN and the attributes.
pub fn search_result_entry(dn: &str, attributes: &[u8]) -> Bytes {
    let mut inside = BytesMut::with_capacity(dn.len() + attributes.len() + 3 * HEADER);
    element(OCTET_STRING, dn.as_bytes(), &mut inside);
    element(SEQUENCE, attributes, &mut inside);
    let mut whole = BytesMut::with_capacity(inside.len() + HEADER);
    element(SEARCH_RESULT_ENTRY, &inside, &mut whole);
    whole.freeze()
}

fn element(tag: u8, content: &[u8], into: &mut BytesMut) {
    into.reserve(content.len() + HEADER);
    into.put_u8(tag);
    put_length(content.len(), into);
    into.put_slice(content);
}

/// The content of the first element, and what stands behind it. `None` at the end. Only octets that were written
/// here are read.
fn take(octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let first = *octets.get(1)?;
    let (length, head) = if first < 0x80 {
        (usize::from(first), 2)
    } else {
        let count = usize::from(first & 0x7f);
        let length = octets.get(2..2 + count)?.iter().fold(0_usize, |sum, octet| sum << 8 | usize::from(*octet));
        (length, 2 + count)
    };
    let content = octets.get(head..head.checked_add(length)?)?;
    Some((content, octets.get(head + length..)?))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use fedbridge_ldap_core::frame::{REQUEST_DEPTH, envelope};
    use fedbridge_ldap_core::{Entry, Framer, Message, Op};

    use super::*;

    #[test]
    fn an_entry_reads_as_it_was_written() {
        let long = vec![b'x'; 70_000];
        let mut attributes = BytesMut::new();
        partial_attribute("cn", [&b"Ada"[..], b"Countess"], &mut attributes);
        partial_attribute("jpegPhoto", [&long[..], b"\xff\0"], &mut attributes);
        partial_attribute("mail", [], &mut attributes);
        let op = search_result_entry("uid=ada,dc=x", &attributes);
        let mut stream = BytesMut::new();
        envelope(7, &op, &[], &mut stream);
        let frame = Framer::new(1 << 20, REQUEST_DEPTH).next(&mut stream).unwrap().unwrap();
        let read = Message::read(&frame).unwrap();
        let of = |values: &[&[u8]]| values.iter().map(|value| Bytes::copy_from_slice(value)).collect::<Vec<_>>();
        let expected = Entry {
            dn: "uid=ada,dc=x".to_owned(),
            attributes: vec![
                ("cn".to_owned(), of(&[b"Ada", b"Countess"])),
                ("jpegPhoto".to_owned(), of(&[&long, b"\xff\0"])),
                ("mail".to_owned(), of(&[])),
            ],
        };
        assert_eq!(read.op, Op::Entry(expected));
    }

    #[test]
    fn values_are_found_again() {
        let long = vec![b'x'; 300];
        let mut attribute = BytesMut::new();
        partial_attribute("cn", [&b"a"[..], b"", &long], &mut attribute);
        assert_eq!(values_of(&attribute).collect::<Vec<_>>(), [&b"a"[..], b"", &long]);
        assert_eq!(values_of(&attribute[..5]).count(), 0, "what is cut off holds nothing");
    }
}
