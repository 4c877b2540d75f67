//! Answers in the protocol's own form (RFC 7644 sections 3.1 and 3.12).

use fedbridge_contract::error::StoreError;
use fedbridge_contract::http::Reply;
use fedbridge_contract::push::PushRefused;
use fedbridge_scim_core::{Fault, ScimType};
use serde_json::Value;

const MEDIA_TYPE: &str = "application/scim+json";

/// When a client may try again that could not be served just now, in seconds.
const TRY_AGAIN: u64 = 5;

/// RFC 7240 section 4.1.
pub const RESPOND_ASYNC: &str = "respond-async";

/// What a request comes to.
pub type Answered = Result<Answer, Refused>;

#[derive(Debug, Default)]
pub struct Answer {
    pub status: u16,
    pub body: Option<Value>,
    pub etag: Option<String>,
    pub location: Option<String>,
    /// The client is not told more here, but by an event of this name (RFC 9967 section 3).
    pub txn: Option<String>,
}

impl Answer {
    pub fn ok(body: Value) -> Self {
        Self { status: 200, body: Some(body), ..Self::default() }
    }

    pub fn empty(status: u16) -> Self {
        Self { status, ..Self::default() }
    }
}

/// A refusal, with what stands in headers besides.
#[derive(Debug)]
pub struct Refused {
    pub fault: Fault,
    /// In seconds.
    pub retry_after: Option<u64>,
    /// The client has not said who it is.
    pub challenge: bool,
    /// What the address takes, where that is the reason.
    pub allow: Option<&'static str>,
}

impl From<Fault> for Refused {
    fn from(fault: Fault) -> Self {
        Self { fault, retry_after: None, challenge: false, allow: None }
    }
}

impl From<StoreError> for Refused {
    fn from(_: StoreError) -> Self {
        let fault = Fault::plain(503, "the database does not answer; nothing was changed");
        Self { fault, retry_after: Some(TRY_AGAIN), challenge: false, allow: None }
    }
}

impl From<PushRefused> for Refused {
    fn from(refused: PushRefused) -> Self {
        let fault = match refused {
            PushRefused::Gone => not_found(),
            PushRefused::Taken(_) => Fault::new(ScimType::Uniqueness, "another resource has this name already"),
            PushRefused::Stale => Fault::plain(412, "the resource was changed meanwhile: read it again"),
            PushRefused::NoSuchMember(id) => Fault::value(format!("there is no resource {id} that could be a member")),
            PushRefused::Guarded(why) | PushRefused::Denied(why) => Fault::plain(403, why),
            PushRefused::Busy(why) => {
                return Self {
                    fault: Fault::plain(503, why),
                    retry_after: Some(TRY_AGAIN),
                    challenge: false,
                    allow: None,
                };
            }
            PushRefused::Store(cause) => return StoreError(cause).into(),
        };
        fault.into()
    }
}

pub fn not_found() -> Fault {
    Fault::plain(404, "there is no such resource")
}

pub fn reply(answered: Answered) -> Reply {
    match answered {
        Ok(Answer { status, body, etag, location, txn }) => {
            let octets = body.map(|body| body.to_string()).unwrap_or_default();
            let mut reply = Reply::body(status, MEDIA_TYPE, octets).with_header("cache-control", "no-store");
            let preference = txn.as_ref().map(|_| RESPOND_ASYNC.to_owned());
            let headers =
                [("etag", etag), ("location", location), ("set-txn", txn), ("preference-applied", preference)];
            for (name, value) in headers {
                if let Some(value) = value {
                    reply = reply.with_header(name, value);
                }
            }
            reply
        }
        Err(Refused { fault, retry_after, challenge, allow }) => {
            let body = fault.to_json().to_string();
            let mut reply = Reply::body(fault.status, MEDIA_TYPE, body).with_header("cache-control", "no-store");
            if let Some(seconds) = retry_after {
                reply = reply.with_header("retry-after", seconds.to_string());
            }
            if let Some(methods) = allow {
                reply = reply.with_header("allow", methods);
            }
            if challenge {
                // RFC 6750 section 3.
                reply = reply.with_header("www-authenticate", "Bearer realm=\"scim\"");
            }
            reply
        }
    }
}
