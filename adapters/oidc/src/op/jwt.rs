//! Compact JWS: signing through the tenant's keys, and checking tokens of our own.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fedbridge_contract::keys::{KeyError, KeyRing, Signer};
use serde::Serialize;
use serde_json::{Map, Value};

use super::strict_json;

/// The longest token that is looked at, in octets.
const MAX_TOKEN: usize = 32 * 1024;

/// Kinds of JWT that the provider makes. Each has its own `typ`, so that one can't
/// stand where another is meant (RFC 8725 section 3.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JwtType {
    /// RFC 9068 section 2.1.
    Access,
    Id,
    /// Back-Channel Logout 1.0, section 2.4.
    Logout,
}

impl JwtType {
    const fn name(self) -> &'static str {
        match self {
            Self::Access => "at+jwt",
            Self::Id => "JWT",
            Self::Logout => "logout+jwt",
        }
    }
}

/// Signs claims. The key decides the algorithm.
pub(crate) fn sign(signer: &dyn Signer, typ: JwtType, claims: &impl Serialize) -> Result<String, KeyError> {
    let failed = |cause: &str| KeyError { kid: signer.kid().to_owned(), cause: cause.to_owned() };
    let header = Header { typ: typ.name(), alg: signer.algorithm().name(), kid: signer.kid() };
    let header = serde_json::to_vec(&header).map_err(|_| failed("the header can't be written"))?;
    let claims = serde_json::to_vec(claims).map_err(|_| failed("the claims can't be written"))?;
    let mut token = String::with_capacity((header.len() + claims.len()) * 4 / 3 + 100);
    URL_SAFE_NO_PAD.encode_string(&header, &mut token);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(&claims, &mut token);
    let signature = signer.sign(token.as_bytes())?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(&signature, &mut token);
    Ok(token)
}

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

/// A compact JWS taken apart; nothing about it is checked.
pub(crate) struct Parts<'a> {
    pub(crate) header: Vec<u8>,
    pub(crate) claims: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    /// The octets that the signature covers.
    pub(crate) signed: &'a str,
}

impl<'a> Parts<'a> {
    pub(crate) fn split(token: &'a str) -> Option<Self> {
        if token.len() > MAX_TOKEN {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        if claims.contains('.') {
            return None;
        }
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        Some(Self { header: decode(header)?, claims: decode(claims)?, signature: decode(signature)?, signed })
    }
}

#[derive(Serialize)]
struct Header<'a> {
    typ: &'static str,
    alg: &'static str,
    kid: &'a str,
}
