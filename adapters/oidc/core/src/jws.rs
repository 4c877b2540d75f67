//! Compact JWS (RFC 7515): signing through a tenant's keys, and verifying with keys that were known before.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fedbridge_contract::keys::{self, KeyError, SignatureAlgorithm};
use openssl::error::ErrorStack;
use openssl::hash::MessageDigest;
use openssl::memcmp;
use openssl::pkey::PKey;
use openssl::sign::Signer;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::jwk::PublicJwk;
use crate::strict_json;

/// The longest token that is looked at, in octets.
const MAX_TOKEN: usize = 32 * 1024;

/// Keys that are tried for one token at most, where no `kid` tells them apart.
const MAX_TRIED: usize = 10;

/// The shortest secret that may sign, in octets (RFC 7518 section 3.2).
const MIN_SECRET: usize = 32;

/// Kinds of JWT that the bridge makes. Each has its own `typ`, so that one can't
/// stand where another is meant (RFC 8725 section 3.11).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JwtType {
    /// RFC 9068 section 2.1.
    Access,
    Id,
    /// Back-Channel Logout 1.0, section 2.4.
    Logout,
    /// We at somebody else's token endpoint (draft-ietf-oauth-rfc7523bis section 4).
    ClientAuthentication,
    /// RFC 9101 section 10.8.
    RequestObject,
    /// RFC 8417 section 2.3.
    SecurityEvent,
}

impl JwtType {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Access => "at+jwt",
            Self::Id => "JWT",
            Self::Logout => "logout+jwt",
            Self::ClientAuthentication => "client-authentication+jwt",
            Self::RequestObject => "oauth-authz-req+jwt",
            Self::SecurityEvent => "secevent+jwt",
        }
    }
}

/// Signs claims. The key decides the algorithm.
///
/// # Errors
/// The key can't be used, or the claims can't be written as JSON.
pub fn sign(signer: &dyn keys::Signer, typ: JwtType, claims: &impl Serialize) -> Result<String, KeyError> {
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

/// What is accepted of a token's header.
pub struct Accept<'a> {
    /// The list decides, never the message (RFC 8725 section 3.1).
    pub algorithms: &'a [SignatureAlgorithm],
    /// Kinds of token, in lower case; an empty text stands for a header without `typ`.
    pub types: &'a [&'a str],
}

/// Why a token is not taken. Names nothing of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JwsRefused {
    #[error("it is not a JWT of three parts")]
    Shape,
    #[error("its header is not strict JSON")]
    Header,
    #[error("it has a crit header")]
    Critical,
    #[error("its typ is that of another kind of token")]
    Type,
    #[error("its alg is not one that is accepted here")]
    Algorithm,
    #[error("its kid is not a text")]
    Kid,
    #[error("no key that is known verifies its signature")]
    Signature,
    #[error("its claims are not strict JSON")]
    Claims,
}

/// A compact JWS whose header can be accepted; its signature is not checked yet.
pub struct UnverifiedJws<'a> {
    pub algorithm: SignatureAlgorithm,
    pub kid: Option<String>,
    header: Map<String, Value>,
    parts: Parts<'a>,
}

impl<'a> UnverifiedJws<'a> {
    /// Takes a token apart. A header chooses among keys that are known and nothing else: `jwk`, `jku`,
    /// `x5c` and `x5u` are not looked at.
    ///
    /// # Errors
    /// [`JwsRefused`], of shape and header.
    pub fn read(token: &'a str, accept: &Accept<'_>) -> Result<Self, JwsRefused> {
        let (parts, header) = open(token, accept.types)?;
        let algorithm = header.get("alg").and_then(Value::as_str).and_then(SignatureAlgorithm::from_name);
        let algorithm = algorithm.filter(|algorithm| accept.algorithms.contains(algorithm));
        let algorithm = algorithm.ok_or(JwsRefused::Algorithm)?;
        let kid = match header.get("kid") {
            None => None,
            Some(kid) => Some(kid.as_str().ok_or(JwsRefused::Kid)?.to_owned()),
        };
        Ok(Self { algorithm, kid, header, parts })
    }

    /// Whether one of these keys is meant for this token.
    pub fn finds(&self, keys: &[PublicJwk]) -> bool {
        self.fitting(keys).next().is_some()
    }

    /// Whether one of these keys has signed this token. Its claims stay unread.
    pub fn is_signed_by(&self, keys: &[PublicJwk]) -> bool {
        self.signer(keys).is_some()
    }

