//! What an entry holds, as its reader sees it.

use bytes::BytesMut;
use fedbridge_contract::ldap_directory::{GroupSchema, Posix};
use fedbridge_contract::time::Timestamp;
use time::OffsetDateTime;

use crate::access::{Kind, Reader};
use crate::catalogue::{AttributeId, KEYS};
use crate::entry::partial_attribute;
use crate::index::blob::Held;
use crate::index::classes;
use crate::index::groups::Group;
use crate::index::person::Person;
use crate::layout::{GROUPS, Layout};
use crate::schema_entry::SUBSCHEMA;
use crate::tree::{Place, Plain, lasting_uuid};

/// Attributes that are made when somebody asks, and not kept.
const MADE: &[AttributeId] = &[
    AttributeId::OBJECT_CLASS,
    AttributeId::CN,
    AttributeId::UID_NUMBER,
    AttributeId::GID_NUMBER,
    AttributeId::MEMBER,
    AttributeId::UNIQUE_MEMBER,
    AttributeId::MEMBER_UID,
    AttributeId::MEMBER_OF,
    AttributeId::ENTRY_UUID,
    AttributeId::ENTRY_DN,
    AttributeId::CREATE_TIMESTAMP,
    AttributeId::MODIFY_TIMESTAMP,
    AttributeId::HAS_SUBORDINATES,
    AttributeId::STRUCTURAL_OBJECT_CLASS,
    AttributeId::SUBSCHEMA_SUBENTRY,
];

/// Whether somebody has the attribute at hand who is not whole in memory: see [`KEYS`].
pub fn is_at_hand(id: AttributeId) -> bool {
    KEYS.contains(&id) || MADE.contains(&id)
}

