//! The comparison itself: tenants, then what stands in each.

use std::collections::{BTreeMap, BTreeSet};

use fedbridge_contract::error::StoreError;
use fedbridge_contract::ids::{ConnectionId, TenantId};
use fedbridge_contract::keys::{KeyPurpose, KeyState, SignatureAlgorithm};
use fedbridge_contract::logout::Party;
use fedbridge_contract::services::Rng;
use fedbridge_contract::time::Timestamp;
use fedbridge_hub::ports::ConfigStore;
use fedbridge_hub::spec::{
    ConfigChange, Configuration, ConnectionSpec, Managed, SecretOwner, StoredConnection, StoredKey, StoredSecret,
    StoredTenant, TenantConfiguration, TenantSpec,
};

use crate::bridge::desired::{Desired, DesiredClient, DesiredConnection, DesiredTenant, Secrets};
use crate::settings::complaints::{Complaints, Place};

use super::diff::{self, SecretChanges};
use super::pairing::{Pairing, Wanted, pair};
use super::{Effect, KeyWish, NewKeys, Object, Options, Outcome, Plan};

/// How a bridge file calls what a tenant has besides.
const EXTRAS: [(&str, &str); 2] = [("look", "branding"), ("egress_hosts", "egress")];

pub struct Planner<'a> {
    desired: &'a Desired,
    current: &'a Configuration,
    options: Options,
    pub(super) rng: &'a dyn Rng,
    pub(super) now: Timestamp,
    pub complaints: Complaints,
    effects: Vec<Effect>,
    refusals: Vec<String>,
    pub(super) changes: Changes,
}

/// Changes by kind: names are freed before they are taken, and nothing is deleted while something
/// still points at it.
#[derive(Default)]
pub(super) struct Changes {
    freed: Vec<ConfigChange>,
    tenants: Vec<ConfigChange>,
    keys: Vec<ConfigChange>,
    connections: Vec<ConfigChange>,
    pub(super) apps: Vec<ConfigChange>,
    secrets: Vec<ConfigChange>,
    pub(super) documents: Vec<ConfigChange>,
    deletions: Vec<Deletion>,
}

/// A deletion waits for the count of its people.
struct Deletion {
    change: ConfigChange,
    /// Its line among the effects.
    effect: usize,
}

impl<'a> Planner<'a> {
    pub fn new(
        desired: &'a Desired,
        current: &'a Configuration,
        options: Options,
        rng: &'a dyn Rng,
        now: Timestamp,
    ) -> Self {
        Self {
            desired,
            current,
            options,
            rng,
            now,
            complaints: Complaints::new(),
            effects: Vec::new(),
            refusals: Vec::new(),
            changes: Changes::default(),
        }
    }

    pub fn run(&mut self, new_keys: NewKeys<'_>) -> Result<(), String> {
        let (desired, current) = (self.desired, self.current);
        let stored: Vec<&TenantConfiguration> = current.tenants.values().collect();
        let slugs: Vec<&str> = stored.iter().map(|tenant| tenant.tenant.spec.slug.as_str()).collect();
        let wanted: Vec<_> = desired.tenants.iter().map(|t| Wanted { name: &t.slug, was: t.was.as_deref() }).collect();
        let places: Vec<&Place> = desired.tenants.iter().map(|tenant| &tenant.place).collect();
        let pairing = pair(&wanted, &slugs);
        self.report_clashes(&pairing, &wanted, &places, "tenant");

        let old: Vec<Option<&TenantConfiguration>> = pairing.of.iter().map(|at| at.map(|at| stored[at])).collect();
        let ids: Vec<TenantId> =
            old.iter().map(|old| old.map_or_else(|| TenantId::random(self.rng), |old| old.tenant.id)).collect();
        let left: Vec<&TenantConfiguration> =
            stored.iter().enumerate().filter(|(at, _)| !pairing.of.contains(&Some(*at))).map(|(_, t)| *t).collect();
        self.free_domains(&old, &left);
        let parents = self.parents(&ids, &left);
        let mut puts: Vec<Option<ConfigChange>> = Vec::new();
        for (index, tenant) in desired.tenants.iter().enumerate() {
            let parent = tenant.parent.as_deref().and_then(|slug| parents.get(slug).copied());
            puts.push(self.tenant(tenant, ids[index], parent, old[index]));
            self.keys(tenant, ids[index], old[index], new_keys)?;
            let connections = self.connections(tenant, ids[index], old[index]);
            self.client_keys(tenant, ids[index], old[index], &connections, new_keys)?;
            self.apps(tenant, ids[index], old[index], &connections);
        }
        // A parent is there before its children: new tenants go in that order, renames in theirs.
        let by_depth = |index: &usize| depth(&desired.tenants, &desired.tenants[*index].slug);
        let (mut fresh, known): (Vec<usize>, Vec<usize>) = pairing.order.iter().partition(|at| old[**at].is_none());
        fresh.sort_by_key(by_depth);
        let renames_first = known.into_iter().chain(fresh);
        self.changes.tenants.extend(renames_first.filter_map(|index| puts[index].take()));
        self.left_tenants(left);
        Ok(())
    }

