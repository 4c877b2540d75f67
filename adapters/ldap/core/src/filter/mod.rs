//! Filters of searches (RFC 4511 section 4.5.1.7, RFC 4515, RFC 4526).
//!
//! A value goes into a filter as octets, never as text: nobody's name can become a filter of its own.

mod encoding;
mod parse;
mod print;
mod template;

use bytes::Bytes;

use crate::ber::Tree;
use crate::guard::Malformed;

pub use template::FilterTemplate;

/// The most filters within each other.
pub const DEEPEST: usize = 64;

/// A filter of at most [`DEEPEST`] levels, which both ways to make one out of foreign input hold.
/// Attribute descriptions are as they came: with options, in any case, or no attribute at all.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Filter {
    /// Of no filters: true (RFC 4526).
    And(Vec<Filter>),
    /// Of no filters: false.
    Or(Vec<Filter>),
    Not(Box<Filter>),
    Equal(String, Bytes),
    Substrings(String, Substrings),
    AtLeast(String, Bytes),
    AtMost(String, Bytes),
    Present(String),
    Approximately(String, Bytes),
    Extensible {
        rule: Option<String>,
        attribute: Option<String>,
        value: Bytes,
        dn_attributes: bool,
    },
}

/// At least one piece; none of those that were read is empty.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Substrings {
    pub first: Option<Bytes>,
    pub any: Vec<Bytes>,
    pub last: Option<Bytes>,
}

impl Filter {
    /// RFC 4515. White space around filters is let through, for they are written by hand.
    ///
    /// # Errors
    /// The place of the fault, in octets, and what it is.
    pub fn parse(text: &str) -> Result<Self, (usize, &'static str)> {
        parse::filter(text)
    }

    /// RFC 4515, which [`Self::parse`] reads again. Octets of values that are not plain text are escaped, and so is
    /// all in a name that belongs in none.
    pub fn print(&self) -> String {
        print::filter(self)
    }

    /// The same without values: `(&(objectClass=?)(uid=?))`. The pieces of substrings are a `?` each.
    pub fn shape(&self) -> String {
        print::shape(self)
    }

    /// The octets of a Filter as they stand in a search.
    pub fn encode(&self) -> Bytes {
        self.tree().to_bytes()
    }

    /// # Errors
    /// The octets are no Filter.
    pub fn decode(octets: &[u8]) -> Result<Self, Malformed> {
        Self::read(Tree::of_value(octets)?)
    }

    pub(crate) fn read(tree: Tree) -> Result<Self, Malformed> {
        encoding::read(tree, DEEPEST)
    }

    pub(crate) fn tree(&self) -> Tree {
        encoding::tree(self)
    }
}

#[cfg(test)]
mod tests;
