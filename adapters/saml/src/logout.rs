//! Single logout with the identity provider of a connection, in both directions (SAML profiles 4.4).

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use fedbridge_contract::config::Tenant;
use fedbridge_contract::error::ProtocolError;
use fedbridge_contract::http::{HttpInput, Method, Reply, Route};
use fedbridge_contract::keys::KeyRing;
use fedbridge_contract::logout::{
    Channel, LogoutEnd, LogoutMessage, LogoutSelector, LogoutStart, Manner, Notice, NoticeId, Party, PeerLogout,
    ReceivedLogout, Told, UpstreamLogout,
};
use fedbridge_contract::page::{ErrorPage, LoggedOutPage, Page};
use fedbridge_contract::services::Fetched;
use fedbridge_contract::silence::silence;
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
use fedbridge_saml_core::turns::in_turn;
use serde::Deserialize;

use crate::sp::{ServiceProvider, SharedProvider};

/// How long a request of ours is good for.
const LIFETIME: Duration = Duration::from_secs(300);

/// What a login kept of the name, exactly as it came.
#[derive(Deserialize)]
struct Kept {
    #[serde(flatten)]
    name_id: OwnedNameId,
    session_index: Option<String>,
}

#[async_trait]
impl UpstreamLogout for SharedProvider {
    fn routes(&self) -> &'static [Route] {
        const { &[Route::new(names::SLO_ROUTE, &[Method::Get, Method::Post])] }
    }

    async fn notice(&self, start: LogoutStart<'_>, trace: &mut TraceLog) -> Result<Notice, ProtocolError> {
        let sp = Arc::clone(&self.0);
        let Some((kept, endpoint)) = destination(&sp, &start) else {
            let why = "the provider is not told: it has no logout service, the connection says so, or the session has no name";
            trace.decide("Logout at the identity provider", why, true);
            return Ok(Notice::Nothing);
        };
        let id = start.id.to_string();
        let facts = vec![
            ("id", id.clone()),
            ("destination", endpoint.location.to_string()),
            ("binding", binding_name(endpoint.binding).to_owned()),
            ("session_index", kept.session_index.is_some().to_string()),
        ];
        let (keys, now) = (Arc::clone(&start.tenant.keys), start.now);
        let made = in_turn(Arc::clone(&sp.turns), move || {
            let indexes: Vec<String> = kept.session_index.into_iter().collect();
            let parts = LogoutRequestParts {
                id: &id,
                issuer: &sp.entity_id,
                destination: endpoint.location.as_str(),
                name_id: &kept.name_id,
                indexes: &indexes,
                not_on_or_after: now + LIFETIME,
                now,
            };
            logout::notice(&endpoint, &parts, &keys)
        });
        let notice = match made.await {
            Ok(made) => made.map_err(|error| failed(error.to_string()))?,
            Err(error) => return Err(failed(error.to_string())),
        };
        trace.sent(now, "LogoutRequest", facts);
        Ok(notice)
    }

    /// By its metadata, where it publishes that itself.
    async fn silence(&self, start: LogoutStart<'_>) -> Option<String> {
        let sp = &self.0;
        let (_, endpoint) = destination(sp, &start)?;
        if endpoint.binding == LogoutBinding::Soap {
            return None;
        }
        let egress = sp.services.egress_to(start.tenant, Party::Connection(sp.connection));
        let documents: Vec<_> = sp.settings.metadata_url.iter().collect();
        silence(egress.as_ref(), &endpoint.location, &documents).await
    }

    async fn told(&self, start: LogoutStart<'_>, answer: &Fetched) -> Told {
        if answer.status != 200 {
            return Told::Refused;
        }
        let mut trace = TraceLog::new();
        let carried = Carried::answer(&answer.body);
        match verified(&self.0, carried, &start.tenant.keys, start.now, &mut trace).await {
            Some((LogoutIn::Response(answer), _)) if answer.in_response_to == start.id.to_string() => answer.told,
            _ => Told::Refused,
        }
    }

    async fn receive(&self, message: LogoutMessage<'_>, trace: &mut TraceLog) -> ReceivedLogout {
        let LogoutMessage { tenant, input, now } = message;
        let sp = &self.0;
        let by_soap = input.method == Method::Post && soap::is_xml(input.content_type.as_deref());
        let refused = || ReceivedLogout::Reply(refusal(tenant, by_soap));
        let until = sp.idp.valid_until.map_or_else(|| "no limit".into(), Timestamp::rfc3339);
        let valid = !sp.idp.expired(now);
        let expected = format!("before {until}");
        if !trace.check("Provider metadata is valid", "SAML metadata 2.3.2", expected, now.rfc3339(), valid) {
            return refused();
        }
        let Some(carried) = carried(input, trace) else { return refused() };
        match verified(sp, carried, &tenant.keys, now, trace).await {
            Some((LogoutIn::Request(request), carried)) => {
                ReceivedLogout::Request(Box::new(peer_logout(sp, request, &carried)))
            }
            Some((LogoutIn::Response(answer), _)) => {
                let id = answer.in_response_to.parse::<NoticeId>().ok();
                let ours = id.filter(|id| id.party == Party::Connection(sp.connection));
                let actual = if ours.is_some() { "one of them" } else { "another message" };
                trace.check("InResponseTo", "SAML core 3.2.2", "a request to this provider", actual, ours.is_some());
                ours.map_or_else(refused, |id| ReceivedLogout::Answer { id, told: answer.told })
            }
            None => refused(),
        }
    }

    async fn conclude(&self, tenant: &Arc<Tenant>, continuation: &[u8], end: LogoutEnd) -> Reply {
        let sp = Arc::clone(&self.0);
        let (keys, now) = (Arc::clone(&tenant.keys), sp.services.clock.now());
        let Ok(answering) = serde_json::from_slice::<Answering>(continuation) else { return logged_out(tenant) };
        let by_soap = answering.is_soap();
        let made = in_turn(Arc::clone(&sp.turns), move || {
            answering.reply(&message_id(&*sp.services.rng), &sp.entity_id, end, &keys, now)
        });
        match made.await {
            Ok(Ok(Some(reply))) => reply,
            // The sessions are over; only the answer can't be made.
            _ if by_soap => soap::fault("Server", "The answer could not be signed."),
            _ => logged_out(tenant),
        }
    }
}

