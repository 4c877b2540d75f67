//! Which of a grant's claims a token may show. The hub has decided what the app may
//! ever see; a token of a narrower scope shows less.

use fedbridge_contract::grant::GrantRecord;
use serde_json::Value;

use super::memory::GrantMemory;

/// Claims that standard scopes release (OpenID Connect Core 5.4), and ours.
pub(crate) const SCOPE_CLAIMS: &[(&str, &[&str])] = &[
    (
        "profile",
        &[
            "name",
            "family_name",
            "given_name",
            "middle_name",
            "nickname",
            "preferred_username",
            "profile",
            "picture",
            "website",
            "gender",
            "birthdate",
            "zoneinfo",
            "locale",
            "updated_at",
        ],
    ),
    ("email", &["email", "email_verified"]),
    ("address", &["address"]),
    ("phone", &["phone_number", "phone_number_verified"]),
    ("groups", &["groups"]),
];

/// The claims of a grant under a token's scope.
pub(crate) fn claims<'a>(record: &'a GrantRecord, scope: &[String]) -> Vec<(&'a String, &'a Value)> {
    let gone: Vec<&str> = record.scope.iter().filter(|had| !scope.contains(had)).map(String::as_str).collect();
    if gone.is_empty() {
        return record.claims.iter().collect();
    }
    let asked = GrantMemory::of(record).requested_claims;
    let hidden = |name: &str| {
        SCOPE_CLAIMS.iter().any(|(scope, names)| gone.contains(scope) && names.contains(&name))
            && !asked.iter().any(|there| there == name)
    };
    record.claims.iter().filter(|(name, _)| !hidden(name)).collect()
}
