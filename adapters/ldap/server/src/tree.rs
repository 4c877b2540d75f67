//! The tree of a tenant's directory: its base, three containers, and what lies in them.
//!
//! ```text
//! dc=acme,dc=example
//!   ou=people    uid=ada
//!   ou=groups    cn=dev; cn=ada, where people have groups of their own
//!   ou=apps      cn=jenkins
//! ```

use std::borrow::Cow;

use fedbridge_contract::config::{App, AppKind, Tenant};
use fedbridge_contract::ids::{AppId, PersonId};
use fedbridge_ldap_core::matching::Rule;
use fedbridge_ldap_core::prep::{Case, prepare};
use fedbridge_ldap_core::{Ava, Dn, Scope};
use openssl::sha::Sha256;
use uuid::Uuid;

use crate::catalogue::{AttributeId, Catalogue};
use crate::index::Index;
use crate::index::blob::{Blob, NewAttribute};
use crate::layout::{APPS, GROUPS, Layout, PEOPLE, is_container};

/// Where an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    Root,
    People,
    Groups,
    Apps,
    /// Its number among the apps.
    App(u32),
    Group(u32),
    Person(u32),
    /// The group of a person's own.
    Private(u32),
}

/// What a name stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Located {
    At(Place),
    /// Nothing is there; this is the lowest entry above.
    Missing {
        above: Place,
    },
    /// Of another tree.
    Outside,
}

/// Entries that lie one behind the other in the order of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// One entry that is neither a person nor a group.
    Plain(Place),
    Groups {
        first: u32,
        end: u32,
    },
    People {
        first: u32,
        end: u32,
    },
    Private {
        first: u32,
        end: u32,
    },
}

/// An entry that only the configuration changes.
#[derive(Debug, Clone)]
pub struct Plain {
    pub dn: String,
    pub classes: Vec<&'static str>,
    pub structural: &'static str,
    pub uuid: Uuid,
    pub has_subordinates: bool,
    pub blob: Blob,
}

/// The entries that do not come from the feed.
#[derive(Debug, Clone)]
pub struct Tree {
    pub root: Plain,
    pub people: Plain,
    pub groups: Plain,
    pub apps: Plain,
    each_app: Vec<AppEntry>,
}

#[derive(Debug, Clone)]
struct AppEntry {
    id: AppId,
    /// As it is compared.
    prepared: Vec<u8>,
    plain: Plain,
}

impl Tree {
    pub fn of(tenant: &Tenant, layout: &Layout, catalogue: &Catalogue) -> Self {
        let container = |name: &str, what: &str| {
            let ou = name.strip_prefix("ou=").unwrap_or(name);
            let attributes = [(AttributeId::OU, ou), (AttributeId::DESCRIPTION, what)];
            let unit = "organizationalUnit";
            plain(tenant, catalogue, layout.container(name), &["top", unit], unit, true, &attributes)
        };
        let apps = tenant.apps.iter().filter(|app| app.kind == AppKind::LdapApp);
        Self {
            root: root(tenant, layout, catalogue),
            people: container(PEOPLE, "People"),
            groups: container(GROUPS, "Groups"),
            apps: container(APPS, "Apps"),
            each_app: apps.map(|app| AppEntry::of(app, tenant, layout, catalogue)).collect(),
        }
    }

    pub fn plain(&self, place: Place) -> Option<&Plain> {
        match place {
            Place::Root => Some(&self.root),
            Place::People => Some(&self.people),
            Place::Groups => Some(&self.groups),
            Place::Apps => Some(&self.apps),
            Place::App(number) => self.each_app.get(number as usize).map(|app| &app.plain),
            Place::Group(_) | Place::Person(_) | Place::Private(_) => None,
        }
    }

    pub fn app(&self, number: u32) -> Option<AppId> {
        self.each_app.get(number as usize).map(|app| app.id)
    }

    pub fn app_number(&self, id: AppId) -> Option<u32> {
        self.each_app.iter().position(|app| app.id == id).and_then(|at| u32::try_from(at).ok())
    }

