//! The answer of an authorization request (RFC 6749 section 4.1.2), by query or by form.

use fedbridge_contract::http::{HttpInput, Method};
use fedbridge_contract::trace::TraceLog;
use fedbridge_contract::upstream::{Correlation, UpstreamRefusal, UpstreamRefusalKind};

use crate::checks::{Checked, Stop, require};
use crate::issuer::IssuerRule;
use crate::parameters::{once, parameter};
use crate::party::RelyingParty;

/// Parameters that may come once (RFC 6749 section 3.1). Others are not looked at.
const KNOWN: &[&str] = &["state", "code", "iss", "error", "error_description", "error_uri", "id_token", "access_token"];

/// The longest code, in octets. Those of Microsoft Entra ID have about 1,500.
const MAX_CODE: usize = 4096;

/// Which transaction an answer names. Nothing is verified here. An answer that names none is no way to start a login:
/// who starts one asks at an address of its own, with the issuer ([`initiate`](crate::initiate)).
pub fn correlate(input: &HttpInput) -> Correlation {
    let params = params(input);
    let mut states = params.iter().filter(|(name, _)| name == "state").map(|(_, value)| value);
    match (states.next(), states.next()) {
        (Some(state), None) if !state.is_empty() => Correlation::Handle(state.clone()),
        (Some(_), Some(_)) => Correlation::Malformed("each parameter once: state came twice".into()),
        _ => Correlation::Malformed("state is missing, so it answers no request of ours".into()),
    }
}

/// The code of an answer that is the provider's own and says yes.
pub fn code(party: &RelyingParty, issuer: &IssuerRule<'_>, input: &HttpInput, trace: &mut TraceLog) -> Checked<String> {
    let params = params(input);
    let get = |name: &str| parameter(&params, name);
    once(&params, KNOWN, trace)?;
    answering_issuer(party, issuer, get("iss"), trace)?;
    let (code, error) = (get("code"), get("error"));
    let actual = match (code, error) {
        (Some(_), Some(_)) => "both",
        (Some(_), None) => "code",
        (None, Some(_)) => "error",
        (None, None) => "neither",
    };
    let name = "exactly one of code and error";
    require(trace, name, "RFC 6749 4.1.2", "one of them", actual, code.is_some() != error.is_some())?;
    if let Some(error) = error {
        return Err(Stop::Refused(refusal(error)));
    }
    let code = code.unwrap_or_default();
    let formed = (1..=MAX_CODE).contains(&code.len()) && code.bytes().all(|octet| matches!(octet, b' '..=b'~'));
    let (expected, actual) = (format!("1 to {MAX_CODE} printable characters"), format!("{} octets", code.len()));
    require(trace, "the code's form", "RFC 6749 A.11", expected, actual, formed)?;
    Ok(code.to_owned())
}

/// What came, for the trace: neither the code nor the state, which are secrets.
pub fn facts(input: &HttpInput) -> Vec<(&'static str, String)> {
    let params = params(input);
    let shown = ["iss", "error", "error_description"];
    let mut facts: Vec<_> =
        shown.iter().filter_map(|name| Some((*name, parameter(&params, name)?.to_owned()))).collect();
    let mode = if input.method == Method::Post { "form_post" } else { "query" };
    facts.push(("response_mode", mode.to_owned()));
    facts
}

fn params(input: &HttpInput) -> Vec<(String, String)> {
    if input.method == Method::Post { input.form_params() } else { input.query_params() }
}

/// Who answers: compared before anything else is believed, errors too (RFC 9207 section 2.4).
fn answering_issuer(
    party: &RelyingParty,
    issuer: &IssuerRule<'_>,
    iss: Option<&str>,
    trace: &mut TraceLog,
) -> Checked<()> {
    let advertised = party.provider.as_ref().is_some_and(|provider| provider.names_itself);
    let passed = match iss {
        Some(iss) => issuer.admits(iss),
        None => !advertised,
    };
    let expected = match advertised {
        true => issuer.expected().to_owned(),
        false => format!("{}, or none", issuer.expected()),
    };
    require(trace, "iss of the answer", "RFC 9207 2.4", expected, iss.unwrap_or("none"), passed)
}

fn refusal(error: &str) -> UpstreamRefusal {
    let kind = match error {
        "login_required" | "interaction_required" | "consent_required" | "account_selection_required" => {
            UpstreamRefusalKind::LoginRequired
        }
        "access_denied" => UpstreamRefusalKind::Denied,
        "unmet_authentication_requirements" => UpstreamRefusalKind::UnmetAuthnContext,
        _ => UpstreamRefusalKind::Failed,
    };
    // A stranger may have written this: only what looks like a word of the protocol is repeated.
    let word = error.len() <= 64 && error.bytes().all(|octet| octet.is_ascii_lowercase() || octet == b'_');
    UpstreamRefusal { kind, upstream_code: if word { error.to_owned() } else { "an error without a name".into() } }
}
