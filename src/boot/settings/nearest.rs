//! The known name that is nearest to one that somebody mistyped.

/// The candidate with the fewest single-character edits; ties go to the earlier one.
pub fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known.into_iter().min_by_key(|candidate| distance(name, candidate))
}

/// Edits between two names: insert, delete, replace, or swap two neighbours.
pub fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) =
        (a.chars().flat_map(char::to_lowercase).collect(), b.chars().flat_map(char::to_lowercase).collect());
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let mut best = (last[j] + usize::from(x != y)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                best = best.min(before[j - 1] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_edits() {
        assert_eq!(distance("slug", "slug"), 0);
        assert_eq!(distance("slgu", "slug"), 1);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("redirect_uri", "redirect_uris"), 1);
        assert_eq!(distance("Slug", "slug"), 0);
    }

    #[test]
    fn names_the_nearest() {
        assert_eq!(nearest("http.lisen", ["log.level", "http.listen", "ldap.listen"]), Some("http.listen"));
        assert_eq!(nearest("x", []), None);
    }
}
