//! The token endpoint (RFC 6749 sections 4.1.3 and 5, OpenID Connect Core 3.1.3): one call, read strictly.

use std::time::Duration;

use fedbridge_contract::config::Tenant;
use fedbridge_contract::services::{EgressLimits, EgressPost, Fetched};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use fedbridge_oidc_core::strict_json;
use serde_json::{Map, Value};

use crate::checks::{Checked, Stop, refuse, require};
use crate::claims;
use crate::client_auth::authenticate;
use crate::metadata::Provider;
use crate::party::RelyingParty;

/// What one call of the provider may take.
pub const LIMITS: EgressLimits = EgressLimits { max_body: 256 * 1024, timeout: Duration::from_secs(5) };

/// The longest lifetime that is believed, in seconds.
const MAX_EXPIRES_IN: i64 = 365 * 86_400;

/// What a token endpoint gave, in its form; the tokens themselves are not checked.
pub struct TokenResponse {
    pub id_token: Option<String>,
    pub access_token: Option<String>,
    pub refresh_token: Option<String>,
    pub access_expires: Option<Timestamp>,
}

/// Why a token endpoint gave nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenRefused {
    /// It answered with an error of RFC 6749 section 5.2, in a form that can be believed.
    Error(String),
    /// It did not answer, or not in a way that says anything.
    Unusable,
}

/// One grant at the token endpoint. Where the first secret is refused (`invalid_client`), the second is tried once:
/// the provider then has not looked at the grant. Nothing else is ever sent twice.
///
/// # Errors
/// [`TokenRefused`]; the trace holds the failed check.
pub async fn call(
    party: &RelyingParty,
    provider: &Provider,
    tenant: &Tenant,
    form: &[(&str, String)],
    now: Timestamp,
    trace: &mut TraceLog,
) -> Result<Vec<u8>, TokenRefused> {
    let slots = party.secrets.len().max(1);
    for slot in 0..slots {
        let answer = match send(party, provider, tenant, form, slot, now, trace).await {
            Ok(answer) => answer,
            Err(_) => return Err(TokenRefused::Unusable),
        };
        let last = slot + 1 == slots;
        match read(&answer, last, trace) {
            Ok(()) => {
                if slot > 0 {
                    trace.decide("client_secret", "the second one was taken; the first was refused", true);
                }
                return Ok(answer.body.to_vec());
            }
            Err(TokenRefused::Error(code)) if code == "invalid_client" && !last => {
                trace.decide("client_secret", "the first one was refused: the second is tried", true);
            }
            Err(refused) => return Err(refused),
        }
    }
    Err(TokenRefused::Unusable)
}

async fn send(
    party: &RelyingParty,
    provider: &Provider,
    tenant: &Tenant,
    form: &[(&str, String)],
    slot: usize,
    now: Timestamp,
    trace: &mut TraceLog,
) -> Checked<Fetched> {
    let endpoint = &provider.token_endpoint;
    let sent = match authenticate(party, tenant, slot, now, form) {
        Ok(sent) => sent,
        Err(why) => {
            return refuse(trace, "token endpoint: client", "OpenID Connect Core 9", "a way to authenticate", why);
        }
    };
    let grant = form.iter().find(|(name, _)| *name == "grant_type").map(|(_, value)| value.clone()).unwrap_or_default();
    trace.sent(
        now,
        "token request",
        vec![
            ("endpoint", endpoint.to_string()),
            ("grant_type", grant),
            ("authenticated by", party.settings.auth_method.name().to_owned()),
        ],
    );
    let request = EgressPost {
        url: endpoint.to_string(),
        content_type: "application/x-www-form-urlencoded".into(),
        headers: sent.headers(),
        body: sent.body(),
    };
    match party.egress(tenant).post(&request, LIMITS).await {
        Ok(answer) => Ok(answer),
        Err(error) => refuse(trace, "token endpoint: answer", "RFC 6749 5", "an answer within 5 s", error.to_string()),
    }
}

