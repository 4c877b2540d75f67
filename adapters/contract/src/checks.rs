//! Checks that stop the reading of a partner's answer, each recorded with what was expected and what came.

use crate::error::ProtocolError;
use crate::trace::TraceLog;
use crate::upstream::UpstreamRefusal;

/// Why checking an answer stopped; the trace tells administrators, the caller tells the app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stop {
    /// Our checks said no; the trace holds the one that failed.
    Rejected,
    /// The same, because the signature is of a key that the partner does not publish where we look.
    KeyUnknown,
    /// The partner itself said no.
    Refused(UpstreamRefusal),
}

pub type Checked<T> = Result<T, Stop>;

/// Records a check and stops where it failed. `source` names the requirement, as in [`TraceLog::check`].
///
/// # Errors
/// [`Stop::Rejected`] where `passed` is false.
pub fn require(
    trace: &mut TraceLog,
    name: &str,
    source: &str,
    expected: impl Into<String>,
    actual: impl Into<String>,
    passed: bool,
) -> Checked<()> {
    if trace.check(name, source, expected, actual, passed) { Ok(()) } else { Err(Stop::Rejected) }
}

/// Two texts must be the same, octet for octet.
///
/// # Errors
/// [`Stop::Rejected`] where they differ, or where none came.
pub fn require_equal(
    trace: &mut TraceLog,
    name: &str,
    source: &str,
    expected: &str,
    actual: Option<&str>,
) -> Checked<()> {
    require(trace, name, source, expected, actual.unwrap_or("none"), actual == Some(expected))
}

/// Records a check that failed. A check that passes by what its caller read leaves no step.
///
/// # Errors
/// Always [`Stop::Rejected`].
pub fn refuse<T>(
    trace: &mut TraceLog,
    name: &str,
    source: &str,
    expected: impl Into<String>,
    actual: impl Into<String>,
) -> Checked<T> {
    trace.check(name, source, expected, actual, false);
    Err(Stop::Rejected)
}

/// What an app is told where an answer can't be accepted: the trace alone says why.
pub fn not_accepted(trace: &TraceLog) -> ProtocolError {
    ProtocolError::new(
        "invalid_response",
        "The answer of your organization's login service could not be accepted.",
        trace.cause().unwrap_or_else(|| "the answer could not be checked".into()),
    )
}
