//! Which object of the file is which object of the store.

/// An object of the file.
pub struct Wanted<'a> {
    pub name: &'a str,
    pub was: Option<&'a str>,
}

pub struct Pairing {
    /// For each wanted object its place in the store's list.
    pub of: Vec<Option<usize>>,
    /// An order in which names can be changed one after the other without meeting each other.
    pub order: Vec<usize>,
    /// Wanted objects whose old and new name are both in the store, with nobody else for the old one.
    pub clashes: Vec<usize>,
}

/// Pairs by name; `was` pairs with the old name while the new one is free.
pub fn pair(wanted: &[Wanted<'_>], stored: &[&str]) -> Pairing {
    let find = |name: &str| stored.iter().position(|there| *there == name);
    let mut of: Vec<Option<usize>> = vec![None; wanted.len()];
    let mut order = Vec::new();
    // A name is free once its holder has been renamed itself, so this goes round until nothing moves.
    loop {
        let taken = |of: &[Option<usize>], at: usize| of.contains(&Some(at));
        let next = wanted.iter().enumerate().find_map(|(index, object)| {
            let old = find(object.was?)?;
            let free = find(object.name).is_none_or(|holder| taken(&of, holder));
            (of[index].is_none() && free && !taken(&of, old)).then_some((index, old))
        });
        let Some((index, old)) = next else { break };
        of[index] = Some(old);
        order.push(index);
    }
    for (index, object) in wanted.iter().enumerate() {
        if of[index].is_none() {
            of[index] = find(object.name).filter(|holder| !of.contains(&Some(*holder)));
            order.push(index);
        }
    }
    let clashes = wanted.iter().enumerate().filter_map(|(index, object)| {
        let old = find(object.was?)?;
        (!of.contains(&Some(old))).then_some(index)
    });
    let clashes = clashes.collect();
    Pairing { of, order, clashes }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(wanted: &[(&'static str, Option<&'static str>)], stored: &[&str]) -> Pairing {
        let wanted: Vec<_> = wanted.iter().map(|(name, was)| Wanted { name, was: *was }).collect();
        pair(&wanted, stored)
    }

    #[test]
    fn pairs_by_name_and_by_former_name() {
        let got = pairs(&[("a", None), ("new", Some("old")), ("fresh", Some("never"))], &["old", "a"]);
        assert_eq!(got.of, [Some(1), Some(0), None]);
        assert!(got.clashes.is_empty());
    }

    #[test]
    fn a_done_rename_stays_done() {
        let got = pairs(&[("new", Some("old")), ("old", None)], &["new", "old"]);
        assert_eq!(got.of, [Some(0), Some(1)]);
        assert!(got.clashes.is_empty());
    }

    #[test]
    fn the_old_name_may_be_given_to_somebody_new() {
        let got = pairs(&[("old", None), ("new", Some("old"))], &["old"]);
        assert_eq!(got.of, [None, Some(0)]);
        assert_eq!(got.order, [1, 0]);
    }

    #[test]
    fn a_chain_of_renames_goes_from_its_free_end() {
        let got = pairs(&[("b", Some("a")), ("c", Some("b"))], &["a", "b"]);
        assert_eq!(got.of, [Some(0), Some(1)]);
        assert_eq!(got.order, [1, 0]);
    }

    #[test]
    fn two_objects_for_one_is_a_clash() {
        let got = pairs(&[("new", Some("old"))], &["new", "old"]);
        assert_eq!((got.of, got.clashes), (vec![Some(0)], vec![0]));
    }
}
