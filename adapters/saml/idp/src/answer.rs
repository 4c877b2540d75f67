//! The answer to the app: an assertion, or a status that says why there is none.

use std::sync::Arc;

use fedbridge_contract::config::Tenant;
use fedbridge_contract::downstream::{Finish, Finished, IssuedIdentity, Refusal, RefusalKind};
use fedbridge_contract::http::Reply;
use fedbridge_contract::ids::{ConnectionId, SessionId, TraceId};
use fedbridge_contract::logout::Participant;
use fedbridge_contract::page::{ErrorPage, Page};
use fedbridge_contract::proof::Permit;
use fedbridge_contract::services::{Rng, Services};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::trace::TraceLog;
use fedbridge_saml_core::metadata::AcsBinding;
use fedbridge_saml_core::name_id::OwnedNameId;
use fedbridge_saml_core::random::message_id;
use fedbridge_saml_core::turns::in_turn;
use serde_json::json;

use crate::artifact;
use crate::asked::Asked;
use crate::assertion::AssertionParts;
use crate::attributes::attributes;
use crate::authn;
use crate::name_id::{name_id, session_index};
use crate::provider::entity_id;
use crate::response::{Content, ResponseParts, build};
use crate::settings::{SpSettings, fits_any_uri};
use crate::status::Status;
use crate::verify::SKEW;

/// Turns a finished login into a response at the address that was verified when the app asked.
pub(crate) async fn finish(services: &Services, finish: &Finish<'_>, _permit: &Permit) -> Result<Finished, Refusal> {
    let broken = || Refusal::new(RefusalKind::ServerError, "Something went wrong here. Please start again at the app.");
    let asked = Asked::from_bytes(finish.continuation).filter(|asked| asked.app == finish.app.id).ok_or_else(broken)?;
    let ours = |public: &str| Refusal::new(RefusalKind::ServerError, public);
    let settings = SpSettings::of(finish.app, finish.now).map_err(|complaints| {
        let cause = complaints.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
        ours("The app's settings can't be read here. Please tell an administrator.").because(cause)
    })?;
    if settings.expired(finish.now) || !asked.is_registered(&settings) {
        return Err(ours("The app's registration was changed during the login. Please start again at the app."));
    }
    let identity = finish.identity;
    if asked.force_authn && identity.auth_time + SKEW < asked.at {
        let public =
            "The app asked for a fresh login, and the organization's login service did not ask the person again.";
        return Err(Refusal::new(RefusalKind::AccessDenied, public));
    }
    let class = authn::class(identity, &asked.classes).ok_or_else(|| {
        let public = "The login did not reach the authentication context that the app requires.";
        Refusal::new(RefusalKind::UnmetAuthnContext, public)
    })?;
    let (name, new_name) = name_id(services, finish, &settings, &asked.name).await?;
    let index = session_index(services, finish.tenant.id, identity.session, finish.app.id);
    let frame = frame(finish.tenant, &asked, finish.rng, finish.now);
    let participant = participant(finish, &settings, &name, &index, &frame.issuer);
    let parts = AssertionParts {
        id: message_id(finish.rng),
        issuer: frame.issuer.clone(),
        now: finish.now,
        not_on_or_after: finish.now + settings.assertion_lifetime,
        name_id: name,
        recipient: asked.acs.clone(),
        in_response_to: asked.request.clone(),
        audiences: std::iter::once(&settings.sp.entity_id).chain(&settings.audiences).cloned().collect(),
        authn_instant: identity.auth_time.min(finish.now),
        session_index: index,
        session_end: session_end(identity, &settings, finish.now),
        class,
        // The schema wants URIs; a provider whose name is none can't be listed.
        authorities: identity.authorities.iter().filter(|name| fits_any_uri(name)).cloned().collect(),
        attributes: attributes(&settings.attributes, &identity.claims),
    };
    let steps = sent(&asked, &settings, &frame, &parts, participant.is_some());
    let content = Content::Assertion(Box::new(parts));
    let unsigned = |cause: String| {
        ours("The answer to the app could not be signed here. Please tell an administrator.").because(cause)
    };
    let login = Some((identity.connection.id, identity.session));
    let answering = Answering { services, tenant: finish.tenant, login, trace: identity.trace };
    let reply = made(&answering, &asked, settings, frame, content).await.map_err(unsigned)?;
    Ok(Finished { reply, grant: None, participant, name_id: new_name, steps })
}