/// An entry that was found.
#[derive(Clone, Copy)]
pub enum Node<'a> {
    Plain(Place, &'a Plain),
    Group(u32, &'a Group),
    Person(u32, &'a Person),
    /// The group of a person's own.
    Private(u32, &'a Person),
}

impl<'a> Node<'a> {
    pub fn kind(self) -> Kind {
        match self {
            Self::Plain(..) => Kind::Plain,
            Self::Person(..) => Kind::Person,
            Self::Group(..) | Self::Private(..) => Kind::Group,
        }
    }

    pub fn place(self) -> Place {
        match self {
            Self::Plain(place, _) => place,
            Self::Group(number, _) => Place::Group(number),
            Self::Person(place, _) => Place::Person(place),
            Self::Private(place, _) => Place::Private(place),
        }
    }

    pub fn dn(self, layout: &Layout) -> String {
        match self {
            Self::Plain(_, plain) => plain.dn.clone(),
            Self::Group(_, group) => layout.dn("cn", group.name.as_bytes(), GROUPS),
            Self::Person(_, person) => person.dn(layout),
            Self::Private(_, person) => layout.dn("cn", person.user_name().unwrap_or_default(), GROUPS),
        }
    }

    pub fn classes(self, layout: &Layout) -> &'a [&'static str] {
        match self {
            Self::Plain(_, plain) => &plain.classes,
            Self::Group(_, group) if posix_gid(group, layout).is_some() => classes::POSIX_GROUP,
            Self::Group(..) => classes::GROUP,
            Self::Person(_, person) => classes::of_person(person),
            Self::Private(..) => classes::POSIX_GROUP,
        }
    }

    /// Attributes that are kept ready.
    pub fn kept(self) -> impl Iterator<Item = Held<'a>> {
        let (blob, hides) = match self {
            Self::Plain(_, plain) => (Some(&plain.blob), &[][..]),
            Self::Person(_, person) => (Some(&person.blob), hidden(person)),
            Self::Group(..) | Self::Private(..) => (None, &[][..]),
        };
        blob.into_iter().flat_map(|blob| blob.iter()).filter(move |held| !hides.contains(&held.id))
    }

    pub fn held(self, id: AttributeId) -> Option<Held<'a>> {
        self.kept().find(|held| held.id == id)
    }

    /// Attributes that the entry may have besides, in the order in which they go out.
    pub fn made(self) -> impl Iterator<Item = AttributeId> {
        MADE.iter().copied()
    }

    /// Gives the values of an attribute to `each` until it says that it has seen enough. True: it said so.
    pub fn each_value(self, id: AttributeId, reader: &Reader<'_>, each: &mut dyn FnMut(&[u8]) -> bool) -> bool {
        if let Some(held) = self.held(id) {
            return held.values().any(each);
        }
        let layout = &*reader.index.layout;
        match id {
            AttributeId::OBJECT_CLASS => self.classes(layout).iter().any(|class| each(class.as_bytes())),
            AttributeId::STRUCTURAL_OBJECT_CLASS => each(self.structural().as_bytes()),
            AttributeId::ENTRY_DN => each(self.dn(layout).as_bytes()),
            AttributeId::ENTRY_UUID => self.uuid().is_some_and(|uuid| each(uuid.as_bytes())),
            AttributeId::SUBSCHEMA_SUBENTRY => each(SUBSCHEMA.as_bytes()),
            AttributeId::HAS_SUBORDINATES => each(if self.has_subordinates() { b"TRUE" } else { b"FALSE" }),
            AttributeId::CREATE_TIMESTAMP => self.times().is_some_and(|(created, _)| each(&generalized(created))),
            AttributeId::MODIFY_TIMESTAMP => self.times().is_some_and(|(_, changed)| each(&generalized(changed))),
            AttributeId::UID_NUMBER | AttributeId::GID_NUMBER => {
                self.number(id, layout).is_some_and(|number| each(number.to_string().as_bytes()))
            }
            AttributeId::CN => match self {
                Self::Group(_, group) => each(group.name.as_bytes()),
                Self::Private(_, person) => each(person.user_name().unwrap_or_default()),
                _ => false,
            },
            AttributeId::MEMBER | AttributeId::UNIQUE_MEMBER => {
                self.each_member(reader, &mut |person| each(person.dn(layout).as_bytes()))
            }
            AttributeId::MEMBER_UID if self.has_member_uid(layout) => {
                self.each_member(reader, &mut |person| person.is_named && person.user_name().is_some_and(&mut *each))
            }
            AttributeId::MEMBER_OF => {
                self.each_group(reader, &mut |group| each(layout.dn("cn", group.name.as_bytes(), GROUPS).as_bytes()))
            }
            _ => false,
        }
    }

    /// Whether it has a value of the attribute.
    pub fn has(self, id: AttributeId, reader: &Reader<'_>) -> bool {
        self.each_value(id, reader, &mut |_| true)
    }

    /// Whether the person is a member of this group, for a reader who sees both.
    pub fn is_with(self, place: u32) -> bool {
        match self {
            Self::Group(_, group) => group.members.binary_search(&place).is_ok(),
            Self::Private(own, _) => own == place,
            _ => false,
        }
    }

    pub fn has_member_uid(self, layout: &Layout) -> bool {
        let is_posix = match self {
            Self::Group(_, group) => posix_gid(group, layout).is_some(),
            Self::Private(..) => true,
            _ => false,
        };
        is_posix && layout.schema == GroupSchema::Rfc2307
    }

    /// The attribute as it goes out, made new. False: the entry has no value of it.
    pub fn write(self, id: AttributeId, reader: &Reader<'_>, into: &mut BytesMut) -> bool {
        let mut values: Vec<Vec<u8>> = Vec::new();
        self.each_value(id, reader, &mut |value| {
            values.push(value.to_vec());
            false
        });
        if !values.is_empty() {
            partial_attribute(reader.index.catalogue.name(id), values.iter().map(Vec::as_slice), into);
        }
        !values.is_empty()
    }

    fn structural(self) -> &'static str {
        match self {
            Self::Plain(_, plain) => plain.structural,
            Self::Person(..) => classes::STRUCTURAL_PERSON,
            Self::Group(..) | Self::Private(..) => classes::STRUCTURAL_GROUP,
        }
    }

    fn uuid(self) -> Option<String> {
        let uuid = match self {
            Self::Plain(_, plain) => plain.uuid,
            Self::Person(_, person) => person.id.uuid(),
            Self::Group(_, group) => group.known?.id.uuid(),
            Self::Private(_, person) => lasting_uuid(&[person.id.uuid().as_bytes(), b"private group"]),
        };
        Some(uuid.hyphenated().to_string())
    }

    fn has_subordinates(self) -> bool {
        matches!(self, Self::Plain(_, plain) if plain.has_subordinates)
    }

    /// When it was made and changed; nobody knows of what only the configuration makes.
    fn times(self) -> Option<(Timestamp, Timestamp)> {
        match self {
            Self::Plain(..) => None,
            Self::Person(_, person) | Self::Private(_, person) => Some((person.created, person.changed)),
            Self::Group(_, group) => group.known.map(|known| (known.created, group.changed.max(known.created))),
        }
    }

    fn number(self, id: AttributeId, layout: &Layout) -> Option<u32> {
        match self {
            Self::Plain(..) => None,
            Self::Person(_, person) => {
                let numbers = person.posix.filter(|_| person.is_posix())?;
                Some(if id == AttributeId::UID_NUMBER { numbers.uid } else { numbers.gid })
            }
            Self::Group(_, group) if id == AttributeId::GID_NUMBER => posix_gid(group, layout),
            Self::Private(_, person) if id == AttributeId::GID_NUMBER => person.posix.map(|numbers| numbers.uid),
            Self::Group(..) | Self::Private(..) => None,
        }
    }

    fn each_member(self, reader: &Reader<'_>, each: &mut dyn FnMut(&Person) -> bool) -> bool {
        match self {
            Self::Group(_, group) => group.members.iter().any(|place| {
                let person = reader.index.people.get(*place);
                person.is_some_and(|person| reader.sees_person(*place, person) && each(person))
            }),
            Self::Private(place, person) => reader.sees_person(place, person) && each(person),
            _ => false,
        }
    }

    fn each_group(self, reader: &Reader<'_>, each: &mut dyn FnMut(&Group) -> bool) -> bool {
        let Self::Person(_, person) = self else { return false };
        person
            .groups
            .iter()
            .filter(|number| reader.sees_group(**number))
            .any(|number| reader.index.groups.get(*number).is_some_and(&mut *each))
    }
}

fn posix_gid(group: &Group, layout: &Layout) -> Option<u32> {
    group.known?.gid.filter(|_| layout.posix != Posix::Off)
}

/// What somebody has not whose user name is another's.
fn hidden(person: &Person) -> &'static [AttributeId] {
    const NAMELESS: &[AttributeId] =
        &[AttributeId::UID, AttributeId::HOME_DIRECTORY, AttributeId::LOGIN_SHELL, AttributeId::GECOS];
    if person.is_named { &[] } else { NAMELESS }
}

/// RFC 4517 section 3.3.13, in whole seconds.
fn generalized(at: Timestamp) -> Vec<u8> {
    let at = OffsetDateTime::from_unix_timestamp(at.seconds()).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (date, time) = (at.date(), at.time());
    let (month, day) = (u8::from(date.month()), date.day());
    let text =
        format!("{:04}{month:02}{day:02}{:02}{:02}{:02}Z", date.year(), time.hour(), time.minute(), time.second());
    text.into_bytes()
}
