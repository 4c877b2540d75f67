//! Request parameters: each at most once (RFC 6749 section 3.1).

use std::collections::HashSet;

/// More parameters than any request needs.
const MAX_PARAMETERS: usize = 100;

/// More words than any list of scopes, prompts or contexts needs.
const MAX_WORDS: usize = 100;

/// Parameters that other specifications let a client repeat (RFC 8707 section 2).
/// They are not used here, so they are ignored like any unknown one.
const REPEATABLE: &[&str] = &["resource"];

/// The parameters of one request.
pub(crate) struct Params {
    list: Vec<(String, String)>,
    trouble: Option<String>,
}

impl Params {
    pub(crate) fn new(mut list: Vec<(String, String)>) -> Self {
        let trouble = trouble_with(&list);
        // The rest only makes work: the request is refused.
        list.truncate(MAX_PARAMETERS);
        Self { list, trouble }
    }

    /// What is wrong with the request as a whole: a repeated parameter, or far too many.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// A parameter that came exactly once. One without a value counts as absent (RFC 6749 section 3.1).
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        let mut found = self.list.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        match (found.next(), found.next()) {
            (Some(value), None) if !value.is_empty() => Some(value),
            _ => None,
        }
    }

    /// The first value of a parameter, which may have come more than once. For the record alone.
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        self.list.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The words of a parameter.
    ///
    /// # Errors
    /// One sentence that names the parameter, when it has too many.
    pub(crate) fn words(&self, name: &str) -> Result<Option<Vec<String>>, String> {
        self.get(name).map(|text| words(name, text)).transpose()
    }

    /// The first of these parameters that has a value of more than so many octets.
    pub(crate) fn longer_than(&self, most: usize, names: &[&'static str]) -> Option<&'static str> {
        names.iter().copied().find(|name| self.get(name).is_some_and(|value| value.len() > most))
    }

    /// Whether the parameter came at all, even empty.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.list.iter().any(|(key, _)| key == name)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.list.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

fn trouble_with(list: &[(String, String)]) -> Option<String> {
    if list.len() > MAX_PARAMETERS {
        return Some(format!("The request has more than {MAX_PARAMETERS} parameters."));
    }
    let mut seen = HashSet::with_capacity(list.len());
    let twice =
        list.iter().map(|(name, _)| name).find(|&name| !REPEATABLE.contains(&name.as_str()) && !seen.insert(name))?;
    // The name is the sender's text: it is not echoed unless it is a plain word.
    let plain = twice.len() <= 40 && twice.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    Some(if plain {
        format!("The parameter {twice} came more than once.")
    } else {
        "A parameter came more than once.".to_owned()
    })
}

/// Words between spaces, without repeats, in order. `name` is the parameter that has them.
fn words(name: &str, text: &str) -> Result<Vec<String>, String> {
    let mut seen = HashSet::new();
    let mut out = Vec::new();
    for (count, word) in text.split(' ').filter(|word| !word.is_empty()).enumerate() {
        if count == MAX_WORDS {
            return Err(format!("The parameter {name} has more than {MAX_WORDS} words."));
        }
        if seen.insert(word) {
            out.push(word.to_owned());
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(list: &[(&str, &str)]) -> Params {
        Params::new(list.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect())
    }

    #[test]
    fn repeated_parameters_are_trouble_and_have_no_value() {
        let twice = params(&[("scope", "a"), ("scope", "b"), ("state", "s")]);
        assert_eq!(twice.trouble(), Some("The parameter scope came more than once."));
        assert_eq!(twice.get("scope"), None);
        assert_eq!(twice.get("state"), Some("s"));
        assert!(params(&[("<b>", "1"), ("<b>", "2")]).trouble().is_some_and(|text| !text.contains('<')));
        assert!(params(&[("resource", "1"), ("resource", "2")]).trouble().is_none());
    }

    #[test]
    fn an_empty_parameter_counts_as_absent() {
        let empty = params(&[("nonce", "")]);
        assert_eq!(empty.get("nonce"), None);
        assert!(empty.has("nonce"));
    }

    #[test]
    fn a_flood_of_parameters_is_trouble() {
        let flood: Vec<_> = (0..=MAX_PARAMETERS).map(|n| (format!("p{n}"), String::new())).collect();
        let flood = Params::new(flood);
        assert!(flood.trouble().is_some());
        assert_eq!(flood.iter().count(), MAX_PARAMETERS, "the rest is not kept");
    }

    #[test]
    fn words_are_unique_and_few() {
        assert_eq!(
            words("scope", "openid  email openid").as_deref(),
            Ok(&["openid".to_owned(), "email".to_owned()][..])
        );
        assert_eq!(words("scope", &"a ".repeat(MAX_WORDS)), Ok(vec!["a".to_owned()]));
        let many = "a ".repeat(MAX_WORDS + 1);
        assert_eq!(words("scope", &many), Err("The parameter scope has more than 100 words.".to_owned()));
    }

    #[test]
    fn finds_values_that_are_too_long() {
        let long = params(&[("state", "12345"), ("nonce", "1234")]);
        assert_eq!(long.longer_than(4, &["nonce", "state"]), Some("state"));
        assert_eq!(long.longer_than(5, &["nonce", "state"]), None);
    }
}
