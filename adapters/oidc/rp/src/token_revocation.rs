//! Global Token Revocation (draft-parecki-oauth-global-token-revocation): an identity provider ends all that a
//! person was given, Okta's Universal Logout for one.

use std::time::Duration;

use fedbridge_contract::http::Reply;
use fedbridge_contract::identity::OneTimeKey;
use fedbridge_contract::keys::SignatureAlgorithm;
use fedbridge_contract::logout::{
    Channel, LogoutEnd, LogoutMessage, LogoutSelector, Manner, Named, PeerLogout, ReceivedLogout,
};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use fedbridge_oidc_core::jwk::PublicJwk;
use fedbridge_oidc_core::jws::{Accept, UnverifiedJws};
use fedbridge_oidc_core::strict_json;
use serde_json::{Map, Value, json};

use crate::checks::{Checked, refuse, require};
use crate::claims;
use crate::jwks::{Asker, Place};
use crate::logout::{AskedBy, TOKEN_REVOCATION_ROUTE};
use crate::party::RelyingParty;
use crate::settings::GlobalTokenRevocation;
use crate::subject;

/// The oldest token that is taken, in seconds.
const MAX_AGE: i64 = 600;

/// The longest name of a person, and the longest `jti`, in octets.
const MAX_NAME: usize = 320;

const SOURCE: &str = "draft-parecki-oauth-global-token-revocation 3";

/// The kinds of token that say this. Okta sends a plain `JWT`; what else is a plain `JWT` of that issuer is for
/// another audience than this address.
const TYPES: &[&str] = &["", "jwt", "global-token-revocation+jwt"];

const ALGORITHMS: &[SignatureAlgorithm] =
    &[SignatureAlgorithm::RS256, SignatureAlgorithm::PS256, SignatureAlgorithm::ES256, SignatureAlgorithm::EdDSA];

