//! Answers by reference (SAML bindings 3.6): the browser carries an artifact, and what it stands for waits
//! here until the app fetches it ([`crate::resolve`]).

use std::time::Duration;

use fedbridge_contract::config::{App, Tenant};
use fedbridge_contract::error::StoreError;
use fedbridge_contract::http::{Reply, ReplyKind};
use fedbridge_contract::ids::{AppId, TraceId};
use fedbridge_contract::services::{GateRefusal, Services, WaitingAnswer};
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::upstream::Challenge;
use fedbridge_saml_core::binding::artifact::{self, Artifact};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::answer::Answering;
use crate::asked::Asked;
use crate::provider::entity_id;

/// The index of the one resolution service in our metadata.
pub(crate) const ENDPOINT_INDEX: u16 = 0;

/// How long an answer waits: the app asks as soon as the browser is there.
const LIFETIME: Duration = Duration::from_secs(60);

/// How long we can say what became of an artifact: an app that comes too late comes soon after.
const NOTED: Duration = Duration::from_secs(600);

/// The purposes of answers and of notes among the handles.
const ANSWER: &str = "saml.artifact";
const NOTE: &str = "saml.artifact.note";

/// What is known of an artifact longer than it is good for: whose it is, and nothing about a person.
#[derive(Serialize, Deserialize)]
struct Note {
    app: AppId,
    ends: Timestamp,
    /// The login that it answers.
    trace: TraceId,
    #[serde(flatten)]
    answer: WaitingAnswer,
}

/// Lets a response wait, and sends the browser to the app with an artifact for it.
///
/// It waits before the login is durable. Where the login fails after all, the artifact never leaves, and
/// nobody can guess it.
///
/// # Errors
/// It could not be stored; the text is for the trace.
pub(crate) async fn send(
    answering: &Answering<'_>,
    asked: &Asked,
    response: &[u8],
    now: Timestamp,
) -> Result<Reply, String> {
    let Answering { services, tenant, login, trace } = *answering;
    let target = Url::parse(&asked.acs).map_err(|error| error.to_string())?;
    let mut handle = [0; 20];
    services.rng.fill(&mut handle);
    let source_id = Artifact::source_of(&entity_id(tenant));
    let artifact = Artifact { endpoint_index: ENDPOINT_INDEX, source_id, handle };
    let (text, ends) = (artifact.text(), now + LIFETIME);
    let (connection, session) = login.unzip();
    let answer = WaitingAnswer { epoch: services.gate.epoch(), connection, session };
    let note = Note { app: asked.app, ends, trace, answer };
    let note = serde_json::to_vec(&note).map_err(|error| error.to_string())?;
    let stored = async {
        services.handles.put(tenant.id, NOTE, &text, &note, now + NOTED).await?;
        services.handles.put(tenant.id, ANSWER, &text, response, ends).await
    };
    stored.await.map_err(|error: StoreError| error.to_string())?;
    Ok(match artifact::send(&target, &artifact, asked.relay_state.as_deref()) {
        Challenge::Redirect(location) => Reply::redirect(location),
        Challenge::AutoPost { action, fields } => ReplyKind::AutoPost { action, fields }.into(),
    })
}

/// What an artifact is worth.
pub(crate) enum Worth {
    /// A response, now used up, and the trace of its login.
    Answer(Vec<u8>, TraceId),
    /// Why there is nothing, and the trace of the login whose answer it was, where that app itself asks.
    Nothing { why: String, login: Option<TraceId> },
}

/// Fetches what waits for this app, once.
///
/// # Errors
/// The store does not answer.
pub(crate) async fn redeem(
    services: &Services,
    tenant: &Tenant,
    app: &App,
    text: &str,
    now: Timestamp,
) -> Result<Worth, StoreError> {
    let nothing = |why: &str| Ok(Worth::Nothing { why: why.to_owned(), login: None });
    let Ok(artifact) = Artifact::read(text) else { return nothing("no artifact of type 4") };
    if artifact.source_id != Artifact::source_of(&entity_id(tenant)) {
        return nothing("one of another provider");
    }
    let text = artifact.text();
    let note = services.handles.peek(tenant.id, NOTE, &text, now).await?;
    let Some(note) = note.and_then(|octets| serde_json::from_slice::<Note>(&octets).ok()) else {
        return nothing("one that is not known here");
    };
    // Whoever else asks learns nothing and takes nothing away (SAML bindings 3.6.5.2).
    if note.app != app.id {
        return nothing("one for another app");
    }
    match services.gate.waiting(tenant, app, &note.answer).await {
        Ok(_) => {}
        Err(refusal @ GateRefusal::Unsure) => return Err(StoreError(refusal.to_string())),
        Err(refusal) => return Ok(Worth::Nothing { why: refusal.to_string(), login: Some(note.trace) }),
    }
    let why = match services.handles.take(tenant.id, ANSWER, &text, now).await? {
        Some(response) => return Ok(Worth::Answer(response, note.trace)),
        None if now >= note.ends => format!("one that ended at {}", note.ends.rfc3339()),
        None => "one that was used before".to_owned(),
    };
    Ok(Worth::Nothing { why, login: Some(note.trace) })
}
