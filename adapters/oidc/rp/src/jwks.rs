//! The providers' keys: fetched when they are due or when one is missing, kept over reloads, and never fetched
//! again and again for a stranger.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fedbridge_contract::ids::{ConnectionId, TenantId};
use fedbridge_contract::services::{Egress, EgressLimits};
use fedbridge_contract::time::Timestamp;
use fedbridge_oidc_core::jwk::{PublicJwk, published_set};

/// The shortest and the longest time that a set is used without asking, whatever the provider says.
const SHORTEST: Duration = Duration::from_secs(300);
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// Where the provider says nothing.
const USUAL: Duration = Duration::from_secs(3600);
/// For this long the last good set is better than none.
const STALE: Duration = Duration::from_secs(24 * 3600);
/// The shortest time between two looks for keys that are missing, and between two after a failure.
const PAUSE: Duration = Duration::from_secs(60);
const LIMITS: EgressLimits = EgressLimits { max_body: 256 * 1024, timeout: Duration::from_secs(5) };
/// Sets that are kept at most; whichever was used longest ago goes first.
const MAX_SETS: usize = 20_000;

/// Which set, and for whom.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Place {
    pub tenant: TenantId,
    pub connection: ConnectionId,
    pub url: String,
}

/// Who brought the token that asks for a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asker {
    /// It came from the provider, over a connection that we opened.
    Provider,
    /// Anybody may have sent it, so it must not use up the looks of logins.
    Stranger,
}

/// All sets of a process.
#[derive(Default)]
pub struct KeySets {
    slots: Mutex<HashMap<Place, Arc<Slot>>>,
}

#[derive(Default)]
struct Slot {
    state: Mutex<State>,
    /// Held by whoever fetches.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    used: Option<Timestamp>,
    failed: Option<(Timestamp, String)>,
    /// The last look for a missing key, by who asked.
    missed: [Option<Timestamp>; 2],
    /// Counts fetches, so that whoever waited knows that one has ended.
    fetches: u64,
}

#[derive(Clone)]
struct Held {
    keys: Arc<Vec<PublicJwk>>,
    fetched: Timestamp,
    due: Timestamp,
}

impl KeySets {
    /// The keys at a place. Where `there` says that they lack one, they are fetched once more, unless that was done
    /// a short while ago. Of many callers one fetches.
    ///
    /// # Errors
    /// One clause: there are no keys, and why.
    pub async fn keys(
        &self,
        place: &Place,
        there: impl Fn(&[PublicJwk]) -> bool + Send + Sync,
        asker: Asker,
        egress: &dyn Egress,
        now: Timestamp,
    ) -> Result<Arc<Vec<PublicJwk>>, String> {
        let slot = self.slot(place, now);
        let (seen, missing) = match slot.decide(&there, asker, now) {
            Decision::Use(keys) => return Ok(keys),
            Decision::Failed(cause) => return Err(cause),
            Decision::Fetch { seen, missing } => (seen, missing),
        };
        let _turn = slot.turn.lock().await;
        // Somebody else may have fetched while this one waited.
        if slot.state().fetches == seen {
            slot.fetch(&place.url, missing.then_some(asker), egress, now).await;
        }
        let state = slot.state();
        match (state.held_at(now), &state.failed) {
            (Some(held), _) => Ok(held.keys),
            (None, Some((_, cause))) => Err(cause.clone()),
            (None, None) => Err(format!("{} could not be read", place.url)),
        }
    }

    /// The sets of a connection are due: the next use fetches.
    pub fn renew(&self, tenant: TenantId, connection: ConnectionId) {
        let slots = self.slots();
        let of = slots.iter().filter(|(place, _)| place.tenant == tenant && place.connection == connection);
        for (_, slot) in of {
            let mut state = slot.state();
            if let Some(held) = &mut state.held {
                held.due = held.fetched;
            }
            state.failed = None;
        }
    }

    fn slot(&self, place: &Place, now: Timestamp) -> Arc<Slot> {
        let mut slots = self.slots();
        if !slots.contains_key(place) && slots.len() >= MAX_SETS {
            let oldest = slots.iter().min_by_key(|(_, slot)| slot.state().used).map(|(place, _)| place.clone());
            oldest.and_then(|oldest| slots.remove(&oldest));
        }
        let slot = Arc::clone(slots.entry(place.clone()).or_default());
        slot.state().used = Some(now);
        slot
    }

    fn slots(&self) -> MutexGuard<'_, HashMap<Place, Arc<Slot>>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a caller does who needs a key.
enum Decision {
    Use(Arc<Vec<PublicJwk>>),
    Failed(String),
    /// `seen`: how many fetches there were when this was decided. `missing`: it is because of a missing key.
    Fetch {
        seen: u64,
        missing: bool,
    },
}

impl Slot {
    /// Decides without waiting.
    fn decide(&self, there: impl Fn(&[PublicJwk]) -> bool, asker: Asker, now: Timestamp) -> Decision {
        let state = self.state();
        let seen = state.fetches;
        let busy = self.turn.try_lock().is_err();
        let recent = |at: Option<Timestamp>| at.is_some_and(|at| now.since(at) < PAUSE);
        let paused = state.failed.as_ref().filter(|(at, _)| recent(Some(*at))).map(|(_, cause)| cause.clone());
        let Some(held) = state.held_at(now) else {
            return paused.map_or(Decision::Fetch { seen, missing: false }, Decision::Failed);
        };
        let good = there(&held.keys);
        if now >= held.due && paused.is_none() {
            // One goes; the others go on with what is there.
            return if busy && good { Decision::Use(held.keys) } else { Decision::Fetch { seen, missing: false } };
        }
        if good || (recent(state.missed[asker as usize]) && !busy) {
            return Decision::Use(held.keys);
        }
        Decision::Fetch { seen, missing: true }
    }

    /// `missing`: who asked for a key that was not there. Noted when the look has ended, so that one who hangs up
    /// spoils it for nobody.
    async fn fetch(&self, url: &str, missing: Option<Asker>, egress: &dyn Egress, now: Timestamp) {
        let fetched = fetch(url, egress).await;
        let mut state = self.state();
        state.fetches += 1;
        if let Some(asker) = missing {
            state.missed[asker as usize] = Some(now);
        }
        match fetched {
            Ok((keys, life)) => {
                state.held = Some(Held { keys: Arc::new(keys), fetched: now, due: now + life });
                state.failed = None;
            }
            Err(cause) => state.failed = Some((now, cause)),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// What is held, while it may be used at all.
    fn held_at(&self, now: Timestamp) -> Option<Held> {
        self.held.clone().filter(|held| now.since(held.fetched) < STALE)
    }
}

async fn fetch(url: &str, egress: &dyn Egress) -> Result<(Vec<PublicJwk>, Duration), String> {
    let fetched = egress.get(url, LIMITS).await.map_err(|error| error.to_string())?;
    if fetched.status != 200 {
        return Err(format!("{url} answered with status {}", fetched.status));
    }
    let keys = published_set(&fetched.body).map_err(|cause| format!("{url}: {cause}"))?;
    Ok((keys, fetched.max_age.unwrap_or(USUAL).clamp(SHORTEST, LONGEST)))
}
