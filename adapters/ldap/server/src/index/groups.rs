//! Groups and who is in them.

use std::collections::HashMap;
use std::sync::Arc;

use fedbridge_contract::directory::DirectoryGroup;
use fedbridge_contract::ids::GroupId;
use fedbridge_contract::time::Timestamp;
use fedbridge_ldap_core::prep::{Case, prepare};

/// A group that people's claims name, or that the store knows.
#[derive(Debug, Clone)]
pub struct Group {
    pub name: Box<str>,
    /// `None`: claims name it, and the store has not said yet what it is.
    pub known: Option<KnownGroup>,
    /// Places of people, ascending; of those who are not shown, too.
    pub members: Vec<u32>,
    /// When somebody came or went.
    pub changed: Timestamp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KnownGroup {
    pub id: GroupId,
    pub gid: Option<u32>,
    pub created: Timestamp,
}

/// Numbers of groups stay what they are: a group that is gone leaves its place empty until it comes again.
#[derive(Debug, Clone, Default)]
pub struct Groups {
    list: Vec<Arc<Group>>,
    /// By the name as it is compared.
    by_name: Arc<HashMap<Box<[u8]>, u32>>,
}

impl Groups {
    pub fn len(&self) -> u32 {
        // Never as many as that.
        self.list.len() as u32
    }

    pub fn get(&self, number: u32) -> Option<&Group> {
        self.list.get(number as usize).map(|group| &**group)
    }

    /// A group that is shown, with its number.
    pub fn find(&self, prepared: &[u8]) -> Option<(u32, &Group)> {
        let number = *self.by_name.get(prepared)?;
        Some((number, self.get(number).filter(|group| group.known.is_some())?))
    }

    /// The number of a name, known or not.
    pub fn number(&self, name: &str) -> Option<u32> {
        self.by_name.get(&*prepare(name.as_bytes(), Case::Ignore)).copied()
    }

    /// The number of a name, a new one where it has none. `None`: it is no name.
    pub fn intern(&mut self, name: &str) -> Option<u32> {
        let prepared = prepare(name.as_bytes(), Case::Ignore);
        if prepared.is_empty() {
            return None;
        }
        if let Some(number) = self.by_name.get(&*prepared) {
            return Some(*number);
        }
        let number = self.len();
        let group = Group { name: name.into(), known: None, members: Vec::new(), changed: Timestamp::default() };
        self.list.push(Arc::new(group));
        Arc::make_mut(&mut self.by_name).insert(prepared.into_owned().into_boxed_slice(), number);
        Some(number)
    }

    /// Takes over all groups that the store has.
    pub fn know(&mut self, groups: &[DirectoryGroup]) {
        let mut known: HashMap<u32, &DirectoryGroup> = HashMap::with_capacity(groups.len());
        for group in groups {
            if let Some(number) = self.intern(&group.name) {
                known.insert(number, group);
            }
        }
        for (number, slot) in self.list.iter_mut().enumerate() {
            let new = u32::try_from(number).ok().and_then(|number| known.get(&number));
            let facts = new.map(|new| KnownGroup { id: new.id, gid: new.gid, created: new.created });
            if slot.known != facts || new.is_some_and(|new| *new.name != *slot.name) {
                let group = Arc::make_mut(slot);
                group.known = facts;
                if let Some(new) = new {
                    group.name = new.name.as_str().into();
                    group.changed = group.changed.max(new.created);
                }
            }
        }
    }

    pub fn join(&mut self, number: u32, place: u32, at: Timestamp) {
        self.change(number, at, |members| match members.binary_search(&place) {
            Err(before) => {
                members.insert(before, place);
                true
            }
            Ok(_) => false,
        });
    }

    pub fn leave(&mut self, number: u32, place: u32, at: Timestamp) {
        self.change(number, at, |members| match members.binary_search(&place) {
            Ok(found) => {
                members.remove(found);
                true
            }
            Err(_) => false,
        });
    }

    /// Notes that what is shown of a group's members is another.
    pub fn touch(&mut self, number: u32, at: Timestamp) {
        self.change(number, at, |_| true);
    }

    fn change(&mut self, number: u32, at: Timestamp, change: impl FnOnce(&mut Vec<u32>) -> bool) {
        if let Some(slot) = self.list.get_mut(number as usize) {
            let group = Arc::make_mut(slot);
            if change(&mut group.members) {
                group.changed = group.changed.max(at);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use uuid::Uuid;

    use super::*;

    fn stored(number: u128, name: &str) -> DirectoryGroup {
        let created = Timestamp::from_seconds(100);
        DirectoryGroup { id: GroupId::from_uuid(Uuid::from_u128(number)), name: name.to_owned(), gid: None, created }
    }

    #[test]
    fn one_group_in_two_spellings() {
        let mut groups = Groups::default();
        let dev = groups.intern("Dev").unwrap();
        assert_eq!(groups.intern("  DEV "), Some(dev));
        assert_eq!(groups.intern("  "), None);
        assert!(groups.find(b"dev").is_none(), "nobody has said yet what it is");
        groups.know(&[stored(1, "dev"), stored(2, "ops")]);
        assert_eq!(groups.find(b"dev").map(|(number, group)| (number, &*group.name)), Some((dev, "dev")));
        assert!(groups.find(b"ops").is_some());
        groups.know(&[stored(2, "ops")]);
        assert!(groups.find(b"dev").is_none(), "it is gone");
    }

    #[test]
    fn members_come_and_go_with_a_time() {
        let mut groups = Groups::default();
        groups.know(&[stored(1, "dev")]);
        let at = Timestamp::from_seconds;
        groups.join(0, 7, at(200));
        groups.join(0, 3, at(150));
        let before = groups.clone();
        groups.leave(0, 7, at(300));
        groups.leave(0, 7, at(400));
        assert_eq!((groups.get(0).unwrap().members.clone(), groups.get(0).unwrap().changed), (vec![3], at(300)));
        assert_eq!((before.get(0).unwrap().members.clone(), before.get(0).unwrap().changed), (vec![3, 7], at(200)));
    }
}
