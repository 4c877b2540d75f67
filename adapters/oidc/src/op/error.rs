//! Refusals of the endpoints that apps call directly: token, userinfo,
//! introspection and revocation.

use std::time::Duration;

use fedbridge_contract::error::StoreError;
use fedbridge_contract::http::Reply;
use fedbridge_contract::ids::TraceId;
use fedbridge_contract::keys::KeyError;
use fedbridge_contract::services::GateRefusal;
use fedbridge_contract::time::delay_seconds;
use serde::Serialize;

/// A refusal with its OAuth error code (RFC 6749 section 5.2, RFC 6750 section 3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OAuthError {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    /// One plain sentence for the app's developer.
    pub(crate) public: String,
    /// What went wrong inside, for the trace only.
    pub(crate) cause: String,
    pub(crate) challenge: Challenge,
    /// Seconds, for `Retry-After` (RFC 9110 section 10.2.3).
    pub(crate) retry_after: Option<u64>,
}

/// What `WWW-Authenticate` says (RFC 9110 section 11.6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Challenge {
    None,
    Basic,
    /// With the error in it (RFC 6750 section 3).
    Bearer,
    /// Without an error: the request had no token at all.
    BearerOnly,
}

impl OAuthError {
    fn new(status: u16, code: &'static str, public: impl Into<String>, cause: impl Into<String>) -> Self {
        Self { status, code, public: public.into(), cause: cause.into(), challenge: Challenge::None, retry_after: None }
    }

    /// The same sentence for app and trace.
    pub(crate) fn invalid_request(public: impl Into<String>) -> Self {
        let public = public.into();
        Self::new(400, "invalid_request", public.clone(), public)
    }

    /// One answer for every way in which client authentication fails, so that it tells
    /// nobody which clients exist.
    pub(crate) fn invalid_client(cause: impl Into<String>) -> Self {
        Self {
            challenge: Challenge::Basic,
            ..Self::new(401, "invalid_client", "The client could not be authenticated.", cause)
        }
    }

    pub(crate) fn invalid_grant(public: impl Into<String>, cause: impl Into<String>) -> Self {
        Self::new(400, "invalid_grant", public, cause)
    }

    /// The client may not use this grant type at all.
    pub(crate) fn grant_type_not_registered(name: &'static str) -> Self {
        let public = format!("This client's grant_types do not list {name}.");
        Self::new(400, "unauthorized_client", public.clone(), public)
    }

    pub(crate) fn unsupported_grant_type() -> Self {
        let public = "The grant_type is not one of authorization_code, refresh_token and client_credentials.";
        Self::new(400, "unsupported_grant_type", public, public)
    }

    pub(crate) fn invalid_scope(public: impl Into<String>) -> Self {
        let public = public.into();
        Self::new(400, "invalid_scope", public.clone(), public)
    }

    pub(crate) fn invalid_token(cause: impl Into<String>) -> Self {
        Self {
            challenge: Challenge::Bearer,
            ..Self::new(401, "invalid_token", "The access token is not valid here, or not any more.", cause)
        }
    }

    pub(crate) fn insufficient_scope() -> Self {
        let public = "The access token lacks the scope openid.";
        Self { challenge: Challenge::Bearer, ..Self::new(403, "insufficient_scope", public, public) }
    }

    /// No token came: the answer has no error code in its challenge (RFC 6750 section 3.1).
    pub(crate) fn no_token() -> Self {
        let public = "Send an access token in the Authorization header as Bearer.";
        Self { challenge: Challenge::BearerOnly, ..Self::new(401, "invalid_request", public, "no access token came") }
    }

    pub(crate) fn server_error(cause: impl Into<String>) -> Self {
        Self::new(500, "server_error", "Something went wrong here. Please try again.", cause)
    }

    /// The store is away: the app may try again.
    pub(crate) fn unavailable(cause: impl Into<String>) -> Self {
        Self::new(503, "temporarily_unavailable", "The service can't answer now. Please try again.", cause)
    }

    /// The gate let it not pass. What can't be known just now is no fault of what was presented.
    pub(crate) fn gate(refusal: GateRefusal, otherwise: impl FnOnce(String) -> Self) -> Self {
        match refusal {
            GateRefusal::Unsure => Self::unavailable(refusal.to_string()),
            _ => otherwise(refusal.to_string()),
        }
    }

    /// The client's secret was wrong too often. A right one would have been taken, so nobody can lock a
    /// client out (RFC 6749 section 2.3.1 asks for protection against guessing).
    pub(crate) fn too_many_failures(wait: Duration, cause: String) -> Self {
        let seconds = delay_seconds(wait);
        let public = format!("Too many failed attempts. Please wait {seconds} s.");
        Self { retry_after: Some(seconds), ..Self::new(429, "invalid_client", public, cause) }
    }

    /// Whether it is ours to mend.
    pub(crate) fn is_ours(&self) -> bool {
        self.status >= 500
    }

    pub(crate) fn reply(&self, issuer: &str, trace: TraceId) -> Reply {
        let body = ErrorBody { error: self.code, error_description: &self.public, trace_id: trace.to_string() };
        let mut reply = Reply::json(self.status, &body).with_header("pragma", "no-cache");
        if let Some(seconds) = self.retry_after {
            reply = reply.with_header("retry-after", seconds.to_string());
        }
        match self.challenge {
            Challenge::None => {}
            Challenge::Basic => reply = reply.with_header("www-authenticate", format!("Basic realm=\"{issuer}\"")),
            Challenge::BearerOnly => {
                reply = reply.with_header("www-authenticate", format!("Bearer realm=\"{issuer}\""))
            }
            Challenge::Bearer => {
                let scope = if self.code == "insufficient_scope" { ", scope=\"openid\"" } else { "" };
                let Self { code, public, .. } = self;
                reply = reply.with_header(
                    "www-authenticate",
                    format!("Bearer realm=\"{issuer}\", error=\"{code}\", error_description=\"{public}\"{scope}"),
                );
            }
        }
        if self.status == 503 {
            reply = reply.with_header("retry-after", "1");
        }
        reply
    }
}

impl From<StoreError> for OAuthError {
    fn from(error: StoreError) -> Self {
        Self::unavailable(error.to_string())
    }
}

impl From<KeyError> for OAuthError {
    fn from(error: KeyError) -> Self {
        Self::server_error(error.to_string())
    }
}

#[derive(Serialize)]
struct ErrorBody<'a> {
    error: &'static str,
    error_description: &'a str,
    trace_id: String,
}
