//! Checks that stop a login, each recorded with what was expected and what came.

use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use fedbridge_contract::upstream::UpstreamRefusal;

use fedbridge_saml_core::grammar::GrammarError;
use fedbridge_saml_core::instant::parse_instant;

/// Why checking an answer stopped; the trace tells administrators, the caller tells the app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stop {
    /// Our checks said no; the trace holds the one that failed.
    Rejected,
    /// The same, because the signature is of a key that the provider's metadata does not have.
    KeyUnknown,
    /// The provider itself said no.
    Refused(UpstreamRefusal),
}

pub(super) type Checked<T> = Result<T, Stop>;

/// Records a check and stops where it failed.
pub(super) fn require(
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
pub(super) fn require_equal(
    trace: &mut TraceLog,
    name: &str,
    source: &str,
    expected: &str,
    actual: Option<&str>,
) -> Checked<()> {
    require(trace, name, source, expected, actual.unwrap_or("none"), actual == Some(expected))
}

/// Records a violation of the grammar and stops. What fits leaves no step.
pub(super) fn grammar<T>(trace: &mut TraceLog, name: &str, source: &str, read: Result<T, GrammarError>) -> Checked<T> {
    read.map_err(|GrammarError(why)| {
        trace.check(name, source, "the fixed form", why, false);
        Stop::Rejected
    })
}

/// Reads a time value of a message.
pub(super) fn instant(trace: &mut TraceLog, name: &str, text: &str) -> Checked<Timestamp> {
    parse_instant(text).ok_or_else(|| {
        trace.check(name, "SAML core 1.3.3", "a UTC time such as 2026-01-31T12:00:00Z", text, false);
        Stop::Rejected
    })
}

/// The clock of the check and the one tolerance, applied once in each comparison.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clocks {
    pub now: Timestamp,
    pub skew: std::time::Duration,
}

impl Clocks {
    /// `at` must not be later than now.
    pub fn require_past(self, trace: &mut TraceLog, name: &str, source: &str, at: Timestamp) -> Checked<()> {
        let latest = self.now + self.skew;
        require(trace, name, source, format!("not after {}", latest.rfc3339()), at.rfc3339(), at <= latest)
    }

    /// Now must be before `end`.
    pub fn require_before(self, trace: &mut TraceLog, name: &str, source: &str, end: Timestamp) -> Checked<()> {
        let earliest = self.now - self.skew;
        require(trace, name, source, format!("after {}", earliest.rfc3339()), end.rfc3339(), end > earliest)
    }
}
