//! Filters with places for what somebody typed.

use bytes::Bytes;

use super::parse::{self, Fault, Values};
use super::{Filter, Substrings};

/// In a marked value it stands before the number of a placeholder (from 1), and, doubled, for itself. No marked
/// value leaves this file.
const MARK: u8 = 0;

/// A filter whose values may hold placeholders such as `{username}`. A brace that is meant is written as
/// `\7b` or `\7d`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterTemplate {
    marked: Filter,
    placeholders: Vec<Placeholder>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Placeholder {
    name: String,
    used: bool,
}

impl FilterTemplate {
    /// `known`: the names that a placeholder may have; of more than 200 the rest is not known.
    ///
    /// # Errors
    /// The place of the fault, in octets, and what it is.
    pub fn parse(text: &str, known: &[&str]) -> Result<Self, (usize, String)> {
        let placeholders = known.iter().take(200).map(|name| Placeholder { name: (*name).to_owned(), used: false });
        let mut values = Marking { placeholders: placeholders.collect() };
        let marked = parse::filter_of(text, &mut values)?;
        Ok(Self { marked, placeholders: values.placeholders })
    }

    /// Puts the octets of the values in the places of their names. A name without a value is nothing.
    pub fn fill(&self, values: &[(&str, &str)]) -> Filter {
        let value = |placeholder: &Placeholder| {
            let found = values.iter().find(|(name, _)| *name == placeholder.name);
            found.map_or(&b""[..], |(_, value)| value.as_bytes())
        };
        let values: Vec<_> = self.placeholders.iter().map(value).collect();
        rebuild(&self.marked, &values)
    }

    /// Whether a placeholder of this name stands in it.
    pub fn uses(&self, name: &str) -> bool {
        self.placeholders.iter().any(|placeholder| placeholder.used && placeholder.name == name)
    }
}

struct Marking {
    placeholders: Vec<Placeholder>,
}

impl Values for Marking {
    type Why = String;

    fn value(&mut self, raw: &[u8], at: usize) -> Result<Bytes, Fault<String>> {
        let mut octets = Vec::with_capacity(raw.len());
        let mut place = 0;
        while let Some((octet, length)) = parse::octet(raw, place).map_err(|why| (at + place, why.to_owned()))? {
            match (octet, length) {
                // A brace that is escaped takes three octets.
                (b'{', 1) => {
                    let (number, length) = self.placeholder(&raw[place..]).map_err(|why| (at + place, why))?;
                    octets.extend([MARK, number]);
                    place += length;
                    continue;
                }
                (b'}', 1) => return Err((at + place, "a } without a {; where it is meant, write \\7d".to_owned())),
                (MARK, _) => octets.extend([MARK, MARK]),
                _ => octets.push(octet),
            }
            place += length;
        }
        Ok(octets.into())
    }
}

impl Marking {
    /// The number of the placeholder that `raw` begins with, and the octets that it takes.
    fn placeholder(&mut self, raw: &[u8]) -> Result<(u8, usize), String> {
        let Some(end) = raw.iter().position(|octet| *octet == b'}') else {
            return Err("a { without its }; where it is meant, write \\7b".to_owned());
        };
        let name = String::from_utf8_lossy(&raw[1..end]);
        for (number, placeholder) in (1..).zip(&mut self.placeholders) {
            if placeholder.name == name {
                placeholder.used = true;
                return Ok((number, end + 1));
            }
        }
        let known: Vec<_> = self.placeholders.iter().map(|placeholder| format!("{{{}}}", placeholder.name)).collect();
        Err(format!("{{{}}} is no placeholder; known are {}", name.escape_debug(), known.join(", ")))
    }
}

fn rebuild(marked: &Filter, values: &[&[u8]]) -> Filter {
    let value = |octets: &Bytes| filled(octets, values);
    match marked {
        Filter::And(filters) => Filter::And(filters.iter().map(|filter| rebuild(filter, values)).collect()),
        Filter::Or(filters) => Filter::Or(filters.iter().map(|filter| rebuild(filter, values)).collect()),
        Filter::Not(filter) => Filter::Not(Box::new(rebuild(filter, values))),
        Filter::Equal(name, octets) => Filter::Equal(name.clone(), value(octets)),
        Filter::AtLeast(name, octets) => Filter::AtLeast(name.clone(), value(octets)),
        Filter::AtMost(name, octets) => Filter::AtMost(name.clone(), value(octets)),
        Filter::Approximately(name, octets) => Filter::Approximately(name.clone(), value(octets)),
        Filter::Present(name) => Filter::Present(name.clone()),
        Filter::Substrings(name, Substrings { first, any, last }) => {
            let any = any.iter().map(value).collect();
            let pieces = Substrings { first: first.as_ref().map(value), any, last: last.as_ref().map(value) };
            Filter::Substrings(name.clone(), pieces)
        }
        Filter::Extensible { rule, attribute, value: octets, dn_attributes } => {
            let (rule, attribute) = (rule.clone(), attribute.clone());
            Filter::Extensible { rule, attribute, value: value(octets), dn_attributes: *dn_attributes }
        }
    }
}

fn filled(marked: &Bytes, values: &[&[u8]]) -> Bytes {
    if !marked.contains(&MARK) {
        return marked.clone();
    }
    let mut octets = Vec::with_capacity(marked.len() + 32);
    let mut left = marked.iter().copied();
    while let Some(octet) = left.next() {
        match (octet, if octet == MARK { left.next() } else { None }) {
            (MARK, Some(number)) if number != MARK => {
                octets.extend_from_slice(values.get(usize::from(number) - 1).copied().unwrap_or_default());
            }
            _ => octets.push(octet),
        }
    }
    octets.into()
}
