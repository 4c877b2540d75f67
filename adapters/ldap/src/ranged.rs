//! Attributes that come in parts: `member;range=0-1499` (MS-ADTS section 3.1.1.3.1.3.3).

use fedbridge_ldap_core::attribute::{Description, Range};
use fedbridge_ldap_core::{Filter, Scope};

use crate::directory::{Directory, Told, Trouble};
use crate::wire::{Entry, Search};

/// Parts that are fetched of one attribute at most; of Active Directory's size that is half a million values.
const MOST_PARTS: usize = 350;

/// Octets of the values of an entry that come in parts.
const MOST_OCTETS: usize = 64 * 1024 * 1024;

/// Fetches what is missing of the entry's attributes, and takes the ranges out of their names.
pub(crate) async fn complete(directory: &Directory, entry: &mut Entry, told: &mut Told<'_>) -> Result<(), Trouble> {
    let parts: Vec<_> = entry.attributes.iter().filter_map(|(description, _)| Part::of(description)).collect();
    // Of all attributes together: a server may have any number of them.
    let (mut fetched, mut octets) = (parts.len(), 0);
    for mut part in parts {
        let mut values = taken(entry, &part);
        while let Some(description) = part.range.next(&part.name) {
            fetched += 1;
            if fetched > MOST_PARTS || octets > MOST_OCTETS {
                return Err(Trouble(format!("{} has more values than are taken", part.name)));
            }
            let filter = Filter::Present("objectClass".to_owned());
            let search = Search::new(&entry.dn, Scope::Base, filter).attributes([&description]);
            let answers = directory.search("further values", &search, told).await?;
            let more = answers.entries.into_iter().next();
            let found = more.and_then(|more| Some((part.behind(&more)?, more)));
            // An end that is not said would be taken for one.
            let Some((next, mut more)) = found else {
                return Err(Trouble(format!("{description} of {} was asked for and did not come", entry.dn)));
            };
            let mut more = taken(&mut more, &next);
            octets += more.iter().map(Vec::len).sum::<usize>();
            values.append(&mut more);
            part = next;
        }
        put(entry, part.name, values);
    }
    Ok(())
}

/// An attribute with a range among its options.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Part {
    description: String,
    /// With its other options.
    name: String,
    range: Range,
}

impl Part {
    fn of(description: &str) -> Option<Self> {
        let parsed = Description::of(description);
        let range = parsed.range()?;
        let is_range = |option: &str| option.get(..6).is_some_and(|begin| begin.eq_ignore_ascii_case("range="));
        let others: String =
            parsed.options().filter(|option| !is_range(option)).flat_map(|option| [";", option]).collect();
        Some(Self { description: description.to_owned(), name: format!("{}{others}", parsed.base), range })
    }

    /// The part that begins where this one ends.
    fn behind(&self, entry: &Entry) -> Option<Self> {
        let parts = entry.attributes.iter().filter_map(|(description, _)| Self::of(description));
        let first = self.range.last?.checked_add(1)?;
        parts.into_iter().find(|part| part.name.eq_ignore_ascii_case(&self.name) && part.range.first == first)
    }
}

fn taken(entry: &mut Entry, part: &Part) -> Vec<Vec<u8>> {
    match entry.attributes.iter().position(|(name, _)| *name == part.description) {
        Some(at) => entry.attributes.remove(at).1,
        None => Vec::new(),
    }
}

/// Active Directory gives the plain name too, without values.
fn put(entry: &mut Entry, name: String, mut values: Vec<Vec<u8>>) {
    match entry.attributes.iter_mut().find(|(there, _)| there.eq_ignore_ascii_case(&name)) {
        Some((_, there)) => there.append(&mut values),
        None => entry.attributes.push((name, values)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_an_option_like_others() {
        let part = Part::of("member;x-a;range=5-9;lang-en").unwrap();
        assert_eq!(part.name, "member;x-a;lang-en");
        assert_eq!(part.range.next(&part.name).unwrap(), "member;x-a;lang-en;range=10-*");
        assert_eq!(Part::of("member;lang-en"), None);
    }

    #[test]
    fn parts_follow_on_each_other() {
        let entry = |name: &str| Entry { dn: String::new(), attributes: vec![(name.to_owned(), Vec::new())] };
        let part = Part::of("member;range=0-1499").unwrap();
        assert!(part.behind(&entry("MEMBER;range=1500-*")).is_some());
        for other in ["member;range=1501-*", "member;range=0-1499", "memberOf;range=1500-*", "member"] {
            assert!(part.behind(&entry(other)).is_none(), "{other}");
        }
    }
}
