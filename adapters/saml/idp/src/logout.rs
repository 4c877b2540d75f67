//! Single logout with the apps of a tenant, in both directions (SAML profiles 4.4).
//!
//! A request without a good signature ends on a page of ours: it may be anybody's, and nobody is
//! answered in its name.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fedbridge_contract::config::{App, AppKind, Tenant};
use fedbridge_contract::downstream::Accepted;
use fedbridge_contract::error::ProtocolError;
use fedbridge_contract::http::{Method, Reply};
use fedbridge_contract::ids::AppId;
use fedbridge_contract::keys::KeyRing;
use fedbridge_contract::logout::{
    Channel, DownstreamLogout, LogoutCall, LogoutEnd, LogoutSelector, Manner, Notice, NoticeId, Party, PeerLogout, Told,
};
use fedbridge_contract::page::{LoggedOutPage, Page};
use fedbridge_contract::services::Fetched;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use fedbridge_saml_core::binding::soap;
use fedbridge_saml_core::logout::{
    self, Answering, Carried, LogoutIn, LogoutParties, LogoutRequestParts, VerifiedLogoutRequest,
};
use fedbridge_saml_core::metadata::{LogoutBinding, LogoutEndpoint, logout_endpoint};
use fedbridge_saml_core::name_id::OwnedNameId;
use fedbridge_saml_core::names;
use fedbridge_saml_core::random::message_id;
use fedbridge_saml_core::seam::Cbc;
use fedbridge_saml_core::turns::{NotRun, in_turn};
use serde::{Deserialize, Serialize};

use crate::page::{Exchange, PageError, unreadable};
use crate::provider::{SamlIdentityProvider, entity_id};
use crate::settings::{LogoutChannel, SpSettings};
use crate::verify::SKEW;

/// How long a request of ours is good for.
const LIFETIME: Duration = Duration::from_secs(300);

const REFUSED: PageError = PageError::new(400, "The app's logout message could not be accepted.");
const BUSY: PageError =
    PageError::new(503, "Too many messages are under way at the moment. Please try again in a minute.");

/// Where messages of logout come in.
pub(crate) fn slo_address(tenant: &Tenant) -> String {
    format!("{}/{}", tenant.issuer, names::SLO_ROUTE)
}

/// Takes a message in: a request of an app, or its answer to one of ours.
pub(crate) async fn handle(provider: &SamlIdentityProvider, mut exchange: Exchange<'_>) -> Accepted {
    let input = exchange.input;
    let by_soap = input.method == Method::Post && soap::is_xml(input.content_type.as_deref());
    match received(provider, &mut exchange).await {
        Ok((app, settings, LogoutIn::Request(request), carried)) => {
            let request = Box::new(peer_logout(exchange.tenant, &app, &settings, request, &carried));
            Accepted::PeerLogout { app: app.id, request }
        }
        Ok((app, _, LogoutIn::Response(answer), _)) => {
            let id = answer.in_response_to.parse::<NoticeId>().ok().filter(|id| id.party == Party::App(app.id));
            let actual = if id.is_some() { "one of them" } else { "another message" };
            exchange.trace.check("InResponseTo", "SAML core 3.2.2", "a request to this app", actual, id.is_some());
            match id {
                Some(id) => Accepted::LogoutAnswer { id, told: answer.told },
                None if by_soap => exchange.by_fault(&REFUSED),
                None => exchange.on_page(&REFUSED),
            }
        }
        Err(error) if by_soap => exchange.by_fault(&error),
        Err(error) => exchange.on_page(&error),
    }
}

type Received = (Arc<App>, Arc<SpSettings>, LogoutIn, Carried);

