//! What the protocol says (RFC 4511 section 4).

mod read;
mod tags;
#[cfg(test)]
mod tests;
mod write;

use std::fmt;

use bytes::{Bytes, BytesMut};

use crate::attribute::Description;
use crate::control::Control;
use crate::filter::Filter;
use crate::frame::{Frame, envelope};
use crate::guard::Malformed;
use crate::result::LdapResult;

/// A message of either side.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    /// From 1 to 2^31 - 1; zero only for what a server says unasked (section 4.4).
    pub id: i32,
    pub op: Op,
    pub controls: Vec<Control>,
}

impl Message {
    /// # Errors
    /// The octets are BER, but no message; or one of an operation that nobody knows.
    pub fn read(frame: &Frame) -> Result<Self, Unreadable> {
        read::message(frame)
    }

    pub fn write(&self, into: &mut BytesMut) {
        envelope(self.id, &self.op.octets(), &self.controls, into);
    }
}

/// A message that could not be read, with what is known of it: enough to refuse it by `protocolError`, or
/// else by a notice of disconnection (section 4.1.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unreadable {
    pub id: Option<i32>,
    /// The identifier octet of the operation.
    pub op: Option<u8>,
    pub why: Malformed,
}

impl Unreadable {
    /// Number and form of the answer, where the operation is one that has an answer.
    pub fn answer(&self, result: LdapResult) -> Option<(i32, Op)> {
        Some((self.id?, tags::answer(self.op?, result)?))
    }
}

/// An operation or an answer.
#[derive(Clone, PartialEq)]
pub enum Op {
    Bind {
        version: i64,
        name: String,
        auth: Auth,
    },
    Unbind,
    Search(Search),
    Compare {
        dn: String,
        attribute: String,
        value: Bytes,
    },
    Abandon(i32),
    Extended {
        oid: String,
        value: Option<Bytes>,
    },
    /// Modify, add, delete and rename. `body` is the whole content of the request, the DN in it included.
    Write {
        kind: Write,
        dn: String,
        body: Bytes,
    },
    BindDone {
        result: LdapResult,
        sasl: Option<Bytes>,
    },
    Entry(Entry),
    Reference(Vec<String>),
    Done {
        of: Done,
        result: LdapResult,
    },
    ExtendedDone {
        result: LdapResult,
        oid: Option<String>,
        value: Option<Bytes>,
    },
    Intermediate {
        oid: Option<String>,
        value: Option<Bytes>,
    },
}

impl Op {
    /// The octets of the operation without a message around them: what [`envelope`] takes.
    pub fn octets(&self) -> Bytes {
        write::op(self)
    }

    /// Replaces, adds and deletes values (section 4.6).
    pub fn modify(dn: &str, changes: &[Change<'_>]) -> Self {
        write::modify(dn, changes)
    }
}

/// One change of a [`Op::modify`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change<'a> {
    Add(&'a str, &'a [&'a [u8]]),
    /// No values: all of them.
    Delete(&'a str, &'a [&'a [u8]]),
    Replace(&'a str, &'a [&'a [u8]]),
}

#[derive(Clone, PartialEq, Eq)]
pub enum Auth {
    Simple(Bytes),
    Sasl {
        mechanism: String,
        credentials: Option<Bytes>,
    },
    /// A way that nobody knows any more: its identifier octet.
    Other(u8),
}

/// What changes a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Write {
    Modify,
    Add,
    Delete,
    Rename,
}

/// What an answer without fields of its own is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    Search,
    Modify,
    Add,
    Delete,
    Rename,
    Compare,
}

impl From<Write> for Done {
    fn from(kind: Write) -> Self {
        match kind {
            Write::Modify => Self::Modify,
            Write::Add => Self::Add,
            Write::Delete => Self::Delete,
            Write::Rename => Self::Rename,
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub struct Search {
    pub base: String,
    pub scope: Scope,
    /// When aliases are followed: from 0, never, to 3, always.
    pub aliases: u8,
    /// Entries; zero: as many as there are.
    pub size: u32,
    /// Seconds; zero: as long as it takes.
    pub time: u32,
    pub types_only: bool,
    pub filter: Filter,
    /// As they came: names, options, `*`, `+`, `1.1`.
    pub attributes: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    Base,
    One,
    Sub,
    /// Below the base, without it (draft-sermersheim-ldap-subordinate-scope).
    Subordinate,
}

impl Scope {
    pub fn of(number: i64) -> Option<Self> {
        Some(match number {
            0 => Self::Base,
            1 => Self::One,
            2 => Self::Sub,
            3 => Self::Subordinate,
            _ => return None,
        })
    }

    pub fn number(self) -> u8 {
        match self {
            Self::Base => 0,
            Self::One => 1,
            Self::Sub => 2,
            Self::Subordinate => 3,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub dn: String,
    /// Attribute descriptions as they came, with their values.
    pub attributes: Vec<(String, Vec<Bytes>)>,
}

impl Entry {
    /// The values of an attribute, by its name without options; of several with options all of them.
    pub fn values<'s>(&'s self, name: &str) -> impl Iterator<Item = &'s Bytes> {
        let is_it = move |(description, _): &&(String, _)| Description::of(description).base.eq_ignore_ascii_case(name);
        self.attributes.iter().filter(is_it).flat_map(|(_, values)| values)
    }

    /// The first value of an attribute that is UTF-8.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values(name).find_map(|value| std::str::from_utf8(value).ok())
    }
}

/// Secrets stand in binds, in extended operations and in changes: how many octets is all that is said.
impl fmt::Debug for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hidden = |value: &Option<Bytes>| value.as_ref().map(Bytes::len);
        match self {
            Self::Bind { version, name, auth } => {
                let mut it = f.debug_struct("Bind");
                it.field("version", version).field("name", name).field("auth", auth).finish()
            }
            Self::Unbind => f.write_str("Unbind"),
            Self::Search(search) => f.debug_tuple("Search").field(search).finish(),
            Self::Compare { dn, attribute, value } => {
                let mut it = f.debug_struct("Compare");
                it.field("dn", dn).field("attribute", attribute).field("octets", &value.len()).finish()
            }
            Self::Abandon(id) => f.debug_tuple("Abandon").field(id).finish(),
            Self::Extended { oid, value } => {
                f.debug_struct("Extended").field("oid", oid).field("octets", &hidden(value)).finish()
            }
            Self::Write { kind, dn, body } => {
                let mut it = f.debug_struct("Write");
                it.field("kind", kind).field("dn", dn).field("octets", &body.len()).finish()
            }
            Self::BindDone { result, sasl } => {
                f.debug_struct("BindDone").field("result", result).field("octets", &hidden(sasl)).finish()
            }
            Self::Entry(entry) => f.debug_tuple("Entry").field(entry).finish(),
            Self::Reference(uris) => f.debug_tuple("Reference").field(uris).finish(),
            Self::Done { of, result } => f.debug_struct("Done").field("of", of).field("result", result).finish(),
            Self::ExtendedDone { result, oid, value } => {
                let mut it = f.debug_struct("ExtendedDone");
                it.field("result", result).field("oid", oid).field("octets", &hidden(value)).finish()
            }
            Self::Intermediate { oid, value } => {
                f.debug_struct("Intermediate").field("oid", oid).field("octets", &hidden(value)).finish()
            }
        }
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Simple(password) => write!(f, "Simple({} octets)", password.len()),
            Self::Sasl { mechanism, .. } => write!(f, "Sasl({mechanism})"),
            Self::Other(tag) => write!(f, "Other({tag:#04x})"),
        }
    }
}
