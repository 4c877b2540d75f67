//! A client's filter for an upstream: what the view denies is taken out, and names of the subtree are moved.

use std::borrow::Cow;
use std::collections::HashSet;

use bytes::Bytes;
use fedbridge_ldap_core::Filter;
use fedbridge_ldap_core::attribute::Description;

use crate::pass::Subtree;

/// What says nothing but which entry it is, and of what kind.
const ALWAYS: &[&str] = &["objectClass", "entryUUID", "entryDN", "structuralObjectClass", "hasSubordinates"];

/// What is never passed, whatever a view says.
const NEVER: &[&str] = &[
    "userPassword",
    "unicodePwd",
    "userPKCS12",
    "ms-Mcs-AdmPwd",
    "sambaNTPassword",
    "sambaLMPassword",
    "krbPrincipalKey",
];

/// Attributes that a view allows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names(Option<HashSet<String>>);

impl Names {
    pub fn all() -> Self {
        Self(None)
    }

    pub fn of(names: &[String]) -> Self {
        Self(Some(names.iter().map(|name| folded(name)).collect()))
    }

    /// Whether an attribute is allowed, whatever its options.
    pub fn has(&self, description: &str) -> bool {
        let is_one_of = |names: &[&str]| names.iter().any(|name| Description::of(description).is(name));
        !is_one_of(NEVER)
            && match &self.0 {
                None => true,
                Some(names) => names.contains(&folded(Description::of(description).base)) || is_one_of(ALWAYS),
            }
    }

    /// What to ask the upstream for, where a client wants these.
    pub fn wanted(&self, wanted: &[String]) -> Vec<String> {
        let Some(names) = &self.0 else { return wanted.to_vec() };
        let has = |word: &str| wanted.iter().any(|wanted| wanted == word);
        let mut asked: Vec<String> = wanted.iter().filter(|name| self.has(name)).cloned().collect();
        if wanted.is_empty() || has("*") {
            asked.extend(names.iter().cloned().chain(["objectClass".to_owned()]));
        } else if has("+") {
            asked.extend(names.iter().cloned());
        }
        if has("+") {
            asked.extend(ALWAYS.iter().map(|name| (*name).to_owned()));
        }
        asked.retain(|name| !matches!(&name[..], "*" | "+"));
        asked.sort_unstable();
        asked.dedup();
        if asked.is_empty() { vec!["1.1".to_owned()] } else { asked }
    }
}

/// The schema's name where it has one: all names of an attribute are one.
fn folded(name: &str) -> String {
    Description::of(name).known().map_or(name, |kind| kind.name()).to_ascii_lowercase()
}

/// A filter without what is denied.
#[derive(Debug, Clone, PartialEq)]
pub enum Folded {
    True,
    False,
    Filter(Filter),
}

/// What is denied is undefined. Entries are found where the whole is true, so what is undefined may stand as false, or
/// below a "not" as true: neither makes the whole true where it was not, nor the other way round.
pub fn fold(filter: &Filter, names: &Names, subtree: &Subtree) -> Folded {
    Folding { names, subtree }.fold(filter, false)
}

struct Folding<'a> {
    names: &'a Names,
    subtree: &'a Subtree,
}

impl Folding<'_> {
    /// As deep as the filter, which was measured when it was read.
    fn fold(&self, filter: &Filter, is_negated: bool) -> Folded {
        let value = |attribute: &str, value: &Bytes| match self.subtree.value_to_there(attribute, value) {
            Cow::Borrowed(_) => value.clone(),
            Cow::Owned(moved) => moved.into(),
        };
        let filter = match filter {
            Filter::And(filters) => {
                return self.several(filters, is_negated, (Folded::True, Folded::False), Filter::And);
            }
            Filter::Or(filters) => return self.several(filters, is_negated, (Folded::False, Folded::True), Filter::Or),
            Filter::Not(filter) => {
                return match self.fold(filter, !is_negated) {
                    Folded::True => Folded::False,
                    Folded::False => Folded::True,
                    Folded::Filter(filter) => Folded::Filter(Filter::Not(Box::new(filter))),
                };
            }
            Filter::Equal(name, assertion) => {
                self.allowed(name).map(|allowed| Filter::Equal(allowed, value(name, assertion)))
            }
            Filter::AtLeast(name, assertion) => self.allowed(name).map(|name| Filter::AtLeast(name, assertion.clone())),
            Filter::AtMost(name, assertion) => self.allowed(name).map(|name| Filter::AtMost(name, assertion.clone())),
            Filter::Approximately(name, assertion) => {
                self.allowed(name).map(|name| Filter::Approximately(name, assertion.clone()))
            }
            Filter::Present(name) => self.allowed(name).map(Filter::Present),
            Filter::Substrings(name, pieces) => self.allowed(name).map(|name| Filter::Substrings(name, pieces.clone())),
            Filter::Extensible { rule, attribute: Some(name), value: assertion, dn_attributes: false } => {
                self.allowed(name).map(|attribute| Filter::Extensible {
                    rule: rule.clone(),
                    value: value(name, assertion),
                    attribute: Some(attribute),
                    dn_attributes: false,
                })
            }
            // It would ask attributes that it does not name.
            Filter::Extensible { .. } => None,
        };
        match filter {
            Some(filter) => Folded::Filter(filter),
            None if is_negated => Folded::True,
            None => Folded::False,
        }
    }

    /// `(neutral, deciding)`: what of the parts is left out, and what makes the whole.
    fn several(
        &self,
        filters: &[Filter],
        is_negated: bool,
        (neutral, deciding): (Folded, Folded),
        make: fn(Vec<Filter>) -> Filter,
    ) -> Folded {
        let mut parts = Vec::with_capacity(filters.len());
        for filter in filters {
            match self.fold(filter, is_negated) {
                Folded::Filter(filter) => parts.push(filter),
                folded if folded == deciding => return deciding,
                _ => {}
            }
        }
        if parts.is_empty() { neutral } else { Folded::Filter(make(parts)) }
    }

    fn allowed(&self, name: &str) -> Option<String> {
        self.names.has(name).then(|| name.to_owned())
    }
}
