//! The authorization endpoint (RFC 6749 section 4.1.1, OpenID Connect Core 3.1.2).
//!
//! First the client and its redirect address: until both are known to be good, a
//! failure is a page. From then on a failure goes back to the app.

use std::sync::Arc;

use fedbridge_contract::config::{App, AppKind};
use fedbridge_contract::downstream::{Accepted, ConnectionHints, ConsentWish, LoginRequest};
use fedbridge_contract::http::{Method, Reply};
use fedbridge_contract::logout::Party;
use fedbridge_contract::page::{ErrorPage, Page};
use fedbridge_contract::services::GateRefusal;
use fedbridge_contract::trace::Outcome;
use fedbridge_contract::upstream::LoginWish;
use fedbridge_oidc_core::pkce;

use super::answer;
use super::authorize_claims::{ClaimsParameter, EssentialAcr};
use super::exchange::Exchange;
use super::id_token::verify_hint;
use super::memory::{Destination, GrantMemory, Pending, ResponseMode};
use super::params::Params;
use super::prompt::Prompt;
use super::redirect_uri::is_anybodys;
use super::remote::Remote;
use super::settings::{ClientSettings, GrantType, Pkce};

/// Octets of a whole request, the same for both methods.
const MAX_REQUEST: usize = 32 * 1024;

/// Octets of one value that is kept or sent on.
const MAX_VALUE: usize = 4 * 1024;

/// Values that are kept with the login, or sent on to the app or the upstream.
const KEPT: &[&str] =
    &["state", "nonce", "login_hint", "domain_hint", "connection", "idp_hint", "ui_locales", "acr_values"];

/// A failure that only a page can tell, because no address is known to be the app's.
struct PageError {
    status: u16,
    sentence: &'static str,
    cause: String,
}

/// A failure that the app is told (RFC 6749 section 4.1.2.1).
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) code: &'static str,
    pub(crate) public: String,
}

impl Refused {
    pub(crate) fn new(code: &'static str, public: impl Into<String>) -> Self {
        Self { code, public: public.into() }
    }

    pub(crate) fn invalid(public: impl Into<String>) -> Self {
        Self::new("invalid_request", public)
    }
}

pub(crate) async fn handle(mut exchange: Exchange<'_>, remote: &Remote) -> Accepted {
    let input = exchange.input;
    let size = if input.method == Method::Post { input.body.len() } else { input.query.len() };
    if size > MAX_REQUEST {
        let cause = format!("the request has {size} octets; {MAX_REQUEST} are the most");
        let sentence = "The app's request is too large, so the login can't start.";
        return on_page(exchange, &Params::new(Vec::new()), PageError { status: 413, sentence, cause });
    }
    let list = if input.method == Method::Post { input.form_params() } else { input.query_params() };
    let params = Params::new(list);
    record_request(&mut exchange, &params);
    let (app, settings, destination) = match identify(&mut exchange, remote, &params).await {
        Ok(known) => known,
        Err(error) => return on_page(exchange, &params, error),
    };
    match examine(&mut exchange, &app, &settings, &params, destination.clone()) {
        Ok(login) => Accepted::Login(Box::new(login)),
        Err(Refused { code, public }) => {
            let reply = answer::error(&exchange.tenant.issuer, &destination, code, &public, exchange.trace_id);
            exchange.record_refusal("authorize", code, Outcome::Refused, public);
            Accepted::Reply(reply)
        }
    }
}

fn on_page(exchange: Exchange<'_>, params: &Params, error: PageError) -> Accepted {
    let locale = exchange.tenant.locale(params.get("ui_locales"));
    let page = Page::Error(ErrorPage {
        status: error.status,
        tenant: Some(exchange.tenant.display_name.clone()),
        sentence: error.sentence.to_owned(),
        trace: Some(exchange.trace_id),
        way_back: None,
    });
    exchange.record_refusal("authorize", "invalid_request", Outcome::Refused, error.cause);
    Accepted::Reply(Reply::page(page).in_language(locale))
}

/// The request as it came, without what only the app and we need to know.
fn record_request(exchange: &mut Exchange<'_>, params: &Params) {
    const SHOWN: &[&str] = &[
        "client_id",
        "redirect_uri",
        "response_type",
        "response_mode",
        "scope",
        "prompt",
        "max_age",
        "acr_values",
        "claims",
        "login_hint",
        "ui_locales",
        "connection",
        "idp_hint",
        "domain_hint",
        "code_challenge_method",
    ];
    // Each once, however often it came.
    let facts = SHOWN.iter().filter_map(|name| params.first(name).map(|value| (*name, value.to_owned())));
    exchange.trace.received(exchange.now, "authorization request", false, facts.collect());
}

