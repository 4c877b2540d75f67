//! The directories of a moment, by what a client names them by: one of ten thousand is found as soon as one of one.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use fedbridge_contract::config::AppKind;
use fedbridge_contract::ids::{AppId, TenantId};
use fedbridge_ldap_core::Dn;
use fedbridge_ldap_core::dn::Ava;

use crate::backend::Backend as _;
use crate::settings::LdapAppSettings;
use crate::snapshot::Snapshot;

#[derive(Clone, Default)]
pub(super) struct State {
    all: HashMap<TenantId, Arc<Snapshot>>,
    /// People come and go, and these stay.
    names: Arc<Names>,
}

/// What all tenants are named by.
#[derive(Clone, Default)]
struct Names {
    each: HashMap<TenantId, Own>,
    /// No two of them overlap: the bridge file is refused where they would.
    bases: HashMap<Rdns, TenantId>,
    /// In lower case.
    server_names: HashMap<Arc<str>, TenantId>,
    /// Of connections, in lower case. Several tenants may have one.
    domains: HashMap<Arc<str>, Vec<TenantId>>,
    /// Subjects of apps.
    certificates: HashMap<Rdns, Vec<(TenantId, AppId)>>,
}

type Rdns = Arc<[Vec<Ava>]>;

/// What one tenant is named by.
#[derive(Clone, PartialEq)]
struct Own {
    base: Rdns,
    server_names: Vec<Arc<str>>,
    /// Each once.
    domains: Vec<Arc<str>>,
    certificates: Vec<(Rdns, AppId)>,
}

impl State {
    pub fn get(&self, tenant: TenantId) -> Option<&Arc<Snapshot>> {
        self.all.get(&tenant)
    }

    pub fn all(&self) -> impl Iterator<Item = &Arc<Snapshot>> {
        self.all.values()
    }

    pub fn tenants(&self) -> impl Iterator<Item = &TenantId> {
        self.all.keys()
    }

    /// The one whose base the name is, or lies below.
    pub fn by_base(&self, dn: &Dn) -> Option<&Arc<Snapshot>> {
        let tenant = (0..=dn.rdns.len()).find_map(|from| self.names.bases.get(&dn.rdns[from..]))?;
        self.get(*tenant)
    }

    pub fn by_server_name(&self, name: &str) -> Option<&Arc<Snapshot>> {
        self.get(*self.names.server_names.get(&*name.to_ascii_lowercase())?)
    }

    /// The one tenant with an enabled connection of this domain; `None`: none has one, or several have.
    pub fn by_domain(&self, domain: &str) -> Option<&Arc<Snapshot>> {
        let [tenant] = self.names.domains.get(&*domain.to_ascii_lowercase())?[..] else { return None };
        self.get(tenant)
    }

    /// The enabled apps whose client certificate has this subject.
    pub fn by_certificate(&self, subject: &Dn) -> impl Iterator<Item = (&Arc<Snapshot>, AppId)> {
        let apps = self.names.certificates.get(&subject.rdns[..]).into_iter().flatten();
        apps.filter_map(|(tenant, app)| Some((self.get(*tenant)?, *app)))
    }

    pub fn put(&mut self, snapshot: Arc<Snapshot>) {
        let (tenant, own) = (snapshot.tenant().id, Own::of(&snapshot));
        if self.names.each.get(&tenant) != Some(&own) {
            Arc::make_mut(&mut self.names).put(tenant, own);
        }
        self.all.insert(tenant, snapshot);
    }

    pub fn retain(&mut self, is_there: impl Fn(&TenantId) -> bool) {
        let names = Arc::make_mut(&mut self.names);
        for tenant in self.all.keys().filter(|tenant| !is_there(tenant)) {
            names.take_out(*tenant);
        }
        self.all.retain(|tenant, _| is_there(tenant));
    }
}

impl Names {
    fn put(&mut self, tenant: TenantId, own: Own) {
        self.take_out(tenant);
        self.bases.insert(Arc::clone(&own.base), tenant);
        for name in &own.server_names {
            self.server_names.insert(Arc::clone(name), tenant);
        }
        for domain in &own.domains {
            self.domains.entry(Arc::clone(domain)).or_default().push(tenant);
        }
        for (subject, app) in &own.certificates {
            self.certificates.entry(Arc::clone(subject)).or_default().push((tenant, *app));
        }
        self.each.insert(tenant, own);
    }

    fn take_out(&mut self, tenant: TenantId) {
        let Some(own) = self.each.remove(&tenant) else { return };
        // What another one has taken over is the other's.
        if self.bases.get(&own.base) == Some(&tenant) {
            self.bases.remove(&own.base);
        }
        for name in &own.server_names {
            if self.server_names.get(name) == Some(&tenant) {
                self.server_names.remove(name);
            }
        }
        for domain in &own.domains {
            take_from(&mut self.domains, domain, |of| *of == tenant);
        }
        for (subject, _) in &own.certificates {
            take_from(&mut self.certificates, subject, |(of, _)| *of == tenant);
        }
    }
}

impl Own {
    fn of(snapshot: &Snapshot) -> Self {
        let tenant = snapshot.tenant();
        let enabled = tenant.connections.iter().filter(|connection| connection.enabled);
        let mut domains: Vec<_> = enabled.flat_map(|connection| &connection.domains).map(|it| lower(it)).collect();
        domains.sort();
        domains.dedup();
        let apps = tenant.apps.iter().filter(|app| app.kind == AppKind::LdapApp && app.enabled);
        let subject = |app: &Arc<_>| LdapAppSettings::of(app).ok()?.client_certificate.clone();
        Self {
            base: snapshot.index().layout.base.rdns.clone().into(),
            server_names: snapshot.directory().server_names.iter().map(|name| lower(name)).collect(),
            domains,
            certificates: apps.filter_map(|app| Some((subject(app)?.rdns.into(), app.id))).collect(),
        }
    }
}

fn lower(name: &str) -> Arc<str> {
    name.to_ascii_lowercase().into()
}

fn take_from<K: Hash + Eq, V>(map: &mut HashMap<K, Vec<V>>, key: &K, which: impl Fn(&V) -> bool) {
    if let Some(there) = map.get_mut(key) {
        there.retain(|value| !which(value));
        if there.is_empty() {
            map.remove(key);
        }
    }
}
