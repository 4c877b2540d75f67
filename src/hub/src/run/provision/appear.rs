//! Somebody whose password was right by LDAP, and who is nobody here yet: made as a login on the web would make them,
//! where no page has to ask anything.

use std::sync::Arc;

use fedbridge_contract::directory::ProvisionedRecord;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::PersonId;
use fedbridge_contract::trace::TraceLog;

use super::groups::refused as refused_unit;
use super::record::{Mapped, groups};
use crate::ports::{Command, NewLink, NewProfile, PosixOwner, ProfileBy, TombstoneReason, Unit, UnitError};
use crate::run::Hub;
use crate::run::finish::{may_appear, verified_address};
use crate::run::snapshot::{OpenConnection, TenantSnapshot};
use crate::spec::SameEmail;

/// Why nobody was made.
#[derive(Debug, Clone, thiserror::Error)]
pub enum NotMade {
    /// By a rule, which the trace names.
    #[error("{0}")]
    Refused(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Hub {
    /// The person behind a subject that was verified just now: the one who is known, or somebody new where the
    /// connection lets people appear.
    ///
    /// # Errors
    /// [`NotMade`].
    pub async fn appear(
        &self,
        tenant: &Arc<TenantSnapshot>,
        connection: &Arc<OpenConnection>,
        record: &ProvisionedRecord,
        trace: &mut TraceLog,
    ) -> Result<PersonId, NotMade> {
        let (id, subject) = (tenant.view.id, &record.subject);
        for _ in 0..2 {
            if let Some(known) = self.profiles.known(id, connection.view.id, &subject.key).await? {
                self.said_again(tenant, connection, record, known.person).await?;
                return Ok(known.person);
            }
            let person = PersonId::random(self.services.rng.as_ref());
            let commands = self.appearing(tenant, connection, record, person, trace).await?;
            match self.store.commit(id, Unit { commands, now: self.services.clock.now() }).await {
                Ok(()) => {
                    trace.decide("person", "seen for the first time: a new subject identifier", true);
                    return Ok(person);
                }
                Err(UnitError::Store(error)) => return Err(error.into()),
                // Somebody else made them at the same moment.
                Err(UnitError::Guard(_)) => {}
            }
        }
        Err(NotMade::Refused("this subject was linked by another login just now, or is blocked".into()))
    }

    /// Somebody who is known may be new to the directory, or have changed.
    async fn said_again(
        &self,
        tenant: &Arc<TenantSnapshot>,
        connection: &Arc<OpenConnection>,
        record: &ProvisionedRecord,
        person: PersonId,
    ) -> Result<(), NotMade> {
        let said = (&record.subject, &record.attributes, record.place.as_deref());
        let kept = self.kept_of(tenant, connection, said, person).await?;
        if kept.commands.is_empty() {
            return Ok(());
        }
        let unit = Unit { commands: kept.commands.clone(), now: self.services.clock.now() };
        self.store.commit(tenant.view.id, unit).await.map_err(refused_unit)?;
        self.remember(kept);
        Ok(())
    }

    async fn appearing(
        &self,
        tenant: &Arc<TenantSnapshot>,
        connection: &Arc<OpenConnection>,
        record: &ProvisionedRecord,
        person: PersonId,
        trace: &mut TraceLog,
    ) -> Result<Vec<Command>, NotMade> {
        let (id, subject) = (tenant.view.id, &record.subject);
        let ready = connection.state.as_ref().map_err(|_| refused("the connection's configuration is broken"))?;
        let about = (subject, &record.attributes, record.place.as_deref());
        let (profile, digest) = match self.mapped(id, connection, ready, about) {
            Mapped::Said { profile, digest, denied: None } => (profile, digest),
            Mapped::Said { denied: Some(why), .. } | Mapped::Broken(why) => return Err(NotMade::Refused(why)),
        };
        let before = self.people.tombstone(id, connection.view.id, &subject.key).await?;
        if before.is_some_and(|before| before.reason == TombstoneReason::Blocked) {
            return Err(refused("an administrator has blocked this subject"));
        }
        may_appear(&connection.people, &profile.claims, trace).map_err(NotMade::Refused)?;
        let email = verified_address(&profile.claims).map(|address| self.email_hash(id, address));
        if let Some(email) = email.filter(|_| connection.people.same_email != SameEmail::Separate)
            && !self.people.by_email(id, &email).await?.is_empty()
        {
            return Err(refused("somebody else has this address: a login on the web has to tell"));
        }
        self.ensure_groups(tenant, groups(&profile.claims)).await?;
        let synced = ready.adapter.directory.is_some();
        let mut commands = vec![
            Command::CreatePerson(NewLink {
                person,
                connection: connection.view.id,
                subject_key: subject.key.clone(),
                display: subject.display.clone(),
                email,
                scope: subject.scope.clone(),
            }),
            Command::KeepProfile(Box::new(NewProfile {
                person,
                connection: connection.view.id,
                subject_key: subject.key.clone(),
                profile,
                digest,
                disabled: None,
                by: ProfileBy::Login { synced },
            })),
        ];
        let owner = PosixOwner::Person(person);
        commands.extend(tenant.numbers().map(|range| Command::GiveNumber { owner, range }));
        Ok(commands)
    }
}

fn refused(sentence: &str) -> NotMade {
    NotMade::Refused(sentence.to_owned())
}