/// What leaves, and how it is protected.
fn sent(
    asked: &Asked,
    settings: &SpSettings,
    frame: &ResponseParts,
    parts: &AssertionParts,
    hears_of_logout: bool,
) -> TraceLog {
    let list = |texts: Vec<&str>| if texts.is_empty() { "none".to_owned() } else { texts.join(", ") };
    let mut facts = vec![
        ("id", frame.id.clone()),
        ("to", asked.acs.clone()),
        ("binding", asked.by.name().to_owned()),
        ("InResponseTo", asked.request.clone().unwrap_or_else(|| "nothing: the login began here".to_owned())),
        ("NameID", parts.name_id.value.clone()),
        ("NameID format", parts.name_id.format.clone().unwrap_or_else(|| "none".to_owned())),
        ("attributes", list(parts.attributes.iter().map(|attribute| attribute.name.as_str()).collect())),
        ("AuthnContextClassRef", parts.class.clone()),
        ("audiences", list(parts.audiences.iter().map(String::as_str).collect())),
        ("NotOnOrAfter", parts.not_on_or_after.rfc3339_seconds()),
        ("SessionNotOnOrAfter", parts.session_end.rfc3339_seconds()),
    ];
    facts.push(("signed", settings.sign.what().to_owned()));
    facts.push((
        "encrypted",
        settings
            .encryption
            .as_ref()
            .map_or_else(|| "no".to_owned(), |how| format!("the assertion, {}", how.content.name())),
    ));
    facts.push(("hears of the logout", if hears_of_logout { "yes" } else { "no" }.to_owned()));
    let mut steps = TraceLog::new();
    steps.sent(frame.now, "Response", facts);
    steps
}

/// Tells the app that there is no login; on a page where nobody asked, or where the address is not the
/// app's any more.
pub(crate) async fn refuse(
    services: &Services,
    tenant: &Arc<Tenant>,
    continuation: &[u8],
    refusal: &Refusal,
    trace: TraceId,
) -> Reply {
    let now = services.clock.now();
    let known = Asked::from_bytes(continuation).filter(|asked| asked.request.is_some()).and_then(|asked| {
        let settings = SpSettings::of(tenant.app_by_id(asked.app)?, now).ok()?;
        (!settings.expired(now) && asked.is_registered(&settings)).then_some((asked, settings))
    });
    if let Some((asked, settings)) = known {
        let public = format!("{} (trace {trace})", refusal.public);
        let answering = Answering { services, tenant, login: None, trace };
        let told = status(&answering, &asked, settings, Status::of(refusal.kind, &public), now).await;
        if let Ok(reply) = told {
            return reply;
        }
    }
    let status = match refusal.kind {
        RefusalKind::ServerError => 500,
        RefusalKind::TemporarilyUnavailable => 503,
        RefusalKind::AccessDenied => 403,
        _ => 400,
    };
    Reply::page(Page::Error(ErrorPage {
        status,
        tenant: Some(tenant.display_name.clone()),
        sentence: refusal.public.clone(),
        trace: Some(trace),
        way_back: None,
    }))
}

/// A signed response with a status and nothing else.
///
/// # Errors
/// It could not be signed; the text is for the trace.
pub(crate) async fn status(
    answering: &Answering<'_>,
    asked: &Asked,
    settings: Arc<SpSettings>,
    status: Status,
    now: Timestamp,
) -> Result<Reply, String> {
    let frame = frame(answering.tenant, asked, answering.services.rng.as_ref(), now);
    made(answering, asked, settings, frame, Content::Status(status)).await
}

/// Who answers, and under which trace.
pub(crate) struct Answering<'a> {
    pub(crate) services: &'a Services,
    pub(crate) tenant: &'a Arc<Tenant>,
    /// Where the person came from, and the session; `None` where the answer is about nobody.
    pub(crate) login: Option<(ConnectionId, SessionId)>,
    pub(crate) trace: TraceId,
}

async fn made(
    answering: &Answering<'_>,
    asked: &Asked,
    settings: Arc<SpSettings>,
    frame: ResponseParts,
    content: Content,
) -> Result<Reply, String> {
    let keys = Arc::clone(&answering.tenant.keys);
    let turns = Arc::clone(&settings.turns);
    let work = move || build(&frame, &content, &settings, &keys).map(|xml| (frame, xml));
    let (frame, xml) = in_turn(turns, work).await.map_err(|error| error.to_string())??;
    match asked.by {
        AcsBinding::Post => Ok(frame.post(&xml)),
        AcsBinding::Artifact => artifact::send(answering, asked, &xml, frame.now).await,
    }
}

fn frame(tenant: &Tenant, asked: &Asked, rng: &dyn Rng, now: Timestamp) -> ResponseParts {
    ResponseParts {
        id: message_id(rng),
        issuer: entity_id(tenant),
        now,
        destination: asked.acs.clone(),
        in_response_to: asked.request.clone(),
        relay_state: asked.relay_state.clone(),
    }
}

/// Our session's end, or the app's own limit before it.
fn session_end(identity: &IssuedIdentity, settings: &SpSettings, now: Timestamp) -> Timestamp {
    let own = settings.session_lifetime.map(|lifetime| now + lifetime);
    own.map_or(identity.session_limit, |own| own.min(identity.session_limit))
}

/// The app hears of the session's end where it can.
fn participant(
    finish: &Finish<'_>,
    settings: &SpSettings,
    name: &OwnedNameId,
    index: &str,
    idp: &str,
) -> Option<Participant> {
    settings.joins_logout().then(|| Participant {
        app: finish.app.id,
        key: name.key(idp, &settings.sp.entity_id),
        index: Some(index.to_owned()),
        memory: json!({ "name": name, "index": index }),
    })
}
