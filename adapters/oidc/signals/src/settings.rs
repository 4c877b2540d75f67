//! The settings of a receiver: read strictly, every complaint at once.

use std::sync::Arc;

use fedbridge_contract::config::App;
use fedbridge_contract::error::Complaint;
use fedbridge_contract::factory::Field;
use fedbridge_contract::keys::SignatureAlgorithm;
use fedbridge_contract::reader::Reader;
use fedbridge_contract::signals::{Hears, ScimEvents};
use serde_json::{Map, Value};
use url::Url;

pub const FIELDS: &[Field] = &[
    Field::new(
        "client",
        "The client_id of the app that stands behind it: people are named by the `sub` that this app knows. Default: by \
         their public `sub`.",
    ),
    Field::new(
        "events",
        "What it may hear of: session-revoked, credential-change, token-claims-change, assurance-level-change, \
         device-compliance-change, account-disabled, account-enabled, account-purged, identifier-changed. Default: all but identifier-changed, which names \
         addresses, and, without a client, token-claims-change.",
    ),
    Field::new(
        "scim",
        "Whether it hears of what directories push (RFC 9967): notice says which attributes have changed, full says their \
         values too. Default: not.",
    ),
    Field::new(
        "scim_attributes",
        "The attributes that it may hear of, by their first names: [userName, name]. Needed with scim: full. Default: all.",
    ),
    Field::new("audience", "The `aud` of its tokens. Default: {issuer}/signals/SLUG."),
    Field::new(
        "push_url",
        "Where its events are pushed to (RFC 8935). Default: nowhere, until it asks for a stream by itself.",
    ),
    Field::new("signed_response_alg", "What its tokens are signed with: RS256, PS256, ES256 or EdDSA. Default: RS256."),
];

/// What stands in a bridge file, with the event's type.
const EVENTS: [(&str, &str); 9] = [
    ("session-revoked", "https://schemas.openid.net/secevent/caep/event-type/session-revoked"),
    ("credential-change", "https://schemas.openid.net/secevent/caep/event-type/credential-change"),
    (CLAIMS_CHANGE, "https://schemas.openid.net/secevent/caep/event-type/token-claims-change"),
    ("assurance-level-change", "https://schemas.openid.net/secevent/caep/event-type/assurance-level-change"),
    ("device-compliance-change", "https://schemas.openid.net/secevent/caep/event-type/device-compliance-change"),
    ("account-disabled", "https://schemas.openid.net/secevent/risc/event-type/account-disabled"),
    ("account-enabled", "https://schemas.openid.net/secevent/risc/event-type/account-enabled"),
    ("account-purged", "https://schemas.openid.net/secevent/risc/event-type/account-purged"),
    (IDENTIFIER_CHANGED, "https://schemas.openid.net/secevent/risc/event-type/identifier-changed"),
];

const CLAIMS_CHANGE: &str = "token-claims-change";
const IDENTIFIER_CHANGED: &str = "identifier-changed";

/// What a receiver was told to do.
#[derive(Debug)]
pub struct Settings {
    pub hears: Hears,
    pub audience: Option<String>,
    pub push_url: Option<String>,
    pub algorithm: SignatureAlgorithm,
}

impl Settings {
    pub fn of(app: &App) -> Option<Arc<Self>> {
        app.parsed(|settings| Self::parse(settings, 1)).ok()
    }

