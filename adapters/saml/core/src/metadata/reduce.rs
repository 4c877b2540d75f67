//! Cuts metadata down to what a service provider needs.
//!
//! samael's metadata types read by local name alone and are stricter than the
//! schema in places that don't matter here (`cacheDuration` of a role, several
//! `X509Data`). So libxml2's tree decides what is what, by namespace, and
//! samael gets a small document that holds nothing else. Extensions, unknown
//! roles (the WS-Federation ones of ADFS and Entra) and contacts are left out.

use crate::grammar::{GrammarError, boolean};
use crate::names;
use crate::seam::Element;
use crate::writer::XmlWriter;

/// The most levels of aggregates within aggregates.
const MAX_NESTING: usize = 8;

/// Rewrites an `EntityDescriptor` or `EntitiesDescriptor`.
pub fn reduced(root: &Element) -> Result<String, GrammarError> {
    if root.namespace() != names::METADATA || !["EntityDescriptor", "EntitiesDescriptor"].contains(&root.name()) {
        return Err(GrammarError(format!("its root is {}, not SAML 2.0 metadata", root.name())));
    }
    let mut writer = XmlWriter::new();
    descriptor(&mut writer, root, 0)?;
    Ok(writer.finish())
}

fn descriptor(writer: &mut XmlWriter, element: &Element, depth: usize) -> Result<(), GrammarError> {
    if depth > MAX_NESTING {
        return Err(GrammarError("its aggregates are nested too deeply".into()));
    }
    if element.is(names::METADATA, "EntitiesDescriptor") {
        open(writer, "EntitiesDescriptor", depth).attr_if("validUntil", element.attribute("validUntil"));
        for child in element.elements() {
            descriptor(writer, child, depth + 1)?;
        }
        writer.close();
    } else if element.is(names::METADATA, "EntityDescriptor") {
        open(writer, "EntityDescriptor", depth)
            .attr_if("entityID", element.attribute("entityID"))
            .attr_if("validUntil", element.attribute("validUntil"));
        for child in element.elements().filter(|child| child.is(names::METADATA, "IDPSSODescriptor")) {
            role(writer, child)?;
        }
        writer.close();
    }
    Ok(())
}

fn open<'a>(writer: &'a mut XmlWriter, name: &'static str, depth: usize) -> &'a mut XmlWriter {
    writer.open(name);
    if depth == 0 {
        writer.attr("xmlns", names::METADATA);
    }
    writer
}

fn role(writer: &mut XmlWriter, role: &Element) -> Result<(), GrammarError> {
    let wants_signed = if boolean(role, "", "WantAuthnRequestsSigned")? { "true" } else { "false" };
    writer
        .open("IDPSSODescriptor")
        .attr_if("validUntil", role.attribute("validUntil"))
        .attr_if("protocolSupportEnumeration", role.attribute("protocolSupportEnumeration"))
        .attr("WantAuthnRequestsSigned", wants_signed);
    for key in named(role, names::METADATA, "KeyDescriptor") {
        key_descriptor(writer, key);
    }
    for format in named(role, names::METADATA, "NameIDFormat") {
        writer.leaf("NameIDFormat", format.only_text().unwrap_or_default().trim());
    }
    for service in named(role, names::METADATA, "SingleSignOnService") {
        let attribute = |name| service.attribute(name).unwrap_or_default().trim();
        writer.open("SingleSignOnService").attr("Binding", attribute("Binding"));
        writer.attr("Location", attribute("Location")).close();
    }
    writer.close();
    Ok(())
}

fn key_descriptor(writer: &mut XmlWriter, key: &Element) {
    writer.open("KeyDescriptor").attr_if("use", key.attribute("use"));
    writer.open("KeyInfo").attr("xmlns", names::DSIG);
    let certificates: Vec<_> = named(key, names::DSIG, "KeyInfo")
        .flat_map(|info| named(info, names::DSIG, "X509Data"))
        .flat_map(|data| named(data, names::DSIG, "X509Certificate"))
        .collect();
    if !certificates.is_empty() {
        writer.open("X509Data");
        for certificate in certificates {
            // A certificate with anything but text in it becomes empty, and then unusable.
            writer.leaf("X509Certificate", certificate.only_text().unwrap_or_default());
        }
        writer.close();
    }
    writer.close().close();
}

fn named<'a>(parent: &'a Element, namespace: &'a str, name: &'a str) -> impl Iterator<Item = &'a Element> {
    parent.elements().filter(move |child| child.is(namespace, name))
}
