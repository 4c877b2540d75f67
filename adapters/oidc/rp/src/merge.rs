//! One set of claims out of an ID token and userinfo, in a fixed order: who the person is and how they logged in is
//! the ID token's alone; a pair that belongs together comes from one source; of everything else the ID token wins.

use serde_json::{Map, Value};

/// Claims about the token, which say nothing about a person.
const ABOUT_THE_TOKEN: &[&str] = &[
    "aud",
    "azp",
    "exp",
    "iat",
    "nbf",
    "jti",
    "nonce",
    "at_hash",
    "c_hash",
    "s_hash",
    "_claim_names",
    "_claim_sources",
];

/// Claims about who a person is and how they logged in, which decide who gets in.
const ABOUT_THE_LOGIN: &[&str] =
    &["iss", "sub", "acr", "amr", "auth_time", "sid", "tid", "oid", "hd", "idp", "ver", "xms_edov", "acrs"];

/// A value with the word on whether it was verified: never one from here and the other from there.
const PAIRS: &[(&str, &str)] = &[("email", "email_verified"), ("phone_number", "phone_number_verified")];

/// The claims of both.
pub fn merge(id_token: Map<String, Value>, userinfo: Option<Map<String, Value>>) -> Map<String, Value> {
    let mut merged = id_token;
    let mut userinfo = userinfo.unwrap_or_default();
    userinfo.retain(|name, _| !is_about_the_token(name) && !ABOUT_THE_LOGIN.contains(&name.as_str()));
    for (value, word) in PAIRS {
        let other = if merged.contains_key(*value) { &mut userinfo } else { &mut merged };
        other.remove(*value);
        other.remove(*word);
    }
    for (name, value) in userinfo {
        merged.entry(name).or_insert(value);
    }
    merged
}

/// Whether a claim says something about the token alone.
pub fn is_about_the_token(claim: &str) -> bool {
    ABOUT_THE_TOKEN.contains(&claim)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn merged(id_token: Value, userinfo: Value) -> Value {
        Value::Object(merge(id_token.as_object().unwrap().clone(), Some(userinfo.as_object().unwrap().clone())))
    }

    #[test]
    fn a_pair_comes_from_one_source() {
        let other = json!({ "email": "b@x", "email_verified": true });
        assert_eq!(merged(json!({ "email": "a@x" }), other.clone()), json!({ "email": "a@x" }));
        assert_eq!(merged(json!({ "email_verified": true }), json!({ "email": "b@x" })), json!({ "email": "b@x" }));
        assert_eq!(merged(json!({ "email_verified": false }), other.clone()), other);
        let own = json!({ "email": "a@x", "email_verified": false });
        assert_eq!(merged(own.clone(), json!({ "email_verified": true })), own);
    }

    #[test]
    fn the_id_token_alone_says_who_and_how() {
        let own = json!({ "sub": "1", "name": "A" });
        for name in ABOUT_THE_TOKEN.iter().chain(ABOUT_THE_LOGIN) {
            assert_eq!(merged(own.clone(), json!({ (*name): "x" })), own, "{name}");
        }
        assert_eq!(
            merged(own, json!({ "name": "B", "nickname": "b" })),
            json!({ "sub": "1", "name": "A", "nickname": "b" })
        );
    }
}
