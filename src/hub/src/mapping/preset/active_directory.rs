//! Active Directory: the attributes of its user class.

use super::Rows;

pub(super) const ROWS: Rows = &[
    ("email", &["mail"]),
    ("given_name", &["givenName"]),
    ("family_name", &["sn"]),
    ("middle_name", &["middleName"]),
    ("name", &["displayName", "cn"]),
    ("preferred_username", &["sAMAccountName", "userPrincipalName"]),
    ("phone_number", &["telephoneNumber", "mobile"]),
    ("locale", &["preferredLanguage"]),
    ("website", &["wWWHomePage"]),
    ("groups", &["groupName", "memberOf"]),
];
