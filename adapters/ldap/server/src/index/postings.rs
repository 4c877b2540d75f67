//! Who has a value: from attribute and prepared value to the places of people.
//!
//! A change copies the segment that it falls in, and leaves the others to whoever still reads them.

use std::collections::HashMap;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher as _;
use std::sync::Arc;

use crate::catalogue::AttributeId;

const SEGMENTS: usize = 256;

/// Marks a place in [`Segment::several`]. So many people fit into no memory.
const SEVERAL: u32 = 1 << 31;

/// It may name people who do not have the value, where hashes fall together; it never leaves anybody out.
#[derive(Clone)]
pub struct Postings {
    hasher: RandomState,
    segments: Vec<Arc<Segment>>,
}

#[derive(Clone, Default)]
struct Segment {
    /// By a part of the hash: the place of one, or where several stand.
    places: HashMap<u32, u32>,
    several: Vec<Vec<u32>>,
    free: Vec<u32>,
}

impl Default for Postings {
    fn default() -> Self {
        let segments = (0..SEGMENTS).map(|_| Arc::default()).collect();
        Self { hasher: RandomState::new(), segments }
    }
}

impl Postings {
    /// In ascending order.
    pub fn get(&self, attribute: AttributeId, prepared: &[u8]) -> &[u32] {
        let (segment, key) = self.key(attribute, prepared);
        self.segments.get(segment).map_or(&[], |segment| segment.get(key))
    }

    pub fn add(&mut self, attribute: AttributeId, prepared: &[u8], place: u32) {
        let (segment, key) = self.key(attribute, prepared);
        if let Some(segment) = self.segments.get_mut(segment) {
            Arc::make_mut(segment).add(key, place);
        }
    }

    pub fn remove(&mut self, attribute: AttributeId, prepared: &[u8], place: u32) {
        let (segment, key) = self.key(attribute, prepared);
        if let Some(segment) = self.segments.get_mut(segment) {
            Arc::make_mut(segment).remove(key, place);
        }
    }

    fn key(&self, attribute: AttributeId, prepared: &[u8]) -> (usize, u32) {
        let hash = self.hasher.hash_one((attribute, prepared));
        let octets = hash.to_be_bytes();
        let [segment, a, b, c, d, ..] = octets;
        (usize::from(segment), u32::from_be_bytes([a, b, c, d]))
    }
}

impl Segment {
    fn get(&self, key: u32) -> &[u32] {
        match self.places.get(&key) {
            None => &[],
            Some(place) if place & SEVERAL == 0 => std::slice::from_ref(place),
            Some(at) => self.several.get((at & !SEVERAL) as usize).map_or(&[], Vec::as_slice),
        }
    }

    fn add(&mut self, key: u32, place: u32) {
        match self.places.get(&key).copied() {
            None => {
                self.places.insert(key, place);
            }
            Some(there) if there == place => {}
            Some(there) if there & SEVERAL == 0 => {
                let both = vec![there.min(place), there.max(place)];
                let at = self.keep(both);
                self.places.insert(key, at | SEVERAL);
            }
            Some(at) => {
                if let Some(places) = self.several.get_mut((at & !SEVERAL) as usize)
                    && let Err(before) = places.binary_search(&place)
                {
                    places.insert(before, place);
                }
            }
        }
    }

    fn keep(&mut self, places: Vec<u32>) -> u32 {
        match self.free.pop() {
            Some(at) => {
                if let Some(free) = self.several.get_mut(at as usize) {
                    *free = places;
                }
                at
            }
            None => {
                self.several.push(places);
                // As many as there are people, at most.
                (self.several.len() - 1) as u32
            }
        }
    }

    fn remove(&mut self, key: u32, place: u32) {
        match self.places.get(&key).copied() {
            Some(there) if there == place => {
                self.places.remove(&key);
            }
            Some(at) if at & SEVERAL != 0 => {
                let at = at & !SEVERAL;
                let Some(places) = self.several.get_mut(at as usize) else { return };
                if let Ok(found) = places.binary_search(&place) {
                    places.remove(found);
                }
                if let [last] = places[..] {
                    *places = Vec::new();
                    self.free.push(at);
                    self.places.insert(key, last);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CN: AttributeId = AttributeId::of_number(1);
    const SN: AttributeId = AttributeId::of_number(2);

    #[test]
    fn finds_one_and_several() {
        let mut postings = Postings::default();
        postings.add(CN, b"ada", 7);
        postings.add(SN, b"ada", 8);
        assert_eq!(postings.get(CN, b"ada"), [7]);
        postings.add(CN, b"ada", 3);
        postings.add(CN, b"ada", 9);
        postings.add(CN, b"ada", 3);
        assert_eq!(postings.get(CN, b"ada"), [3, 7, 9]);
        postings.remove(CN, b"ada", 7);
        postings.remove(CN, b"ada", 7);
        assert_eq!(postings.get(CN, b"ada"), [3, 9]);
        postings.remove(CN, b"ada", 3);
        assert_eq!(postings.get(CN, b"ada"), [9]);
        postings.add(CN, b"ada", 1);
        assert_eq!(postings.get(CN, b"ada"), [1, 9], "where several stood is used again");
        postings.remove(CN, b"ada", 9);
        postings.remove(CN, b"ada", 1);
        assert_eq!(postings.get(CN, b"ada"), [0_u32; 0]);
        assert_eq!(postings.get(SN, b"ada"), [8]);
    }

    #[test]
    fn an_older_reader_sees_what_was() {
        let mut postings = Postings::default();
        postings.add(CN, b"ada", 7);
        let before = postings.clone();
        postings.remove(CN, b"ada", 7);
        assert_eq!(before.get(CN, b"ada"), [7]);
        assert_eq!(postings.get(CN, b"ada"), [0_u32; 0]);
    }
}
