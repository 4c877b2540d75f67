//! Authorization requests (OpenID Connect Core 3.1.2.1): code flow, PKCE, state and nonce, always.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fedbridge_contract::error::ProtocolError;
use fedbridge_contract::services::random_text;
use fedbridge_contract::trace::TraceLog;
use fedbridge_contract::upstream::{Begun, Challenge, LoginWish, Start};
use fedbridge_oidc_core::hash::sha256;
use serde_json::json;
use url::Url;

use crate::metadata::Provider;
use crate::party::RelyingParty;
use crate::profiles::IssuerStyle;
use crate::settings::{PushedRequests, ResponseMode, Settings};
use crate::state::{NonceHash, RequestState};
use crate::{pushed, request_object};

/// The parameters of one request, in the order in which they are sent.
pub type Parameters = Vec<(String, String)>;

/// Makes the request, and what must be remembered until its answer.
pub async fn begin(party: &RelyingParty, start: &Start<'_>, trace: &mut TraceLog) -> Result<Begun, ProtocolError> {
    let provider = party.provider()?;
    let rng = party.services.rng.as_ref();
    // 32 octets each: 256 bits, where 128 are asked for.
    let (nonce, verifier) = (random_text::<32>(rng), random_text::<32>(rng));
    let secrets = Secrets { state: start.handle, nonce: &nonce, verifier: &verifier };
    let mut parameters = parameters(party, provider, start.wish, &secrets);
    let ours = |name: &str| parameters.iter().any(|(own, _)| own == name);
    let extra: Vec<_> = party.settings.extra_parameters.iter().filter(|(name, _)| !ours(name)).cloned().collect();
    parameters.extend(extra);
    trace.sent(start.now, "authorization request", facts(provider, &parameters));
    let carried = carried(party, provider, start, parameters, trace).await?;
    let location = with_query(&provider.authorization_endpoint, &carried);
    let forced = start.wish.force_authn.then_some(start.now);
    let state = RequestState {
        connection: party.connection,
        issuer: party.settings.issuer.clone(),
        redirect_uri: party.callback.clone(),
        nonce: NonceHash::of(&nonce),
        verifier,
        authenticated_after: forced,
        max_age: start.wish.max_age,
        acr: demanded_acr(&party.settings, start.wish).to_vec(),
    };
    Ok(Begun { challenge: Challenge::Redirect(location.into()), state: state.to_bytes() })
}

/// What the browser carries: the parameters themselves, or signed, or only a name for them.
async fn carried(
    party: &RelyingParty,
    provider: &Provider,
    start: &Start<'_>,
    parameters: Parameters,
    trace: &mut TraceLog,
) -> Result<Parameters, ProtocolError> {
    let failed = |cause: String| ProtocolError::new("server_error", "The login can't be started at the moment.", cause);
    let mut carried = parameters;
    if party.settings.signed_requests {
        carried = request_object::sign(party, start.tenant, &carried, start.now).map_err(failed)?;
    }
    match pushed::endpoint(&party.settings, provider) {
        Some(endpoint) => {
            let pushed = pushed::push(party, start.tenant, endpoint, &carried, start.now, trace).await;
            pushed.map_err(|_| failed(trace.cause().unwrap_or_else(|| "the request could not be pushed".into())))
        }
        None if party.settings.pushed_requests == PushedRequests::Required => {
            Err(failed("pushed_requests is required, and the provider has no endpoint for it".into()))
        }
        None => Ok(carried),
    }
}

struct Secrets<'a> {
    state: &'a str,
    nonce: &'a str,
    verifier: &'a str,
}

