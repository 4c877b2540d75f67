//! Answers to receivers.

use fedbridge_contract::error::StoreError;
use fedbridge_contract::http::Reply;
use serde_json::json;

/// Why a request is turned away.
#[derive(Debug)]
pub enum Refused {
    Unauthorized,
    /// After so many seconds.
    TooMany(u64),
    Malformed(&'static str),
    /// The administrator has written it otherwise.
    Forbidden(&'static str),
    NoStream,
    Exists,
    Unavailable,
}

impl From<StoreError> for Refused {
    fn from(_: StoreError) -> Self {
        Self::Unavailable
    }
}

impl Refused {
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unauthorized => "authentication_failed",
            Self::TooMany(_) => "too_many_requests",
            Self::Malformed(_) => "invalid_request",
            Self::Forbidden(_) => "access_denied",
            Self::NoStream => "not_found",
            Self::Exists => "conflict",
            Self::Unavailable => "temporarily_unavailable",
        }
    }

    /// In the form of RFC 8935 section 2.3 and RFC 8936 section 2.4.
    pub fn reply(&self) -> Reply {
        let (status, description) = match self {
            Self::Unauthorized => (401, "A bearer token of a receiver is needed."),
            Self::TooMany(_) => (429, "Too many requests."),
            Self::Malformed(why) => (400, *why),
            Self::Forbidden(why) => (403, *why),
            Self::NoStream => (404, "There is no such stream."),
            Self::Exists => (409, "There is a stream already; a receiver has one."),
            Self::Unavailable => (503, "This can't be done at the moment."),
        };
        let reply = Reply::json(status, &json!({ "err": self.code(), "description": description }));
        match self {
            Self::Unauthorized => reply.with_header("www-authenticate", "Bearer"),
            Self::TooMany(wait) => reply.with_header("retry-after", wait.to_string()),
            Self::Unavailable => reply.with_header("retry-after", "5"),
            _ => reply,
        }
    }
}

pub fn empty(status: u16) -> Reply {
    Reply::body(status, "application/json", Vec::new()).with_header("cache-control", "no-store")
}
