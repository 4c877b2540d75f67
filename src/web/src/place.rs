//! The grammar of paths. It stands here and nowhere else.

/// A place below the base URL. Names are as the path has them: whether they exist is the
/// [`Dispatch`](crate::Dispatch) port's to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place<'a> {
    /// `/t/{tenant}/{route}`
    Tenant { tenant: &'a str, route: &'a str },
    /// `/t/{tenant}/connections/{connection}/{route}`
    Connection { tenant: &'a str, connection: &'a str, route: &'a str },
    /// `/.well-known/oauth-authorization-server/t/{tenant}` (RFC 8414 section 3.1)
    AuthorizationServerMetadata { tenant: &'a str },
    /// `/.well-known/ssf-configuration/t/{tenant}` (Shared Signals Framework 1.0 section 7.2.1)
    SignalsConfiguration { tenant: &'a str },
}

impl<'a> Place<'a> {
    /// Reads a path as it was sent. Nothing is decoded and no dot segment is resolved: a path
    /// that would need it is no place of ours.
    pub fn parse(path: &'a str) -> Option<Self> {
        if let Some(tenant) = path.strip_prefix("/.well-known/oauth-authorization-server/t/") {
            return is_slug(tenant).then_some(Self::AuthorizationServerMetadata { tenant });
        }
        if let Some(tenant) = path.strip_prefix("/.well-known/ssf-configuration/t/") {
            return is_slug(tenant).then_some(Self::SignalsConfiguration { tenant });
        }
        let (tenant, rest) = path.strip_prefix("/t/")?.split_once('/')?;
        if !is_slug(tenant) {
            return None;
        }
        let Some(below) = rest.strip_prefix("connections/") else {
            return is_route(rest).then_some(Self::Tenant { tenant, route: rest });
        };
        let (connection, route) = below.split_once('/')?;
        (is_slug(connection) && is_route_of_connection(route)).then_some(Self::Connection { tenant, connection, route })
    }

    pub fn tenant(&self) -> &'a str {
        match self {
            Self::Tenant { tenant, .. }
            | Self::Connection { tenant, .. }
            | Self::AuthorizationServerMetadata { tenant }
            | Self::SignalsConfiguration { tenant } => tenant,
        }
    }
}

/// `[a-z0-9][a-z0-9-]{0,62}`, as the bridge file has it.
fn is_slug(text: &str) -> bool {
    let bytes = text.as_bytes();
    (1..=63).contains(&bytes.len())
        && bytes[0] != b'-'
        && bytes.iter().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

/// Segments of unreserved characters (RFC 3986 section 2.3), none empty, none of dots alone.
fn is_route(text: &str) -> bool {
    text.len() <= 256
        && text.split('/').all(|segment| {
            !segment.is_empty()
                && segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~'))
                && segment.bytes().any(|b| b != b'.')
        })
}

/// As [`is_route`], and with colons: a schema is found by its URN (RFC 7644 section 4). Some clients encode them, so this
/// stays as it was sent.
fn is_route_of_connection(text: &str) -> bool {
    if !text.contains([':', '%']) {
        return is_route(text);
    }
    let colons = |text: &str| text.replace("%3A", "-").replace("%3a", "-").replace(':', "-");
    text.len() <= 256 && is_route(&colons(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_places_of_the_interface() {
        let tenant = |route| Some(Place::Tenant { tenant: "acme", route });
        assert_eq!(Place::parse("/t/acme/authorize"), tenant("authorize"));
        assert_eq!(
            Place::parse("/t/acme/.well-known/openid-configuration"),
            tenant(".well-known/openid-configuration")
        );
        assert_eq!(Place::parse("/t/acme/saml/metadata"), tenant("saml/metadata"));
        assert_eq!(
            Place::parse("/t/acme/connections/okta/saml/acs"),
            Some(Place::Connection { tenant: "acme", connection: "okta", route: "saml/acs" })
        );
        for urn in ["urn:ietf:params:scim:schemas:core:2.0:User", "urn%3Aietf%3aparams"] {
            let route = format!("scim/v2/Schemas/{urn}");
            let path = format!("/t/acme/connections/hr/{route}");
            let place = Place::Connection { tenant: "acme", connection: "hr", route: &route };
            assert_eq!(Place::parse(&path), Some(place));
        }
        assert_eq!(
            Place::parse("/.well-known/oauth-authorization-server/t/acme"),
            Some(Place::AuthorizationServerMetadata { tenant: "acme" })
        );
    }

    #[test]
    fn refuses_everything_else() {
        for path in [
            "",
            "/",
            "/t",
            "/t/",
            "/t/acme",
            "/t/acme/",
            "/t//authorize",
            "/t/Acme/authorize",
            "/t/-a/authorize",
            "/t/acme//authorize",
            "/t/acme/authorize/",
            "/t/acme/../authorize",
            "/t/acme/./authorize",
            "/t/acme/%61uthorize",
            "/t/ac%6de/authorize",
            "/t/acme/authorize;a=b",
            "/t/acme/auth:orize",
            "/t/acme/connections/hr/scim/v2/Users/%2e%2e",
            "/t/acme/connections/hr/scim/v2/Users/%3Ax%41",
            "/t/acme/auth\\orize",
            "/t/acme/connections/okta",
            "/t/acme/connections/okta/",
            "/t/acme/connections//saml/acs",
            "/t/acme/connections/../saml/acs",
            "/.well-known/oauth-authorization-server/t/",
            "/.well-known/oauth-authorization-server/t/acme/x",
            "/.well-known/oauth-authorization-server/acme",
            "/livez",
            "/metrics",
        ] {
            assert_eq!(Place::parse(path), None, "{path}");
        }
        assert_eq!(Place::parse(&format!("/t/{}/authorize", "a".repeat(64))), None);
    }
}
