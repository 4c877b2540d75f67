//! OpenID Connect: the claims of Core 5.1 under their own names, and the three
//! lists of RFC 9068 section 2.2.3.1.

use super::Rows;

pub(super) const ROWS: Rows = &[
    ("name", &["name"]),
    ("given_name", &["given_name"]),
    ("family_name", &["family_name"]),
    ("middle_name", &["middle_name"]),
    ("nickname", &["nickname"]),
    ("preferred_username", &["preferred_username"]),
    ("profile", &["profile"]),
    ("picture", &["picture"]),
    ("website", &["website"]),
    ("email", &["email"]),
    ("email_verified", &["email_verified"]),
    ("gender", &["gender"]),
    ("birthdate", &["birthdate"]),
    ("zoneinfo", &["zoneinfo"]),
    ("locale", &["locale"]),
    ("phone_number", &["phone_number"]),
    ("phone_number_verified", &["phone_number_verified"]),
    ("address", &["address"]),
    ("updated_at", &["updated_at"]),
    ("groups", &["groups"]),
    ("roles", &["roles"]),
    ("entitlements", &["entitlements"]),
];
