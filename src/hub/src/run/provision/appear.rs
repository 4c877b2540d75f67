//! Somebody whose password was right by LDAP, and who is nobody here yet: made as a login on the web would make them,
//! where no page has to ask anything.

use std::sync::Arc;

use fedbridge_contract::directory::ProvisionedRecord;
use fedbridge_contract::error::StoreError;
use fedbridge_contract::identity::UpstreamSubject;
use fedbridge_contract::ids::PersonId;
use fedbridge_contract::trace::TraceLog;

use super::groups::refused as refused_unit;
use super::record::{Mapped, groups};
use crate::ports::{Command, NewLink, NewProfile, PosixOwner, Profile, ProfileBy, TombstoneReason, Unit, UnitError};
use crate::run::Hub;
use crate::run::finish::{may_appear, verified_address};
use crate::run::push::{Barred, Comer, Pushed};
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
        let newcomer = self.described(tenant, connection, record)?;
        for _ in 0..2 {
            let known = self.profiles.known(id, connection.view.id, &subject.key).await?.map(|known| known.person);
            let comer = Comer {
                connection,
                subject,
                attributes: &record.attributes,
                address: verified_address(&newcomer.profile.claims),
                known,
            };
            let theirs = match (self.pushed_by(tenant, &comer, trace).await?, known) {
                (Pushed::Theirs(theirs), None) => match theirs.person {
                    Some(person) => Some(person.person),
                    None => return Err(refused("who was pushed was deleted here: a login on the web has to tell")),
                },
                (Pushed::Theirs(_), Some(_)) => {
                    return Err(refused("the pushed user is somebody else by now: a login on the web has to tell"));
                }
                (_, Some(known)) => {
                    self.said_again(tenant, connection, record, known).await?;
                    return Ok(known);
                }
                (_, None) => None,
            };
            let person = theirs.unwrap_or_else(|| PersonId::random(self.services.rng.as_ref()));
            let commands = self.appearing(tenant, connection, &newcomer, (person, theirs.is_some()), trace).await?;
            match self.store.commit(id, Unit { commands, now: self.services.clock.now() }).await {
                Ok(()) => {
                    let outcome = match theirs {
                        Some(_) => "the one who was pushed; this login is theirs from now on",
                        None => "seen for the first time: a new subject identifier",
                    };
                    trace.decide("person", outcome, true);
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

    /// What the connection's rules make of whoever comes.
    fn described<'r>(
        &self,
        tenant: &TenantSnapshot,
        connection: &OpenConnection,
        record: &'r ProvisionedRecord,
    ) -> Result<Newcomer<'r>, NotMade> {
        let ready = connection.state.as_ref().map_err(|_| refused("the connection's configuration is broken"))?;
        let about = (&record.subject, &record.attributes, record.place.as_deref());
        match self.mapped(tenant.view.id, connection, ready, about) {
            Mapped::Said { profile, digest, denied: None } => {
                let synced = ready.adapter.directory.is_some();
                Ok(Newcomer { subject: &record.subject, profile, digest, synced })
            }
            Mapped::Said { denied: Some(why), .. } | Mapped::Broken(why) => Err(NotMade::Refused(why)),
        }
    }

    async fn appearing(
        &self,
        tenant: &Arc<TenantSnapshot>,
        connection: &Arc<OpenConnection>,
        newcomer: &Newcomer<'_>,
        (person, was_pushed): (PersonId, bool),
        trace: &mut TraceLog,
    ) -> Result<Vec<Command>, NotMade> {
        let Newcomer { subject, profile, digest, synced } = newcomer;
        let id = tenant.view.id;
        let before = self.people.tombstone(id, connection.view.id, &subject.key).await?;
        if before.is_some_and(|before| before.reason == TombstoneReason::Blocked) {
            return Err(refused("an administrator has blocked this subject"));
        }
        let email = verified_address(&profile.claims).map(|address| self.email_hash(id, address));
        if !was_pushed {
            may_appear(&connection.people, &profile.claims, trace).map_err(NotMade::Refused)?;
            if let Some(email) = email.filter(|_| connection.people.same_email != SameEmail::Separate)
                && !self.people.by_email(id, &email).await?.is_empty()
            {
                return Err(refused("somebody else has this address: a login on the web has to tell"));
            }
        }
        self.ensure_groups(tenant, groups(&profile.claims)).await?;
        let link = NewLink {
            person,
            connection: connection.view.id,
            subject_key: subject.key.clone(),
            display: subject.display.clone(),
            email,
            scope: subject.scope.clone(),
        };
        let said = NewProfile {
            person,
            connection: connection.view.id,
            subject_key: subject.key.clone(),
            profile: profile.clone(),
            digest: *digest,
            disabled: None,
            by: ProfileBy::Login { synced: *synced },
        };
        let tie = if was_pushed { Command::LinkIdentity(link) } else { Command::CreatePerson(link) };
        let mut commands = vec![tie, Command::KeepProfile(Box::new(said))];
        let owner = PosixOwner::Person(person);
        commands.extend(tenant.numbers().map(|range| Command::GiveNumber { owner, range }));
        Ok(commands)
    }
}

/// Whoever comes, mapped.
struct Newcomer<'r> {
    subject: &'r UpstreamSubject,
    profile: Profile,
    digest: [u8; 32],
    /// A sync says more of the connection's people.
    synced: bool,
}

impl From<Barred> for NotMade {
    fn from(barred: Barred) -> Self {
        match barred {
            Barred::Store(error) => error.into(),
            Barred::Refused(_) | Barred::Broken => Self::Refused(barred.to_string()),
        }
    }
}

fn refused(sentence: &str) -> NotMade {
    NotMade::Refused(sentence.to_owned())
}
