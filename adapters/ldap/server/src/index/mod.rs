//! What a tenant's directory shows, in memory: a search costs no statement.
//!
//! ```text
//! feed -> people.rs   people by place, in shared chunks; who has which value (postings.rs)
//!         person.rs   one person: claims.rs makes attributes, blob.rs keeps them ready
//!         groups.rs   groups and their members
//! ```
//!
//! Of people beyond the limit of memory only the keys are kept ([`KEYS`](crate::catalogue::KEYS)): they are found as
//! all others are, and what else is asked of them is read from the store ([`fetched`]).
//!
//! An [`Index`] that was given out does not change. The next state is a copy of it that shares all that is the same.

pub mod blob;
pub mod claims;
pub mod classes;
pub mod fetched;
pub mod groups;
pub mod people;
pub mod person;
pub mod postings;

use std::sync::Arc;

use fedbridge_contract::directory::{DirectoryGroup, DirectoryPerson};
use fedbridge_contract::ids::PersonId;
use fedbridge_contract::time::Timestamp;

use crate::catalogue::{AttributeId, Catalogue};
use crate::layout::Layout;
use groups::Groups;
use people::People;
use person::Person;

#[derive(Clone)]
pub struct Index {
    pub layout: Arc<Layout>,
    pub catalogue: Arc<Catalogue>,
    pub people: People,
    pub groups: Groups,
}

impl Index {
    pub fn new(layout: Layout) -> Self {
        Self {
            layout: Arc::new(layout),
            catalogue: Arc::default(),
            people: People::default(),
            groups: Groups::default(),
        }
    }

    pub fn know_groups(&mut self, groups: &[DirectoryGroup]) {
        self.groups.know(groups);
    }

    /// Takes somebody over as they are now, new or not.
    pub fn put(&mut self, new: &DirectoryPerson) {
        let names = claims::groups(&new.claims);
        let groups = names.iter().filter_map(|name| self.groups.intern(name)).collect();
        let mut person = Person::of(new, groups, &self.layout, Arc::make_mut(&mut self.catalogue));
        let there = self.people.place(new.id).and_then(|place| self.people.get(place));
        let others = self.people.octets() - there.map_or(0, Person::octets);
        if others.saturating_add(person.octets()) > self.layout.memory {
            person = person.keys_alone();
        }
        // Whoever keeps a name keeps it; who else may have it is settled below.
        person.is_named = there.is_some_and(|there| there.is_named && there.user_name() == person.user_name());
        let (now, disabled, changed) = (person.groups.clone(), person.disabled, person.changed);
        let user_name = person.user_name().map(<[u8]>::to_vec);
        let mut names = prepared_names(&person);
        let (place, before) = self.people.put(person);
        for group in &now {
            self.groups.join(*group, place, changed);
        }
        if let Some(before) = &before {
            for group in before.groups.iter().filter(|group| now.binary_search(group).is_err()) {
                self.groups.leave(*group, place, changed);
            }
            if before.disabled != disabled || before.user_name() != user_name.as_deref() {
                // Whether and how the person is shown there is another.
                self.touch(&now, changed);
            }
            names.extend(prepared_names(before));
        }
        self.settle(&names, changed);
    }

    /// Takes somebody out who was deleted, at about this time.
    pub fn remove(&mut self, id: PersonId, at: Timestamp) {
        let Some((place, before)) = self.people.remove(id) else { return };
        for group in &before.groups {
            self.groups.leave(*group, place, at);
        }
        self.settle(&prepared_names(&before), at);
    }

    /// Names of the groups that a person is in.
    pub fn group_names(&self, person: &Person) -> Vec<String> {
        let groups = person.groups.iter().filter_map(|number| self.groups.get(*number));
        groups.map(|group| group.name.to_string()).collect()
    }

    fn settle(&mut self, names: &[Vec<u8>], at: Timestamp) {
        for name in names {
            for place in self.people.settle(name) {
                let groups = self.people.get(place).map(|person| person.groups.clone()).unwrap_or_default();
                self.touch(&groups, at);
            }
        }
    }

    fn touch(&mut self, groups: &[u32], at: Timestamp) {
        for group in groups {
            self.groups.touch(*group, at);
        }
    }
}

fn prepared_names(person: &Person) -> Vec<Vec<u8>> {
    let held = person.blob.get(AttributeId::UID);
    held.map(|held| held.prepared().map(<[u8]>::to_vec).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests;
