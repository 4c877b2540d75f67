//! The fixed grammar: known children in schema order and number, known
//! attributes, nothing else.

use crate::names;
use crate::seam::Element;

/// What does not belong where it stands, one sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GrammarError(pub String);

/// The element children of an element, taken from first to last.
pub struct Children<'a> {
    parent: &'a Element,
    items: Vec<&'a Element>,
    at: usize,
}

impl<'a> Children<'a> {
    /// Text between the children must be white space.
    pub fn of(parent: &'a Element) -> Result<Self, GrammarError> {
        let items = parent
            .only_elements()
            .map_err(|_| GrammarError(format!("{} holds text where only elements may stand", parent.name())))?;
        Ok(Self { parent, items, at: 0 })
    }

    /// The next child, if it is this one.
    pub fn optional(&mut self, namespace: &str, name: &str) -> Option<&'a Element> {
        let next = self.items.get(self.at).copied().filter(|element| element.is(namespace, name))?;
        self.at += 1;
        Some(next)
    }

    pub fn required(&mut self, namespace: &str, name: &str) -> Result<&'a Element, GrammarError> {
        self.optional(namespace, name).ok_or_else(|| match self.items.get(self.at) {
            Some(other) => GrammarError(format!("{} has {} where {name} must stand", self.parent.name(), other.name())),
            None => GrammarError(format!("{} has no {name}", self.parent.name())),
        })
    }

    /// All of this name that follow now.
    pub fn many(&mut self, namespace: &str, name: &str) -> Vec<&'a Element> {
        std::iter::from_fn(|| self.optional(namespace, name)).collect()
    }

    /// The next child, whatever it is: for content that the caller takes apart by name.
    pub fn any(&mut self) -> Option<&'a Element> {
        let next = self.items.get(self.at).copied()?;
        self.at += 1;
        Some(next)
    }

    /// Nothing may be left.
    pub fn end(self) -> Result<(), GrammarError> {
        match self.items.get(self.at) {
            Some(other) => Err(unexpected(self.parent, other)),
            None => Ok(()),
        }
    }
}

pub fn unexpected(parent: &Element, child: &Element) -> GrammarError {
    GrammarError(format!("{} may not hold {} here", parent.name(), child.name()))
}

/// Only these attributes, and none with a namespace.
pub fn only_attributes(element: &Element, allowed: &[&str]) -> Result<(), GrammarError> {
    check_attributes(element, allowed, |_| false)
}

/// Only these attributes; those of other namespaces are allowed and never read
/// (`anyAttribute` of the schema). `xml:id` and names that imitate ours are not.
pub fn open_attributes(element: &Element, allowed: &[&str]) -> Result<(), GrammarError> {
    check_attributes(element, allowed, |namespace| {
        ![names::ASSERTION, names::PROTOCOL, names::DSIG, names::XML].contains(&namespace)
    })
}

fn check_attributes(element: &Element, allowed: &[&str], foreign: impl Fn(&str) -> bool) -> Result<(), GrammarError> {
    for attribute in element.attributes() {
        let known = if attribute.namespace.is_empty() {
            allowed.contains(&&*attribute.name)
        } else {
            foreign(&attribute.namespace)
        };
        if !known {
            return Err(GrammarError(format!("{} may not have the attribute {}", element.name(), attribute.name)));
        }
    }
    Ok(())
}

/// The whole text of an element without children, as it stands.
pub fn text(element: &Element) -> Result<&str, GrammarError> {
    element.only_text().map_err(|_| GrammarError(format!("{} must hold one text and nothing else", element.name())))
}

/// A URI or a name: [`text`], not empty. `xs:anyURI` collapses white space, but a peer that
/// pads it is rare and an exact compare is worth more, so nothing is trimmed.
pub fn value(element: &Element) -> Result<&str, GrammarError> {
    match text(element)? {
        "" => Err(GrammarError(format!("{} is empty", element.name()))),
        value => Ok(value),
    }
}

pub fn required_attribute<'a>(element: &'a Element, name: &str) -> Result<&'a str, GrammarError> {
    element.attribute(name).ok_or_else(|| GrammarError(format!("{} has no {name}", element.name())))
}

/// `xs:boolean` of an attribute; false when absent.
pub fn boolean(element: &Element, namespace: &str, name: &str) -> Result<bool, GrammarError> {
    let value = if namespace.is_empty() { element.attribute(name) } else { element.attribute_ns(namespace, name) };
    match value {
        None | Some("false" | "0") => Ok(false),
        Some("true" | "1") => Ok(true),
        Some(_) => Err(GrammarError(format!("{name} of {} is neither true nor false", element.name()))),
    }
}

/// The Issuer names an entity and carries no qualifiers (SAML profiles 4.1.4.1, 4.1.4.2 and 4.4.4.1).
pub fn issuer(element: &Element) -> Result<&str, GrammarError> {
    only_attributes(element, &["Format"])?;
    match element.attribute("Format") {
        None | Some(names::FORMAT_ENTITY) => value(element),
        Some(_) => Err(GrammarError("Issuer has a Format other than entity".into())),
    }
}

/// `xs:ID`: a name without a colon, of a length that fits into a store. ASCII is all that is met.
pub fn id(element: &Element) -> Result<&str, GrammarError> {
    let id = required_attribute(element, "ID")?;
    let mut bytes = id.bytes();
    let first = bytes.next().is_some_and(|byte| byte.is_ascii_alphabetic() || byte == b'_');
    if first && id.len() <= 256 && bytes.all(|byte| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte)) {
        Ok(id)
    } else {
        Err(GrammarError(format!("the ID of {} is not a name", element.name())))
    }
}

/// Extensions are for other namespaces (SAML core 3.2.1). An assertion or a signature in there is of
/// use to nobody but an attacker.
pub fn only_foreign(extensions: &Element) -> Result<(), GrammarError> {
    let ours = [names::ASSERTION, names::PROTOCOL, names::DSIG, names::XENC];
    match extensions.descendants().skip(1).find(|element| ours.contains(&element.namespace())) {
        Some(element) => Err(unexpected(extensions, element)),
        None => Ok(()),
    }
}
