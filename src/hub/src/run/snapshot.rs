//! The configuration as logins see it: immutable, in memory, replaced whole or
//! tenant by tenant when the store's version moves on.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use fedbridge_contract::config::{App, AppKind, Connection, Tenant, TenantSettings};
use fedbridge_contract::error::Complaint;
use fedbridge_contract::factory::{Open, Registry};
use fedbridge_contract::ids::{AppId, ConnectionId, TenantId};
use fedbridge_contract::logout::Party;
use fedbridge_contract::push::{Belonging, LoginKey};
use fedbridge_contract::services::Services;
use fedbridge_contract::time::Timestamp;
use fedbridge_contract::upstream::Adapter;
use serde_json::Value;

use crate::mapping::{AppRules, Mapping};
use crate::ports::{KeyOpener, StoredDocument};
use crate::spec::{
    PeopleSpec, SecretOwner, SecretValue, StoredConnection, StoredSecret, SubjectType, Switches, TenantConfiguration,
    TenantExtras,
};

/// All tenants at one version of the configuration.
#[derive(Default)]
pub struct Snapshot {
    pub version: i64,
    by_slug: HashMap<String, Arc<TenantSnapshot>>,
    by_id: HashMap<TenantId, Arc<TenantSnapshot>>,
}

impl Snapshot {
    pub fn new(version: i64, tenants: impl IntoIterator<Item = Arc<TenantSnapshot>>) -> Self {
        let mut snapshot = Self { version, ..Self::default() };
        for tenant in tenants {
            snapshot.put(tenant);
        }
        snapshot
    }

    /// Adds a tenant, in the place of one of this id.
    pub fn put(&mut self, tenant: Arc<TenantSnapshot>) {
        let id = tenant.view.id;
        // Its slug may be another one now, and the one before may be another tenant's.
        if let Some(before) = self.by_id.insert(id, Arc::clone(&tenant))
            && self.named(&before.view.slug).is_some_and(|named| named.view.id == id)
        {
            self.by_slug.remove(&before.view.slug);
        }
        self.by_slug.insert(tenant.view.slug.clone(), tenant);
    }

    /// Adds a tenant as it was before: its slug may be another tenant's by now, and stays that one's, whichever of
    /// the two is added first.
    pub fn keep(&mut self, before: Arc<TenantSnapshot>) {
        self.by_id.insert(before.view.id, Arc::clone(&before));
        let named = self.by_slug.entry(before.view.slug.clone()).or_insert_with(|| Arc::clone(&before));
        if named.view.id == before.view.id {
            *named = before;
        }
    }

    /// The tenant of a slug.
    pub fn named(&self, slug: &str) -> Option<&Arc<TenantSnapshot>> {
        self.by_slug.get(slug)
    }

    /// The tenant of an id.
    pub fn tenant(&self, id: TenantId) -> Option<&Arc<TenantSnapshot>> {
        self.by_id.get(&id)
    }

    /// All tenants, in no order.
    pub fn tenants(&self) -> impl Iterator<Item = &Arc<TenantSnapshot>> {
        self.by_id.values()
    }
}

/// A tenant with everything a login needs, already compiled.
pub struct TenantSnapshot {
    pub view: Arc<Tenant>,
    pub domains: Vec<String>,
    pub connections: HashMap<ConnectionId, Arc<OpenConnection>>,
    pub apps: HashMap<AppId, Arc<OpenApp>>,
}

/// The directory whose people log in by a connection.
pub enum Provisioner<'t> {
    Nobody,
    By(&'t Arc<OpenConnection>, &'t Belonging),
    /// By its slug: its configuration is broken, so nobody knows whom it would let in.
    Broken(&'t str),
}

/// A connection with its adapter and its mapping, or why it can't be used.
pub struct OpenConnection {
    pub view: Arc<Connection>,
    pub people: PeopleSpec,
    pub can_log_in: bool,
    /// What the adapter was opened with, the document in force among it.
    pub settings: Value,
    pub state: Result<Ready, Vec<Complaint>>,
}

pub struct Ready {
    pub adapter: Adapter,
    pub mapping: Mapping,
}

pub struct OpenApp {
    pub view: Arc<App>,
    /// What the bridge calls the app with, by the setting; of a SCIM app alone.
    pub secrets: BTreeMap<String, Vec<u8>>,
    pub subject_type: SubjectType,
    pub rules: Result<AppRules, Vec<Complaint>>,
    /// The `Authorization` header of what is pushed to a receiver of signals.
    pub push_authorization: Option<String>,
}

