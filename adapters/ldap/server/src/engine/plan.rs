//! Who can match at all: a short list, where the filter allows one.
//!
//! It looks at filters that the view has been over already, so a list is never shorter for what the reader may not
//! search by.

use std::borrow::Cow;

use fedbridge_contract::ids::PersonId;
use uuid::Uuid;

use super::evaluate::{Check, Test, Truth};
use crate::catalogue::{AttributeId, INDEXED};
use crate::index::Index;
use crate::tree::Place;

/// Whose numbers a list has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Of {
    /// Places.
    People,
    Groups,
    /// Places of people who have a group of their own.
    Private,
}

/// Ascending numbers, of which each one that matches is one. `None`: it can be anybody.
pub fn candidates<'i>(test: &Test, kind: Of, index: &'i Index) -> Option<Cow<'i, [u32]>> {
    match test {
        Test::Is(Truth::True) | Test::Not(_) => None,
        // Only what is true is found.
        Test::Is(Truth::False | Truth::Undefined) => Some(Cow::Borrowed(&[])),
        Test::All(tests) => {
            let lists = tests.iter().filter_map(|test| candidates(test, kind, index));
            lists.min_by_key(|list| list.len())
        }
        Test::Any(tests) => {
            let mut all = Vec::new();
            for test in tests {
                all.extend_from_slice(&candidates(test, kind, index)?);
            }
            all.sort_unstable();
            all.dedup();
            Some(Cow::Owned(all))
        }
        Test::Has(ids, Check::Equal(value)) => match (&ids[..], kind) {
            ([id], Of::People) if INDEXED.contains(id) => Some(Cow::Borrowed(index.people.with_value(*id, value))),
            ([AttributeId::ENTRY_UUID], Of::People) => Some(person_with(value, index)),
            ([AttributeId::CN], Of::Private) => Some(Cow::Borrowed(index.people.with_value(AttributeId::UID, value))),
            ([AttributeId::GID_NUMBER], Of::Private) => {
                Some(Cow::Borrowed(index.people.with_value(AttributeId::UID_NUMBER, value)))
            }
            ([AttributeId::GID_NUMBER], Of::Groups) => Some(Cow::Owned(groups_with(value, index))),
            ([AttributeId::CN], Of::Groups) => {
                let group = index.groups.find(value).map(|(number, _)| number);
                Some(Cow::Owned(group.into_iter().collect()))
            }
            _ => None,
        },
        Test::Has(..) => None,
        Test::InGroup(group) => index.groups.get(*group).map(|group| Cow::Borrowed(&group.members[..])),
        Test::Holds(place) if kind == Of::Private => Some(Cow::Owned(vec![*place])),
        Test::Holds(place) => index.people.get(*place).map(|person| Cow::Borrowed(&person.groups[..])),
        Test::At(Place::Person(place)) if kind == Of::People => Some(Cow::Owned(vec![*place])),
        Test::At(Place::Private(place)) if kind == Of::Private => Some(Cow::Owned(vec![*place])),
        Test::At(Place::Group(number)) if kind == Of::Groups => Some(Cow::Owned(vec![*number])),
        Test::At(_) => Some(Cow::Borrowed(&[])),
    }
}

fn groups_with(gid: &[u8], index: &Index) -> Vec<u32> {
    let gid = std::str::from_utf8(gid).ok().and_then(|gid| gid.parse().ok());
    let has_it =
        |number: &u32| index.groups.get(*number).is_some_and(|group| group.known.is_some_and(|it| it.gid == gid));
    if gid.is_none() { Vec::new() } else { (0..index.groups.len()).filter(has_it).collect() }
}

fn person_with(uuid: &[u8], index: &Index) -> Cow<'static, [u32]> {
    let id = Uuid::from_slice(uuid).ok().map(PersonId::from_uuid);
    Cow::Owned(id.and_then(|id| index.people.place(id)).into_iter().collect())
}
