//! The words of the pages: written in English, shown in the language of whoever reads.
//!
//! The English sentence is the key of its translation. One with values in it has them as `{name}`, as the
//! source that makes it has; the translation may have them in another order.

mod asks;
mod date;
mod de;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::sync::LazyLock;

use askama::filters::{Html, HtmlSafe, escape};
use fedbridge_contract::config::Locale;

/// Speaks one language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Words(pub Locale);

impl Words {
    /// For the attribute `lang`.
    pub fn lang(self) -> &'static str {
        self.0.tag()
    }

    /// A text of our own pages.
    pub fn t(self, english: &'static str) -> &'static str {
        self.translation(english).unwrap_or(english)
    }

    /// A text that the hub or an adapter made. What has no translation stays as it is: a name, for example.
    pub fn text(self, english: &str) -> Cow<'_, str> {
        if let Some(translation) = self.translation(english) {
            return Cow::Borrowed(translation);
        }
        let filled = self.table().find_map(|(pattern, translation)| {
            let values = captures(pattern, english)?;
            let pieces = pieces(translation).into_iter().map(|piece| match piece {
                Piece::Text(text) => text,
                Piece::Value(name) => value_of(&values, name),
            });
            Some(pieces.collect())
        });
        filled.map_or(Cow::Borrowed(english), Cow::Owned)
    }

    /// A sentence of our own pages with one value, which stands out.
    pub fn say<'a>(self, english: &'static str, value: &'a str) -> Said<'a> {
        self.said(english, [value, ""])
    }

    /// The same with two values, in the order that they have in English.
    pub fn say2<'a>(self, english: &'static str, first: &'a str, second: &'a str) -> Said<'a> {
        self.said(english, [first, second])
    }

    /// What an app asks for: scopes and standard claims by their names, anything else as it is.
    pub fn ask<'a>(self, name: &'a str) -> Cow<'a, str> {
        match asks::in_words(name) {
            Some(english) => Cow::Borrowed(self.t(english)),
            None => self.text(name),
        }
    }

    /// The date and time of a timestamp (RFC 3339, in UTC); anything else as it is.
    pub fn date(self, timestamp: &str) -> Cow<'_, str> {
        date::written(self.0, timestamp).map_or(Cow::Borrowed(timestamp), Cow::Owned)
    }

    fn said<'a>(self, english: &'static str, values: [&'a str; 2]) -> Said<'a> {
        let names = pieces(english).into_iter().filter_map(|piece| match piece {
            Piece::Value(name) => Some(name),
            Piece::Text(_) => None,
        });
        Said { sentence: self.t(english), values: names.zip(values).collect() }
    }

    fn translation(self, english: &str) -> Option<&'static str> {
        static GERMAN: LazyLock<HashMap<&str, &str>> = LazyLock::new(|| de::words().copied().collect());
        match self.0 {
            Locale::En => None,
            Locale::De => GERMAN.get(english).copied(),
        }
    }

    fn table(self) -> impl Iterator<Item = &'static (&'static str, &'static str)> {
        de::words().filter(move |_| self.0 == Locale::De)
    }
}

/// A sentence with its values, as HTML: values are escaped and stand out.
pub(crate) struct Said<'a> {
    sentence: &'static str,
    values: Vec<(&'static str, &'a str)>,
}

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for piece in pieces(self.sentence) {
            let (before, text, after) = match piece {
                Piece::Text(text) => ("", text, ""),
                Piece::Value(name) => ("<strong>", value_of(&self.values, name), "</strong>"),
            };
            let Ok(text) = escape(text, Html);
            write!(f, "{before}{text}{after}")?;
        }
        Ok(())
    }
}

/// All that is not ours in it was escaped above.
impl HtmlSafe for Said<'_> {}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Piece<'a> {
    Text(&'a str),
    /// The name between braces.
    Value(&'a str),
}

fn pieces(sentence: &str) -> Vec<Piece<'_>> {
    let (mut found, mut rest) = (Vec::new(), sentence);
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, behind)) = after.split_once('}') else { break };
        found.extend((!before.is_empty()).then_some(Piece::Text(before)));
        found.push(Piece::Value(name));
        rest = behind;
    }
    found.extend((!rest.is_empty()).then_some(Piece::Text(rest)));
    found
}

/// The values that make `text` of a pattern; `None` where it is another sentence.
fn captures<'p, 't>(pattern: &'p str, text: &'t str) -> Option<Vec<(&'p str, &'t str)>> {
    let (mut values, mut rest, mut open) = (Vec::new(), text, None);
    for piece in pieces(pattern) {
        match (piece, open.take()) {
            (Piece::Value(name), None) => open = Some(name),
            (Piece::Text(fixed), None) => rest = rest.strip_prefix(fixed)?,
            (Piece::Text(fixed), Some(name)) => {
                let (value, behind) = rest.split_once(fixed)?;
                values.push((name, value));
                rest = behind;
            }
            // Where one value ends and the next begins could not be told.
            (Piece::Value(_), Some(_)) => return None,
        }
    }
    match open {
        Some(name) => values.push((name, rest)),
        None if rest.is_empty() => {}
        None => return None,
    }
    (!values.is_empty() && values.iter().all(|(_, value)| !value.is_empty())).then_some(values)
}

fn value_of<'a>(values: &[(&str, &'a str)], name: &str) -> &'a str {
    values.iter().find(|(known, _)| *known == name).map_or("", |(_, value)| *value)
}
