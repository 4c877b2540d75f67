//! Active Directory Federation Services: the claim types of its console.

use super::Rows;

pub(super) const ROWS: Rows = &[
    ("email", &["http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress", "email"]),
    ("email_verified", &["email_verified"]),
    ("given_name", &["http://schemas.xmlsoap.org/ws/2005/05/identity/claims/givenname", "given_name"]),
    ("family_name", &["http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname", "family_name"]),
    (
        "name",
        &[
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name",
            "http://schemas.xmlsoap.org/claims/CommonName",
            "unique_name",
        ],
    ),
    (
        "preferred_username",
        &[
            "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/upn",
            "upn",
            "http://schemas.microsoft.com/ws/2008/06/identity/claims/windowsaccountname",
        ],
    ),
    (
        "groups",
        &[
            "http://schemas.xmlsoap.org/claims/Group",
            "group",
            "http://schemas.microsoft.com/ws/2008/06/identity/claims/groupsid",
        ],
    ),
    ("roles", &["http://schemas.microsoft.com/ws/2008/06/identity/claims/role", "role"]),
];
