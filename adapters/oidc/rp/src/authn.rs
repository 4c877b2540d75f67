//! How and when the person authenticated, in the provider's words.

use fedbridge_contract::identity::AuthnFacts;
use serde_json::Value;

use crate::id_token::LoginToken;

/// Methods that are kept at most, and the length of one.
const MAX_METHODS: usize = 32;
const MAX_LENGTH: usize = 64;

/// Reads `acr`, `amr` and `idp` of an ID token. Nothing is made up where they are absent.
pub fn facts(issuer: &str, login: &LoginToken) -> AuthnFacts {
    let id_token = &login.claims;
    let text = |name: &str| id_token.get(name).and_then(Value::as_str).map(str::to_owned);
    AuthnFacts {
        auth_time: login.auth_time,
        auth_time_said: login.auth_time_said,
        acr: text("acr").filter(|acr| !acr.is_empty()),
        amr: methods(id_token.get("amr")),
        authority: Some(issuer.to_owned()),
        // A guest's home directory, or the provider behind this one.
        authorities: text("idp").into_iter().collect(),
    }
}

fn methods(amr: Option<&Value>) -> Vec<String> {
    let listed = amr.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    let short = listed.iter().filter_map(Value::as_str).filter(|method| (1..=MAX_LENGTH).contains(&method.len()));
    short.take(MAX_METHODS).map(str::to_owned).collect()
}
