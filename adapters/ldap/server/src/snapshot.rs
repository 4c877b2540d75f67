//! One tenant's directory at one moment, behind the seam to the protocol.

use std::sync::Arc;

use async_trait::async_trait;
use fedbridge_contract::config::{AppKind, Tenant};
use fedbridge_contract::directory::{DirectoryPerson, DirectoryServices};
use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::PersonId;
use fedbridge_contract::ldap_directory::LdapDirectory;
use fedbridge_contract::time::Timestamp;
use fedbridge_ldap_core::prep::{Case, prepare};
use fedbridge_ldap_core::{Code, Dn, Scope, dn};

use crate::access::{Reader, Views};
use crate::backend::{
    Asked, Backend, Beyond, BindName, Comparison, Elsewhere, Fetched, Found, Identity, Limits, Meant, Page, Seen,
    Standing,
};
use crate::catalogue::AttributeId;
use crate::engine::{self, Incomparable, Node, Truth};
use crate::index::Index;
use crate::index::person::Person;
use crate::layout::Layout;
use crate::learn;
use crate::pass::{self, Subtree};
use crate::settings::LdapAppSettings;
use crate::tree::{Located, Place, Tree};

/// It does not change. Whoever holds it sees what was, until it asks for the next one.
pub struct Snapshot {
    tenant: Arc<Tenant>,
    directory: Arc<LdapDirectory>,
    index: Index,
    tree: Tree,
    views: Views,
    subtrees: Vec<Subtree>,
    services: DirectoryServices,
}

impl Snapshot {
    /// `None`: the tenant has no directory.
    pub fn of(tenant: &Arc<Tenant>, mut index: Index, services: &DirectoryServices, now: Timestamp) -> Option<Self> {
        let directory = Arc::clone(tenant.settings.ldap.as_ref()?);
        // The base, and what the apps may read, can be changed without the people.
        index.layout = Arc::new(Layout::of(&directory)?);
        let apps = tenant.apps.iter().filter(|app| app.kind == AppKind::LdapApp);
        for settings in apps.filter_map(|app| LdapAppSettings::of(app).ok()) {
            let named = settings.attributes.iter().chain(settings.filter_attributes.iter().flatten());
            for name in named.filter(|name| index.catalogue.find(name).is_none()).collect::<Vec<_>>() {
                // One that nobody has is still one that may be searched by.
                let _ = Arc::make_mut(&mut index.catalogue).intern(name);
            }
        }
        let tree = Tree::of(tenant, &index.layout, &index.catalogue);
        let views = Views::of(tenant, &tree, &index, now);
        let subtrees = pass::subtrees(tenant, &directory, &index.layout);
        Some(Self { tenant: Arc::clone(tenant), directory, index, tree, views, subtrees, services: services.clone() })
    }

    pub fn index(&self) -> &Index {
        &self.index
    }

    /// When a view of it becomes another by itself.
    pub fn until(&self) -> Option<Timestamp> {
        self.views.until
    }

    /// Whether it was made for this very state of the configuration.
    pub fn is_of(&self, tenant: &Arc<Tenant>) -> bool {
        Arc::ptr_eq(&self.tenant, tenant)
    }

    pub fn directory(&self) -> &LdapDirectory {
        &self.directory
    }

    fn reader(&self, identity: &Identity) -> Option<Reader<'_>> {
        Reader::of(identity, &self.index, &self.tree, &self.views)
    }

    /// By the user name, or by an address that one person alone has.
    fn by_bare_name(&self, name: &str) -> Option<PersonId> {
        let prepared = prepare(name.as_bytes(), Case::Ignore);
        if let Some((_, person)) = self.index.people.owner(&prepared) {
            return Some(person.id);
        }
        let has_it = |person: &&Person| {
            person.blob.get(AttributeId::MAIL).is_some_and(|mail| mail.prepared().any(|mail| mail == &*prepared))
        };
        let places = self.index.people.with_value(AttributeId::MAIL, &prepared).iter();
        let mut people = places.filter_map(|place| self.index.people.get(*place)).filter(has_it);
        let first = people.next()?;
        people.next().is_none().then_some(first.id)
    }
}

#[async_trait]
impl Backend for Snapshot {
    fn tenant(&self) -> &Arc<Tenant> {
        &self.tenant
    }

    fn search(&self, asked: &Asked<'_>, out: &mut dyn FnMut(Found) -> bool) -> Page {
        match self.reader(asked.as_) {
            Some(reader) => engine::search(asked, &reader, &self.tree, out),
            None => Page::ended(Code::INSUFFICIENT_ACCESS, String::new()),
        }
    }

    fn compare(&self, as_: &Identity, what: &Comparison<'_>) -> Result<(Code, String), u32> {
        let Comparison { dn, attribute, value, fetched } = *what;
        let Some(reader) = self.reader(as_) else { return Ok((Code::INSUFFICIENT_ACCESS, String::new())) };
        let Ok(dn) = Dn::parse(dn) else { return Ok((Code::INVALID_DN, String::new())) };
        let place = match engine::base_of(&dn, &reader, &self.tree) {
            Ok(place) => place,
            Err(matched) => return Ok((Code::NO_SUCH_OBJECT, matched)),
        };
        let node = engine::node_at(place, &reader, &self.tree).filter(|_| reader.sees(place));
        let Some(mut node) = node else { return Ok((Code::NO_SUCH_OBJECT, String::new())) };
        let compared = engine::comparison(&reader, &self.tree, node.kind(), attribute, value);
        if let (Node::Person(place, person), Ok((_, test))) = (node, &compared)
            && !person.is_whole
            && test.needs_the_whole()
        {
            match fetched.and_then(|fetched| fetched.get(place)) {
                None => return Err(place),
                Some(None) => return Ok((Code::NO_SUCH_OBJECT, String::new())),
                Some(Some(person)) => node = Node::Person(place, person),
            }
        }
        let code = match compared {
            Err(Incomparable::NotThere) => Code::NO_SUCH_ATTRIBUTE,
            Err(Incomparable::NoEquality) => Code::INAPPROPRIATE_MATCHING,
            Err(Incomparable::NoSuchValue) => Code::INVALID_SYNTAX,
            Ok((ids, _)) if !ids.iter().any(|id| node.has(*id, &reader)) => Code::NO_SUCH_ATTRIBUTE,
            Ok((_, test)) if test.of(node, &reader) == Truth::True => Code::COMPARE_TRUE,
            Ok(_) => Code::COMPARE_FALSE,
        };
        Ok((code, String::new()))
    }

