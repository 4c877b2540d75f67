//! Single settings and what they may be.

use std::collections::BTreeMap;
use std::time::Duration;

use fedbridge_contract::config::AppKind;
use fedbridge_contract::keys::SignatureAlgorithm;
use fedbridge_contract::loopback::is_https_or_loopback;
use fedbridge_oidc_core::settings_reader::Reader;
use serde_json::{Map, Value};
use url::Url;

use super::{
    Discovery, GROUPS_API_TOKEN, GlobalTokenRevocation, Groups, InitiateLogin, OnOverage, PassOn,
    SIGNALS_AUTHORIZATION, Signals, TokenAlgorithm,
};
use crate::metadata::{MEMBERS, web_address};
use crate::profiles::{IssuerStyle, PROFILES, Profile};

/// The default and the largest clock skew.
const DEFAULT_SKEW: Duration = Duration::from_secs(60);
const MAX_SKEW: Duration = Duration::from_secs(120);

/// The fewest characters of a client's secret.
const SHORTEST_SECRET: usize = 32;

/// Where a provider publishes its metadata (OpenID Connect Discovery 4).
const WELL_KNOWN: &str = "/.well-known/openid-configuration";

/// Parameters of the authorization request that only the protocol sets.
const PROTOCOL_PARAMETERS: &[&str] = &[
    "response_type",
    "response_mode",
    "client_id",
    "client_assertion",
    "client_assertion_type",
    "client_secret",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "request",
    "request_uri",
    "prompt",
    "max_age",
    "acr_values",
    "login_hint",
    "id_token_hint",
    "claims",
];