/// Why a request is turned away, by how it is answered.
enum Turned {
    /// Who asks did not prove who it is.
    Unauthorized,
    /// What it asks for can't be read.
    Malformed(&'static str),
}

pub async fn receive(party: &RelyingParty, message: LogoutMessage<'_>, trace: &mut TraceLog) -> ReceivedLogout {
    let Some(setting) = &party.settings.global_token_revocation else {
        return ReceivedLogout::Reply(answer(404, "not_found", "There is nothing here."));
    };
    match read(party, setting, &message, trace).await {
        Ok(request) => ReceivedLogout::Request(Box::new(request)),
        Err(Turned::Unauthorized) => {
            let reply = answer(401, "invalid_token", "The token could not be accepted.");
            ReceivedLogout::Reply(reply.with_header("www-authenticate", "Bearer error=\"invalid_token\""))
        }
        Err(Turned::Malformed(why)) => ReceivedLogout::Reply(answer(400, "invalid_request", why)),
    }
}

pub fn conclude(end: LogoutEnd) -> Reply {
    match end {
        LogoutEnd::Complete | LogoutEnd::Partial => Reply::body(204, "application/json", Vec::new()),
        LogoutEnd::NoSession => answer(404, "user_not_found", "Nobody is known by this name."),
        LogoutEnd::Refused => answer(400, "invalid_request", "The token was used before."),
        LogoutEnd::Failed => answer(503, "temporarily_unavailable", "This can't be done at the moment."),
    }
}

fn answer(status: u16, error: &str, description: &str) -> Reply {
    Reply::json(status, &json!({ "error": error, "error_description": description }))
}

async fn read(
    party: &RelyingParty,
    setting: &GlobalTokenRevocation,
    message: &LogoutMessage<'_>,
    trace: &mut TraceLog,
) -> Result<PeerLogout, Turned> {
    let authenticated = authenticated(party, setting, message, trace).await.map_err(|_| Turned::Unauthorized)?;
    let named = named(party, &message.input.body, trace)?;
    Ok(PeerLogout {
        selector: LogoutSelector::Person { connection: party.connection, named },
        channel: Channel::Back,
        once: vec![authenticated],
        continuation: AskedBy::TokenRevocation.continuation(),
        framed_by: None,
        manner: Manner { everything: true, at_once: true, ..Manner::default() },
    })
}

/// The caller's signed token: made by the issuer that the connection names, for this very address, just now, once.
async fn authenticated(
    party: &RelyingParty,
    setting: &GlobalTokenRevocation,
    message: &LogoutMessage<'_>,
    trace: &mut TraceLog,
) -> Checked<OneTimeKey> {
    let LogoutMessage { tenant, input, now } = *message;
    let bearer = input.authorization.as_deref().and_then(|value| value.split_once(' '));
    let token = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer")).map(|(_, token)| token.trim());
    let Some(token) = token else {
        return refuse(trace, "revocation token", "RFC 6750 2.1", "a bearer token", "none");
    };
    let accept = Accept { algorithms: ALGORITHMS, types: TYPES };
    let unverified = match UnverifiedJws::read(token, &accept) {
        Ok(unverified) => unverified,
        Err(why) => return refuse(trace, "revocation token: form", "RFC 7515 7.1", "a signed JWT", why.to_string()),
    };
    if party.settings.distrusts(unverified.kid.as_deref()) {
        let expected = "a key that is not in distrusted_keys";
        return refuse(trace, "revocation token: key", SOURCE, expected, "one that is");
    }
    let place = Place { tenant: tenant.id, connection: party.connection, url: setting.jwks_uri.clone() };
    let there = |keys: &[PublicJwk]| unverified.finds(keys);
    let egress = party.egress(tenant);
    let keys = match party.key_sets.keys(&place, there, Asker::Stranger, egress.as_ref(), now).await {
        Ok(keys) => keys,
        Err(why) => return refuse(trace, "revocation token: key", SOURCE, "the keys of its issuer", why),
    };
    let trusted = party.settings.trusted(&keys);
    let verified = match unverified.verify(&trusted) {
        Ok(verified) => verified,
        Err(why) => {
            return refuse(trace, "revocation token: signature", SOURCE, "one that verifies", why.to_string());
        }
    };
    let claims = verified.claims;
    equal(&claims, "iss", &setting.issuer, trace)?;
    let address = format!("{}/{TOKEN_REVOCATION_ROUTE}", party.address);
    let audiences = claims::texts(&claims, "aud").ok().flatten().unwrap_or_default();
    let fits = audiences == [address.as_str()];
    require(trace, "revocation token: aud", SOURCE, address.as_str(), audiences.join(", "), fits)?;
    let expires = in_time(party, &claims, now, trace)?;
    match claims::text(&claims, "jti").ok().flatten() {
        Some(jti) if (1..=MAX_NAME).contains(&jti.len()) => {
            let key = format!("{} {jti}", party.connection);
            Ok(OneTimeKey { purpose: "oidc.token_revocation", key, expires })
        }
        _ => refuse(trace, "revocation token: jti", SOURCE, format!("a text of 1 to {MAX_NAME} octets"), "none"),
    }
}

fn equal(claims: &Map<String, Value>, name: &str, expected: &str, trace: &mut TraceLog) -> Checked<()> {
    let actual = claims::text(claims, name).ok().flatten();
    let shown = actual.unwrap_or("none");
    require(trace, &format!("revocation token: {name}"), SOURCE, expected, shown, actual == Some(expected))
}

/// `iat` must be there and young, and `exp` there and not past. Gives back until when the token could come again.
fn in_time(
    party: &RelyingParty,
    claims: &Map<String, Value>,
    now: Timestamp,
    trace: &mut TraceLog,
) -> Checked<Timestamp> {
    let skew = i64::try_from(party.settings.skew.as_secs()).unwrap_or(0);
    let (now, shown) = (now.seconds(), |at: i64| Timestamp::from_seconds(at).rfc3339());
    let mut time = |name: &str, fits: &dyn Fn(i64) -> bool, expected: String| -> Checked<i64> {
        let at = claims::seconds(claims, name).ok().flatten();
        let actual = at.map_or_else(|| "none".to_owned(), shown);
        let fits = at.is_some_and(fits);
        require(trace, &format!("revocation token: {name}"), SOURCE, expected, actual, fits)?;
        Ok(at.unwrap_or_default())
    };
    let oldest = now - MAX_AGE - skew;
    let young = |at: i64| at >= oldest && at <= now + skew;
    let iat = time("iat", &young, format!("from {} to {}", shown(oldest), shown(now + skew)))?;
    time("exp", &|at| at >= now - skew, format!("not before {}", shown(now - skew)))?;
    let seconds = u64::try_from(MAX_AGE + 2 * skew).unwrap_or_default();
    Ok(Timestamp::from_seconds(iat) + Duration::from_secs(seconds))
}

/// Whom the request names (RFC 9493).
fn named(party: &RelyingParty, body: &[u8], trace: &mut TraceLog) -> Result<Named, Turned> {
    const NAME: &str = "sub_id";
    let mut wrong = |actual: String, why: &'static str| {
        trace.check(NAME, "RFC 9493 3.2", "iss_sub, email or opaque", actual, false);
        Turned::Malformed(why)
    };
    let request = strict_json::object(body).map_err(|why| wrong(why.to_owned(), "The body is not strict JSON."))?;
    let Some(Value::Object(id)) = request.get("sub_id") else {
        return Err(wrong("none".into(), "The body has no sub_id."));
    };
    named_by(party, &[], id, trace).map_err(Turned::Malformed)
}

