//! The nearest known name to one that somebody mistyped.

/// The most similar of `candidates`, if one is similar enough to be meant.
///
/// Compared without case. A name may differ in a third of its letters, in one
/// at least; of two equally near candidates the first wins.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let wanted = fold(name);
    let allowed = (wanted.len() / 3).max(1);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        let folded = fold(candidate);
        let limit = best.map_or(allowed, |(distance, _)| distance.saturating_sub(1));
        if best.is_some_and(|(distance, _)| distance == 0) {
            break;
        }
        if let Some(distance) = distance_within(&wanted, &folded, limit) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// `; did you mean …?` for the nearest candidate, or nothing.
pub fn hint<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, candidates).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}

/// Names longer than this are never compared letter by letter.
const MAX_NAME: usize = 128;

fn fold(name: &str) -> Vec<char> {
    name.chars().take(MAX_NAME).flat_map(char::to_lowercase).collect()
}

/// The edit distance (insert, delete, replace, swap neighbours) when it is at most `limit`.
fn distance_within(a: &[char], b: &[char], limit: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > limit {
        return None;
    }
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut row = Vec::with_capacity(b.len() + 1);
        row.push(i + 1);
        for (j, y) in b.iter().enumerate() {
            let replaced = above[j] + usize::from(x != y);
            let mut cost = replaced.min(above[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *x == b[j - 1] && a[i - 1] == *y {
                cost = cost.min(before[j - 1] + 1);
            }
            row.push(cost);
        }
        if row.iter().min().is_some_and(|least| *least > limit) {
            return None;
        }
        before = std::mem::replace(&mut above, row);
    }
    above.last().copied().filter(|distance| *distance <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_was_meant() {
        let known = ["redirect_uris", "client_id", "client_secret", "name"];
        assert_eq!(nearest("redirect_uri", known), Some("redirect_uris"));
        assert_eq!(nearest("Client_ID", known), Some("client_id"));
        assert_eq!(nearest("nmae", known), Some("name"));
        assert_eq!(nearest("colour", known), None);
        assert_eq!(nearest("", known), None);
    }

    #[test]
    fn prefers_the_nearer_one() {
        assert_eq!(nearest("mail", ["email", "mail", "nail"]), Some("mail"));
        assert_eq!(nearest("given_nam", ["given_names", "given_name"]), Some("given_name"));
    }

    #[test]
    fn hints_as_a_sentence() {
        assert_eq!(hint("grups", ["groups"]), "; did you mean `groups`?");
        assert_eq!(hint("zzzz", ["groups"]), "");
    }
}
