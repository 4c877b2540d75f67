//! The header of a signed token, before any key is looked at: the connection's list decides what counts, never
//! the message (RFC 8725 section 3.1).

use fedbridge_contract::trace::TraceLog;
use fedbridge_oidc_core::jws::Parts;
use fedbridge_oidc_core::strict_json;
use serde_json::{Map, Value};

use crate::checks::{Checked, refuse, require};
use crate::claims;
use crate::settings::{Settings, TokenAlgorithm};
use crate::token::TokenKind;

const SOURCE: &str = "RFC 8725 3.1, RFC 7515 4.1";

/// Members that bring a key along, or say where one is.
const KEYS: &[&str] = &["jwk", "jku", "x5u", "x5c"];
/// Members that change how everything else is read.
const CRITICAL: &[&str] = &["crit", "b64", "zip"];

/// What is needed of a header to find the key.
pub struct Header {
    pub algorithm: TokenAlgorithm,
    pub kid: Option<String>,
}

impl Header {
    pub fn read(
        token: &str,
        kind: TokenKind,
        types: &[&str],
        settings: &Settings,
        trace: &mut TraceLog,
    ) -> Checked<Self> {
        let Some(parts) = Parts::split(token) else {
            let actual = format!("{} octets in {} parts", token.len(), token.split('.').count());
            return refuse(trace, &kind.name("form"), "RFC 7515 7.1", "a signed JWT of three parts", actual);
        };
        let header = match strict_json::object(&parts.header) {
            Ok(header) => header,
            Err(why) => return refuse(trace, "strict JSON", "RFC 8725 2.4", "a header that is strict JSON", why),
        };
        let algorithm = algorithm(&header, kind, settings, trace)?;
        if let Some(named) = KEYS.iter().find(|name| header.contains_key(**name)) {
            return refuse(trace, "key named in the header", SOURCE, "none", *named);
        }
        if let Some(named) = CRITICAL.iter().find(|name| header.contains_key(**name)) {
            return refuse(trace, "critical header", SOURCE, "none", *named);
        }
        kind_of_token(&header, types, trace)?;
        match claims::text(&header, "kid") {
            Ok(kid) => Ok(Self { algorithm, kid: kid.map(str::to_owned) }),
            Err(why) => refuse(trace, "key named in the header", SOURCE, "a kid that is a text", why.to_string()),
        }
    }
}

fn algorithm(
    header: &Map<String, Value>,
    kind: TokenKind,
    settings: &Settings,
    trace: &mut TraceLog,
) -> Checked<TokenAlgorithm> {
    let named = claims::text(header, "alg");
    let found = settings.algorithms.iter().find(|algorithm| named == Ok(Some(algorithm.name())));
    let expected: Vec<_> = settings.algorithms.iter().map(|algorithm| algorithm.name()).collect();
    let actual = match named {
        Ok(name) => name.unwrap_or("none").to_owned(),
        Err(why) => why.to_string(),
    };
    require(trace, &kind.name("alg"), kind.source(7), expected.join(", "), actual.clone(), found.is_some())?;
    match found {
        Some(algorithm) => Ok(*algorithm),
        None => refuse(trace, &kind.name("alg"), kind.source(7), expected.join(", "), actual),
    }
}

fn kind_of_token(header: &Map<String, Value>, types: &[&str], trace: &mut TraceLog) -> Checked<()> {
    let (typ, known) = match claims::text(header, "typ") {
        Ok(typ) => (typ.unwrap_or("none").to_owned(), types.iter().any(|t| typ.unwrap_or("").eq_ignore_ascii_case(t))),
        Err(why) => (why.to_string(), false),
    };
    if known {
        return Ok(());
    }
    let expected = types.iter().map(|typ| if typ.is_empty() { "no typ" } else { typ }).collect::<Vec<_>>().join(" or ");
    refuse(trace, "kind of token", "RFC 8725 3.11", expected, typ)
}
