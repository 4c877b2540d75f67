//! Extensions that an administrator describes (RFC 7643 section 3.3).

use super::attribute::{Attribute, Kind};
use super::{ResourceKind, Schema};

/// A schema of an administrator's own.
#[derive(Debug, Clone, PartialEq)]
pub struct ExtensionSpec {
    pub of: ResourceKind,
    pub urn: String,
    pub attributes: Vec<ExtensionAttribute>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ExtensionAttribute {
    pub name: String,
    /// Complex ones have no sub-attributes of their own here, so they are none.
    pub kind: Kind,
    pub multi_valued: bool,
    pub required: bool,
    pub case_exact: bool,
}

impl ExtensionSpec {
    /// # Errors
    /// One sentence about what can't be such a schema.
    pub fn check(&self) -> Result<(), String> {
        let urn = &self.urn;
        let letters = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "-._:".contains(c));
        let is_urn =
            urn.get(..4).is_some_and(|begin| begin.eq_ignore_ascii_case("urn:")) && urn.matches(':').count() > 1;
        if !is_urn || !letters(urn) || urn.ends_with(':') {
            return Err(format!("{urn} is no URN such as urn:example:params:scim:2.0:User"));
        }
        if urn.to_ascii_lowercase().starts_with("urn:ietf:") {
            return Err(format!("{urn} is a name of the IETF"));
        }
        let mut names = Vec::new();
        for attribute in &self.attributes {
            let name = &attribute.name;
            // RFC 7643 section 2.1.
            let first = name.chars().next().is_some_and(|c| c.is_ascii_alphabetic());
            if !first || !name.chars().all(|c| c.is_ascii_alphanumeric() || "-_$".contains(c)) {
                return Err(format!("{name} can't be the name of an attribute"));
            }
            if attribute.kind == Kind::Complex {
                return Err(format!("{name}: an attribute with parts can't be described here"));
            }
            if names.contains(&name.to_ascii_lowercase()) {
                return Err(format!("{name} comes twice"));
            }
            names.push(name.to_ascii_lowercase());
        }
        Ok(())
    }

    pub(super) fn schema(&self) -> Schema {
        let attribute = |one: &ExtensionAttribute| {
            let base = Attribute::new(&one.name, one.kind, "An attribute of this installation.");
            Attribute {
                multi_valued: one.multi_valued,
                required: one.required,
                case_exact: one.case_exact || base.case_exact,
                ..base
            }
        };
        let name = self.urn.rsplit(':').next().unwrap_or_default();
        Schema {
            urn: self.urn.clone(),
            name: name.to_owned(),
            description: "An extension of this installation.".to_owned(),
            attributes: self.attributes.iter().map(attribute).collect(),
        }
    }
}
