//! OpenLDAP: inetOrgPerson (RFC 2798) and the memberOf overlay.

use super::Rows;

pub(super) const ROWS: Rows = &[
    ("email", &["mail"]),
    ("given_name", &["givenName"]),
    ("family_name", &["sn"]),
    ("name", &["displayName", "cn"]),
    ("preferred_username", &["uid"]),
    ("phone_number", &["telephoneNumber", "mobile"]),
    ("locale", &["preferredLanguage"]),
    ("website", &["labeledURI"]),
    ("groups", &["groupName", "memberOf", "isMemberOf"]),
];
