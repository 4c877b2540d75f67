//! Conditions of an assertion (SAML core 2.5.1).

use fedbridge_contract::identity::Onward;
use fedbridge_contract::trace::TraceLog;

use super::assertion::{Condition, Conditions};
use super::checks::{Checked, Clocks, Stop, instant, require};

/// Checks the window and every condition, and gives what the assertion allows onward.
pub(super) fn check(
    conditions: Option<&Conditions<'_>>,
    audience: &str,
    clocks: Clocks,
    trace: &mut TraceLog,
) -> Checked<Onward> {
    let there = if conditions.is_some() { "present" } else { "none" };
    require(trace, "Conditions", "SAML profiles 4.1.4.2", "present", there, conditions.is_some())?;
    let Some(conditions) = conditions else { return Err(Stop::Rejected) };
    window(conditions, clocks, trace)?;

    let mut restrictions = 0;
    let mut one_time_use = 0;
    let mut proxies = Vec::new();
    for item in &conditions.items {
        match item {
            Condition::Audiences(audiences) => {
                restrictions += 1;
                // Several restrictions all have to hold (SAML core 2.5.1.4).
                let passed = audiences.contains(&audience);
                require(trace, "Audience", "SAML core 2.5.1.4", audience, audiences.join(", "), passed)?;
            }
            Condition::OneTimeUse => one_time_use += 1,
            Condition::Proxy { count, audiences } => proxies.push((*count, audiences)),
            Condition::Unknown(name) => {
                require(trace, "Known conditions", "SAML core 2.5.1", "only conditions of SAML core", *name, false)?;
            }
        }
    }
    if restrictions == 0 {
        require(trace, "Audience", "SAML profiles 4.1.4.2", audience, "no AudienceRestriction", false)?;
    }
    require(
        trace,
        "OneTimeUse",
        "SAML core 2.5.1.5",
        "at most one; every assertion is accepted once anyway",
        one_time_use.to_string(),
        one_time_use <= 1,
    )?;
    onward(&proxies, trace)
}

fn window(conditions: &Conditions<'_>, clocks: Clocks, trace: &mut TraceLog) -> Checked<()> {
    if let Some(text) = conditions.not_before {
        let at = instant(trace, "Conditions NotBefore", text)?;
        clocks.require_past(trace, "Conditions NotBefore", "SAML core 2.5.1.2", at)?;
    }
    if let Some(text) = conditions.not_on_or_after {
        let end = instant(trace, "Conditions NotOnOrAfter", text)?;
        clocks.require_before(trace, "Conditions NotOnOrAfter", "SAML core 2.5.1.2", end)?;
    }
    Ok(())
}

/// To whom the assertion may be passed on (SAML core 2.5.1.6). Tokens for apps are statements based
/// on it, so a count of one is enough, and zero allows none.
fn onward(proxies: &[(Option<&str>, &Vec<&str>)], trace: &mut TraceLog) -> Checked<Onward> {
    const SOURCE: &str = "SAML core 2.5.1.6";
    let (count, audiences) = match proxies {
        [] => return Ok(Onward::Unrestricted),
        [(count, audiences)] => (count, audiences),
        many => {
            require(trace, "ProxyRestriction", SOURCE, "at most one", many.len().to_string(), false)?;
            return Err(Stop::Rejected);
        }
    };
    let digits = |text: &&str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(bad) = count.filter(|text| !digits(text)) {
        require(trace, "ProxyRestriction", SOURCE, "a Count that is a number", bad, false)?;
    }
    let onward = if count.is_some_and(|text| text.bytes().all(|byte| byte == b'0')) {
        Onward::Nobody
    } else if audiences.is_empty() {
        Onward::Unrestricted
    } else {
        Onward::Only(audiences.iter().map(|&audience| audience.to_owned()).collect())
    };
    let text = match &onward {
        Onward::Unrestricted => "the count allows issuing to apps".to_owned(),
        Onward::Nobody => "nothing may be issued to apps".to_owned(),
        Onward::Only(list) => format!("only to {}", list.join(", ")),
    };
    trace.decide("ProxyRestriction", text, true);
    Ok(onward)
}
