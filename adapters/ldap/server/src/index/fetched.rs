//! People whom the store was asked about, for one search: entries beyond the limit of memory.

use std::collections::HashMap;

use fedbridge_contract::directory::DirectoryPerson;
use fedbridge_contract::ids::PersonId;
use serde_json::Value;

use super::Index;
use super::person::Person;

/// Whole entries by the place of the person.
#[derive(Debug, Clone, Default)]
pub struct Fetched(HashMap<u32, Option<Person>>);

impl Fetched {
    /// What the store says now of the people at these places, for readers of this index. Who is gone meanwhile, or
    /// disabled, is not there.
    pub fn of(places: &[u32], read: Vec<DirectoryPerson>, index: &Index) -> Self {
        let mut read: HashMap<PersonId, DirectoryPerson> = read.into_iter().map(|new| (new.id, new)).collect();
        // The index does not change; an attribute that it has not heard of has a number in this copy alone.
        let mut catalogue = (*index.catalogue).clone();
        let mut whole = |place: &u32| {
            let known = index.people.get(*place)?;
            let mut new = read.remove(&known.id).filter(|new| !new.disabled)?;
            if let Some(name) = known.user_name() {
                // The name is what the index says it is: by it they were found, and the DN has it.
                new.claims.set("preferred_username", Value::from(String::from_utf8_lossy(name)));
            }
            let mut person = Person::of(&new, known.groups.to_vec(), &index.layout, &mut catalogue);
            (person.is_named, person.posix) = (known.is_named, known.posix);
            Some(person)
        };
        Self(places.iter().map(|place| (*place, whole(place))).collect())
    }

    /// `None`: the store was not asked. `Some(None)`: nobody is there any more.
    pub fn get(&self, place: u32) -> Option<Option<&Person>> {
        self.0.get(&place).map(Option::as_ref)
    }
}
