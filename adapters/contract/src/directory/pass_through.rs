//! Subtrees of an upstream that are served as they are.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

/// A subtree of an upstream, served as it is. Octets are BER of the protocol, whole: both ends are LDAP.
#[async_trait]
pub trait PassThrough: Send + Sync {
    /// Below the connection's own bases only; anything else is noSuchObject (32).
    async fn search(&self, search: PassedSearch, sink: tokio::sync::mpsc::Sender<Bytes>) -> PassedResult;
    async fn compare(&self, dn: &str, attribute: &str, value: &[u8]) -> PassedResult;
}

#[derive(Debug, Clone)]
pub struct PassedSearch {
    pub base: String,
    pub scope: u8,
    /// A Filter (RFC 4511 section 4.5.1), its names already those of the upstream.
    pub filter: Bytes,
    pub attributes: Vec<String>,
    pub size_limit: u32,
    pub time_limit: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PassedResult {
    /// A result code of RFC 4511 appendix A that a client of ours may get.
    pub code: u32,
    pub matched_dn: String,
}
