//! Texts that people write in settings: names that may be mistyped, and durations; and the words in
//! which every reader of settings complains.

use std::time::Duration;

use serde_json::Value;

/// Names longer than this are never compared letter by letter.
const MAX_NAME: usize = 128;

/// The candidate that was most likely meant, if one is similar enough.
///
/// Compared without case, and `-` counts as `_`. A name may differ in a third of its
/// letters, in one at least; two neighbours that changed places are one difference. Of
/// two equally near candidates the first wins.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().take(MAX_NAME).count() / 3).max(1);
    nearest_within(word, limit, candidates)
}

/// The nearest candidate that differs in `limit` letters at most.
pub fn nearest_within<'a>(
    word: &str,
    mut limit: usize,
    candidates: impl IntoIterator<Item = &'a str>,
) -> Option<&'a str> {
    let wanted = fold(word);
    let mut best = None;
    for candidate in candidates {
        let Some(edits) = edits_within(&wanted, &fold(candidate), limit) else { continue };
        best = Some(candidate);
        // Only a nearer one can take its place.
        match edits.checked_sub(1) {
            Some(nearer) => limit = nearer,
            None => break,
        }
    }
    best
}

/// Reads an integer with one of the units `ms s m h d`: no sign, no fraction, no space.
///
/// # Errors
/// One phrase that names the text and says what a duration looks like.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let millis = match unit {
        "ms" => Some(1),
        "s" => Some(1_000),
        "m" => Some(60_000),
        "h" => Some(3_600_000),
        "d" => Some(86_400_000),
        _ => None,
    };
    let number = number.parse::<u64>().ok();
    let total = number.zip(millis).and_then(|(number, millis)| number.checked_mul(millis));
    total.map(Duration::from_millis).ok_or_else(|| {
        format!("`{text}` is not a duration: write an integer and one of ms, s, m, h, d, for example 30d")
    })
}

/// A duration as [`duration`] reads it, in the largest unit that fits. What is below a millisecond is left out.
pub fn written_duration(time: Duration) -> String {
    let millis = time.as_millis();
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    let fitting = units.into_iter().find(|(unit, _)| millis > 0 && millis.is_multiple_of(*unit));
    let (unit, letter) = fitting.unwrap_or((1, "ms"));
    format!("{}{letter}", millis / unit)
}

/// The complaint about a key that nobody reads. `elsewhere` are keys that are read beside it: good for a
/// suggestion.
pub fn unknown_key(key: &str, known: &[&str], elsewhere: &[&str]) -> String {
    match nearest(key, known.iter().chain(elsewhere).copied()) {
        Some(name) => format!("unknown key; the nearest known one is `{name}`"),
        None if known.is_empty() => "unknown key".to_owned(),
        None => format!("unknown key; known are {}", known.join(", ")),
    }
}

/// The complaint about a value of another type: `expected a list, found text`.
pub fn expected(wanted: &str, found: &Value) -> String {
    let found = match found {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    };
    format!("expected {wanted}, found {found}")
}

/// What [`duration`] reads, for complaints about values that are no text.
pub const A_DURATION: &str = "a duration such as 10m";

/// The complaint about a word that is none of `words`. A short one is said again.
pub fn expected_one_of(words: &[&str], found: &Value) -> String {
    let wanted = one_of(words);
    match found.as_str().filter(|text| text.len() <= MAX_NAME && !text.contains(char::is_control)) {
        Some(text) => format!("expected {wanted}, found `{text}`"),
        None => expected(&wanted, found),
    }
}

