//! The store as a bridge file. Secrets come out as `{ stored: PATH }`.

use std::collections::BTreeMap;

use fedbridge_contract::config::AppKind;
use fedbridge_contract::ids::ConnectionId;
use fedbridge_hub::spec::{
    AppSpec, Configuration, SecretOwner, StoredApp, StoredConnection, SubjectType, TenantConfiguration,
};
use serde_json::{Map, Value, json};

use super::secrets::stored_path;
use super::{discovery, extras, ldap_directory, people, yaml};

/// Prints the whole configuration; `apply` of the result changes nothing.
pub fn export(configuration: &Configuration) -> String {
    let mut tenants: Vec<_> = configuration.tenants.values().collect();
    tenants.sort_by(|a, b| a.tenant.spec.slug.cmp(&b.tenant.spec.slug));
    let tenants = tenants.into_iter().map(|tenant| Value::Object(export_tenant(tenant, configuration)));
    let mut file = Map::new();
    file.insert("version".into(), json!(1));
    file.insert("tenants".into(), tenants.collect());
    yaml::document(&file)
}

fn export_tenant(tenant: &TenantConfiguration, configuration: &Configuration) -> Map<String, Value> {
    let spec = &tenant.tenant.spec;
    let mut out = Object::default();
    out.put("slug", spec.slug.as_str());
    out.put("display_name", spec.display_name.as_str());
    let parent = spec.parent.and_then(|id| configuration.tenants.get(&id));
    out.put_some("parent", parent.map(|parent| parent.tenant.spec.slug.as_str()));
    out.put_unless(spec.enabled, "enabled", false);
    out.put_list("domains", &spec.domains);
    out.0.extend(extras::written(&spec.extras));
    let mut connections: Vec<_> = tenant.connections.iter().collect();
    connections.sort_by(|a, b| a.spec.slug.cmp(&b.spec.slug));
    let connections: Vec<Value> = connections.into_iter().map(|c| connection(tenant, c)).collect();
    out.put_list("connections", &connections);
    let mut apps: Vec<_> = tenant.apps.iter().collect();
    apps.sort_by(|a, b| a.spec.name.cmp(&b.spec.name));
    let (mut clients, mut providers): (Vec<Value>, Vec<Value>) = Default::default();
    let (mut ldap_apps, mut scim_apps, mut receivers): (Vec<Value>, Vec<Value>, Vec<Value>) = Default::default();
    for app in apps {
        match app.spec.kind {
            AppKind::OidcClient => clients.push(client(tenant, app)),
            AppKind::SamlSp => providers.push(service_provider(tenant, app)),
            AppKind::LdapApp => ldap_apps.push(ldap_app(tenant, app)),
            AppKind::ScimApp => scim_apps.push(scim_app(tenant, app)),
            AppKind::SignalReceiver => receivers.push(signal_receiver(tenant, app)),
        }
    }
    out.put_list("clients", &clients);
    out.put_list("service_providers", &providers);
    out.put_list("scim_apps", &scim_apps);
    out.put_list("signal_receivers", &receivers);
    if let Some(directory) = &spec.extras.ldap {
        out.put("ldap_directory", ldap_directory::written(directory, ldap_apps));
    }
    out.0
}

fn connection(tenant: &TenantConfiguration, stored: &StoredConnection) -> Value {
    let spec = &stored.spec;
    let mut out = Object::default();
    out.put("slug", spec.slug.as_str());
    out.put("protocol", spec.protocol.as_str());
    out.put_some("display_name", spec.display_name.as_deref());
    out.put_unless(spec.enabled, "enabled", false);
    out.put_list("domains", &spec.domains);
    out.settings(&spec.settings);
    out.secrets(tenant, SecretOwner::Connection(stored.id));
    if let Ok(Value::Object(mapping)) = serde_json::to_value(&spec.mapping)
        && !mapping.is_empty()
    {
        out.put("mapping", mapping);
    }
    let people = people::written(&spec.people, &spec.settings);
    if !people.is_empty() {
        out.put("people", people);
    }
    Value::Object(out.0)
}

fn client(tenant: &TenantConfiguration, stored: &StoredApp) -> Value {
    let AppSpec { name, display_name, enabled, connections, release, claims, subject_type, settings, .. } =
        &stored.spec;
    let mut out = Object::default();
    out.put("client_id", name.as_str());
    out.put("name", display_name.as_str());
    out.put_unless(*enabled, "enabled", false);
    out.secrets(tenant, SecretOwner::App(stored.id));
    out.settings(settings);
    out.connections(tenant, connections.as_deref());
    if *subject_type == SubjectType::Pairwise {
        out.put("subject_type", "pairwise");
    }
    out.put_list("release", release);
    if !claims.is_empty() {
        out.put("claims", claims.clone());
    }
    Value::Object(out.0)
}

