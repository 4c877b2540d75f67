//! Checks of a message's grammar and times.

use fedbridge_contract::checks::refuse;
pub(super) use fedbridge_contract::checks::{Checked, Stop, not_accepted, require, require_equal};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;

use fedbridge_saml_core::grammar::GrammarError;
use fedbridge_saml_core::instant::parse_instant;

/// Records a violation of the grammar and stops. What fits leaves no step.
pub(super) fn grammar<T>(trace: &mut TraceLog, name: &str, source: &str, read: Result<T, GrammarError>) -> Checked<T> {
    read.or_else(|GrammarError(why)| refuse(trace, name, source, "the fixed form", why))
}

/// Reads a time value of a message.
pub(super) fn instant(trace: &mut TraceLog, name: &str, text: &str) -> Checked<Timestamp> {
    let form = "a UTC time such as 2026-01-31T12:00:00Z";
    parse_instant(text).map_or_else(|| refuse(trace, name, "SAML core 1.3.3", form, text), Ok)
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
