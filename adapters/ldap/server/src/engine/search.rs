//! Goes through the entries of a search, a step at a time.

use std::borrow::Cow;

use fedbridge_ldap_core::{Code, Dn};

use super::compile::Compiled;
use super::evaluate::{Test, Truth};
use super::node::Node;
use super::partly::Partly;
use super::plan::{Of, candidates};
use super::select::Selection;
use crate::access::{Kind, Reader};
use crate::backend::{Asked, Found, Page};
use crate::tree::{Located, Place, Span, Tree};

/// Entries that one step looks at.
const STEP: u32 = 512;

/// Parts of a filter that one step tries, about: of a filter that is long, it looks at fewer entries.
const TRIES: u32 = 32_768;
const FEWEST: u32 = 16;

/// One step of a search: see [`Backend::search`](crate::backend::Backend::search).
pub fn search(asked: &Asked<'_>, reader: &Reader<'_>, tree: &Tree, out: &mut dyn FnMut(Found) -> bool) -> Page {
    let Ok(base) = Dn::parse(&asked.search.base) else { return Page::ended(Code::INVALID_DN, String::new()) };
    let place = match base_of(&base, reader, tree) {
        Ok(place) => place,
        Err(matched) => return Page::ended(Code::NO_SUCH_OBJECT, matched),
    };
    let index = reader.index;
    let compiled = Compiled::new(&asked.search.filter, reader, tree);
    let selection = Selection::of(&asked.search.attributes, asked.search.types_only, &index.catalogue);
    let mut step =
        Step { asked, reader, tree, selection, out, looked: 0, given: 0, most: STEP, partly: Partly::default() };
    let mut estimate = 0;
    let mut begins = 0;
    let mut tests: [Option<Test>; 3] = [None, None, None];
    let mut next = None;
    for span in tree.spans(place, asked.search.scope, index) {
        let (kind, first, end) = extent(span);
        let number = match kind {
            Kind::Plain => 0,
            Kind::Person => 1,
            Kind::Group => 2,
        };
        let Some(slot) = tests.get_mut(number) else { continue };
        let test = &*slot.get_or_insert_with(|| compiled.for_kind(kind));
        step.most = step.most.min((TRIES / test.size()).max(FEWEST));
        let list = match span {
            Span::People { .. } => candidates(test, Of::People, index),
            Span::Groups { .. } => candidates(test, Of::Groups, index),
            Span::Private { .. } => candidates(test, Of::Private, index),
            Span::Plain(_) => None,
        };
        let is_false = matches!(test, Test::Is(Truth::False | Truth::Undefined));
        let length = end - first;
        // Positions of this span, as the steps of one search count them.
        let from = asked.after.saturating_sub(begins).min(length);
        if !is_false && next.is_none() {
            estimate += list.as_ref().map_or(length, |list| u32::try_from(list.len()).unwrap_or(length));
            let stopped = step.span(span, test, list, first + from, end);
            let stopped = step.partly.first().or(stopped);
            next = stopped.map(|at| begins + (at - first));
        }
        begins += length;
    }
    // What stands at the very end has nothing behind it.
    let next = next.filter(|next| *next < begins);
    let estimate = if reader.sees_all_entries() { estimate } else { 0 };
    Page { next, estimate, code: Code::SUCCESS, matched: String::new(), missing: step.partly.missing }
}

/// Where a search begins, or the lowest entry above it that the reader may know of.
pub fn base_of(base: &Dn, reader: &Reader<'_>, tree: &Tree) -> Result<Place, String> {
    let above = match tree.locate(base, reader.index) {
        Located::At(place) if reader.may_begin_at(place) => return Ok(place),
        Located::At(place) => place.above(),
        Located::Missing { above } => Some(above),
        Located::Outside => None,
    };
    let mut at = above;
    while let Some(place) = at {
        if reader.may_begin_at(place)
            && let Some(node) = node_at(place, reader, tree)
        {
            return Err(node.dn(&reader.index.layout));
        }
        at = place.above();
    }
    Err(String::new())
}

