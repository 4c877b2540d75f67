//! Public documents: JSON with an ETag, kept by caches for a while.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::Bytes;
use fedbridge_contract::config::Tenant;
use fedbridge_contract::http::{HttpInput, Reply};
use fedbridge_contract::ids::TenantId;
use openssl::sha::sha256;
use serde_json::Value;

use super::{discovery, jwks};

/// Seconds for which a cache may keep a document. A key is published ahead for longer than this.
const MAX_AGE: u32 = 300;

/// The documents of every tenant, each written once for a snapshot.
#[derive(Default)]
pub(crate) struct Documents {
    published: Mutex<HashMap<TenantId, Arc<Published>>>,
}

/// What one snapshot of a tenant publishes.
pub(crate) struct Published {
    /// The snapshot. Held weakly, which is also why no other snapshot can have its address.
    tenant: Weak<Tenant>,
    pub(crate) metadata: Document,
    pub(crate) keys: Document,
}

impl Documents {
    pub(crate) fn of(&self, tenant: &Arc<Tenant>) -> Arc<Published> {
        let mut published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(there) = published.get(&tenant.id)
            && Weak::as_ptr(&there.tenant) == Arc::as_ptr(tenant)
        {
            return Arc::clone(there);
        }
        let fresh = Arc::new(Published {
            tenant: Arc::downgrade(tenant),
            metadata: Document::new("application/json", &discovery::metadata(tenant)),
            keys: Document::new("application/jwk-set+json", &jwks::key_set(tenant)),
        });
        // Tenants that are gone go from here too.
        published.retain(|_, there| there.tenant.strong_count() > 0);
        published.insert(tenant.id, Arc::clone(&fresh));
        fresh
    }
}

pub(crate) struct Document {
    content_type: &'static str,
    bytes: Bytes,
    etag: String,
}

impl Document {
    fn new(content_type: &'static str, document: &Value) -> Self {
        let bytes = document.to_string().into_bytes();
        let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(&sha256(&bytes)[..12]));
        Self { content_type, bytes: bytes.into(), etag }
    }

    pub(crate) fn reply(&self, input: &HttpInput) -> Reply {
        let unchanged = input.if_none_match.as_deref().is_some_and(|header| names(header, &self.etag));
        let (status, bytes) = if unchanged { (304, Bytes::new()) } else { (200, self.bytes.clone()) };
        Reply::body(status, self.content_type, bytes)
            .with_header("etag", self.etag.as_str())
            .with_header("cache-control", format!("public, max-age={MAX_AGE}"))
    }
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
