//! Okta: attribute statements as its SAML app wizard suggests them, the profile
//! names of its directory, and its OIDC claims.

use super::Rows;

pub(super) const ROWS: Rows = &[
    ("email", &["email", "user.email", "Email", "mail"]),
    ("email_verified", &["email_verified"]),
    ("given_name", &["firstName", "user.firstName", "FirstName", "first_name", "given_name"]),
    ("family_name", &["lastName", "user.lastName", "LastName", "last_name", "family_name"]),
    ("middle_name", &["middleName", "user.middleName", "middle_name"]),
    ("name", &["displayName", "user.displayName", "name"]),
    ("preferred_username", &["login", "user.login", "userName", "username", "preferred_username"]),
    ("nickname", &["nickName", "user.nickName", "nickname"]),
    ("phone_number", &["mobilePhone", "user.mobilePhone", "primaryPhone", "user.primaryPhone", "phone_number"]),
    ("locale", &["locale", "user.locale"]),
    ("zoneinfo", &["timezone", "user.timezone", "zoneinfo"]),
    ("groups", &["groups", "Groups", "memberOf"]),
    ("roles", &["roles", "role"]),
];