pub(super) fn profile(reader: &mut Reader<'_>) -> &'static Profile {
    let choices: Vec<_> = PROFILES.iter().map(|profile| (profile.name, profile)).collect();
    reader.choice("profile", &choices).unwrap_or(&PROFILES[0])
}

pub(super) fn required(reader: &mut Reader<'_>, key: &'static str) -> String {
    let present = reader.take(key).is_some();
    match reader.text(key) {
        Some(text) if !text.trim().is_empty() => text.to_owned(),
        Some(_) => {
            reader.complain(key, "is empty");
            String::new()
        }
        None => {
            if !present {
                reader.complain(key, "is missing");
            }
            String::new()
        }
    }
}

pub(super) fn issuer(reader: &mut Reader<'_>) -> String {
    let issuer = required(reader, "issuer");
    if issuer.is_empty() {
        return issuer;
    }
    // The braces of `{tenantid}` are no part of an address.
    let shape = issuer.replace(['{', '}'], "");
    match web_address(&shape) {
        Err(why) => reader.complain("issuer", why),
        Ok(url) if url.query().is_some() || url.fragment().is_some() => {
            reader.complain("issuer", "has no query and no fragment (OpenID Connect Discovery 3)");
        }
        Ok(_) => {}
    }
    issuer
}

/// How long the shortest secret is; `None` where there is none.
pub(super) fn secrets(reader: &mut Reader<'_>, secrets: &BTreeMap<String, Vec<u8>>) -> Option<usize> {
    // The values are sealed elsewhere; the keys themselves never stand in the settings.
    let _ = (reader.take("client_secret"), reader.take("client_secrets"));
    let lengths = secrets.iter().filter(|(name, _)| name.starts_with("client_secret"));
    let shortest = lengths.map(|(_, secret)| String::from_utf8_lossy(secret).chars().count()).min()?;
    if shortest < SHORTEST_SECRET {
        let message = format!("the secret has {shortest} characters and needs at least {SHORTEST_SECRET}");
        reader.complain("client_secret", message);
    }
    Some(shortest)
}

/// A list of texts, none of them empty.
pub(super) fn texts(reader: &mut Reader<'_>, key: &'static str) -> Vec<String> {
    let mut out = Vec::new();
    for (place, text) in reader.texts(key).unwrap_or_default() {
        if text.trim().is_empty() {
            reader.complain(&place, "is empty");
        }
        out.push(text.to_owned());
    }
    out
}

pub(super) fn scopes(reader: &mut Reader<'_>) -> Vec<String> {
    const KEY: &str = "scopes";
    if reader.take(KEY).is_none() {
        return ["openid", "profile", "email"].map(str::to_owned).to_vec();
    }
    let scopes = texts(reader, KEY);
    // RFC 6749 section 3.3.
    let token = |scope: &String| scope.bytes().all(|octet| matches!(octet, 0x21 | 0x23..=0x5b | 0x5d..=0x7e));
    if let Some(bad) = scopes.iter().find(|scope| !token(scope)) {
        reader.complain(KEY, format!("`{bad}` can't be a scope: it has a space or a sign that is not allowed"));
    }
    if !scopes.iter().any(|scope| scope == "openid") {
        reader.complain(KEY, "openid must be among them: without it no ID token comes");
    }
    scopes
}

pub(super) fn extra_parameters(reader: &mut Reader<'_>) -> Vec<(String, String)> {
    const KEY: &str = "extra_parameters";
    let mut out = Vec::new();
    for (name, value) in reader.text_map(KEY).unwrap_or_default() {
        if name.is_empty() || PROTOCOL_PARAMETERS.contains(&name) {
            let message = "is a parameter of the protocol itself, which is not set here";
            reader.complain(&format!("{KEY}.{name}"), message);
        }
        out.push((name.to_owned(), value.to_owned()));
    }
    out
}

pub(super) fn pass_on(reader: &mut Reader<'_>) -> PassOn {
    const KEY: &str = "pass_on";
    let Some(named) = reader.texts(KEY) else {
        return PassOn {
            prompt: true,
            max_age: true,
            acr_values: true,
            login_hint: true,
            ui_locales: true,
            domain_hint: true,
        };
    };
    let mut pass_on = PassOn {
        prompt: false,
        max_age: false,
        acr_values: false,
        login_hint: false,
        ui_locales: false,
        domain_hint: false,
    };
    for (place, name) in named {
        match name {
            "prompt" => pass_on.prompt = true,
            "max_age" => pass_on.max_age = true,
            "acr_values" => pass_on.acr_values = true,
            "login_hint" => pass_on.login_hint = true,
            "ui_locales" => pass_on.ui_locales = true,
            "domain_hint" => pass_on.domain_hint = true,
            _ => {
                let message = "expected prompt, max_age, acr_values, login_hint, ui_locales or domain_hint";
                reader.complain(&place, message);
            }
        }
    }
    pass_on
}

pub(super) fn algorithms(reader: &mut Reader<'_>, shortest_secret: Option<usize>) -> Vec<TokenAlgorithm> {
    const KEY: &str = "id_token_signing_algs";
    let signatures =
        [SignatureAlgorithm::RS256, SignatureAlgorithm::PS256, SignatureAlgorithm::ES256, SignatureAlgorithm::EdDSA];
    let Some(named) = reader.texts(KEY) else { return signatures.map(TokenAlgorithm::Signature).to_vec() };
    if named.is_empty() {
        reader.complain(KEY, "names no algorithm, so no ID token could ever be taken");
    }
    let mut algorithms = Vec::new();
    for (place, name) in named {
        match SignatureAlgorithm::from_name(name) {
            Some(algorithm) => algorithms.push(TokenAlgorithm::Signature(algorithm)),
            None if name == "HS256" => {
                if shortest_secret.is_none_or(|length| length < SHORTEST_SECRET) {
                    reader.complain(&place, "HS256 needs a client_secret of 32 characters or more");
                }
                algorithms.push(TokenAlgorithm::Hs256);
            }
            None => reader.complain(&place, "expected RS256, PS256, ES256, EdDSA or HS256"),
        }
    }
    algorithms
}

pub(super) fn skew(reader: &mut Reader<'_>) -> Duration {
    reader.duration("clock_skew", Duration::ZERO, MAX_SKEW).unwrap_or(DEFAULT_SKEW)
}

/// `auto`, `off`, an address, or what boot makes of these: the address, and the document that is in force under the one
/// name `xml` that all documents of partners have there, though this one is JSON.
pub(super) fn discovery(reader: &mut Reader<'_>, issuer: &str) -> Discovery {
    const KEY: &str = "discovery";
    let at = |url: &str, text: Option<&str>| Discovery::At { url: url.to_owned(), text: text.map(str::to_owned) };
    let discovery = match reader.take(KEY) {
        Some(Value::Object(_)) => {
            let Some(mut inner) = reader.object(KEY) else { return Discovery::Off };
            let (url, text) = (inner.text("url"), inner.text("xml"));
            let _ = inner.take("refresh");
            if url.is_none() {
                inner.complain("url", "is missing");
            }
            reader.absorb(inner.finish(&[]));
            at(url.unwrap_or_default(), text)
        }
        None => at(&well_known(issuer), None),
        Some(Value::String(word)) if word == "auto" => at(&well_known(issuer), None),
        Some(Value::String(word)) if word == "off" => Discovery::Off,
        Some(_) => at(reader.text(KEY).unwrap_or_default(), None),
    };
    // The usual address is as good as the issuer, which was judged already.
    if let Discovery::At { url, .. } = &discovery
        && *url != well_known(issuer)
        && let Err(why) = web_address(url)
    {
        reader.complain(KEY, why);
    }
    discovery
}

/// Where the metadata of an issuer is. Of an issuer of many directories: that of all organizations.
fn well_known(issuer: &str) -> String {
    format!("{}{WELL_KNOWN}", issuer.replace("{tenantid}", "organizations").trim_end_matches('/'))
}

pub(super) fn metadata(reader: &mut Reader<'_>, discovery: &Discovery) -> Map<String, Value> {
    const KEY: &str = "metadata";
    let Some(value) = reader.take(KEY) else {
        if *discovery == Discovery::Off {
            reader.complain(KEY, "is missing; with discovery: off it has all that is known of the provider");
        }
        return Map::new();
    };
    let Some(mut inner) = reader.object(KEY) else { return Map::new() };
    let given = value.as_object().cloned().unwrap_or_default();
    for (name, kind) in MEMBERS {
        let Some(value) = inner.take(name) else { continue };
        if let Err(why) = kind.accepts(value) {
            inner.complain(name, why);
        }
    }
    if *discovery == Discovery::Off {
        for name in ["authorization_endpoint", "token_endpoint"] {
            if !given.contains_key(name) {
                inner.complain(name, "is missing, and discovery is off");
            }
        }
        if !given.contains_key("jwks_uri") && !given.contains_key("jwks") {
            inner.complain("jwks_uri", "is missing, and so is jwks; discovery is off");
        }
    }
    reader.absorb(inner.finish(&[]));
    given
}

pub(super) fn endpoint_hosts(reader: &mut Reader<'_>, profile: &Profile) -> Vec<String> {
    let mut hosts = texts(reader, "endpoint_hosts");
    hosts.iter_mut().for_each(|host| host.make_ascii_lowercase());
    hosts.extend(profile.endpoint_hosts.iter().map(|host| (*host).to_owned()));
    hosts
}

pub(super) fn subject(reader: &mut Reader<'_>, profile: &Profile) -> Vec<String> {
    let default = || profile.subject.iter().map(|claim| (*claim).to_owned()).collect();
    let Some(mut inner) = reader.object("subject") else { return default() };
    let mut from = texts(&mut inner, "from");
    from.dedup();
    if from.is_empty() {
        inner.complain("from", "names no claim; leave subject out, or name the claims that make the key");
    }
    // Whoever changes an address or a user name at the provider would take somebody else's account over.
    let unstable = ["email", "preferred_username", "unique_name", "name"];
    // In Microsoft Entra ID user principal names are renamed and given out again; ADFS has nothing better.
    let renamed = |claim: &str| claim == "upn" && profile.issuer == IssuerStyle::Entra;
    if let Some(bad) = from.iter().find(|claim| unstable.contains(&claim.as_str()) || renamed(claim)) {
        inner.complain("from", format!("`{bad}` can change hands, so it can't be a person's key"));
    }
    reader.absorb(inner.finish(&[]));
    from
}

/// What tells people of one directory apart may be somebody else's in another one.
pub(super) fn subject_of_many(reader: &mut Reader<'_>, subject: &[String], tenants: &[String], issuer: &str) {
    if is_of_many(issuer) && tenants.len() > 1 && !subject.is_empty() && !subject.iter().any(|claim| claim == "tid") {
        let message = "tells people of one directory apart, and this connection takes several: add tid";
        reader.complain("subject.from", message);
    }
}

pub(super) fn tenants(reader: &mut Reader<'_>, profile: &Profile, issuer: &str) -> Vec<String> {
    const KEY: &str = "tenants";
    let tenants = texts(reader, KEY);
    if profile.issuer != IssuerStyle::Entra {
        if !tenants.is_empty() {
            reader.complain(KEY, "is a setting of profile: entra");
        }
        return tenants;
    }
    for (at, tenant) in tenants.iter().enumerate() {
        if !is_guid(tenant) {
            reader.complain(
                &format!("{KEY}[{at}]"),
                "is not the ID of a directory, such as 00000000-0000-0000-0000-000000000000",
            );
        }
    }
    if tenants.is_empty() && is_of_many(issuer) {
        reader.complain(KEY, "is missing: people of every directory in the world could log in at this issuer");
    }
    tenants.iter().map(|tenant| tenant.to_ascii_lowercase()).collect()
}

/// Whether an issuer of Microsoft Entra ID stands for many directories.
pub(crate) fn is_of_many(issuer: &str) -> bool {
    ["/common/", "/organizations/", "/consumers/", "/{tenantid}/"].iter().any(|part| issuer.contains(part))
}

pub(crate) fn is_guid(text: &str) -> bool {
    let groups: Vec<_> = text.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12] && text.bytes().all(|octet| octet == b'-' || octet.is_ascii_hexdigit())
}