    /// What a name stands for, whoever asks.
    pub fn locate(&self, dn: &Dn, index: &Index) -> Located {
        let Some(relative) = index.layout.relative(dn) else { return Located::Outside };
        let [above @ .., container] = relative else { return Located::At(Place::Root) };
        let container = match container {
            rdn if is_container(rdn, PEOPLE) => Place::People,
            rdn if is_container(rdn, GROUPS) => Place::Groups,
            rdn if is_container(rdn, APPS) => Place::Apps,
            _ => return Located::Missing { above: Place::Root },
        };
        let [below @ .., entry] = above else { return Located::At(container) };
        match (self.entry(container, entry, index), below) {
            (Some(place), []) => Located::At(place),
            (Some(above), _) => Located::Missing { above },
            (None, _) => Located::Missing { above: container },
        }
    }

    /// An entry in one of the three containers, by the only name that it has.
    fn entry(&self, container: Place, rdn: &[Ava], index: &Index) -> Option<Place> {
        let [Ava { attribute, value }] = rdn else { return None };
        match (container, &attribute[..]) {
            (Place::People, "uid") => {
                let (place, person) = index.people.owner(value)?;
                (person.rdn(&index.layout).0 == AttributeId::UID).then_some(Place::Person(place))
            }
            (Place::People, "entryuuid") => {
                let id = PersonId::from_uuid(Uuid::from_slice(value).ok()?);
                let place = index.people.place(id)?;
                let person = index.people.get(place)?;
                (person.rdn(&index.layout).0 == AttributeId::ENTRY_UUID).then_some(Place::Person(place))
            }
            (Place::Groups, "cn") => match index.groups.find(value) {
                Some((number, _)) => Some(Place::Group(number)),
                None => private_group(value, index),
            },
            (Place::Apps, "cn") => {
                let at = self.each_app.iter().position(|app| app.prepared == *value)?;
                Some(Place::App(u32::try_from(at).ok()?))
            }
            _ => None,
        }
    }

    /// The entries that a search looks at, in their order.
    pub fn spans(&self, base: Place, scope: Scope, index: &Index) -> Vec<Span> {
        let below = self.below(base, index, matches!(scope, Scope::Sub | Scope::Subordinate));
        match scope {
            Scope::Base => vec![span_of(base)],
            Scope::One | Scope::Subordinate => below,
            Scope::Sub => [span_of(base)].into_iter().chain(below).collect(),
        }
    }

    fn below(&self, base: Place, index: &Index, deep: bool) -> Vec<Span> {
        let places = index.people.places();
        match base {
            Place::Root => {
                let containers = [Place::People, Place::Groups, Place::Apps];
                let inside = containers.into_iter().filter(|_| deep).flat_map(|place| self.below(place, index, true));
                containers.map(Span::Plain).into_iter().chain(inside).collect()
            }
            Place::People => vec![Span::People { first: 0, end: places }],
            Place::Groups => {
                let private = index.layout.private_groups.then_some(Span::Private { first: 0, end: places });
                [Span::Groups { first: 0, end: index.groups.len() }].into_iter().chain(private).collect()
            }
            Place::Apps => {
                let count = u32::try_from(self.each_app.len()).unwrap_or(0);
                (0..count).map(|number| Span::Plain(Place::App(number))).collect()
            }
            Place::App(_) | Place::Group(_) | Place::Person(_) | Place::Private(_) => Vec::new(),
        }
    }
}

impl Place {
    pub fn above(self) -> Option<Self> {
        match self {
            Self::Root => None,
            Self::People | Self::Groups | Self::Apps => Some(Self::Root),
            Self::App(_) => Some(Self::Apps),
            Self::Group(_) | Self::Private(_) => Some(Self::Groups),
            Self::Person(_) => Some(Self::People),
        }
    }

    /// Whether it is `base` or lies below it.
    pub fn is_under(self, base: Self) -> bool {
        let mut at = Some(self);
        while let Some(place) = at {
            if place == base {
                return true;
            }
            at = place.above();
        }
        false
    }
}

fn span_of(place: Place) -> Span {
    match place {
        Place::Group(number) => Span::Groups { first: number, end: number + 1 },
        Place::Person(number) => Span::People { first: number, end: number + 1 },
        Place::Private(number) => Span::Private { first: number, end: number + 1 },
        plain => Span::Plain(plain),
    }
}