/// Whether an answer is one of success. A wrong secret that is not the last one leaves no failed check.
fn read(answer: &Fetched, last: bool, trace: &mut TraceLog) -> Result<(), TokenRefused> {
    let unusable = |_: Stop| TokenRefused::Unusable;
    let members = is_json(answer).then(|| strict_json::object(&answer.body).ok()).flatten();
    let error = members.as_ref().and_then(|members| members.get("error")?.as_str());
    if let Some(error) = error {
        // The provider's word, in its form; anything else is only "an error".
        let word = error.len() <= 64 && error.bytes().all(|octet| octet.is_ascii_lowercase() || octet == b'_');
        let code = if word { error } else { "an error without a name" };
        if last || code != "invalid_client" {
            let mut actual = format!("{code}, status {}", answer.status);
            if let Some(description) = members.as_ref().and_then(|m| m.get("error_description")?.as_str()) {
                actual = format!("{actual}: {description}");
            }
            trace.check("token endpoint: error", "RFC 6749 5.2", "tokens", actual, false);
        }
        // Only a refusal that has the status of one says something about the grant.
        return Err(match answer.status {
            400 | 401 => TokenRefused::Error(code.to_owned()),
            _ => TokenRefused::Unusable,
        });
    }
    let status = answer.status;
    require(trace, "token endpoint: status", "RFC 6749 5.1", "200", status.to_string(), status == 200)
        .map_err(unusable)?;
    let media_type = answer.content_type.clone().unwrap_or_else(|| "none".to_owned());
    require(trace, "token endpoint: media type", "RFC 6749 5.1", "application/json", media_type, is_json(answer))
        .map_err(unusable)?;
    match members {
        Some(_) => Ok(()),
        None => {
            refuse(trace, "token endpoint: JSON", "RFC 6749 5.1", "a JSON object without duplicate members", "not one")
                .map_err(unusable)
        }
    }
}

fn is_json(answer: &Fetched) -> bool {
    media_type(answer) == "application/json"
}

/// The media type without its parameters, in lower case.
pub fn media_type(answer: &Fetched) -> String {
    let essence = answer.content_type.as_deref().unwrap_or_default().split(';').next().unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

impl TokenResponse {
    /// Reads an answer of success that [`call`] gave.
    pub fn read(body: &[u8], now: Timestamp, trace: &mut TraceLog) -> Checked<Self> {
        let source = "RFC 6749 5.1";
        let Ok(members) = strict_json::object(body) else {
            return refuse(trace, "token endpoint: JSON", source, "a JSON object", "something else");
        };
        let mut text = |name: &str| member(&members, name, trace);
        let (access_token, refresh_token) = (text("access_token")?, text("refresh_token")?);
        let token_type = text("token_type")?;
        if access_token.is_some() {
            let bearer = token_type.as_deref().is_some_and(|kind| kind.eq_ignore_ascii_case("bearer"));
            let actual = token_type.unwrap_or_else(|| "none".to_owned());
            require(trace, "token endpoint: token_type", "RFC 6749 7.1", "Bearer", actual, bearer)?;
        }
        let seconds = match members.get("expires_in") {
            // Some providers write the number as a text.
            Some(Value::String(text)) => text.parse().ok(),
            Some(value) => value.as_i64(),
            None => None,
        };
        let lifetime = seconds.filter(|seconds| (0..=MAX_EXPIRES_IN).contains(seconds));
        let lifetime = lifetime.and_then(|seconds| u64::try_from(seconds).ok()).map(Duration::from_secs);
        let id_token = match claims::text(&members, "id_token") {
            Ok(token) => token.filter(|token| !token.is_empty()).map(str::to_owned),
            Err(why) => {
                return refuse(trace, "an ID token came", "OpenID Connect Core 3.1.3.3", "a text", why.to_string());
            }
        };
        let access_expires = access_token.as_ref().and(lifetime).map(|lifetime| now + lifetime);
        Ok(Self { id_token, access_token, refresh_token, access_expires })
    }
}

fn member(members: &Map<String, Value>, name: &str, trace: &mut TraceLog) -> Checked<Option<String>> {
    match claims::text(members, name) {
        Ok(text) => Ok(text.filter(|text| !text.is_empty()).map(str::to_owned)),
        Err(why) => refuse(trace, &format!("token endpoint: {name}"), "RFC 6749 5.1", "a text", why.to_string()),
    }
}
