//! Reads typed values out of a map and collects what is wrong with it.

use std::time::Duration;

use fedbridge_contract::error::Complaint;
use serde_json::{Map, Value};

/// Each method complains where a value has the wrong type and gives `None` then;
/// `null` counts as absent.
pub struct Reader {
    complaints: Vec<Complaint>,
}

impl Reader {
    pub fn new() -> Self {
        Self { complaints: Vec::new() }
    }

    pub fn complain(&mut self, path: &str, message: impl Into<String>) {
        self.complaints.push(Complaint::new(path, message));
    }

    pub fn finish<T>(self, value: T) -> Result<T, Vec<Complaint>> {
        if self.complaints.is_empty() { Ok(value) } else { Err(self.complaints) }
    }

    /// Complains about every other key, with the nearest that is known.
    pub fn only_keys(&mut self, object: &Map<String, Value>, path: &str, known: &[&str]) {
        for key in object.keys().filter(|key| !known.contains(&key.as_str())) {
            let message = match nearest(key, known) {
                Some(name) => format!("unknown; did you mean {name}?"),
                None => format!("unknown; known are {}", known.join(", ")),
            };
            self.complain(&join(path, key), message);
        }
    }

    /// A text that is not empty.
    pub fn text(&mut self, object: &Map<String, Value>, path: &str, key: &str) -> Option<String> {
        match object.get(key) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) if !text.trim().is_empty() => Some(text.clone()),
            Some(Value::String(_)) => {
                self.complain(&join(path, key), "is empty");
                None
            }
            Some(_) => {
                self.complain(&join(path, key), "must be a text");
                None
            }
        }
    }

    pub fn texts(&mut self, object: &Map<String, Value>, path: &str, key: &str) -> Option<Vec<String>> {
        let list = match object.get(key) {
            None | Some(Value::Null) => return None,
            Some(Value::Array(list)) => list,
            Some(_) => {
                self.complain(&join(path, key), "must be a list of texts");
                return None;
            }
        };
        let texts: Vec<_> =
            list.iter().filter_map(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned).collect();
        if texts.len() != list.len() {
            self.complain(&join(path, key), "must hold texts alone, none of them empty");
        }
        Some(texts)
    }

    pub fn boolean(&mut self, object: &Map<String, Value>, path: &str, key: &str) -> Option<bool> {
        match object.get(key) {
            None | Some(Value::Null) => None,
            Some(Value::Bool(value)) => Some(*value),
            Some(_) => {
                self.complain(&join(path, key), "must be true or false");
                None
            }
        }
    }

    pub fn map<'a>(&mut self, object: &'a Map<String, Value>, path: &str, key: &str) -> Option<&'a Map<String, Value>> {
        match object.get(key) {
            None | Some(Value::Null) => None,
            Some(Value::Object(inner)) => Some(inner),
            Some(_) => {
                self.complain(&join(path, key), "must be a map");
                None
            }
        }
    }

    pub fn choice<T: Copy>(
        &mut self,
        object: &Map<String, Value>,
        path: &str,
        key: &str,
        choices: &[(&str, T)],
    ) -> Option<T> {
        let value = match object.get(key) {
            None | Some(Value::Null) => return None,
            Some(value) => value,
        };
        let found = value.as_str().and_then(|text| choices.iter().find(|(name, _)| *name == text));
        if found.is_none() {
            let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
            self.complain(&join(path, key), format!("must be one of {}", names.join(", ")));
        }
        found.map(|(_, value)| *value)
    }
}

/// An integer with one of `ms s m h d` behind it.
pub fn duration(text: &str) -> Option<Duration> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let number: u64 = number.parse().ok()?;
    let seconds = match unit {
        "ms" => return Some(Duration::from_millis(number)),
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return None,
    };
    number.checked_mul(seconds).map(Duration::from_secs)
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// The known name with the fewest edits, if it is near enough to be meant.
fn nearest<'a>(key: &str, known: &[&'a str]) -> Option<&'a str> {
    let limit = (key.chars().count() / 3).max(2);
    let scored = known.iter().map(|name| (distance(key, name), *name)).min_by_key(|&(edits, _)| edits);
    scored.filter(|&(edits, _)| edits <= limit).map(|(_, name)| name)
}

/// Levenshtein distance. Long keys are cut: nobody means them.
fn distance(a: &str, b: &str) -> usize {
    let a: Vec<char> = a.chars().take(64).collect();
    let b: Vec<char> = b.chars().take(64).collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (y, cell) in b.iter().zip(row.iter_mut().skip(1)) {
            let best = (diagonal + usize::from(x != y)).min(*cell + 1).min(left + 1);
            diagonal = *cell;
            *cell = best;
            left = best;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_nearest_name() {
        let known = ["sign_requests", "clock_skew"];
        assert_eq!(nearest("sign_request", &known), Some("sign_requests"));
        assert_eq!(nearest("clockskew", &known), Some("clock_skew"));
        assert_eq!(nearest("certificate", &known), None);
        assert_eq!(distance("kitten", "sitting"), 3);
    }

    #[test]
    fn reads_durations() {
        assert_eq!(duration("180s"), Some(Duration::from_secs(180)));
        assert_eq!(duration("5m"), Some(Duration::from_secs(300)));
        for bad in ["", "s", "1", "1.5h", "-1s", "1 s", "99999999999999999999s", "18446744073709551615d"] {
            assert_eq!(duration(bad), None, "{bad}");
        }
    }
}
