//! Checks that stop a login, and what an app is told then.

pub use fedbridge_contract::checks::{Checked, Stop, refuse, require, require_equal};
use fedbridge_contract::error::ProtocolError;
use fedbridge_contract::trace::TraceLog;

/// What an app is told where an answer can't be accepted: the trace alone says why.
pub fn not_accepted(trace: &TraceLog) -> ProtocolError {
    ProtocolError::new(
        "invalid_response",
        "The answer of your organization's login service could not be accepted.",
        trace.cause().unwrap_or_else(|| "the answer could not be checked".into()),
    )
}