/// What it is released follows from its attributes, so that is not written.
fn service_provider(tenant: &TenantConfiguration, stored: &StoredApp) -> Value {
    let AppSpec { name, display_name, enabled, connections, claims, groups, settings, .. } = &stored.spec;
    let mut out = Object::default();
    out.put("slug", name.as_str());
    out.put_unless(name == display_name, "name", display_name.as_str());
    out.put_unless(*enabled, "enabled", false);
    out.settings(settings);
    out.connections(tenant, connections.as_deref());
    out.put_list("groups", groups);
    if !claims.is_empty() {
        out.put("claims", claims.clone());
    }
    Value::Object(out.0)
}

fn ldap_app(tenant: &TenantConfiguration, stored: &StoredApp) -> Value {
    let AppSpec { name, display_name, enabled, groups, settings, .. } = &stored.spec;
    let mut out = Object::default();
    out.put("slug", name.as_str());
    out.put_unless(name == display_name, "name", display_name.as_str());
    out.put_unless(*enabled, "enabled", false);
    out.secrets(tenant, SecretOwner::App(stored.id));
    out.put_list("groups", groups);
    out.settings(settings);
    Value::Object(out.0)
}

fn signal_receiver(tenant: &TenantConfiguration, stored: &StoredApp) -> Value {
    let AppSpec { name, display_name, enabled, settings, .. } = &stored.spec;
    let mut out = Object::default();
    out.put("slug", name.as_str());
    out.put_unless(name == display_name, "name", display_name.as_str());
    out.put_unless(*enabled, "enabled", false);
    out.secrets(tenant, SecretOwner::App(stored.id));
    out.settings(settings);
    Value::Object(out.0)
}

/// What it is released follows from its attributes, so that is not written.
fn scim_app(tenant: &TenantConfiguration, stored: &StoredApp) -> Value {
    let AppSpec { name, display_name, enabled, claims, groups, settings, .. } = &stored.spec;
    let mut out = Object::default();
    out.put("slug", name.as_str());
    out.put_unless(name == display_name, "name", display_name.as_str());
    out.put_unless(*enabled, "enabled", false);
    out.secrets(tenant, SecretOwner::App(stored.id));
    out.settings(settings);
    out.put_list("groups", groups);
    if !claims.is_empty() {
        out.put("claims", claims.clone());
    }
    Value::Object(out.0)
}

#[derive(Default)]
struct Object(Map<String, Value>);

impl Object {
    fn put(&mut self, key: &str, value: impl Into<Json>) {
        self.0.insert(key.to_owned(), value.into().0);
    }

    fn put_some(&mut self, key: &str, value: Option<impl Into<Json>>) {
        if let Some(value) = value {
            self.put(key, value);
        }
    }

    fn put_unless(&mut self, usual: bool, key: &str, value: impl Into<Json>) {
        if !usual {
            self.put(key, value);
        }
    }

    fn put_list<T: Clone + Into<Value>>(&mut self, key: &str, items: &[T]) {
        if !items.is_empty() {
            self.put(key, items.iter().cloned().map(Into::into).collect::<Vec<Value>>());
        }
    }

    /// Slugs of the connections that an app is limited to.
    fn connections(&mut self, tenant: &TenantConfiguration, allowed: Option<&[ConnectionId]>) {
        if let Some(ids) = allowed {
            let slugs = ids.iter().filter_map(|id| tenant.connections.iter().find(|connection| connection.id == *id));
            self.put("connections", slugs.map(|connection| json!(connection.spec.slug)).collect::<Vec<_>>());
        }
    }

    /// A document that was fetched is fetched again, so only its address is written.
    fn settings(&mut self, settings: &Value) {
        let Value::Object(settings) = settings else { return };
        for (key, value) in settings {
            let mut value = value.clone();
            if key == discovery::SETTING {
                let issuer = settings.get("issuer").and_then(Value::as_str);
                let Some(written) = discovery::written(&value, issuer) else { continue };
                value = written;
            }
            if let Value::Object(inner) = &mut value
                && inner.contains_key("url")
                && inner.contains_key("xml")
            {
                inner.shift_remove("xml");
            }
            self.put(key, value);
        }
    }

    fn secrets(&mut self, tenant: &TenantConfiguration, owner: SecretOwner) {
        let mut by_setting: BTreeMap<&str, Vec<(&str, Value)>> = BTreeMap::new();
        for secret in tenant.secrets.iter().filter(|secret| secret.owner == owner) {
            let Some(path) = stored_path(tenant, owner, &secret.name) else { continue };
            let setting = secret.name.split('/').next().unwrap_or(&secret.name);
            by_setting.entry(setting).or_default().push((&secret.name, json!({ "stored": path })));
        }
        for (setting, mut values) in by_setting {
            values.sort_by_key(|(name, _)| *name);
            let mut values: Vec<Value> = values.into_iter().map(|(_, value)| value).collect();
            match (values.len(), values.pop()) {
                (1, Some(only)) => self.put(setting, only),
                (_, Some(last)) => {
                    values.push(last);
                    self.put(&format!("{setting}s"), values);
                }
                (_, None) => {}
            }
        }
    }
}

/// Anything that a bridge file can hold.
struct Json(Value);

impl<T: Into<Value>> From<T> for Json {
    fn from(value: T) -> Self {
        Self(value.into())
    }
}
