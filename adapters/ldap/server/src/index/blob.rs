//! The attributes of one entry in one piece of memory: ready to be sent, and prepared to be compared.
//!
//! 100,000 people are kept in memory, so an entry is two allocations and not one for each value. In front stands a
//! directory: for each attribute its number and where it ends. Behind it come the attributes as an entry holds them,
//! then the prepared values of those whose prepared form differs.

use bytes::{BufMut as _, BytesMut};

use crate::catalogue::AttributeId;
use crate::entry::{Values, partial_attribute, values_of};

/// Number of the attribute, end of its element, end of its prepared values.
const LINE: usize = 2 + 4 + 4;

/// Attributes in the order of their numbers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Blob(Box<[u8]>);

/// What a blob is made of.
pub struct NewAttribute<'a> {
    pub id: AttributeId,
    pub name: &'a str,
    pub values: Vec<Vec<u8>>,
    /// The same values as they are compared, in the same order.
    pub prepared: Vec<Vec<u8>>,
}

/// One attribute of a blob.
#[derive(Debug, Clone, Copy)]
pub struct Held<'a> {
    pub id: AttributeId,
    /// The PartialAttribute.
    pub element: &'a [u8],
    prepared: &'a [u8],
}

impl<'a> Held<'a> {
    /// As they were given.
    pub fn values(&self) -> Values<'a> {
        values_of(self.element)
    }

    /// As they are compared.
    pub fn prepared(&self) -> Values<'a> {
        if self.prepared.is_empty() { self.values() } else { values_of(self.prepared) }
    }
}

/// The three parts of a blob, as they grow.
#[derive(Default)]
struct Parts {
    count: u16,
    lines: BytesMut,
    elements: BytesMut,
    prepared: BytesMut,
}

impl Parts {
    /// Ends an attribute: what was written to the other two parts since the last one is its.
    fn end(&mut self, id: AttributeId) {
        self.count += 1;
        self.lines.put_u16(id.number());
        self.lines.put_u32(u32::try_from(self.elements.len()).unwrap_or(u32::MAX));
        self.lines.put_u32(u32::try_from(self.prepared.len()).unwrap_or(u32::MAX));
    }

    fn join(self) -> Blob {
        Blob([&self.count.to_be_bytes()[..], &self.lines, &self.elements, &self.prepared].concat().into_boxed_slice())
    }
}

impl Blob {
    /// `attributes` may be in any order; each stands there once, with a value at least.
    pub fn of(mut attributes: Vec<NewAttribute<'_>>) -> Self {
        attributes.sort_by_key(|attribute| attribute.id);
        let mut parts = Parts::default();
        for attribute in attributes.iter().take(usize::from(u16::MAX)) {
            partial_attribute(attribute.name, attribute.values.iter().map(Vec::as_slice), &mut parts.elements);
            if attribute.prepared != attribute.values {
                partial_attribute("", attribute.prepared.iter().map(Vec::as_slice), &mut parts.prepared);
            }
            parts.end(attribute.id);
        }
        parts.join()
    }

    /// These attributes of it, and no others.
    pub fn only(&self, ids: &[AttributeId]) -> Self {
        let mut parts = Parts::default();
        for held in self.iter().filter(|held| ids.contains(&held.id)) {
            parts.elements.extend_from_slice(held.element);
            parts.prepared.extend_from_slice(held.prepared);
            parts.end(held.id);
        }
        parts.join()
    }

