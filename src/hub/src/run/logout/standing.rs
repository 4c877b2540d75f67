//! What an upstream says of people by a signal: an account that is disabled, or enabled again; a device that complies, or not.

use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::PersonId;
use fedbridge_contract::logout::{LogoutSelector, Manner};
use fedbridge_contract::trace::TraceLog;

use crate::ports::{Command, ShutOut, Unit, UnitError};
use crate::run::record::AskedOnce;
use crate::run::snapshot::TenantSnapshot;
use crate::run::start::spent;
use crate::run::{Happened, Hub};

impl Hub {
    /// Keeps people out, or lets them in again, and tells whoever wants to hear of it. It is durable before anything ends:
    /// who is out stays out also where the rest fails.
    pub(super) async fn stand(
        &self,
        tenant: &TenantSnapshot,
        selector: &LogoutSelector,
        people: &[PersonId],
        manner: &Manner,
    ) -> Result<(), UnitError> {
        let LogoutSelector::Person { connection, .. } = selector else { return Ok(()) };
        let out = manner.standing.out();
        let account = out.map(|out| if out { Happened::AccountDisabled } else { Happened::AccountEnabled });
        let happened: Vec<_> =
            account.into_iter().chain(manner.device.clone().map(Happened::DeviceCompliance)).collect();
        let now = self.services.clock.now();
        let said = manner.said.map(|said| said.min(now));
        for person in people {
            let shut = ShutOut { person: *person, connection: *connection, out: out.unwrap_or_default(), said };
            let shut = out.map(|_| Command::ShutPerson(shut));
            let told = self.signals(tenant, *person, (self.new_trace_id(), now), &happened);
            let commands: Vec<_> = shut.into_iter().chain(told).collect();
            if !commands.is_empty() {
                self.store.commit(tenant.view.id, Unit { commands, now }).await?;
            }
        }
        Ok(())
    }

    /// Good news, by which nothing ends: people may come in again, or a device complies. The message is used up before:
    /// whoever sends it again must not undo what came after it.
    pub(super) async fn good_news(
        &self,
        tenant: &TenantSnapshot,
        (selector, manner): (&LogoutSelector, &Manner),
        once: Vec<AskedOnce>,
        steps: &mut TraceLog,
    ) -> Result<(), UnitError> {
        let now = self.services.clock.now();
        let commands = once.into_iter().map(spent).collect();
        self.store.commit(tenant.view.id, Unit { commands, now }).await?;
        let people = self.people_of(tenant, selector).await?;
        self.stand(tenant, selector, &people, manner).await?;
        let news = match manner.device {
            Some(_) => "works with a device that complies",
            None => "may come in again, as far as the upstream goes",
        };
        steps.decide("person", format!("{} {news}", people.len()), true);
        Ok(())
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
