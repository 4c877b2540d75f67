//! A receiver's stream: asked for, shown, changed, given up (Shared Signals Framework 1.0 sections 8.1.1, 8.1.2 and 8.1.4).

use fedbridge_contract::config::App;
use fedbridge_contract::http::{Method, Reply};
use fedbridge_contract::ids::{SignalId, TraceId};
use fedbridge_contract::services::random_text;
use fedbridge_contract::signals::{Delivery, Signal, Stream, StreamStatus, VERIFICATION};
use serde_json::{Map, Value, json};

use crate::answer::{Refused, empty};
use crate::configuration::{POLL, PUSH};
use crate::settings::{Settings, is_endpoint};
use crate::token::audience;
use crate::transmitter::{Asked, KEPT};

/// Seconds between two verifications.
const VERIFICATIONS: u64 = 5;

/// The longest text that a receiver gives, in octets.
const MAX_TEXT: usize = 2048;

/// Types of events that a receiver may name.
const MAX_EVENTS: usize = 100;

/// What is in force, of what the administrator has written and what the receiver has asked for.
pub fn in_force(app: &App, settings: &Settings, kept: Option<Stream>) -> Option<Stream> {
    let Some(url) = &settings.push_url else { return kept };
    let written = Delivery::Push { url: url.clone(), authorization: None };
    Some(match kept {
        Some(kept) => Stream { delivery: written, ..kept },
        None => Stream {
            id: app.name.clone(),
            delivery: written,
            requested: Vec::new(),
            status: StreamStatus::Enabled,
            reason: None,
            description: None,
        },
    })
}

pub async fn stream(asked: &Asked<'_>) -> Result<Reply, Refused> {
    match asked.request.input.method {
        Method::Get => shown(asked).await,
        Method::Post => create(asked).await,
        Method::Patch | Method::Put => change(asked).await,
        Method::Delete => give_up(asked).await,
        Method::Options => Ok(empty(204)),
    }
}

/// One where it is named, else a list.
async fn shown(asked: &Asked<'_>) -> Result<Reply, Refused> {
    let found = asked.stream().await?;
    let query = asked.request.input.query_params();
    match query.iter().find(|(name, _)| name == "stream_id") {
        None => {
            let all: Vec<_> = found.iter().map(|stream| described(asked, stream)).collect();
            Ok(Reply::json(200, &all))
        }
        Some((_, id)) => match found.filter(|stream| stream.id == *id) {
            Some(stream) => Ok(Reply::json(200, &described(asked, &stream))),
            None => Err(Refused::NoStream),
        },
    }
}

async fn create(asked: &Asked<'_>) -> Result<Reply, Refused> {
    let body = asked.body()?;
    if asked.stream().await?.is_some() {
        return Err(Refused::Exists);
    }
    let stream = Stream {
        id: random_text::<16>(asked.services.rng.as_ref()),
        delivery: delivery(&body)?.unwrap_or(Delivery::Poll),
        requested: requested(&body)?.unwrap_or_default(),
        status: StreamStatus::Enabled,
        reason: None,
        description: text(&body, "description")?,
    };
    asked.keep(&stream).await?;
    Ok(Reply::json(201, &described(asked, &stream)))
}

/// What a PUT leaves out is as at the beginning, but for the delivery: it can't be nowhere.
async fn change(asked: &Asked<'_>) -> Result<Reply, Refused> {
    let body = asked.body()?;
    let before = asked.named(&body).await?;
    let whole = asked.request.input.method == Method::Put;
    let wanted = delivery(&body)?;
    if let Some(wanted) = &wanted
        && asked.settings.push_url.is_some()
        && address(wanted) != address(&before.delivery)
    {
        return Err(Refused::Forbidden("Where events are pushed to is written by the administrator."));
    }
    let kept = |before: Vec<String>| if whole { Vec::new() } else { before };
    let stream = Stream {
        delivery: wanted.unwrap_or(before.delivery),
        requested: requested(&body)?.unwrap_or_else(|| kept(before.requested)),
        description: text(&body, "description")?.or(before.description.filter(|_| !whole)),
        ..before
    };
    asked.keep(&stream).await?;
    Ok(Reply::json(200, &described(asked, &stream)))
}

async fn give_up(asked: &Asked<'_>) -> Result<Reply, Refused> {
    let query = asked.request.input.query_params();
    let named = query.iter().find(|(name, _)| name == "stream_id").map(|(_, id)| id.clone());
    let found = asked.stream().await?.filter(|stream| named.is_none_or(|id| id == stream.id));
    if found.is_none() {
        return Err(Refused::NoStream);
    }
    if asked.settings.push_url.is_some() {
        return Err(Refused::Forbidden("The stream is written by the administrator; it can be disabled."));
    }
    asked.services.signals.forget_stream(asked.request.tenant.id, asked.app.id).await?;
    Ok(empty(204))
}

