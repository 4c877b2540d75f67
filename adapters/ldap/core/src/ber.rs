//! The one file that names the BER library.
//!
//! It reads what [`guard`](crate::guard) has looked at, and nothing else: by itself the library recurses as
//! deep as a message says, and takes a length that reaches too far for a message that is not whole.
//! Elements are named by their identifier octet, the bit for constructed ones included, so that a name
//! says the form too (RFC 4511 section 5.1 leaves each type one form).

use bytes::{Bytes, BytesMut};
use lber::common::TagClass;
use lber::structure::{PL, StructureTag};

use crate::guard::{self, Checked, Malformed};

pub const BOOLEAN: u8 = 0x01;
pub const INTEGER: u8 = 0x02;
pub const OCTETS: u8 = 0x04;
pub const ENUMERATED: u8 = 0x0a;
pub const SEQUENCE: u8 = 0x30;
pub const SET: u8 = 0x31;
pub(crate) const CONTROLS: u8 = 0xa0;
/// The bit of an identifier octet that says so.
pub(crate) const CONSTRUCTED: u8 = 0x20;

/// The depth of what controls and extended operations carry; an assertion's filter is the deepest.
const VALUE_DEPTH: usize = 70;

/// An element with all that it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tree(StructureTag);

impl Tree {
    /// # Errors
    /// The octets are no BER after all.
    pub fn read(octets: Checked<'_>) -> Result<Self, Malformed> {
        match lber::parse::parse_tag(octets.octets()) {
            Ok(([], tag)) => Ok(Self(tag)),
            _ => Err(Malformed::Overrun),
        }
    }

    /// One element inside of a value, which nobody has looked at yet.
    ///
    /// # Errors
    /// As of [`guard::check`].
    pub fn of_value(octets: &[u8]) -> Result<Self, Malformed> {
        Self::read(guard::check(octets, VALUE_DEPTH)?)
    }

    /// A primitive element.
    pub fn octets(tag: u8, content: impl Into<Vec<u8>>) -> Self {
        Self::new(tag, PL::P(content.into()))
    }

    /// A constructed element.
    pub fn of(tag: u8, fields: Vec<Tree>) -> Self {
        Self::new(tag, PL::C(fields.into_iter().map(|field| field.0).collect()))
    }

    pub fn integer(tag: u8, value: i64) -> Self {
        let octets = value.to_be_bytes();
        // An octet is needless where the next one shows the same sign.
        let sign = if value < 0 { 0xff } else { 0 };
        let needless = octets.windows(2).take_while(|pair| pair[0] == sign && (pair[1] ^ sign) < 0x80).count();
        Self::octets(tag, &octets[needless..])
    }

    pub fn boolean(tag: u8, value: bool) -> Self {
        Self::octets(tag, [if value { 0xff } else { 0 }])
    }

    fn new(tag: u8, payload: PL) -> Self {
        let class = TagClass::from_u8(tag >> 6).unwrap_or(TagClass::Universal);
        Self(StructureTag { class, id: u64::from(tag & 0x1f), payload })
    }

    /// The identifier octet.
    pub fn tag(&self) -> u8 {
        identifier(&self.0)
    }

    pub fn write(self, into: &mut BytesMut) {
        // The library writes to memory: it has no way to fail.
        let _ = lber::write::encode_into(into, self.0);
    }

    pub fn to_bytes(self) -> Bytes {
        let mut into = BytesMut::new();
        self.write(&mut into);
        into.freeze()
    }

    /// The content of a primitive element.
    ///
    /// # Errors
    /// It is a constructed one.
    pub fn content(self) -> Result<Bytes, Malformed> {
        match self.0.payload {
            PL::P(content) => Ok(content.into()),
            PL::C(_) => Err(Malformed::NotAMessage),
        }
    }

    /// # Errors
    /// It is a constructed element, or no UTF-8.
    pub fn text(self) -> Result<String, Malformed> {
        match self.0.payload {
            PL::P(content) => String::from_utf8(content).map_err(|_| Malformed::NotUtf8),
            PL::C(_) => Err(Malformed::NotAMessage),
        }
    }

    /// A number of at most eight octets, which need not be the fewest.
    ///
    /// # Errors
    /// It is no such number.
    pub fn number(self) -> Result<i64, Malformed> {
        let PL::P(content) = self.0.payload else { return Err(Malformed::NotAMessage) };
        let Some(first) = content.first().filter(|_| content.len() <= 8) else { return Err(Malformed::NotAMessage) };
        let sign = if *first < 0x80 { 0 } else { -1 };
        Ok(content.iter().fold(sign, |number, octet| number << 8 | i64::from(*octet)))
    }

    /// Anything but zero is true, as BER has it.
    ///
    /// # Errors
    /// It is no boolean.
    pub fn truth(self) -> Result<bool, Malformed> {
        match self.0.payload {
            PL::P(content) if content.len() == 1 => Ok(content != [0]),
            _ => Err(Malformed::NotAMessage),
        }
    }

