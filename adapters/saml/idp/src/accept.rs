//! The single sign-on service: takes AuthnRequests by redirect and post (SAML profiles 4.1.4.1).
//!
//! First who asks, whether it is believed, and where the answer goes: until all of that is known to be
//! good, a failure is a page. From then on a failure goes to the app as a status.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fedbridge_contract::config::{App, AppKind, Tenant};
use fedbridge_contract::downstream::Accepted;
use fedbridge_contract::http::{HttpInput, Method, Reply};
use fedbridge_contract::services::random_text;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::{Outcome, TraceLog};
use fedbridge_saml_core::binding::post::PostMessage;
use fedbridge_saml_core::binding::redirect::{RedirectMessage, SignedQuery};
use fedbridge_saml_core::binding::{BindingError, Parameter};
use fedbridge_saml_core::grammar::GrammarError;
use fedbridge_saml_core::instant::parse_instant;
use fedbridge_saml_core::names;
use fedbridge_saml_core::seam::{Element, Limits, UnverifiedDocument};
use fedbridge_saml_core::trust::Distrust;
use fedbridge_saml_core::turns::in_turn;
use openssl::sha::Sha256;

use crate::acs::chosen;
use crate::answer;
use crate::asked::{Asked, hints};
use crate::page::{Exchange, PageError, require};
use crate::provider::{SamlIdentityProvider, sso_address};
use crate::request::AuthnRequest;
use crate::settings::SpSettings;
use crate::status::Status;
use crate::wish::wishes;

/// How far the clocks may differ (saml2int SDP-G01).
pub(crate) const SKEW: Duration = Duration::from_secs(180);

/// How old a request may be: long enough for a person who reads the page that asks for a connection.
const OLDEST: Duration = Duration::from_secs(600);

/// How long an answered request is remembered: longer than it is accepted plus any login lasts.
const REMEMBERED: Duration = Duration::from_secs(2 * 3600);

/// How long a request that came by post waits for the browser to come back.
const PARKED: Duration = Duration::from_secs(600);

/// The longest RelayState. The standard's 80 octets (SAML bindings 3.4.3) are kept by few.
const MAX_RELAY_STATE: usize = 4096;

/// The purpose of parked requests among the handles.
const PURPOSE: &str = "saml.request";

const EXPIRED: PageError = PageError::new(400, "This login has expired. Please start again at the app.");
const NOT_USABLE: PageError = PageError::new(403, "This app can't be used for logins at the moment.");
const OURS: PageError = PageError::new(500, "Something went wrong here. Please start again at the app.");