// ---- who asks, and where the answer goes ----

async fn identify(
    exchange: &mut Exchange<'_>,
    remote: &Remote,
    params: &Params,
) -> Result<(Arc<App>, Arc<ClientSettings>, Destination), PageError> {
    let page = |sentence: &'static str, cause: String| PageError { status: 400, sentence, cause };
    let name = params.get("client_id").ok_or_else(|| {
        page("The app did not say who it is, so the login can't start.", "client_id is missing or came twice".into())
    })?;
    let app = exchange.tenant.app(AppKind::OidcClient, name).cloned();
    let expected = "a client of this tenant";
    exchange.trace.check("client_id", "RFC 6749 4.1.2.1", expected, name, app.is_some());
    let app = app.ok_or_else(|| {
        page("This app is not registered here, so the login can't start.", "unknown client_id".into())
    })?;
    exchange.app = Some(app.id);
    let settings = ClientSettings::of(&app).map_err(|_| PageError {
        status: 500,
        sentence: "The app's settings can't be read here. Please tell an administrator.",
        cause: "the stored settings of the client do not read any more".into(),
    })?;
    let uri = params.get("redirect_uri").ok_or_else(|| {
        page("The app did not say where to go after the login.", "redirect_uri is missing or came twice".into())
    })?;
    let registered = settings.has_redirect_uri(uri);
    let expected = "one of the registered redirect_uris, octet by octet";
    if !exchange.trace.check("redirect_uri", "RFC 9700 4.1.3", expected, uri, registered) {
        let sentence = "The app asked to return to an address that is not registered for it.";
        return Err(page(sentence, "redirect_uri is not registered".into()));
    }
    check_sector(exchange, remote, &app, &settings).await?;
    if let Err(refusal) = exchange.services.gate.app(exchange.tenant, &app).await {
        exchange.trace.decide("gate", refusal.to_string(), false);
        let sentence = "This app can't be used for logins at the moment.";
        let status = if refusal == GateRefusal::Unsure { 503 } else { 403 };
        return Err(PageError { status, sentence, cause: refusal.to_string() });
    }
    let mode = match params.get("response_mode") {
        Some("form_post") => ResponseMode::FormPost,
        _ => ResponseMode::Query,
    };
    // One that is too long is refused, and not sent back either.
    let state = params.get("state").filter(|state| state.len() <= MAX_VALUE).map(str::to_owned);
    Ok((app, settings, Destination { redirect_uri: uri.to_owned(), mode, state }))
}

/// The list at a sector_identifier_uri must hold every redirect address (OpenID Connect Core 8.1).
async fn check_sector(
    exchange: &mut Exchange<'_>,
    remote: &Remote,
    app: &App,
    settings: &ClientSettings,
) -> Result<(), PageError> {
    let Some(url) = &settings.sector_identifier_uri else { return Ok(()) };
    let missing =
        |list: &[String]| settings.redirect_uris.iter().any(|uri| list.iter().all(|there| there != uri.text()));
    let egress = exchange.services.egress_to(exchange.tenant, Party::App(app.id));
    let listed = remote.sector(egress.as_ref(), url, exchange.now, |list| !missing(list)).await;
    let cause = match listed {
        Ok(list) if !missing(&list) => return Ok(()),
        Ok(_) => "the sector_identifier_uri does not list every redirect_uri".to_owned(),
        Err(cause) => cause,
    };
    exchange.trace.decide("sector_identifier_uri (OpenID Connect Core 8.1)", cause.clone(), false);
    let sentence = "The app's redirect_uris could not be confirmed. Its administrator should check that the list at \
                    the app's sector_identifier_uri can be read and has all of them.";
    Err(PageError { status: 400, sentence, cause })
}

// ---- the request itself ----

