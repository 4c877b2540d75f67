//! Learning mode: the shapes of what an app asks, without any value.

use fedbridge_contract::directory::Shape;
use fedbridge_ldap_core::{Ava, Dn};

use crate::backend::Seen;
use crate::index::Index;
use crate::layout::{APPS, GROUPS, PEOPLE, is_container};
use crate::tree::{Located, Place, Tree};

/// A shape that says more than this is none that somebody would read.
const LONGEST: usize = 1_000;
const MOST_NAMES: usize = 100;

/// The shape of what was seen; `None`: it says nothing of the app, or too much.
pub fn shape(seen: &Seen<'_>, index: &Index, tree: &Tree) -> Option<Shape> {
    match seen {
        Seen::Bind { name } => bind(name, index, tree),
        Seen::Search { search, controls, given } => {
            let filter = search.filter.shape();
            let names =
                |texts: &[String]| texts.iter().filter(|text| is_name(text)).take(MOST_NAMES).cloned().collect();
            (filter.len() <= LONGEST).then(|| Shape::Search {
                base: base(&search.base, index),
                scope: search.scope.number(),
                filter,
                attributes: names(&search.attributes),
                controls: names(controls),
                most: rounded(*given),
            })
        }
        Seen::Compare { attribute, .. } => {
            is_name(attribute).then(|| Shape::Compare { attribute: (*attribute).to_owned() })
        }
        Seen::Refused { operation } => Some(Shape::Refused { operation: (*operation).to_owned() }),
    }
}

/// How people bind. The app's own account is nobody.
fn bind(name: &str, index: &Index, tree: &Tree) -> Option<Shape> {
    let parsed = if name.contains('=') { Dn::parse(name).ok() } else { None };
    let by = match &parsed {
        None => "name",
        Some(dn) if matches!(tree.locate(dn, index), Located::At(Place::App(_))) => return None,
        Some(dn) => dn.rdns.first().and_then(|rdn| rdn.first()).map(|ava| &*ava.attribute)?,
    };
    is_name(by).then(|| Shape::Bind { by: by.to_owned() })
}

/// What stands before the directory's base, the containers by their names: `uid=?,ou=people`.
fn base(text: &str, index: &Index) -> String {
    let Ok(dn) = Dn::parse(text) else { return "?".to_owned() };
    let Some(relative) = index.layout.relative(&dn) else { return "?".to_owned() };
    let parts = relative.iter().enumerate().map(|(at, rdn)| part(rdn, at + 1 == relative.len()));
    parts.collect::<Vec<_>>().join(",")
}

fn part(rdn: &[Ava], is_topmost: bool) -> String {
    if is_topmost && let Some(own) = [PEOPLE, GROUPS, APPS].into_iter().find(|own| is_container(rdn, own)) {
        return own.to_owned();
    }
    rdn.iter().map(|ava| format!("{}=?", ava.attribute)).collect::<Vec<_>>().join("+")
}

/// Numbers in steps, so that one search that gives more and more is few shapes.
fn rounded(given: u32) -> u32 {
    match given {
        0..=1 => given,
        _ => given.checked_next_power_of_two().unwrap_or(u32::MAX),
    }
}

/// A name, an OID, or one of the words for all. Nothing else that a client sends is kept.
fn is_name(text: &str) -> bool {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '.' | ';' | '*' | '+' | '@');
    !text.is_empty() && text.len() <= 100 && text.chars().all(fits)
}