    fn tenant(
        &mut self,
        desired: &DesiredTenant,
        id: TenantId,
        parent: Option<TenantId>,
        old: Option<&TenantConfiguration>,
    ) -> Option<ConfigChange> {
        let spec = TenantSpec {
            slug: desired.slug.clone(),
            display_name: desired.display_name.clone(),
            parent,
            domains: desired.domains.clone(),
            enabled: desired.enabled,
            extras: desired.extras.clone(),
        };
        let object = Object::tenant(&desired.slug);
        let changed = old.map(|old| {
            let mut before = old.tenant.spec.clone();
            before.domains.sort();
            let mut fields = diff::fields(&before, &spec, old.tenant.managed, &EXTRAS);
            name_rename(&mut fields, "slug", &old.tenant.spec.slug, &desired.slug);
            fields
        });
        self.note(object, changed).then_some(ConfigChange::PutTenant(StoredTenant { id, managed: Managed::File, spec }))
    }

    /// The first keys of a new tenant, and one for each algorithm that a client wants and nobody has yet.
    fn keys(
        &mut self,
        tenant: &DesiredTenant,
        id: TenantId,
        old: Option<&TenantConfiguration>,
        new_keys: NewKeys<'_>,
    ) -> Result<(), String> {
        let mut there = vec![SignatureAlgorithm::ES256, SignatureAlgorithm::RS256];
        match old {
            None => self.put_keys(new_keys(id, &tenant.slug, KeyWish::Initial)?),
            Some(old) => {
                let signing = old.keys.iter().filter(|key| key.purpose == KeyPurpose::Oidc);
                there.extend(signing.filter(|key| key.state == KeyState::Active).map(|key| key.algorithm));
            }
        }
        for algorithm in tenant.clients.iter().flat_map(wanted_algorithms) {
            if there.contains(&algorithm) {
                continue;
            }
            there.push(algorithm);
            self.put_keys(new_keys(id, &tenant.slug, KeyWish::Tokens(algorithm))?);
            if old.is_some() {
                let fields = vec![format!("a signing key for {}", algorithm.name())];
                self.effects.push(Effect::Change { object: Object::tenant(&tenant.slug), fields });
            }
        }
        Ok(())
    }

    pub(super) fn put_keys(&mut self, keys: Vec<StoredKey>) {
        self.changes.keys.extend(keys.into_iter().map(ConfigChange::PutKey));
    }

