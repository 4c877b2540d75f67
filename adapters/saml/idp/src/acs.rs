//! Where the answer goes: to a registered address, compared octet by octet, and nowhere else.

use fedbridge_saml_core::metadata::{AcsBinding, AcsEndpoint, SpDescription};
use fedbridge_saml_core::names;

use crate::request::RequestedAcs;

/// The addresses that answers can go to. `signs`: signatures of the app can be checked. Without one an
/// app can't fetch what is behind an artifact.
pub(crate) fn usable(sp: &SpDescription, signs: bool) -> impl Iterator<Item = &AcsEndpoint> + Clone {
    sp.acs.iter().filter(move |acs| signs || acs.binding == AcsBinding::Post)
}

/// The address that a request means (SAML core 3.4.1, SAML profiles 4.1.4.1).
///
/// # Errors
/// What is wrong, for the trace. The address that was asked for must not be used then, not even to say so.
pub(crate) fn chosen<'a>(
    sp: &'a SpDescription,
    signs: bool,
    asked: &RequestedAcs<'_>,
) -> Result<&'a AcsEndpoint, String> {
    let wanted = match asked.binding {
        None => None,
        Some(names::BINDING_POST) => Some(AcsBinding::Post),
        Some(names::BINDING_ARTIFACT) if signs => Some(AcsBinding::Artifact),
        Some(names::BINDING_ARTIFACT) => {
            return Err("answers by artifact need a signing certificate in the app's metadata".into());
        }
        Some(other) => return Err(format!("answers by {other} are not offered")),
    };
    let mut usable = usable(sp, signs).filter(|acs| wanted.is_none_or(|binding| acs.binding == binding));
    match (asked.url, asked.index) {
        (Some(_), Some(_)) => Err("an address and an index at once".into()),
        // Some have one address for both bindings: without a wish the answer itself is posted.
        (Some(url), None) => usable
            .filter(|acs| acs.text == url)
            .min_by_key(|acs| acs.binding != AcsBinding::Post)
            .ok_or_else(|| format!("{url} is not registered")),
        (None, Some(_)) if asked.binding.is_some() => Err("an index and a binding at once".into()),
        (None, Some(index)) => usable
            .find(|acs| acs.index.to_string() == index)
            .ok_or_else(|| format!("there is no registered address with the index {index}")),
        (None, None) => first(usable).ok_or_else(|| "no address for answers by this binding is registered".into()),
    }
}

/// The default of the metadata, where answers can go there, else the first (SAML metadata 2.4.4).
pub(crate) fn default(sp: &SpDescription, signs: bool) -> Option<&AcsEndpoint> {
    first(usable(sp, signs))
}

/// Where an answer itself can go, the default first.
pub(crate) fn for_posts(sp: &SpDescription) -> Option<&AcsEndpoint> {
    first(sp.acs.iter().filter(|acs| acs.binding == AcsBinding::Post))
}

fn first<'a>(mut usable: impl Iterator<Item = &'a AcsEndpoint> + Clone) -> Option<&'a AcsEndpoint> {
    usable.clone().find(|acs| acs.default).or_else(|| usable.next())
}
