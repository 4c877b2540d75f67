//! Whom a receiver wants to hear of (Shared Signals Framework 1.0 section 8.1.3). It hears of everybody, until it takes
//! somebody out.

use fedbridge_contract::http::Reply;
use fedbridge_contract::signals::subject_hash;
use serde_json::{Map, Value};

use crate::answer::{Refused, empty};
use crate::transmitter::Asked;

/// Whether there is such a person is not told.
pub async fn add(asked: &Asked<'_>) -> Result<Reply, Refused> {
    set(asked, false).await.map(|()| empty(200))
}

pub async fn remove(asked: &Asked<'_>) -> Result<Reply, Refused> {
    set(asked, true).await.map(|()| empty(204))
}

async fn set(asked: &Asked<'_>, muted: bool) -> Result<(), Refused> {
    let body = asked.body()?;
    asked.named(&body).await?;
    let tenant = asked.request.tenant;
    let sub = sub(&body, &tenant.issuer)?;
    let hash = subject_hash(asked.services.tokens.as_ref(), tenant.id, sub);
    Ok(asked.services.signals.mute(tenant.id, asked.app.id, hash, muted).await?)
}

/// RFC 9493 section 3.2.2.
fn sub<'b>(body: &'b Map<String, Value>, issuer: &str) -> Result<&'b str, Refused> {
    const WRONG: Refused = Refused::Malformed("The subject has to be an iss_sub of this issuer.");
    let subject = body.get("subject").and_then(Value::as_object).ok_or(WRONG)?;
    let text = |name: &str| subject.get(name).and_then(Value::as_str);
    if text("format") != Some("iss_sub") || text("iss") != Some(issuer) {
        return Err(WRONG);
    }
    text("sub").filter(|sub| (1..=320).contains(&sub.len())).ok_or(WRONG)
}