    pub(super) fn effect(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Plans the connections of a tenant and gives back their ids by slug.
    fn connections(
        &mut self,
        tenant: &'a DesiredTenant,
        id: TenantId,
        old: Option<&'a TenantConfiguration>,
    ) -> BTreeMap<&'a str, ConnectionId> {
        let stored: &[StoredConnection] = old.map_or(&[], |old| &old.connections);
        let names: Vec<&str> = stored.iter().map(|connection| connection.spec.slug.as_str()).collect();
        let desired = &tenant.connections;
        let wanted: Vec<_> = desired.iter().map(|c| Wanted { name: &c.slug, was: c.was.as_deref() }).collect();
        let places: Vec<&Place> = desired.iter().map(|connection| &connection.place).collect();
        let pairing = pair(&wanted, &names);
        self.report_clashes(&pairing, &wanted, &places, "connection");
        let mut ids = BTreeMap::new();
        let mut puts: Vec<Option<ConfigChange>> = Vec::new();
        for (connection, at) in desired.iter().zip(&pairing.of) {
            let before = at.map(|at| &stored[at]);
            let connection_id = before.map_or_else(|| ConnectionId::random(self.rng), |before| before.id);
            ids.insert(connection.slug.as_str(), connection_id);
            puts.push(self.connection(tenant, connection, (id, connection_id), before, old));
        }
        self.changes.connections.extend(pairing.order.iter().filter_map(|at| puts[*at].take()));
        for (at, left) in stored.iter().enumerate().filter(|(at, _)| !pairing.of.contains(&Some(*at))) {
            let object = Object::connection(&tenant.slug, names[at]);
            let change =
                ConfigChange::DeleteConnection { tenant: id, id: left.id, with_people: self.options.allow_delete };
            self.leave(object, left.managed, change);
        }
        ids
    }

    fn connection(
        &mut self,
        tenant: &DesiredTenant,
        desired: &DesiredConnection,
        (tenant_id, id): (TenantId, ConnectionId),
        before: Option<&StoredConnection>,
        old: Option<&TenantConfiguration>,
    ) -> Option<ConfigChange> {
        let spec = ConnectionSpec {
            slug: desired.slug.clone(),
            protocol: desired.protocol.clone(),
            display_name: desired.display_name.clone(),
            enabled: desired.enabled,
            domains: desired.domains.clone(),
            mapping: desired.mapping.clone(),
            people: desired.people.clone(),
            settings: self.keep_document(tenant_id, Party::Connection(id), &desired.settings, old),
        };
        if let Some(before) = before.filter(|before| before.spec.protocol != spec.protocol) {
            let message = format!(
                "the connection is {} in the store and its people belong to that; give the {} connection another slug",
                before.spec.protocol, spec.protocol
            );
            let path = format!("tenants[{}].connections[{}].protocol", tenant.slug, desired.slug);
            self.complaints.add(&desired.place, path, message);
        }
        let secrets = self.secrets(tenant_id, SecretOwner::Connection(id), &desired.secrets, old);
        let changed = before.map(|before| {
            let mut old_spec = before.spec.clone();
            old_spec.domains.sort();
            let mut fields = diff::fields(&old_spec, &spec, before.managed, &[]);
            name_rename(&mut fields, "slug", &before.spec.slug, &desired.slug);
            fields.extend(secrets);
            fields
        });
        self.note(Object::connection(&tenant.slug, &desired.slug), changed).then_some(ConfigChange::PutConnection(
            StoredConnection { tenant: tenant_id, id, managed: Managed::File, spec },
        ))
    }

    /// Plans the secrets of one object and gives back the names of those that change.
    pub(super) fn secrets(
        &mut self,
        tenant: TenantId,
        owner: SecretOwner,
        desired: &Secrets,
        old: Option<&TenantConfiguration>,
    ) -> BTreeSet<String> {
        let changes = SecretChanges::between(old.map_or(&[], |old| &old.secrets), owner, desired);
        let fields = changes.fields();
        let puts = changes.put.into_iter();
        let puts = puts.map(|(name, value)| ConfigChange::PutSecret(StoredSecret { tenant, owner, name, value }));
        self.changes.secrets.extend(puts);
        let deletes = changes.delete.into_iter();
        self.changes.secrets.extend(deletes.map(|name| ConfigChange::DeleteSecret { tenant, owner, name }));
        fields
    }

    /// Records a new object (`None`) or a changed one; true where it has to be put.
    pub(super) fn note(&mut self, object: Object, changed: Option<Vec<String>>) -> bool {
        match changed {
            None => self.effects.push(Effect::Add(object)),
            Some(fields) if fields.is_empty() => return false,
            Some(fields) => self.effects.push(Effect::Change { object, fields }),
        }
        true
    }

