//! A person as the index keeps them.

use std::borrow::Cow;

use fedbridge_contract::claims::Claims;
use fedbridge_contract::directory::{DirectoryPerson, KnownLogin, PosixNumbers};
use fedbridge_contract::epoch::Epoch;
use fedbridge_contract::ids::{ConnectionId, PersonId};
use fedbridge_contract::ldap_directory::{PersonRdn, Posix};
use fedbridge_contract::time::Timestamp;
use fedbridge_ldap_core::matching::Rule;
use serde_json::Value;

use super::blob::{Blob, NewAttribute};
use super::{claims, classes};
use crate::catalogue::{AttributeId, Catalogue, KEYS};
use crate::layout::{Layout, PEOPLE};

/// What only a posixAccount has.
const OF_POSIX: &[&str] = &["homeDirectory", "loginShell", "gecos"];

/// Where nothing says what a person's shell is.
const SHELL: &str = "/bin/sh";

#[derive(Debug, Clone)]
pub struct Person {
    pub id: PersonId,
    pub epoch: Epoch,
    pub created: Timestamp,
    pub changed: Timestamp,
    pub disabled: bool,
    /// Whether the user name is this person's: of several who have the same, it is the oldest one's.
    pub is_named: bool,
    /// Whether it has attributes that no class of people has.
    pub is_extended: bool,
    pub posix: Option<PosixNumbers>,
    /// Whether all attributes are in the blob, and not the keys alone.
    pub is_whole: bool,
    /// Numbers of groups, ascending.
    pub groups: Box<[u32]>,
    pub blob: Blob,
    logins: Box<[Login]>,
}

/// A [`KnownLogin`] in less memory: the key and, behind it, the place.
#[derive(Debug, Clone)]
struct Login {
    connection: ConnectionId,
    key_length: u32,
    has_place: bool,
    text: Box<str>,
}

impl Person {
    /// `groups`: numbers of the groups that the claims name.
    pub fn of(new: &DirectoryPerson, mut groups: Vec<u32>, layout: &Layout, catalogue: &mut Catalogue) -> Self {
        groups.sort_unstable();
        groups.dedup();
        let mut attributes = claims::attributes(&new.claims);
        complete(&mut attributes, new.id);
        let posix = posix(new, &attributes, layout);
        if posix.is_some() {
            complete_posix(&mut attributes);
        } else {
            attributes.retain(|(name, _)| !OF_POSIX.contains(&&**name));
        }
        let blob = blob(attributes, catalogue);
        let is_extended = blob.iter().any(|held| !classes::allow(catalogue.name(held.id)));
        Self {
            id: new.id,
            epoch: new.epoch,
            created: new.created,
            changed: new.changed,
            disabled: new.disabled,
            is_named: false,
            is_extended,
            posix,
            is_whole: true,
            groups: groups.into_boxed_slice(),
            blob,
            logins: new.logins.iter().map(Login::of).collect(),
        }
    }

    /// The same, with the user name or without.
    pub fn named(&self, is_named: bool) -> Self {
        Self { is_named, ..self.clone() }
    }

    /// The same with the keys alone; nobody who has no other attribute becomes less by it.
    pub fn keys_alone(self) -> Self {
        let keys = self.blob.only(KEYS);
        if keys.len() == self.blob.len() { self } else { Self { blob: keys, is_whole: false, ..self } }
    }

    /// Octets that count against the limit of memory.
    pub fn octets(&self) -> u64 {
        if self.is_whole { self.blob.len() as u64 } else { 0 }
    }

    /// What a bind needs: who it is, the groups, how the password is checked.
    pub fn for_bind(&self, group_names: Vec<String>) -> DirectoryPerson {
        let mut claims = Claims::default();
        for (id, claim) in [
            (AttributeId::UID, "preferred_username"),
            (AttributeId::MAIL, "email"),
            (AttributeId::DISPLAY_NAME, "name"),
        ] {
            if let Some(text) = self.text(id) {
                claims.set(claim, Value::from(text));
            }
        }
        claims.set("groups", Value::from(group_names));
        DirectoryPerson {
            id: self.id,
            claims,
            logins: self.logins.iter().map(Login::known).collect(),
            disabled: self.disabled,
            epoch: self.epoch,
            posix: self.posix,
            created: self.created,
            changed: self.changed,
        }
    }

    /// The user name, whoever's it is.
    pub fn user_name(&self) -> Option<&[u8]> {
        self.blob.get(AttributeId::UID)?.values().next()
    }

    /// Whether it is a posixAccount: one has a `uid` (RFC 2307 section 4).
    pub fn is_posix(&self) -> bool {
        self.posix.is_some() && self.is_named
    }

    pub fn is_in(&self, group: u32) -> bool {
        self.groups.binary_search(&group).is_ok()
    }

    /// The attribute that the DN begins with, and its value.
    pub fn rdn(&self, layout: &Layout) -> (AttributeId, Cow<'_, [u8]>) {
        match self.user_name() {
            Some(name) if self.is_named && layout.rdn == PersonRdn::Uid => (AttributeId::UID, Cow::Borrowed(name)),
            _ => (AttributeId::ENTRY_UUID, Cow::Owned(self.entry_uuid().into_bytes())),
        }
    }

