//! The single sign-on service: takes AuthnRequests by redirect and post (SAML profiles 4.1.4.1).
//!
//! First who asks, whether it is believed, and where the answer goes: until all of that is known to be
//! good, a failure is a page. From then on a failure goes to the app as a status.

use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::config::{App, Tenant};
use fedbridge_contract::downstream::Accepted;
use fedbridge_contract::http::{HttpInput, Method, Reply};
use fedbridge_contract::services::{GateRefusal, random_text};
use fedbridge_contract::trace::{Outcome, TraceLog};
use fedbridge_saml_core::binding::post::PostMessage;
use fedbridge_saml_core::binding::redirect::{self, RedirectMessage};
use fedbridge_saml_core::binding::{BindingError, Parameter};
use fedbridge_saml_core::metadata::AcsBinding;
use fedbridge_saml_core::turns::in_turn;

use crate::acs;
use crate::answer::{self, Answering};
use crate::asked::{Asked, hints};
use crate::page::{Exchange, PageError, unreadable};
use crate::provider::{SamlIdentityProvider, sso_address};
use crate::settings::SpSettings;
use crate::status::Status;
use crate::verify::{Carried, EXPIRED, Message, NOT_USABLE, Stop, Work};

const AWAY: PageError = PageError::new(503, "The login can't go on at the moment. Please try again.");

/// How long a request that came by post waits for the browser to come back.
const PARKED: Duration = Duration::from_secs(600);

/// The longest RelayState. The standard's 80 octets (SAML bindings 3.4.3) are kept by few.
const MAX_RELAY_STATE: usize = 4096;

/// The largest request in octets, however it came. Signed ones have some 8 KB.
const MAX_REQUEST: usize = redirect::MAX_INFLATED;

/// The purpose of parked requests among the handles.
const PURPOSE: &str = "saml.request";

const BUSY: PageError =
    PageError::new(503, "Too many logins are under way at the moment. Please try again in a minute.");
const OURS: PageError = PageError::new(500, "Something went wrong here. Please start again at the app.");

pub(crate) async fn handle(provider: &SamlIdentityProvider, exchange: Exchange<'_>) -> Accepted {
    let parked = exchange.input.query_params().into_iter().find(|(name, _)| name == "request");
    match (exchange.input.method, parked) {
        (Method::Post, _) => by_post(provider, exchange).await,
        (_, Some((_, handle))) => from_handle(provider, exchange, &handle).await,
        _ => by_redirect(provider, exchange).await,
    }
}

async fn by_redirect(provider: &SamlIdentityProvider, exchange: Exchange<'_>) -> Accepted {
    let message = RedirectMessage::read(&exchange.input.query).map(|message| Message {
        parameter: message.parameter,
        xml: message.xml,
        relay_state: message.relay_state,
        carried: Carried::Redirect(message.signature),
    });
    let again = again(exchange.tenant, exchange.input);
    match verified(provider, exchange, message).await {
        Ok((exchange, verified)) => login(exchange, verified, again),
        Err(accepted) => accepted,
    }
}

/// A post from another site brings no session cookie, so the browser comes back by an address of ours.
async fn by_post(provider: &SamlIdentityProvider, exchange: Exchange<'_>) -> Accepted {
    let message = PostMessage::read(exchange.input).map(|message| Message {
        parameter: message.parameter,
        xml: message.xml,
        relay_state: message.relay_state,
        carried: Carried::Post,
    });
    let (exchange, verified) = match verified(provider, exchange, message).await {
        Ok(both) => both,
        Err(accepted) => return accepted,
    };
    let handle = random_text::<32>(exchange.services.rng.as_ref());
    let expires = exchange.now + PARKED;
    let Ok(bytes) = verified.asked.to_bytes() else { return exchange.on_page(&OURS) };
    let put = exchange.services.handles.put(exchange.tenant.id, PURPOSE, &handle, &bytes, expires).await;
    if let Err(error) = put {
        exchange.trace.decide("park the request", error.to_string(), false);
        return exchange.on_page(&OURS);
    }
    let mut target = format!("{}?request={handle}", sso_address(exchange.tenant));
    let hints = hints(exchange.input);
    let mut carry = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in [("connection", hints.connection), ("login_hint", hints.login_hint)] {
        if let Some(value) = value {
            carry.append_pair(name, &value);
        }
    }
    let carry = carry.finish();
    if !carry.is_empty() {
        target = format!("{target}&{carry}");
    }
    Accepted::Reply(Reply::redirect(target))
}

/// The request was verified when it came; what may have changed since is looked at again.
async fn from_handle(provider: &SamlIdentityProvider, mut exchange: Exchange<'_>, handle: &str) -> Accepted {
    let Exchange { services, tenant, now, .. } = exchange;
    let parked = match services.handles.peek(tenant.id, PURPOSE, handle, now).await {
        Ok(parked) => parked,
        Err(error) => {
            exchange.trace.decide("find the parked request", error.to_string(), false);
            return exchange.on_page(&AWAY);
        }
    };
    let Some(asked) = parked.and_then(|bytes| Asked::from_bytes(&bytes)) else {
        exchange.trace.check("Parked request", "", "one that waits here", "none", false);
        return exchange.on_page(&EXPIRED);
    };
    exchange.app = Some(asked.app);
    // Each login that goes on from here is stored, and the address alone is enough to begin one.
    let again = provider.visits.may_come(handle, now + PARKED, now);
    exchange.trace.check("Visits of the parked request", "", "a few", if again { "a few" } else { "many" }, again);
    if !again {
        return exchange.on_page(&EXPIRED);
    }
    let app = tenant.app_by_id(asked.app).cloned();
    let usable = match &app {
        Some(app) => usable(&exchange, app).await,
        None => Err(NOT_USABLE),
    };
    let (app, settings) = match (app, usable) {
        (Some(app), Ok(settings)) => (app, settings),
        (_, Err(error)) => return exchange.on_page(&error),
        (None, Ok(_)) => return exchange.on_page(&NOT_USABLE),
    };
    let registered = asked.is_registered(&settings);
    exchange.trace.check("Address for the answer", "SAML profiles 4.1.4.1", "still registered", &asked.acs, registered);
    if !registered {
        return exchange.on_page(&PageError::bad_request());
    }
    let address = format!("{}?request={handle}", sso_address(tenant));
    login(exchange, Verified { app, settings, asked }, address)
}

