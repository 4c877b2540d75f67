//! Google Workspace: the attribute mappings of its custom SAML apps (an admin
//! types the names; these are the ones of its help pages), and its OIDC claims.

use super::Rows;

pub(super) const ROWS: Rows = &[
    ("email", &["email", "Email", "primaryEmail", "mail"]),
    ("email_verified", &["email_verified"]),
    ("given_name", &["first_name", "firstName", "FirstName", "given_name"]),
    ("family_name", &["last_name", "lastName", "LastName", "family_name"]),
    ("name", &["name", "fullName", "displayName"]),
    ("picture", &["picture"]),
    ("locale", &["locale"]),
    ("phone_number", &["phone_number", "phone"]),
    ("preferred_username", &["username", "preferred_username"]),
    ("groups", &["groups", "Groups", "group"]),
];
