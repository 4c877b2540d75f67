//! Cuts metadata down to what one role needs of another.
//!
//! samael's metadata types read by local name alone and are stricter than the
//! schema in places that don't matter here (`cacheDuration` of a role, several
//! `X509Data`, an endpoint without its index). So libxml2's tree decides what is
//! what, by namespace, and samael gets a small document that holds nothing else.
//! Extensions, unknown roles (the WS-Federation ones of ADFS and Entra) and
//! contacts are left out.

use crate::grammar::{GrammarError, boolean};
use crate::names;
use crate::seam::Element;
use crate::writer::XmlWriter;

/// The most levels of aggregates within aggregates.
const MAX_NESTING: usize = 8;

/// Stands where an endpoint has no index that could be read: more than any real one.
pub(super) const NO_INDEX: usize = 1 << 20;

/// Which role is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    IdentityProvider,
    ServiceProvider,
}

/// Rewrites an `EntityDescriptor` or `EntitiesDescriptor`.
pub(super) fn reduced(root: &Element, keep: Keep) -> Result<String, GrammarError> {
    if root.namespace() != names::METADATA || !["EntityDescriptor", "EntitiesDescriptor"].contains(&root.name()) {
        return Err(GrammarError(format!("its root is {}, not SAML 2.0 metadata", root.name())));
    }
    let mut writer = XmlWriter::new();
    descriptor(&mut writer, root, keep, 0)?;
    Ok(writer.finish())
}

type WriteRole = fn(&mut XmlWriter, &Element) -> Result<(), GrammarError>;