/// Whom a subject identifier names (RFC 9493). `issuers` are further ones whose `sub` counts.
///
/// # Errors
/// It can't name anybody of this connection, and why.
pub fn named_by(
    party: &RelyingParty,
    issuers: &[&str],
    id: &Map<String, Value>,
    trace: &mut TraceLog,
) -> Result<Named, &'static str> {
    let mut wrong = |actual: String, why: &'static str| {
        trace.check("sub_id", "RFC 9493 3.2", "iss_sub, email or opaque", actual, false);
        why
    };
    let text = |name: &str| {
        let text = claims::text(id, name).ok().flatten();
        text.filter(|text| (1..=MAX_NAME).contains(&text.len())).map(str::to_owned)
    };
    let by_subject = party.settings.subject == ["sub"];
    match text("format").as_deref() {
        Some("email") => match text("email") {
            Some(email) => Ok(Named::Email(email)),
            None => Err(wrong("an email without an address".into(), "The sub_id has no email.")),
        },
        Some("iss_sub" | "opaque") if !by_subject => Err(wrong(
            "a sub, which is not what people are known by here".into(),
            "People are not known by their sub here; name them by email.",
        )),
        Some("opaque") => match text("id") {
            Some(id) => Ok(Named::Subject(key_of(party, &id))),
            None => Err(wrong("opaque without an id".into(), "The sub_id has no id.")),
        },
        Some("iss_sub") => {
            let own = text("iss").is_some_and(|iss| iss == party.settings.issuer || issuers.contains(&iss.as_str()));
            match text("sub").filter(|_| own) {
                Some(sub) => Ok(Named::Subject(key_of(party, &sub))),
                None => Err(wrong("somebody of another issuer, or nobody".into(), "The sub_id is of another issuer.")),
            }
        }
        Some(other) => Err(wrong(format!("format {other}"), "The format of the sub_id is not known here.")),
        None => Err(wrong("no format".into(), "The sub_id has no format.")),
    }
}

/// The person's key, as a login with this `sub` makes it.
fn key_of(party: &RelyingParty, sub: &str) -> String {
    let claims = Map::from_iter([("sub".to_owned(), Value::from(sub))]);
    // Only the name is of interest: what is wrong with it finds nobody.
    subject::find(&party.settings, &claims, &mut TraceLog::new()).map(|subject| subject.key).unwrap_or_default()
}