    async fn fetch(&self, missing: &[u32]) -> Result<Fetched, StoreError> {
        let ids: Vec<_> = missing.iter().filter_map(|place| Some(self.index.people.get(*place)?.id)).collect();
        let read = self.services.feed.people(self.tenant.id, &ids).await?;
        Ok(Fetched::of(missing, read, &self.index))
    }

    fn who(&self, BindName { text: name, dn }: &BindName) -> Meant {
        let nobody = |name: String| Meant::Nobody { name };
        let Some(dn) = dn else {
            return self.by_bare_name(name).map_or_else(|| nobody(name.clone()), Meant::Person);
        };
        match self.tree.locate(dn, &self.index) {
            Located::Outside => Meant::OutsideOfTheTenant,
            Located::At(Place::Person(place)) => {
                self.index.people.get(place).map_or_else(|| nobody(String::new()), |person| Meant::Person(person.id))
            }
            Located::At(Place::App(number)) => self.tree.app(number).map_or_else(|| nobody(String::new()), Meant::App),
            Located::Missing { above: Place::People } => {
                nobody(user_name_of(name, &self.index.layout).unwrap_or_default())
            }
            Located::At(_) | Located::Missing { .. } => nobody(String::new()),
        }
    }

    fn person(&self, id: PersonId) -> Option<DirectoryPerson> {
        let person = self.index.people.get(self.index.people.place(id)?)?;
        Some(person.for_bind(self.index.group_names(person)))
    }

    fn standing(&self, id: PersonId) -> Option<Standing> {
        let person = self.index.people.get(self.index.people.place(id)?)?;
        Some(Standing { disabled: person.disabled, epoch: person.epoch })
    }

    fn dn(&self, of: &Identity) -> Option<String> {
        match of {
            Identity::Anonymous => None,
            Identity::App { app, .. } => {
                let plain = self.tree.plain(Place::App(self.tree.app_number(*app)?))?;
                Some(plain.dn.clone())
            }
            Identity::Person { id, .. } => {
                let person = self.index.people.get(self.index.people.place(*id)?)?;
                Some(person.dn(&self.index.layout))
            }
        }
    }

    fn limits(&self, as_: &Identity) -> Limits {
        let app = as_.app().and_then(|id| self.tenant.app_by_id(id)).and_then(|app| LdapAppSettings::of(app).ok());
        let (size, time) = app.map_or((None, None), |app| (app.size_limit, app.time_limit));
        // The directory's are the most.
        let most = &self.directory;
        Limits {
            size: size.map_or(most.size_limit, |size| size.min(most.size_limit)),
            time: time.map_or(most.time_limit, |time| time.min(most.time_limit)),
        }
    }

    fn elsewhere(&self, as_: &Identity, dn: &str) -> Option<Arc<dyn Elsewhere>> {
        if self.subtrees.is_empty() {
            return None;
        }
        let parsed = Dn::parse(dn).ok()?;
        let subtree = self.subtrees.iter().find(|subtree| subtree.holds(&parsed))?;
        pass::open(subtree, as_, &self.tenant, &self.services)
    }

    fn beyond(&self, as_: &Identity, base: &str, scope: Scope) -> Vec<Beyond> {
        if self.subtrees.is_empty() || scope == Scope::Base {
            return Vec::new();
        }
        let Ok(base) = Dn::parse(base) else { return Vec::new() };
        let beyond = self.subtrees.iter().filter_map(|subtree| {
            let scope = subtree.reached(&base, scope)?;
            pass::beyond(subtree, scope, as_, &self.tenant, &self.services)
        });
        beyond.collect()
    }

    fn learn(&self, as_: &Identity, seen: &Seen<'_>, at: Timestamp) {
        let Some(app) = as_.app().and_then(|id| self.tenant.app_by_id(id)) else { return };
        let Ok(settings) = LdapAppSettings::of(app) else { return };
        if settings.learn.is_on(at)
            && let Some(shape) = learn::shape(seen, &self.index, &self.tree)
        {
            self.services.shapes.saw(self.tenant.id, app, shape, at);
        }
    }
}

/// The name in a DN that would be a person's: `uid=ada,ou=people,…`, as it was typed.
fn user_name_of(name: &str, layout: &Layout) -> Option<String> {
    let rdns = dn::split(name).ok()?;
    // One level below the container, which is one below the base.
    let first = rdns.first().filter(|_| rdns.len() == layout.base.rdns.len() + 2)?;
    let [ava] = &first.avas[..] else { return None };
    let is_uid = ava.attribute.eq_ignore_ascii_case("uid") || ava.attribute.eq_ignore_ascii_case("userid");
    String::from_utf8(ava.value.to_vec()).ok().filter(|_| is_uid)
}

#[cfg(test)]
mod tests;
