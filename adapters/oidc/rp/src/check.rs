//! Findings for `fedbridge check`: dates and plain facts, without any network.

use std::time::Duration;

use async_trait::async_trait;
use fedbridge_contract::config::Tenant;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::upstream::{Finding, Level, SelfCheck};

use crate::initiate::INITIATE_ROUTE;
use crate::logout::{BACK_CHANNEL_ROUTE, FRONT_CHANNEL_ROUTE, LOGGED_OUT_ROUTE, SIGNALS_ROUTE, TOKEN_REVOCATION_ROUTE};
use crate::metadata::Provider;
use crate::party::{CALLBACK_ROUTE, JWKS_ROUTE, RelyingParty, SharedParty};
use crate::settings::{AuthMethod, PushedRequests, TokenAlgorithm};

/// Days before its end on which a secret gets louder.
const SOON: Duration = Duration::from_secs(30 * 86_400);
const VERY_SOON: Duration = Duration::from_secs(3 * 86_400);

#[async_trait]
impl SelfCheck for SharedParty {
    async fn run(&self, tenant: &Tenant, now: Timestamp) -> Vec<Finding> {
        findings(&self.0, tenant, now)
    }
}

fn findings(party: &RelyingParty, tenant: &Tenant, now: Timestamp) -> Vec<Finding> {
    let mut found = Vec::new();
    match &party.provider {
        None => found.push(Finding::new(
            Level::Warning,
            format!("the metadata of {} was not read yet: logins wait for it", party.settings.issuer),
        )),
        Some(provider) => {
            found.push(fine(format!("provider {}, {}", provider.issuer, hosts(provider))));
            found.extend(against(party, provider));
        }
    }
    found.extend(addresses_to_register(party).into_iter().map(fine));
    found.extend(party.settings.client_secret_expires.map(|until| secret(until, now)));
    if party.settings.signs() && tenant.keys.client_signer(party.connection).is_none() {
        found.push(Finding::new(
            Level::Problem,
            "the connection has no key to sign with for the provider; `fedbridge apply` makes one",
        ));
    }
    if party.settings.algorithms.contains(&TokenAlgorithm::Hs256) {
        found.push(Finding::new(
            Level::Warning,
            "ID tokens under HS256 are accepted: whoever knows the client_secret can log in as anybody",
        ));
    }
    found
}

/// What an administrator enters at the provider, as far as the connection uses it. What the provider offers for logout
/// is known with its metadata.
fn addresses_to_register(party: &RelyingParty) -> Vec<String> {
    let settings = &party.settings;
    let offers = |offered: fn(&Provider) -> bool| party.provider.as_ref().is_some_and(offered);
    let told = settings.logout && offers(|provider| provider.end_session_endpoint.is_some());
    let back_channel = offers(|provider| provider.backchannel_logout);
    let front_channel = offers(|provider| provider.frontchannel_logout) && !back_channel;
    [
        (true, "redirect URI", CALLBACK_ROUTE),
        (told, "post-logout redirect URI", LOGGED_OUT_ROUTE),
        (back_channel, "back-channel logout URI", BACK_CHANNEL_ROUTE),
        (front_channel, "front-channel logout URI", FRONT_CHANNEL_ROUTE),
        (settings.signs(), "key set (jwks_uri)", JWKS_ROUTE),
        (settings.initiate_login.is_some(), "login initiation URI", INITIATE_ROUTE),
        (settings.global_token_revocation.is_some(), "global token revocation endpoint", TOKEN_REVOCATION_ROUTE),
        (settings.signals.is_some(), "receiver of security events", SIGNALS_ROUTE),
    ]
    .into_iter()
    .filter(|(used, ..)| *used)
    .map(|(_, what, route)| format!("register the {what} {}/{route}", party.address))
    .collect()
}

fn hosts(provider: &Provider) -> String {
    let mut hosts: Vec<_> = provider.endpoints().iter().filter_map(|(_, url)| url.host_str()).collect();
    hosts.sort_unstable();
    hosts.dedup();
    format!("endpoints at {}", hosts.join(", "))
}

/// What the provider says of itself that does not go with the settings.
fn against(party: &RelyingParty, provider: &Provider) -> Vec<Finding> {
    let settings = &party.settings;
    let mut found = Vec::new();
    let mut say = |level, text: String| found.push(Finding::new(level, text));
    let lacks = |listed: &Option<Vec<String>>, word: &str| {
        listed.as_ref().is_some_and(|listed| !listed.iter().any(|there| there == word))
    };
    if lacks(&provider.auth_methods, settings.auth_method.name()) {
        let name = settings.auth_method.name();
        say(Level::Warning, format!("the provider does not offer {name}, which this connection uses"));
    }
    if settings.auth_method != AuthMethod::PrivateKeyJwt && !lacks(&provider.auth_methods, "private_key_jwt") {
        let offered = provider.auth_methods.is_some();
        if offered {
            say(Level::Advice, "the provider offers private_key_jwt, which needs no shared secret".into());
        }
    }
    if lacks(&provider.code_challenge_methods, "S256") {
        say(Level::Warning, "the provider does not list PKCE with S256; it is sent all the same".into());
    }
    let common = settings.algorithms.iter().any(|algorithm| !lacks(&provider.algorithms, algorithm.name()));
    if !common {
        say(Level::Problem, "the provider signs ID tokens with no algorithm that this connection accepts".into());
    }
    if settings.pushed_requests == PushedRequests::Required && provider.pushed_authorization_request_endpoint.is_none()
    {
        say(Level::Problem, "pushed_requests is required, and the provider has no endpoint for it".into());
    }
    if settings.pushed_requests == PushedRequests::Off && provider.require_pushed_authorization_requests {
        say(Level::Problem, "the provider requires pushed requests, and pushed_requests is off".into());
    }
    if settings.logout && provider.end_session_endpoint.is_none() {
        say(Level::Fine, "the provider has no end_session_endpoint: it is not told when a session ends".into());
    }
    found
}

fn secret(until: Timestamp, now: Timestamp) -> Finding {
    let at = until.rfc3339();
    let finding = if now >= until {
        Finding::new(Level::Problem, format!("the client_secret expired on {at}"))
    } else if now + VERY_SOON >= until {
        Finding::new(Level::Problem, format!("the client_secret expires on {at}: logins will fail then"))
    } else if now + SOON >= until {
        Finding::new(Level::Warning, format!("the client_secret expires on {at}; give a second one in client_secrets"))
    } else {
        fine(format!("the client_secret is valid until {at}"))
    };
    finding.ending("client_secret", until)
}

fn fine(text: String) -> Finding {
    Finding::new(Level::Fine, text)
}