impl OpenApp {
    /// The app's own rules, which decide beside those of the connection. Without them nobody is judged: none at
    /// all would let people in whom they keep out.
    ///
    /// # Errors
    /// Why there are none, for the trace.
    pub fn whole_rules(&self) -> Result<&AppRules, String> {
        self.rules.as_ref().map_err(|complaints| {
            let all: Vec<_> = complaints.iter().map(ToString::to_string).collect();
            format!("the app's own claim rules are broken: {}", all.join("; "))
        })
    }
}

impl OpenConnection {
    /// Whether people may connect a login of it to an account that they have.
    pub fn may_be_connected(&self) -> bool {
        self.can_log_in && self.view.enabled && self.people.linking
    }
}

impl TenantSnapshot {
    /// A connection by its slug, together with what is open of it.
    pub fn connection(&self, slug: &str) -> Option<&Arc<OpenConnection>> {
        self.view.connection(slug).and_then(|view| self.connections.get(&view.id))
    }

    /// Whether the directory behind a connection knows its people by their addresses.
    pub fn compares_addresses(&self, slug: &str) -> bool {
        matches!(self.provisioner(slug), Provisioner::By(_, belonging) if belonging.login == LoginKey::Email)
    }

    /// Who pushes the people of a connection. One that is switched off takes no pushes, and its word still counts.
    pub fn provisioner(&self, slug: &str) -> Provisioner<'_> {
        for open in self.connections.values() {
            match &open.state {
                Ok(ready) => {
                    if let Some(push) = ready.adapter.push.as_deref()
                        && push.belonging().provisions.iter().any(|it| it == slug)
                    {
                        return Provisioner::By(open, push.belonging());
                    }
                }
                Err(_) if Belonging::names(&open.settings).any(|it| it == slug) => {
                    return Provisioner::Broken(&open.view.slug);
                }
                Err(_) => {}
            }
        }
        Provisioner::Nobody
    }
}

impl TenantSnapshot {
    /// This snapshot without what is not switched on any more: all that can be taken over of a configuration that
    /// can't be opened. Nothing comes back this way.
    #[must_use]
    pub fn narrowed(&self, on: &Switches) -> Self {
        let connection = |(id, open): (&ConnectionId, &Arc<OpenConnection>)| match on.connections.contains(id) {
            true => (*id, Arc::clone(open)),
            false => (*id, Arc::new(open.switched_off())),
        };
        let app = |(id, open): (&AppId, &Arc<OpenApp>)| match on.apps.contains(id) {
            true => (*id, Arc::clone(open)),
            false => (*id, Arc::new(open.switched_off())),
        };
        let connections: HashMap<_, _> = self.connections.iter().map(connection).collect();
        let apps: HashMap<_, _> = self.apps.iter().map(app).collect();
        let before = &self.view;
        let view = Tenant::new(
            before.id,
            before.slug.clone(),
            before.display_name.clone(),
            before.enabled && on.enabled,
            &before.base_url,
            before.connections.iter().filter_map(|it| Some(Arc::clone(&connections.get(&it.id)?.view))).collect(),
            before.apps.iter().filter_map(|it| Some(Arc::clone(&apps.get(&it.id)?.view))).collect(),
            Arc::clone(&before.keys),
        )
        .with_settings(before.settings.clone());
        Self { view: Arc::new(view), domains: self.domains.clone(), connections, apps }
    }
}

impl OpenConnection {
    fn switched_off(&self) -> Self {
        Self {
            view: Arc::new(Connection { enabled: false, ..(*self.view).clone() }),
            people: self.people.clone(),
            can_log_in: self.can_log_in,
            settings: self.settings.clone(),
            state: Err(vec![Complaint::new("enabled", SWITCHED_OFF)]),
        }
    }
}

impl OpenApp {
    fn switched_off(&self) -> Self {
        let view = App::new(
            self.view.id,
            self.view.kind,
            self.view.name.clone(),
            self.view.protocol_name.clone(),
            self.view.display_name.clone(),
            false,
            self.view.connections.clone(),
            self.view.settings.clone(),
            self.view.secret_hashes.clone(),
        );
        let rules = Err(vec![Complaint::new("enabled", SWITCHED_OFF)]);
        let (secrets, push_authorization) = (BTreeMap::new(), None);
        Self { view: Arc::new(view), secrets, subject_type: self.subject_type, rules, push_authorization }
    }
}

