//! A unit as guarded changes, in the order in which they happen.

use fedbridge_contract::epoch::Killed;
use fedbridge_contract::ids::RecordId;
use fedbridge_hub::ports::{GuardFailed, PushError, PushGuard, PushUnit, RecordWrite, Sealer, Unit, UnitError};

use super::lists::{distinct, parts};
use super::{members, writes};
use crate::epochs::killing;
use crate::unit::plan;
use crate::work::Change;

/// Up to so many changes are one statement on PostgreSQL: each number of them is a statement that it keeps.
const ONE_STATEMENT: usize = 12;

/// What a guard means that fails.
#[derive(Debug, Clone)]
pub enum Refusal {
    Record(PushGuard),
    People(GuardFailed),
}

pub struct PushPlan {
    pub changes: Vec<Change>,
    pub refusals: Vec<Option<Refusal>>,
    pub in_turn: bool,
    /// What has a version, with the new one where it is known beforehand.
    pub versions: Vec<(RecordId, Option<i64>)>,
}

pub fn push_plan(unit: &PushUnit, sealer: &dyn Sealer) -> Result<PushPlan, PushError> {
    let mut out = PushPlan { changes: vec![], refusals: vec![], in_turn: false, versions: vec![] };
    // One snapshot shows no write another one of the same unit.
    out.in_turn = unit.writes.len() > 1 || !unit.ends.is_empty();
    for write in &unit.writes {
        out.write(unit, write, sealer)?;
    }
    let people = plan(unit.place.tenant, Unit { commands: unit.commands.clone(), now: unit.now }, sealer);
    let people = people.map_err(|cause| match cause {
        UnitError::Guard(guard) => PushError::People(guard),
        UnitError::Store(cause) => PushError::Store(cause),
    })?;
    out.in_turn |= people.in_turn;
    out.changes.extend(people.changes);
    out.refusals.extend(people.guards.into_iter().map(|guard| guard.map(Refusal::People)));
    // Last: they hold a row of the whole installation until the commit.
    for person in &unit.ends {
        for change in killing(Killed::Person(unit.place.tenant, *person), Vec::new(), unit.now) {
            // Who is gone has ended.
            out.free(Change { guarded: false, ..change });
        }
    }
    out.in_turn |= out.changes.len() > ONE_STATEMENT;
    Ok(out)
}

impl PushPlan {
    fn write(&mut self, unit: &PushUnit, write: &RecordWrite, sealer: &dyn Sealer) -> Result<(), PushError> {
        let (place, now) = (unit.place, unit.now);
        match write {
            RecordWrite::Insert(new) => {
                self.guarded(writes::insert(place, new, now, sealer)?, PushGuard::Taken);
                if let Some(keys) = writes::add_keys(place, new) {
                    self.free(keys);
                }
                self.versions.push((new.id, Some(1)));
            }
            RecordWrite::Update { seen, new } => {
                if !new.active {
                    writes::note_shut(place, new.id, now).into_iter().for_each(|change| self.free(change));
                }
                self.guarded(writes::update(place, seen, new, now, sealer)?, PushGuard::Stale);
                self.free(writes::drop_keys(place, new));
                if let Some(keys) = writes::add_keys(place, new) {
                    self.free(keys);
                }
                self.versions.push((new.id, Some(seen.version.saturating_add(1))));
            }
            RecordWrite::Touch { id } => {
                self.guarded(writes::touch(place, *id, now), PushGuard::Stale);
                self.versions.push((*id, None));
            }
            RecordWrite::Delete { id, version } => {
                writes::note_shut(place, *id, now).into_iter().for_each(|change| self.free(change));
                self.guarded(writes::delete(place, *id, *version), PushGuard::Stale);
            }
            RecordWrite::Shut { id } => {
                writes::note_out(place, *id, now).into_iter().for_each(|change| self.free(change))
            }
            RecordWrite::Restate { group } => {
                // Whoever joins meanwhile waits for the group's row, and then finds it changed or gone.
                self.free(writes::hold(place, *group));
                self.free(members::restate(place, *group, (unit.txn, now)));
            }
            RecordWrite::RestateBelow { group } => self.free(members::restate_below(place, *group, now)),
            RecordWrite::RestateThese { ids } => {
                for part in parts(&distinct(ids)) {
                    self.free(members::restate_these(place, &part, (unit.txn, now)));
                }
            }
            RecordWrite::Restated { id, seen } => {
                self.guarded(writes::restated(place, *id, seen, now), PushGuard::Stale)
            }
            RecordWrite::AddMembers { group, members } => self.add(unit, *group, &distinct(members)),
            RecordWrite::ReplaceMembers { group, members } => {
                let members = distinct(members);
                self.add(unit, *group, &members);
                members::keep_only(place, *group, &members).into_iter().for_each(|change| self.free(change));
            }
            RecordWrite::RemoveMembers { group, members } => {
                self.in_turn = true;
                for part in parts(&distinct(members)) {
                    self.free(members::remove(place, *group, &part));
                }
            }
        }
        Ok(())
    }

    /// `members` are distinct.
    fn add(&mut self, unit: &PushUnit, group: RecordId, members: &[RecordId]) {
        self.in_turn = true;
        self.guarded(members::hold(unit.place, group), PushGuard::Stale);
        for part in parts(members) {
            self.guarded(members::all_there(unit.place, group, &part), PushGuard::NoSuchMember);
            self.free(members::add(unit.place, group, &part));
        }
    }

    fn free(&mut self, change: Change) {
        self.changes.push(change);
        self.refusals.push(None);
    }

    fn guarded(&mut self, change: Change, refusal: PushGuard) {
        self.changes.push(Change { guarded: true, ..change });
        self.refusals.push(Some(Refusal::Record(refusal)));
    }
}