/// A person's own group, unless a group of the tenant has the name.
fn private_group(prepared: &[u8], index: &Index) -> Option<Place> {
    let (place, person) = index.people.owner(prepared)?;
    (index.layout.private_groups && person.is_posix()).then_some(Place::Private(place))
}

/// The topmost entry, of a class that fits its name.
fn root(tenant: &Tenant, layout: &Layout, catalogue: &Catalogue) -> Plain {
    let dn = layout.base_text.clone();
    let first = fedbridge_ldap_core::dn::split(&dn).ok().and_then(|rdns| rdns.into_iter().next());
    let ava = first.and_then(|rdn| rdn.avas.into_iter().next());
    let (attribute, value) = ava.map(|ava| (ava.attribute, ava.value)).unwrap_or_default();
    let value = String::from_utf8_lossy(&value).into_owned();
    let name = if tenant.display_name.is_empty() { tenant.slug.as_str() } else { tenant.display_name.as_str() };
    let id = catalogue.find(attribute);
    let make = |classes: &[&'static str], structural, attributes: &[(AttributeId, &str)]| {
        plain(tenant, catalogue, dn.clone(), classes, structural, true, attributes)
    };
    match id {
        Some(AttributeId::DC) => {
            let attributes = [(AttributeId::DC, value.as_str()), (AttributeId::O, name)];
            make(&["top", "organization", "dcObject"], "organization", &attributes)
        }
        Some(AttributeId::O) => make(&["top", "organization"], "organization", &[(AttributeId::O, &value)]),
        Some(AttributeId::OU) => {
            make(&["top", "organizationalUnit"], "organizationalUnit", &[(AttributeId::OU, &value)])
        }
        Some(AttributeId::C) => make(&["top", "country"], "country", &[(AttributeId::C, &value)]),
        Some(AttributeId::L) => make(&["top", "locality"], "locality", &[(AttributeId::L, &value)]),
        Some(other) => {
            let classes = ["top", "organization", "extensibleObject"];
            make(&classes, "organization", &[(other, value.as_str()), (AttributeId::O, name)])
        }
        None => make(&["top", "organization"], "organization", &[(AttributeId::O, name)]),
    }
}

impl AppEntry {
    fn of(app: &App, tenant: &Tenant, layout: &Layout, catalogue: &Catalogue) -> Self {
        let class = "applicationProcess";
        let mut attributes = vec![(AttributeId::CN, app.name.as_str())];
        if !app.display_name.is_empty() && app.display_name != app.name {
            attributes.push((AttributeId::DESCRIPTION, app.display_name.as_str()));
        }
        let dn = layout.dn("cn", app.name.as_bytes(), APPS);
        let mut plain = plain(tenant, catalogue, dn, &["top", class], class, false, &attributes);
        plain.uuid = app.id.uuid();
        Self { id: app.id, prepared: prepare(app.name.as_bytes(), Case::Ignore).into_owned(), plain }
    }
}

fn plain(
    tenant: &Tenant,
    catalogue: &Catalogue,
    dn: String,
    classes: &[&'static str],
    structural: &'static str,
    has_subordinates: bool,
    attributes: &[(AttributeId, &str)],
) -> Plain {
    let made = attributes.iter().map(|(id, value)| {
        let rule = catalogue.rule(*id).unwrap_or(Rule::CaseIgnore);
        let value = value.as_bytes();
        let prepared = rule.prepare(value).unwrap_or(Cow::Borrowed(value)).into_owned();
        NewAttribute { id: *id, name: catalogue.name(*id), values: vec![value.to_vec()], prepared: vec![prepared] }
    });
    let uuid = lasting_uuid(&[tenant.id.uuid().as_bytes(), dn.as_bytes()]);
    Plain { blob: Blob::of(made.collect()), dn, classes: classes.to_vec(), structural, uuid, has_subordinates }
}

/// The same for the same parts on every node: a UUID of version 8 (RFC 9562 section 5.8).
pub fn lasting_uuid(parts: &[&[u8]]) -> Uuid {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update(&(part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    let digest = hash.finish();
    let mut octets = [0; 16];
    octets.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(octets).into_uuid()
}
