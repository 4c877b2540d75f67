//! Reads typed values out of a map and collects what is wrong with it.

use std::time::Duration;

use crate::error::Complaint;
use crate::text::{self, A_DURATION, expected, expected_one_of, unknown_key};
use crate::time::Timestamp;
use serde_json::{Map, Value};
use time::{Date, macros::format_description};

/// Each method complains where a value has the wrong type and gives `None` then;
/// `null` counts as absent.
#[derive(Default)]
pub struct Reader {
    complaints: Vec<Complaint>,
}

impl Reader {
    pub fn new() -> Self {
        Self::default()
    }

    pub fn complain(&mut self, path: &str, message: impl Into<String>) {
        self.complaints.push(Complaint::new(path, message));
    }

    pub fn finish<T>(self, value: T) -> Result<T, Vec<Complaint>> {
        if self.complaints.is_empty() { Ok(value) } else { Err(self.complaints) }
    }

    /// Complains about every other key, with the nearest that is known.
    pub fn only_keys(&mut self, object: &Map<String, Value>, path: &str, known: &[&str]) {
        self.only_keys_beside(object, path, known, &[]);
    }

    /// The same where others read keys `elsewhere`: good for a suggestion, and unknown here.
    pub fn only_keys_beside(&mut self, object: &Map<String, Value>, path: &str, known: &[&str], elsewhere: &[&str]) {
        for key in object.keys().filter(|key| !known.contains(&key.as_str())) {
            self.complain(&join(path, key), unknown_key(key, known, elsewhere));
        }
    }

    /// A text that is not empty.
    pub fn text(&mut self, object: &Map<String, Value>, path: &str, key: &str) -> Option<String> {
        let value = present(object, key)?;
        match value.as_str() {
            Some(text) if !text.trim().is_empty() => Some(text.to_owned()),
            Some(_) => {
                self.complain(&join(path, key), "is empty");
                None
            }
            None => {
                self.complain(&join(path, key), expected("text", value));
                None
            }
        }
    }

    /// Texts of a list, none of them empty.
    pub fn texts(&mut self, object: &Map<String, Value>, path: &str, key: &str) -> Option<Vec<String>> {
        let value = present(object, key)?;
        let Some(list) = value.as_array() else {
            self.complain(&join(path, key), expected("a list of texts", value));
            return None;
        };
        let mut texts = Vec::with_capacity(list.len());
        for (at, item) in list.iter().enumerate() {
            match item.as_str() {
                Some("") => self.complain(&format!("{}[{at}]", join(path, key)), "is empty"),
                Some(text) => texts.push(text.to_owned()),
                None => self.complain(&format!("{}[{at}]", join(path, key)), expected("text", item)),
            }
        }
        Some(texts)
    }

    pub fn boolean(&mut self, object: &Map<String, Value>, path: &str, key: &str) -> Option<bool> {
        let value = present(object, key)?;
        if !value.is_boolean() {
            self.complain(&join(path, key), expected("true or false", value));
        }
        value.as_bool()
    }