fn examine(
    exchange: &mut Exchange<'_>,
    app: &App,
    settings: &ClientSettings,
    params: &Params,
    destination: Destination,
) -> Result<LoginRequest, Refused> {
    if let Some(trouble) = params.trouble() {
        return Err(Refused::invalid(trouble));
    }
    check_form(settings, params)?;
    let code_challenge = code_challenge(settings, params)?;
    let scope = scope(settings, params.words("scope").map_err(Refused::invalid)?)?;
    check_key(exchange, settings, &scope)?;
    let prompts = params.words("prompt").map_err(Refused::invalid)?.unwrap_or_default();
    let prompt = Prompt::read(&prompts)?;
    let max_age = max_age(settings, params.get("max_age"))?;
    let asked = match params.get("claims") {
        Some(text) => ClaimsParameter::read(text)?,
        None => ClaimsParameter::default(),
    };
    let expected_sub = expected_sub(exchange, app, params.get("id_token_hint"), asked.sub)?;
    let EssentialAcr { one_of: essential_acr } = asked.essential_acr;
    let mut acr_values = params.words("acr_values").map_err(Refused::invalid)?.unwrap_or_default();
    if acr_values.is_empty() {
        acr_values = if essential_acr.is_empty() { asked.acr_values } else { essential_acr.clone() };
    }
    let login_hint = params.get("login_hint").map(str::to_owned);
    let wish = LoginWish {
        force_authn: prompt.login || max_age == Some(0),
        passive: prompt.none,
        max_age,
        acr_values,
        acr_required: false, // `finish` looks at the essential ones.
        proxy_count: None,
        requesters: vec![app.name.clone()],
        login_hint: login_hint.clone(),
        domain_hint: params.get("domain_hint").map(str::to_owned),
        ui_locales: params.get("ui_locales").map(str::to_owned),
    };
    let hints = ConnectionHints {
        connection: connection(params)?,
        login_hint,
        domain_hint: params.get("domain_hint").map(str::to_owned),
    };
    let memory = GrantMemory {
        redirect_uri: destination.redirect_uri.clone(),
        nonce: params.get("nonce").map(str::to_owned),
        code_challenge,
        requested_claims: asked.names.clone(),
    };
    let pending = Pending { app: app.id, destination, essential_acr, memory };
    let continuation = serde_json::to_vec(&pending)
        .map_err(|_| Refused::new("server_error", "Something went wrong here. Please try again."))?;
    let again = again(&exchange.tenant.issuer, params, &prompts);
    Ok(LoginRequest {
        app: app.id,
        wish,
        hints,
        scope,
        requested_claims: asked.names,
        expected_sub,
        choose: prompt.select_account,
        consent: consent(settings, &pending.destination.redirect_uri, prompt.consent),
        retry: Some(again.clone()),
        again,
        once: Vec::new(),
        continuation,
    })
}

/// Whether the person is asked. An app that is only remembered must be one that nobody else can pretend to be
/// (RFC 8252 section 8.6); what the company says of its own app holds.
fn consent(settings: &ClientSettings, redirect_uri: &str, prompted: bool) -> ConsentWish {
    let unsure = settings.is_public() && is_anybodys(redirect_uri);
    match settings.consent {
        _ if prompted => ConsentWish::Always,
        ConsentWish::Remembered if unsure => ConsentWish::Always,
        setting => setting,
    }
}

/// What can be said of the request without looking at values that depend on each other.
fn check_form(settings: &ClientSettings, params: &Params) -> Result<(), Refused> {
    if let Some(name) = params.longer_than(MAX_VALUE, KEPT) {
        return Err(Refused::invalid(format!("The parameter {name} is longer than {MAX_VALUE} octets.")));
    }
    if params.has("request") {
        return Err(Refused::new("request_not_supported", "Request objects are not supported; send plain parameters."));
    }
    if params.has("request_uri") {
        return Err(Refused::new("request_uri_not_supported", "request_uri is not supported; send plain parameters."));
    }
    match params.get("response_type") {
        Some("code") => {}
        None => return Err(Refused::invalid("response_type is missing; it must be code.")),
        Some(_) => return Err(Refused::new("unsupported_response_type", "The response_type must be code.")),
    }
    if !matches!(params.get("response_mode"), None | Some("query" | "form_post")) {
        return Err(Refused::invalid("The response_mode must be query or form_post."));
    }
    if !settings.may_use(GrantType::AuthorizationCode) {
        let public = "This client may not log people in: its grant_types do not list authorization_code.";
        return Err(Refused::new("unauthorized_client", public));
    }
    Ok(())
}

