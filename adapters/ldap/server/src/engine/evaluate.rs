//! Filters in three values (RFC 4511 section 4.5.1.7): true, false, and what can't be told.

use bytes::Bytes;
use fedbridge_ldap_core::matching::{Pieces, Rule};

use super::node::{Node, is_at_hand};
use crate::access::Reader;
use crate::catalogue::AttributeId;
use crate::tree::Place;

/// In the order in which "and" takes the least and "or" the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Truth {
    False,
    Undefined,
    True,
}

impl Truth {
    pub fn not(self) -> Self {
        match self {
            Self::False => Self::True,
            Self::Undefined => Self::Undefined,
            Self::True => Self::False,
        }
    }
}

impl From<bool> for Truth {
    fn from(is: bool) -> Self {
        if is { Self::True } else { Self::False }
    }
}

/// A filter for one kind of entry.
#[derive(Debug, Clone, PartialEq)]
pub enum Test {
    Is(Truth),
    All(Vec<Test>),
    Any(Vec<Test>),
    Not(Box<Test>),
    /// One of these attributes has a value that passes.
    Has(Vec<AttributeId>, Check),
    /// The person is in this group.
    InGroup(u32),
    /// The group has this person.
    Holds(u32),
    /// It is this entry.
    At(Place),
}

/// What is asked of a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Check {
    Present,
    /// Prepared by the attribute's own rule.
    Equal(Bytes),
    Pieces(Pieces),
    AtLeast(Rule, Bytes),
    AtMost(Rule, Bytes),
    /// By a rule that the filter names.
    By(Rule, Bytes),
}

impl Test {
    /// How many parts it has, itself among them.
    pub fn size(&self) -> u32 {
        match self {
            Self::All(tests) | Self::Any(tests) => {
                tests.iter().fold(1, |sum: u32, test| sum.saturating_add(test.size()))
            }
            Self::Not(test) => test.size().saturating_add(1),
            _ => 1,
        }
    }

    /// Whether it asks of a person what is not kept of everybody.
    pub fn needs_the_whole(&self) -> bool {
        match self {
            Self::All(tests) | Self::Any(tests) => tests.iter().any(Self::needs_the_whole),
            Self::Not(test) => test.needs_the_whole(),
            Self::Has(ids, _) => !ids.iter().all(|id| is_at_hand(*id)),
            Self::Is(_) | Self::InGroup(_) | Self::Holds(_) | Self::At(_) => false,
        }
    }

    /// Whether it can be true of a person of whom only that much is here.
    pub fn can_be_true(&self, node: Node<'_>, reader: &Reader<'_>) -> bool {
        match self {
            Self::All(tests) => tests.iter().all(|test| test.can_be_true(node, reader)),
            Self::Any(tests) => tests.iter().any(|test| test.can_be_true(node, reader)),
            test => test.needs_the_whole() || test.of(node, reader) == Truth::True,
        }
    }

    pub fn of(&self, node: Node<'_>, reader: &Reader<'_>) -> Truth {
        match self {
            Self::Is(truth) => *truth,
            Self::All(tests) => {
                let mut least = Truth::True;
                for test in tests {
                    least = least.min(test.of(node, reader));
                    if least == Truth::False {
                        break;
                    }
                }
                least
            }
            Self::Any(tests) => {
                let mut greatest = Truth::False;
                for test in tests {
                    greatest = greatest.max(test.of(node, reader));
                    if greatest == Truth::True {
                        break;
                    }
                }
                greatest
            }
            Self::Not(test) => test.of(node, reader).not(),
            Self::Has(ids, check) => ids.iter().any(|id| check.passes(*id, node, reader)).into(),
            Self::InGroup(group) => matches!(node, Node::Person(_, person) if person.is_in(*group)).into(),
            Self::Holds(place) => node.is_with(*place).into(),
            Self::At(place) => (node.place() == *place).into(),
        }
    }
}

impl Check {
    fn passes(&self, id: AttributeId, node: Node<'_>, reader: &Reader<'_>) -> bool {
        if *self == Self::Present {
            return node.has(id, reader);
        }
        if let Self::By(rule, assertion) = self {
            return node.each_value(id, reader, &mut |value| {
                rule.prepare(value).is_some_and(|value| rule.holds(&value, assertion) == Some(true))
            });
        }
        // What is kept is prepared already.
        if let Some(held) = node.held(id) {
            return held.prepared().any(|value| self.holds(value));
        }
        let Some(rule) = reader.index.catalogue.rule(id) else { return false };
        node.each_value(id, reader, &mut |value| rule.prepare(value).is_some_and(|value| self.holds(&value)))
    }

    /// Of a prepared value.
    fn holds(&self, value: &[u8]) -> bool {
        match self {
            Self::Present => true,
            Self::Equal(assertion) => value == &assertion[..],
            Self::Pieces(pieces) => pieces.are_in(value),
            Self::AtLeast(rule, assertion) => rule.order(value, assertion).is_some_and(std::cmp::Ordering::is_ge),
            Self::AtMost(rule, assertion) => rule.order(value, assertion).is_some_and(std::cmp::Ordering::is_le),
            Self::By(rule, assertion) => rule.holds(value, assertion) == Some(true),
        }
    }
}