async fn received(provider: &SamlIdentityProvider, exchange: &mut Exchange<'_>) -> Result<Received, PageError> {
    let carried = Carried::read(exchange.input).map_err(|error| {
        unreadable(exchange.trace, "Message", "SAML bindings 3", "one logout message that can be read", error);
        REFUSED
    })?;
    let turns = provider.turns_of(exchange.tenant.id);
    let named = in_turn(turns, move || (carried.unverified_issuer(), carried)).await;
    let (issuer, carried) = named.map_err(|error| exchange.no_turn(error, BUSY))?;
    let issuer = issuer.map_err(|why| {
        unreadable(exchange.trace, "Message", "SAML core 3.7", "a logout message that says who sent it", why);
        REFUSED
    })?;
    let app = exchange.tenant.app_by_protocol_name(AppKind::SamlSp, &issuer).cloned();
    let enabled = app.filter(|app| app.enabled && exchange.tenant.enabled);
    let known = enabled.is_some();
    let actual = if known { issuer.clone() } else { format!("{issuer}, which is not") };
    exchange.trace.check("App", "SAML profiles 4.4.4", "an enabled service provider", actual, known);
    let app = enabled.ok_or(REFUSED)?;
    exchange.app = Some(app.id);
    let settings = SpSettings::of(&app, exchange.now).ok().filter(|settings| !settings.expired(exchange.now));
    let usable = settings.as_ref().is_some_and(|settings| settings.trust.is_some());
    let expected = "valid metadata with a signing certificate";
    exchange.trace.check("Metadata", "SAML profiles 4.4.4", expected, if usable { expected } else { "none" }, usable);
    let settings = settings.filter(|_| usable).ok_or(REFUSED)?;
    let keys = Arc::clone(&exchange.tenant.keys);
    let address = slo_address(exchange.tenant);
    let checked = verified(&settings, carried, keys, address, exchange.now, exchange.trace).await;
    let checked = checked.map_err(|error| exchange.no_turn(error, BUSY))?;
    let (message, carried) = checked.ok_or(REFUSED)?;
    Ok((app, settings, message, carried))
}

/// Verifies in the app's turn. Without a message, the trace holds why not.
async fn verified(
    settings: &Arc<SpSettings>,
    carried: Carried,
    keys: Arc<KeyRing>,
    address: String,
    now: Timestamp,
    trace: &mut TraceLog,
) -> Result<Option<(LogoutIn, Carried)>, NotRun> {
    let own = Arc::clone(settings);
    let done = in_turn(Arc::clone(&settings.turns), move || {
        let mut log = TraceLog::new();
        let parties = LogoutParties {
            them: &[&own.sp.entity_id],
            trust: own.trust.as_deref()?,
            address: &address,
            skew: SKEW,
            decrypters: &keys,
            cbc: Cbc::Refused,
        };
        let result = logout::verify(&carried, &parties, now, &mut log);
        Some((log, result.map(|message| (message, carried))))
    });
    Ok(done.await?.and_then(|(log, result)| {
        trace.extend(log);
        result.ok()
    }))
}

/// What is kept until the answer goes out.
#[derive(Serialize, Deserialize)]
struct Continuation {
    app: AppId,
    answering: Answering,
}

fn peer_logout(
    tenant: &Tenant,
    app: &App,
    settings: &SpSettings,
    request: VerifiedLogoutRequest,
    carried: &Carried,
) -> PeerLogout {
    let answering = Answering::of(&request, carried, &settings.sp.slo);
    PeerLogout {
        selector: LogoutSelector::Participant {
            app: app.id,
            key: request.name_id.key(&entity_id(tenant), &settings.sp.entity_id),
            indexes: request.indexes,
        },
        channel: if carried.is_soap() { Channel::Back } else { Channel::Front },
        once: vec![request.once],
        // Texts and an address: it can always be written.
        continuation: serde_json::to_vec(&Continuation { app: app.id, answering }).unwrap_or_default(),
        framed_by: None,
        manner: Manner::default(),
    }
}

/// What a participant keeps, as the login wrote it.
#[derive(Deserialize)]
struct Memory {
    name: OwnedNameId,
    index: String,
}