const SWITCHED_OFF: &str = "it was switched off by a configuration that could not be opened";

/// What building a snapshot takes.
pub struct Builder {
    pub base_url: String,
    pub registry: Registry,
    pub services: Services,
    pub keys: Arc<dyn KeyOpener>,
}

impl Builder {
    /// Builds one tenant. A broken connection doesn't stop the others: its state says what is wrong.
    pub fn tenant(&self, configuration: &TenantConfiguration) -> Result<TenantSnapshot, String> {
        let spec = &configuration.tenant.spec;
        let keys = self.keys.ring(&configuration.keys)?;
        let issuer = format!("{}/t/{}", self.base_url, spec.slug);
        let connections: Vec<_> = configuration
            .connections
            .iter()
            .map(|stored| Arc::new(self.connection(&issuer, stored, configuration)))
            .collect();
        let apps: Vec<_> = configuration
            .apps
            .iter()
            .map(|stored| {
                let spec = &stored.spec;
                let view = Arc::new(App::new(
                    stored.id,
                    spec.kind,
                    spec.name.clone(),
                    Some(spec.protocol_name.clone().unwrap_or_else(|| spec.name.clone())),
                    spec.display_name.clone(),
                    spec.enabled,
                    spec.connections.clone(),
                    with_document(&spec.settings, &configuration.documents, Party::App(stored.id)),
                    self.secret_hashes(&configuration.secrets, SecretOwner::App(stored.id)),
                ));
                let rules = AppRules::compile(spec);
                let secrets = match spec.kind {
                    AppKind::ScimApp => clear_secrets(&configuration.secrets, SecretOwner::App(stored.id)),
                    AppKind::OidcClient | AppKind::SamlSp | AppKind::LdapApp | AppKind::SignalReceiver => {
                        BTreeMap::new()
                    }
                };
                let push_authorization = push_authorization(&configuration.secrets, stored.id);
                Arc::new(OpenApp { view, secrets, subject_type: spec.subject_type, rules, push_authorization })
            })
            .collect();
        let view = Tenant::new(
            configuration.tenant.id,
            spec.slug.clone(),
            spec.display_name.clone(),
            spec.enabled,
            &self.base_url,
            connections.iter().map(|open| Arc::clone(&open.view)).collect(),
            apps.iter().map(|open| Arc::clone(&open.view)).collect(),
            keys,
        )
        .with_settings(tenant_settings(&spec.extras));
        Ok(TenantSnapshot {
            view: Arc::new(view),
            domains: spec.domains.clone(),
            connections: connections.into_iter().map(|open| (open.view.id, open)).collect(),
            apps: apps.into_iter().map(|open| (open.view.id, open)).collect(),
        })
    }

    fn connection(
        &self,
        issuer: &str,
        stored: &StoredConnection,
        configuration: &TenantConfiguration,
    ) -> OpenConnection {
        let spec = &stored.spec;
        let settings = with_document(&spec.settings, &configuration.documents, Party::Connection(stored.id));
        let view = Arc::new(Connection {
            id: stored.id,
            slug: spec.slug.clone(),
            display_name: spec.display_name.clone().unwrap_or_else(|| spec.slug.clone()),
            protocol: spec.protocol.clone(),
            enabled: spec.enabled,
            domains: spec.domains.clone(),
        });
        let Some(factory) = self.registry.find(&spec.protocol) else {
            let complaint = Complaint::new("protocol", format!("this build has no adapter for `{}`", spec.protocol));
            let (people, state) = (spec.people.clone(), Err(vec![complaint]));
            return OpenConnection { view, people, can_log_in: false, settings, state };
        };
        let clear = clear_secrets(&configuration.secrets, SecretOwner::Connection(stored.id));
        let services = self.services.narrowed(configuration.tenant.spec.extras.egress_hosts.as_deref());
        let opened = factory.open(Open {
            tenant: configuration.tenant.id,
            connection: stored.id,
            slug: &spec.slug,
            address: format!("{issuer}/connections/{}", spec.slug),
            settings: &settings,
            secrets: &clear,
            services: &services,
            now: self.services.clock.now(),
        });
        let state = match (opened, Mapping::of_connection(&spec.mapping, &spec.protocol, &spec.settings)) {
            (Ok(adapter), Ok(mapping)) => Ok(Ready { adapter, mapping }),
            (opened, mapping) => {
                let mut complaints = opened.err().unwrap_or_default();
                complaints.extend(mapping.err().unwrap_or_default());
                Err(complaints)
            }
        };
        OpenConnection { view, people: spec.people.clone(), can_log_in: factory.can_log_in(), settings, state }
    }