    /// Checks the signature with those of the keys that fit.
    ///
    /// # Errors
    /// [`JwsRefused::Signature`], also where no key fits, and [`JwsRefused::Claims`].
    pub fn verify(self, keys: &[PublicJwk]) -> Result<VerifiedJws, JwsRefused> {
        self.verify_by(keys).map(|(verified, _)| verified)
    }

    /// The same, with the key that it was.
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub fn verify_by(self, keys: &[PublicJwk]) -> Result<(VerifiedJws, &PublicJwk), JwsRefused> {
        let key = self.signer(keys).ok_or(JwsRefused::Signature)?;
        Ok((VerifiedJws::of(self.header, &self.parts)?, key))
    }

    /// How many of these keys are meant for this token.
    pub fn fits(&self, keys: &[PublicJwk]) -> usize {
        self.fitting(keys).count()
    }

    fn signer<'k>(&self, keys: &'k [PublicJwk]) -> Option<&'k PublicJwk> {
        let Parts { signed, signature, .. } = &self.parts;
        let genuine = |key: &&PublicJwk| key.verify(self.algorithm, signed.as_bytes(), signature);
        self.fitting(keys).take(MAX_TRIED).find(genuine)
    }

    fn fitting<'k>(&self, keys: &'k [PublicJwk]) -> impl Iterator<Item = &'k PublicJwk> {
        let (algorithm, kid) = (self.algorithm, self.kid.clone());
        keys.iter().filter(move |key| key.fits(algorithm, kid.as_deref()))
    }
}

/// Claims under a signature that verified with one of the keys that were asked. Only
/// [`UnverifiedJws::verify`] and [`verify_hs256`] make one. Issuer, audience and times are the caller's to
/// check.
#[derive(Debug)]
pub struct VerifiedJws {
    pub header: Map<String, Value>,
    pub claims: Map<String, Value>,
}

impl VerifiedJws {
    fn of(header: Map<String, Value>, parts: &Parts<'_>) -> Result<Self, JwsRefused> {
        let claims = strict_json::object(&parts.claims).map_err(|_| JwsRefused::Claims)?;
        Ok(Self { header, claims })
    }
}

/// Checks a token under HMAC with SHA-256 (RFC 7518 section 3.2) with secrets that two parties share. A
/// header that names any other algorithm is refused, so no public key can ever stand in for a secret.
///
/// # Errors
/// [`JwsRefused`]. A secret shorter than 32 octets verifies nothing.
pub fn verify_hs256(token: &str, types: &[&str], secrets: &[&[u8]]) -> Result<VerifiedJws, JwsRefused> {
    let (parts, header) = open(token, types)?;
    if header.get("alg").and_then(Value::as_str) != Some("HS256") {
        return Err(JwsRefused::Algorithm);
    }
    let genuine = |secret: &&[u8]| -> Result<bool, ErrorStack> {
        let key = PKey::hmac(secret)?;
        let made = Signer::new(MessageDigest::sha256(), &key)?.sign_oneshot_to_vec(parts.signed.as_bytes())?;
        Ok(made.len() == parts.signature.len() && memcmp::eq(&made, &parts.signature))
    };
    let long = |secret: &&&[u8]| secret.len() >= MIN_SECRET;
    if !secrets.iter().filter(long).any(|secret| genuine(secret).unwrap_or(false)) {
        return Err(JwsRefused::Signature);
    }
    VerifiedJws::of(header, &parts)
}

/// Takes a token apart, up to what every kind of key needs of its header.
fn open<'a>(token: &'a str, types: &[&str]) -> Result<(Parts<'a>, Map<String, Value>), JwsRefused> {
    let parts = Parts::split(token).ok_or(JwsRefused::Shape)?;
    let header = strict_json::object(&parts.header).map_err(|_| JwsRefused::Header)?;
    if header.contains_key("crit") || header.contains_key("b64") {
        return Err(JwsRefused::Critical);
    }
    let typ = match header.get("typ") {
        None => "",
        Some(typ) => typ.as_str().filter(|typ| !typ.is_empty()).ok_or(JwsRefused::Type)?,
    };
    if !types.iter().any(|accepted| typ.eq_ignore_ascii_case(accepted)) {
        return Err(JwsRefused::Type);
    }
    Ok((parts, header))
}

/// A compact JWS taken apart; nothing about it is checked.
pub struct Parts<'a> {
    pub header: Vec<u8>,
    pub claims: Vec<u8>,
    pub signature: Vec<u8>,
    /// The octets that the signature covers.
    pub signed: &'a str,
}

impl<'a> Parts<'a> {
    pub fn split(token: &'a str) -> Option<Self> {
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