/// The entry at a place that the reader sees.
pub fn node_at<'a>(place: Place, reader: &Reader<'a>, tree: &'a Tree) -> Option<Node<'a>> {
    let index = reader.index;
    match place {
        Place::Group(number) => Some(Node::Group(number, index.groups.get(number)?)),
        Place::Person(place) => Some(Node::Person(place, index.people.get(place)?)),
        Place::Private(place) => Some(Node::Private(place, index.people.get(place)?)),
        plain => Some(Node::Plain(plain, tree.plain(plain)?)),
    }
}

fn extent(span: Span) -> (Kind, u32, u32) {
    match span {
        Span::Plain(_) => (Kind::Plain, 0, 1),
        Span::Groups { first, end } | Span::Private { first, end } => (Kind::Group, first, end),
        Span::People { first, end } => (Kind::Person, first, end),
    }
}

struct Step<'s, 'a> {
    asked: &'s Asked<'s>,
    reader: &'s Reader<'a>,
    tree: &'a Tree,
    selection: Selection,
    out: &'s mut dyn FnMut(Found) -> bool,
    looked: u32,
    given: u32,
    /// Entries that it looks at.
    most: u32,
    partly: Partly,
}

impl Step<'_, '_> {
    /// Looks at the entries of a span from `from` on. `Some`: where it stopped before the end.
    fn span(&mut self, span: Span, test: &Test, list: Option<Cow<'_, [u32]>>, from: u32, end: u32) -> Option<u32> {
        match list {
            Some(list) => {
                let first = list.partition_point(|number| *number < from);
                let numbers = list.get(first..).unwrap_or_default().iter().copied().take_while(|number| *number < end);
                numbers.into_iter().find_map(|number| self.number(span, number, test))
            }
            None => (from..end).find_map(|number| self.number(span, number, test)),
        }
    }

    /// Looks at one entry. `Some`: the step is over, and this is where the next one begins.
    fn number(&mut self, span: Span, number: u32, test: &Test) -> Option<u32> {
        if self.looked >= self.most || self.given >= self.asked.ask_for {
            return Some(number);
        }
        self.looked += 1;
        let mut node: Node<'_> = shown(span, number, self.reader, self.tree)?;
        if let Node::Person(place, person) = node
            && !person.is_whole
        {
            let wanted = (self.asked, self.given);
            match self.partly.look(node, place, test, wanted, self.reader, &self.selection) {
                Some(enough) => node = enough,
                None if self.partly.is_full() => return Some(number),
                None => {
                    if self.partly.first() == Some(number) {
                        // Whoever else is missing is looked for as far as a step reaches.
                        self.looked = 0;
                    }
                    return None;
                }
            }
        }
        if !self.partly.missing.is_empty() {
            // Entries go out in their order: this one's turn is when the missing ones are here.
            return None;
        }
        if test.of(node, self.reader) != Truth::True {
            return None;
        }
        self.given += 1;
        let more = (self.out)(Found::Entry(self.selection.entry(node, self.reader)));
        (!more).then_some(number + 1)
    }
}

/// The entry of a span with this number, where the reader sees it.
fn shown<'a>(span: Span, number: u32, reader: &Reader<'a>, tree: &'a Tree) -> Option<Node<'a>> {
    let index = reader.index;
    match span {
        Span::Plain(place) => {
            let plain = tree.plain(place).filter(|_| reader.sees(place))?;
            Some(Node::Plain(place, plain))
        }
        Span::Groups { .. } => {
            let group = index.groups.get(number).filter(|_| reader.sees_group(number))?;
            Some(Node::Group(number, group))
        }
        Span::People { .. } => {
            let person = index.people.get(number).filter(|person| reader.sees_person(number, person))?;
            Some(Node::Person(number, person))
        }
        Span::Private { .. } => {
            let person = index.people.get(number).filter(|person| reader.sees_private(number, person))?;
            Some(Node::Private(number, person))
        }
    }
}