pub async fn status(asked: &Asked<'_>) -> Result<Reply, Refused> {
    if asked.request.input.method == Method::Get {
        let query = asked.request.input.query_params();
        let named = query.iter().find(|(name, _)| name == "stream_id").map(|(_, id)| id.clone());
        let found = asked.stream().await?.filter(|stream| named.is_none_or(|id| id == stream.id));
        return found.map(|stream| standing(&stream)).ok_or(Refused::NoStream);
    }
    let body = asked.body()?;
    let before = asked.named(&body).await?;
    let status = match body.get("status").and_then(Value::as_str) {
        Some("enabled") => StreamStatus::Enabled,
        Some("paused") => StreamStatus::Paused,
        Some("disabled") => StreamStatus::Disabled,
        _ => return Err(Refused::Malformed("The status is enabled, paused or disabled.")),
    };
    let stream = Stream { status, reason: text(&body, "reason")?, ..before };
    asked.keep(&stream).await?;
    Ok(standing(&stream))
}

/// Section 8.1.4: an event comes with the `state` that the receiver has named.
pub async fn verify(asked: &Asked<'_>) -> Result<Reply, Refused> {
    let body = asked.body()?;
    let stream = asked.named(&body).await?;
    let state = text(&body, "state")?;
    let (tenant, app, now) = (asked.request.tenant.id, asked.app.id, asked.request.now);
    let expires = now + std::time::Duration::from_secs(VERIFICATIONS);
    if !asked.services.grants.remember_once(tenant, "signals verification", &app.to_string(), expires).await? {
        return Err(Refused::TooMany(VERIFICATIONS));
    }
    let rng = asked.services.rng.as_ref();
    let signal = Signal {
        id: SignalId::at(now, rng),
        made: now,
        txn: TraceId::at(now, rng).to_string(),
        event: VERIFICATION.to_owned(),
        claims: state.map_or_else(|| json!({}), |state| json!({ "state": state })),
        subject: json!({ "format": "opaque", "id": stream.id }),
    };
    asked.services.signals.add(tenant, app, &signal, now + KEPT).await?;
    Ok(empty(204))
}

fn standing(stream: &Stream) -> Reply {
    let mut out = json!({ "stream_id": stream.id, "status": stream.status });
    if let (Some(reason), Value::Object(out)) = (&stream.reason, &mut out) {
        out.insert("reason".into(), json!(reason));
    }
    Reply::json(200, &out)
}

fn described(asked: &Asked<'_>, stream: &Stream) -> Value {
    let (tenant, allowed) = (asked.request.tenant, &asked.settings.hears.events);
    let delivered: Vec<_> = allowed.iter().filter(|event| stream.wants(event)).collect();
    let delivery = match &stream.delivery {
        Delivery::Push { url, .. } => json!({ "method": PUSH, "endpoint_url": url }),
        Delivery::Poll => json!({ "method": POLL, "endpoint_url": format!("{}/signals/poll", tenant.issuer) }),
    };
    let mut out = json!({
        "stream_id": stream.id,
        "iss": tenant.issuer,
        "aud": audience(tenant, asked.app, asked.settings),
        "events_supported": allowed,
        "events_requested": stream.requested,
        "events_delivered": delivered,
        "delivery": delivery,
        "min_verification_interval": VERIFICATIONS,
    });
    if let (Some(description), Value::Object(out)) = (&stream.description, &mut out) {
        out.insert("description".into(), json!(description));
    }
    out
}

fn delivery(body: &Map<String, Value>) -> Result<Option<Delivery>, Refused> {
    let Some(wanted) = body.get("delivery") else { return Ok(None) };
    let Some(wanted) = wanted.as_object() else { return Err(Refused::Malformed("The delivery is no object.")) };
    match wanted.get("method").and_then(Value::as_str) {
        Some(POLL) => Ok(Some(Delivery::Poll)),
        Some(PUSH) => {
            let url = text(wanted, "endpoint_url")?.ok_or(Refused::Malformed("The endpoint_url is missing."))?;
            is_endpoint(&url).map_err(|_| Refused::Malformed("The endpoint_url can't be used."))?;
            let authorization = text(wanted, "authorization_header")?;
            if authorization.as_deref().is_some_and(|value| value.chars().any(|c| !(' '..='~').contains(&c))) {
                return Err(Refused::Malformed("The authorization_header can't be sent."));
            }
            Ok(Some(Delivery::Push { url, authorization }))
        }
        _ => Err(Refused::Malformed("The method of the delivery is not supported.")),
    }
}

fn address(delivery: &Delivery) -> Option<&str> {
    match delivery {
        Delivery::Push { url, .. } => Some(url),
        Delivery::Poll => None,
    }
}

fn requested(body: &Map<String, Value>) -> Result<Option<Vec<String>>, Refused> {
    const WRONG: Refused = Refused::Malformed("The events_requested are no list of texts, or too many.");
    let Some(wanted) = body.get("events_requested") else { return Ok(None) };
    let wanted = wanted.as_array().filter(|list| list.len() <= MAX_EVENTS).ok_or(WRONG)?;
    let texts = wanted.iter().map(|one| one.as_str().filter(|text| text.len() <= MAX_TEXT).map(str::to_owned));
    texts.collect::<Option<Vec<_>>>().map(Some).ok_or(WRONG)
}

fn text(object: &Map<String, Value>, name: &str) -> Result<Option<String>, Refused> {
    match object.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.len() <= MAX_TEXT => Ok(Some(text.clone())),
        Some(_) => Err(Refused::Malformed("A member is no text, or too long.")),
    }
}