    /// An object of the store that the file doesn't hold.
    pub(super) fn leave(&mut self, object: Object, managed: Managed, change: ConfigChange) {
        if managed == Managed::Elsewhere && !self.options.prune {
            self.effects.push(Effect::Unmanaged(object));
            return;
        }
        self.changes.deletions.push(Deletion { change, effect: self.effects.len() });
        self.effects.push(Effect::Delete { object, people: 0 });
    }

    fn left_tenants(&mut self, left: Vec<&TenantConfiguration>) {
        let kept = |tenant: &TenantConfiguration, prune: bool| tenant.tenant.managed == Managed::Elsewhere && !prune;
        for tenant in &left {
            let spec = &tenant.tenant.spec;
            let change = ConfigChange::DeleteTenant { id: tenant.tenant.id, with_people: self.options.allow_delete };
            if !kept(tenant, self.options.prune) && !self.options.prune {
                let connections = tenant.connections.iter().filter(|c| c.managed == Managed::Elsewhere);
                let connections = connections.map(|c| Object::connection(&spec.slug, &c.spec.slug));
                let apps = tenant.apps.iter().filter(|app| app.managed == Managed::Elsewhere);
                let others = connections.chain(apps.map(|app| Object::app(app.spec.kind, &spec.slug, &app.spec.name)));
                let others: Vec<String> = others.map(|object| object.to_string()).collect();
                if !others.is_empty() {
                    self.refusals.push(format!(
                        "tenant {} holds {}, made elsewhere; pass --prune to delete it with the tenant",
                        spec.slug,
                        others.join(" and ")
                    ));
                }
            }
            self.leave(Object::tenant(&spec.slug), tenant.tenant.managed, change);
        }
        // Children go before their parents.
        let depth = |id: TenantId| {
            let parent = |id: TenantId| self.current.tenants.get(&id).and_then(|tenant| tenant.tenant.spec.parent);
            std::iter::successors(Some(id), |id| parent(*id)).take(self.current.tenants.len() + 1).count()
        };
        self.changes.deletions.sort_by_key(|deletion| match deletion.change {
            ConfigChange::DeleteApp { .. } => (0, 0),
            ConfigChange::DeleteConnection { .. } => (1, 0),
            ConfigChange::DeleteTenant { id, .. } => (2, usize::MAX - depth(id)),
            _ => (3, 0),
        });
    }

    /// A domain that moves from one tenant to another is given up before it is taken.
    fn free_domains(&mut self, old: &[Option<&TenantConfiguration>], left: &[&TenantConfiguration]) {
        let desired = &self.desired.tenants;
        let owner = |domain: &str| desired.iter().position(|tenant| tenant.domains.iter().any(|d| d == domain));
        for tenant in left {
            let kept = tenant.tenant.managed == Managed::Elsewhere && !self.options.prune;
            let taken = tenant.tenant.spec.domains.iter().filter_map(|domain| Some((domain, owner(domain)?)));
            let taken: Vec<_> = taken.collect();
            for (domain, index) in taken.iter().filter(|_| kept) {
                let message =
                    format!("the domain {domain} belongs to the tenant {} in the store", tenant.tenant.spec.slug);
                let path = format!("tenants[{}].domains", desired[*index].slug);
                self.complaints.add(&desired[*index].place, path, message);
            }
            if !taken.is_empty() && !kept {
                self.changes
                    .freed
                    .push(ConfigChange::PutTenant(without_domains(&tenant.tenant, |d| owner(d).is_none())));
            }
        }
        for (index, before) in old.iter().enumerate() {
            let Some(before) = before else { continue };
            let stays = |domain: &str| owner(domain).is_none_or(|owner| owner == index);
            if !before.tenant.spec.domains.iter().all(|domain| stays(domain)) {
                self.changes.freed.push(ConfigChange::PutTenant(without_domains(&before.tenant, stays)));
            }
        }
    }