fn parameters(party: &RelyingParty, provider: &Provider, wish: &LoginWish, secrets: &Secrets<'_>) -> Parameters {
    let settings = &party.settings;
    let challenge = URL_SAFE_NO_PAD.encode(sha256(secrets.verifier.as_bytes()));
    let mut all: Vec<(&'static str, String)> = vec![
        ("response_type", "code".to_owned()),
        ("client_id", settings.client_id.clone()),
        ("redirect_uri", party.callback.clone()),
        ("scope", scope(settings)),
        ("state", secrets.state.to_owned()),
        ("nonce", secrets.nonce.to_owned()),
        ("code_challenge", challenge),
        ("code_challenge_method", "S256".to_owned()),
    ];
    if settings.response_mode == ResponseMode::FormPost {
        all.push(("response_mode", "form_post".to_owned()));
    }
    let prompt = prompt(settings, wish);
    if !prompt.is_empty() {
        all.push(("prompt", prompt));
    }
    if let Some(max_age) = max_age(settings, wish) {
        all.push(("max_age", max_age.to_string()));
    }
    if settings.pass_on.acr_values && !wish.acr_values.is_empty() {
        all.push(("acr_values", wish.acr_values.join(" ")));
        if wish.acr_required && provider.claims_parameter {
            let acr = json!({ "essential": true, "values": wish.acr_values });
            all.push(("claims", json!({ "id_token": { "acr": acr } }).to_string()));
        }
    }
    if settings.pass_on.login_hint
        && let Some(hint) = &wish.login_hint
    {
        all.push(("login_hint", hint.clone()));
    }
    if settings.pass_on.ui_locales
        && let Some(locales) = &wish.ui_locales
    {
        all.push(("ui_locales", locales.clone()));
    }
    if let Some(domain) = domain(settings, wish) {
        all.push((settings.profile.domain_parameter, domain));
    }
    if offline(settings) {
        let instead = settings.profile.offline_parameters.unwrap_or_default();
        all.extend(instead.iter().map(|(name, value)| (*name, (*value).to_owned())));
    }
    all.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

fn offline(settings: &Settings) -> bool {
    settings.scopes.iter().any(|scope| scope == "offline_access")
}

fn scope(settings: &Settings) -> String {
    let replaced = settings.profile.offline_parameters.is_some();
    let sent = settings.scopes.iter().filter(|scope| !(replaced && *scope == "offline_access"));
    sent.map(String::as_str).collect::<Vec<_>>().join(" ")
}

/// `none` stands alone (OpenID Connect Core 3.1.2.1), also where a consent page would be needed: then the
/// provider says so.
fn prompt(settings: &Settings, wish: &LoginWish) -> String {
    if wish.passive {
        return "none".to_owned();
    }
    let login = (settings.pass_on.prompt && wish.force_authn).then_some("login");
    let consent = (offline(settings) && settings.offline_prompt).then_some("consent");
    login.into_iter().chain(consent).collect::<Vec<_>>().join(" ")
}

/// With a fresh authentication `max_age=0` makes the provider say when that was.
fn max_age(settings: &Settings, wish: &LoginWish) -> Option<u64> {
    match wish.max_age {
        Some(age) if settings.pass_on.max_age => Some(if wish.force_authn { 0 } else { age }),
        _ => (settings.pass_on.prompt && wish.force_authn && !wish.passive).then_some(0),
    }
}

/// The authentication contexts of which one must come back. Where they are not passed on, the hub compares.
fn demanded_acr<'a>(settings: &Settings, wish: &'a LoginWish) -> &'a [String] {
    if settings.pass_on.acr_values && wish.acr_required { &wish.acr_values } else { &[] }
}

/// Google is told its one domain in any case: it then shows no page for other accounts. It is only a hint.
fn domain(settings: &Settings, wish: &LoginWish) -> Option<String> {
    let hint = wish.domain_hint.as_ref().filter(|_| settings.pass_on.domain_hint);
    if settings.profile.issuer != IssuerStyle::Google {
        return hint.cloned();
    }
    let wanted = hint.filter(|hint| settings.hosted_domains.iter().any(|domain| domain.eq_ignore_ascii_case(hint)));
    match (wanted, settings.hosted_domains.as_slice()) {
        (Some(domain), _) => Some(domain.clone()),
        (None, [only]) => Some(only.clone()),
        (None, _) => Some("*".to_owned()),
    }
}

/// An endpoint with parameters in its query. One that is there already stays (RFC 6749 section 3.1), unless it is one
/// of ours.
fn with_query(endpoint: &Url, parameters: &Parameters) -> Url {
    let ours = |name: &str| parameters.iter().any(|(own, _)| own == name);
    let kept: Vec<(String, String)> = endpoint.query_pairs().into_owned().filter(|(name, _)| !ours(name)).collect();
    let mut location = endpoint.clone();
    location.set_query(None);
    location.query_pairs_mut().extend_pairs(&kept).extend_pairs(parameters);
    location
}

/// What is asked for, without what must stay secret.
fn facts(provider: &Provider, parameters: &Parameters) -> Vec<(&'static str, String)> {
    let shown = [
        "response_type",
        "response_mode",
        "client_id",
        "redirect_uri",
        "scope",
        "code_challenge_method",
        "prompt",
        "max_age",
        "acr_values",
        "claims",
        "ui_locales",
        "hd",
        "domain_hint",
    ];
    let mut facts = vec![("endpoint", provider.authorization_endpoint.to_string())];
    let value = |name: &str| parameters.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone());
    facts.extend(shown.iter().filter_map(|name| Some((*name, value(name)?))));
    facts
}