fn descriptor(writer: &mut XmlWriter, element: &Element, keep: Keep, depth: usize) -> Result<(), GrammarError> {
    if depth > MAX_NESTING {
        return Err(GrammarError("its aggregates are nested too deeply".into()));
    }
    if element.is(names::METADATA, "EntitiesDescriptor") {
        open(writer, "EntitiesDescriptor", depth)
            .attr_if("validUntil", element.attribute("validUntil"))
            .attr_if("cacheDuration", element.attribute("cacheDuration"));
        for child in element.elements() {
            descriptor(writer, child, keep, depth + 1)?;
        }
        writer.close();
    } else if element.is(names::METADATA, "EntityDescriptor") {
        open(writer, "EntityDescriptor", depth)
            .attr_if("entityID", element.attribute("entityID"))
            .attr_if("validUntil", element.attribute("validUntil"))
            .attr_if("cacheDuration", element.attribute("cacheDuration"));
        let (name, write): (_, WriteRole) = match keep {
            Keep::IdentityProvider => ("IDPSSODescriptor", identity_provider),
            Keep::ServiceProvider => ("SPSSODescriptor", service_provider),
        };
        for role in named(element, names::METADATA, name) {
            write(writer, role)?;
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

fn identity_provider(writer: &mut XmlWriter, role: &Element) -> Result<(), GrammarError> {
    writer.open("IDPSSODescriptor");
    attributes(writer, role);
    flag(writer, role, "WantAuthnRequestsSigned")?;
    common(writer, role)?;
    for service in named(role, names::METADATA, "SingleSignOnService") {
        endpoint(writer, "SingleSignOnService", service);
        writer.close();
    }
    writer.close();
    Ok(())
}

fn service_provider(writer: &mut XmlWriter, role: &Element) -> Result<(), GrammarError> {
    writer.open("SPSSODescriptor");
    attributes(writer, role);
    flag(writer, role, "AuthnRequestsSigned")?;
    flag(writer, role, "WantAssertionsSigned")?;
    common(writer, role)?;
    indexed(writer, role, "AssertionConsumerService")?;
    if role.child(names::METADATA, "AssertionConsumerService").is_none() {
        // samael wants one. Of no binding it counts for nothing, and others in the aggregate stay usable.
        writer.open("AssertionConsumerService").attr("Binding", "").attr("Location", "");
        writer.attr("index", &NO_INDEX.to_string()).close();
    }
    for service in named(role, names::METADATA, "AttributeConsumingService") {
        attribute_service(writer, service);
    }
    writer.close();
    Ok(())
}

/// Without its names and descriptions, and without an attribute that has no name. It is advice, so what is
/// written wrongly in it is no reason to refuse the rest.
fn attribute_service(writer: &mut XmlWriter, service: &Element) {
    let index = service.attribute("index").and_then(|index| index.trim().parse::<u16>().ok());
    let default = service.attribute("isDefault").and_then(|_| boolean(service, "", "isDefault").ok());
    writer
        .open("AttributeConsumingService")
        .attr("index", &index.map_or(NO_INDEX, usize::from).to_string())
        .attr_if("isDefault", default.map(super::publish::truth));
    for attribute in named(service, names::METADATA, "RequestedAttribute") {
        let Some(name) = attribute.attribute("Name").map(str::trim).filter(|name| !name.is_empty()) else { continue };
        let required = boolean(attribute, "", "isRequired").unwrap_or(false);
        writer
            .open("RequestedAttribute")
            .attr("Name", name)
            .attr_if("FriendlyName", attribute.attribute("FriendlyName").map(str::trim))
            .attr("isRequired", super::publish::truth(required))
            .close();
    }
    writer.close();
}

fn attributes(writer: &mut XmlWriter, role: &Element) {
    writer
        .attr_if("validUntil", role.attribute("validUntil"))
        .attr_if("protocolSupportEnumeration", role.attribute("protocolSupportEnumeration"));
}

/// Keys, logout, artifacts and formats: both roles have them (SAML metadata 2.4.2).
fn common(writer: &mut XmlWriter, role: &Element) -> Result<(), GrammarError> {
    for key in named(role, names::METADATA, "KeyDescriptor") {
        key_descriptor(writer, key);
    }
    indexed(writer, role, "ArtifactResolutionService")?;
    for service in named(role, names::METADATA, "SingleLogoutService") {
        endpoint(writer, "SingleLogoutService", service);
        writer.attr_if("ResponseLocation", service.attribute("ResponseLocation").map(str::trim)).close();
    }
    for format in named(role, names::METADATA, "NameIDFormat") {
        writer.leaf("NameIDFormat", format.only_text().unwrap_or_default().trim());
    }
    Ok(())
}

fn endpoint(writer: &mut XmlWriter, name: &'static str, service: &Element) {
    let attribute = |name| service.attribute(name).unwrap_or_default().trim();
    writer.open(name).attr("Binding", attribute("Binding")).attr("Location", attribute("Location"));
}

fn indexed(writer: &mut XmlWriter, role: &Element, name: &'static str) -> Result<(), GrammarError> {
    for service in named(role, names::METADATA, name) {
        let index = service.attribute("index").and_then(|index| index.trim().parse::<u16>().ok());
        let default = service.attribute("isDefault").map(|_| boolean(service, "", "isDefault")).transpose()?;
        endpoint(writer, name, service);
        writer
            .attr("index", &index.map_or(NO_INDEX, usize::from).to_string())
            .attr_if("isDefault", default.map(super::publish::truth))
            .close();
    }
    Ok(())
}

fn flag(writer: &mut XmlWriter, role: &Element, name: &'static str) -> Result<(), GrammarError> {
    let value = boolean(role, "", name)?;
    writer.attr(name, super::publish::truth(value));
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
    writer.close();
    let methods = named(key, names::METADATA, "EncryptionMethod");
    for algorithm in methods.filter_map(|method| method.attribute("Algorithm")) {
        writer.open("EncryptionMethod").attr("Algorithm", algorithm.trim()).close();
    }
    writer.close();
}

fn named<'a>(parent: &'a Element, namespace: &'a str, name: &'a str) -> impl Iterator<Item = &'a Element> {
    parent.elements().filter(move |child| child.is(namespace, name))
}