/// A request that may be answered at its address.
struct Verified {
    app: Arc<App>,
    settings: Arc<SpSettings>,
    asked: Asked,
}

async fn verified<'a>(
    provider: &SamlIdentityProvider,
    mut exchange: Exchange<'a>,
    message: Result<Message, BindingError>,
) -> Result<(Exchange<'a>, Verified), Accepted> {
    let message = match message.and_then(bounded) {
        Ok(message) => message,
        Err(error) => {
            unreadable(exchange.trace, "Message", "SAML bindings 3", "one SAMLRequest that can be read", &error);
            let status =
                if matches!(error, BindingError::TooLarge(_) | BindingError::InflatesTooFar) { 413 } else { 400 };
            return Err(exchange.on_page(&PageError { status, ..PageError::bad_request() }));
        }
    };
    let work = Work { tenant: Arc::clone(exchange.tenant), message, now: exchange.now };
    let turns = provider.turns_of(exchange.tenant.id);
    let done = in_turn(turns, move || {
        let mut log = TraceLog::new();
        let (app, result) = work.run(&mut log);
        (log, app, result)
    });
    let (log, app, result) = match done.await {
        Ok(done) => done,
        Err(error) => {
            let busy = exchange.no_turn(error, BUSY);
            return Err(exchange.on_page(&busy));
        }
    };
    exchange.trace.extend(log);
    exchange.app = app.as_ref().map(|app| app.id);
    let checked = match (result, app) {
        // Is it allowed to log people in at all? Whoever can't be believed does not even learn that.
        (Ok((settings, asked)), Some(app)) => usable(&exchange, &app).await.map(|_| Verified { app, settings, asked }),
        (Err(Stop::Status(asked, status)), Some(app)) => match usable(&exchange, &app).await {
            Ok(settings) => return Err(refused(exchange, &asked, settings, status).await),
            Err(error) => Err(error),
        },
        (Err(Stop::Page(error)), _) => Err(error),
        (_, None) => Err(PageError::bad_request()),
    };
    match checked {
        Ok(verified) => Ok((exchange, verified)),
        Err(error) => Err(exchange.on_page(&error)),
    }
}

fn bounded(message: Message) -> Result<Message, BindingError> {
    match &message.relay_state {
        _ if message.parameter == Parameter::SamlResponse => Err(BindingError::Misplaced("SAMLResponse")),
        Some(state) if state.len() > MAX_RELAY_STATE => Err(BindingError::TooLarge(state.len())),
        _ if message.xml.len() > MAX_REQUEST => Err(BindingError::TooLarge(message.xml.len())),
        _ => Ok(message),
    }
}

/// The one gate, and the settings as they are now.
pub(crate) async fn usable(exchange: &Exchange<'_>, app: &App) -> Result<Arc<SpSettings>, PageError> {
    match exchange.services.gate.app(exchange.tenant, app).await {
        Ok(_) => {}
        Err(GateRefusal::Unsure) => return Err(AWAY),
        Err(_) => return Err(NOT_USABLE),
    }
    match SpSettings::of(app, exchange.now) {
        Ok(settings) if !settings.expired(exchange.now) => Ok(settings),
        _ => Err(NOT_USABLE),
    }
}

fn login(exchange: Exchange<'_>, verified: Verified, again: String) -> Accepted {
    let Verified { app, settings, asked } = verified;
    let hints = hints(exchange.input);
    match asked.login(exchange.tenant, &app, &settings, hints, again) {
        Ok(request) => Accepted::Login(Box::new(request)),
        Err(_) => exchange.on_page(&OURS),
    }
}

async fn refused(exchange: Exchange<'_>, asked: &Asked, settings: Arc<SpSettings>, status: Status) -> Accepted {
    let cause = status.public.clone();
    exchange.trace.decide("request", cause.clone(), false);
    // Such an answer tells nothing about anybody, and the request costs its sender nothing: it does not wait
    // here where it can be posted.
    let posted =
        acs::for_posts(&settings.sp).filter(|_| asked.by == AcsBinding::Artifact).map(|acs| asked.at_address(acs));
    let asked = posted.as_ref().unwrap_or(asked);
    let answering =
        Answering { services: exchange.services, tenant: exchange.tenant, login: None, trace: exchange.trace_id };
    let reply = answer::status(&answering, asked, settings, status, exchange.now).await;
    match reply {
        Ok(reply) => {
            exchange.record("status", Outcome::Refused, cause);
            Accepted::Reply(reply)
        }
        Err(cause) => {
            exchange.trace.decide("sign the answer", cause, false);
            exchange.on_page(&OURS)
        }
    }
}

/// The request's own address, so that a person can come back to it. The query stays as it came, because
/// a signature covers it; the hints that we added before go.
fn again(tenant: &Tenant, input: &HttpInput) -> String {
    let ours = |pair: &&str| !pair.starts_with("connection=") && !pair.starts_with("idp_hint=");
    let query: Vec<&str> = input.query.split('&').filter(ours).collect();
    format!("{}?{}", sso_address(tenant), query.join("&"))
}
