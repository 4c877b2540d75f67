//! A directory of no known kind: inetOrgPerson, then what others use.

use super::Rows;

pub(super) const ROWS: Rows = &[
    ("email", &["mail", "email"]),
    ("given_name", &["givenName"]),
    ("family_name", &["sn"]),
    ("name", &["displayName", "cn"]),
    ("preferred_username", &["uid", "sAMAccountName", "userPrincipalName"]),
    ("phone_number", &["telephoneNumber", "mobile"]),
    ("locale", &["preferredLanguage"]),
    ("groups", &["groupName", "memberOf", "isMemberOf", "groupMembership"]),
];
