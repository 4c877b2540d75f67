//! Presets: for each claim the attribute names that a vendor sends, the
//! preferred one first. Data only; one file for each.

mod active_directory;
mod adfs;
mod entra;
mod generic_ldap;
mod google;
mod keycloak;
mod oidc;
mod okta;
mod openldap;
mod saml;
mod scim;

/// A claim and the attributes that it is read from.
pub(super) type Rows = &'static [(&'static str, &'static [&'static str])];

/// The names that `preset:` takes.
pub const PRESETS: &[&str] = &["okta", "entra", "adfs", "google", "keycloak", "openldap", "active_directory", "none"];

pub(super) fn by_name(name: &str) -> Option<Rows> {
    Some(match name {
        "okta" => okta::ROWS,
        "entra" => entra::ROWS,
        "adfs" => adfs::ROWS,
        "google" => google::ROWS,
        "keycloak" => keycloak::ROWS,
        "openldap" => openldap::ROWS,
        "active_directory" => active_directory::ROWS,
        "none" => none(),
        _ => return None,
    })
}

/// What a connection starts from that names no preset.
pub(super) fn by_protocol(protocol: &str, flavor: Option<&str>) -> Rows {
    match (protocol, flavor) {
        ("saml", _) => saml::ROWS,
        ("ldap", Some("active_directory")) => active_directory::ROWS,
        ("ldap", Some("openldap")) => openldap::ROWS,
        ("ldap", _) => generic_ldap::ROWS,
        ("scim", _) => scim::ROWS,
        ("oidc", Some("entra")) => entra::ROWS,
        ("oidc", Some("okta")) => okta::ROWS,
        ("oidc", Some("google")) => google::ROWS,
        ("oidc", Some("keycloak")) => keycloak::ROWS,
        ("oidc", Some("adfs")) => adfs::ROWS,
        // Adapters of other protocols name their attributes by the standard claims.
        _ => oidc::ROWS,
    }
}

pub(super) fn none() -> Rows {
    &[]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use fedbridge_contract::claims::PROTOCOL_CLAIMS;

    use super::*;

    #[test]
    fn presets_name_each_claim_and_attribute_once() {
        let defaults = [saml::ROWS, oidc::ROWS, scim::ROWS, generic_ldap::ROWS];
        for rows in PRESETS.iter().filter_map(|name| by_name(name)).chain(defaults) {
            let mut claims = BTreeSet::new();
            for (claim, names) in rows {
                assert!(claims.insert(claim), "{claim} twice");
                assert!(!PROTOCOL_CLAIMS.contains(claim), "{claim}");
                assert!(!names.is_empty());
                assert_eq!(names.len(), names.iter().collect::<BTreeSet<_>>().len(), "{claim}");
            }
        }
    }

    #[test]
    fn every_listed_preset_exists() {
        for name in PRESETS {
            assert!(by_name(name).is_some(), "{name}");
        }
        assert!(by_name("oktta").is_none());
    }
}
