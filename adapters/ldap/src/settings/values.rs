//! Single values that several settings have in common.

use std::ops::RangeInclusive;
use std::time::Duration;

use fedbridge_contract::reader::Reader;
use fedbridge_contract::text::expected;
use fedbridge_ldap_core::Dn;
use serde_json::{Map, Value};

/// `key` below `path`.
pub(super) fn at(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// A duration between two others.
pub(super) fn within(
    reader: &mut Reader,
    object: &Map<String, Value>,
    path: &str,
    key: &str,
    range: RangeInclusive<Duration>,
) -> Option<Duration> {
    let duration = reader.duration(object, path, key)?;
    if !range.contains(&duration) {
        let (least, most) = (written(*range.start()), written(*range.end()));
        reader.complain(&at(path, key), format!("expected a duration from {least} to {most}"));
        return None;
    }
    Some(duration)
}

/// A whole number between two others.
pub(super) fn decimal(
    reader: &mut Reader,
    object: &Map<String, Value>,
    path: &str,
    key: &str,
    range: RangeInclusive<u64>,
) -> Option<u64> {
    let value = object.get(key).filter(|value| !value.is_null())?;
    let number = value.as_u64().filter(|number| range.contains(number));
    if number.is_none() {
        let (least, most) = (range.start(), range.end());
        let wanted = format!("a whole number from {least} to {most}");
        let found =
            if value.is_number() { format!("expected {wanted}, found {value}") } else { expected(&wanted, value) };
        reader.complain(&at(path, key), found);
    }
    number
}

/// One of a few words, at the top of the settings.
pub(super) fn choice<T: Copy>(
    reader: &mut Reader,
    object: &Map<String, Value>,
    key: &str,
    choices: &[(&str, T)],
    default: T,
) -> T {
    reader.choice(object, "", key, choices).unwrap_or(default)
}

/// A DN, as it was written and as it is compared (RFC 4514).
pub(super) fn dn(reader: &mut Reader, object: &Map<String, Value>, path: &str, key: &str) -> Option<(String, Dn)> {
    let text = reader.text(object, path, key)?;
    match Dn::parse(&text) {
        Ok(dn) if dn.rdns.is_empty() => {
            reader.complain(&at(path, key), "is the root of all entries; name a subtree");
            None
        }
        Ok(dn) => Some((text, dn)),
        Err(place) => {
            reader.complain(&at(path, key), no_dn(place));
            None
        }
    }
}

pub(super) fn no_dn(place: usize) -> String {
    format!("is no DN such as ou=people,dc=acme,dc=example: see character {}", place + 1)
}

/// The name of an attribute, or its OID, with options or without (RFC 4512 section 2.5).
pub(super) fn is_attribute(text: &str) -> bool {
    let mut parts = text.split(';');
    let kind = parts.next().unwrap_or_default();
    let word =
        |text: &str| !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-');
    let name = word(kind) && kind.starts_with(|first: char| first.is_ascii_alphabetic());
    let oid =
        kind.contains('.') && kind.split('.').all(|arc| !arc.is_empty() && arc.bytes().all(|c| c.is_ascii_digit()));
    (name || oid) && parts.all(word) && text.len() <= 128
}

fn written(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 if duration.is_zero() => "0s".to_owned(),
        0 => format!("{}ms", duration.as_millis()),
        s if s % 86_400 == 0 => format!("{}d", s / 86_400),
        s if s % 3_600 == 0 => format!("{}h", s / 3_600),
        s if s % 60 == 0 => format!("{}m", s / 60),
        s => format!("{s}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_have_names_oids_and_options() {
        for good in ["mail", "msDS-User-Account-Control-Computed", "mail;lang-en", "2.5.4.3", "userCertificate;binary"]
        {
            assert!(is_attribute(good), "{good}");
        }
        for bad in ["", "*", "+", "1.", "mail;", "a b", "-a", "7", "ma*l", "mail;lang_en"] {
            assert!(!is_attribute(bad), "{bad}");
        }
    }
}
