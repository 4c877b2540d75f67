//! The query language (RFC 7644 section 3.4.2.2).
//!
//! A filter is bound to its attributes when it is read, so a wrong name, a wrong operator or a wrong value is told
//! before anything is looked at. Texts are compared by the attribute's `caseExact`, times as instants. `ne` is the
//! opposite of `eq`: it holds where no value is equal, and where there is none.

mod evaluate;
mod lexer;
mod lookup;
mod parse;

use serde_json::Number;
use time::OffsetDateTime;

pub use lookup::{Lookup, MembersAsked};

use crate::error::Fault;
use crate::path::Target;
use crate::schema::{Attribute, ResourceKind, Schemas};

/// In octets.
pub const LONGEST: usize = 4 * 1024;
/// How deep a filter may stand in itself.
pub const DEPTH: usize = 20;
/// Comparisons of one filter.
pub const TERMS: usize = 100;

#[derive(Debug, Clone, PartialEq)]
pub enum Filter<'s> {
    And(Vec<Filter<'s>>),
    Or(Vec<Filter<'s>>),
    Not(Box<Filter<'s>>),
    Compare {
        target: Target<'s>,
        operator: Operator,
        value: Literal,
    },
    Present(Target<'s>),
    /// An extension has values.
    Extended(String),
    /// One value of several for which all of this holds.
    Value {
        target: Target<'s>,
        inner: Box<Filter<'s>>,
    },
    /// An attribute that resources of this kind don't have, in a search over several kinds.
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operator {
    Eq,
    Ne,
    Co,
    Sw,
    Ew,
    Gt,
    Ge,
    Lt,
    Le,
}

/// What is compared with, in the attribute's own kind.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    Text {
        /// Folded where case does not count.
        compared: String,
        sent: String,
    },
    Bool(bool),
    Number(Number),
    Time(OffsetDateTime),
    /// RFC 7643 section 2.5: no value at all.
    Null,
}

/// What is done about an attribute that the kind of resource does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Strange {
    Refused,
    /// A search over several kinds.
    Absent,
}

impl<'s> Filter<'s> {
    /// Reads a filter over resources of one kind.
    ///
    /// # Errors
    /// `invalidFilter`; `sensitive` where it asks for a password.
    pub fn parse(text: &str, schemas: &'s Schemas, kind: ResourceKind, strange: Strange) -> Result<Self, Fault> {
        parse::filter(text, &parse::Scope::Resource { schemas, kind, strange })
    }

    /// Reads what stands in the brackets behind a multi-valued attribute.
    ///
    /// # Errors
    /// As [`Filter::parse`].
    pub(crate) fn parse_inner(text: &str, attribute: &'s Attribute) -> Result<Self, Fault> {
        parse::filter(text, &parse::Scope::Element(attribute))
    }
}

/// A text as it is compared where case does not count.
pub fn folded(text: &str) -> String {
    if text.is_ascii() { text.to_ascii_lowercase() } else { text.to_lowercase() }
}

/// The attribute whose values are compared: the part that is named, or the one that stands for the whole.
pub(crate) fn leaf<'s>(target: &Target<'s>) -> &'s Attribute {
    target.sub.or_else(|| target.attribute.default_sub()).unwrap_or(target.attribute)
}
