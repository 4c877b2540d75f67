//! Users: made with a person of their own, changed, switched off, deleted.

use std::sync::Arc;

use fedbridge_contract::ids::{PersonId, RecordId};
use fedbridge_contract::push::{PushDone, PushRefused, Record, RecordData, RecordKind};

use super::change::Pushing;
use super::keys::Hashes;
use super::said::{Described, Said};
use crate::ports::{
    Command, IdentityNews, NewLink, NewRecord, PosixOwner, PushUnit, RecordWrite, ShutOut, StoredRecord,
};
use crate::run::Hub;

/// What the audit and the log say of somebody who was deleted.
const DELETED: &str = "deleted by the upstream";

impl Hub {
    pub(super) async fn create_user(
        self: &Arc<Self>,
        at: &Pushing<'_>,
        data: RecordData,
    ) -> Result<PushDone, PushRefused> {
        let id = RecordId::at(at.now, self.services.rng.as_ref());
        let person = PersonId::random(self.services.rng.as_ref());
        let said = self.pushed_said(at, &described(id, &data, &[]))?;
        self.pushed_groups_there(at, &said.profile).await?;
        let mut commands = vec![Command::CreatePerson(NewLink {
            person,
            connection: at.place.connection,
            subject_key: said.subject.key.clone(),
            display: said.subject.display.clone(),
            email: said.email,
            scope: None,
        })];
        let out = said.out.is_some() && at.shuts_all();
        commands.push(Command::KeepProfile(Box::new(said.profile(at, person))));
        commands.extend(out.then_some(Command::ShutPerson(ShutOut { person, connection: at.place.connection, out })));
        let owner = PosixOwner::Person(person);
        commands.extend(at.tenant.numbers().map(|range| Command::GiveNumber { owner, range }));
        let new = self.new_record(at, (id, RecordKind::User), data, Some(person));
        let record = Record {
            id,
            kind: RecordKind::User,
            version: 1,
            created: at.now,
            modified: at.now,
            document: new.document.clone(),
            person: Some(person),
        };
        let writes = vec![RecordWrite::Insert(Box::new(new))];
        self.commit_push(PushUnit { place: at.place, writes, commands, ends: Vec::new(), now: at.now }).await?;
        Ok(PushDone { record, changed: true })
    }

    pub(super) async fn update_user(
        self: &Arc<Self>,
        at: &Pushing<'_>,
        id: RecordId,
        version: i64,
        data: RecordData,
    ) -> Result<PushDone, PushRefused> {
        let stored = self.pushed_record(at, RecordKind::User, id).await?;
        if stored.record.version != version {
            return Err(PushRefused::Stale);
        }
        let groups = self.pushed_group_names(at.place, id).await?;
        let said = self.pushed_said(at, &described(id, &data, &groups))?;
        let goes = stored.active && !data.active;
        if goes {
            self.may_be_shut(at).await?;
        }
        let (commands, ends) = match stored.record.person {
            Some(person) => self.of_person(at, person, said, goes).await?,
            // An administrator has deleted the person: the record goes on without one.
            None => (Vec::new(), Vec::new()),
        };
        let person = stored.record.person.filter(|_| ends.is_empty());
        let new = self.new_record(at, (id, RecordKind::User), data, stored.record.person);
        let record = changed(&stored, &new, at);
        let writes = vec![RecordWrite::Update { version, new: Box::new(new) }];
        let unit = PushUnit { place: at.place, writes, commands, ends, now: at.now };
        let pushed = self.commit_push(unit).await?;
        self.after_shut(at, pushed.ended).await;
        if let Some(person) = person {
            self.end_what_is_outside(at, person).await;
        }
        Ok(PushDone { record, changed: true })
    }

