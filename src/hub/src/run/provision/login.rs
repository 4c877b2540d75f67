//! What a login brings of a person is kept beside it, where somebody will ask for it: the tenant shows a directory or
//! tells apps of its people, or the connection is synchronised.

use fedbridge_contract::error::StoreError;
use fedbridge_contract::identity::{Attributes, UpstreamSubject, UpstreamTokens};
use fedbridge_contract::ids::PersonId;
use serde_json::Value;

use super::decide::{Described, Speaker, Step, step};
use super::known::{Said, Subject};
use super::record::{Mapped, groups};
use crate::ports::{Command, NewProfile, PosixOwner, Profile, ProfileBy, ProfileSource};
use crate::run::Hub;
use crate::run::record::SessionRecord;
use crate::run::snapshot::{OpenConnection, TenantSnapshot};

/// What the unit of a login keeps besides.
#[derive(Default)]
pub(in crate::run) struct Kept {
    pub commands: Vec<Command>,
    /// For later logins, once the unit is stored.
    said: Option<(Subject, Said)>,
}

/// What is new of somebody.
struct News {
    profile: Profile,
    digest: [u8; 32],
    give_number: bool,
}

impl Hub {
    /// What is to be kept of an identity that was verified just now. Nothing, and no question to the store, where
    /// nobody will ask for it, or where this node has kept the same before.
    ///
    /// # Errors
    /// The store does not answer.
    pub(in crate::run) async fn kept_at_login(
        &self,
        tenant: &TenantSnapshot,
        connection: &OpenConnection,
        (record, tokens): (&SessionRecord, Option<&UpstreamTokens>),
        person: PersonId,
    ) -> Result<Kept, StoreError> {
        let place = tokens.and_then(|tokens| tokens.memory.get("place")).and_then(Value::as_str);
        self.kept_of(tenant, connection, (&record.subject, &record.attributes, place), person).await
    }

    /// As [`Hub::kept_at_login`], for whoever was verified in another way.
    pub(super) async fn kept_of(
        &self,
        tenant: &TenantSnapshot,
        connection: &OpenConnection,
        said: (&UpstreamSubject, &Attributes, Option<&str>),
        person: PersonId,
    ) -> Result<Kept, StoreError> {
        let Ok(ready) = &connection.state else { return Ok(Kept::default()) };
        let synced = ready.adapter.directory.is_some();
        if !tenant.keeps_people() && !synced {
            return Ok(Kept::default());
        }
        let (id, subject) = (tenant.view.id, said.0);
        let mapped = self.mapped(id, connection, ready, said);
        // The login was decided on with its app: what its rules say without one is no reason to end it.
        let Mapped::Said { profile, digest, denied: None } = mapped else { return Ok(Kept::default()) };
        let key = Subject { tenant: id, connection: connection.view.id, person, key: subject.key.clone() };
        let news = match synced {
            true => self.news_beside_a_sync(tenant, &key, profile, digest).await?,
            false => self.news_here(tenant, &key, profile, digest),
        };
        let Some(News { profile, digest, give_number }) = news else { return Ok(Kept::default()) };
        self.ensure_groups(tenant, groups(&profile.claims)).await?;
        let numbered = tenant.numbers().is_some();
        let new = NewProfile {
            person,
            connection: connection.view.id,
            subject_key: subject.key.clone(),
            profile,
            digest,
            disabled: None,
            by: ProfileBy::Login { synced },
        };
        let mut commands = vec![Command::KeepProfile(Box::new(new))];
        let range = tenant.numbers().filter(|_| give_number);
        commands.extend(range.map(|range| Command::GiveNumber { owner: PosixOwner::Person(person), range }));
        Ok(Kept { commands, said: Some((key, Said { digest, numbered })) })
    }

    /// The unit of a login is stored.
    pub(in crate::run) fn remember(&self, kept: Kept) {
        if let Some((subject, said)) = kept.said {
            self.provisioned.remember(subject, said);
        }
    }

    /// Nobody else writes there, so what this node remembers is what stands there, or was overwritten by another
    /// node's login.
    fn news_here(&self, tenant: &TenantSnapshot, key: &Subject, profile: Profile, digest: [u8; 32]) -> Option<News> {
        let said = self.provisioned.said(key);
        let numbers = tenant.numbers().is_some();
        let numbered = said.is_some_and(|said| said.numbered) || !numbers;
        let same = said.is_some_and(|said| said.digest == digest) && numbered;
        (!same).then_some(News { profile, digest, give_number: !numbered })
    }

    /// A sync may have kept the person out meanwhile, on another node.
    async fn news_beside_a_sync(
        &self,
        tenant: &TenantSnapshot,
        key: &Subject,
        profile: Profile,
        digest: [u8; 32],
    ) -> Result<Option<News>, StoreError> {
        let known = self.profiles.known(key.tenant, key.connection, &key.key).await?;
        let last = known.as_ref().and_then(|known| known.last.as_ref());
        // What a sync has said goes before this, and whom it lets in needs no word of ours.
        let synced = last.is_some_and(|last| last.source > ProfileSource::Login && last.disabled.is_none());
        let speaker = Speaker { source: ProfileSource::Login, numbers: tenant.numbers().is_some() };
        // The login's own unit says who the identity is now.
        let display = known.as_ref().map(|known| known.display.clone()).unwrap_or_default();
        let described = Described { digest: &digest, out: None, email: None, display: &display };
        Ok(match step(known.as_ref(), &described, speaker) {
            Step::Keep { give_number: false, .. } if synced => None,
            Step::Keep { give_number, .. } => Some(News { profile, digest, give_number }),
            Step::Appear => Some(News { profile, digest, give_number: speaker.numbers }),
            Step::See | Step::LeaveOut | Step::KeepOut(_) => None,
        })
    }
}
