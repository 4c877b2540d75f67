//! Notices that are left: a call had no answer, or the node that carried the logout is gone.

use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::error::StoreError;
use fedbridge_contract::logout::{Channel, Told};
use fedbridge_contract::services::{TraceEvent, TraceSink as _};
use fedbridge_contract::trace::{Outcome, TraceLog};
use futures_util::future::{join, join_all};

use super::channel::Way;
use super::word;
use crate::ports::{LogoutOutbox, StoredNotice};
use crate::run::Hub;
use crate::run::snapshot::TenantSnapshot;

/// How often due notices are looked for.
const LOOK: Duration = Duration::from_secs(1);

/// One node has a notice for this long: longer than a call takes.
const LEASE: Duration = Duration::from_secs(10);

/// Notices of one look.
const MOST: u32 = 32;

impl Hub {
    /// Delivers what is due, and goes on with logouts that were answered before, for ever. The server runs it
    /// in the background.
    pub async fn run_outbox(&self, outbox: &dyn LogoutOutbox) {
        join(self.deliver_for_ever(outbox), self.carry_behind()).await;
    }

    async fn deliver_for_ever(&self, outbox: &dyn LogoutOutbox) {
        loop {
            match self.deliver_notices(outbox).await {
                // There may be more of them.
                Ok(count) if count == MOST as usize => continue,
                Ok(_) => {}
                Err(error) => tracing::warn!(%error, "logout notices could not be looked for"),
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Delivers what is due once; gives back how many notices that were.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn deliver_notices(&self, outbox: &dyn LogoutOutbox) -> Result<usize, StoreError> {
        let due = outbox.claim(self.services.clock.now(), LEASE, MOST).await?;
        let count = due.len();
        for done in join_all(due.into_iter().map(|notice| self.deliver(notice))).await {
            done?;
        }
        Ok(count)
    }

    async fn deliver(&self, notice: StoredNotice) -> Result<(), StoreError> {
        let tenant = self.snapshots.current().tenant(notice.tenant).cloned();
        let way = match &tenant {
            Some(tenant) => self.tell(tenant, &notice).await,
            None => Way::Settled(Told::Silent),
        };
        let now = self.services.clock.now();
        let (logout, app) = (notice.logout, notice.participant.app);
        let channel = if matches!(way, Way::Browser) { Channel::Front } else { Channel::Back };
        let given_up = matches!(way, Way::Again);
        let told = match way {
            Way::Settled(told) => told,
            // The browser that could have carried it did not.
            Way::Browser => Told::Silent,
            Way::Again => {
                let next = now + pause(notice.attempts);
                self.logouts.put_off(notice.tenant, logout, app, next).await?;
                if next < notice.expires {
                    return Ok(());
                }
                // The store has given it up.
                Told::Silent
            }
        };
        let settled = self.logouts.settle(notice.tenant, logout, app, told, now).await?;
        if settled || given_up {
            self.observer.logout_notice(channel, told);
        }
        if let Some(tenant) = tenant {
            self.record_delivery(&tenant, &notice, told);
        }
        Ok(())
    }

    fn record_delivery(&self, tenant: &Arc<TenantSnapshot>, notice: &StoredNotice, told: Told) {
        let mut steps = TraceLog::new();
        let outcome = format!("from the outbox, try {}: {}", notice.attempts + 1, word(Some(told)));
        steps.decide("told", outcome, told == Told::Done);
        let ended = match told {
            Told::Done => (Outcome::Success, String::new()),
            _ => (Outcome::Error, format!("not told: {}", word(Some(told)))),
        };
        self.recorder.record(TraceEvent {
            app: tenant.view.app_by_id(notice.participant.app).map(|app| app.name.clone()),
            ..self.logout_event(tenant, self.new_trace_id(), ended, steps)
        });
    }
}

/// How long after the next failure it is tried again.
fn pause(attempts: u32) -> Duration {
    Duration::from_secs(match attempts {
        0 => 1,
        1 => 5,
        _ => 30,
    })
}
