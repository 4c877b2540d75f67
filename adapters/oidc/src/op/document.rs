//! Public documents: JSON with an ETag, kept by caches for a while.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fedbridge_contract::http::{HttpInput, Reply};
use openssl::sha::sha256;
use serde_json::Value;

/// Seconds for which a cache may keep a document. A key is published ahead for longer than this.
const MAX_AGE: u32 = 300;

pub(crate) fn reply(input: &HttpInput, content_type: &'static str, document: &Value) -> Reply {
    let bytes = document.to_string().into_bytes();
    let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(&sha256(&bytes)[..12]));
    let unchanged = input.if_none_match.as_deref().is_some_and(|header| names(header, &etag));
    let reply = if unchanged { Reply::body(304, content_type, "") } else { Reply::body(200, content_type, bytes) };
    reply.with_header("etag", etag).with_header("cache-control", format!("public, max-age={MAX_AGE}"))
}

/// Whether `If-None-Match` names this tag; the weak form counts (RFC 9110 section 13.1.2).
fn names(header: &str, etag: &str) -> bool {
    header.split(',').map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn matches_entity_tags() {
        assert!(names("\"a\"", "\"a\""));
        assert!(names("\"b\", W/\"a\"", "\"a\""));
        assert!(names("*", "\"a\""));
        assert!(!names("\"ab\"", "\"a\""));
    }
}