    /// `secrets`: how many bearer tokens there are.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn parse(settings: &Value, secrets: usize) -> Result<Self, Vec<Complaint>> {
        let mut reader = Reader::new();
        let empty = Map::new();
        let object = settings.as_object().unwrap_or(&empty);
        let known: Vec<_> = FIELDS.iter().map(|field| field.name).collect();
        let elsewhere = ["slug", "was", "name", "enabled", "bearer_token", "bearer_tokens", "push_authorization"];
        reader.only_keys_beside(object, "", &known, &elsewhere);
        if secrets == 0 {
            reader.complain("bearer_token", "is missing: without it nobody can ask for a stream, or poll");
        }
        let client = reader.text(object, "", "client");
        let events = events(&mut reader, object, client.is_some());
        let push_url = reader.text(object, "", "push_url");
        if let Some(url) = &push_url
            && let Err(why) = is_endpoint(url)
        {
            reader.complain("push_url", why);
        }
        use SignatureAlgorithm::{ES256, EdDSA, PS256, RS256};
        let algorithms = [RS256, PS256, ES256, EdDSA].map(|algorithm| (algorithm.name(), algorithm));
        let algorithm = reader.choice(object, "", "signed_response_alg", &algorithms).unwrap_or(RS256);
        let scim = scim(&mut reader, object);
        let audience = reader.text(object, "", "audience");
        reader.finish(Self { hears: Hears { client, events, scim }, audience, push_url, algorithm })
    }
}

fn events(reader: &mut Reader, object: &Map<String, Value>, has_client: bool) -> Vec<String> {
    let Some(named) = reader.texts(object, "", "events") else {
        let usual = |name: &str| name != IDENTIFIER_CHANGED && (has_client || name != CLAIMS_CHANGE);
        return EVENTS.iter().filter(|(name, _)| usual(name)).map(|(_, uri)| (*uri).to_owned()).collect();
    };
    let mut found = Vec::new();
    for (at, name) in named.iter().enumerate() {
        match EVENTS.iter().find(|(known, uri)| known == name || uri == name) {
            Some((_, uri)) => found.push((*uri).to_owned()),
            None => {
                let known = EVENTS.map(|(known, _)| known).join(", ");
                reader.complain(
                    &format!("events[{at}]"),
                    format!("`{name}` is no event that is sent; there are {known}"),
                );
            }
        }
    }
    found
}

fn scim(reader: &mut Reader, object: &Map<String, Value>) -> Option<ScimEvents> {
    let full = reader.choice(object, "", "scim", &[("notice", false), ("full", true)]);
    let attributes = reader.texts(object, "", "scim_attributes");
    if full == Some(true) && attributes.is_none() {
        reader.complain("scim_attributes", "is missing: with scim: full it says what may be told");
    }
    Some(ScimEvents { full: full?, attributes })
}

/// An address that can be posted to. Whether it may be, is for whoever posts.
///
/// # Errors
/// Why it can't.
pub fn is_endpoint(url: &str) -> Result<(), &'static str> {
    let Ok(url) = Url::parse(url) else { return Err("is not a URL") };
    if !matches!(url.scheme(), "https" | "http") {
        return Err("is not an https URL");
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err("has a user name, a password or a fragment");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    #[test]
    fn addresses_are_told_only_where_that_is_asked_for() {
        let names = |settings: Value| {
            let hears = Settings::parse(&settings, 1).unwrap().hears;
            hears.events.iter().map(|uri| uri.rsplit('/').next().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let all = names(json!({ "client": "portal" }));
        assert!(all.contains(&"token-claims-change".to_owned()) && !all.contains(&"identifier-changed".to_owned()));
        assert!(!names(json!({})).contains(&"token-claims-change".to_owned()));
        assert_eq!(names(json!({ "events": ["identifier-changed"] })), ["identifier-changed"]);
    }

    #[test]
    fn everything_that_is_wrong_is_said_at_once() {
        let settings = json!({
            "events": ["nope"], "push_url": "ftp://x", "signed_response_alg": "none", "more": 1, "scim": "full",
        });
        let found = Settings::parse(&settings, 0).unwrap_err();
        let paths: Vec<_> = found.iter().map(|complaint| complaint.path.as_str()).collect();
        for path in ["events[0]", "push_url", "signed_response_alg", "more", "bearer_token", "scim_attributes"] {
            assert!(paths.contains(&path), "{path}: {found:?}");
        }
        for bad in ["https://u@x/", "https://x/#f", "x"] {
            assert!(is_endpoint(bad).is_err(), "{bad}");
        }
    }
}
