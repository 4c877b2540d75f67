//! Lists of ids as places of a statement, in few sizes: each size is a statement that the databases keep.

use fedbridge_contract::ids::RecordId;

use crate::work::Arg;

const SIZES: [usize; 4] = [1, 10, 100, 1000];

/// A part of a list, and the places for it.
pub struct Part<'a> {
    pub ids: &'a [RecordId],
    size: usize,
}

impl Part<'_> {
    /// `?, ?, ?`
    pub fn places(&self) -> String {
        vec!["?"; self.size].join(", ")
    }

    /// The ids, the last one as often as is needed to fill the places.
    pub fn args(&self) -> impl Iterator<Item = Arg> {
        let last = self.ids.last();
        self.ids.iter().chain(last.into_iter().cycle()).take(self.size).map(|id| Arg::Uuid(id.uuid()))
    }
}

pub fn parts(ids: &[RecordId]) -> impl Iterator<Item = Part<'_>> {
    ids.chunks(1000).map(|ids| {
        let size = SIZES.into_iter().find(|size| *size >= ids.len()).unwrap_or(ids.len());
        Part { ids, size }
    })
}

/// In order, and each once.
pub fn distinct(ids: &[RecordId]) -> Vec<RecordId> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids.dedup();
    ids
}
