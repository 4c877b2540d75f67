//! One app's settings.

use std::sync::Arc;
use std::time::Duration;

use fedbridge_contract::config::App;
use fedbridge_contract::error::Complaint;
use fedbridge_contract::reader::Reader;
use fedbridge_contract::time::Timestamp;
use fedbridge_ldap_core::Dn;
use serde_json::{Map, Value};

use super::{FIELDS, directory};

/// Keys of an app that the bridge file's reader consumes; good for a suggestion only.
const ELSEWHERE: &[&str] = &["slug", "was", "name", "enabled", "groups", "bind_password", "bind_passwords"];

/// The most entries that a search of an app may be allowed.
const MOST_ENTRIES: u64 = 1_000_000;

/// What an app may see and do, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct LdapAppSettings {
    /// Names as they were written; compared without case (RFC 4512 section 2.5).
    pub attributes: Vec<String>,
    /// `None`: the attributes.
    pub filter_attributes: Option<Vec<String>>,
    /// `None`: the tenant's.
    pub base: Option<Dn>,
    /// Names of groups; `None`: everybody is visible.
    pub people: Option<Vec<String>>,
    /// Names of groups; `None`: all are visible.
    pub visible_groups: Option<Vec<String>>,
    pub passwords: Vec<PasswordKind>,
    pub learn: Learn,
    pub size_limit: Option<u32>,
    pub time_limit: Option<Duration>,
    pub client_certificate: Option<Dn>,
}

/// What a person may bind with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordKind {
    /// The password of the connection that the person comes from.
    Upstream,
    AppPassword,
    /// The password, a comma, and a code of the second factor.
    OtpSuffix,
}

/// Whether the shapes of what the app asks are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learn {
    Never,
    Always,
    Until(Timestamp),
}

impl Learn {
    pub fn is_on(self, now: Timestamp) -> bool {
        match self {
            Self::Never => false,
            Self::Always => true,
            Self::Until(end) => now < end,
        }
    }
}

impl LdapAppSettings {
    /// The settings of an app, read once for each snapshot.
    ///
    /// # Errors
    /// Every complaint. Settings are checked when they are saved.
    pub fn of(app: &App) -> Result<Arc<Self>, Vec<Complaint>> {
        app.parsed(Self::parse)
    }

    /// # Errors
    /// Everything that is wrong.
    pub fn parse(value: &Value) -> Result<Self, Vec<Complaint>> {
        let mut reader = Reader::new();
        let empty = Map::new();
        let object = value.as_object().unwrap_or_else(|| {
            reader.complain("", "the settings of an LDAP app must be a map");
            &empty
        });
        let names: Vec<_> = FIELDS.iter().map(|field| field.name).collect();
        reader.only_keys_beside(object, "", &names, ELSEWHERE);
        let usual = || ["uid", "cn", "mail"].map(str::to_owned).to_vec();
        let settings = Self {
            attributes: attributes(&mut reader, object, "attributes").unwrap_or_else(usual),
            filter_attributes: attributes(&mut reader, object, "filter_attributes"),
            base: dn(&mut reader, object, "base"),
            people: reader.texts(object, "", "people"),
            visible_groups: reader.texts(object, "", "visible_groups"),
            passwords: passwords(&mut reader, object),
            learn: learn(&mut reader, object),
            size_limit: None,
            time_limit: None,
            client_certificate: dn(&mut reader, object, "client_certificate"),
        };
        let (size_limit, time_limit) = limits(&mut reader, object);
        reader.finish(Self { size_limit, time_limit, ..settings })
    }
}

/// Attribute descriptions (RFC 4512 section 2.5), without options.
fn attributes(reader: &mut Reader, object: &Map<String, Value>, key: &str) -> Option<Vec<String>> {
    let names = reader.texts(object, "", key)?;
    for (at, name) in names.iter().enumerate() {
        let fits = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        let path = format!("{key}[{at}]");
        if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.chars().all(fits) {
            reader.complain(&path, format!("`{name}` is not the name of an attribute"));
        } else if name.eq_ignore_ascii_case("userPassword") {
            reader.complain(&path, "passwords are never given out; let the app bind as the person");
        }
    }
    Some(names)
}

