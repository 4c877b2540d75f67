//! What the app learns about the person (SAML core 2.7.3). The hub has released the claims; here they get
//! the app's names.

use fedbridge_contract::claims::Claims;
use fedbridge_saml_core::writer::XmlWriter;
use serde_json::Value;

use crate::settings::{AttributeRule, AttributeSource};

/// One attribute with at least one value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Attribute {
    pub(crate) name: String,
    pub(crate) format: String,
    pub(crate) friendly_name: Option<String>,
    pub(crate) values: Vec<String>,
}

/// Attributes without a value are left out.
pub(crate) fn attributes(rules: &[AttributeRule], claims: &Claims) -> Vec<Attribute> {
    let made = rules.iter().map(|rule| Attribute {
        name: rule.name.clone(),
        format: rule.format.clone(),
        friendly_name: rule.friendly_name.clone(),
        values: match &rule.source {
            AttributeSource::Constant(text) => vec![text.clone()],
            AttributeSource::Claim(claim) => claims.get(claim).map(texts).unwrap_or_default(),
        },
    });
    made.filter(|attribute| !attribute.values.is_empty()).collect()
}

/// The statement, where there is anything to state. A value has no xsi:type, so that it needs no
/// namespace from outside.
pub(crate) fn write(xml: &mut XmlWriter, attributes: &[Attribute]) {
    if attributes.is_empty() {
        return;
    }
    xml.open("saml:AttributeStatement");
    for attribute in attributes {
        xml.open("saml:Attribute")
            .attr("Name", &attribute.name)
            .attr("NameFormat", &attribute.format)
            .attr_if("FriendlyName", attribute.friendly_name.as_deref());
        for value in &attribute.values {
            xml.leaf("saml:AttributeValue", value);
        }
        xml.close();
    }
    xml.close();
}

/// A list becomes several values; what is no text is written as JSON has it.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Null => Vec::new(),
        Value::String(text) if text.is_empty() => Vec::new(),
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        other => vec![other.to_string()],
    }
}
