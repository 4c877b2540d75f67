//! Parameters of a query or a form, as they came.

use fedbridge_contract::trace::TraceLog;

use crate::checks::{Checked, refuse};

/// Each of these parameters comes once at most (RFC 6749 section 3.1).
pub fn once(parameters: &[(String, String)], names: &[&str], trace: &mut TraceLog) -> Checked<()> {
    match twice(parameters, names) {
        Some(name) => refuse(trace, "each parameter once", "RFC 6749 3.1", "once", format!("{name} several times")),
        None => Ok(()),
    }
}

/// One of these parameters that comes more than once.
pub fn twice<'n>(parameters: &[(String, String)], names: &[&'n str]) -> Option<&'n str> {
    names.iter().copied().find(|name| parameters.iter().filter(|(known, _)| known == name).count() > 1)
}

/// The first value of a parameter.
pub fn parameter<'a>(parameters: &'a [(String, String)], name: &str) -> Option<&'a str> {
    parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}
