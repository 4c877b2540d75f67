//! The key set (RFC 7517): public keys that sign tokens, the next one ahead of its use and
//! the last one after it. SAML keys are never in it.

use fedbridge_contract::config::Tenant;
use fedbridge_contract::keys::{KeyState, SigningKey};
use serde_json::{Value, json};

/// Members that a public key may have. Whatever else a JWK holds stays here.
const PUBLIC_MEMBERS: &[&str] = &["kty", "kid", "alg", "use", "crv", "x", "y", "n", "e"];

pub(crate) fn key_set(tenant: &Tenant) -> Value {
    let published = tenant.keys.oidc.iter().filter(|key| key.state != KeyState::Retired);
    let keys: Vec<Value> = published.map(public_jwk).collect();
    json!({ "keys": keys })
}

fn public_jwk(key: &SigningKey) -> Value {
    let members = key.jwk.as_object().into_iter().flatten();
    let mut jwk: serde_json::Map<String, Value> = members
        .filter(|(name, _)| PUBLIC_MEMBERS.contains(&name.as_str()))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    jwk.insert("kid".into(), key.signer.kid().into());
    jwk.insert("alg".into(), key.signer.algorithm().name().into());
    jwk.insert("use".into(), "sig".into());
    Value::Object(jwk)
}
