//! Logout that an app starts (OpenID Connect RP-Initiated Logout 1.0). What is not
//! checked is not used: without a valid hint the hub asks the person first.

use fedbridge_contract::config::{App, AppKind};
use fedbridge_contract::downstream::{Accepted, LOGOUT_CONFIRMATION, LogoutHint, LogoutRequest};
use fedbridge_contract::http::{Method, Reply};
use fedbridge_contract::page::{ErrorPage, Page};
use fedbridge_contract::trace::Outcome;
use std::sync::Arc;

use super::exchange::Exchange;
use super::id_token::{VerifiedHint, verify_hint};
use super::memory::append_query;
use super::params::Params;
use super::settings::ClientSettings;

/// Parameters that the confirmation form carries along.
const CARRIED: &[&str] =
    &["id_token_hint", "client_id", "post_logout_redirect_uri", "state", "ui_locales", "logout_hint"];

pub(crate) fn handle(mut exchange: Exchange<'_>) -> Accepted {
    let input = exchange.input;
    let list = if input.method == Method::Post { input.form_params() } else { input.query_params() };
    let params = Params::new(list);
    match examine(&mut exchange, &params) {
        Ok(request) => Accepted::Logout(request),
        Err(sentence) => {
            let page = Page::Error(ErrorPage {
                status: 400,
                tenant: Some(exchange.tenant.display_name.clone()),
                sentence: sentence.to_owned(),
                trace: Some(exchange.trace_id),
                way_back: None,
            });
            let locale = exchange.tenant.locale(params.get("ui_locales"));
            exchange.record_refusal("logout", "invalid_request", Outcome::Refused, sentence.to_owned());
            Accepted::Reply(Reply::page(page).in_language(locale))
        }
    }
}

fn examine(exchange: &mut Exchange<'_>, params: &Params) -> Result<LogoutRequest, &'static str> {
    if params.trouble().is_some() {
        return Err("The app's logout request has a parameter twice. Nobody was logged out.");
    }
    let hint = params.get("id_token_hint").and_then(|token| {
        let checked = verify_hint(exchange.tenant, token);
        let actual = checked.as_ref().map_or_else(ToString::to_string, |_| "genuine".to_owned());
        exchange.trace.check("id_token_hint", "RP-Initiated Logout 1.0, 2", "genuine", actual, checked.is_ok());
        checked.ok()
    });
    let app = named_app(exchange, hint.as_ref(), params.get("client_id"))?;
    let return_to = match params.get("post_logout_redirect_uri") {
        Some(uri) => return_address(exchange, app.as_ref(), uri, params.get("state"))?,
        None => None,
    };
    // Only our own form posts the token, so a link can't carry one.
    let confirmation = (exchange.input.method == Method::Post).then(|| params.get(LOGOUT_CONFIRMATION)).flatten();
    let fields = params.iter().filter(|(name, _)| CARRIED.contains(name));
    Ok(LogoutRequest {
        hint: hint.map(|hint| LogoutHint { app: hint.app, sub: hint.sub, session: hint.session }),
        app: return_to.as_ref().and(app.as_ref()).map(|app| app.display_name.clone()),
        return_to,
        confirmation: confirmation.map(str::to_owned),
        action: format!("{}/logout", exchange.tenant.issuer),
        fields: fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
    })
}

/// The app that asks: the one that the hint was made for, or the one named.
fn named_app(
    exchange: &mut Exchange<'_>,
    hint: Option<&VerifiedHint>,
    client_id: Option<&str>,
) -> Result<Option<Arc<App>>, &'static str> {
    if let (Some(hint), Some(client_id)) = (hint, client_id)
        && hint.client_id != client_id
    {
        exchange.trace.check("client_id", "RP-Initiated Logout 1.0, 2", hint.client_id.as_str(), client_id, false);
        return Err("The app's logout request names two different apps. Nobody was logged out.");
    }
    let name = hint.map(|hint| hint.client_id.as_str()).or(client_id);
    let app = name.and_then(|name| exchange.tenant.app(AppKind::OidcClient, name)).cloned();
    if name.is_some() && app.is_none() {
        return Err("The logout request comes from an app that is not registered here. Nobody was logged out.");
    }
    exchange.app = app.as_ref().map(|app| app.id);
    Ok(app)
}

/// A registered address, compared exactly, with `state`. Without a known app there is no way back.
fn return_address(
    exchange: &mut Exchange<'_>,
    app: Option<&Arc<App>>,
    uri: &str,
    state: Option<&str>,
) -> Result<Option<String>, &'static str> {
    let Some(app) = app else { return Ok(None) };
    let settings = ClientSettings::of(app).map_err(|_| "The app's settings can't be read. Nobody was logged out.")?;
    let registered = settings.post_logout_redirect_uris.iter().any(|there| there == uri);
    let expected = "a registered post_logout_redirect_uri";
    if !exchange.trace.check("post_logout_redirect_uri", "RP-Initiated Logout 1.0, 3", expected, uri, registered) {
        return Err("The app asked to return to an address that is not registered for it. Nobody was logged out.");
    }
    if !app.enabled {
        return Ok(None);
    }
    Ok(Some(match state {
        Some(state) => append_query(uri, &[("state", state)]),
        None => uri.to_owned(),
    }))
}
