//! Verifies an AuthnRequest: who asks, whether it is believed, what it says (SAML core 3.4.1). Work for a
//! blocking thread.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fedbridge_contract::config::{App, AppKind, Tenant};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use fedbridge_saml_core::binding::Parameter;
use fedbridge_saml_core::binding::redirect::SignedQuery;
use fedbridge_saml_core::grammar::GrammarError;
use fedbridge_saml_core::instant::parse_instant;
use fedbridge_saml_core::metadata::AcsBinding;
use fedbridge_saml_core::names;
use fedbridge_saml_core::seam::{Element, Limits, UnverifiedDocument, VerifiedElement};
use fedbridge_saml_core::trust::Distrust;
use openssl::sha::Sha256;

use crate::acs::chosen;
use crate::asked::Asked;
use crate::page::{PageError, require};
use crate::provider::sso_address;
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

pub(crate) const EXPIRED: PageError = PageError::new(400, "This login has expired. Please start again at the app.");
pub(crate) const NOT_USABLE: PageError = PageError::new(403, "This app can't be used for logins at the moment.");

/// A message as a binding gives it.
pub(crate) struct Message {
    pub(crate) parameter: Parameter,
    pub(crate) xml: Vec<u8>,
    pub(crate) relay_state: Option<String>,
    pub(crate) carried: Carried,
}

pub(crate) enum Carried {
    /// The signature, if any, is over the query.
    Redirect(Option<SignedQuery>),
    /// The signature, if any, is in the message.
    Post,
}

/// Why a request is not answered with a login.
pub(crate) enum Stop {
    Page(PageError),
    /// The address for answers is the app's: it is told.
    Status(Box<Asked>, Status),
}

impl From<PageError> for Stop {
    fn from(error: PageError) -> Self {
        Self::Page(error)
    }
}

pub(crate) struct Work {
    pub(crate) tenant: Arc<Tenant>,
    pub(crate) message: Message,
    pub(crate) now: Timestamp,
}

pub(crate) type Checked = Result<(Arc<SpSettings>, Asked), Stop>;

impl Work {
    pub(crate) fn run(&self, trace: &mut TraceLog) -> (Option<Arc<App>>, Checked) {
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
    fn sender(&self, root: &Element, trace: &mut TraceLog) -> Sender {
        let request = read(root, trace).map_err(|error| (None, error))?;
        trace.received(self.now, "AuthnRequest", false, facts(&request, &self.message));
        known_sender(&self.tenant, request.issuer, self.now, trace)
    }

    /// A signature that is there must hold; one that is required must be there. Gives the element that
    /// was signed, where the signature is in the message.
    fn believed(
        &self,
        document: &UnverifiedDocument,
        settings: &SpSettings,
        trace: &mut TraceLog,
    ) -> Result<Option<VerifiedElement>, Stop> {
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
        let acs = chosen(&settings.sp, settings.trust.is_some(), &request.acs);
        let expected = "a registered address, octet by octet";
        let actual = acs.as_ref().map_or_else(Clone::clone, |acs| match acs.binding {
            AcsBinding::Post => acs.text.clone(),
            AcsBinding::Artifact => format!("{}, by artifact", acs.text),
        });
        let unregistered = PageError::new(400, "The app asked to return to an address that is not registered for it.");
        let name = ("Address for the answer", "SAML profiles 4.1.4.1");
        require(trace, name, expected, actual, acs.is_ok(), unregistered.clone())?;
        let acs = acs.map_err(|_| unregistered)?;

        let mut asked = Asked {
            app: app.id,
            acs: acs.text.clone(),
            by: acs.binding,
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
        if let Some(index) = request.attribute_service {
            trace.decide("Attributes asked for", asked_for(index, settings), true);
        }
        match wishes(&request, settings) {
            Ok(wishes) => {
                (asked.classes, asked.name, asked.proxy_count) = (wishes.classes, wishes.name, wishes.proxy_count);
                match asked.too_large() {
                    None => Ok(asked),
                    Some(length) => {
                        let actual = format!("{length} octets");
                        trace.check("What is kept of the request", "", "at most 16 KiB", actual, false);
                        Err(Stop::Page(bad()))
                    }
                }
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

/// What a list of the metadata asks for. The setting alone says what goes out: a provider may, and need not,
/// follow the app's wish (SAML core 3.4.1).
fn asked_for(index: u16, settings: &SpSettings) -> String {
    let Some(service) = settings.sp.requested_attributes.iter().find(|service| service.index == index) else {
        return format!("list {index}, which the app's metadata does not have");
    };
    let sent = |name: &str| settings.attributes.iter().any(|rule| rule.name == name);
    let names = service.attributes.iter().map(|wanted| match sent(&wanted.name) {
        true => wanted.name.clone(),
        false => format!("{} (not in `attributes`)", wanted.name),
    });
    format!("list {index}: {}", names.collect::<Vec<_>>().join(", "))
}

/// The app that a message names, with its settings; or the error, with the app where there is one.
pub(crate) type Sender = Result<(Arc<App>, Arc<SpSettings>), (Option<Arc<App>>, PageError)>;

/// Whether an app of this name may speak with us at all: registered, enabled, its metadata valid.
pub(crate) fn known_sender(tenant: &Tenant, issuer: &str, now: Timestamp, trace: &mut TraceLog) -> Sender {
    let app = tenant.app_by_protocol_name(AppKind::SamlSp, issuer).cloned();
    let unknown = PageError::new(400, "This app is not registered here, so the login can't start.");
    let name = ("Issuer", "SAML core 3.2.1");
    require(trace, name, "a service provider of this tenant", issuer, app.is_some(), unknown.clone())
        .map_err(|error| (None, error))?;
    let app = app.ok_or((None, unknown))?;
    let some = |error: PageError| (Some(Arc::clone(&app)), error);
    let enabled = app.enabled && tenant.enabled;
    let actual = if enabled { "enabled" } else { "disabled" };
    require(trace, ("Service provider", ""), "enabled", actual, enabled, NOT_USABLE).map_err(some)?;
    let settings = SpSettings::of(&app, now).map_err(|complaints| {
        let texts: Vec<_> = complaints.iter().map(ToString::to_string).collect();
        trace.check("Settings", "", "readable", texts.join("; "), false);
        some(NOT_USABLE)
    })?;
    let until = settings.sp.valid_until.map_or_else(|| "no limit".into(), |until| until.rfc3339());
    let name = ("Service provider metadata is valid", "SAML metadata 2.3.2");
    let valid = !settings.expired(now);
    require(trace, name, format!("before {until}"), now.rfc3339(), valid, NOT_USABLE).map_err(some)?;
    Ok((app, settings))
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
        ("answer_binding", text(request.acs.binding)),
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