/// `a`, `a or b`, `a, b or c`.
pub fn one_of(words: &[&str]) -> String {
    match words {
        [] => "nothing".to_owned(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    }
}

/// A number with its noun: `1 signing key`, `no address`, `3 times`.
pub fn counted(number: usize, one: &str, more: &str) -> String {
    match number {
        0 => format!("no {one}"),
        1 => format!("1 {one}"),
        _ => format!("{number} {more}"),
    }
}

fn fold(name: &str) -> Vec<char> {
    let letters = name.chars().take(MAX_NAME).flat_map(char::to_lowercase);
    letters.map(|c| if c == '-' { '_' } else { c }).collect()
}

/// How many single changes (insert, delete, replace, swap neighbours) lie between two
/// names, when there are at most `limit`.
fn edits_within(a: &[char], b: &[char], limit: usize) -> Option<usize> {
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
    above.last().copied().filter(|edits| *edits <= limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_written_as_they_are_read() {
        for text in ["0ms", "1ms", "1500ms", "40s", "90m", "30d", "36h"] {
            assert_eq!(duration(text).map(written_duration).as_deref(), Ok(text));
        }
        assert_eq!(written_duration(Duration::from_secs(3_600)), "1h");
    }

    #[test]
    fn finds_what_was_meant() {
        let known = ["redirect_uris", "client_id", "client_secret", "name", "clock_skew"];
        for (written, meant) in [
            ("redirect_uri", Some("redirect_uris")),
            ("Redirect-URIs", Some("redirect_uris")),
            ("Client_ID", Some("client_id")),
            ("nmae", Some("name")),
            ("clockskew", Some("clock_skew")),
            ("name", Some("name")),
            ("colour", None),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(nearest(written, known), meant, "{written}");
        }
        assert_eq!(nearest("x", []), None);
        assert_eq!(nearest(&"x".repeat(100_000), known), None);
    }

    #[test]
    fn a_limit_may_be_narrower() {
        let known = ["FEDBRIDGE_HTTP_LISTEN", "FEDBRIDGE_BASE_URL"];
        assert_eq!(nearest_within("FEDBRIDGE_HTTP_LISTNE", 2, known), Some("FEDBRIDGE_HTTP_LISTEN"));
        assert_eq!(nearest_within("FEDBRIDGE_PORT_LISTEN", 2, known), None);
        assert_eq!(nearest("FEDBRIDGE_PORT_LISTEN", known), Some("FEDBRIDGE_HTTP_LISTEN"));
    }

    #[test]
    fn prefers_the_nearer_one_and_then_the_first() {
        assert_eq!(nearest("mail", ["email", "mail", "nail"]), Some("mail"));
        assert_eq!(nearest("given_nam", ["given_names", "given_name"]), Some("given_name"));
        assert_eq!(nearest("bail", ["mail", "nail"]), Some("mail"));
    }

    #[test]
    fn counts_single_changes() {
        let edits = |a: &str, b: &str| edits_within(&fold(a), &fold(b), 10);
        assert_eq!(edits("kitten", "sitting"), Some(3));
        assert_eq!(edits("slgu", "slug"), Some(1));
        assert_eq!(edits("", "abc"), Some(3));
        assert_eq!(edits("abc", ""), Some(3));
        assert_eq!(edits("abc", "abcdefghijklmno"), None);
    }

    #[test]
    fn complaints_say_what_would_do() {
        assert_eq!(unknown_key("nmae", &["name"], &[]), "unknown key; the nearest known one is `name`");
        assert_eq!(unknown_key("enabeld", &["sign"], &["enabled"]), "unknown key; the nearest known one is `enabled`");
        assert_eq!(unknown_key("colour", &["name", "sign"], &["enabled"]), "unknown key; known are name, sign");
        assert_eq!(expected(A_DURATION, &5.into()), "expected a duration such as 10m, found a number");
        assert_eq!(expected("true or false", &"yes".into()), "expected true or false, found text");
        assert_eq!(expected_one_of(&["both", "response"], &"all".into()), "expected both or response, found `all`");
        assert_eq!(
            expected_one_of(&["both", "response"], &true.into()),
            "expected both or response, found true or false"
        );
        assert_eq!(expected_one_of(&["a"], &"x\u{1b}[2J".into()), "expected a, found text");
        assert_eq!([one_of(&["a"]), one_of(&["a", "b"]), one_of(&["a", "b", "c"])], ["a", "a or b", "a, b or c"]);
    }

    #[test]
    fn counts_in_words() {
        let keys = [0, 1, 2].map(|number| counted(number, "signing key", "signing keys"));
        assert_eq!(keys, ["no signing key", "1 signing key", "2 signing keys"]);
    }

    #[test]
    fn reads_durations() {
        assert_eq!(duration("250ms"), Ok(Duration::from_millis(250)));
        assert_eq!(duration("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(duration("5m"), Ok(Duration::from_secs(300)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7_200)));
        assert_eq!(duration("90d"), Ok(Duration::from_secs(90 * 86_400)));
        assert_eq!(duration("0s"), Ok(Duration::ZERO));
        let huge = ["99999999999999999999s", "18446744073709551615d"];
        for wrong in ["", "10", "m", "-1s", "+1s", "1.5h", "1 s", "1w", "1S", "é", "1é"].into_iter().chain(huge) {
            assert!(duration(wrong).is_err_and(|why| why.contains(&format!("`{wrong}`"))), "{wrong}");
        }
    }
}
