//! Who sees what. A view stands in front of everything: what it does not show is as if it were not there, for filters
//! and for the planner as for entries.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use fedbridge_contract::config::{AppKind, Tenant};
use fedbridge_contract::ids::AppId;
use fedbridge_contract::ldap_directory::{PeopleMayRead, PersonRdn};
use fedbridge_contract::time::Timestamp;
use fedbridge_ldap_core::Dn;
use fedbridge_ldap_core::prep::{Case, prepare};
use fedbridge_ldap_core::schema::{self, AttributeType};

use crate::backend::Identity;
use crate::catalogue::{AttributeId, Catalogue, Meaning};
use crate::index::Index;
use crate::index::person::Person;
use crate::settings::{LdapAppSettings, Learn};
use crate::tree::{Located, Place, Tree};

/// What says nothing of anybody: which entry it is, and of what kind.
const ALWAYS: &[AttributeId] = &[
    AttributeId::OBJECT_CLASS,
    AttributeId::STRUCTURAL_OBJECT_CLASS,
    AttributeId::ENTRY_UUID,
    AttributeId::ENTRY_DN,
    AttributeId::HAS_SUBORDINATES,
    AttributeId::SUBSCHEMA_SUBENTRY,
];

/// What is shown besides, and no reason to find an entry.
const ALWAYS_SHOWN: &[AttributeId] = &[AttributeId::CREATE_TIMESTAMP, AttributeId::MODIFY_TIMESTAMP];

/// Kinds of entries, as far as it matters for what is shown of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Plain,
    Person,
    Group,
}

/// What one app, or a person without one, may see.
#[derive(Debug, Clone)]
pub struct View {
    reach: Reach,
    read: Allowed,
    filter: Allowed,
    /// Only members of these groups are there.
    people: Option<HashSet<u32>>,
    /// Only these groups are there.
    groups: Option<HashSet<u32>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    All,
    Below(Place),
    /// The view's base is nothing that there is.
    Nothing,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Allowed {
    All,
    These {
        /// By the number of the attribute; what lies beyond is not.
        held: Vec<bool>,
        /// Of the schema, which no entry has.
        absent: Vec<&'static AttributeType>,
    },
}

impl Allowed {
    fn of(names: &[String], catalogue: &Catalogue) -> Self {
        let (mut held, mut absent) = (Vec::new(), Vec::new());
        for name in names {
            let ids = match catalogue.meaning(name) {
                Meaning::These(ids) => ids,
                Meaning::Nowhere | Meaning::Unknown => {
                    absent.extend(schema::attribute(name));
                    continue;
                }
            };
            for number in ids.into_iter().map(|id| usize::from(id.number())) {
                if held.len() <= number {
                    held.resize(number + 1, false);
                }
                if let Some(is) = held.get_mut(number) {
                    *is = true;
                }
            }
        }
        Self::These { held, absent }
    }

    fn has(&self, id: AttributeId) -> bool {
        match self {
            Self::All => true,
            Self::These { held, .. } => held.get(usize::from(id.number())).copied().unwrap_or(false),
        }
    }
}

/// The views of a tenant.
#[derive(Debug, Clone)]
pub struct Views {
    by_app: HashMap<AppId, View>,
    /// When one of them will be another; then they are to be made anew.
    pub until: Option<Timestamp>,
}

impl Views {
    pub fn of(tenant: &Tenant, tree: &Tree, index: &Index, now: Timestamp) -> Self {
        let mut views = Self { by_app: HashMap::new(), until: None };
        for app in tenant.apps.iter().filter(|app| app.kind == AppKind::LdapApp) {
            // Settings that don't parse show nothing.
            let Ok(settings) = LdapAppSettings::of(app) else { continue };
            if let Learn::Until(end) = settings.learn
                && now < end
            {
                views.until = Some(views.until.map_or(end, |until| until.min(end)));
            }
            views.by_app.insert(app.id, View::of(&settings, tree, index, now));
        }
        views
    }
}

impl View {
    fn of(settings: &LdapAppSettings, tree: &Tree, index: &Index, now: Timestamp) -> Self {
        let catalogue = &index.catalogue;
        let numbers = |names: &Option<Vec<String>>| {
            let names = names.as_ref().filter(|names| !names.is_empty())?;
            Some(names.iter().filter_map(|name| index.groups.number(name)).collect())
        };
        let read = Allowed::of(&settings.attributes, catalogue);
        let filter =
            settings.filter_attributes.as_ref().map_or_else(|| read.clone(), |names| Allowed::of(names, catalogue));
        let learns = settings.learn.is_on(now);
        Self {
            reach: settings.base.as_ref().map_or(Reach::All, |base| Reach::of(base, tree, index)),
            read: if learns { Allowed::All } else { read },
            filter: if learns { Allowed::All } else { filter },
            people: numbers(&settings.people),
            groups: numbers(&settings.visible_groups),
        }
    }

    /// Of a person who came without an app.
    fn of_a_person() -> Self {
        Self { reach: Reach::All, read: Allowed::All, filter: Allowed::All, people: None, groups: None }
    }
}

impl Reach {
    fn of(base: &Dn, tree: &Tree, index: &Index) -> Self {
        match tree.locate(base, index) {
            Located::At(Place::Root) => Self::All,
            Located::At(place) => Self::Below(place),
            Located::Missing { .. } | Located::Outside => Self::Nothing,
        }
    }
}

/// Somebody who asks, with the view that is theirs.
#[derive(Clone)]
pub struct Reader<'a> {
    pub index: &'a Index,
    view: Cow<'a, View>,
    /// Nobody else is there for a person who may read only the own entry.
    only: Option<u32>,
    app: Option<u32>,
}