    pub fn dn(&self, layout: &Layout) -> String {
        match self.rdn(layout) {
            (AttributeId::UID, name) => layout.dn("uid", &name, PEOPLE),
            (_, uuid) => layout.dn("entryUUID", &uuid, PEOPLE),
        }
    }

    pub fn entry_uuid(&self) -> String {
        self.id.uuid().hyphenated().to_string()
    }

    fn text(&self, id: AttributeId) -> Option<&str> {
        std::str::from_utf8(self.blob.get(id)?.values().next()?).ok()
    }
}

impl Login {
    fn of(known: &KnownLogin) -> Self {
        let place = known.place.as_deref();
        Self {
            connection: known.connection,
            key_length: u32::try_from(known.key.len()).unwrap_or(0),
            has_place: place.is_some(),
            text: format!("{}{}", known.key, place.unwrap_or_default()).into_boxed_str(),
        }
    }

    fn known(&self) -> KnownLogin {
        let (key, place) = self.text.split_at_checked(self.key_length as usize).unwrap_or_default();
        KnownLogin { connection: self.connection, key: key.to_owned(), place: self.has_place.then(|| place.to_owned()) }
    }
}

type Attributes = Vec<(Cow<'static, str>, Vec<String>)>;

fn first<'a>(attributes: &'a Attributes, name: &str) -> Option<&'a str> {
    let (_, values) = attributes.iter().find(|(there, _)| there == name)?;
    values.first().map(String::as_str)
}

/// What a person must have (RFC 4519 section 3.12): `cn`, `sn`; and a name to show.
fn complete(attributes: &mut Attributes, id: PersonId) {
    let name = first(attributes, "displayName").map(str::to_owned).or_else(|| {
        let parts: Vec<_> = ["givenName", "sn"].iter().filter_map(|part| first(attributes, part)).collect();
        (!parts.is_empty()).then(|| parts.join(" "))
    });
    let name = name.or_else(|| first(attributes, "uid").or_else(|| first(attributes, "mail")).map(str::to_owned));
    let name = name.unwrap_or_else(|| id.uuid().hyphenated().to_string());
    let last = name.rsplit(' ').find(|word| !word.is_empty()).unwrap_or(&name).to_owned();
    for (attribute, value) in [("cn", &name), ("displayName", &name), ("sn", &last)] {
        if first(attributes, attribute).is_none() {
            attributes.push((Cow::Borrowed(attribute), vec![value.clone()]));
        }
    }
}

/// The numbers of a posixAccount, for somebody who can be one: the user name stands in paths and in lines of
/// `passwd`.
fn posix(new: &DirectoryPerson, attributes: &Attributes, layout: &Layout) -> Option<PosixNumbers> {
    let user_name = first(attributes, "uid")?;
    let is_unfit = |letter: char| letter.is_control() || matches!(letter, '/' | ':' | ' ' | '\\');
    if user_name.contains(is_unfit) || matches!(user_name, "." | "..") || user_name.starts_with('-') {
        return None;
    }
    match layout.posix {
        Posix::Off => None,
        Posix::Allocate => new.posix,
        Posix::Upstream => new.posix.or_else(|| {
            let number = |name| claims::number(&new.claims, name);
            let uid = number("uid_number")?;
            Some(PosixNumbers { uid, gid: number("gid_number").unwrap_or(uid) })
        }),
    }
}

fn complete_posix(attributes: &mut Attributes) {
    let name = first(attributes, "uid").unwrap_or_default().to_owned();
    // A text of ASCII (RFC 2307 section 3), in whose line of `passwd` a colon would be the end of it.
    let gecos =
        first(attributes, "cn").filter(|cn| cn.is_ascii() && !cn.contains([':', '\n', '\r'])).map(str::to_owned);
    let usual =
        [("homeDirectory", Some(format!("/home/{name}"))), ("loginShell", Some(SHELL.to_owned())), ("gecos", gecos)];
    for (attribute, value) in usual {
        if let Some(value) = value
            && first(attributes, attribute).is_none()
        {
            attributes.push((Cow::Borrowed(attribute), vec![value]));
        }
    }
}

fn blob(attributes: Attributes, catalogue: &mut Catalogue) -> Blob {
    let ids = attributes.into_iter().filter_map(|(name, values)| Some((catalogue.intern(&name)?, values)));
    let ids: Vec<_> = ids.collect();
    let mut made: Vec<NewAttribute<'_>> = Vec::with_capacity(ids.len());
    for (id, values) in ids {
        if made.iter().any(|there| there.id == id) {
            // Two claims that are one attribute under two names.
            continue;
        }
        let rule = catalogue.rule(id).unwrap_or(Rule::CaseIgnore);
        // What is no value of the attribute's syntax is not shown: entries obey the schema.
        let values = values.into_iter().map(String::into_bytes);
        let both =
            values.filter_map(|value| rule.prepare(&value).map(Cow::into_owned).map(|prepared| (value, prepared)));
        let (values, prepared): (Vec<_>, Vec<_>) = both.unzip();
        let single = catalogue.kind(id).is_some_and(|kind| kind.is_single);
        let most = if single { 1 } else { values.len() };
        if !values.is_empty() {
            made.push(NewAttribute {
                id,
                name: catalogue.name(id),
                values: values.into_iter().take(most).collect(),
                prepared: prepared.into_iter().take(most).collect(),
            });
        }
    }
    Blob::of(made)
}

#[cfg(test)]
mod tests;
