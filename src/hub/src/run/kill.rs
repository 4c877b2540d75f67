//! An administrator ends what a person holds, or one session.

use std::sync::Arc;

use fedbridge_contract::epoch::{Epoch, Killed};
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{PersonId, SessionId};
use fedbridge_contract::logout::Channel;
use fedbridge_contract::trace::TraceLog;
use futures_util::future::join;

use super::logout::{Asker, Begin};
use super::snapshot::TenantSnapshot;
use super::{Happened, Hub, Initiator};
use crate::ports::{EpochStore, StoredSession, UnitError};

/// What a kill of a person came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PersonKilled {
    pub epoch: Epoch,
    /// Sessions that were ended one by one.
    pub sessions: usize,
}

impl Hub {
    /// Ends all that a person was given, offline access too. It is dead on all nodes with the number; then the
    /// sessions are ended one by one, so that apps are told. `None`: there is no such person.
    ///
    /// # Errors
    /// The store does not answer. What was killed before that stays dead.
    pub async fn kill_person(
        &self,
        epochs: &dyn EpochStore,
        tenant: &Arc<TenantSnapshot>,
        person: PersonId,
    ) -> Result<Option<PersonKilled>, StoreError> {
        let now = self.services.clock.now();
        let Some(epoch) = epochs.kill(Killed::Person(tenant.view.id, person), now).await? else { return Ok(None) };
        // The kill is a unit of its own, which knows nothing of receivers: they are told right behind it.
        let revoked = Happened::SessionRevoked { session: None, by: Initiator::Admin };
        self.announce_behind(tenant, person, &[revoked]).await;
        let sessions = self.end_killed(tenant, person, epoch).await?;
        Ok(Some(PersonKilled { epoch, sessions }))
    }

    /// Ends the sessions of a person who was killed one by one, so that apps are told. Gives back how many.
    ///
    /// # Errors
    /// The store does not answer.
    pub(super) async fn end_killed(
        &self,
        tenant: &Arc<TenantSnapshot>,
        person: PersonId,
        epoch: Epoch,
    ) -> Result<usize, StoreError> {
        let (id, now) = (tenant.view.id, self.services.clock.now());
        let kept = self.upstream_tokens.give_up_all(id, person).await?;
        let mut sessions = self.logouts.sessions_of_person(id, person, now).await?;
        // The person may have logged in again by now: that session carries the number, and lives.
        sessions.retain(|stored| self.session_record(id, stored).is_none_or(|record| record.epoch.is_before(epoch)));
        let count = sessions.len();
        let (ended, _) = join(self.end_all(tenant, sessions), self.revoke_tokens(tenant, kept)).await;
        ended?;
        Ok(count)
    }

    /// Ends one session, with what its apps were given in it. False: there is no such session.
    ///
    /// # Errors
    /// The store does not answer.
    pub async fn end_session(&self, tenant: &Arc<TenantSnapshot>, session: SessionId) -> Result<bool, StoreError> {
        let now = self.services.clock.now();
        let Some(stored) = self.logouts.session_by_id(tenant.view.id, session, now).await? else { return Ok(false) };
        self.end_all(tenant, vec![stored]).await?;
        Ok(true)
    }

    async fn end_all(&self, tenant: &Arc<TenantSnapshot>, sessions: Vec<StoredSession>) -> Result<(), StoreError> {
        if sessions.is_empty() {
            return Ok(());
        }
        let mut steps = TraceLog::new();
        steps.decide("asked by", "an administrator", true);
        let begin = Begin {
            tenant: Arc::clone(tenant),
            asker: Asker::Administrator,
            channel: Channel::Back,
            framed_by: None,
            once: Vec::new(),
            sessions,
            steps,
            trace: self.new_trace_id(),
        };
        match self.begin_logout(begin).await {
            // No browser waits for the page. Who was told is in the trace, and the outbox goes on.
            Ok(run) => drop(self.carry_on(run).await),
            Err(UnitError::Store(error)) => return Err(error),
            Err(UnitError::Guard(guard)) => return Err(StoreError(format!("the store refused: {guard:?}"))),
        }
        Ok(())
    }
}
