//! Microsoft Entra ID: the default claims of its SAML tokens, and of its ID tokens.
//!
//! Entra sends the user principal name as `…/claims/name`, so that is a user name
//! here and not a person's name. Its `email` is data that a guest's own tenant
//! may have written; the connection's domains decide whether it is verified.

use super::Rows;

pub(super) const ROWS: Rows = &[
    ("email", &["http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress", "email", "mail"]),
    // Present only where the adapter has seen that nobody vouches for the address.
    ("email_verified", &["email_verified"]),
    ("given_name", &["http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname", "given_name", "givenname"]),
    ("family_name", &["http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname", "family_name", "surname"]),
    ("name", &["http://schemas.microsoft.com/identity/claims/displayname", "displayname", "name"]),
    (
        "preferred_username",
        &[
            "preferred_username",
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn",
            "upn",
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name",
        ],
    ),
    ("locale", &["preferredlanguage", "http://schemas.microsoft.com/identity/claims/preferredlanguage", "locale"]),
    ("groups", &["http://schemas.microsoft.com/ws/2008/06/identity/claims/groups", "groups"]),
    ("roles", &["http://schemas.microsoft.com/ws/2008/06/identity/claims/role", "roles"]),
];