    /// What a constructed element holds.
    ///
    /// # Errors
    /// It is a primitive one.
    pub fn fields(self) -> Result<Fields, Malformed> {
        match self.0.payload {
            PL::C(fields) => Ok(Fields(fields.into_iter())),
            PL::P(_) => Err(Malformed::NotAMessage),
        }
    }
}

/// The elements of a sequence, one after the other. What is left at the end is of a later version of the
/// protocol, and ignored (RFC 4511 section 4).
#[derive(Debug, Clone)]
pub struct Fields(std::vec::IntoIter<StructureTag>);

impl Fields {
    /// The next element, where it is a `tag`.
    pub fn maybe(&mut self, tag: u8) -> Option<Tree> {
        let next = self.0.as_slice().first()?;
        if identifier(next) == tag { self.next() } else { None }
    }

    /// The next element, which has to be a `tag`.
    ///
    /// # Errors
    /// It is none.
    pub fn must(&mut self, tag: u8) -> Result<Tree, Malformed> {
        self.maybe(tag).ok_or(Malformed::NotAMessage)
    }

    /// # Errors
    /// The next element is no OCTET STRING.
    pub fn octets(&mut self) -> Result<Bytes, Malformed> {
        self.must(OCTETS)?.content()
    }

    /// # Errors
    /// The next element is no OCTET STRING, or no UTF-8.
    pub fn text(&mut self) -> Result<String, Malformed> {
        self.must(OCTETS)?.text()
    }

    /// # Errors
    /// The next element is no number with this tag.
    pub fn number(&mut self, tag: u8) -> Result<i64, Malformed> {
        self.must(tag)?.number()
    }

    /// A number from 0 to 2^31 - 1 (RFC 4511 section 4.1.1: maxInt).
    ///
    /// # Errors
    /// It is another one.
    pub fn size(&mut self) -> Result<u32, Malformed> {
        let number = self.number(INTEGER)?;
        i32::try_from(number).ok().and_then(|number| u32::try_from(number).ok()).ok_or(Malformed::NotAMessage)
    }
}

impl Iterator for Fields {
    type Item = Tree;

    fn next(&mut self) -> Option<Tree> {
        self.0.next().map(Tree)
    }
}

fn identifier(tag: &StructureTag) -> u8 {
    let constructed = if matches!(tag.payload, PL::C(_)) { CONSTRUCTED } else { 0 };
    // The guard lets no number above 30 in.
    (tag.class as u8) << 6 | constructed | tag.id as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_round() {
        for (number, octets) in [
            (0, &[0][..]),
            (127, &[127]),
            (128, &[0, 128]),
            (-1, &[0xff]),
            (-128, &[0x80]),
            (-129, &[0xff, 0x7f]),
            (0x1234_5678, &[0x12, 0x34, 0x56, 0x78]),
            (i64::MAX, &i64::MAX.to_be_bytes()),
            (i64::MIN, &i64::MIN.to_be_bytes()),
        ] {
            let tree = Tree::integer(INTEGER, number);
            assert_eq!(tree.clone().content().unwrap(), octets);
            assert_eq!(tree.number(), Ok(number));
        }
        assert_eq!(Tree::octets(INTEGER, [0, 0, 0, 1]).number(), Ok(1), "leading zeros are legal BER");
        assert_eq!(Tree::octets(INTEGER, []).number(), Err(Malformed::NotAMessage));
        assert_eq!(Tree::octets(INTEGER, [0; 9]).number(), Err(Malformed::NotAMessage));
    }

    #[test]
    fn any_octet_but_zero_is_true() {
        for (octets, truth) in [(&[0xff][..], Ok(true)), (&[1], Ok(true)), (&[0], Ok(false))] {
            assert_eq!(Tree::octets(BOOLEAN, octets).truth(), truth);
        }
        assert_eq!(Tree::octets(BOOLEAN, [1, 1]).truth(), Err(Malformed::NotAMessage));
    }

    #[test]
    fn the_form_is_part_of_the_name() {
        // OCTET STRING in parts, which BER has and LDAP has not.
        let parts = Tree::of_value(&[0x24, 3, 0x04, 1, b'a']).unwrap();
        assert_eq!(parts.tag(), 0x24);
        assert_eq!(Tree::of(SEQUENCE, vec![parts]).fields().unwrap().octets(), Err(Malformed::NotAMessage));
    }

    #[test]
    fn values_are_looked_at_before_they_are_read() {
        assert_eq!(Tree::of_value(&[0x30, 6, 0x04, 0x84, 0xff, 0xff, 0xff, 0xff]), Err(Malformed::Overrun));
        assert_eq!(Tree::of_value(&[0x30, 0x80, 0, 0]), Err(Malformed::Indefinite));
        assert_eq!(Tree::of_value(&[]), Err(Malformed::Overrun));
    }
}
