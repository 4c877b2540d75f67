//! Attributes (SAML core 2.7.3.1): found by Name and NameFormat, never by FriendlyName.

use std::collections::HashMap;

use fedbridge_contract::identity::Attributes;
use fedbridge_contract::trace::TraceLog;

use super::checks::{Checked, require};
use fedbridge_saml_core::grammar::{GrammarError, boolean, open_attributes, required_attribute};
use fedbridge_saml_core::name_id::NameId;
use fedbridge_saml_core::names;
use fedbridge_saml_core::seam::{Element, Node};

const UNSPECIFIED: &str = "urn:oasis:names:tc:SAML:2.0:attrname-format:unspecified";

/// Reads attributes under their own names.
///
/// Two attributes are the same when Name and NameFormat agree; their values come one after the
/// other (Keycloak sends a list that way). The first NameFormat of a name has the plain name; an
/// attribute of the same name with another NameFormat is a different one and gets the key
/// `NameFormat|Name`.
pub(super) fn read(elements: &[&Element], trace: &mut TraceLog) -> Result<Attributes, GrammarError> {
    let mut attributes = Attributes::new();
    let mut formats: HashMap<&str, &str> = HashMap::new();
    for element in elements {
        open_attributes(element, &["Name", "NameFormat", "FriendlyName"])?;
        let name = match required_attribute(element, "Name")? {
            "" => return Err(GrammarError("Attribute has an empty Name".into())),
            name => name,
        };
        let format = element.attribute("NameFormat").unwrap_or(UNSPECIFIED);
        let owner = *formats.entry(name).or_insert(format);
        let key = if owner == format { name.to_owned() } else { format!("{format}|{name}") };
        attributes.declare(key.as_str());
        for child in element.only_elements().map_err(|_| stray(element))? {
            if !child.is(names::ASSERTION, "AttributeValue") {
                return Err(stray(element));
            }
            match attribute_value(child)? {
                Value::Text(text) => attributes.push(key.as_str(), text),
                Value::Nil => {}
                Value::Structured => {
                    trace.decide("Attribute value not read", format!("{name} holds a structure of its own"), true);
                }
            }
        }
    }
    Ok(attributes)
}

/// A link that Entra ID sends in place of the groups of somebody who is in more than 150 of them.
const ENTRA_OVERAGE: &str = "http://schemas.microsoft.com/claims/groups.link";

/// Groups that did not come must not be taken for no groups: a rule that denies some would not hold.
pub(super) fn check_overage(attributes: &Attributes, trace: &mut TraceLog) -> Checked<()> {
    if !attributes.contains(ENTRA_OVERAGE) {
        return Ok(());
    }
    let actual = "a link, because the person is in more than 150; let the Entra application send only the groups \
                  assigned to it, or no groups";
    require(trace, "Groups", "Microsoft Entra ID group overage", "the groups themselves", actual, false)
}

/// Whether unverified attributes have the form that [`read`] asks for. Nothing is given out.
pub(super) fn check_form(elements: &[&Element]) -> Result<(), GrammarError> {
    read(elements, &mut TraceLog::new()).map(drop)
}

enum Value<'a> {
    Text(&'a str),
    /// `xsi:nil`: the attribute is there and has no value.
    Nil,
    /// XML of a profile that we don't know.
    Structured,
}

fn attribute_value(element: &Element) -> Result<Value<'_>, GrammarError> {
    if boolean(element, names::XSI, "nil")? {
        return Ok(Value::Nil);
    }
    if let Ok(text) = element.only_text() {
        return Ok(Value::Text(text));
    }
    let mixed = element.nodes().iter().any(|node| matches!(node, Node::Text(text) if !text.trim().is_empty()));
    if mixed {
        return Err(GrammarError("AttributeValue mixes text and elements".into()));
    }
    let mut inner = element.elements();
    match (inner.next(), inner.next()) {
        // eduPersonTargetedID and its like (SAML profiles 8.2 leaves the value's type open).
        (Some(only), None) if only.is(names::ASSERTION, "NameID") => Ok(Value::Text(NameId::read(only)?.value)),
        _ => Ok(Value::Structured),
    }
}

fn stray(element: &Element) -> GrammarError {
    GrammarError(format!("{} may hold nothing but AttributeValue", element.name()))
}
