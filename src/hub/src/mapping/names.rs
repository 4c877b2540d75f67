//! Attribute names: which ones mean the same, and which one was meant.

use std::collections::HashMap;
use std::sync::LazyLock;

use fedbridge_contract::identity::Attributes;

use crate::suggest::nearest;

/// A name that a rule asks for.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) name: String,
    /// What the name means, by [`meaning`].
    meaning: String,
}

impl Wanted {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), meaning: meaning(name) }
    }
}

/// The attributes of one login, indexed for the question "what was there instead?".
/// Built at the first rule that finds nothing.
pub(crate) struct NameIndex<'a> {
    names: Vec<(&'a str, String)>,
}

impl<'a> NameIndex<'a> {
    pub(crate) fn new(attributes: &'a Attributes) -> Self {
        Self { names: attributes.names().map(|name| (name, meaning(name))).collect() }
    }

    /// The attribute that most likely was meant: the same name in another case,
    /// URI, OID or spelling. With `guess` also one that differs in a few letters.
    pub(crate) fn nearest(&self, wanted: &[Wanted], guess: bool) -> Option<&'a str> {
        let same = |wanted: &Wanted| {
            let of_meaning = || self.names.iter().filter(|(_, meaning)| *meaning == wanted.meaning);
            let by_case = of_meaning().find(|(name, _)| name.eq_ignore_ascii_case(&wanted.name));
            by_case.or_else(|| of_meaning().next()).map(|(name, _)| *name)
        };
        if let Some(found) = wanted.iter().find_map(same) {
            return Some(found);
        }
        if !guess {
            return None;
        }
        wanted.iter().find_map(|wanted| {
            let letters = last_segment(&wanted.name);
            let near = nearest(letters, self.names.iter().map(|(name, _)| last_segment(name)))?;
            self.names.iter().find(|(name, _)| last_segment(name) == near).map(|(name, _)| *name)
        })
    }
}

/// Attribute types by OID, under the names of RFC 4519, RFC 2798 and eduPerson.
const OIDS: &[(&str, &str)] = &[
    ("0.9.2342.19200300.100.1.1", "uid"),
    ("0.9.2342.19200300.100.1.3", "mail"),
    ("1.2.840.113549.1.9.1", "mail"),
    ("1.3.6.1.4.1.5923.1.1.1.1", "eduPersonAffiliation"),
    ("1.3.6.1.4.1.5923.1.1.1.6", "eduPersonPrincipalName"),
    ("1.3.6.1.4.1.5923.1.1.1.7", "eduPersonEntitlement"),
    ("1.3.6.1.4.1.5923.1.1.1.9", "eduPersonScopedAffiliation"),
    ("1.3.6.1.4.1.5923.1.1.1.10", "eduPersonTargetedID"),
    ("1.3.6.1.4.1.5923.1.5.1.1", "isMemberOf"),
    ("1.2.840.113556.1.2.102", "memberOf"),
    ("1.2.840.113556.1.4.221", "sAMAccountName"),
    ("1.2.840.113556.1.4.656", "userPrincipalName"),
    ("2.5.4.3", "cn"),
    ("2.5.4.4", "sn"),
    ("2.5.4.10", "o"),
    ("2.5.4.11", "ou"),
    ("2.5.4.12", "title"),
    ("2.5.4.20", "telephoneNumber"),
    ("2.5.4.42", "givenName"),
    ("2.16.840.1.113730.3.1.3", "employeeNumber"),
    ("2.16.840.1.113730.3.1.39", "preferredLanguage"),
    ("2.16.840.1.113730.3.1.241", "displayName"),
];

/// Spellings of one thing. The first of a row stands for all of them.
const SAME: &[&[&str]] = &[
    &["mail", "email", "emailaddress", "mailaddress", "emailaddresses", "emails", "emailsvalue"],
    &["sn", "surname", "familyname", "lastname", "namefamilyname"],
    &["givenname", "firstname", "namegivenname", "gn"],
    &["displayname", "fullname", "commonname", "cn", "nameformatted"],
    &["groups", "group", "memberof", "ismemberof", "members"],
    &["role", "roles"],
    &["uid", "username", "login", "userid", "preferredusername", "samaccountname"],
    &["upn", "userprincipalname"],
    &["telephonenumber", "phone", "phonenumber", "phonenumbers", "mobile", "mobilephone"],
    &["department", "departmentname", "ou", "orgunit"],
    &["preferredlanguage", "locale", "language"],
    &["costcentre", "costcenter"],
];

/// All spellings, each with the one that stands for it.
static SPELLINGS: LazyLock<HashMap<&str, &str>> =
    LazyLock::new(|| SAME.iter().flat_map(|row| row.iter().map(|spelling| (*spelling, row[0]))).collect());

/// What a name means: the name behind an OID, or the last part of a URI, in one
/// spelling.
fn meaning(name: &str) -> String {
    let bare = name.strip_prefix("urn:oid:").unwrap_or(name);
    let known = if bare.starts_with(|c: char| c.is_ascii_digit()) {
        OIDS.iter().find(|(oid, _)| *oid == bare).map(|(_, name)| *name)
    } else {
        None
    };
    let mut letters = String::with_capacity(32);
    for c in known.unwrap_or_else(|| last_segment(bare)).chars().take(128) {
        if c.is_ascii() {
            if c.is_ascii_alphanumeric() {
                letters.push(c.to_ascii_lowercase());
            }
        } else if c.is_alphanumeric() {
            letters.extend(c.to_lowercase());
        }
    }
    match SPELLINGS.get(letters.as_str()) {
        Some(spelling) => (*spelling).to_owned(),
        None => letters,
    }
}

/// The part behind the last `/`, `#` or, in a URN, `:`; without attribute options (RFC 4512 2.5).
fn last_segment(name: &str) -> &str {
    let name = name.split(';').next().unwrap_or(name);
    let cut = if name.starts_with("urn:") { name.rfind([':', '/', '#']) } else { name.rfind(['/', '#']) };
    match cut {
        Some(at) if at + 1 < name.len() => &name[at + 1..],
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(wanted: &str, there: &[&str], guess: bool) -> Option<String> {
        let mut attributes = Attributes::new();
        for name in there {
            attributes.push(*name, "x");
        }
        NameIndex::new(&attributes).nearest(&[Wanted::new(wanted)], guess).map(str::to_owned)
    }

    #[test]
    fn knows_what_means_the_same() {
        for (wanted, there) in [
            ("mail", "Mail"),
            ("mail", "urn:oid:0.9.2342.19200300.100.1.3"),
            ("urn:oid:0.9.2342.19200300.100.1.3", "mail"),
            ("email", "http://schemas.xmlsoap.org/ws/2005/05/identity/claims/emailaddress"),
            ("given_name", "givenName"),
            ("http://schemas.xmlsoap.org/ws/2005/05/identity/claims/surname", "sn"),
            ("department", "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User:department"),
            ("memberOf", "http://schemas.microsoft.com/ws/2008/06/identity/claims/groups"),
        ] {
            assert_eq!(near(wanted, &["zip", there], false).as_deref(), Some(there), "{wanted}");
        }
    }

    #[test]
    fn guesses_typing_errors_where_told_to() {
        assert_eq!(near("departmnet", &["department", "mail"], true).as_deref(), Some("department"));
        assert_eq!(near("departmnet", &["department", "mail"], false), None);
        assert_eq!(near("shoeSize", &["department", "mail"], true), None);
    }

    #[test]
    fn prefers_the_same_name_in_another_case() {
        assert_eq!(near("mail", &["email", "Mail"], false).as_deref(), Some("Mail"));
    }
}