    pub fn map<'a>(&mut self, object: &'a Map<String, Value>, path: &str, key: &str) -> Option<&'a Map<String, Value>> {
        let value = present(object, key)?;
        if !value.is_object() {
            self.complain(&join(path, key), expected("a map", value));
        }
        value.as_object()
    }

    pub fn choice<T: Copy>(
        &mut self,
        object: &Map<String, Value>,
        path: &str,
        key: &str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let value = present(object, key)?;
        let found = value.as_str().and_then(|text| choices.iter().find(|(name, _)| *name == text));
        if found.is_none() {
            let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
            self.complain(&join(path, key), expected_one_of(&names, value));
        }
        found.map(|(_, value)| *value)
    }

    /// An integer with a unit, such as `10m`.
    pub fn duration(&mut self, object: &Map<String, Value>, path: &str, key: &str) -> Option<Duration> {
        let value = present(object, key)?;
        let read = value.as_str().ok_or_else(|| expected(A_DURATION, value)).and_then(text::duration);
        read.map_err(|why| self.complain(&join(path, key), why)).ok()
    }

    /// A whole number between these, both among them.
    pub fn number(&mut self, object: &Map<String, Value>, path: &str, key: &str, range: (u64, u64)) -> Option<u64> {
        let value = present(object, key)?;
        let number = value.as_u64().filter(|number| (range.0..=range.1).contains(number));
        if number.is_none() {
            let wanted = format!("a number from {} to {}", range.0, range.1);
            let found = match value {
                Value::Number(other) => format!("expected {wanted}, found {other}"),
                other => expected(&wanted, other),
            };
            self.complain(&join(path, key), found);
        }
        number
    }

    /// A date such as 2027-03-31, as the moment at which that day has ended: the day that is named still counts.
    pub fn end_of_day(&mut self, object: &Map<String, Value>, path: &str, key: &str) -> Option<Timestamp> {
        self.day(present(object, key)?, &join(path, key))
    }

    /// One such date, or a list of them.
    pub fn ends_of_days(&mut self, object: &Map<String, Value>, path: &str, key: &str) -> Vec<Timestamp> {
        match present(object, key) {
            None => Vec::new(),
            Some(Value::Array(dates)) => {
                let at = |index| format!("{}[{index}]", join(path, key));
                dates.iter().enumerate().filter_map(|(index, date)| self.day(date, &at(index))).collect()
            }
            Some(date) => self.day(date, &join(path, key)).into_iter().collect(),
        }
    }

    fn day(&mut self, value: &Value, path: &str) -> Option<Timestamp> {
        let Some(text) = value.as_str() else {
            self.complain(path, expected("a date such as 2027-03-31", value));
            return None;
        };
        let date = Date::parse(text, format_description!("[year]-[month]-[day]")).ok();
        // The format takes signs and longer years too.
        let after = date.filter(|_| text.len() == 10).and_then(Date::next_day);
        if after.is_none() {
            self.complain(path, format!("`{}` is not a date such as 2027-03-31", short(text)));
        }
        Some(Timestamp::from_seconds(after?.midnight().assume_utc().unix_timestamp()))
    }

    /// SHA-256 fingerprints of certificates: 64 hexadecimal digits, with or without `sha256:` before them and
    /// colons between them, as tools print them.
    pub fn fingerprints(&mut self, object: &Map<String, Value>, path: &str, key: &str) -> Vec<[u8; 32]> {
        let mut found = Vec::new();
        for (at, text) in self.texts(object, path, key).unwrap_or_default().into_iter().enumerate() {
            match fingerprint(text.strip_prefix("sha256:").unwrap_or(&text)) {
                Some(print) => found.push(print),
                None => self.complain(
                    &format!("{}[{at}]", join(path, key)),
                    format!(
                        "`{}` is not the SHA-256 of a certificate: write sha256: and 64 hexadecimal digits",
                        short(&text)
                    ),
                ),
            }
        }
        found
    }
}

fn present<'a>(object: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    object.get(key).filter(|value| !value.is_null())
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The beginning of a text, for a complaint about it.
fn short(text: &str) -> String {
    const MOST: usize = 100;
    let begin: String = text.chars().filter(|c| !c.is_control()).take(MOST).collect();
    if text.chars().count() > MOST { format!("{begin}…") } else { begin }
}