    /// What an app's secrets are compared with, the oldest first.
    fn secret_hashes(&self, secrets: &[StoredSecret], owner: SecretOwner) -> Vec<[u8; 32]> {
        let mut hashed: Vec<_> = secrets
            .iter()
            .filter(|secret| secret.owner == owner && secret.name != PUSH_AUTHORIZATION)
            .map(|secret| match &secret.value {
                SecretValue::Hashed(hash) => (secret.name.as_str(), *hash),
                SecretValue::Clear(octets) => (secret.name.as_str(), self.keys.digest(octets)),
            })
            .collect();
        hashed.sort_unstable();
        hashed.into_iter().map(|(_, hash)| hash).collect()
    }
}

fn tenant_settings(extras: &TenantExtras) -> TenantSettings {
    TenantSettings {
        look: extras.look.clone().map(Arc::new),
        locales: extras.locales.clone(),
        egress_hosts: extras.egress_hosts.as_deref().map(Arc::from),
        ldap: extras.ldap.clone().map(Arc::new),
        second_factor: extras.second_factor,
    }
}

/// The settings as adapters read them: where one names an address, the document that was fetched from
/// there stands beside it, as soon as there is one.
fn with_document(settings: &Value, documents: &[StoredDocument], party: Party) -> Value {
    let mut settings = settings.clone();
    let document = documents.iter().find(|document| document.party == party && !document.current.xml.is_empty());
    if let (Some(document), Value::Object(all)) = (document, &mut settings) {
        for setting in all.values_mut().filter_map(Value::as_object_mut) {
            if setting.get("url").and_then(Value::as_str) == Some(document.url.as_str()) {
                setting.insert("xml".into(), Value::String(document.current.xml.clone()));
            }
        }
    }
    settings
}

fn clear_secrets(secrets: &[StoredSecret], owner: SecretOwner) -> BTreeMap<String, Vec<u8>> {
    secrets
        .iter()
        .filter(|secret| secret.owner == owner)
        .filter_map(|secret| match &secret.value {
            SecretValue::Clear(bytes) => Some((secret.name.clone(), bytes.clone())),
            SecretValue::Hashed(_) => None,
        })
        .collect()
}

/// What we show to a receiver of signals. It is no secret that the receiver shows to us.
const PUSH_AUTHORIZATION: &str = "push_authorization";

fn push_authorization(secrets: &[StoredSecret], app: AppId) -> Option<String> {
    let mut clear = clear_secrets(secrets, SecretOwner::App(app));
    clear.remove(PUSH_AUTHORIZATION).and_then(|octets| String::from_utf8(octets).ok())
}

/// The snapshot in force. Readers take a reference and keep it for one request.
#[derive(Default)]
pub struct Snapshots {
    current: RwLock<Arc<Snapshot>>,
    lapsed: RwLock<Lapsed>,
}

/// Whose documents nobody could look at for longer than they stay in force, with the last good look at each.
pub type Lapsed = HashMap<(TenantId, Party), Timestamp>;

impl Snapshots {
    pub fn current(&self) -> Arc<Snapshot> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub fn replace(&self, snapshot: Snapshot) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(snapshot);
    }

    /// When the document of a partner was last looked at, where that is too long ago for it to be used.
    pub fn lapsed(&self, tenant: TenantId, party: Party) -> Option<Timestamp> {
        self.lapsed.read().unwrap_or_else(PoisonError::into_inner).get(&(tenant, party)).copied()
    }

    /// Takes over which documents have lapsed.
    pub fn replace_lapsed(&self, lapsed: Lapsed) {
        *self.lapsed.write().unwrap_or_else(PoisonError::into_inner) = lapsed;
    }

    /// There was a good look at the document of a partner just now.
    pub fn confirmed(&self, tenant: TenantId, party: Party) {
        self.lapsed.write().unwrap_or_else(PoisonError::into_inner).remove(&(tenant, party));
    }
}
