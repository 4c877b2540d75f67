//! Users: made with a person of their own, changed, switched off, deleted.

use std::sync::Arc;

use fedbridge_contract::ids::{PersonId, RecordId};
use fedbridge_contract::push::{Changed, Origins, PushDone, PushRefused, Record, RecordData, RecordKind};

use tokio::sync::OwnedMutexGuard;

use super::change::Pushing;
use super::keys::Hashes;
use super::news::Turn;
use super::origins;
use super::said::{Described, Said};
use crate::ports::{
    Adopted, Command, IdentityNews, NewLink, NewRecord, PosixOwner, PushUnit, RecordWrite, ShutOut, StoredRecord,
};
use crate::run::Hub;

/// What the audit and the log say of somebody who was deleted.
pub(super) const DELETED: &str = "deleted by the upstream";

/// What becomes of a person of whom something new is said.
#[derive(Default)]
pub(super) struct Consequences {
    pub commands: Vec<Command>,
    pub ends: Vec<PersonId>,
    /// They are kept out from now on, and the guard counts them.
    pub shuts: bool,
    /// Held until the unit is carried out.
    pub turn: Option<OwnedMutexGuard<()>>,
}

impl Hub {
    pub(super) async fn create_user(
        self: &Arc<Self>,
        at: &Pushing<'_>,
        data: RecordData,
    ) -> Result<PushDone, PushRefused> {
        let id = RecordId::at(at.now, self.services.rng.as_ref());
        let before = self.came_before(at, data.match_value.as_deref()).await?;
        let person = before.unwrap_or_else(|| PersonId::random(self.services.rng.as_ref()));
        let said = self.pushed_said(at, &described(id, &data, &[]))?;
        self.pushed_groups_there(at, &said.profile).await?;
        let link = NewLink {
            person,
            connection: at.place.connection,
            subject_key: said.subject.key.clone(),
            display: said.subject.display.clone(),
            email: said.email,
            scope: None,
        };
        // Records of somebody that are gone leave something behind, and that goes with the new one.
        let adopts = before.is_some() && data.active;
        let mut commands = match before {
            None => vec![Command::CreatePerson(link)],
            Some(_) => vec![Command::LinkIdentity(link)],
        };
        let adopted = Adopted { connection: at.place.connection, record: id, from: None, person };
        commands.extend(adopts.then_some(Command::AdoptRecord(adopted)));
        let out = said.out.is_some();
        // Whoever is here already may lose by it what they have.
        let shuts = out && before.is_some();
        let _turn = if shuts { self.may_be_shut(at).await? } else { None };
        commands.push(Command::KeepProfile(Box::new(said.profile(at, person))));
        let shut = ShutOut { person, connection: at.place.connection, out, said: None };
        commands.extend((out && at.shuts_all()).then_some(Command::ShutPerson(shut)));
        let owner = PosixOwner::Person(person);
        commands.extend(at.tenant.numbers().map(|range| Command::GiveNumber { owner, range }));
        let mut ends = Vec::new();
        if shuts {
            let (ending, ended) = self.endings(at, person).await?;
            commands.extend(ending);
            ends = ended;
        }
        let new = NewRecord {
            person: (!adopts).then_some(person),
            ..self.new_record(at, (id, RecordKind::User), data, origins::of_new(at))
        };
        let record = Record {
            id,
            kind: RecordKind::User,
            version: if adopts { 2 } else { 1 },
            created: at.now,
            modified: at.now,
            document: new.document.clone(),
            person: Some(person),
            grouped: false,
        };
        let mut writes = vec![RecordWrite::Insert(Box::new(new))];
        writes.extend(shuts.then_some(RecordWrite::Shut { id }));
        let unit = PushUnit { place: at.place, writes, commands, ends, txn: Some(at.txn), now: at.now };
        let pushed = self.commit_change(at, unit).await?;
        self.after_shut(at, pushed.ended).await;
        Ok(PushDone { record, changed: true })
    }

