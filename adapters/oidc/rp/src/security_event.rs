//! Shared signals of an identity provider, or of whoever watches over its people: Security Event Tokens (RFC 8417) that
//! are pushed here (RFC 8935). An account that is disabled or gone ends all that the person was given, and keeps them out
//! until it is enabled again; a session that is revoked ends all of it too, because the sessions of the transmitter
//! have other names than ours.

use std::time::Duration;

use fedbridge_contract::http::Reply;
use fedbridge_contract::identity::OneTimeKey;
use fedbridge_contract::keys::SignatureAlgorithm;
use fedbridge_contract::logout::{
    Channel, DeviceWord, LogoutEnd, LogoutMessage, LogoutSelector, Manner, PeerLogout, ReceivedLogout, Standing,
};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use fedbridge_oidc_core::jwk::PublicJwk;
use fedbridge_oidc_core::jws::{Accept, JwsRefused, UnverifiedJws};
use openssl::memcmp;
use openssl::sha::sha256;
use serde_json::{Map, Value, json};

use crate::claims;
use crate::jwks::{Asker, Place};
use crate::logout::AskedBy;
use crate::party::RelyingParty;
use crate::settings::Signals;
use crate::token_revocation::named_by;

/// A transmitter may have been kept from us for this long. Its tokens have no `exp`.
const OLDEST: Duration = Duration::from_secs(7 * 24 * 3600);

/// The longest `jti`, in octets.
const MAX_JTI: usize = 320;

const SOURCE: &str = "Shared Signals Framework 1.0, 4";
const MEDIA_TYPE: &str = "application/secevent+jwt";
const TYPES: &[&str] = &["secevent+jwt"];
const ALGORITHMS: &[SignatureAlgorithm] =
    &[SignatureAlgorithm::RS256, SignatureAlgorithm::PS256, SignatureAlgorithm::ES256, SignatureAlgorithm::EdDSA];

const CAEP: &str = "https://schemas.openid.net/secevent/caep/event-type/";
const RISC: &str = "https://schemas.openid.net/secevent/risc/event-type/";

/// The longest name of a device that is handed on, in octets of JSON.
const MAX_DEVICE: usize = 1024;

/// Something that is done for an event; others are taken note of.
#[derive(Debug, Clone, Copy)]
enum Meaning {
    /// All that the person was given ends, and their account stands like this.
    Ends(Standing),
    Enabled,
    /// CAEP 1.0 section 3.4: it ends only where the level has sunk.
    Level,
    /// CAEP 1.0 section 3.5.
    Device,
}

const EVENTS: [(&str, &str, Meaning); 8] = [
    (RISC, "account-disabled", Meaning::Ends(Standing::Out)),
    (RISC, "account-purged", Meaning::Ends(Standing::Out)),
    (CAEP, "session-revoked", Meaning::Ends(Standing::AsItIs)),
    (RISC, "sessions-revoked", Meaning::Ends(Standing::AsItIs)),
    (RISC, "credential-compromise", Meaning::Ends(Standing::AsItIs)),
    (CAEP, "assurance-level-change", Meaning::Level),
    (CAEP, "device-compliance-change", Meaning::Device),
    (RISC, "account-enabled", Meaning::Enabled),
];

/// Why an event is turned away (RFC 8935 section 2.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turned {
    Request(&'static str),
    Key,
    Issuer,
    Audience,
    Authentication,
}

pub async fn receive(party: &RelyingParty, message: LogoutMessage<'_>, trace: &mut TraceLog) -> ReceivedLogout {
    let Some(setting) = &party.settings.signals else {
        return ReceivedLogout::Reply(Reply::json(404, &json!({ "err": "access_denied" })));
    };
    match read(party, setting, &message, trace).await {
        Ok(Some(request)) => ReceivedLogout::Request(Box::new(request)),
        Ok(None) => ReceivedLogout::Reply(accepted()),
        Err(turned) => ReceivedLogout::Reply(refusal(turned)),
    }
}

/// An event that came before counts as taken (RFC 8935 section 2).
pub fn conclude(end: LogoutEnd) -> Reply {
    match end {
        LogoutEnd::Complete | LogoutEnd::Partial | LogoutEnd::NoSession | LogoutEnd::Refused => accepted(),
        LogoutEnd::Failed => Reply::json(503, &json!({ "err": "temporarily_unavailable" })),
    }
}

fn accepted() -> Reply {
    Reply::body(202, "application/json", Vec::new())
}

