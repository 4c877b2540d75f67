//! Imports metadata, and checks what a description always promises.

use fedbridge_saml_core::metadata::import::import;
use fedbridge_saml_core::metadata::sp::import_sp;

use crate::world::{IDP, NOW};

/// # Panics
/// An import gave a description that nobody could use safely.
pub fn check(octets: &[u8]) {
    check_sp(octets);
    for entity_id in [None, Some(IDP)] {
        let Ok(idp) = import(octets, entity_id, NOW) else { continue };
        assert!(!idp.entity_id.is_empty(), "an entity has a name");
        assert!(entity_id.is_none_or(|wanted| wanted == idp.entity_id), "another entity than was asked for");
        assert!(!idp.signing.is_empty(), "trust without a key");
        assert!(!idp.expired(NOW), "metadata that had expired already");
        assert!(!idp.sso.is_empty(), "a provider without an address");
        for endpoint in &idp.sso {
            let local = matches!(endpoint.location.host_str(), Some(host) if is_local(host));
            assert!(endpoint.location.scheme() == "https" || local, "sends people to {}", endpoint.location);
        }
    }
}

fn check_sp(octets: &[u8]) {
    let Ok(sp) = import_sp(octets, None, NOW) else { return };
    assert!(!sp.entity_id.is_empty(), "an entity has a name");
    assert!(!sp.expired(NOW), "metadata that had expired already");
    assert!(sp.default_acs().is_some(), "a service provider without an address");
    assert!(!sp.signing.is_empty() || !sp.authn_requests_signed, "requests are signed, and no key is known");
    for endpoint in &sp.acs {
        let local = matches!(endpoint.location.host_str(), Some(host) if is_local(host));
        assert!(endpoint.location.scheme() == "https" || local, "sends answers to {}", endpoint.location);
    }
}

fn is_local(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost") || host.starts_with("127.") || host == "[::1]"
}
