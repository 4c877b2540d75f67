//! What an attribute path means (RFC 7644 section 3.10): `userName`, `name.givenName`, and the same behind a URN.

use fedbridge_contract::text::nearest;

use crate::error::quoted;
use crate::schema::{Attribute, ResourceKind, Schema, Schemas};

/// What a path leads to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Place<'s> {
    /// An extension as a whole.
    Extension(&'s Schema),
    Attribute(Target<'s>),
}

impl Place<'_> {
    /// As it is written in answers and in the audit.
    pub fn text(&self) -> String {
        match self {
            Self::Extension(schema) => schema.urn.clone(),
            Self::Attribute(target) => target.text(),
        }
    }
}

/// An attribute, or a part of one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Target<'s> {
    /// `None`: of the core schema, or common to all resources.
    pub extension: Option<&'s Schema>,
    pub attribute: &'s Attribute,
    pub sub: Option<&'s Attribute>,
}

impl Target<'_> {
    /// As it is written in answers and in the audit.
    pub fn text(&self) -> String {
        let mut text = self.extension.map(|schema| format!("{}:", schema.urn)).unwrap_or_default();
        text.push_str(&self.attribute.name);
        if let Some(sub) = self.sub {
            text.push('.');
            text.push_str(&sub.name);
        }
        text
    }

    /// The attribute of the core schema or a common one with this name, and no part of it.
    pub(crate) fn is_core(&self, name: &str) -> bool {
        self.extension.is_none() && self.attribute.name == name
    }
}

/// A path that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    pub path: String,
    /// The most similar name that is known.
    pub nearest: Option<String>,
}

impl Unknown {
    /// One sentence.
    pub fn sentence(&self) -> String {
        let what = quoted(&self.path);
        match &self.nearest {
            Some(nearest) => format!("there is no attribute {what}; did you mean {nearest}?"),
            None => format!("there is no attribute {what}"),
        }
    }
}

/// Finds what a path means. Names and URNs are compared without case (RFC 7643 section 2.1).
///
/// # Errors
/// It leads nowhere.
pub fn resolve<'s>(schemas: &'s Schemas, kind: ResourceKind, path: &str) -> Result<Place<'s>, Unknown> {
    let (extension, rest) = match behind_urn(schemas, kind, path) {
        Some((Some(extension), "")) => return Ok(Place::Extension(extension)),
        Some((extension, rest)) => (extension, rest),
        None => (None, path),
    };
    let (name, sub) = match rest.split_once('.') {
        Some((name, sub)) => (name, Some(sub)),
        None => (rest, None),
    };
    let attribute = match extension {
        Some(schema) => schema.attribute(name),
        None => schemas.attribute(kind, name),
    };
    let unknown = |nearest| Unknown { path: path.to_owned(), nearest };
    let Some(attribute) = attribute else {
        let known: Vec<&Attribute> = match extension {
            Some(schema) => schema.attributes.iter().collect(),
            None => schemas.core(kind).attributes.iter().chain(schemas.common()).collect(),
        };
        let near = nearest(name, known.into_iter().map(|attribute| attribute.name.as_str()));
        return Err(unknown(near.map(str::to_owned)));
    };
    let sub = match sub {
        None => None,
        Some(sub) => match attribute.sub(sub) {
            Some(found) => Some(found),
            None => {
                let near = nearest(sub, attribute.sub_attributes.iter().map(|sub| sub.name.as_str()));
                return Err(unknown(near.map(|near| format!("{}.{near}", attribute.name))));
            }
        },
    };
    Ok(Place::Attribute(Target { extension, attribute, sub }))
}

/// The schema whose URN a path begins with, and what stands behind it; the extension is `None` for the core schema.
/// A URN has dots and colons of its own, so only those that are known tell where it ends.
fn behind_urn<'s, 'p>(
    schemas: &'s Schemas,
    kind: ResourceKind,
    path: &'p str,
) -> Option<(Option<&'s Schema>, &'p str)> {
    let core = schemas.core(kind);
    let all = std::iter::once((None, core)).chain(schemas.extensions(kind).iter().map(|schema| (Some(schema), schema)));
    let found = all.filter_map(|(extension, schema)| {
        let begin = path.get(..schema.urn.len())?;
        if !begin.eq_ignore_ascii_case(&schema.urn) {
            return None;
        }
        let rest = path.get(schema.urn.len()..)?;
        let rest = if rest.is_empty() { rest } else { rest.strip_prefix(':')? };
        Some((schema.urn.len(), extension, rest))
    });
    found.max_by_key(|(length, _, _)| *length).map(|(_, extension, rest)| (extension, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::{ENTERPRISE_URN, USER_URN};

    fn of(path: &str) -> Result<String, String> {
        let schemas = Schemas::default();
        match resolve(&schemas, ResourceKind::User, path) {
            Ok(Place::Extension(schema)) => Ok(schema.urn.clone()),
            Ok(Place::Attribute(target)) => Ok(target.text()),
            Err(unknown) => Err(unknown.sentence()),
        }
    }

    #[test]
    fn paths_lead_to_attributes() {
        for (path, meant) in [
            ("userName", "userName"),
            ("USERNAME", "userName"),
            ("name.givenname", "name.givenName"),
            ("meta.lastModified", "meta.lastModified"),
            ("externalId", "externalId"),
            (&format!("{USER_URN}:userName"), "userName"),
            (&format!("{}:name.familyName", USER_URN.to_uppercase()), "name.familyName"),
            (&format!("{ENTERPRISE_URN}:manager.value"), &format!("{ENTERPRISE_URN}:manager.value")),
            (ENTERPRISE_URN, ENTERPRISE_URN),
        ] {
            assert_eq!(of(path).unwrap(), meant);
        }
    }

    #[test]
    fn a_path_that_leads_nowhere_names_the_nearest() {
        assert!(of("usrName").unwrap_err().ends_with("did you mean userName?"));
        assert!(of("name.givnName").unwrap_err().ends_with("did you mean name.givenName?"));
        assert_eq!(of("zzzzzzzzzz").unwrap_err(), "there is no attribute \"zzzzzzzzzz\"");
        for path in ["", ".", "name.", "urn:x:y", USER_URN, &format!("{ENTERPRISE_URN}x:manager"), "members"] {
            assert!(of(path).is_err(), "{path}");
        }
    }
}
