//! Errors as values: a code of the protocol, a sentence for the person, and a
//! cause that only the trace and the log may show.

use std::fmt;

use crate::trace::visible;

/// The store could not answer. The cause names no secret.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the store did not answer: {0}")]
pub struct StoreError(pub String);

/// A refusal that a protocol reports in its own form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtocolError {
    /// The protocol's own word, for example `invalid_grant` (RFC 6749 section 5.2).
    pub code: &'static str,
    /// One plain sentence that anybody may read.
    pub public: String,
    /// What went wrong inside, for the trace only.
    pub cause: String,
}

impl ProtocolError {
    pub fn new(code: &'static str, public: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { code, public: public.into(), cause: cause.into() }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.public)
    }
}

impl std::error::Error for ProtocolError {}

/// One thing that is wrong with a configuration. Complaints are collected, so
/// that an admin sees all of them at once.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Complaint {
    /// Where, as a path below the object: `idp_metadata.file`, `redirect_uris[1]`.
    pub path: String,
    /// What is wrong and what to do, one sentence.
    pub message: String,
}

impl Complaint {
    /// What a partner wrote may stand in `message`; it is made harmless for terminals and logs.
    pub fn new(path: impl Into<String>, message: impl Into<String>) -> Self {
        Self { path: path.into(), message: visible(message.into()) }
    }
}

impl fmt::Display for Complaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(&self.message) } else { write!(f, "{}: {}", self.path, self.message) }
    }
}
