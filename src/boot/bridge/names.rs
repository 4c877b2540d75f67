//! Slugs, former names and mail domains.

use std::collections::BTreeMap;

use crate::settings::complaints::{Complaints, Place};

use super::fields::Fields;

/// `[a-z0-9][a-z0-9-]{0,62}`
pub fn is_slug(text: &str) -> bool {
    let mut bytes = text.bytes();
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    text.len() <= 63 && bytes.next().is_some_and(plain) && bytes.all(|byte| plain(byte) || byte == b'-')
}

/// The slug of an object.
pub fn slug(fields: &mut Fields<'_>, complaints: &mut Complaints) -> Option<String> {
    let slug = fields.required("slug", complaints)?;
    if !is_slug(&slug) {
        let message =
            format!("`{slug}` is not a slug: 1 to 63 characters of a-z, 0-9 and -, the first of them not a hyphen");
        complaints.add(fields.node().place_of("slug"), fields.path("slug"), message);
    }
    Some(slug)
}

/// The name before a rename.
pub fn was(fields: &mut Fields<'_>, now: Option<&str>, complaints: &mut Complaints) -> Option<String> {
    let was = fields.text("was", complaints)?;
    if Some(was.as_str()) == now {
        complaints.add(fields.node().place_of("was"), fields.path("was"), "the old name is the new one; remove `was`");
        return None;
    }
    Some(was)
}

/// Mail domains in lower case and in order.
pub fn domains(fields: &mut Fields<'_>, complaints: &mut Complaints) -> Vec<String> {
    let mut domains: Vec<String> = Vec::new();
    for (index, (text, place)) in fields.texts("domains", complaints).unwrap_or_default().into_iter().enumerate() {
        let domain = text.to_ascii_lowercase();
        let path = format!("{}[{index}]", fields.path("domains"));
        if !is_domain(&domain) {
            let message =
                format!("`{text}` is not a mail domain; write it like acme.example (punycode for other scripts)");
            complaints.add(place, path, message);
        } else if domains.contains(&domain) {
            complaints.add(place, path, format!("`{text}` stands here twice"));
        } else {
            domains.push(domain);
        }
    }
    domains.sort();
    domains
}

/// Host names of RFC 1123 section 2.1, in lower case.
fn is_domain(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// Names that may be used once.
#[derive(Default)]
pub struct Names {
    taken: BTreeMap<String, Place>,
}

impl Names {
    pub fn claim(&mut self, name: &str, place: &Place, path: &str, what: &str, complaints: &mut Complaints) {
        match self.taken.get(name) {
            Some(there) => {
                let there =
                    if there.source == place.source { format!("line {}", there.line) } else { there.to_string() };
                let message = format!("`{name}` is {what} at {there} already; choose another name");
                complaints.add(place, path, message);
            }
            None => {
                self.taken.insert(name.to_owned(), place.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slugs_follow_their_grammar() {
        for good in ["a", "0", "acme-2", "a-", &"a".repeat(63)] {
            assert!(is_slug(good), "{good}");
        }
        for bad in ["", "-a", "Acme", "a_b", "a.b", "ä", &"a".repeat(64)] {
            assert!(!is_slug(bad), "{bad}");
        }
    }

    #[test]
    fn domains_are_host_names() {
        for good in ["acme.example", "localhost", "xn--mnchen-3ya.example", "a-1.b"] {
            assert!(is_domain(good), "{good}");
        }
        for bad in ["", "@acme.example", "acme..example", "acme.example.", "-a.example", "a b", "münchen.example"] {
            assert!(!is_domain(bad), "{bad}");
        }
    }
}