pub(super) fn hosted_domains(reader: &mut Reader<'_>, profile: &Profile) -> Vec<String> {
    const KEY: &str = "hosted_domains";
    let domains: Vec<_> = texts(reader, KEY).iter().map(|domain| domain.to_ascii_lowercase()).collect();
    match profile.issuer {
        IssuerStyle::Google if domains.is_empty() => {
            reader.complain(KEY, "is missing: everybody with a Google account could log in");
        }
        IssuerStyle::Exact | IssuerStyle::Entra if !domains.is_empty() => {
            reader.complain(KEY, "is a setting of profile: google");
        }
        _ => {}
    }
    domains
}

/// `api_token`: there is a token for Okta's Users API.
pub(super) fn groups(reader: &mut Reader<'_>, profile: &Profile, api_token: bool) -> Groups {
    // The value is sealed elsewhere.
    let _ = reader.take(GROUPS_API_TOKEN);
    let mut groups = Groups { claim: "groups".into(), cap: profile.groups_cap, on_overage: OnOverage::Refuse };
    let Some(mut inner) = reader.object("groups") else { return groups };
    if let Some(claim) = inner.text("claim") {
        claim.clone_into(&mut groups.claim);
        if claim.is_empty() {
            inner.complain("claim", "is empty");
        }
    }
    if let Some(cap) = inner.take("cap") {
        match cap.as_u64().and_then(|cap| usize::try_from(cap).ok()).filter(|cap| *cap > 0) {
            Some(cap) => groups.cap = Some(cap),
            None => inner.complain("cap", "expected a number of groups, 1 or more"),
        }
    }
    let apis = PROFILES.iter().filter_map(|profile| profile.groups_api);
    let words: Vec<_> = [("refuse", OnOverage::Refuse), ("keep", OnOverage::Keep)].into_iter().chain(apis).collect();
    if let Some(chosen) = inner.choice("on_overage", &words) {
        groups.on_overage = chosen;
        let of = PROFILES.iter().find(|profile| profile.groups_api.is_some_and(|(_, api)| api == chosen));
        match of {
            Some(of) if of.name != profile.name => {
                inner.complain("on_overage", format!("is a choice of profile: {}", of.name));
            }
            _ if chosen == OnOverage::Okta && !api_token => {
                inner.complain(
                    "on_overage",
                    format!("api needs a {GROUPS_API_TOKEN} of an Okta administrator who may read users and groups"),
                );
            }
            _ => {}
        }
    }
    reader.absorb(inner.finish(&[]));
    groups
}

