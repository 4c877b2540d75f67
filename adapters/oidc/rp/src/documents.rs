//! How a provider's metadata changes over time: what boot may put in force by itself, and what waits.

use std::collections::BTreeMap;
use std::time::Duration;

use fedbridge_contract::documents::{Drift, DriftEffect, Examined, PartnerDocuments};
use fedbridge_contract::error::Complaint;
use fedbridge_contract::time::Timestamp;
use serde_json::Value;
use url::Url;

use crate::factory::OidcFactory;
use crate::metadata::{Keys, Provider};
use crate::settings::{GROUPS_API_TOKEN, Settings};

/// For this long after it was last confirmed, the metadata is better than none, as with the keys.
const OUTLASTS: Duration = Duration::from_secs(24 * 3600);

impl PartnerDocuments for OidcFactory {
    fn setting(&self) -> &'static str {
        "discovery"
    }

    /// At most half of [`outlasts`](Self::outlasts), so that a provider which is down for an hour while a look is due
    /// stops no login.
    fn life(&self) -> (Duration, Duration) {
        (Duration::from_secs(300), OUTLASTS / 2)
    }

    fn outlasts(&self) -> Option<Duration> {
        Some(OUTLASTS)
    }

    fn examine(
        &self,
        settings: &Value,
        before: Option<&str>,
        fetched: &str,
        _now: Timestamp,
    ) -> Result<Examined, Vec<Complaint>> {
        let settings = readable(settings)?;
        let after = Provider::read(&settings, Some(fetched))?;
        // Before the first look there is nothing to compare with.
        let before = before.filter(|text| !text.is_empty()).and_then(|text| Provider::read(&settings, Some(text)).ok());
        let drift = before.map_or_else(Vec::new, |before| drift(&settings, &before, &after));
        Ok(Examined { valid_until: None, cache: None, drift })
    }
}

/// The settings without what needs the secrets, which are elsewhere.
fn readable(settings: &Value) -> Result<Settings, Vec<Complaint>> {
    let secrets = ["client_secret", GROUPS_API_TOKEN].map(|name| (name.to_owned(), vec![b'-'; 64]));
    Settings::parse(settings, &BTreeMap::from(secrets))
}

/// What is different, in meaning.
fn drift(settings: &Settings, before: &Provider, after: &Provider) -> Vec<Drift> {
    let mut found = Vec::new();
    let (was, is) = (before.endpoints(), after.endpoints());
    let known = |host: &str| {
        let own = Url::parse(&settings.issuer).ok();
        own.is_some_and(|url| host_of(&url) == host)
            || settings.endpoint_hosts.iter().any(|known| known == host)
            || was.iter().any(|(_, url)| host_of(url) == host)
    };
    for (name, url) in &is {
        let earlier = was.iter().find(|(known, _)| known == name).map(|(_, url)| *url);
        if earlier == Some(url) {
            continue;
        }
        let (effect, what) = match (known(&host_of(url)), earlier) {
            (false, _) => (DriftEffect::Weakens, format!("endpoint host of {name}")),
            (true, None) => (DriftEffect::Adds, (*name).to_owned()),
            (true, Some(_)) => (DriftEffect::Neutral, (*name).to_owned()),
        };
        found.push(change(what, earlier.map(Url::as_str), Some(url.as_str()), effect));
    }
    for (name, url) in was.iter().filter(|(name, _)| !is.iter().any(|(there, _)| there == name)) {
        found.push(change((*name).to_owned(), Some(url.as_str()), None, DriftEffect::Removes));
    }
    if let (Keys::Given(_), Keys::At(_)) = (&before.keys, &after.keys) {
        found.push(change("keys".into(), Some("given"), Some("published"), DriftEffect::Weakens));
    }
    let s256 = |provider: &Provider| {
        provider.code_challenge_methods.as_ref().is_some_and(|methods| methods.iter().any(|method| method == "S256"))
    };
    let lost = [
        ("PKCE with S256", s256(before), s256(after)),
        ("iss in answers (RFC 9207)", before.names_itself, after.names_itself),
        (
            "pushed authorization requests are required",
            before.require_pushed_authorization_requests,
            after.require_pushed_authorization_requests,
        ),
    ];
    for (what, was, is) in lost {
        match (was, is) {
            (true, false) => found.push(change(what.into(), Some("yes"), Some("no"), DriftEffect::Weakens)),
            (false, true) => found.push(change(what.into(), Some("no"), Some("yes"), DriftEffect::Adds)),
            _ => {}
        }
    }
    found
}

/// The host with its port, where that is not the usual one.
fn host_of(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

fn change(what: String, before: Option<&str>, after: Option<&str>, effect: DriftEffect) -> Drift {
    Drift { what, before: before.map(str::to_owned), after: after.map(str::to_owned), effect }
}
