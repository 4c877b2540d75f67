//! People by their place, and the ways to find it.
//!
//! Everything is shared with whoever still reads an older state: a change copies a list of 1,024 pointers, and the
//! segments of the tables that it falls in.

use std::collections::HashMap;
use std::sync::Arc;

use fedbridge_contract::ids::PersonId;

use super::person::Person;
use super::postings::Postings;
use crate::catalogue::{AttributeId, INDEXED};

const CHUNK: usize = 1024;
const SEGMENTS: usize = 64;

/// A place is a number that a person keeps; the place of somebody who is gone is given to the next one.
#[derive(Clone, Default)]
pub struct People {
    chunks: Vec<Arc<Chunk>>,
    by_id: ById,
    by_value: Postings,
    free: Vec<u32>,
    places: u32,
    /// Of the entries that are whole.
    octets: u64,
}

type Chunk = Vec<Option<Arc<Person>>>;

impl People {
    /// All places are below this.
    pub fn places(&self) -> u32 {
        self.places
    }

    /// Octets of all entries that are kept whole.
    pub fn octets(&self) -> u64 {
        self.octets
    }

    pub fn get(&self, place: u32) -> Option<&Person> {
        self.slot(place).map(|person| &**person)
    }

    pub fn place(&self, id: PersonId) -> Option<u32> {
        self.by_id.get(id)
    }

    /// Places of people who may have this value of an attribute of [`INDEXED`], ascending; nobody else has it.
    pub fn with_value(&self, attribute: AttributeId, prepared: &[u8]) -> &[u32] {
        self.by_value.get(attribute, prepared)
    }

    /// Whose user name it is: the oldest one's.
    pub fn owner(&self, prepared: &[u8]) -> Option<(u32, &Person)> {
        let has_it = |person: &Person| {
            person.blob.get(AttributeId::UID).is_some_and(|uid| uid.prepared().any(|value| value == prepared))
        };
        let places = self.with_value(AttributeId::UID, prepared).iter();
        let owners = places.filter_map(|place| Some((*place, self.get(*place).filter(|person| has_it(person))?)));
        owners.min_by_key(|(_, person)| (person.created, person.id))
    }

    #[cfg(test)]
    pub fn iter(&self) -> impl Iterator<Item = (u32, &Person)> {
        (0..self.places).filter_map(|place| Some((place, self.get(place)?)))
    }

    /// Puts a person in, and gives back who had the place: the same person as before.
    pub fn put(&mut self, person: Person) -> (u32, Option<Arc<Person>>) {
        let place = self.by_id.get(person.id).unwrap_or_else(|| self.new_place());
        let before = self.slot(place).cloned();
        if let Some(before) = &before {
            self.unlist(before, place);
        }
        self.octets += person.octets();
        self.by_id.put(person.id, place);
        each_indexed(&person, |attribute, value| self.by_value.add(attribute, value, place));
        self.set(place, Some(Arc::new(person)));
        (place, before)
    }

    pub fn remove(&mut self, id: PersonId) -> Option<(u32, Arc<Person>)> {
        let place = self.by_id.get(id)?;
        let before = self.slot(place).cloned()?;
        self.unlist(&before, place);
        self.by_id.remove(id);
        self.set(place, None);
        self.free.push(place);
        Some((place, before))
    }

    /// Settles whose a user name is. True: somebody's name has changed.
    pub fn settle(&mut self, prepared: &[u8]) -> Vec<u32> {
        let owner = self.owner(prepared).map(|(place, _)| place);
        let places = self.with_value(AttributeId::UID, prepared).to_vec();
        let mut changed = Vec::new();
        for place in places {
            let is_owner = owner == Some(place);
            let Some(person) = self.slot(place) else { continue };
            let is_meant =
                person.blob.get(AttributeId::UID).is_some_and(|uid| uid.prepared().any(|own| own == prepared));
            if is_meant && person.is_named != is_owner {
                let renamed = person.named(is_owner);
                self.set(place, Some(Arc::new(renamed)));
                changed.push(place);
            }
        }
        changed
    }

    fn unlist(&mut self, person: &Person, place: u32) {
        self.octets -= person.octets();
        each_indexed(person, |attribute, value| self.by_value.remove(attribute, value, place));
    }

    fn new_place(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.places += 1;
            self.places - 1
        })
    }

    fn slot(&self, place: u32) -> Option<&Arc<Person>> {
        let place = place as usize;
        self.chunks.get(place / CHUNK)?.get(place % CHUNK)?.as_ref()
    }

    fn set(&mut self, place: u32, person: Option<Arc<Person>>) {
        let place = place as usize;
        while self.chunks.len() <= place / CHUNK {
            self.chunks.push(Arc::default());
        }
        if let Some(chunk) = self.chunks.get_mut(place / CHUNK) {
            let chunk = Arc::make_mut(chunk);
            if chunk.len() <= place % CHUNK {
                chunk.resize(place % CHUNK + 1, None);
            }
            if let Some(slot) = chunk.get_mut(place % CHUNK) {
                *slot = person;
            }
        }
    }
}

fn each_indexed(person: &Person, mut each: impl FnMut(AttributeId, &[u8])) {
    for held in person.blob.iter().filter(|held| INDEXED.contains(&held.id)) {
        for value in held.prepared() {
            each(held.id, value);
        }
    }
    if let Some(numbers) = person.posix {
        each(AttributeId::UID_NUMBER, numbers.uid.to_string().as_bytes());
    }
}

/// Places by id.
#[derive(Clone)]
struct ById(Vec<Arc<HashMap<PersonId, u32>>>);

impl Default for ById {
    fn default() -> Self {
        Self((0..SEGMENTS).map(|_| Arc::default()).collect())
    }
}

impl ById {
    fn get(&self, id: PersonId) -> Option<u32> {
        self.0.get(segment(id))?.get(&id).copied()
    }

    fn put(&mut self, id: PersonId, place: u32) {
        if let Some(segment) = self.0.get_mut(segment(id)) {
            Arc::make_mut(segment).insert(id, place);
        }
    }

    fn remove(&mut self, id: PersonId) {
        if let Some(segment) = self.0.get_mut(segment(id)) {
            Arc::make_mut(segment).remove(&id);
        }
    }
}

/// The last octet is random in every form of id.
fn segment(id: PersonId) -> usize {
    let [.., last] = *id.uuid().as_bytes();
    usize::from(last) % SEGMENTS
}