impl<'a> Reader<'a> {
    /// `None`: who asks may see nothing at all.
    pub fn of(identity: &Identity, index: &'a Index, tree: &Tree, views: &'a Views) -> Option<Self> {
        let view = |app: AppId| views.by_app.get(&app).map(Cow::Borrowed);
        match identity {
            Identity::Anonymous => None,
            Identity::App { app, .. } => {
                Some(Self { index, view: view(*app)?, only: None, app: tree.app_number(*app) })
            }
            Identity::Person { id, by_app, .. } => {
                let own = index.people.place(*id)?;
                let view = by_app.map_or_else(|| Some(Cow::Owned(View::of_a_person())), view)?;
                let only = (index.layout.people_may_read == PeopleMayRead::Themselves).then_some(own);
                Some(Self { index, view, only, app: by_app.and_then(|app| tree.app_number(app)) })
            }
        }
    }

    /// Whether a search may begin there: the entry is shown, or what is shown lies below it.
    pub fn may_begin_at(&self, place: Place) -> bool {
        let leads_there = matches!(self.view.reach, Reach::Below(base) if base.is_under(place));
        self.sees(place) || (leads_there && self.exists(place))
    }

    pub fn sees(&self, place: Place) -> bool {
        self.reaches(place) && self.exists(place)
    }

    /// As [`Self::sees`], for a person who was found already.
    pub fn sees_person(&self, place: u32, person: &Person) -> bool {
        self.reaches(Place::Person(place)) && self.knows(place, person)
    }

    pub fn sees_group(&self, number: u32) -> bool {
        self.sees(Place::Group(number))
    }

    pub fn sees_private(&self, place: u32, person: &Person) -> bool {
        self.reaches(Place::Private(place)) && self.knows(place, person) && self.has_private(person)
    }

    pub fn may_read(&self, id: AttributeId, kind: Kind) -> bool {
        self.view.read.has(id) || ALWAYS_SHOWN.contains(&id) || self.always(id, kind)
    }

    pub fn may_filter(&self, id: AttributeId, kind: Kind) -> bool {
        self.view.filter.has(id) || self.always(id, kind)
    }

    /// The same of an attribute of the schema that no entry has.
    pub fn may_filter_absent(&self, kind: &'static AttributeType) -> bool {
        match &self.view.filter {
            Allowed::All => true,
            Allowed::These { absent, .. } => absent.iter().any(|it| std::ptr::eq(*it, kind)),
        }
    }

    /// What the name of the entry says already.
    fn always(&self, id: AttributeId, kind: Kind) -> bool {
        ALWAYS.contains(&id)
            || match kind {
                Kind::Plain => true,
                Kind::Group => id == AttributeId::CN,
                Kind::Person => id == AttributeId::UID && self.index.layout.rdn == PersonRdn::Uid,
            }
    }

    /// Whether nothing is kept from the reader but who is disabled.
    pub fn sees_all_entries(&self) -> bool {
        let view = &self.view;
        view.reach == Reach::All && view.people.is_none() && view.groups.is_none() && self.only.is_none()
    }

    fn reaches(&self, place: Place) -> bool {
        match self.view.reach {
            Reach::All => true,
            Reach::Below(base) => place.is_under(base),
            Reach::Nothing => false,
        }
    }

    fn exists(&self, place: Place) -> bool {
        match place {
            Place::Root | Place::People | Place::Groups | Place::Apps => true,
            Place::App(number) => self.app == Some(number),
            Place::Group(number) => {
                let is_known = self.index.groups.get(number).is_some_and(|group| group.known.is_some());
                let is_shown = self.view.groups.as_ref().is_none_or(|groups| groups.contains(&number));
                // A person who may read only the own entry learns from it which groups they are in, and no more.
                let is_own = self.only.is_none_or(|only| self.is_member(only, number));
                is_known && is_shown && is_own
            }
            Place::Person(place) => self.index.people.get(place).is_some_and(|person| self.knows(place, person)),
            Place::Private(place) => {
                let person = self.index.people.get(place);
                person.is_some_and(|person| self.knows(place, person) && self.has_private(person))
            }
        }
    }

    fn knows(&self, place: u32, person: &Person) -> bool {
        let is_shown = |groups: &HashSet<u32>| person.groups.iter().any(|group| groups.contains(group));
        !person.disabled && self.only.is_none_or(|only| only == place) && self.view.people.as_ref().is_none_or(is_shown)
    }

    fn is_member(&self, place: u32, group: u32) -> bool {
        self.index.people.get(place).is_some_and(|person| person.is_in(group))
    }

    /// Whether the person has a group of the own, which no group of the tenant has the name of.
    fn has_private(&self, person: &Person) -> bool {
        let has_name = |name: &[u8]| {
            let prepared = prepare(name, Case::Ignore);
            self.index.groups.find(&prepared).is_some()
        };
        self.index.layout.private_groups && person.is_posix() && !person.user_name().is_some_and(has_name)
    }
}