/// Whose end the provider is told of, and where. `None`: it is not told.
fn destination(sp: &ServiceProvider, start: &LogoutStart<'_>) -> Option<(Kept, LogoutEndpoint)> {
    let kept = serde_json::from_str(start.session.logout_state.as_deref()?).ok()?;
    // Past validUntil nothing of the provider may be used any more (SAML metadata 4.3.1).
    let usable = sp.settings.logout && !sp.idp.expired(start.now);
    preferred(&sp.idp.slo).filter(|_| usable).cloned().map(|endpoint| (kept, endpoint))
}

/// SOAP needs no browser and nobody's cookies; a redirect needs no script.
fn preferred(slo: &[LogoutEndpoint]) -> Option<&LogoutEndpoint> {
    let order = [LogoutBinding::Soap, LogoutBinding::Redirect, LogoutBinding::Post];
    order.into_iter().find_map(|binding| logout_endpoint(slo, binding))
}

fn carried(input: &HttpInput, trace: &mut TraceLog) -> Option<Carried> {
    match Carried::read(input) {
        Ok(carried) => Some(carried),
        Err(error) => {
            trace.check("Message", "SAML bindings 3", "one logout message", error.to_string(), false);
            None
        }
    }
}

/// Verifies in the connection's turn. The trace holds why not.
async fn verified(
    sp: &Arc<ServiceProvider>,
    carried: Carried,
    keys: &Arc<KeyRing>,
    now: Timestamp,
    trace: &mut TraceLog,
) -> Option<(LogoutIn, Carried)> {
    let (own, keys) = (Arc::clone(sp), Arc::clone(keys));
    let done = in_turn(Arc::clone(&sp.turns), move || {
        let mut log = TraceLog::new();
        let them: Vec<&str> = std::iter::once(own.idp.entity_id.as_str())
            .chain(own.settings.issuers.iter().map(String::as_str))
            .collect();
        let parties = LogoutParties {
            them: &them,
            trust: &own.trust,
            address: &own.slo,
            skew: own.settings.clock_skew,
            decrypters: &keys,
            cbc: if own.settings.allow_cbc { Cbc::Accepted } else { Cbc::Refused },
        };
        let result = logout::verify(&carried, &parties, now, &mut log);
        (log, result.map(|message| (message, carried)))
    });
    match done.await {
        Ok((log, result)) => {
            trace.extend(log);
            result.ok()
        }
        Err(error) => {
            trace.check("Turn", "", "a check that runs to its end", error.to_string(), false);
            None
        }
    }
}

fn peer_logout(sp: &ServiceProvider, request: VerifiedLogoutRequest, carried: &Carried) -> PeerLogout {
    let answering = Answering::of(&request, carried, &sp.idp.slo);
    PeerLogout {
        selector: LogoutSelector::Upstream {
            connection: sp.connection,
            key: request.name_id.key(&sp.idp.entity_id, &sp.entity_id),
            indexes: request.indexes,
        },
        channel: if carried.is_soap() { Channel::Back } else { Channel::Front },
        once: vec![request.once],
        // Two texts and an address: it can always be written.
        continuation: serde_json::to_vec(&answering).unwrap_or_default(),
        framed_by: sp.idp.sso.first().map(|endpoint| endpoint.location.origin().ascii_serialization()),
        manner: Manner::default(),
    }
}

/// Nobody has vouched for the message, so nobody is answered but whoever sent it here.
fn refusal(tenant: &Tenant, by_soap: bool) -> Reply {
    const SENTENCE: &str = "The logout message of your organization's login service could not be accepted.";
    if by_soap {
        return soap::fault("Client", SENTENCE);
    }
    Reply::page(Page::Error(ErrorPage {
        status: 400,
        tenant: Some(tenant.display_name.clone()),
        sentence: SENTENCE.to_owned(),
        trace: None,
        way_back: None,
    }))
}

fn logged_out(tenant: &Tenant) -> Reply {
    let tenant = tenant.display_name.clone();
    Reply::page(Page::LoggedOut(LoggedOutPage { tenant, told: Vec::new(), not_told: Vec::new(), way_back: None }))
}

fn failed(cause: String) -> ProtocolError {
    ProtocolError::new("server_error", "The login service can't be told of the logout at the moment.", cause)
}

fn binding_name(binding: LogoutBinding) -> &'static str {
    match binding {
        LogoutBinding::Redirect => "redirect",
        LogoutBinding::Post => "post",
        LogoutBinding::Soap => "SOAP",
    }
}
