//! Checking tokens of our own.

use fedbridge_contract::keys::KeyRing;
use fedbridge_oidc_core::jws::{JwtType, Parts};
use fedbridge_oidc_core::strict_json;
use serde_json::{Map, Value};

/// Claims whose signature was checked with a key of this tenant, of the kind that was asked for.
/// Only [`verify`] makes one. Issuer and times are the caller's to check.
#[derive(Debug)]
pub(crate) struct VerifiedClaims(Map<String, Value>);

impl VerifiedClaims {
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    pub(crate) fn integer(&self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(Value::as_i64)
    }
}

/// Why a JWT is not a token of ours. Names nothing of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JwtRefused {
    #[error("the token is not a JWT of three parts")]
    Shape,
    #[error("the JWT's header is not strict JSON")]
    Header,
    #[error("the JWT is of another kind: its typ is not the one expected here")]
    Type,
    #[error("the JWT has a crit header")]
    Critical,
    #[error("the JWT's kid is none of this tenant's keys")]
    UnknownKey,
    #[error("the JWT's alg is not the algorithm of its key")]
    Algorithm,
    #[error("the JWT's signature is wrong")]
    Signature,
    #[error("the JWT's claims are not strict JSON")]
    Claims,
    #[error("the JWT is of another issuer")]
    Issuer,
    #[error("the JWT has expired")]
    Expired,
    #[error("the JWT lacks a claim that every token of its kind has")]
    Incomplete,
}

/// Checks a JWT that should be one of ours: key by `kid`, algorithm bound to the key,
/// exact `typ`, no `crit`, no duplicate members (RFC 8725 sections 3.1, 3.2, 3.11).
pub(crate) fn verify(keys: &KeyRing, typ: JwtType, token: &str) -> Result<VerifiedClaims, JwtRefused> {
    let parts = Parts::split(token).ok_or(JwtRefused::Shape)?;
    let header = strict_json::object(&parts.header).map_err(|_| JwtRefused::Header)?;
    let word = |name: &str| header.get(name).and_then(Value::as_str);
    if header.contains_key("crit") || header.contains_key("b64") {
        return Err(JwtRefused::Critical);
    }
    if word("typ") != Some(typ.name()) {
        return Err(JwtRefused::Type);
    }
    let key = word("kid").and_then(|kid| keys.oidc_key(kid)).ok_or(JwtRefused::UnknownKey)?;
    if word("alg") != Some(key.signer.algorithm().name()) {
        return Err(JwtRefused::Algorithm);
    }
    if !key.signer.verify(parts.signed.as_bytes(), &parts.signature) {
        return Err(JwtRefused::Signature);
    }
    strict_json::object(&parts.claims).map(VerifiedClaims).map_err(|_| JwtRefused::Claims)
}
