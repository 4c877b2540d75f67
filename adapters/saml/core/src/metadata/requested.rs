//! Which attributes an app says that it wants (SAML metadata 2.4.4.1). Advice for whoever configures it:
//! nothing is released because an app asks.

use samael::metadata::AttributeConsumingService;

/// A set of wanted attributes, under the index that requests name it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttributeService {
    pub index: u16,
    pub default: bool,
    pub attributes: Vec<RequestedAttribute>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestedAttribute {
    pub name: String,
    /// For people.
    pub friendly_name: Option<String>,
    pub required: bool,
}

/// Those with an index that no other has. The first that says so is the default, else the first that does
/// not say no, else the first (SAML metadata 2.2.3).
pub(super) fn services(all: &[AttributeConsumingService]) -> Vec<AttributeService> {
    let mut found: Vec<(AttributeService, Option<bool>)> = Vec::new();
    for service in all {
        let Ok(index) = u16::try_from(service.index) else { continue };
        if found.iter().any(|(known, _)| known.index == index) {
            continue;
        }
        let attributes = service.request_attributes.iter().map(|attribute| RequestedAttribute {
            name: attribute.name.clone(),
            friendly_name: attribute.friendly_name.clone(),
            required: attribute.is_required.unwrap_or(false),
        });
        let service_read = AttributeService { index, default: false, attributes: attributes.collect() };
        found.push((service_read, service.is_default));
    }
    let says = |wanted: Option<bool>| found.iter().position(|(_, said)| *said == wanted);
    let default = says(Some(true)).or_else(|| says(None)).unwrap_or(0);
    let services = found.into_iter().enumerate();
    services.map(|(at, (service, _))| AttributeService { default: at == default, ..service }).collect()
}
