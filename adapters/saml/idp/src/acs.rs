//! Where the answer goes: to a registered address, compared octet by octet, and nowhere else.

use fedbridge_saml_core::metadata::{AcsBinding, AcsEndpoint, SpDescription};
use fedbridge_saml_core::names;

use crate::request::RequestedAcs;

/// The address that a request means (SAML core 3.4.1, SAML profiles 4.1.4.1).
///
/// # Errors
/// What is wrong, for the trace. The address that was asked for must not be used then, not even to say so.
pub(crate) fn chosen<'a>(sp: &'a SpDescription, asked: &RequestedAcs<'_>) -> Result<&'a AcsEndpoint, String> {
    let binding = match asked.binding {
        None | Some(names::BINDING_POST) => AcsBinding::Post,
        Some(other) => return Err(format!("answers by {other} are not offered")),
    };
    let mut usable = sp.acs.iter().filter(|acs| acs.binding == binding);
    match (asked.url, asked.index) {
        (Some(_), Some(_)) => Err("an address and an index at once".into()),
        (Some(url), None) => usable.find(|acs| acs.text == url).ok_or_else(|| format!("{url} is not registered")),
        (None, Some(_)) if asked.binding.is_some() => Err("an index and a binding at once".into()),
        (None, Some(index)) => usable
            .find(|acs| acs.index.to_string() == index)
            .ok_or_else(|| format!("there is no registered address with the index {index}")),
        (None, None) => default(sp).ok_or_else(|| "no address for answers by post is registered".into()),
    }
}

/// The default of the metadata, else the first (SAML metadata 2.4.4).
pub(crate) fn default(sp: &SpDescription) -> Option<&AcsEndpoint> {
    let mut usable = sp.acs.iter().filter(|acs| acs.binding == AcsBinding::Post);
    usable.clone().find(|acs| acs.default).or_else(|| usable.next())
}
