//! A look because of a message that was signed with a key nobody knows, or a login that has to wait for the first
//! document. Strangers can cause both, so it is limited; and who does waits for a short time only, so the look is
//! a task of its own.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use fedbridge_contract::ids::TenantId;
use fedbridge_contract::logout::Party;
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::run::{Refreshed, Refresher};

use super::{Keeper, Seen, Trigger, unread};

/// No more often than this for each partner, and for one of whom nothing is there that a login can use.
const PAUSE: Duration = Duration::from_secs(300);
const PAUSE_STOPPED: Duration = Duration::from_secs(10);

/// Looks for the hub.
pub struct LookOnDemand {
    keeper: Arc<Keeper>,
    /// When somebody made us look at a partner's document last.
    turns: Mutex<HashMap<(TenantId, Party), Turn>>,
}

/// Held while we look because somebody asked, so that whoever has the same question waits for the answer.
type Turn = Arc<tokio::sync::Mutex<Option<Timestamp>>>;

impl LookOnDemand {
    pub fn new(keeper: Arc<Keeper>) -> Self {
        Self { keeper, turns: Mutex::default() }
    }

    /// The turn of this partner's messages. Those of others that limit nothing any more are forgotten.
    fn turn(&self, tenant: TenantId, party: Party) -> Turn {
        let now = self.keeper.services.clock.now();
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        turns.retain(|_, turn| {
            let idle = Arc::strong_count(turn) == 1;
            !idle || turn.try_lock().is_ok_and(|last| limits(*last, PAUSE, now))
        });
        Arc::clone(turns.entry((tenant, party)).or_default())
    }
}

/// Whether a look at that time is too short ago for another one.
fn limits(last: Option<Timestamp>, pause: Duration, now: Timestamp) -> bool {
    last.is_some_and(|last| now.since(last) < pause)
}

#[async_trait]
impl Refresher for LookOnDemand {
    async fn refresh(&self, tenant: TenantId, party: Party) -> Refreshed {
        let mut last = self.turn(tenant, party).lock_owned().await;
        let now = self.keeper.services.clock.now();
        let pause = if self.keeper.stops_logins(tenant, party) { PAUSE_STOPPED } else { PAUSE };
        if limits(*last, pause, now) {
            return Refreshed::Limited;
        }
        *last = Some(now);
        let keeper = Arc::clone(&self.keeper);
        // It goes on when this login gives up waiting, so that the next one profits.
        let look = tokio::spawn(async move {
            let refreshed = look(&keeper, tenant, party).await;
            drop(last);
            refreshed
        });
        look.await.unwrap_or(Refreshed::Unchanged)
    }
}

async fn look(keeper: &Keeper, tenant: TenantId, party: Party) -> Refreshed {
    match keeper.store.document(tenant, party).await {
        Ok(Some(document)) => {
            let stops = unread(&document) || keeper.stops_logins(tenant, party);
            let trigger = if stops { Trigger::Login } else { Trigger::UnknownKey };
            let seen = keeper.look(&document, trigger).await;
            // Also where nothing was new: another node may have adopted the document a moment ago.
            if let Err(error) = keeper.follower.step().await {
                tracing::warn!(%error, "a new document will be taken over a moment later");
                return Refreshed::Unchanged;
            }
            if seen == Seen::Adopted { Refreshed::Changed } else { Refreshed::Unchanged }
        }
        // It was given as a file: there is nowhere to look.
        Ok(None) => Refreshed::Limited,
        Err(error) => {
            tracing::warn!(%error, "a partner's document could not be read");
            Refreshed::Unchanged
        }
    }
}