pub(crate) async fn handle(provider: &SamlIdentityProvider, exchange: Exchange<'_>) -> Accepted {
    let parked = exchange.input.query_params().into_iter().find(|(name, _)| name == "request");
    match (exchange.input.method, parked) {
        (Method::Post, _) => by_post(provider, exchange).await,
        (_, Some((_, handle))) => from_handle(exchange, &handle).await,
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
async fn from_handle(mut exchange: Exchange<'_>, handle: &str) -> Accepted {
    let Exchange { services, tenant, now, .. } = exchange;
    let parked = match services.handles.peek(tenant.id, PURPOSE, handle, now).await {
        Ok(parked) => parked,
        Err(error) => {
            exchange.trace.decide("find the parked request", error.to_string(), false);
            return exchange.on_page(&PageError::new(503, "The login can't go on at the moment. Please try again."));
        }
    };
    let Some(asked) = parked.and_then(|bytes| Asked::from_bytes(&bytes)) else {
        exchange.trace.check("Parked request", "", "one that waits here", "none", false);
        return exchange.on_page(&EXPIRED);
    };
    exchange.app = Some(asked.app);
    let app = tenant.app_by_id(asked.app).cloned();
    let usable = match &app {
        Some(app) => usable(&exchange, app),
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

/// A message as a binding gives it.
struct Message {
    parameter: Parameter,
    xml: Vec<u8>,
    relay_state: Option<String>,
    carried: Carried,
}

enum Carried {
    /// The signature, if any, is over the query.
    Redirect(Option<SignedQuery>),
    /// The signature, if any, is in the message.
    Post,
}

/// A request that may be answered at its address.
struct Verified {
    app: Arc<App>,
    settings: Arc<SpSettings>,
    asked: Asked,
}

/// Why a request is not answered with a login.
enum Stop {
    Page(PageError),
    /// The address for answers is the app's: it is told.
    Status(Box<Asked>, Status),
}

impl From<PageError> for Stop {
    fn from(error: PageError) -> Self {
        Self::Page(error)
    }
}

async fn verified<'a>(
    provider: &SamlIdentityProvider,
    mut exchange: Exchange<'a>,
    message: Result<Message, BindingError>,
) -> Result<(Exchange<'a>, Verified), Accepted> {
    let message = match message.and_then(bounded) {
        Ok(message) => message,
        Err(error) => {
            exchange.trace.check("Message", "SAML bindings 3", "one SAMLRequest", error.to_string(), false);
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
            exchange.trace.check("Turn", "", "a free place within 10 s", error.to_string(), false);
            let sentence = "Too many logins are under way at the moment. Please try again in a minute.";
            return Err(exchange.on_page(&PageError::new(503, sentence)));
        }
    };
    exchange.trace.extend(log);
    exchange.app = app.as_ref().map(|app| app.id);
    let checked = match (result, app) {
        // Is it allowed to log people in at all? Whoever can't be believed does not even learn that.
        (Ok((settings, asked)), Some(app)) => usable(&exchange, &app).map(|_| Verified { app, settings, asked }),
        (Err(Stop::Status(asked, status)), Some(app)) => match usable(&exchange, &app) {
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
        _ => Ok(message),
    }
}

/// The one gate, and the settings as they are now.
pub(crate) fn usable(exchange: &Exchange<'_>, app: &App) -> Result<Arc<SpSettings>, PageError> {
    if exchange.services.gate.app(exchange.tenant, app).is_err() {
        return Err(NOT_USABLE);
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
    let reply = answer::status(exchange.services, exchange.tenant, asked, settings, status, exchange.now).await;
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

// ---- on the blocking thread ----

struct Work {
    tenant: Arc<Tenant>,
    message: Message,
    now: Timestamp,
}

type Checked = Result<(Arc<SpSettings>, Asked), Stop>;

impl Work {
    fn run(&self, trace: &mut TraceLog) -> (Option<Arc<App>>, Checked) {
        let document = match UnverifiedDocument::parse(&self.message.xml, Limits::message()) {
            Ok(document) => document,
            Err(error) => {
                trace.check("XML", "XML 1.0", "a document of the accepted form", error.to_string(), false);
                return (None, Err(PageError::bad_request().into()));
            }
        };
        let root = document.unverified_root();
        let (app, settings) = match self.sender(root, trace) {
            Ok(sender) => sender,
            Err((app, error)) => return (app, Err(error.into())),
        };
        let checked = self.believed(&document, &settings, trace).and_then(|signed| match &signed {
            Some(verified) => self.examine(verified.element(), true, &app, &settings, trace),
            None => self.examine(root, self.query_signed(), &app, &settings, trace),
        });
        (Some(app), checked.map(|asked| (settings, asked)))
    }

    fn query_signed(&self) -> bool {
        matches!(&self.message.carried, Carried::Redirect(Some(_)))
    }

    /// Whose request it says it is. Nothing vouches for that yet: it finds the keys to check with.
    #[allow(clippy::type_complexity)] // One caller, right above.
    fn sender(
        &self,
        root: &Element,
        trace: &mut TraceLog,
    ) -> Result<(Arc<App>, Arc<SpSettings>), (Option<Arc<App>>, PageError)> {
        let bad = |error| (None, error);
        let request = read(root, trace).map_err(bad)?;
        trace.received(self.now, "AuthnRequest", false, facts(&request, &self.message));
        let app = self.tenant.app_by_protocol_name(AppKind::SamlSp, request.issuer).cloned();
        let unknown = PageError::new(400, "This app is not registered here, so the login can't start.");
        let name = ("Issuer", "SAML core 3.2.1");
        require(trace, name, "a service provider of this tenant", request.issuer, app.is_some(), unknown.clone())
            .map_err(bad)?;
        let app = app.ok_or((None, unknown))?;
        let some = |error: PageError| (Some(Arc::clone(&app)), error);
        let enabled = app.enabled && self.tenant.enabled;
        let actual = if enabled { "enabled" } else { "disabled" };
        require(trace, ("Service provider", ""), "enabled", actual, enabled, NOT_USABLE).map_err(some)?;
        let settings = SpSettings::of(&app, self.now).map_err(|complaints| {
            let texts: Vec<_> = complaints.iter().map(ToString::to_string).collect();
            trace.check("Settings", "", "readable", texts.join("; "), false);
            some(NOT_USABLE)
        })?;
        let until = settings.sp.valid_until.map_or_else(|| "no limit".into(), |until| until.rfc3339());
        let name = ("Service provider metadata is valid", "SAML metadata 2.3.2");
        let valid = !settings.expired(self.now);
        require(trace, name, format!("before {until}"), self.now.rfc3339(), valid, NOT_USABLE).map_err(some)?;
        Ok((app, settings))
    }

    /// A signature that is there must hold; one that is required must be there. Gives the element that
    /// was signed, where the signature is in the message.
    fn believed(
        &self,
        document: &UnverifiedDocument,
        settings: &SpSettings,
        trace: &mut TraceLog,
    ) -> Result<Option<fedbridge_saml_core::seam::VerifiedElement>, Stop> {
        const NAME: &str = "Signature of the request";
        const SOURCE: &str = "SAML core 3.4.1.4";
        let root = document.unverified_root();
        let enveloped = root.child(names::DSIG, "Signature").is_some();
        let refuse = |trace: &mut TraceLog, expected: &str, actual: &str| {
            trace.check(NAME, SOURCE, expected, actual, false);
            Stop::Page(PageError::bad_request())
        };
        let distrusted = |_: Distrust| Stop::Page(PageError::bad_request());
        let no_key = "none, because the app's metadata has no key to check one with";
        match (&self.message.carried, enveloped) {
            (Carried::Redirect(_), true) => {
                Err(refuse(trace, "over the query, not inside the message", "a signature inside the message"))
            }
            (Carried::Redirect(Some(signed)), false) => {
                let trust = settings.trust.as_ref().ok_or_else(|| refuse(trace, no_key, "one over the query"))?;
                trust.verify_query(signed, self.now, trace).map_err(distrusted)?;
                Ok(None)
            }
            (Carried::Post, true) => {
                let trust = settings.trust.as_ref().ok_or_else(|| refuse(trace, no_key, "one in the message"))?;
                trust.verify(document, root, NAME, self.now, trace).map(Some).map_err(distrusted)
            }
            (Carried::Redirect(None) | Carried::Post, false) if settings.require_signed_requests => {
                Err(refuse(trace, "a signature", "a request that is not signed"))
            }
            (Carried::Redirect(None) | Carried::Post, false) => {
                trace.check(NAME, SOURCE, "a signature, if the app likes", "none", true);
                Ok(None)
            }
        }
    }

    /// Everything that the request says, read from what was signed where anything was.
    fn examine(
        &self,
        element: &Element,
        signed: bool,
        app: &Arc<App>,
        settings: &SpSettings,
        trace: &mut TraceLog,
    ) -> Result<Asked, Stop> {
        let request = read(element, trace)?;
        let bad = PageError::bad_request;
        // The keys were found by the unverified name, so what was signed must say the same.
        let same = app.protocol_name.as_deref() == Some(request.issuer);
        let expected = app.protocol_name.clone().unwrap_or_default();
        require(trace, ("Signed Issuer", "SAML core 3.2.1"), expected, request.issuer, same, bad())?;
        let version = request.version == "2.0";
        require(trace, ("Version", "SAML core 3.2.1"), "2.0", request.version, version, bad())?;
        let address = sso_address(&self.tenant);
        let fits = request.destination.map_or(!signed, |destination| destination == address);
        let actual = request.destination.unwrap_or("none, in a signed request");
        let actual = if fits { request.destination.unwrap_or("none") } else { actual };
        require(trace, ("Destination", "SAML bindings 3.4.5.2 and 3.5.5.2"), &address, actual, fits, bad())?;
        self.fresh(request.issue_instant, trace)?;
        let acs = chosen(&settings.sp, &request.acs);
        let expected = "a registered address, octet by octet";
        let actual = acs.as_ref().map_or_else(Clone::clone, |acs| acs.text.clone());
        let unregistered = PageError::new(400, "The app asked to return to an address that is not registered for it.");
        let name = ("Address for the answer", "SAML profiles 4.1.4.1");
        require(trace, name, expected, actual, acs.is_ok(), unregistered.clone())?;
        let acs = acs.map_err(|_| unregistered)?;

        let mut asked = Asked {
            app: app.id,
            acs: acs.text.clone(),
            request: Some(request.id.to_owned()),
            relay_state: self.message.relay_state.clone(),
            at: self.now,
            force_authn: request.force_authn,
            passive: request.is_passive,
            classes: Vec::new(),
            name: Default::default(),
            requesters: std::iter::once(&settings.sp.entity_id as &str)
                .chain(request.scoping.requesters.iter().copied())
                .map(str::to_owned)
                .collect(),
            proxy_count: None,
            used_until: self.now + REMEMBERED,
            once: Some(once(request.issuer, request.id)),
        };
        match wishes(&request, settings) {
            Ok(wishes) => {
                (asked.classes, asked.name, asked.proxy_count) = (wishes.classes, wishes.name, wishes.proxy_count);
                Ok(asked)
            }
            Err(status) => Err(Stop::Status(Box::new(asked), status)),
        }
    }

    fn fresh(&self, text: &str, trace: &mut TraceLog) -> Result<(), PageError> {
        let name = ("IssueInstant", "SAML core 3.2.1");
        let expected = format!("at most 10 min before {}, and not after it", self.now.rfc3339_seconds());
        let fresh = parse_instant(text).is_some_and(|at| at <= self.now + SKEW && self.now <= at + OLDEST + SKEW);
        require(trace, name, expected, text, fresh, EXPIRED)
    }
}

fn read<'a>(element: &'a Element, trace: &mut TraceLog) -> Result<AuthnRequest<'a>, PageError> {
    AuthnRequest::read(element).map_err(|GrammarError(why)| {
        trace.check("Form of the request", "SAML core 3.4.1", "an AuthnRequest of the schema", why, false);
        PageError::bad_request()
    })
}

fn facts(request: &AuthnRequest<'_>, message: &Message) -> Vec<(&'static str, String)> {
    let text = |value: Option<&str>| value.unwrap_or("none").to_owned();
    let binding = match &message.carried {
        Carried::Redirect(_) => "redirect",
        Carried::Post => "post",
    };
    vec![
        ("issuer", request.issuer.to_owned()),
        ("id", request.id.to_owned()),
        ("binding", binding.to_owned()),
        ("destination", text(request.destination)),
        ("acs_url", text(request.acs.url)),
        ("acs_index", text(request.acs.index)),
        ("signature_inside", request.has_signature.to_string()),
        ("force_authn", request.force_authn.to_string()),
        ("is_passive", request.is_passive.to_string()),
        ("name_id_format", text(request.name_id_policy.as_ref().and_then(|policy| policy.format))),
        ("authn_contexts", request.context.as_ref().map(|context| context.classes.join(" ")).unwrap_or_default()),
    ]
}

/// An ID holds no line feed, so issuer and ID can't run into one another.
fn once(issuer: &str, id: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(id.as_bytes());
    hash.update(b"\n");
    hash.update(issuer.as_bytes());
    URL_SAFE_NO_PAD.encode(hash.finish())
}