    /// Ids by slug for everything that may be a parent.
    fn parents(&mut self, ids: &[TenantId], left: &[&TenantConfiguration]) -> BTreeMap<String, TenantId> {
        let desired = &self.desired.tenants;
        let mut parents = BTreeMap::new();
        for tenant in left {
            let spec = &tenant.tenant.spec;
            let goes = tenant.tenant.managed == Managed::File || self.options.prune;
            for child in desired.iter().filter(|child| goes && child.parent.as_deref() == Some(spec.slug.as_str())) {
                let message = format!("the parent {} is not in the file and would be deleted; add it", spec.slug);
                self.complaints.add(&child.place, format!("tenants[{}].parent", child.slug), message);
            }
            parents.insert(spec.slug.clone(), tenant.tenant.id);
        }
        parents.extend(desired.iter().zip(ids).map(|(tenant, id)| (tenant.slug.clone(), *id)));
        parents
    }

    pub(super) fn report_clashes(&mut self, pairing: &Pairing, wanted: &[Wanted<'_>], places: &[&Place], kind: &str) {
        for index in &pairing.clashes {
            let Wanted { name, was } = &wanted[*index];
            let was = was.unwrap_or_default();
            let message =
                format!("the store has both a {kind} `{was}` and a {kind} `{name}`; a rename can't join them");
            self.complaints.add(places[*index], format!("{name}.was"), message);
        }
    }

    /// Asks the store how many people each deletion would take along.
    pub async fn count_people(&mut self, store: &dyn ConfigStore) -> Result<(), StoreError> {
        for deletion in &self.changes.deletions {
            let count = match &deletion.change {
                ConfigChange::DeleteTenant { id, .. } => store.people(*id, None).await?,
                ConfigChange::DeleteConnection { tenant, id, .. } => store.people(*tenant, Some(*id)).await?,
                _ => 0,
            };
            let Some(Effect::Delete { object, people }) = self.effects.get_mut(deletion.effect) else { continue };
            *people = count;
            if count > 0 && !self.options.allow_delete {
                let has = if count == 1 { "1 person".to_owned() } else { format!("{count} people") };
                self.refusals.push(format!("{object} has {has}; pass --allow-delete to delete it with them"));
            }
        }
        Ok(())
    }

    pub fn outcome(self) -> Outcome {
        let Changes { freed, tenants, keys, connections, apps, secrets, documents, deletions } = self.changes;
        let deletions = deletions.into_iter().map(|deletion| deletion.change);
        let changes =
            [freed, tenants, keys, connections, apps, secrets, documents].into_iter().flatten().chain(deletions);
        let plan = Plan { version: self.current.version, effects: self.effects, changes: changes.collect() };
        Outcome { plan, refusals: self.refusals }
    }
}

fn without_domains(tenant: &StoredTenant, stays: impl Fn(&str) -> bool) -> StoredTenant {
    let mut tenant = tenant.clone();
    tenant.spec.domains.retain(|domain| stays(domain));
    tenant
}

pub(super) fn name_rename(fields: &mut [String], field: &str, old: &str, new: &str) {
    if old != new {
        for shown in fields.iter_mut().filter(|shown| *shown == field) {
            *shown = format!("{field} (was {old})");
        }
    }
}

/// The algorithms that a client's tokens are signed with.
fn wanted_algorithms(client: &DesiredClient) -> Vec<SignatureAlgorithm> {
    let id_token = client.settings.get("id_token_signed_response_alg");
    let access_token = client.settings.get("access_token").and_then(|settings| settings.get("alg"));
    let names = [id_token, access_token].into_iter().flatten().filter_map(|name| name.as_str());
    names.filter_map(SignatureAlgorithm::from_name).collect()
}

/// How many tenants of the file stand above this one.
fn depth(tenants: &[DesiredTenant], slug: &str) -> usize {
    let parent = |slug: &str| tenants.iter().find(|tenant| tenant.slug == slug)?.parent.as_deref();
    std::iter::successors(parent(slug), |slug| parent(slug)).take(tenants.len()).count()
}
