//! The bearer confirmation: for whom, for which request and until when the
//! assertion was made (SAML profiles 4.1.4.2 and 4.1.4.3).

use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;

use super::assertion::{Confirmation, ConfirmationData, Subject};
use super::checks::{Checked, Clocks, Stop, instant, require, require_equal};

const SOURCE: &str = "SAML profiles 4.1.4.2";

/// Checks the one bearer confirmation and gives its `NotOnOrAfter`.
///
/// `request` is the ID of our own request, `None` where there was none. It counts here, inside the
/// signed assertion; the response's attribute alone never satisfies it.
pub(super) fn check(
    subject: &Subject<'_>,
    acs: &str,
    request: Option<&str>,
    clocks: Clocks,
    trace: &mut TraceLog,
) -> Checked<Timestamp> {
    let bearers: Vec<&ConfirmationData<'_>> = subject
        .confirmations
        .iter()
        .filter_map(|confirmation| match confirmation {
            Confirmation::Bearer(data) => Some(data),
            Confirmation::Other => None,
        })
        .collect();
    let number = bearers.len();
    require(trace, "Bearer confirmation", SOURCE, "one", number.to_string(), number == 1)?;
    let [data] = bearers.as_slice() else { return Err(Stop::Rejected) };

    let (expected, actual) = (request.unwrap_or("none"), data.in_response_to.unwrap_or("none"));
    let name = "InResponseTo in the assertion";
    require(trace, name, "SAML profiles 4.1.4.3", expected, actual, request == data.in_response_to)?;
    require_equal(trace, "Recipient", SOURCE, acs, data.recipient)?;
    let not_before = data.not_before.unwrap_or("none");
    require(trace, "Confirmation NotBefore", SOURCE, "none", not_before, data.not_before.is_none())?;
    let Some(text) = data.not_on_or_after else {
        require(trace, "Confirmation NotOnOrAfter", SOURCE, "present", "none", false)?;
        return Err(Stop::Rejected);
    };
    let end = instant(trace, "Confirmation NotOnOrAfter", text)?;
    clocks.require_before(trace, "Confirmation NotOnOrAfter", SOURCE, end)?;
    Ok(end)
}
