//! What the web layer refuses by itself, as a page for a person or as an error of the route's protocol.

use fedbridge_contract::http::{Method, Reply};
use fedbridge_contract::page::{ErrorPage, Page};

/// A request that never reaches the hub, or an answer that could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    NotFound,
    /// With what the route takes.
    MethodNotAllowed(&'static [Method]),
    TargetTooLong,
    HeadersTooLarge,
    BodyTooLarge,
    BodyTooSlow,
    /// The connection broke, or the framing of the body is wrong.
    BodyBroken,
    /// A `Content-Encoding`: compressed requests are refused, so that there is nothing to inflate.
    Encoded,
    /// A header that must come once came twice, or is not ASCII.
    BadHeader,
    Internal,
}

impl Fault {
    pub fn status(self) -> u16 {
        match self {
            Self::NotFound => 404,
            Self::MethodNotAllowed(_) => 405,
            Self::TargetTooLong => 414,
            Self::HeadersTooLarge => 431,
            Self::BodyTooLarge => 413,
            Self::BodyTooSlow => 408,
            Self::BodyBroken | Self::BadHeader => 400,
            Self::Encoded => 415,
            Self::Internal => 500,
        }
    }

    /// Whether octets of the request may be left unread, so that the connection can't go on.
    pub fn closes(self) -> bool {
        matches!(self, Self::BodyTooLarge | Self::BodyTooSlow | Self::BodyBroken)
    }

    pub fn page(self) -> Page {
        Page::Error(ErrorPage {
            status: self.status(),
            tenant: None,
            sentence: self.sentence().to_owned(),
            trace: None,
            way_back: None,
        })
    }

    /// RFC 7644 section 3.12.
    pub fn scim(self) -> Reply {
        // Nothing in it needs escaping.
        let error = format!(
            r#"{{"schemas":["urn:ietf:params:scim:api:messages:2.0:Error"],"status":"{}","detail":"{}"}}"#,
            self.status(),
            self.sentence()
        );
        Reply::body(self.status(), "application/scim+json", error).with_header("cache-control", "no-store")
    }

    const fn sentence(self) -> &'static str {
        match self {
            Self::NotFound => "There is nothing at this address.",
            Self::MethodNotAllowed(_) => "This address does not take requests of this kind.",
            Self::TargetTooLong => "The address of this request is too long.",
            Self::HeadersTooLarge => "The headers of this request are too large.",
            Self::BodyTooLarge => "This request is too large.",
            Self::BodyTooSlow => "This request took too long to arrive.",
            Self::BodyBroken => "This request did not arrive whole.",
            Self::Encoded => "This address does not take compressed requests.",
            Self::BadHeader => "A header of this request is malformed.",
            Self::Internal => "This is a fault on our side. Please try again in a moment.",
        }
    }
}
