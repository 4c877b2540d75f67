//! Looks into entries. Names of attributes match without case, by name or OID; options stand behind a semicolon
//! (RFC 4512 section 2.5).

use fedbridge_contract::trace::clip;
use fedbridge_ldap_core::attribute::Description;
use fedbridge_ldap_core::dn;

use crate::wire::Entry;

/// The values of an attribute and of all that have options, such as `mail;lang-en`.
pub fn with_options<'e>(entry: &'e Entry, name: &'e str) -> impl Iterator<Item = &'e [u8]> {
    let found = entry.attributes.iter().filter(move |(there, _)| Description::of(there).is(name));
    found.flat_map(|(_, values)| values.iter().map(Vec::as_slice))
}

/// Values that are text.
pub fn texts<'e>(values: impl IntoIterator<Item = &'e [u8]>) -> Vec<&'e str> {
    values.into_iter().filter_map(|value| std::str::from_utf8(value).ok()).collect()
}

/// A value as a trace may show it.
pub fn shown(value: &str) -> String {
    clip(value.chars().take(64).collect())
}

/// What a DN begins with, as it was written: the attribute, and its value without escapes. `None` where the first RDN
/// has several parts, or its value is no text.
pub fn first_rdn(name: &str) -> Option<(String, String)> {
    let first = dn::split(name).ok()?.into_iter().next()?;
    let [only] = <[dn::Written; 1]>::try_from(first.avas).ok()?;
    Some((only.attribute.to_owned(), String::from_utf8(only.value.into_owned()).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_match_without_case_and_options_are_apart() {
        let attribute = |name: &str, value: &str| (name.to_owned(), vec![value.as_bytes().to_vec()]);
        let attributes = vec![attribute("MAIL", "a"), attribute("mail;lang-en", "b"), attribute("mailAlternate", "c")];
        let entry = Entry { dn: String::new(), attributes };
        assert_eq!(texts(with_options(&entry, "Mail")), ["a", "b"]);
        assert_eq!(texts(with_options(&entry, "0.9.2342.19200300.100.1.3")), ["a", "b"]);
        assert_eq!(with_options(&entry, "sn").count(), 0);
    }

    #[test]
    fn a_name_keeps_the_case_it_was_written_in() {
        assert_eq!(first_rdn(r"CN=Dev\, Ops,ou=groups"), Some(("CN".to_owned(), "Dev, Ops".to_owned())));
        for other in ["", "x", "cn=a+sn=b,ou=x", r"cn=\ff,ou=x"] {
            assert_eq!(first_rdn(other), None, "{other}");
        }
    }
}
