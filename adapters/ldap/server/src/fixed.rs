//! Entries that are everybody's: the root DSE and the subschema entry. They are neither people nor of a tenant's tree.

use std::cmp::Ordering;

use bytes::{Bytes, BytesMut};
use fedbridge_ldap_core::attribute::Description;
use fedbridge_ldap_core::matching::Rule;
use fedbridge_ldap_core::schema::{self, AttributeType};
use fedbridge_ldap_core::{Filter, Search};

use crate::engine::Truth;
use crate::entry::{partial_attribute, search_result_entry};

/// An entry of a few attributes that are in the schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fixed {
    dn: String,
    attributes: Vec<(&'static str, Vec<String>)>,
}

impl Fixed {
    /// Attributes without values are left out.
    pub fn new(dn: &str, mut attributes: Vec<(&'static str, Vec<String>)>) -> Self {
        attributes.retain(|(_, values)| !values.is_empty());
        Self { dn: dn.to_owned(), attributes }
    }

    /// The SearchResultEntry, where the filter fits.
    pub fn found(&self, search: &Search) -> Option<Bytes> {
        (self.test(&search.filter) == Truth::True).then(|| self.entry(&search.attributes, search.types_only))
    }

    fn entry(&self, wanted: &[String], types_only: bool) -> Bytes {
        let has = |word: &str| wanted.iter().any(|wanted| wanted == word);
        let (user, operational) = (wanted.is_empty() || has("*"), has("+"));
        let mut attributes = BytesMut::new();
        for (name, values) in &self.attributes {
            let is_operational = schema::attribute(name).is_none_or(AttributeType::is_operational);
            // Java's clients look for the base among all attributes of the root DSE, as Active Directory shows them.
            let is_usual = !is_operational || self.dn.is_empty();
            let is_named = wanted.iter().any(|wanted| Description::of(wanted).is(name));
            if is_named || (is_operational && operational) || (is_usual && user) {
                let values = values.iter().filter(|_| !types_only).map(String::as_bytes);
                partial_attribute(name, values, &mut attributes);
            }
        }
        search_result_entry(&self.dn, &attributes)
    }

    /// As deep as the filter, which was measured when it was read.
    fn test(&self, filter: &Filter) -> Truth {
        match filter {
            Filter::And(filters) => filters.iter().map(|filter| self.test(filter)).min().unwrap_or(Truth::True),
            Filter::Or(filters) => filters.iter().map(|filter| self.test(filter)).max().unwrap_or(Truth::False),
            Filter::Not(filter) => self.test(filter).not(),
            Filter::Present(attribute) => self.with(attribute, |_| Some(true)),
            Filter::Equal(attribute, value) | Filter::Approximately(attribute, value) => {
                self.values(attribute, AttributeType::equality, value, |rule, there, value| rule.holds(there, value))
            }
            Filter::AtLeast(attribute, value) => {
                self.values(attribute, AttributeType::ordering, value, |rule, there, value| {
                    rule.order(there, value).map(Ordering::is_ge)
                })
            }
            Filter::AtMost(attribute, value) => {
                self.values(attribute, AttributeType::ordering, value, |rule, there, value| {
                    rule.order(there, value).map(Ordering::is_le)
                })
            }
            Filter::Substrings(attribute, pieces) => {
                let rule = schema::attribute(attribute).and_then(AttributeType::substrings);
                let prepared = rule.and_then(|rule| Some((rule, rule.prepare_pieces(pieces)?)));
                let Some((rule, pieces)) = prepared else { return Truth::Undefined };
                self.with(attribute, |there| Some(pieces.are_in(&rule.prepare(there)?)))
            }
            // Nobody looks for them by such a rule.
            Filter::Extensible { .. } => Truth::Undefined,
        }
    }

    fn values(
        &self,
        attribute: &str,
        rule: fn(&AttributeType) -> Option<Rule>,
        value: &[u8],
        holds: fn(Rule, &[u8], &[u8]) -> Option<bool>,
    ) -> Truth {
        let rule = schema::attribute(attribute).and_then(rule);
        let prepared = rule.and_then(|rule| Some((rule, rule.prepare(value)?)));
        let Some((rule, value)) = prepared else { return Truth::Undefined };
        self.with(attribute, |there| holds(rule, &rule.prepare(there)?, &value))
    }

    fn with(&self, attribute: &str, passes: impl Fn(&[u8]) -> Option<bool>) -> Truth {
        if schema::attribute(attribute).is_none() {
            return Truth::Undefined;
        }
        let held = self.attributes.iter().filter(|(name, _)| Description::of(attribute).is(name));
        held.flat_map(|(_, values)| values).any(|value| passes(value.as_bytes()) == Some(true)).into()
    }
}
