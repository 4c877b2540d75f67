//! Attributes, object classes, matching rules and syntaxes (RFC 4512 section 4.1), as far as directories of people
//! have them.

mod attributes;
mod classes;
mod describe;
mod rules;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::matching::Rule;

pub use attributes::ATTRIBUTES;
pub use classes::CLASSES;
pub use describe::{attribute_types, ldap_syntaxes, matching_rules, object_classes};
pub use rules::{MATCHING_RULES, SYNTAXES};

/// Under RFC 2307 a group of numbers is a structural class, under RFC 2307bis it is beside one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PosixGroups {
    Rfc2307,
    Rfc2307bis,
}

#[derive(Debug, PartialEq, Eq)]
pub struct AttributeType {
    pub oid: &'static str,
    /// The first is the one that is shown.
    pub names: &'static [&'static str],
    pub description: &'static str,
    pub syntax: Syntax,
    /// Its supertype: a filter by that one is by all its subtypes.
    pub sup: Option<&'static str>,
    pub is_single: bool,
    pub usage: Usage,
    /// Whether clients may never change it.
    pub is_fixed: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usage {
    User,
    /// Shown on request only (RFC 3673).
    Operational,
    /// Of this server alone, and shown on request only.
    OfServer,
}

/// What values of an attribute are, and how they are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Syntax {
    /// In which capitals make no difference.
    Text,
    /// In which they do, and of which nobody asks for pieces.
    ExactText,
    /// ASCII, in which capitals make no difference.
    Ia5,
    ExactIa5,
    /// The same, of which nobody asks for pieces: RFC 2307 section 2.1 gives such attributes no rule for that.
    WholeExactIa5,
    /// ASCII that can't be searched for.
    Ia5Alone,
    Telephone,
    /// Digits and spaces.
    Numeric,
    Number,
    Truth,
    Time,
    Name,
    NameAndUid,
    Uuid,
    Oid,
    /// Octets that can be compared.
    Octets,
    /// Octets that can't.
    OpaqueOctets,
    Certificate,
    /// Lines with `$` between them.
    Postal,
    Country,
    /// One whose values are never compared, by its OID.
    Other(&'static str),
}

impl AttributeType {
    pub fn name(&self) -> &'static str {
        self.names.first().copied().unwrap_or(self.oid)
    }

    /// `None`: its values can't be told apart, and a filter by one is undefined.
    pub fn equality(&self) -> Option<Rule> {
        Some(match self.syntax {
            Syntax::Text | Syntax::Postal | Syntax::Country => Rule::CaseIgnore,
            Syntax::ExactText => Rule::CaseExact,
            Syntax::Ia5 => Rule::CaseIgnoreIa5,
            Syntax::ExactIa5 | Syntax::WholeExactIa5 => Rule::CaseExactIa5,
            Syntax::Telephone => Rule::TelephoneNumber,
            Syntax::Numeric => Rule::NumericString,
            Syntax::Number => Rule::Integer,
            Syntax::Truth => Rule::Boolean,
            Syntax::Time => Rule::GeneralizedTime,
            Syntax::Name => Rule::DistinguishedName,
            Syntax::NameAndUid => Rule::UniqueMember,
            Syntax::Uuid => Rule::Uuid,
            Syntax::Oid => Rule::ObjectIdentifier,
            Syntax::Octets => Rule::OctetString,
            Syntax::Ia5Alone | Syntax::OpaqueOctets | Syntax::Certificate | Syntax::Other(_) => return None,
        })
    }

    /// The rule for `>=` and `<=`.
    pub fn ordering(&self) -> Option<Rule> {
        match self.syntax {
            Syntax::Number | Syntax::Time | Syntax::Uuid => self.equality(),
            _ => None,
        }
    }

    /// The rule for pieces of values.
    pub fn substrings(&self) -> Option<Rule> {
        match self.syntax {
            Syntax::Text | Syntax::Ia5 | Syntax::ExactIa5 => self.equality(),
            Syntax::Telephone | Syntax::Numeric | Syntax::Postal | Syntax::Country => self.equality(),
            _ => None,
        }
    }

    pub fn is_operational(&self) -> bool {
        self.usage != Usage::User
    }

    /// Whether it is `other` or one of its subtypes.
    pub fn is_a(&self, other: &AttributeType) -> bool {
        let sup = || attribute(self.sup?);
        std::ptr::eq(self, other) || sup().is_some_and(|sup| sup.is_a(other))
    }
}

#[derive(Debug, PartialEq, Eq)]
pub struct ObjectClass {
    pub oid: &'static str,
    pub names: &'static [&'static str],
    pub description: &'static str,
    pub sup: &'static str,
    pub kind: Kind,
    pub must: &'static [&'static str],
    pub may: &'static [&'static str],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Abstract,
    Structural,
    Auxiliary,
}

impl ObjectClass {
    pub fn name(&self) -> &'static str {
        self.names.first().copied().unwrap_or(self.oid)
    }
}

/// A matching rule that is described. Not all are computed: see [`Rule`].
#[derive(Debug, PartialEq, Eq)]
pub struct MatchingRule {
    pub oid: &'static str,
    pub name: &'static str,
    pub syntax: &'static str,
    /// `None` for the ordering and substring rules, which are never named in filters here.
    pub rule: Option<Rule>,
}

/// By a name of it or its OID, in any case, without options.
pub fn attribute(name: &str) -> Option<&'static AttributeType> {
    static BY_NAME: LazyLock<HashMap<String, &'static AttributeType>> = LazyLock::new(|| {
        let all = ATTRIBUTES.iter().flat_map(|known| {
            known.names.iter().chain([&known.oid]).map(move |name| (name.to_ascii_lowercase(), known))
        });
        all.collect()
    });
    folded(name, |name| BY_NAME.get(name).copied())
}

/// By a name of it or its OID, in any case.
pub fn object_class(name: &str) -> Option<&'static ObjectClass> {
    static BY_NAME: LazyLock<HashMap<String, &'static ObjectClass>> = LazyLock::new(|| {
        let all = CLASSES.iter().flat_map(|known| {
            known.names.iter().chain([&known.oid]).map(move |name| (name.to_ascii_lowercase(), known))
        });
        all.collect()
    });
    folded(name, |name| BY_NAME.get(name).copied())
}

/// No name that is known is longer.
const LONGEST: usize = 64;

/// Asks with the name in lower case, which takes no memory.
fn folded<T>(name: &str, ask: impl Fn(&str) -> Option<T>) -> Option<T> {
    let mut octets = [0; LONGEST];
    let octets = octets.get_mut(..name.len())?;
    octets.copy_from_slice(name.as_bytes());
    octets.make_ascii_lowercase();
    ask(std::str::from_utf8(octets).ok()?)
}
