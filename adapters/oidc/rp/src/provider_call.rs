//! One call of an endpoint of the provider at which we authenticate: a form goes, JSON comes back, read strictly.

use std::time::Duration;

use fedbridge_contract::config::Tenant;
use fedbridge_contract::services::{EgressLimits, EgressPost, Fetched};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use fedbridge_oidc_core::strict_json;
use serde_json::{Map, Value};
use url::Url;

use crate::checks::{Checked, refuse};
use crate::client_auth::authenticate;
use crate::party::RelyingParty;

/// What one call of the provider may take.
pub const LIMITS: EgressLimits = EgressLimits { max_body: 256 * 1024, timeout: Duration::from_secs(5) };

/// An endpoint as the trace names it.
#[derive(Clone, Copy)]
pub struct Endpoint<'a> {
    /// `token endpoint`: checks are named after it.
    pub name: &'static str,
    pub url: &'a Url,
    pub source: &'static str,
    /// The status of success.
    pub status: u16,
}

/// Why an endpoint gave nothing. The trace holds the failed check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallRefused {
    /// It answered with an error of RFC 6749 section 5.2, in a form that can be believed.
    Error(String),
    /// It did not answer, or not in a way that says anything.
    Unusable,
}

/// Calls an endpoint. Where the first secret is refused (`invalid_client`), the second is tried once: the provider
/// then has not looked at what was asked. Nothing else is ever sent twice.
///
/// # Errors
/// [`CallRefused`]; the trace holds the failed check.
pub async fn call(
    party: &RelyingParty,
    tenant: &Tenant,
    endpoint: Endpoint<'_>,
    form: &[(&str, String)],
    now: Timestamp,
    trace: &mut TraceLog,
) -> Result<Vec<u8>, CallRefused> {
    let slots = party.secrets.len().max(1);
    for slot in 0..slots {
        let answer = send(party, tenant, endpoint, form, slot, now, trace).await;
        let answer = answer.map_err(|_| CallRefused::Unusable)?;
        let last = slot + 1 == slots;
        match read(endpoint, &answer, last, trace) {
            Ok(()) => {
                if slot > 0 {
                    trace.decide("client_secret", "the second one was taken; the first was refused", true);
                }
                return Ok(answer.body.to_vec());
            }
            Err(CallRefused::Error(code)) if code == "invalid_client" && !last => {
                trace.decide("client_secret", "the first one was refused: the second is tried", true);
            }
            Err(refused) => return Err(refused),
        }
    }
    Err(CallRefused::Unusable)
}

async fn send(
    party: &RelyingParty,
    tenant: &Tenant,
    endpoint: Endpoint<'_>,
    form: &[(&str, String)],
    slot: usize,
    now: Timestamp,
    trace: &mut TraceLog,
) -> Checked<Fetched> {
    let sent = match authenticate(party, tenant, slot, now, form) {
        Ok(sent) => sent,
        Err(why) => {
            let name = format!("{}: client", endpoint.name);
            return refuse(trace, &name, "OpenID Connect Core 9", "a way to authenticate", why);
        }
    };
    let mut facts = vec![
        ("endpoint", endpoint.url.to_string()),
        ("authenticated by", party.settings.auth_method.name().to_owned()),
    ];
    let grant = form.iter().find(|(name, _)| *name == "grant_type");
    facts.extend(grant.map(|(_, value)| ("grant_type", value.clone())));
    trace.sent(now, &format!("{} request", endpoint.name), facts);
    let request = EgressPost {
        url: endpoint.url.to_string(),
        content_type: "application/x-www-form-urlencoded".into(),
        headers: sent.headers(),
        body: sent.body(),
    };
    match party.egress(tenant).post(&request, LIMITS).await {
        Ok(answer) => Ok(answer),
        Err(error) => {
            let name = format!("{}: answer", endpoint.name);
            refuse(trace, &name, endpoint.source, "an answer within 5 s", error.to_string())
        }
    }
}

/// Whether an answer is one of success. A wrong secret that is not the last one leaves no failed check.
fn read(endpoint: Endpoint<'_>, answer: &Fetched, last: bool, trace: &mut TraceLog) -> Result<(), CallRefused> {
    let json = media_type(answer) == "application/json";
    let members = json.then(|| strict_json::object(&answer.body).ok()).flatten();
    if let Some(members) = &members
        && let Some(refused) = error(endpoint, answer.status, members, last, trace)
    {
        return Err(refused);
    }
    let mut check = |what: &str, expected: &str, actual: String, passed: bool| {
        let name = format!("{}: {what}", endpoint.name);
        if trace.check(&name, endpoint.source, expected, actual, passed) { Ok(()) } else { Err(CallRefused::Unusable) }
    };
    let status = endpoint.status;
    check("status", &status.to_string(), answer.status.to_string(), answer.status == status)?;
    let shown = answer.content_type.clone().unwrap_or_else(|| "none".to_owned());
    check("media type", "application/json", shown, json)?;
    let shown = if members.is_some() { "one" } else { "something else" };
    check("JSON", "one object without duplicate members", shown.to_owned(), members.is_some())
}

/// RFC 6749 section 5.2. Only a refusal with the status of one says something about what was asked.
fn error(
    endpoint: Endpoint<'_>,
    status: u16,
    members: &Map<String, Value>,
    last: bool,
    trace: &mut TraceLog,
) -> Option<CallRefused> {
    let code = error_word(members.get("error")?);
    if last || code != "invalid_client" {
        let description = members.get("error_description").and_then(Value::as_str);
        let description = description.map_or_else(String::new, |text| format!(": {text}"));
        let actual = format!("{code}, status {status}{description}");
        trace.check(&format!("{}: error", endpoint.name), "RFC 6749 5.2", "none", actual, false);
    }
    Some(match status {
        400 | 401 => CallRefused::Error(code),
        _ => CallRefused::Unusable,
    })
}

/// The provider's word, where it has the form of one.
fn error_word(error: &Value) -> String {
    let letters =
        |word: &&str| word.len() <= 64 && word.bytes().all(|octet| octet.is_ascii_lowercase() || octet == b'_');
    error.as_str().filter(letters).unwrap_or("an error without a name").to_owned()
}

/// The media type without its parameters, in lower case.
pub fn media_type(answer: &Fetched) -> String {
    let essence = answer.content_type.as_deref().unwrap_or_default().split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}
