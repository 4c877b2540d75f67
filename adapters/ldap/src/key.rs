//! Who an entry is: an attribute that stays through renames and moves (RFC 4530; `objectGUID`). A DN or an address
//! never is one: both are given to the next person.

use bytes::Bytes;
use fedbridge_contract::identity::UpstreamSubject;
use fedbridge_ldap_core::Filter;
use fedbridge_ldap_core::value::uuid;

use crate::settings::Users;
use crate::wire::Entry;

/// The longest value of a key, in octets.
const MAX_VALUE: usize = 255;

/// How a key is written in the directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Text,
    /// 16 octets, the first three parts with their lowest octet in front (MS-DTYP section 2.3.4.2).
    MixedGuid,
    /// 16 octets as they are read.
    Guid,
}

fn form(attribute: &str) -> Form {
    match attribute.to_ascii_lowercase().as_str() {
        "objectguid" => Form::MixedGuid,
        "guid" => Form::Guid,
        _ => Form::Text,
    }
}

/// The person of an entry, by the first key attribute that it has.
///
/// # Errors
/// Why it has none, for the trace.
pub fn subject(users: &Users, entry: &Entry) -> Result<UpstreamSubject, String> {
    let found = users.keys.iter().find(|attribute| !entry.values(attribute).is_empty());
    let Some(attribute) = found else {
        return Err(format!(
            "none of {}: the service account may not read it, or users.key names another",
            list(users)
        ));
    };
    let value = match entry.values(attribute) {
        [value] => readable(form(attribute), value).ok_or_else(|| format!("{attribute} can't be read"))?,
        several => return Err(format!("{attribute} has {} values", several.len())),
    };
    let key = format!("{}={value}", attribute.to_ascii_lowercase());
    Ok(UpstreamSubject { key, display: entry.dn.clone(), stable: true, scope: None })
}

/// The filter that finds the entry of a key, and nobody else. `None`: it is of another kind of key than the connection
/// has now.
pub fn filter(users: &Users, key: &str) -> Option<Filter> {
    let (name, value) = key.split_once('=')?;
    let attribute = users.keys.iter().find(|attribute| attribute.eq_ignore_ascii_case(name))?;
    Some(Filter::Equal(attribute.clone(), stored(form(attribute), value)?))
}

fn readable(form: Form, octets: &[u8]) -> Option<String> {
    match form {
        Form::MixedGuid => uuid::guid_to_text(octets),
        Form::Guid => Some(uuid::to_text(octets.try_into().ok()?)),
        Form::Text => {
            let text = std::str::from_utf8(octets).ok()?;
            let fits = (1..=MAX_VALUE).contains(&text.len()) && !text.chars().any(char::is_control);
            // UUIDs are compared without case (RFC 4530 section 2.3).
            let folded = uuid::from_text(text).map(uuid::to_text);
            fits.then(|| folded.unwrap_or_else(|| text.to_owned()))
        }
    }
}

fn stored(form: Form, text: &str) -> Option<Bytes> {
    match form {
        Form::MixedGuid => uuid::guid_from_text(text).map(|octets| Bytes::copy_from_slice(&octets)),
        Form::Guid => uuid::from_text(text).map(|octets| Bytes::copy_from_slice(&octets)),
        Form::Text => Some(Bytes::copy_from_slice(text.as_bytes())),
    }
}

fn list(users: &Users) -> String {
    users.keys.join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::settings::Settings;

    fn users(flavor: &str, key: Option<&str>) -> Users {
        let settings = json!({
            "flavor": flavor, "urls": ["ldaps://ldap.example"], "bind_dn": "cn=bridge,dc=acme",
            "users": { "base": "ou=people,dc=acme", "key": key },
        });
        let secrets = [("bind_password".to_owned(), b"secret".to_vec())].into();
        Settings::parse(&settings, &secrets).map(|(settings, _)| settings.users).unwrap()
    }

    fn entry(attributes: &[(&str, &[&[u8]])]) -> Entry {
        let attributes = attributes
            .iter()
            .map(|(name, values)| ((*name).to_owned(), values.iter().map(|value| value.to_vec()).collect()));
        Entry { dn: "uid=a,ou=people,dc=acme".to_owned(), attributes: attributes.collect() }
    }

    #[test]
    fn a_key_finds_its_entry_again() {
        let guid = *b"\x2a\x28\x00\x29\x5c\x00\x11\x42\x80\x01\x02\x03\x04\x05\x06\x07";
        for (flavor, key, attribute, value, expected) in [
            ("active_directory", None, "objectGUID", &guid[..], "objectguid=2900282a-005c-4211-8001-020304050607"),
            ("generic", None, "GUID", &guid[..], "guid=2a280029-5c00-1142-8001-020304050607"),
            (
                "openldap",
                None,
                "entryUUID",
                b"597AE2F6-16a6-1027-98f4-d28b5365dc14",
                "entryuuid=597ae2f6-16a6-1027-98f4-d28b5365dc14",
            ),
            ("generic", None, "nsUniqueId", b"3cba4204-a2a1", "nsuniqueid=3cba4204-a2a1"),
            ("openldap", Some("employeeNumber"), "employeeNumber", b"*)(uid=*", "employeenumber=*)(uid=*"),
        ] {
            let users = users(flavor, key);
            let subject = subject(&users, &entry(&[(attribute, &[value])])).unwrap();
            assert_eq!((subject.key.as_str(), subject.stable), (expected, true));
            let Some(Filter::Equal(name, found)) = filter(&users, expected) else { panic!("{expected}") };
            assert_eq!(name, attribute);
            assert!(found.eq_ignore_ascii_case(value), "{expected}");
        }
    }

    #[test]
    fn an_entry_without_one_key_is_nobody() {
        let users = users("openldap", None);
        type Attributes<'a> = &'a [(&'a str, &'a [&'a [u8]])];
        let cases: [Attributes<'_>; 4] =
            [&[], &[("uid", &[b"a"])], &[("entryUUID", &[b"a", b"b"])], &[("entryUUID", &[b"\xff"])]];
        for attributes in cases {
            assert!(subject(&users, &entry(attributes)).is_err(), "{attributes:?}");
        }
        for other in ["objectguid=2900282a-005c-4211-8001-020304050607", "uid", ""] {
            assert_eq!(filter(&users, other), None, "{other}");
        }
    }
}