    pub(super) async fn delete_user(
        self: &Arc<Self>,
        at: &Pushing<'_>,
        id: RecordId,
        version: Option<i64>,
    ) -> Result<PushDone, PushRefused> {
        let stored = self.pushed_record(at, RecordKind::User, id).await?;
        if stored.active {
            self.may_be_shut(at).await?;
        }
        let (mut commands, mut ends) = (Vec::new(), Vec::new());
        if let Some(person) = stored.record.person {
            let user =
                Described { id, display: &stored.display, attributes: &stored.attributes, active: false, groups: &[] };
            let said = self.pushed_said(at, &user)?;
            let said = Said { out: Some(DELETED.to_owned()), ..said };
            (commands, ends) = self.of_person(at, person, said, true).await?;
        }
        let writes = vec![RecordWrite::Delete { id, version }];
        let unit = PushUnit { place: at.place, writes, commands, ends, now: at.now };
        let pushed = self.commit_push(unit).await?;
        self.after_shut(at, pushed.ended).await;
        Ok(PushDone { record: stored.record, changed: true })
    }

    /// What becomes of a person of whom something new is said. Whoever is kept out by it is ended; who comes in
    /// again gets nothing back.
    pub(super) async fn of_person(
        &self,
        at: &Pushing<'_>,
        person: PersonId,
        said: Said,
        goes: bool,
    ) -> Result<(Vec<Command>, Vec<PersonId>), PushRefused> {
        let known = self.profiles.known(at.place.tenant, at.place.connection, &said.subject.key).await?;
        // An administrator has disconnected it.
        let Some(known) = known.filter(|known| known.person == person) else { return Ok(Default::default()) };
        self.pushed_groups_there(at, &said.profile).await?;
        let was_in = known.last.as_ref().is_none_or(|last| last.disabled.is_none());
        let ends = goes || (was_in && said.out.is_some());
        let news = IdentityNews {
            email: said.email.filter(|email| known.email != Some(*email)),
            display: (known.display != said.subject.display).then(|| said.subject.display.clone()),
        };
        let mut commands = Vec::new();
        if !news.is_none() {
            let (connection, subject_key) = (at.place.connection, said.subject.key.clone());
            commands.push(Command::HoldIdentity { person, connection, subject_key, news });
        }
        let out = said.out.is_some();
        commands.push(Command::KeepProfile(Box::new(said.profile(at, person))));
        commands.push(Command::ShutPerson(ShutOut {
            person,
            connection: at.place.connection,
            out: out && at.shuts_all(),
        }));
        if !known.numbered {
            let owner = PosixOwner::Person(person);
            commands.extend(at.tenant.numbers().map(|range| Command::GiveNumber { owner, range }));
        }
        if !ends {
            return Ok((commands, Vec::new()));
        }
        if !at.shuts_all() {
            commands.extend(self.ends_at_connections(at, person).await?);
            return Ok((commands, Vec::new()));
        }
        commands.extend(self.ends_of(at, person).await?);
        Ok((commands, vec![person]))
    }

    pub(super) fn new_record(
        &self,
        at: &Pushing<'_>,
        (id, kind): (RecordId, RecordKind),
        data: RecordData,
        person: Option<PersonId>,
    ) -> NewRecord {
        let Hashes { unique, external, keys, matches } =
            Hashes::of(self.services.tokens.as_ref(), at.place, kind, &data);
        NewRecord {
            id,
            kind,
            display: data.display,
            unique,
            external,
            keys,
            matches,
            active: data.active,
            person,
            document: data.document,
            attributes: data.attributes,
            group_name: data.group_name,
        }
    }
}

fn described<'d>(id: RecordId, data: &'d RecordData, groups: &'d [String]) -> Described<'d> {
    Described { id, display: &data.display, attributes: &data.attributes, active: data.active, groups }
}

/// The record as the unit leaves it.
pub(super) fn changed(stored: &StoredRecord, new: &NewRecord, at: &Pushing<'_>) -> Record {
    Record {
        version: stored.record.version.saturating_add(1),
        modified: at.now,
        document: new.document.clone(),
        ..stored.record.clone()
    }
}