fn refusal(turned: Turned) -> Reply {
    let (err, description) = match turned {
        Turned::Request(why) => ("invalid_request", why),
        Turned::Key => ("invalid_key", "The token is signed with no key of its issuer."),
        Turned::Issuer => ("invalid_issuer", "The token is of another issuer."),
        Turned::Audience => ("invalid_audience", "The token is for somebody else."),
        Turned::Authentication => {
            ("authentication_failed", "The Authorization header is not the one that was agreed on.")
        }
    };
    let status = if turned == Turned::Authentication { 401 } else { 400 };
    Reply::json(status, &json!({ "err": err, "description": description }))
}

/// `None`: nothing is done for it.
async fn read(
    party: &RelyingParty,
    setting: &Signals,
    message: &LogoutMessage<'_>,
    trace: &mut TraceLog,
) -> Result<Option<PeerLogout>, Turned> {
    is_authorized(party, message, trace)?;
    let claims = verified(party, setting, message, trace).await?;
    let once = used_up(party, &claims, message.now, trace)?;
    let Some(Value::Object(events)) = claims.get("events") else {
        trace.check("security event: events", "RFC 8417 2.2", "an object", "none", false);
        return Err(Turned::Request("The token has no events."));
    };
    let found = EVENTS.iter().find_map(|(family, name, meaning)| {
        let event = events.get(&format!("{family}{name}"))?;
        Some((*name, event, *meaning))
    });
    let names = events.keys().cloned().collect::<Vec<_>>().join(", ");
    let understood = match found {
        Some((name, event, meaning)) => {
            let at = claims::seconds(&claims, "iat").ok().flatten().map(Timestamp::from_seconds);
            said(&claims, event, meaning)?.map(|manner| (name, event, Manner { said: at, ..manner }))
        }
        None => None,
    };
    let Some((name, event, manner)) = understood else {
        trace.decide("security event", format!("nothing is done for {names}"), true);
        return Ok(None);
    };
    trace.received(message.now, "security event", true, vec![("event", name.to_owned())]);
    let subject = subject(&claims, event);
    let named = subject.and_then(|subject| named_by(party, &[&setting.issuer], subject, trace).ok());
    let Some(named) = named else {
        return Err(Turned::Request("The subject of the event is nobody who could be known here."));
    };
    Ok(Some(PeerLogout {
        selector: LogoutSelector::Person { connection: party.connection, named },
        channel: Channel::Back,
        once: vec![once],
        continuation: AskedBy::SecurityEvent.continuation(),
        framed_by: None,
        manner,
    }))
}

/// What an event wants. `None`: nothing is done for one of this kind.
fn said(claims: &Map<String, Value>, event: &Value, meaning: Meaning) -> Result<Option<Manner>, Turned> {
    let text = |name: &str| event.get(name).and_then(Value::as_str);
    let ends = Manner { everything: true, at_once: true, ..Manner::default() };
    Ok(match meaning {
        Meaning::Ends(standing) => Some(Manner { standing, ..ends }),
        Meaning::Enabled => Some(Manner { standing: Standing::In, ..ends }),
        Meaning::Level => (text("change_direction") == Some("decrease")).then_some(ends),
        Meaning::Device => {
            let compliant = match text("current_status") {
                Some("compliant") => true,
                Some("not-compliant") => false,
                _ => return Err(Turned::Request("The event has no current_status: compliant or not-compliant.")),
            };
            let device = whole_subject(claims, event).and_then(|subject| subject.get("device")).cloned();
            let device = device.filter(|device| device.is_object() && device.to_string().len() <= MAX_DEVICE);
            Some(Manner { device: Some(DeviceWord { device, compliant }), ..ends })
        }
    })
}

/// What the transmitter was told to show, where it was.
fn is_authorized(party: &RelyingParty, message: &LogoutMessage<'_>, trace: &mut TraceLog) -> Result<(), Turned> {
    let Some(wanted) = &party.signals_authorization else { return Ok(()) };
    let shown = message.input.authorization.as_deref().unwrap_or_default();
    let passed = memcmp::eq(&sha256(shown.as_bytes()), &sha256(wanted));
    let actual = if passed { "that one" } else { "another" };
    if trace.check("security event: authorization", "RFC 8935 2", "that of the connection", actual, passed) {
        return Ok(());
    }
    let account = format!("signals {}", party.connection);
    party.services.throttle.failed(message.tenant.id, &account, message.input.peer, message.now);
    Err(Turned::Authentication)
}

