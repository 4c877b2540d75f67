//! Distinguished names (RFC 4514), compared as the schema compares their values.

mod escape;
mod parse;

use std::borrow::Cow;

use crate::matching::Rule;
use crate::schema;

pub use escape::escape;

/// A name in the form in which it is compared. For names as they were written there is [`split`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Dn {
    /// From the entry up to the root. The parts of one that has several are in order, each once.
    pub rdns: Vec<Vec<Ava>>,
}

/// An attribute and its value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ava {
    /// In lower case; the schema's first name where it has several; an OID where there is no name.
    pub attribute: Cow<'static, str>,
    /// Prepared.
    pub value: Vec<u8>,
}

impl Dn {
    /// # Errors
    /// The place of the fault, in octets.
    pub fn parse(text: &str) -> Result<Self, usize> {
        let rdns = split(text)?.into_iter().map(|rdn| {
            let mut avas: Vec<_> = rdn.avas.iter().map(Ava::of).collect();
            avas.sort_unstable();
            avas.dedup();
            avas
        });
        Ok(Self { rdns: rdns.collect() })
    }

    /// Whether it is `base`, or anywhere below.
    pub fn is_under(&self, base: &Dn) -> bool {
        self.rdns.ends_with(&base.rdns)
    }

    /// How many levels below `base`; zero for the base itself.
    pub fn depth_under(&self, base: &Dn) -> Option<usize> {
        self.is_under(base).then(|| self.rdns.len() - base.rdns.len())
    }

    /// `None`: it is the root.
    pub fn parent(&self) -> Option<Dn> {
        self.rdns.split_first().map(|(_, above)| Dn { rdns: above.to_vec() })
    }

    pub fn is_root(&self) -> bool {
        self.rdns.is_empty()
    }

    /// One text for all ways to write the name: a key for maps.
    pub fn normalized(&self) -> String {
        let mut into = String::new();
        for (at, rdn) in self.rdns.iter().enumerate() {
            for (part, ava) in rdn.iter().enumerate() {
                if part > 0 {
                    into.push('+');
                } else if at > 0 {
                    into.push(',');
                }
                into.push_str(&ava.attribute);
                into.push('=');
                into.push_str(&escape(&ava.value));
            }
        }
        into
    }

    /// A value as it stands in a name (RFC 4514 section 2.4).
    pub fn escape(value: &[u8]) -> String {
        escape(value)
    }
}

impl Ava {
    fn of(written: &Written<'_>) -> Self {
        let known = schema::attribute(written.attribute);
        let attribute = match known.map(|known| known.name()) {
            Some(name) if !name.bytes().any(|octet| octet.is_ascii_uppercase()) => Cow::Borrowed(name),
            name => Cow::Owned(name.unwrap_or(written.attribute).to_ascii_lowercase()),
        };
        // Names that are values of names would make this recurse: they are compared as text.
        let rule = known.and_then(|known| known.equality()).filter(|rule| !rule.is_of_names());
        let rule = rule.unwrap_or(Rule::CaseIgnore);
        let value = rule.prepare(&written.value).unwrap_or(Cow::Borrowed(&written.value)).into_owned();
        Self { attribute, value }
    }
}

/// A part of a name as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rdn<'t> {
    /// Where it begins and ends in the text.
    pub place: std::ops::Range<usize>,
    pub avas: Vec<Written<'t>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written<'t> {
    pub attribute: &'t str,
    /// Without its escapes.
    pub value: Cow<'t, [u8]>,
}

/// Takes a name apart, from the entry up.
///
/// # Errors
/// The place of the fault, in octets.
pub fn split(text: &str) -> Result<Vec<Rdn<'_>>, usize> {
    parse::rdns(text)
}

/// The part of a name that stands before `base`, as it was written: empty for the base itself. `None`: it is no
/// name, or not below the base.
pub fn relative<'t>(text: &'t str, base: &Dn) -> Option<&'t str> {
    let levels = Dn::parse(text).ok()?.depth_under(base)?;
    let Some(last) = levels.checked_sub(1) else { return Some("") };
    let rdns = split(text).ok()?;
    text.get(rdns.first()?.place.start..rdns.get(last)?.place.end)
}

#[cfg(test)]
mod tests;
