//! Whoever is switched off loses what they were given, but not too many at once.

use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{LogoutId, PersonId, SessionId};
use fedbridge_contract::push::{PushRefused, RecordKind};

use tokio::sync::OwnedMutexGuard;

use super::change::Pushing;
use crate::ports::Command;
use crate::run::logout::{Asker, unasked_logout};
use crate::run::{Happened, Hub, Initiator};

/// So few may always go: in a small company one who leaves is many percent.
const ALWAYS: u64 = 5;

/// Whoever comes when so many of one connection wait to be switched off is asked to come again.
const WAITING: usize = 256;

/// Sessions of one person that end in the unit itself; further ones end behind the answer, and are dead by the kill.
const SESSIONS: usize = 50;

impl Hub {
    /// Gives back the turn to do it, where there is a guard: whoever comes next counts this one too.
    ///
    /// # Errors
    /// Too many were switched off of late, or wait to be.
    pub(super) async fn may_be_shut(&self, at: &Pushing<'_>) -> Result<Option<OwnedMutexGuard<()>>, PushRefused> {
        let guard = at.belonging().and_then(|belonging| Some((belonging, belonging.most_shut?)));
        let Some((belonging, percent)) = guard else { return Ok(None) };
        let turn = self.shutting.turn(at.place, WAITING).await;
        let turn =
            Some(turn.ok_or_else(|| {
                PushRefused::Busy("too many wait to be switched off; nothing was changed".to_owned())
            })?);
        let window = Duration::from_secs(u64::from(belonging.guard_minutes) * 60);
        let shut = self.pushed.shut_since(at.place, at.now - window).await?;
        // Counting everybody takes longer, so it comes only where it matters.
        if shut < ALWAYS {
            return Ok(turn);
        }
        let all = self.pushed.count(at.place, RecordKind::User).await?;
        let Some(why) = too_many((shut, all), percent, belonging.guard_minutes) else { return Ok(turn) };
        if self.pushed.guard_open_until(at.place).await?.is_some_and(|until| at.now < until) {
            return Ok(turn);
        }
        let name = format!("{}/{}", at.tenant.view.slug, at.connection.view.slug);
        tracing::warn!(connection = name, "the guard holds up people who are switched off: {why}");
        Err(PushRefused::Guarded(format!(
            "{why}; an administrator who finds that right runs `fedbridge connections allow-removals {name}`"
        )))
    }

    /// What ends in the unit that switches somebody off: their sessions, with word to the apps that are in them, and
    /// their passwords for single apps. The kill ends the rest.
    pub(super) async fn ends_of(&self, at: &Pushing<'_>, person: PersonId) -> Result<Vec<Command>, PushRefused> {
        let tenant = at.place.tenant;
        let revoked = Happened::SessionRevoked { session: None, by: Initiator::Policy };
        let mut commands = self.signals(at.tenant, person, (at.txn, at.now), &[revoked]);
        for session in self.logouts.sessions_of_person(tenant, person, at.now).await?.into_iter().take(SESSIONS) {
            let name = self.session_record(tenant, &session).map(|record| record.subject.display);
            commands.extend(self.end_of(at, session.id, name)?);
        }
        for password in self.app_passwords.app_passwords(tenant, person, None).await? {
            commands.push(Command::DropAppPassword { person, id: password.id });
        }
        Ok(commands)
    }

    /// The same where only what came of the provisioned connections ends. No kill comes behind it, so grants with offline
    /// access are revoked here, before the unit: should it fail, the upstream sends the change again.
    pub(super) async fn ends_at_connections(
        &self,
        at: &Pushing<'_>,
        person: PersonId,
    ) -> Result<Vec<Command>, PushRefused> {
        let tenant = at.place.tenant;
        let slugs = at.belonging().map(|belonging| belonging.provisions.as_slice()).unwrap_or_default();
        let theirs: Vec<_> = slugs.iter().filter_map(|slug| at.tenant.connection(slug)).map(|it| it.view.id).collect();
        for id in self.people.unrevoked(tenant, person, at.now).await? {
            let grant = self.services.grants.find(tenant, id, None, at.now).await?;
            if grant.is_some_and(|grant| theirs.contains(&grant.record.connection)) {
                self.services.grants.revoke(tenant, id, at.now).await?;
            }
        }
        let mut commands = vec![Command::PasswordChanged { person }];
        for session in self.logouts.sessions_of_person(tenant, person, at.now).await? {
            let record = self.session_record(tenant, &session);
            let by = record.as_ref().map(|record| record.upstreams(session.connection)).unwrap_or_default();
            if theirs.contains(&session.connection) || by.iter().any(|part| theirs.contains(&part.connection)) {
                let revoked = Happened::SessionRevoked { session: Some(session.id), by: Initiator::Policy };
                commands.extend(self.signals(at.tenant, person, (at.txn, at.now), &[revoked]));
                commands.extend(self.end_of(at, session.id, record.map(|record| record.subject.display))?);
            }
        }
        Ok(commands)
    }

    fn end_of(&self, at: &Pushing<'_>, session: SessionId, name: Option<String>) -> Result<[Command; 2], StoreError> {
        let logout = LogoutId::at(at.now, self.services.rng.as_ref());
        let asker = (Asker::Withdrawn, at.txn, name);
        let told = unasked_logout(self.sealer.as_ref(), at.place.tenant, logout, session, asker, at.now)?;
        Ok([Command::EndSession(session), told])
    }

    /// This node hears of the kill before the answer; the others hear of it as of any kill. Behind the answer: sessions that
    /// were not in the unit, and the upstreams' tokens.
    pub(super) async fn after_shut(self: &Arc<Self>, at: &Pushing<'_>, ended: Vec<(PersonId, Epoch)>) {
        if !ended.is_empty()
            && let Err(error) = self.gate.catch_up(self.kills.as_ref()).await
        {
            tracing::warn!(%error, "this node hears later of somebody who was switched off");
        }
        for (person, epoch) in ended {
            let (hub, tenant) = (Arc::clone(self), Arc::clone(at.tenant));
            tokio::spawn(async move {
                if let Err(error) = hub.end_killed(&tenant, person, epoch).await {
                    tracing::warn!(%error, "sessions of somebody who was switched off could not be ended one by one");
                }
            });
        }
    }
}

/// Why nobody more is switched off, of how many were and how many there are.
fn too_many((shut, all): (u64, u64), percent: u8, minutes: u16) -> Option<String> {
    let ends = shut.saturating_add(1);
    let most = all.saturating_mul(u64::from(percent)) / 100;
    (ends > ALWAYS && ends > most).then(|| {
        format!(
            "{shut} of {all} people were switched off within {minutes} minutes, which is all that the connection's \
             guard ({percent} percent) lets through"
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_many_at_once_are_not_switched_off() {
        let stopped = |all, shut| too_many((shut, all), 20, 60).is_some();
        assert!(!stopped(3, 2) && !stopped(5, 4), "few may go from a small company");
        assert!(stopped(5, 5));
        assert!(!stopped(100, 19) && stopped(100, 20));
        assert!(!stopped(1000, 199) && stopped(1000, 200));
    }
}
