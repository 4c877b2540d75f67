//! SCIM: the User of RFC 7643 section 4.1, sub-attributes behind a dot.

use super::Rows;

pub(super) const ROWS: Rows = &[
    ("preferred_username", &["userName"]),
    ("email", &["emails", "emails.value", "emails[type eq \"work\"].value", "emails[primary eq true].value"]),
    ("given_name", &["name.givenName"]),
    ("family_name", &["name.familyName"]),
    ("middle_name", &["name.middleName"]),
    ("name", &["displayName", "name.formatted"]),
    ("nickname", &["nickName"]),
    ("profile", &["profileUrl"]),
    ("picture", &["photos", "photos.value"]),
    ("locale", &["locale", "preferredLanguage"]),
    ("zoneinfo", &["timezone"]),
    ("phone_number", &["phoneNumbers", "phoneNumbers.value", "phoneNumbers[type eq \"work\"].value"]),
    ("address", &["addresses.formatted", "addresses[type eq \"work\"].formatted", "addresses"]),
    ("groups", &["groups", "groups.display", "groups.value"]),
    ("roles", &["roles", "roles.value"]),
    ("entitlements", &["entitlements", "entitlements.value"]),
];
