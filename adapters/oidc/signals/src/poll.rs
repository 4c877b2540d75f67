//! Polls (RFC 8936): a receiver fetches what waits, and says what it has. What it has not acknowledged comes again.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use fedbridge_contract::http::Reply;
use fedbridge_contract::ids::{AppId, SignalId};
use fedbridge_contract::signals::{Delivery, Signal, Stream, StreamStatus};
use serde_json::{Map, Value, json};

use crate::answer::Refused;
use crate::token;
use crate::transmitter::Asked;

/// Signals of one answer.
const MOST: u32 = 100;

/// Polls that wait at a time on one node, and how many of them are one receiver's.
const WAITING: usize = 256;
const OF_ONE: usize = 4;

/// A receiver that may wait is answered at the latest after so many looks, this far apart.
const LOOKS: u32 = 40;
const LOOK: Duration = Duration::from_millis(500);

/// Polls that wait. Few may at a time, because each holds a request, and no receiver takes the turns of the others.
#[derive(Default)]
pub struct Waiting(Mutex<HashMap<AppId, usize>>);

/// The right to wait, until it is dropped.
struct Turn<'w> {
    waiting: &'w Waiting,
    app: AppId,
}

impl Waiting {
    fn turn(&self, app: AppId) -> Option<Turn<'_>> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_this = all.get(&app).copied().unwrap_or_default();
        if of_this >= OF_ONE || all.values().sum::<usize>() >= WAITING {
            return None;
        }
        all.insert(app, of_this + 1);
        Some(Turn { waiting: self, app })
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let mut all = self.waiting.0.lock().unwrap_or_else(PoisonError::into_inner);
        match all.get_mut(&self.app) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(all.remove(&self.app)),
        }
    }
}

pub async fn poll(asked: &Asked<'_>) -> Result<Reply, Refused> {
    let body = asked.body()?;
    let stream = asked.stream().await?.ok_or(Refused::NoStream)?;
    if stream.delivery != Delivery::Poll {
        return Err(Refused::NoStream);
    }
    settle(asked, &body).await?;
    let most = match body.get("maxEvents") {
        None | Some(Value::Null) => MOST,
        Some(most) => match most.as_u64().map(|most| u32::try_from(most).unwrap_or(MOST)) {
            Some(most) => most.min(MOST),
            None => return Err(Refused::Malformed("maxEvents is no number.")),
        },
    };
    let at_once = match body.get("returnImmediately") {
        None | Some(Value::Null) => false,
        Some(at_once) => at_once.as_bool().ok_or(Refused::Malformed("returnImmediately is no boolean."))?,
    };
    if most == 0 || stream.status == StreamStatus::Disabled {
        return Ok(answer(Map::new(), false));
    }
    let turn = if at_once { None } else { asked.waiting.turn(asked.app.id) };
    let looks = if turn.is_some() { LOOKS } else { 1 };
    for look in 0..looks {
        if look > 0 {
            tokio::time::sleep(LOOK).await;
        }
        let (found, more) = found(asked, &stream, most).await?;
        if !found.is_empty() {
            return Ok(answer(written(asked, &found)?, more));
        }
    }
    Ok(answer(Map::new(), false))
}

/// The oldest ones that it wants. The others go.
async fn found(asked: &Asked<'_>, stream: &Stream, most: u32) -> Result<(Vec<Signal>, bool), Refused> {
    if stream.status == StreamStatus::Paused {
        return Ok((Vec::new(), false));
    }
    let (tenant, app, signals) = (asked.request.tenant.id, asked.app.id, &asked.services.signals);
    let now = asked.services.clock.now();
    let mut waiting = signals.waiting(tenant, app, most.saturating_add(1), now).await?;
    let more = waiting.len() > most as usize;
    waiting.truncate(most as usize);
    let (wanted, unwanted): (Vec<_>, Vec<_>) = waiting.into_iter().partition(|one| stream.wants(&one.event));
    let unwanted: Vec<_> = unwanted.iter().map(|one| one.id).collect();
    if !unwanted.is_empty() {
        signals.settle(tenant, app, &unwanted).await?;
    }
    Ok((wanted, more))
}

fn written(asked: &Asked<'_>, signals: &[Signal]) -> Result<Map<String, Value>, Refused> {
    let mut sets = Map::new();
    for signal in signals {
        let token = token::mint(asked.request.tenant, asked.app, asked.settings, signal);
        let token = token.map_err(|_| Refused::Unavailable)?;
        sets.insert(signal.id.to_string(), Value::String(token));
    }
    Ok(sets)
}

fn answer(sets: Map<String, Value>, more: bool) -> Reply {
    let mut out = json!({ "sets": sets });
    if let (true, Value::Object(out)) = (more, &mut out) {
        out.insert("moreAvailable".into(), json!(true));
    }
    Reply::json(200, &out)
}

/// What it has, and what it could not use (section 2.3): neither comes again.
async fn settle(asked: &Asked<'_>, body: &Map<String, Value>) -> Result<(), Refused> {
    const WRONG: Refused = Refused::Malformed("ack is a list of jti, and setErrs an object of them.");
    let mut done: Vec<SignalId> = Vec::new();
    if let Some(acknowledged) = body.get("ack").filter(|ack| !ack.is_null()) {
        let texts = acknowledged.as_array().ok_or(WRONG)?;
        done.extend(texts.iter().filter_map(Value::as_str).filter_map(|jti| jti.parse::<SignalId>().ok()));
    }
    if let Some(refused) = body.get("setErrs").filter(|refused| !refused.is_null()) {
        for jti in refused.as_object().ok_or(WRONG)?.keys() {
            asked.services.counters.refused("signals", "set_error");
            done.extend(jti.parse::<SignalId>().ok());
        }
    }
    if !done.is_empty() {
        asked.services.signals.settle(asked.request.tenant.id, asked.app.id, &done).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn no_receiver_takes_the_turns_of_the_others() {
        let app = |number: u32| format!("00000000-0000-0000-0000-{number:012x}").parse::<AppId>().unwrap();
        let waiting = Waiting::default();
        let mut turns: Vec<_> = (0..OF_ONE).map(|_| waiting.turn(app(0)).unwrap()).collect();
        assert!(waiting.turn(app(0)).is_none());
        turns.pop();
        turns.push(waiting.turn(app(0)).unwrap());
        turns.extend((1..).map_while(|number| waiting.turn(app(number))));
        assert_eq!(turns.len(), WAITING);
        drop(turns);
        assert!(waiting.0.lock().unwrap().is_empty(), "whoever waits no more is forgotten");
    }
}
