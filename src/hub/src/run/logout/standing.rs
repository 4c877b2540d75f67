//! An upstream that says by a signal that a person's account is disabled, or enabled again.

use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::PersonId;
use fedbridge_contract::logout::{LogoutSelector, Standing};
use fedbridge_contract::trace::TraceLog;

use crate::ports::{Command, ShutOut, Unit, UnitError};
use crate::run::record::AskedOnce;
use crate::run::snapshot::TenantSnapshot;
use crate::run::start::spent;
use crate::run::{Happened, Hub};

impl Hub {
    /// Keeps people out, or lets them in again. It is durable before anything ends: who is out stays out also where the
    /// rest fails.
    pub(super) async fn stand(
        &self,
        tenant: &TenantSnapshot,
        selector: &LogoutSelector,
        people: &[PersonId],
        standing: Standing,
    ) -> Result<(), UnitError> {
        let (LogoutSelector::Person { connection, .. }, Some(out)) = (selector, standing.out()) else { return Ok(()) };
        let happened = [if out { Happened::AccountDisabled } else { Happened::AccountEnabled }];
        let now = self.services.clock.now();
        for person in people {
            let mut commands = vec![Command::ShutPerson(ShutOut { person: *person, connection: *connection, out })];
            commands.extend(self.signals(tenant, *person, (self.new_trace_id(), now), &happened));
            self.store.commit(tenant.view.id, Unit { commands, now }).await?;
        }
        Ok(())
    }

    /// People may come in again. The message is used up before: whoever sends it again must not undo what came after it.
    /// False: there is nobody.
    pub(super) async fn let_in(
        &self,
        tenant: &TenantSnapshot,
        selector: &LogoutSelector,
        once: Vec<AskedOnce>,
        steps: &mut TraceLog,
    ) -> Result<bool, UnitError> {
        let now = self.services.clock.now();
        let commands = once.into_iter().map(spent).collect();
        self.store.commit(tenant.view.id, Unit { commands, now }).await?;
        let people = self.people_of(tenant, selector).await?;
        self.stand(tenant, selector, &people, Standing::In).await?;
        steps.decide("person", format!("{} may come in again, as far as the upstream goes", people.len()), true);
        Ok(!people.is_empty())
    }

    /// Whom a selector means, each once.
    pub(super) async fn people_of(
        &self,
        tenant: &TenantSnapshot,
        selector: &LogoutSelector,
    ) -> Result<Vec<PersonId>, StoreError> {
        let mut people = match selector {
            LogoutSelector::Person { connection, named } => self.named(tenant, *connection, named).await?,
            _ => self.selected(tenant, selector).await?.iter().map(|session| session.person).collect(),
        };
        people.sort_unstable();
        people.dedup();
        Ok(people)
    }
}
