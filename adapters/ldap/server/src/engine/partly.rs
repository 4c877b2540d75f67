//! People of whom memory has the keys alone: who of them has to be read from the store before a search can go on.

use super::evaluate::Test;
use super::node::Node;
use super::select::Selection;
use crate::access::Reader;
use crate::backend::Asked;

/// People who are read at once.
const BATCH: usize = 256;

/// What one step was missing.
#[derive(Default)]
pub struct Partly {
    /// Places, ascending.
    pub missing: Vec<u32>,
    /// How many are worth reading at once.
    most: usize,
    needs: Option<Needs>,
}

/// Whether the keys do.
#[derive(Clone, Copy)]
struct Needs {
    filter: bool,
    entry: bool,
}

impl Partly {
    pub fn first(&self) -> Option<u32> {
        self.missing.first().copied()
    }

    /// Whether the step is over.
    pub fn is_full(&self) -> bool {
        !self.missing.is_empty() && self.missing.len() >= self.most
    }

    /// The person as far as the search needs it. `None`: it is nobody whom the search finds, or has to be read first.
    pub fn look<'n>(
        &mut self,
        node: Node<'n>,
        place: u32,
        test: &Test,
        (asked, given): (&'n Asked<'_>, u32),
        reader: &Reader<'_>,
        selection: &Selection,
    ) -> Option<Node<'n>> {
        if let Some(read) = asked.fetched.and_then(|fetched| fetched.get(place)) {
            return read.map(|person| Node::Person(place, person));
        }
        if !test.can_be_true(node, reader) {
            return None;
        }
        let needs = *self
            .needs
            .get_or_insert_with(|| Needs { filter: test.needs_the_whole(), entry: selection.needs_the_whole(reader) });
        if !needs.filter && !needs.entry {
            return Some(node);
        }
        if self.missing.is_empty() {
            // Who passes the filter already is somebody who goes out: no more of them than are wanted.
            let wanted = usize::try_from(asked.ask_for - given).unwrap_or(BATCH);
            self.most = if needs.filter { BATCH } else { wanted.clamp(1, BATCH) };
        }
        self.missing.push(place);
        None
    }
}