/// RFC 7636 section 4.3; `plain` is refused (RFC 9700 section 2.1.1).
fn code_challenge(settings: &ClientSettings, params: &Params) -> Result<Option<String>, Refused> {
    let challenge = params.get("code_challenge");
    match (challenge, params.get("code_challenge_method")) {
        (None, None) if settings.pkce == Pkce::Required => {
            Err(Refused::invalid("code_challenge is missing; this client must use PKCE with S256."))
        }
        (None, None) => Ok(None),
        (None, Some(_)) => Err(Refused::invalid("code_challenge_method came without code_challenge.")),
        (Some(challenge), Some("S256")) if pkce::is_challenge(challenge) => Ok(Some(challenge.to_owned())),
        (Some(_), Some("S256")) => Err(Refused::invalid("The code_challenge is not the base64url form of a SHA-256.")),
        (Some(_), _) => Err(Refused::invalid("The code_challenge_method must be S256.")),
    }
}

/// What was asked for, as far as the client may have it. Unknown scopes are passed over
/// (OpenID Connect Core 3.1.2.1); the token response says what was given.
fn scope(settings: &ClientSettings, asked: Option<Vec<String>>) -> Result<Vec<String>, Refused> {
    let missing = || Refused::new("invalid_scope", "The parameter scope is missing. A login asks for openid at least.");
    let mut given = asked.ok_or_else(missing)?;
    let refresh = settings.may_use(GrantType::RefreshToken);
    given.retain(|scope| settings.scopes.contains(scope) && (refresh || scope != "offline_access"));
    if given.iter().all(|scope| scope == "offline_access") {
        let public = "None of the requested scopes is among the scopes that this client is registered for.";
        return Err(Refused::new("invalid_scope", public));
    }
    Ok(given)
}

/// Better said now than after the person has logged in.
fn check_key(exchange: &mut Exchange<'_>, settings: &ClientSettings, scope: &[String]) -> Result<(), Refused> {
    let algorithm = settings.id_token_algorithm;
    let there = exchange.tenant.keys.oidc_signer(algorithm).is_some();
    if there || !scope.iter().any(|scope| scope == "openid") {
        return Ok(());
    }
    exchange.trace.decide("signing key", format!("the tenant has no active {} key", algorithm.name()), false);
    Err(Refused::new("server_error", format!("There is no active {} key for ID tokens here.", algorithm.name())))
}

fn max_age(settings: &ClientSettings, asked: Option<&str>) -> Result<Option<u64>, Refused> {
    let Some(asked) = asked else { return Ok(settings.default_max_age.map(|age| age.as_secs())) };
    let seconds = asked.bytes().all(|b| b.is_ascii_digit()).then(|| asked.parse().ok()).flatten();
    seconds.map(Some).ok_or_else(|| Refused::invalid("max_age must be a whole number of seconds."))
}

/// The person that the app expects: from a genuine ID token of ours, or by `claims`.
fn expected_sub(
    exchange: &mut Exchange<'_>,
    app: &App,
    hint: Option<&str>,
    asked: Option<String>,
) -> Result<Option<String>, Refused> {
    let Some(hint) = hint else { return Ok(asked) };
    let checked = verify_hint(exchange.tenant, hint);
    let actual = checked.as_ref().map_or_else(ToString::to_string, |_| "genuine".to_owned());
    exchange.trace.check("id_token_hint", "OpenID Connect Core 3.1.2.1", "genuine", actual, checked.is_ok());
    let hint = checked.map_err(|_| Refused::invalid("The id_token_hint is not an ID token of this issuer."))?;
    if hint.app != app.id {
        return Err(Refused::invalid("The id_token_hint was issued to another client."));
    }
    match asked {
        Some(asked) if asked != hint.sub => {
            Err(Refused::new("login_required", "The id_token_hint and the claims parameter expect different people."))
        }
        _ => Ok(Some(hint.sub)),
    }
}

/// `idp_hint` is another name for `connection`.
fn connection(params: &Params) -> Result<Option<String>, Refused> {
    match (params.get("connection"), params.get("idp_hint")) {
        (Some(one), Some(other)) if one != other => Err(Refused::invalid("connection and idp_hint differ.")),
        (one, other) => Ok(one.or(other).map(str::to_owned)),
    }
}

/// This request's own address, to come back to with `connection=` added. The choice is then
/// made, so nothing in it asks to choose again.
fn again(issuer: &str, params: &Params, prompts: &[String]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in params.iter() {
        match name {
            "connection" | "idp_hint" => {}
            "prompt" => {
                let rest = prompts.iter().map(String::as_str).filter(|word| *word != "select_account");
                let rest: Vec<_> = rest.collect();
                if !rest.is_empty() {
                    query.append_pair(name, &rest.join(" "));
                }
            }
            _ => {
                query.append_pair(name, value);
            }
        }
    }
    format!("{issuer}/authorize?{}", query.finish())
}
