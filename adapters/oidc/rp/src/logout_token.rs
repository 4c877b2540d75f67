//! Back-channel logout: the provider's server says who is logged out (Back-Channel Logout 1.0).

use std::time::Duration;

use fedbridge_contract::http::Reply;
use fedbridge_contract::identity::OneTimeKey;
use fedbridge_contract::logout::{
    Channel, LogoutEnd, LogoutMessage, LogoutSelector, Manner, PeerLogout, ReceivedLogout,
};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use serde_json::{Map, Value, json};

use crate::checks::{Checked, refuse, require};
use crate::claims;
use crate::jwks::Asker;
use crate::logout::AskedBy;
use crate::parameters::{once, parameter};
use crate::party::RelyingParty;
use crate::subject::logout_key;
use crate::token::{Signed, TokenKind, Validator};

/// The one event that a logout token is of.
const EVENT: &str = "http://schemas.openid.net/event/backchannel-logout";

/// The oldest logout token that is taken, in seconds.
const MAX_AGE: i64 = 600;

/// The longest `jti` and `sid`, in octets.
const MAX_ID: usize = 255;

const KIND: TokenKind = TokenKind::Logout;
const SOURCE: &str = "Back-Channel Logout 1.0, 2.6";

/// Takes a logout token in. The answer goes out as soon as our sessions are over: a provider waits a few seconds.
pub async fn receive(party: &RelyingParty, message: LogoutMessage<'_>, trace: &mut TraceLog) -> ReceivedLogout {
    match verified(party, &message, trace).await {
        Ok(request) => ReceivedLogout::Request(Box::new(request)),
        Err(_) => ReceivedLogout::Reply(refusal("The logout token could not be accepted.")),
    }
}

/// Back-Channel Logout 1.0, section 2.8. A session that is over already is what was wanted.
pub fn conclude(end: LogoutEnd) -> Reply {
    match end {
        LogoutEnd::Complete | LogoutEnd::Partial | LogoutEnd::NoSession => Reply::json(200, &json!({})),
        LogoutEnd::Refused => refusal("The logout token was used before."),
        LogoutEnd::Failed => refusal("The logout can't be done at the moment."),
    }
}

fn refusal(description: &str) -> Reply {
    Reply::json(400, &json!({ "error": "invalid_request", "error_description": description }))
}

async fn verified(party: &RelyingParty, message: &LogoutMessage<'_>, trace: &mut TraceLog) -> Checked<PeerLogout> {
    let LogoutMessage { tenant, input, now } = *message;
    let parameters = input.form_params();
    once(&parameters, &["logout_token"], trace)?;
    let Some(token) = parameter(&parameters, "logout_token") else {
        return refuse(trace, "logout token", "Back-Channel Logout 1.0, 2.5", "a form with logout_token", "none");
    };
    let Some(provider) = &party.provider else {
        return refuse(trace, "logout token", SOURCE, "a provider whose metadata is known", "none was read yet");
    };
    let validator = Validator { party, provider, tenant, now };
    let Signed { claims, .. } = validator.signed(token, KIND, Asker::Stranger, trace).await?;
    trace.received(now, "logout token", true, facts(&claims));
    let until = in_time(&validator, &claims, trace)?;
    let jti = identifier(&claims, "jti", trace)?;
    let Some(jti) = jti else { return refuse(trace, &KIND.name("jti"), SOURCE, "one", "none") };
    event(&claims, trace)?;
    // What has a nonce is an ID token that somebody passes off as a logout token.
    let nonce = claims.contains_key("nonce");
    require(trace, &KIND.name("nonce"), SOURCE, "none", if nonce { "one" } else { "none" }, !nonce)?;
    let key = format!("{} {jti}", party.connection);
    Ok(PeerLogout {
        selector: who(party, &claims, trace)?,
        channel: Channel::Back,
        once: vec![OneTimeKey { purpose: "oidc.logout_token", key, expires: until }],
        continuation: AskedBy::BackChannel.continuation(),
        framed_by: None,
        manner: Manner { at_once: true, ..Manner::default() },
    })
}

/// `iat` must be there and young, and `exp` must not be past. Gives back until when the token could come again.
fn in_time(validator: &Validator<'_>, claims: &Map<String, Value>, trace: &mut TraceLog) -> Checked<Timestamp> {
    validator.times(KIND, claims, None, trace)?;
    let oldest = validator.now.seconds() - MAX_AGE - validator.skew();
    let iat = claims::seconds(claims, "iat").ok().flatten();
    let shown = |at: i64| Timestamp::from_seconds(at).rfc3339();
    let actual = iat.map_or_else(|| "none".to_owned(), shown);
    let expected = format!("not before {}", shown(oldest));
    require(trace, &KIND.name("iat"), SOURCE, expected, actual, iat.is_some_and(|iat| iat >= oldest))?;
    let seconds = u64::try_from(MAX_AGE + 2 * validator.skew()).unwrap_or_default();
    Ok(Timestamp::from_seconds(iat.unwrap_or_default()) + Duration::from_secs(seconds))
}

/// Back-Channel Logout 1.0, section 2.4: the value is an object, whatever is in it.
fn event(claims: &Map<String, Value>, trace: &mut TraceLog) -> Checked<()> {
    let event = claims.get("events").and_then(|events| events.get(EVENT));
    let actual = match event {
        Some(Value::Object(_)) => "it",
        Some(_) => "it, but not as an object",
        None if claims.contains_key("events") => "others",
        None => "none",
    };
    require(trace, &KIND.name("events"), SOURCE, EVENT, actual, matches!(event, Some(Value::Object(_))))
}

/// `sid` alone ends that session, `sub` alone all of the person's, and both together the session that has both.
fn who(party: &RelyingParty, claims: &Map<String, Value>, trace: &mut TraceLog) -> Checked<LogoutSelector> {
    let (sub, sid) = (identifier(claims, "sub", trace)?, identifier(claims, "sid", trace)?);
    let connection = party.connection;
    match (sub, sid) {
        (Some(sub), sid) => {
            let (key, indexes) = (logout_key(&party.settings, &sub), sid.into_iter().collect());
            Ok(LogoutSelector::Upstream { connection, key, indexes })
        }
        (None, Some(index)) => Ok(LogoutSelector::UpstreamIndex { connection, index }),
        (None, None) => refuse(trace, &KIND.name("who is meant"), SOURCE, "sub, sid or both", "neither"),
    }
}

/// A text of a sensible length, or none.
fn identifier(claims: &Map<String, Value>, name: &str, trace: &mut TraceLog) -> Checked<Option<String>> {
    let expected = format!("a text of 1 to {MAX_ID} octets");
    match claims::text(claims, name) {
        Ok(None) => Ok(None),
        Ok(Some(text)) if (1..=MAX_ID).contains(&text.len()) => Ok(Some(text.to_owned())),
        Ok(Some(text)) => refuse(trace, &KIND.name(name), SOURCE, expected, format!("{} octets", text.len())),
        Err(why) => refuse(trace, &KIND.name(name), SOURCE, expected, why.to_string()),
    }
}

fn facts(claims: &Map<String, Value>) -> Vec<(&'static str, String)> {
    ["iss", "sid", "jti"].into_iter().filter_map(|name| Some((name, claims.get(name)?.as_str()?.to_owned()))).collect()
}
