//! The userinfo endpoint (OpenID Connect Core 5.3): more claims about the person whom the ID token names, and about
//! nobody else.

use fedbridge_contract::services::{EgressGet, Fetched};
use fedbridge_contract::trace::TraceLog;
use fedbridge_oidc_core::strict_json;
use serde_json::{Map, Value};

use crate::checks::{Checked, Stop, refuse, require};
use crate::claims;
use crate::jwks::Asker;
use crate::provider_call::{LIMITS, media_type};
use crate::settings::{Settings, UserinfoUse};
use crate::token::{TokenKind, Validator};

const SOURCE: &str = "OpenID Connect Core 5.3";

/// Scopes whose claims Core names (5.4), with one claim that shows that they came.
const PROMISED: &[(&str, &[&str])] = &[("email", &["email"]), ("profile", &["name", "preferred_username"])];

/// Whether the endpoint is asked.
pub fn wanted(settings: &Settings, id_token: &Map<String, Value>) -> bool {
    match settings.userinfo {
        UserinfoUse::Always => true,
        UserinfoUse::Off => false,
        UserinfoUse::Auto => settings.profile.userinfo_adds && lacking(settings, id_token),
    }
}

/// Whether a scope promised claims that the ID token does not have. Scopes that Core does not name may promise
/// anything.
fn lacking(settings: &Settings, id_token: &Map<String, Value>) -> bool {
    settings.scopes.iter().any(|scope| match scope.as_str() {
        "openid" | "offline_access" => false,
        scope => match PROMISED.iter().find(|(name, _)| *name == scope) {
            Some((_, claims)) => !claims.iter().any(|claim| id_token.contains_key(*claim)),
            None => !id_token.contains_key(scope),
        },
    })
}

/// Why userinfo gave no claims. The trace holds the failed check.
pub enum NoClaims {
    /// It did not answer, or not in a way that can be believed.
    Stopped(Stop),
    /// They are about somebody else than the ID token (OpenID Connect Core 5.3.4).
    SomebodyElse,
}

impl From<Stop> for NoClaims {
    fn from(stop: Stop) -> Self {
        Self::Stopped(stop)
    }
}

impl From<NoClaims> for Stop {
    fn from(why: NoClaims) -> Self {
        match why {
            NoClaims::Stopped(stop) => stop,
            NoClaims::SomebodyElse => Self::Rejected,
        }
    }
}

/// Asks with the access token in the header, nowhere else. `None`: there is no such endpoint, or no token for it.
pub async fn ask(
    validator: &Validator<'_>,
    access_token: Option<&str>,
    subject: &str,
    trace: &mut TraceLog,
) -> Result<Option<Map<String, Value>>, NoClaims> {
    match call(validator, access_token, trace).await? {
        Some(answer) => read(validator, &answer, subject, trace).await.map(Some),
        None => Ok(None),
    }
}

/// The call alone; nothing of the answer is looked at.
pub async fn call(
    validator: &Validator<'_>,
    access_token: Option<&str>,
    trace: &mut TraceLog,
) -> Checked<Option<Fetched>> {
    let settings = &validator.party.settings;
    let (Some(endpoint), Some(token)) = (&validator.provider.userinfo_endpoint, access_token) else {
        if settings.userinfo == UserinfoUse::Always {
            let actual = if access_token.is_some() { "no endpoint for it" } else { "no access token" };
            return refuse(trace, "userinfo: answer", SOURCE, "claims", actual);
        }
        return Ok(None);
    };
    let accept = if settings.userinfo_signed { "application/jwt" } else { "application/json, application/jwt" };
    let request = EgressGet {
        url: endpoint.to_string(),
        headers: vec![
            ("authorization".to_owned(), format!("Bearer {token}")),
            ("accept".to_owned(), accept.to_owned()),
        ],
    };
    trace.sent(validator.now, "userinfo request", vec![("endpoint", endpoint.to_string())]);
    match validator.party.egress(validator.tenant).get_with(&request, LIMITS).await {
        Ok(answer) => Ok(Some(answer)),
        Err(error) => refuse(trace, "userinfo: answer", SOURCE, "an answer within 5 s", error.to_string()),
    }
}

/// The claims of an answer, which must be about this very person.
pub async fn read(
    validator: &Validator<'_>,
    answer: &Fetched,
    subject: &str,
    trace: &mut TraceLog,
) -> Result<Map<String, Value>, NoClaims> {
    let claims = claims(validator, answer, trace).await?;
    let another = claims::text(&claims, "sub").is_ok_and(|sub| sub.is_some_and(|sub| sub != subject));
    match same_subject(&claims, subject, trace) {
        Err(_) if another => Err(NoClaims::SomebodyElse),
        checked => {
            checked?;
            Ok(claims)
        }
    }
}

/// The claims of an answer, whoever they are about.
async fn claims(validator: &Validator<'_>, answer: &Fetched, trace: &mut TraceLog) -> Checked<Map<String, Value>> {
    let settings = &validator.party.settings;
    let status = answer.status;
    require(trace, "userinfo: status", SOURCE, "200", status.to_string(), status == 200)?;
    match media_type(answer).as_str() {
        "application/jwt" => signed(validator, &answer.body, trace).await,
        "application/json" if !settings.userinfo_signed => match strict_json::object(&answer.body) {
            Ok(claims) => Ok(claims),
            Err(why) => refuse(trace, "userinfo: JSON", SOURCE, "a JSON object without duplicate members", why),
        },
        other => {
            let expected = if settings.userinfo_signed { "application/jwt" } else { "application/json" };
            let actual = if other.is_empty() { "none" } else { other };
            refuse(trace, "userinfo: media type", SOURCE, expected, actual)
        }
    }
}

/// Signed claims name their issuer and us (OpenID Connect Core 5.3.2); where they name a time, it counts.
async fn signed(validator: &Validator<'_>, body: &[u8], trace: &mut TraceLog) -> Checked<Map<String, Value>> {
    let kind = TokenKind::Userinfo;
    let Ok(token) = std::str::from_utf8(body) else {
        return refuse(trace, &kind.name("form"), SOURCE, "a signed JWT", "octets that are no text");
    };
    let signed = validator.signed(token.trim(), kind, Asker::Provider, trace).await?;
    validator.times(kind, &signed.claims, None, trace)?;
    Ok(signed.claims)
}

/// Claims about somebody else end the login (OpenID Connect Core 5.3.4).
fn same_subject(claims: &Map<String, Value>, subject: &str, trace: &mut TraceLog) -> Checked<()> {
    let (name, source) = ("sub at userinfo", "OpenID Connect Core 5.3.4");
    match claims::text(claims, "sub") {
        Ok(sub) => require(trace, name, source, subject, sub.unwrap_or("none"), sub == Some(subject)),
        Err(why) => refuse(trace, name, source, subject, why.to_string()),
    }
}