    /// Octets in memory.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn get(&self, id: AttributeId) -> Option<Held<'_>> {
        self.iter().find(|held| held.id == id)
    }

    pub fn iter(&self) -> impl Iterator<Item = Held<'_>> {
        let count = usize::from(self.u16(0));
        let elements = 2 + count * LINE;
        let last = (count.checked_sub(1)).map_or(0, |last| self.u32(2 + last * LINE + 2));
        let prepared = elements + last;
        let mut ends = (0, 0);
        (0..count).map(move |at| {
            let line = 2 + at * LINE;
            let begins = ends;
            ends = (self.u32(line + 2), self.u32(line + 6));
            Held {
                id: AttributeId::of_number(self.u16(line)),
                element: self.part(elements + begins.0, elements + ends.0),
                prepared: self.part(prepared + begins.1, prepared + ends.1),
            }
        })
    }

    fn part(&self, start: usize, end: usize) -> &[u8] {
        self.0.get(start..end).unwrap_or_default()
    }

    fn u16(&self, at: usize) -> u16 {
        self.0.get(at..at + 2).and_then(|octets| octets.try_into().ok()).map_or(0, u16::from_be_bytes)
    }

    fn u32(&self, at: usize) -> usize {
        let number = self.0.get(at..at + 4).and_then(|octets| octets.try_into().ok()).map_or(0, u32::from_be_bytes);
        number as usize
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn new<'a>(number: u16, name: &'a str, values: &[&str], prepared: &[&str]) -> NewAttribute<'a> {
        let octets = |texts: &[&str]| texts.iter().map(|text| text.as_bytes().to_vec()).collect();
        NewAttribute { id: AttributeId::of_number(number), name, values: octets(values), prepared: octets(prepared) }
    }

    #[test]
    fn holds_what_went_in() {
        let blob = Blob::of(vec![
            new(9, "cn", &["Ada Lovelace", "ada"], &["ada lovelace", "ada"]),
            new(2, "mail", &["ada@acme.example"], &["ada@acme.example"]),
            new(300, "sn", &["Lovelace"], &["lovelace"]),
        ]);
        let ids: Vec<_> = blob.iter().map(|held| held.id.number()).collect();
        assert_eq!(ids, [2, 9, 300]);
        let cn = blob.get(AttributeId::of_number(9)).unwrap();
        assert_eq!(cn.values().collect::<Vec<_>>(), [&b"Ada Lovelace"[..], b"ada"]);
        assert_eq!(cn.prepared().collect::<Vec<_>>(), [&b"ada lovelace"[..], b"ada"]);
        let mail = blob.get(AttributeId::of_number(2)).unwrap();
        assert_eq!(mail.prepared().collect::<Vec<_>>(), [b"ada@acme.example"]);
        assert_eq!(mail.element[0], 0x30);
        let sn = blob.get(AttributeId::of_number(300)).unwrap();
        assert_eq!(sn.prepared().collect::<Vec<_>>(), [b"lovelace"]);
        assert!(blob.get(AttributeId::of_number(3)).is_none());
    }

    #[test]
    fn a_part_of_it_reads_the_same() {
        let blob = Blob::of(vec![
            new(9, "cn", &["Ada Lovelace", "ada"], &["ada lovelace", "ada"]),
            new(2, "mail", &["ada@acme.example"], &["ada@acme.example"]),
            new(300, "sn", &["Lovelace"], &["lovelace"]),
        ]);
        let (cn, sn) = (AttributeId::of_number(9), AttributeId::of_number(300));
        let part = blob.only(&[sn, cn, AttributeId::of_number(7)]);
        assert_eq!(part.iter().map(|held| held.id).collect::<Vec<_>>(), [cn, sn]);
        for id in [cn, sn] {
            let (held, whole) = (part.get(id).unwrap(), blob.get(id).unwrap());
            assert_eq!(held.element, whole.element);
            assert_eq!(held.prepared().collect::<Vec<_>>(), whole.prepared().collect::<Vec<_>>());
        }
        assert!(part.len() < blob.len());
        assert_eq!(blob.only(&[cn, sn, AttributeId::of_number(2)]), blob);
    }

    #[test]
    fn nothing_holds_nothing() {
        assert_eq!(Blob::of(Vec::new()).iter().count(), 0);
        assert_eq!(Blob::default().iter().count(), 0);
    }
}