/// Claims that the issuer whom the connection names has signed, for us.
async fn verified(
    party: &RelyingParty,
    setting: &Signals,
    message: &LogoutMessage<'_>,
    trace: &mut TraceLog,
) -> Result<Map<String, Value>, Turned> {
    let LogoutMessage { tenant, input, now } = *message;
    let essence = input.content_type.as_deref().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    if !trace.check("security event: media type", "RFC 8935 2.1", MEDIA_TYPE, essence, essence == MEDIA_TYPE) {
        return Err(Turned::Request("The media type is not application/secevent+jwt."));
    }
    let token = std::str::from_utf8(&input.body).map_err(|_| Turned::Request("The body is no token."))?.trim();
    let accept = Accept { algorithms: ALGORITHMS, types: TYPES };
    let unverified = UnverifiedJws::read(token, &accept).map_err(|why| {
        trace.check("security event: form", "RFC 8417 2.3", "a signed secevent+jwt", why.to_string(), false);
        Turned::Request("The token is no security event token that can be read here.")
    })?;
    if party.settings.distrusts(unverified.kid.as_deref()) {
        trace.check("security event: key", SOURCE, "a key that is not in distrusted_keys", "one that is", false);
        return Err(Turned::Key);
    }
    let place = Place { tenant: tenant.id, connection: party.connection, url: setting.jwks_uri.clone() };
    let there = |keys: &[PublicJwk]| unverified.finds(keys);
    let egress = party.egress(tenant);
    let keys = party.key_sets.keys(&place, there, Asker::Stranger, egress.as_ref(), now).await.map_err(|why| {
        trace.check("security event: key", SOURCE, "the keys of its issuer", why, false);
        Turned::Key
    })?;
    let verified = unverified.verify(&party.settings.trusted(&keys)).map_err(|why| {
        trace.check("security event: signature", SOURCE, "one that verifies", why.to_string(), false);
        if why == JwsRefused::Signature { Turned::Key } else { Turned::Request("The token can't be read.") }
    })?;
    let claims = verified.claims;
    let iss = claims::text(&claims, "iss").ok().flatten().unwrap_or("none");
    if !trace.check("security event: iss", SOURCE, &setting.issuer, iss, iss == setting.issuer) {
        return Err(Turned::Issuer);
    }
    let audiences = claims::texts(&claims, "aud").ok().flatten().unwrap_or_default();
    let fits = audiences.contains(&setting.audience.as_str());
    if !trace.check("security event: aud", SOURCE, &setting.audience, audiences.join(", "), fits) {
        return Err(Turned::Audience);
    }
    Ok(claims)
}

/// Its `jti`, for as long as it could come again.
fn used_up(
    party: &RelyingParty,
    claims: &Map<String, Value>,
    now: Timestamp,
    trace: &mut TraceLog,
) -> Result<OneTimeKey, Turned> {
    const TIMES: Turned = Turned::Request("The times of the token do not fit.");
    let skew = party.settings.skew;
    let (oldest, newest) = (now - OLDEST - skew, now + skew);
    let issued = claims::seconds(claims, "iat").ok().flatten().map(Timestamp::from_seconds);
    let shown = issued.map_or_else(|| "none".to_owned(), Timestamp::rfc3339);
    let expected = format!("from {} to {}", oldest.rfc3339(), newest.rfc3339());
    let fits = issued.is_some_and(|issued| issued >= oldest && issued <= newest);
    if !trace.check("security event: iat", "RFC 8417 2.2", expected, shown, fits) {
        return Err(TIMES);
    }
    let over = claims::seconds(claims, "exp").ok().flatten().map(Timestamp::from_seconds);
    let lives = over.is_none_or(|over| over + skew > now);
    if !trace.check("security event: exp", "RFC 8417 2.2", "none, or later", "earlier", lives) {
        return Err(TIMES);
    }
    match claims::text(claims, "jti").ok().flatten() {
        Some(jti) if (1..=MAX_JTI).contains(&jti.len()) => {
            let key = format!("{} {jti}", party.connection);
            let expires = issued.unwrap_or(now) + OLDEST + skew + skew;
            Ok(OneTimeKey { purpose: "oidc.security_event", key, expires })
        }
        _ => {
            trace.check("security event: jti", "RFC 8417 2.2", format!("1 to {MAX_JTI} octets"), "none", false);
            Err(Turned::Request("The token has no jti."))
        }
    }
}

/// Whom it is about: `sub_id`, or, as transmitters of before the framework was final have it, the event's `subject`. Of
/// several names of one subject (`complex`) the person's.
fn subject<'c>(claims: &'c Map<String, Value>, event: &'c Value) -> Option<&'c Map<String, Value>> {
    let subject = whole_subject(claims, event)?;
    match subject.get("format").and_then(Value::as_str) {
        Some("complex") => subject.get("user")?.as_object(),
        None => subject.get("user").and_then(Value::as_object).or(Some(subject)),
        Some(_) => Some(subject),
    }
}

fn whole_subject<'c>(claims: &'c Map<String, Value>, event: &'c Value) -> Option<&'c Map<String, Value>> {
    claims.get("sub_id").or_else(|| event.get("subject"))?.as_object()
}
