//! As much of LDAP's octets (RFC 4511) as tests need to ask a server by hand. It is written apart from the product's own
//! codec, so that a mistake of one is not the other's too.

/// Tags of operations.
pub mod tag {
    pub const BIND: u8 = 0x60;
    pub const SEARCH: u8 = 0x63;
    pub const ENTRY: u8 = 0x64;
    pub const SEARCH_DONE: u8 = 0x65;
    pub const COMPARE: u8 = 0x6e;
    pub const EXTENDED: u8 = 0x77;
    pub const EXTENDED_DONE: u8 = 0x78;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Base = 0,
    One = 1,
    Sub = 2,
}

/// One element: tag, length, content.
pub fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    let length = content.len();
    if length < 0x80 {
        out.push(length as u8);
    } else {
        let octets = length.to_be_bytes();
        let first = octets.iter().position(|octet| *octet != 0).unwrap_or(octets.len() - 1);
        out.push(0x80 | (octets.len() - first) as u8);
        out.extend_from_slice(&octets[first..]);
    }
    out.extend_from_slice(content);
    out
}

pub fn sequence(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
    element(tag, &parts.concat())
}

fn number(tag: u8, value: i32) -> Vec<u8> {
    let octets = value.to_be_bytes();
    // The first octet that isn't mere sign.
    let sign =
        |at: usize| octets[at] == if value < 0 { 0xff } else { 0 } && (octets[at + 1] & 0x80 != 0) == (value < 0);
    let first = (0..3).find(|at| !sign(*at)).unwrap_or(3);
    element(tag, &octets[first..])
}

/// A whole message around an operation.
pub fn message(id: i32, operation: &[u8]) -> Vec<u8> {
    sequence(0x30, &[number(0x02, id), operation.to_vec()])
}

pub fn bind(dn: &str, password: &str) -> Vec<u8> {
    sequence(tag::BIND, &[number(0x02, 3), element(0x04, dn.as_bytes()), element(0x80, password.as_bytes())])
}

pub fn search(base: &str, scope: Scope, filter: &[u8], attributes: &[&str]) -> Vec<u8> {
    let attributes: Vec<_> = attributes.iter().map(|name| element(0x04, name.as_bytes())).collect();
    sequence(
        tag::SEARCH,
        &[
            element(0x04, base.as_bytes()),
            number(0x0a, scope as i32),
            number(0x0a, 0),
            number(0x02, 0),
            number(0x02, 0),
            element(0x01, &[0]),
            filter.to_vec(),
            sequence(0x30, &attributes),
        ],
    )
}

pub fn compare(dn: &str, attribute: &str, value: &[u8]) -> Vec<u8> {
    let assertion = sequence(0x30, &[element(0x04, attribute.as_bytes()), element(0x04, value)]);
    sequence(tag::COMPARE, &[element(0x04, dn.as_bytes()), assertion])
}

pub fn extended(oid: &str) -> Vec<u8> {
    sequence(tag::EXTENDED, &[element(0x80, oid.as_bytes())])
}

/// `(attribute=value)`
pub fn equal(attribute: &str, value: &str) -> Vec<u8> {
    sequence(0xa3, &[element(0x04, attribute.as_bytes()), element(0x04, value.as_bytes())])
}

/// `(attribute=*)`
pub fn present(attribute: &str) -> Vec<u8> {
    element(0x87, attribute.as_bytes())
}

/// How long the first message is, where its length is there already.
pub fn length_of_first(octets: &[u8]) -> Option<usize> {
    let short = usize::from(*octets.get(1)?);
    if short < 0x80 {
        return Some(2 + short);
    }
    let count = short & 0x7f;
    let long = octets.get(2..2 + count)?;
    Some(2 + count + long.iter().fold(0, |length, octet| length << 8 | usize::from(*octet)))
}

/// Elements one after the other.
#[derive(Debug, Clone, Copy)]
pub struct Elements<'a>(pub &'a [u8]);

impl<'a> Iterator for Elements<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let whole = length_of_first(self.0)?;
        let (first, rest) = (self.0.get(..whole)?, self.0.get(whole..)?);
        self.0 = rest;
        let count = usize::from(first[1]);
        let head = if count < 0x80 { 2 } else { 2 + (count & 0x7f) };
        Some((first[0], &first[head..]))
    }
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub id: i32,
    /// Of the operation.
    pub tag: u8,
    pub content: Vec<u8>,
}

/// RFC 4511 section 4.1.9.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub code: u32,
    pub matched: String,
    pub text: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub dn: String,
    pub attributes: Vec<(String, Vec<Vec<u8>>)>,
}

impl Answer {
    /// Of one whole message.
    pub fn read(octets: &[u8]) -> Option<Self> {
        let (_, message) = Elements(octets).next()?;
        let mut parts = Elements(message);
        let (_, id) = parts.next()?;
        let (tag, content) = parts.next()?;
        Some(Self { id: unsigned(id) as i32, tag, content: content.to_vec() })
    }

    pub fn outcome(&self) -> Option<Outcome> {
        if self.tag == tag::ENTRY {
            return None;
        }
        let mut parts = Elements(&self.content);
        let (_, code) = parts.next()?;
        let mut text = || Some(String::from_utf8_lossy(parts.next()?.1).into_owned());
        Some(Outcome { code: unsigned(code), matched: text()?, text: text()? })
    }

    pub fn entry(&self) -> Option<Entry> {
        if self.tag != tag::ENTRY {
            return None;
        }
        let mut parts = Elements(&self.content);
        let dn = String::from_utf8_lossy(parts.next()?.1).into_owned();
        let attributes = Elements(parts.next()?.1).filter_map(|(_, one)| {
            let mut parts = Elements(one);
            let name = String::from_utf8_lossy(parts.next()?.1).into_owned();
            Some((name, Elements(parts.next()?.1).map(|(_, value)| value.to_vec()).collect()))
        });
        Some(Entry { dn, attributes: attributes.collect() })
    }
}

impl Entry {
    /// Its values as text, none where it has no such attribute.
    pub fn values(&self, name: &str) -> Vec<String> {
        let of_name = self.attributes.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        of_name.flat_map(|(_, values)| values).map(|value| String::from_utf8_lossy(value).into_owned()).collect()
    }

    pub fn value(&self, name: &str) -> Option<String> {
        self.values(name).into_iter().next()
    }
}

fn unsigned(octets: &[u8]) -> u32 {
    octets.iter().fold(0, |value, octet| value << 8 | u32::from(*octet))
}
