//! Reads settings and keeps every complaint, so that an admin sees all at once.

use std::time::Duration;

use fedbridge_contract::error::Complaint;
use fedbridge_contract::text::{self, A_DURATION, expected, expected_one_of, unknown_key};
use fedbridge_contract::time::Timestamp;
use serde_json::{Map, Value};
use time::Date;
use time::macros::format_description;

/// One object of the settings, with the keys that were asked for so far.
pub struct Reader<'v> {
    path: String,
    map: Option<&'v Map<String, Value>>,
    known: Vec<&'static str>,
    complaints: Vec<Complaint>,
}

impl<'v> Reader<'v> {
    pub fn new(path: &str, value: &'v Value) -> Self {
        let mut complaints = Vec::new();
        let map = value.as_object();
        if map.is_none() {
            complaints.push(Complaint::new(path, expected("a map", value)));
        }
        Self { path: path.to_owned(), map, known: Vec::new(), complaints }
    }

    pub fn complain(&mut self, key: &str, message: impl Into<String>) {
        let path = self.path_of(key);
        self.complaints.push(Complaint::new(path, message));
    }

    /// A value that is there; `null` counts as absent.
    pub fn take(&mut self, key: &'static str) -> Option<&'v Value> {
        if !self.known.contains(&key) {
            self.known.push(key);
        }
        self.map?.get(key).filter(|value| !value.is_null())
    }

    pub fn boolean(&mut self, key: &'static str) -> Option<bool> {
        let value = self.take(key)?;
        self.expect(key, value, "true or false", value.as_bool())
    }

    pub fn text(&mut self, key: &'static str) -> Option<&'v str> {
        let value = self.take(key)?;
        self.expect(key, value, "text", value.as_str())
    }

    /// A list of texts, each with its path for complaints.
    pub fn texts(&mut self, key: &'static str) -> Option<Vec<(String, &'v str)>> {
        let value = self.take(key)?;
        let items = self.expect(key, value, "a list of texts", value.as_array())?;
        let mut out = Vec::with_capacity(items.len());
        for (at, item) in items.iter().enumerate() {
            let place = format!("{key}[{at}]");
            if let Some(text) = self.expect(&place, item, "text", item.as_str()) {
                out.push((place, text));
            }
        }
        Some(out)
    }

    /// A map of texts, in the order in which it was written.
    pub fn text_map(&mut self, key: &'static str) -> Option<Vec<(&'v str, &'v str)>> {
        let value = self.take(key)?;
        let map = self.expect(key, value, "a map of texts", value.as_object())?;
        let mut out = Vec::with_capacity(map.len());
        for (name, item) in map {
            if let Some(text) = self.expect(&format!("{key}.{name}"), item, "text", item.as_str()) {
                out.push((name.as_str(), text));
            }
        }
        Some(out)
    }

    /// A date such as 2027-03-31, as the moment at which that day begins in UTC.
    pub fn date(&mut self, key: &'static str) -> Option<Timestamp> {
        let text = self.text(key)?;
        let date = Date::parse(text, format_description!("[year]-[month]-[day]")).ok();
        // The format takes signs and longer years too.
        let Some(date) = date.filter(|_| text.len() == 10) else {
            self.complain(key, "expected a date such as 2027-03-31");
            return None;
        };
        Some(Timestamp::from_seconds(date.midnight().assume_utc().unix_timestamp()))
    }

    /// One of a few words.
    pub fn choice<T: Copy>(&mut self, key: &'static str, choices: &[(&'static str, T)]) -> Option<T> {
        let value = self.take(key)?;
        let found = choices.iter().find(|(word, _)| Some(*word) == value.as_str()).map(|(_, choice)| *choice);
        if found.is_none() {
            let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
            self.complain(key, expected_one_of(&words, value));
        }
        found
    }

    /// A duration within limits: an integer and `ms s m h d`.
    pub fn duration(&mut self, key: &'static str, least: Duration, most: Duration) -> Option<Duration> {
        let value = self.take(key)?;
        let read = value.as_str().ok_or_else(|| expected(A_DURATION, value)).and_then(text::duration);
        let duration = read.map_err(|why| self.complain(key, why)).ok()?;
        if duration < least || duration > most {
            let (least, most) = (write_duration(least), write_duration(most));
            self.complain(key, format!("expected a duration from {least} to {most}"));
            return None;
        }
        Some(duration)
    }

    pub fn object(&mut self, key: &'static str) -> Option<Reader<'v>> {
        let value = self.take(key)?;
        Some(Reader::new(&self.path_of(key), value))
    }

    /// Takes the complaints of an inner object over.
    pub fn absorb(&mut self, inner: Vec<Complaint>) {
        self.complaints.extend(inner);
    }

    /// All complaints, unknown keys among them. `elsewhere` are keys that others
    /// read: good for a suggestion, and unknown here.
    pub fn finish(mut self, elsewhere: &[&str]) -> Vec<Complaint> {
        let unknown = self.map.into_iter().flat_map(Map::keys).filter(|key| !self.known.contains(&key.as_str()));
        let unknown: Vec<String> = unknown.cloned().collect();
        for key in unknown {
            let message = unknown_key(&key, &self.known, elsewhere);
            self.complain(&key, message);
        }
        self.complaints
    }

    fn path_of(&self, key: &str) -> String {
        match (self.path.is_empty(), key.is_empty()) {
            (true, _) => key.to_owned(),
            (false, true) => self.path.clone(),
            (false, false) => format!("{}.{key}", self.path),
        }
    }

    fn expect<T>(&mut self, key: &str, value: &Value, wanted: &str, got: Option<T>) -> Option<T> {
        if got.is_none() {
            self.complain(key, expected(wanted, value));
        }
        got
    }
}

fn write_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{}ms", duration.as_millis()),
        s if s % 86_400 == 0 => format!("{}d", s / 86_400),
        s if s % 3_600 == 0 => format!("{}h", s / 3_600),
        s if s % 60 == 0 => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}