    pub(super) async fn update_user(
        self: &Arc<Self>,
        at: &Pushing<'_>,
        id: RecordId,
        (data, version): (RecordData, i64),
        changes: &[Changed],
    ) -> Result<PushDone, PushRefused> {
        let stored = self.pushed_record(at, RecordKind::User, id).await?;
        if stored.record.version != version {
            return Err(PushRefused::Stale);
        }
        let groups = self.names_of_groups(at.place, &stored).await?;
        let said = self.pushed_said(at, &described(id, &data, &groups))?;
        let goes = stored.active && !data.active;
        let Consequences { commands, ends, shuts, turn: _turn } = match stored.record.person {
            Some(person) => self.of_person(at, person, said, goes).await?,
            // An administrator has deleted the person: the record goes on without one.
            None => Consequences::default(),
        };
        let person = stored.record.person.filter(|_| ends.is_empty());
        let origins = origins::of_changed(at, stored.origins.clone(), changes);
        let new =
            NewRecord { person: stored.record.person, ..self.new_record(at, (id, RecordKind::User), data, origins) };
        let record = changed(&stored, &new, at);
        // Whoever is switched off is counted by that itself.
        let mut writes = if shuts && !goes { vec![RecordWrite::Shut { id }] } else { Vec::new() };
        writes.push(RecordWrite::Update { seen: stored.seen(), new: Box::new(new) });
        let unit = PushUnit { place: at.place, writes, commands, ends, txn: Some(at.txn), now: at.now };
        let pushed = self.commit_change(at, unit).await?;
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
        let mut consequences = Consequences::default();
        if let Some(person) = stored.record.person {
            let user =
                Described { id, display: &stored.display, attributes: &stored.attributes, active: false, groups: &[] };
            let said = self.pushed_said(at, &user)?;
            let said = Said { out: Some(DELETED.to_owned()), ..said };
            consequences = self.of_person(at, person, said, true).await?;
        }
        let Consequences { commands, ends, turn: _turn, .. } = consequences;
        let writes = vec![RecordWrite::Delete { id, version }];
        let unit = PushUnit { place: at.place, writes, commands, ends, txn: Some(at.txn), now: at.now };
        let pushed = self.commit_change(at, unit).await?;
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
    ) -> Result<Consequences, PushRefused> {
        let known = self.profiles.known(at.place.tenant, at.place.connection, &said.subject.key).await?;
        // An administrator has disconnected it.
        let Some(known) = known.filter(|known| known.person == person) else { return Ok(Default::default()) };
        self.pushed_groups_there(at, &said.profile).await?;
        let was_in = known.last.as_ref().is_none_or(|last| last.disabled.is_none());
        let ends = goes || (was_in && said.out.is_some());
        let shuts = ends && was_in;
        let turn = if shuts { self.may_be_shut(at).await? } else { None };
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
        let happened = self.happened(at, person, &said, Turn { was_in, ends }).await?;
        commands.push(Command::KeepProfile(Box::new(said.profile(at, person))));
        // Whoever was in and stays in is not let in by it: somebody else may keep them out.
        if out || !was_in {
            let shut = ShutOut { person, connection: at.place.connection, out: out && at.shuts_all(), said: None };
            commands.push(Command::ShutPerson(shut));
        }
        if !known.numbered {
            let owner = PosixOwner::Person(person);
            commands.extend(at.tenant.numbers().map(|range| Command::GiveNumber { owner, range }));
        }
        commands.extend(self.signals(at.tenant, person, (at.txn, at.now), &happened));
        if !ends {
            return Ok(Consequences { commands, ..Consequences::default() });
        }
        let (ending, ends) = self.endings(at, person).await?;
        commands.extend(ending);
        Ok(Consequences { commands, ends, shuts, turn })
    }

    /// What ends for somebody who is kept out, and who is killed.
    async fn endings(&self, at: &Pushing<'_>, person: PersonId) -> Result<(Vec<Command>, Vec<PersonId>), PushRefused> {
        if at.shuts_all() {
            Ok((self.ends_of(at, person).await?, vec![person]))
        } else {
            Ok((self.ends_at_connections(at, person).await?, Vec::new()))
        }
    }

    /// Of nobody yet.
    pub(super) fn new_record(
        &self,
        at: &Pushing<'_>,
        (id, kind): (RecordId, RecordKind),
        data: RecordData,
        origins: Origins,
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
            person: None,
            document: data.document,
            attributes: data.attributes,
            group_name: data.group_name,
            origins,
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
