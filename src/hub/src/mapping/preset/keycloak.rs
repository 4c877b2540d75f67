//! Keycloak: its built-in SAML protocol mappers (X.500 OIDs, or the friendly
//! names where an admin chose them), and its OIDC claims.

use super::Rows;

pub(super) const ROWS: Rows = &[
    ("email", &["email", "urn:oid:1.2.840.113549.1.9.1", "urn:oid:0.9.2342.19200300.100.1.3"]),
    ("email_verified", &["email_verified"]),
    ("given_name", &["given_name", "firstName", "givenName", "urn:oid:2.5.4.42"]),
    ("family_name", &["family_name", "lastName", "surname", "urn:oid:2.5.4.4"]),
    ("name", &["name", "fullName", "displayName"]),
    ("preferred_username", &["preferred_username", "username", "urn:oid:0.9.2342.19200300.100.1.1"]),
    ("locale", &["locale"]),
    ("phone_number", &["phone_number", "phoneNumber"]),
    ("groups", &["groups", "member", "group"]),
    ("roles", &["roles", "Role", "role", "realm_access.roles"]),
];
