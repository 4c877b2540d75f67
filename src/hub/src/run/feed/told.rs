//! What was given out: the same change is found again and again while it is new.

use std::collections::HashMap;
use std::time::Duration;

use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::ids::PersonId;
use fedbridge_contract::time::Timestamp;

use super::WIDE;
use crate::ports::ChangedPerson;

/// Of two changes of one moment the second may be stored a little later: what is so new is given out once more.
const SETTLED: Duration = Duration::from_millis(500);

/// For how long something is remembered: longer than it is found.
const REMEMBERED: Duration = WIDE.saturating_mul(2);

#[derive(Default)]
pub(super) struct Told {
    people: HashMap<PersonId, Once>,
    groups: Option<(Timestamp, bool)>,
    swept: Option<Timestamp>,
}

struct Once {
    at: Timestamp,
    epoch: Epoch,
    settled: bool,
    told: Timestamp,
}

impl Told {
    pub fn is_new(&self, changed: &ChangedPerson) -> bool {
        let once = self.people.get(&changed.person);
        !once.is_some_and(|once| once.settled && (once.at, once.epoch) == (changed.at, changed.epoch))
    }

    pub fn groups_are_new(&self, at: Timestamp) -> bool {
        self.groups != Some((at, true))
    }

    /// These were given out at this moment, all that were new of them.
    pub fn tell(&mut self, changed: &[ChangedPerson], groups: Option<Timestamp>, now: Timestamp) {
        let settled = |at: Timestamp| at + SETTLED <= now;
        for it in changed.iter().filter(|it| self.is_new(it)).collect::<Vec<_>>() {
            let once = Once { at: it.at, epoch: it.epoch, settled: settled(it.at), told: now };
            self.people.insert(it.person, once);
        }
        if let Some(at) = groups.filter(|at| self.groups_are_new(*at)) {
            self.groups = Some((at, settled(at)));
        }
        if self.swept.is_none_or(|last| last + REMEMBERED <= now) {
            self.people.retain(|_, once| once.told + REMEMBERED > now);
            self.swept = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn changed(millis: i64, epoch: i64) -> ChangedPerson {
        ChangedPerson { person: PersonId::from_uuid(Uuid::nil()), at: at(millis), epoch: Epoch(epoch) }
    }

    #[test]
    fn a_change_is_given_out_again_until_it_has_settled() {
        let mut told = Told::default();
        assert!(told.is_new(&changed(1000, 0)) && told.groups_are_new(at(1000)));
        told.tell(&[changed(1000, 0)], Some(at(1000)), at(1010));
        assert!(told.is_new(&changed(1000, 0)) && told.groups_are_new(at(1000)), "another one of that moment may come");
        told.tell(&[changed(1000, 0)], Some(at(1000)), at(1500));
        assert!(!told.is_new(&changed(1000, 0)) && !told.groups_are_new(at(1000)));
        assert!(told.is_new(&changed(1001, 0)) && told.is_new(&changed(1000, 1)), "a later one, and a kill");
        assert!(told.groups_are_new(at(1001)));
    }

    #[test]
    fn what_cannot_be_found_any_more_is_forgotten() {
        let mut told = Told::default();
        told.tell(&[changed(1000, 0)], None, at(2000));
        told.tell(&[], None, at(2000 + 119_999));
        assert!(!told.is_new(&changed(1000, 0)));
        told.tell(&[], None, at(2000 + 120_000));
        assert!(told.people.is_empty());
    }
}