pub(super) fn global_token_revocation(reader: &mut Reader<'_>) -> Option<GlobalTokenRevocation> {
    let mut inner = reader.object("global_token_revocation")?;
    let (issuer, jwks_uri) = (required(&mut inner, "issuer"), required(&mut inner, "jwks_uri"));
    if !jwks_uri.is_empty()
        && let Err(why) = web_address(&jwks_uri)
    {
        inner.complain("jwks_uri", why);
    }
    reader.absorb(inner.finish(&[]));
    Some(GlobalTokenRevocation { issuer, jwks_uri })
}

pub(super) fn signals(reader: &mut Reader<'_>) -> Option<Signals> {
    // The value is sealed elsewhere.
    let _ = reader.take(SIGNALS_AUTHORIZATION);
    let mut inner = reader.object("signals")?;
    let (issuer, jwks_uri) = (required(&mut inner, "issuer"), required(&mut inner, "jwks_uri"));
    let audience = required(&mut inner, "audience");
    if !jwks_uri.is_empty()
        && let Err(why) = web_address(&jwks_uri)
    {
        inner.complain("jwks_uri", why);
    }
    reader.absorb(inner.finish(&[]));
    Some(Signals { issuer, jwks_uri, audience })
}

pub(super) fn initiate_login(reader: &mut Reader<'_>) -> Option<InitiateLogin> {
    let mut inner = reader.object("initiate_login")?;
    let targets = texts(&mut inner, "targets");
    for (at, target) in targets.iter().enumerate() {
        let absolute = Url::parse(target).is_ok_and(|url| is_https_or_loopback(&url));
        if !absolute {
            inner.complain(&format!("targets[{at}]"), "is not an https address");
        }
    }
    let app = match (inner.text("client"), inner.text("service_provider")) {
        (Some(client), None) => Some((AppKind::OidcClient, client.to_owned())),
        (None, Some(provider)) => Some((AppKind::SamlSp, provider.to_owned())),
        _ => {
            inner.complain("client", "name the app that is started: one of client and service_provider");
            None
        }
    };
    reader.absorb(inner.finish(&[]));
    Some(InitiateLogin { targets, app: app? })
}
