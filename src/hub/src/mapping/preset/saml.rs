//! SAML without a preset: the usual names, the X.500 and eduPerson OIDs, and
//! the claim URIs of Microsoft's products.

use super::Rows;

pub(super) const ROWS: Rows = &[
    (
        "email",
        &[
            "email",
            "mail",
            "urn:oid:0.9.2342.19200300.100.1.3",
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress",
            "emailAddress",
            "Email",
            "urn:oid:1.2.840.113549.1.9.1",
        ],
    ),
    (
        "given_name",
        &[
            "given_name",
            "givenName",
            "urn:oid:2.5.4.42",
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname",
            "firstName",
            "FirstName",
            "first_name",
        ],
    ),
    (
        "family_name",
        &[
            "family_name",
            "sn",
            "urn:oid:2.5.4.4",
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname",
            "surname",
            "lastName",
            "LastName",
            "last_name",
        ],
    ),
    (
        "name",
        &[
            "name",
            "displayName",
            "urn:oid:2.16.840.1.113730.3.1.241",
            "http://schemas.microsoft.com/identity/claims/displayname",
            "cn",
            "urn:oid:2.5.4.3",
        ],
    ),
    (
        "preferred_username",
        &[
            "preferred_username",
            "uid",
            "urn:oid:0.9.2342.19200300.100.1.1",
            "username",
            "userName",
            "urn:oid:1.3.6.1.4.1.5923.1.1.1.6",
            "eduPersonPrincipalName",
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn",
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name",
        ],
    ),
    ("phone_number", &["phone_number", "telephoneNumber", "urn:oid:2.5.4.20"]),
    ("locale", &["locale", "preferredLanguage", "urn:oid:2.16.840.1.113730.3.1.39"]),
    (
        "groups",
        &[
            "groups",
            "memberOf",
            "isMemberOf",
            "urn:oid:1.3.6.1.4.1.5923.1.5.1.1",
            "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups",
            "http://schemas.xmlsoap.org/claims/Group",
        ],
    ),
    ("roles", &["roles", "Role", "role", "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"]),
    ("entitlements", &["entitlements", "eduPersonEntitlement", "urn:oid:1.3.6.1.4.1.5923.1.1.1.7"]),
];