fn fingerprint(text: &str) -> Option<[u8; 32]> {
    let pairs: Vec<&str> = match text.contains(':') {
        true => text.split(':').collect(),
        false => (0..text.len()).step_by(2).map(|at| text.get(at..at + 2).unwrap_or_default()).collect(),
    };
    let digits = |pair: &str| pair.len() == 2 && pair.bytes().all(|digit| digit.is_ascii_hexdigit());
    let octets: Option<Vec<u8>> =
        pairs.iter().map(|pair| u8::from_str_radix(pair, 16).ok().filter(|_| digits(pair))).collect();
    octets?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What is complained about one value under the key `k`.
    fn wrong<T>(value: Value, read: impl Fn(&mut Reader, &Map<String, Value>) -> T) -> Vec<String> {
        let mut reader = Reader::new();
        let object = Map::from_iter([("k".to_owned(), value)]);
        read(&mut reader, &object);
        reader.complaints.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn complaints_say_what_is_expected_and_what_was_found() {
        let one = |text: &str| vec![text.to_owned()];
        assert_eq!(wrong(json!(1), |r, o| r.text(o, "", "k")), one("k: expected text, found a number"));
        assert_eq!(wrong(json!(" "), |r, o| r.text(o, "", "k")), one("k: is empty"));
        assert_eq!(wrong(json!("x"), |r, o| r.texts(o, "", "k")), one("k: expected a list of texts, found text"));
        let found = wrong(json!(["x", 1, ""]), |r, o| r.texts(o, "p", "k"));
        assert_eq!(found, ["p.k[1]: expected text, found a number", "p.k[2]: is empty"]);
        assert_eq!(wrong(json!("yes"), |r, o| r.boolean(o, "", "k")), one("k: expected true or false, found text"));
        assert_eq!(wrong(json!([]), |r, o| r.map(o, "", "k").is_some()), one("k: expected a map, found a list"));
        let choice = |r: &mut Reader, o: &Map<String, Value>| r.choice(o, "", "k", &[("a", 1), ("b", 2), ("c", 3)]);
        assert_eq!(wrong(json!("d"), choice), one("k: expected a, b or c, found `d`"));
        let duration = |r: &mut Reader, o: &Map<String, Value>| r.duration(o, "", "k");
        assert_eq!(wrong(json!(5), duration), one("k: expected a duration such as 10m, found a number"));
        assert!(wrong(json!("5"), duration)[0].starts_with("k: `5` is not a duration: write an integer and"));
        assert_eq!(wrong(json!("10m"), duration), Vec::<String>::new());
        assert_eq!(wrong(Value::Null, duration), Vec::<String>::new());
    }

    #[test]
    fn numbers_have_bounds() {
        let number = |r: &mut Reader, o: &Map<String, Value>| r.number(o, "", "k", (1, 10));
        assert_eq!(wrong(json!(10), number), Vec::<String>::new());
        assert_eq!(wrong(json!(11), number), ["k: expected a number from 1 to 10, found 11"]);
        assert_eq!(wrong(json!(-1), number), ["k: expected a number from 1 to 10, found -1"]);
        assert_eq!(wrong(json!("1"), number), ["k: expected a number from 1 to 10, found text"]);
    }

    #[test]
    fn unknown_keys_have_a_neighbour() {
        let only = |r: &mut Reader, o: &Map<String, Value>| r.only_keys_beside(o, "", &["sign"], &["kk"]);
        assert_eq!(wrong(json!(1), only), ["k: unknown key; the nearest known one is `kk`"]);
    }

    #[test]
    fn the_day_that_is_named_still_counts() {
        let mut reader = Reader::new();
        let object = Map::from_iter([("k".to_owned(), json!("2028-02-29"))]);
        let end = reader.end_of_day(&object, "", "k").map(|end| end.rfc3339());
        assert_eq!(end.as_deref(), Some("2028-03-01T00:00:00Z"));
        for bad in ["soon", "2027-02-29", "2027-3-31", "+2027-03-31", "2027-03-31T00:00:00Z", ""] {
            let found = wrong(json!(bad), |r, o| r.end_of_day(o, "", "k"));
            assert_eq!(found, [format!("k: `{bad}` is not a date such as 2027-03-31")]);
        }
        let found = wrong(json!(2027), |r, o| r.end_of_day(o, "", "k"));
        assert_eq!(found, ["k: expected a date such as 2027-03-31, found a number"]);
    }

    #[test]
    fn fingerprints_are_read_as_tools_print_them() {
        let plain = "0a".repeat(31) + "ff";
        let colons = ["0A"; 31].join(":") + ":FF";
        let mut want = [0x0a; 32];
        want[31] = 0xff;
        for good in [plain.clone(), colons.clone(), format!("sha256:{plain}"), format!("sha256:{colons}")] {
            let object = Map::from_iter([("k".to_owned(), json!([good]))]);
            let mut reader = Reader::new();
            assert_eq!(reader.fingerprints(&object, "", "k"), [want], "{good}");
            assert!(reader.complaints.is_empty());
        }
        let odd = plain.replacen("0a0a", "0a0:a", 1);
        for bad in ["ab", &plain[1..], &plain.replacen("0a", "+a", 1), &odd, &format!("sha1:{plain}"), "ä"] {
            let found = wrong(json!([plain, bad]), |r, o| r.fingerprints(o, "", "k"));
            assert!(
                found.len() == 1 && found[0].starts_with("k[1]: `") && found[0].contains("SHA-256"),
                "{bad}: {found:?}"
            );
        }
    }
}
