//! Which of a grant's claims a token may show. The hub has decided what the app may
//! ever see; a token of a narrower scope shows less.

use std::cell::LazyCell;

use fedbridge_contract::claims::PROTOCOL_CLAIMS;
use fedbridge_contract::grant::GrantRecord;
use serde::ser::{Serialize, SerializeMap as _, Serializer};
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

/// The claims of a grant that may be shown: those of the token's scope, as far as the client
/// may have that scope today. They serialize as members of one JSON object.
pub(crate) struct Released<'a> {
    pub(crate) record: &'a GrantRecord,
    /// The token's scope, without what the client has lost since.
    pub(crate) scope: &'a [String],
    /// Every scope that the client may have today.
    pub(crate) registered: &'a [String],
}

impl Serialize for Released<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.visible() {
            map.serialize_entry(name, value)?;
        }
        map.end()
    }
}

impl<'a> Released<'a> {
    fn visible(&self) -> impl Iterator<Item = (&'a String, &'a Value)> {
        let record = self.record;
        // Read only where it decides.
        let asked = LazyCell::new(|| GrantMemory::of(record).requested_claims);
        let has = |list: &[String], scope: &str| list.iter().any(|there| there == scope);
        let hidden = move |name: &str| {
            let Some(scope) = scope_of(name) else { return false };
            let by_name = || has(&asked, name);
            if has(self.registered, scope) {
                // A narrower token shows less; what was asked for by name stays (Core 5.5).
                has(&record.scope, scope) && !has(self.scope, scope) && !by_name()
            } else {
                // The client lost the scope. What the scope released is gone, and so is what was
                // asked for by name, for that needs the scope at the client too. What the client
                // was given without either stays: its administrator released it for itself.
                has(&record.scope, scope) || by_name()
            }
        };
        let shown = move |name: &str| !PROTOCOL_CLAIMS.contains(&name) && !hidden(name);
        record.claims.iter().filter(move |(name, _)| shown(name))
    }
}

fn scope_of(claim: &str) -> Option<&'static str> {
    SCOPE_CLAIMS.iter().find(|(_, names)| names.contains(&claim)).map(|(scope, _)| *scope)
}
