//! Answers that the provider sends by itself (SAML profiles 4.1.5).

use std::time::Duration;

use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;

use super::checks::{Checked, Clocks, require};

const SOURCE: &str = "SAML profiles 4.1.5";

/// How old such an answer may be. Nobody waits for it, so a late one is a stolen one.
pub(super) const WINDOW: Duration = Duration::from_secs(300);

/// It must answer nothing, and be new.
pub(super) fn check(
    in_response_to: Option<&str>,
    issued: Timestamp,
    clocks: Clocks,
    trace: &mut TraceLog,
) -> Checked<()> {
    let actual = in_response_to.unwrap_or("none");
    require(trace, "InResponseTo", SOURCE, "none, because nothing was asked", actual, in_response_to.is_none())?;
    let oldest = clocks.now - WINDOW - clocks.skew;
    let expected = format!("not before {}", oldest.rfc3339());
    require(trace, "Age of the unsolicited answer", SOURCE, expected, issued.rfc3339(), issued >= oldest)
}
