//! The root DSE (RFC 4512 section 5.1): what the server can do, and where the directory begins.

use fedbridge_ldap_core::extended::{PASSWORD_MODIFY, START_TLS};

use crate::controls::SUPPORTED as SUPPORTED_CONTROLS;
use crate::extended::SUPPORTED as SUPPORTED_EXTENSIONS;
use crate::fixed::Fixed;
use crate::schema_entry::SUBSCHEMA;

/// What depends on the connection.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts<'a> {
    /// The base of the one tenant that can be meant. Which others there are is nobody's business.
    pub base: Option<&'a str>,
    pub encrypted: bool,
    pub can_upgrade: bool,
    pub has_certificate: bool,
    pub password_modify: bool,
}

/// Who made the server (RFC 3045).
const VENDOR: &str = "fedbridge";

pub fn entry(facts: Facts<'_>) -> Fixed {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let base = || facts.base.iter().map(|base| (*base).to_owned()).collect::<Vec<_>>();
    let mut extensions = SUPPORTED_EXTENSIONS.to_vec();
    if facts.can_upgrade {
        extensions.push(START_TLS);
    }
    if facts.password_modify {
        extensions.push(PASSWORD_MODIFY);
    }
    let mut mechanisms = Vec::new();
    if facts.encrypted {
        mechanisms.push("PLAIN");
    }
    if facts.has_certificate {
        mechanisms.push("EXTERNAL");
    }
    Fixed::new(
        "",
        vec![
            ("objectClass", texts(&["top"])),
            ("namingContexts", base()),
            ("defaultNamingContext", base()),
            ("subschemaSubentry", texts(&[SUBSCHEMA])),
            ("supportedLDAPVersion", texts(&["3"])),
            ("supportedControl", texts(SUPPORTED_CONTROLS)),
            ("supportedExtension", texts(&extensions)),
            ("supportedFeatures", texts(FEATURES)),
            ("supportedSASLMechanisms", texts(&mechanisms)),
            ("vendorName", texts(&[VENDOR])),
            ("vendorVersion", texts(&[env!("CARGO_PKG_VERSION")])),
        ],
    )
}

/// All operational attributes by `+` (RFC 3673), absolute true and false filters (RFC 4526).
const FEATURES: &[&str] = &["1.3.6.1.4.1.4203.1.5.1", "1.3.6.1.4.1.4203.1.5.3"];