#[async_trait]
impl DownstreamLogout for SamlIdentityProvider {
    async fn notice(&self, call: LogoutCall<'_>) -> Result<Notice, ProtocolError> {
        let settings = SpSettings::of(call.app, call.now).ok().filter(|settings| !settings.expired(call.now));
        let memory = serde_json::from_value::<Memory>(call.participant.memory.clone()).ok();
        let (Some(settings), Some(memory)) = (settings, memory) else { return Ok(Notice::Nothing) };
        let Some(endpoint) = endpoint(&settings).cloned() else { return Ok(Notice::Nothing) };
        let (keys, issuer) = (Arc::clone(&call.tenant.keys), entity_id(call.tenant));
        let (id, now) = (call.id.to_string(), call.now);
        let made = in_turn(Arc::clone(&settings.turns), move || {
            let parts = LogoutRequestParts {
                id: &id,
                issuer: &issuer,
                destination: endpoint.location.as_str(),
                name_id: &memory.name,
                indexes: &[memory.index],
                not_on_or_after: now + LIFETIME,
                now,
            };
            logout::notice(&endpoint, &parts, &keys)
        });
        let failed = |cause| ProtocolError::new("server_error", "The app can't be told of the logout.", cause);
        match made.await {
            Ok(made) => made.map_err(|error| failed(error.to_string())),
            Err(error) => Err(failed(error.to_string())),
        }
    }

    async fn told(&self, call: LogoutCall<'_>, answer: &Fetched) -> Told {
        let settings = match SpSettings::of(call.app, call.now) {
            Ok(settings) if answer.status == 200 => settings,
            _ => return Told::Refused,
        };
        let (keys, address) = (Arc::clone(&call.tenant.keys), slo_address(call.tenant));
        let carried = Carried::answer(&answer.body);
        match verified(&settings, carried, keys, address, call.now, &mut TraceLog::new()).await {
            Ok(Some((LogoutIn::Response(answer), _))) if answer.in_response_to == call.id.to_string() => answer.told,
            _ => Told::Refused,
        }
    }

    async fn conclude(&self, tenant: &Arc<Tenant>, continuation: &[u8], end: LogoutEnd) -> Reply {
        let now = self.services.clock.now();
        let kept = serde_json::from_slice::<Continuation>(continuation).ok();
        let Some(Continuation { app, answering }) = kept else { return logged_out(tenant) };
        let settings = tenant.app_by_id(app).and_then(|app| SpSettings::of(app, now).ok());
        let turns = settings.map_or_else(|| self.turns_of(tenant.id), |settings| Arc::clone(&settings.turns));
        let (keys, issuer, id) = (Arc::clone(&tenant.keys), entity_id(tenant), message_id(&*self.services.rng));
        let by_soap = answering.is_soap();
        match in_turn(turns, move || answering.reply(&id, &issuer, end, &keys, now)).await {
            Ok(Ok(Some(reply))) => reply,
            // The sessions are over; only the answer can't be made.
            _ if by_soap => soap::fault("Server", "The answer could not be signed."),
            _ => logged_out(tenant),
        }
    }
}

/// How this app is told.
fn endpoint(settings: &SpSettings) -> Option<&LogoutEndpoint> {
    let of = |binding| logout_endpoint(&settings.sp.slo, binding);
    let soap = || of(LogoutBinding::Soap);
    let front = || of(LogoutBinding::Redirect).or_else(|| of(LogoutBinding::Post));
    match settings.logout {
        LogoutChannel::Auto => soap().or_else(front),
        LogoutChannel::Soap => soap(),
        LogoutChannel::Frame => front(),
        LogoutChannel::Off => None,
    }
}

fn logged_out(tenant: &Tenant) -> Reply {
    let tenant = tenant.display_name.clone();
    Reply::page(Page::LoggedOut(LoggedOutPage { tenant, told: Vec::new(), not_told: Vec::new(), way_back: None }))
}