fn dn(reader: &mut Reader, object: &Map<String, Value>, key: &str) -> Option<Dn> {
    let text = reader.text(object, "", key)?;
    directory::dn(&text).map_err(|message| reader.complain(key, message)).ok()
}

fn passwords(reader: &mut Reader, object: &Map<String, Value>) -> Vec<PasswordKind> {
    let words = [
        ("upstream", PasswordKind::Upstream),
        ("app_password", PasswordKind::AppPassword),
        ("otp_suffix", PasswordKind::OtpSuffix),
    ];
    let Some(texts) = reader.texts(object, "", "passwords") else {
        return vec![PasswordKind::Upstream, PasswordKind::AppPassword];
    };
    let mut kinds = Vec::new();
    for (at, text) in texts.iter().enumerate() {
        match words.iter().find(|(word, _)| word == text) {
            Some((_, kind)) => kinds.push(*kind),
            None => {
                let wanted = fedbridge_contract::text::one_of(&words.map(|(word, _)| word));
                reader.complain(&format!("passwords[{at}]"), format!("expected {wanted}, found `{text}`"));
            }
        }
    }
    kinds
}

fn learn(reader: &mut Reader, object: &Map<String, Value>) -> Learn {
    match object.get("learn") {
        Some(Value::String(_)) => reader.end_of_day(object, "", "learn").map_or(Learn::Never, Learn::Until),
        _ if reader.boolean(object, "", "learn").unwrap_or(false) => Learn::Always,
        _ => Learn::Never,
    }
}

fn limits(reader: &mut Reader, object: &Map<String, Value>) -> (Option<u32>, Option<Duration>) {
    let Some(limits) = reader.map(object, "", "limits") else { return (None, None) };
    reader.only_keys(limits, "limits", &["size", "time"]);
    let size = reader.number(limits, "limits", "size", (1, MOST_ENTRIES)).and_then(|size| u32::try_from(size).ok());
    (size, reader.duration(limits, "limits", "time"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    fn complaints(value: Value) -> Vec<String> {
        LdapAppSettings::parse(&value).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_app_reads_little_unless_it_is_told() {
        let settings = LdapAppSettings::parse(&json!({})).unwrap();
        assert_eq!(settings.attributes, ["uid", "cn", "mail"]);
        assert_eq!(settings.passwords, [PasswordKind::Upstream, PasswordKind::AppPassword]);
        assert_eq!((settings.learn, settings.size_limit), (Learn::Never, None));
    }

    #[test]
    fn every_mistake_is_named() {
        let found = complaints(json!({
            "attributes": ["uid", "user password", "USERPASSWORD"], "passwords": ["upstrem"], "learn": "soon",
            "limits": { "size": 0, "tme": "1s" }, "base": "no dn", "atributes": [],
        }));
        let starts = [
            "atributes: unknown key; the nearest known one is `attributes`",
            "attributes[1]: `user password` is not the name of an attribute",
            "attributes[2]: passwords are never given out",
            "base: `no dn` is not a DN",
            "passwords[0]: expected upstream, app_password or otp_suffix, found `upstrem`",
            "learn: `soon` is not a date",
            "limits.tme: unknown key",
            "limits.size: expected a number from 1 to 1000000, found 0",
        ];
        assert_eq!(found.len(), starts.len(), "{found:#?}");
        for (found, start) in found.iter().zip(starts) {
            assert!(found.starts_with(start), "{found}");
        }
    }

    #[test]
    fn learning_ends_with_its_last_day() {
        let settings = LdapAppSettings::parse(&json!({ "learn": "2026-12-31" })).unwrap();
        let last = Timestamp::from_seconds(1_798_761_599);
        assert!(settings.learn.is_on(last) && !settings.learn.is_on(Timestamp::from_seconds(1_798_761_600)));
    }
}
